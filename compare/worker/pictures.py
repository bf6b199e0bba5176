"""What a trained model does, as small pictures for a report: the same code for both frameworks, on their predictions.

A picture is a strip: a few rows of the test part side by side, a PNG in base64. Strips of the data (the inputs, the
targets) come out byte for byte the same for all engines, so that a report shows them once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from twin import prototypes
from twin.boxes import PADDING, detections
from twin.bridge import Arrays
from twin.metrics import OF_CTC, best_path
from twin.spec import Layout, Twin
from twin.strips import APART, SIDE, enlarged, strip

Rows = Mapping[str, np.ndarray]
Strip = tuple[str, str, list[np.ndarray]]  # caption, what it is of, and its pictures

ROWS = 8  # of the test part
CLOUD = 5.0  # metres across of a picture of points: a car fits in
BOXED = 2  # times that a scene is enlarged before boxes are drawn on it
CONFIDENT = 0.3  # the least score of a box that is drawn
MASKED = 0.5  # the least share of a mask's pixel that is drawn
BRIGHT = ((34, 34, 34), (102, 204, 238), (238, 119, 51), (204, 187, 68), (170, 51, 119), (34, 136, 51))  # Tol, bright


def of_predictions(
    twin: Twin,
    test: Rows,
    outputs: Rows,
    spelled: Callable[[Sequence[int]], str] = str,
) -> dict[str, Any]:
    """Pictures of what a model made of a few test rows.

    Args:
        twin: its metric says what the outputs are, its layouts which arrays are pictures.
        test: the test part, as the metric takes it.
        outputs: the model's, for all its rows; with `attention` (N, T, S) where a decoder wrote phones.
        spelled: what a row of classes reads as, where the outputs are sequences.

    Returns:
        `rows`, how many; `pictures`, each with a `caption`, what it is `of` ('data' or 'model') and a `png`; `tile`,
        the height and width in pixels of one picture of the first strip; for classes `labels`, and for places `boxes`
        (left, top, right, bottom, from 0 to 1), both 'true' and 'predicted'. Empty where there is nothing to see.
    """
    metric = twin.metric.name if twin.metric else ""
    if metric not in STRIPS:
        return {}
    rows = chosen(test)
    test, outputs = ({name: array[rows] for name, array in arrays.items()} for arrays in (test, outputs))
    made = [strip for strip in STRIPS[metric](twin, test, outputs) if strip[2]]
    if not made:
        return {}
    return {
        "rows": ROWS,
        **_answers(metric, test, outputs, spelled),
        "tile": list(enlarged(made[0][2][0]).shape[:2]),
        "pictures": [{"caption": caption, "of": of, "png": strip(pictures)} for caption, of, pictures in made],
    }


def chosen(test: Rows) -> np.ndarray:
    """Which rows are shown: the first, or rows of all parts where the first are of one class, as in sorted data."""
    classes = test.get("y", np.zeros((ROWS, 0)))
    if classes.ndim == 1 and classes.dtype.kind == "i" and len(set(classes[:ROWS].tolist())) == 1 < len(classes):
        return np.linspace(0, len(classes) - 1, ROWS).astype(int)
    return np.arange(ROWS)


def _answers(metric: str, test: Rows, outputs: Rows, spelled: Callable[[Sequence[int]], str]) -> dict[str, Any]:
    """What stands under the pictures or is drawn on them, true and predicted: classes, words and boxes."""
    if metric == "accuracy" and test["y"].ndim == 1:  # one class for each row
        return {"labels": _both(test["y"], outputs["y"].argmax(-1))}
    if metric in (*OF_CTC, "phone_error_rate", "bleu"):
        # What a model writes word by word is in the last outputs that the metric asked for.
        predicted = best_path(outputs["y"]) if metric in OF_CTC else outputs["y"].argmax(-1)
        both: dict[str, Any] = {"true": test["y"], "predicted": predicted}
        return {"labels": {name: [spelled(each) for each in sequences] for name, sequences in both.items()}}
    if metric == "heart_rate_error":  # rates in beats a second
        both = {"true": test["y"], "predicted": outputs["y"]}
        return {"labels": {name: [f"{60 * rate:.0f}/min" for rate in rates.ravel()] for name, rates in both.items()}}
    if metric == "localization_accuracy":
        return {
            "labels": _both(test["label"], outputs["label"].argmax(-1)),
            "boxes": _both(test["box"].round(3), np.nan_to_num(outputs["box"]).round(3)),
        }
    return {}


def _inputs(twin: Twin, test: Rows, _: Rows) -> list[Strip]:
    captions = {name: "input" if len(twin.inputs) == 1 else f"input {name}" for name in twin.inputs}
    how = {name: _how(test[name], layout) for name, layout in twin.inputs.items()}
    return [(captions[name] + how[name], "data", _pictures(test[name], twin.inputs[name])) for name in twin.inputs]


def _how(x: np.ndarray, layout: Layout) -> str:
    """How rows that are no pictures are shown as such."""
    if layout in ("clips", "frames"):
        return ", its frames from top to bottom"
    return ", a line for each channel, time from left to right" if layout == "as is" and x.ndim == 3 else ""


def _classified(twin: Twin, test: Rows, outputs: Rows) -> list[Strip]:
    """What was classified: rows, clouds of points, or the nodes of graphs, sorted by their classes."""
    if twin.data == "sweeps":
        return _clouds(test, outputs)
    if test["y"].ndim == 1:
        return _inputs(twin, test, outputs)
    order = test["y"].argsort(axis=1, kind="stable")
    true, predicted = (np.take_along_axis(y, order, axis=1) for y in (test["y"], outputs["y"].argmax(-1)))
    matrix = np.take_along_axis(np.take_along_axis(test["x"], order[:, :, None], axis=1), order[:, None], axis=2)
    return [
        ("graphs, a row and a column for each node", "data", list(matrix[..., None] / max(float(matrix.max()), 1e-12))),
        ("true classes of the nodes", "data", _coloured(true[:, None].repeat(8, 1))),
        ("predicted classes of the nodes", "model", _coloured(predicted[:, None].repeat(8, 1))),
    ]


def _clouds(test: Rows, outputs: Rows) -> list[Strip]:
    """Clouds of points (N, points, 3) from above and from the side, in the colours of their classes."""
    true, predicted = test["y"], outputs["y"].argmax(-1)
    return [
        (
            f"points from above, {CLOUD:g} m across, in the colours of their true classes",
            "data",
            _plotted(test["x"], true, (0, 1)),
        ),
        ("the same from the side", "data", _plotted(test["x"], true, (0, 2))),
        ("from the side, in the colours of the predicted classes", "model", _plotted(test["x"], predicted, (0, 2))),
    ]


def _plotted(clouds: np.ndarray, kinds: np.ndarray, axes: tuple[int, int]) -> list[np.ndarray]:
    """Four pixels for each point, by two of its axes, the middle of the cloud in the middle of the picture."""
    side, out = 2 * SIDE, []
    for cloud, kind in zip(clouds[..., axes], kinds, strict=True):
        picture = np.ones((side, side, 3))
        column, row = ((cloud / CLOUD * [1, -1] + 0.5) * side).astype(int).clip(0, side - 2).T
        for down, along in ((0, 0), (0, 1), (1, 0), (1, 1)):
            picture[row + down, column + along] = np.array(BRIGHT[1 + int(kind) % (len(BRIGHT) - 1)]) / 255
        out.append(picture)
    return out


def _masks(twin: Twin, test: Rows, outputs: Rows) -> list[Strip]:
    return [
        *_inputs(twin, test, outputs),
        ("true mask", "data", _coloured(test["y"])),
        ("predicted mask", "model", _coloured(outputs["y"].argmax(-1))),
    ]


def _reconstructions(twin: Twin, test: Rows, outputs: Rows) -> list[Strip]:
    return [
        *_inputs(twin, test, outputs),
        ("target", "data", _pictures(test["y"], twin.layout("y"))),
        ("output", "model", _pictures(outputs["y"], twin.output_layout("y"))),
    ]


def _generated(twin: Twin, test: Rows, outputs: Rows) -> list[Strip]:
    return [
        ("real", "data", _pictures(test["real"], twin.layout("real"))),
        ("generated", "model", _pictures(outputs["y"], twin.output_layout("y"))),
    ]


def _detected(twin: Twin, test: Rows, outputs: Rows) -> list[Strip]:
    """Scenes with the boxes of their objects, the regions that were proposed, and the boxes that a model found."""
    scenes = _pictures(test[next(iter(twin.inputs))], "images")
    true, proposed, predicted = [], [], []
    for row, scene in enumerate(scenes):
        there = test["classes"][row] != PADDING
        true.append(_boxed(scene, test["boxes"][row][there], test["classes"][row][there]))
        if "proposals" in test:
            proposed.append(_boxed(scene, test["proposals"][row], np.zeros(len(test["proposals"][row]), int)))
        places, kinds = detections(outputs["boxes"][row], outputs["scores"][row], least=CONFIDENT)
        boxes = outputs["boxes"][row]
        predicted.append(_boxed(scene, boxes[places] if boxes.ndim == 2 else boxes[places, kinds], kinds))
    found = (f"boxes found with a score from {CONFIDENT} on", "model", predicted)
    return [("true boxes", "data", true), ("regions proposed", "data", proposed), found]


def _instances(twin: Twin, test: Rows, outputs: Rows) -> list[Strip]:
    """Scenes with the boxes and masks of their objects, and with those that a model found, a colour for each class."""
    scenes = _pictures(test[next(iter(twin.inputs))], "images")
    if "prototypes" in outputs:
        outputs = prototypes.instances(outputs, *test["masks"].shape[1:3])
    true, predicted = [], []
    for row, scene in enumerate(scenes):
        there = test["classes"][row] != PADDING
        objects = (test["masks"][row][..., there], test["boxes"][row][there], test["classes"][row][there])
        true.append(_boxed(_inked(scene, objects[0], objects[2]), *objects[1:]))
        places, kinds = detections(outputs["boxes"][row], outputs["scores"][row], least=CONFIDENT)
        masks, boxes = outputs["masks"][row][..., places] >= MASKED, outputs["boxes"][row]
        boxes = boxes[places] if boxes.ndim == 2 else boxes[places, kinds]
        predicted.append(_boxed(_inked(scene, masks, kinds), boxes, kinds))
    return [("true masks", "data", true), (f"masks found with a score from {CONFIDENT} on", "model", predicted)]


def _attended(_: Twin, test: Rows, outputs: Rows) -> list[Strip]:
    """Where a decoder looked when it wrote: a row for each token of the answer, a column for each of the source."""
    shares = outputs["attention"] * (test["y"] != 0)[..., None]  # behind the end nothing is written
    caption = "where the decoder looks in its last layer: a phone a row, a letter a column, brightest where most"
    return [(caption, "model", [each[..., None] / each.max() for each in shares])]


def _posed(twin: Twin, test: Rows, outputs: Rows) -> list[Strip]:
    """Figures with their joints, and with the places that a model gives them."""
    figures = _pictures(test["x"], twin.layout("x"))
    both = (("true joints", "data", test["y"]), ("joints found", "model", np.nan_to_num(outputs["y"])))
    return [
        (caption, of, [_dotted(figure, places) for figure, places in zip(figures, rows, strict=True)])
        for caption, of, rows in both
    ]


# Metric -> the strips of a model that it measures.
STRIPS: dict[str, Callable[[Twin, Rows, Rows], list[Strip]]] = {
    "accuracy": _classified,
    "bleu": _inputs,
    "character_error_rate": _inputs,
    "detected_joints": _posed,
    "frechet_distance": _generated,
    "heart_rate_error": _inputs,
    "localization_accuracy": _inputs,
    "mean_average_precision": _detected,
    "mean_mask_average_precision": _instances,
    "mean_mask_iou": _masks,
    "phone_error_rate": _attended,
    "reconstruction_error": _reconstructions,
    "word_error_rate": _inputs,
}


def attention(
    values: Arrays, heads: int, shape: Sequence[int], tubelet: Sequence[int] | None = None
) -> dict[str, str] | None:
    """Where a transformer's class token looks in the last block, its heads averaged; None without attention to patches.

    Args:
        values: what left each layer, as `PATH/out`, tokens as (N, T, D) with the class token first.
        heads: that the channels of the queries and keys are divided among.
        shape: height, width and channels of the pictures that the other tokens are patches of; or frames before them.
        tubelet: frames, height and width of a token, where the pictures are clips.
    """
    from scipy.special import softmax

    paths = [name.removesuffix("query/out") for name in values if name.endswith(".query/out")]
    if not paths or len(shape) != (4 if tubelet else 3):
        return None
    found = (values[f"{paths[-1]}{name}/out"] for name in ("query", "key"))
    query, key = (array.reshape(*array.shape[:2], heads, -1) for array in found)
    scores = np.einsum("nhd,nthd->nht", query[:, 0], key) / query.shape[-1] ** 0.5
    weights = softmax(scores, axis=-1).mean(1)[:, 1:]  # (N, T - 1): what it leaves to the patches
    frames, height, width = shape[:3] if tubelet else (1, *shape[:2])
    patch = round((height * width / weights.shape[1]) ** 0.5)
    long, high, wide = tubelet or (1, patch, patch)
    maps = weights.reshape(-1, frames // long, height // high, width // wide)
    maps = maps.repeat(long, 1).repeat(high, 2).repeat(wide, 3).reshape(len(maps), frames * height, width, 1)
    brightest = maps.max((1, 2, 3), keepdims=True)
    caption = "where the class token looks in the last block, brightest where most"
    return {"caption": caption, "of": "model", "png": strip(list(maps / brightest), **APART)}


def cross_attention(values: Arrays, heads: int, mask: np.ndarray) -> np.ndarray:
    """How a decoder's last layer shares its attention among the source's tokens, its heads averaged: (N, T, S).

    Args:
        values: what left each layer, as `PATH/out`: queries (N, T, D) and keys (N, S, D).
        heads: that the channels of the queries and keys are divided among.
        mask: which of the source's tokens are no padding, (N, S).
    """
    from scipy.special import softmax

    path = [name for name in values if name.endswith("cross_attention.query/out")][-1].removesuffix("query/out")
    found = (values[f"{path}{name}/out"] for name in ("query", "key"))
    query, key = (array.reshape(*array.shape[:2], heads, -1) for array in found)
    scores = np.einsum("nthd,nshd->nhts", query, key) / query.shape[-1] ** 0.5
    return softmax(np.where(mask[:, None, None], scores, -np.inf), axis=-1).mean(1)


def policy(predict: Callable[[Arrays], Arrays]) -> dict[str, Any]:
    """Where a policy pushes a cart that stands still in the middle, by the angle and the angular speed of its pole.

    Args:
        predict: states `x` (N, 4), in units of `twin.data.cartpole.SCALE`, to values or logits `y` (N, 2).

    Returns:
        As `of_predictions`.
    """
    units = np.linspace(-1, 1, SIDE, dtype=np.float32)
    angle, angular_speed = np.meshgrid(units, -units)
    still = np.zeros_like(angle)
    states = np.stack([still, still, angle, angular_speed], axis=-1).reshape(-1, 4)
    picture = predict({"x": states})["y"].argmax(-1).reshape(SIDE, SIDE, 1)
    caption = "pushes to the right (bright), by angle (from left to right) and angular speed (upwards) of the pole"
    pictures = [{"caption": caption, "of": "model", "png": strip([picture])}]
    return {"rows": 1, "pictures": pictures, "tile": [SIDE, SIDE]}


def _both(true: np.ndarray, predicted: np.ndarray) -> dict[str, list]:
    return {"true": true.tolist(), "predicted": predicted.tolist()}


def _pictures(x: np.ndarray, layout: Layout) -> list[np.ndarray]:
    """Rows as pictures (H, W, 1 or 3) from 0 to 1; none where there is nothing to see, as of whole numbers.

    An image is one, and so are a clip's frames one under the other; what is 'as is' may be a flat square, or a signal
    (N, T, C), of which each channel becomes a line over time.
    """
    if x.dtype.kind != "f" or (layout == "as is" and x.ndim not in (2, 3)):
        return []
    signals = layout == "as is" and x.ndim == 3
    if layout in ("clips", "frames"):
        x = x.reshape(len(x), -1, *x.shape[3:])
    elif layout == "as is" and x.ndim == 2:
        side = round(x.shape[1] ** 0.5)
        x = x.reshape(len(x), side, side, 1) if side * side == x.shape[1] else x[:, None, :, None]
    elif signals:
        x = x.transpose(0, 2, 1)[..., None].repeat(4, 1)  # a line of four pixels per channel
    if x.shape[-1] not in (1, 3):
        x = x.mean(-1, keepdims=True)
    low, high = map(float, np.quantile(x, (0.01, 0.99)))  # one shock of a signal would make the rest grey
    if x.min() < 0 or x.max() > 1:  # normalised data
        x = (x - low) / max(high - low, 1e-12)
    if signals:  # white between one signal and the next, which may begin as the first ends
        x = np.pad(x, ((0, 0), (0, 0), (0, 2), (0, 0)), constant_values=1)
    return list(x)


def _coloured(masks: np.ndarray) -> list[np.ndarray]:
    """A colour per class, (H, W, 3)."""
    return list(np.array(BRIGHT, np.float32)[masks % len(BRIGHT)] / 255)


def _boxed(scene: np.ndarray, boxes: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """A scene, enlarged, with a line of one pixel around each box (left, top, right, bottom, from 0 to 1)."""
    from PIL import Image, ImageDraw

    grey = scene.repeat(BOXED, 0).repeat(BOXED, 1) * np.ones(3 if scene.shape[-1] == 1 else 1)
    image = Image.fromarray((grey.clip(0, 1) * 255).round().astype(np.uint8))
    height, width = image.height - 1, image.width - 1
    for (left, top, right, bottom), kind in sorted(zip(boxes.clip(0, 1).tolist(), kinds, strict=True)):
        edges = (left * width, top * height, max(left, right) * width, max(top, bottom) * height)
        ImageDraw.Draw(image).rectangle(edges, outline=BRIGHT[1 + int(kind) % (len(BRIGHT) - 1)])
    return np.asarray(image, np.float32) / 255


def _inked(scene: np.ndarray, masks: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """A scene in colours, the pixels of each mask (H, W, M) half in that of its class, the first mask on top."""
    out = scene * np.ones(3 if scene.shape[-1] == 1 else 1)
    for number in reversed(range(len(kinds))):
        inside = masks[..., number].astype(bool)
        out[inside] = (scene[inside] + np.array(BRIGHT[1 + int(kinds[number]) % (len(BRIGHT) - 1)]) / 255) / 2
    return out


def _dotted(figure: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A figure, enlarged, with a dot at each joint: left ones, right ones and the head in colours of their own."""
    image = figure.repeat(BOXED, 0).repeat(BOXED, 1) * np.ones(3)
    height, width = image.shape[:2]
    across, down = ((places.reshape(-1, 2).T + 0.5) * [[width], [height]]).astype(int)
    for joint, (row, column) in enumerate(zip(down.clip(0, height - 1), across.clip(0, width - 1), strict=True)):
        colour = BRIGHT[3] if joint == 0 else BRIGHT[1 + (joint + 1) % 2]
        image[max(row - 1, 0) : row + 1, max(column - 1, 0) : column + 1] = np.array(colour) / 255
    return image
