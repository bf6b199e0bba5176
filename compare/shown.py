"""What a trained model does, as small pictures for a report: the same code for both frameworks, on their predictions.

A picture is a strip: the first rows of the test part side by side, a PNG in base64. Strips that all engines have in
common (the inputs, the targets) come out byte for byte the same, so that a report shows them once.
"""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.bridge import Arrays

ROWS = 8  # of the test part
FILTERS = 16
GAP = 1  # pixels between two pictures of a strip
BRIGHT = ((34, 34, 34), (102, 204, 238), (238, 119, 51), (204, 187, 68), (170, 51, 119), (34, 136, 51))  # Tol, bright
TRUE, PREDICTED = (255, 255, 255), (238, 119, 51)


def of_predictions(metric: str, test: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Pictures of what a model made of the first test rows.

    Args:
        metric: of the twin (twin.metrics), which says what the outputs are.
        test: the test part, as the metric takes it.
        outputs: the model's, for all its rows.

    Returns:
        `rows`, how many; `pictures`, each with a `caption` and a `png`; for classes `labels`, 'true' and 'predicted'.
        Empty where there is nothing to see.
    """
    rows = slice(ROWS)
    if metric == "accuracy":
        return _found(
            [("input", _strip(_pictures(test["x"][rows])))],
            {"true": test["y"][rows], "predicted": outputs["y"][rows].argmax(-1)},
        )
    if metric == "localization_accuracy":
        boxes = _strip(_with_boxes(_pictures(test["x"][rows]), test["box"][rows], outputs["box"][rows]))
        return _found(
            [("box (true: white, whole line; predicted: orange, broken line)", boxes)],
            {"true": test["label"][rows], "predicted": outputs["label"][rows].argmax(-1)},
        )
    if metric == "mean_mask_iou":
        masks = {"true mask": test["y"][rows], "predicted mask": outputs["y"][rows].argmax(-1)}
        return _found(
            [("input", _strip(_pictures(test["x"][rows]))), *((what, _strip(_coloured(m))) for what, m in masks.items())]
        )
    if metric == "reconstruction_error":
        shown = {"input": test["x"], "target": test["y"], "output": outputs["y"]}
        return _found([(what, _strip(_pictures(rows_of[rows]))) for what, rows_of in shown.items()])
    if metric == "frechet_distance":
        shown = {"real": test["real"], "generated": outputs["y"]}
        return _found([(what, _strip(_pictures(rows_of[rows]))) for what, rows_of in shown.items()])
    return {}


def filters(weights: Arrays, order: list[str]) -> dict[str, str] | None:
    """The kernels of the first convolution as a picture; None where they are too small or too deep to see.

    Args:
        weights: under PyTorch's names and in its layout, (out, in, height, width).
        order: the names, in the order of the model.
    """
    for name in order:
        kernel = weights[name]
        if kernel.ndim == 4:
            _, depth, height, width = kernel.shape
            if depth not in (1, 3) or min(height, width) < 3:
                return None
            chosen = kernel[:FILTERS].transpose(0, 2, 3, 1)
            each = [(k - k.min()) / max(float(np.ptp(k)), 1e-12) for k in chosen]
            return {"caption": f"filters of {name}, each from its least to its largest value", "png": _strip(each)}
    return None


def _found(strips: list[tuple[str, str]], labels: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"rows": ROWS, "pictures": [{"caption": caption, "png": png} for caption, png in strips]}
    if labels:
        found["labels"] = {what: np.asarray(values).astype(int).tolist() for what, values in labels.items()}
    return found


def _pictures(x: np.ndarray) -> list[np.ndarray]:
    """Rows as pictures (H, W, 1 or 3) from 0 to 1: images, flat squares, or a signal's channels over time."""
    if x.ndim == 2:
        side = round(x.shape[1] ** 0.5)
        x = x.reshape(len(x), side, side, 1) if side * side == x.shape[1] else x[:, None, :, None]
    elif x.ndim == 3:
        x = x.transpose(0, 2, 1)[..., None]  # (N, T, C): a line of pixels per channel
    elif x.shape[-1] not in (1, 3):
        x = x.mean(-1, keepdims=True)
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 1:  # normalised data
        x = (x - low) / max(high - low, 1e-12)
    return list(x)


def _coloured(masks: np.ndarray) -> list[np.ndarray]:
    """A colour per class, (H, W, 3)."""
    return list(np.array(BRIGHT, np.float32)[masks % len(BRIGHT)] / 255)


def _with_boxes(pictures: list[np.ndarray], true: np.ndarray, predicted: np.ndarray) -> list[np.ndarray]:
    """The pictures at twice their size, with both boxes (left, top, right, bottom, from 0 to 1) drawn in."""
    out = []
    for picture, *boxes in zip(pictures, true, predicted, strict=True):
        large = np.repeat(np.repeat(np.broadcast_to(picture, (*picture.shape[:2], 3)), 2, 0), 2, 1)
        height, width = large.shape[:2]
        for box, colour, broken in zip(boxes, (TRUE, PREDICTED), (False, True), strict=True):
            at = np.nan_to_num(box).clip(0, 1) * (width, height, width, height)
            left, top, right, bottom = np.minimum(at.astype(int), (width - 1, height - 1, width - 1, height - 1))
            for line in (
                large[top, left : right + 1],
                large[bottom, left : right + 1],
                large[top : bottom + 1, left],
                large[top : bottom + 1, right],
            ):
                seen = np.arange(len(line)) % 4 < 2 if broken else np.full(len(line), True)
                line[seen] = np.array(colour) / 255
        out.append(large)
    return out


def _strip(pictures: list[np.ndarray]) -> str:
    """Pictures side by side, as a PNG in base64."""
    from PIL import Image

    height, width, depth = pictures[0].shape
    strip = np.full((height, len(pictures) * (width + GAP) - GAP, depth), 0.5)
    for number, picture in enumerate(pictures):
        strip[:, number * (width + GAP) : number * (width + GAP) + width] = np.nan_to_num(picture)
    pixels = (strip.clip(0, 1) * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if depth == 1 else pixels).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
