"""What is wrong with an exported file whose outputs are not the model's, named where a measurement shows it.

Each fault is tried: the file is run in another way, or the model is changed as the fault would change it, and if both
then agree the fault is that. What nothing explains is told as a distance.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from twin.bridge import Arrays

LIMIT = 1e-5  # of the relative L2 distance from the model, in float32
EXPLAINED = 0.1  # a cause explains a distance that it makes so many times smaller
TRIED = 64  # activations of a model that are left out in turn
SWAPPED = "the file takes height and width in the other order"
CORRELATED = 0.5  # what is farther than this has little to do with the model

Run = Callable[[Mapping[str, np.ndarray]], Arrays]


def _softmax(x: np.ndarray) -> np.ndarray:
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-np.clip(x, -80, 80))),
    "softmax": _softmax,
}


def far(got: Arrays, wanted: Arrays) -> float:
    """The largest relative L2 distance of an output; infinite where one has another shape or is no number."""
    largest = 0.0
    for name, array in wanted.items():
        if got[name].shape != array.shape or not np.isfinite(got[name]).all():
            return float("inf")
        norm = float(np.linalg.norm(array.astype(np.float64)))
        largest = max(largest, float(np.linalg.norm(got[name].astype(np.float64) - array)) / (norm or 1.0))
    return largest


def named(found: Arrays, wanted: Arrays, order: Sequence[str]) -> Arrays:
    """A file's outputs under the model's names: by name, or in the order in which the exporters flatten a dictionary.

    Args:
        found: the file's outputs, in its order.
        wanted: the model's.
        order: names, those of the model among them, in the order in which its exporters flatten a dictionary.

    Raises:
        ValueError: when there is another number of them.
    """
    if len(found) != len(wanted):
        raise ValueError(f"the file returns {len(found)} outputs, the model {len(wanted)}: it is of another model")
    if found.keys() == wanted.keys():
        return {name: found[name] for name in wanted}
    return dict(zip([name for name in order if name in wanted], found.values(), strict=True))


def of_runtime(run: Run, inputs: Mapping[str, np.ndarray], got: Arrays, wanted: Arrays, elsewhere: Run) -> str:
    """What is wrong with a runtime, where the file is right; "" where nothing says so.

    Args:
        run: runs the file.
        inputs: the batch.
        got, wanted: the file's outputs and the model's.
        elsewhere: runs the file in another implementation of its format; returns nothing where there is none.
    """
    if again := _runs(run, inputs):
        apart = far(again, got)
        if apart > LIMIT and not all(np.array_equal(again[name], got[name], equal_nan=True) for name in got):
            return f"wrong runtime: the same batch twice gives outputs that are {apart:.1e} apart (relative L2)"
    if _agrees(elsewhere, inputs, wanted):
        return "wrong runtime: another implementation of the format gives the model's outputs from the same file"
    return ""


def of_weights(stored: Sequence[np.ndarray], weights: Arrays, distance: float) -> str:
    """Which of the model's arrays the file has with other values; "" where its arrays say nothing.

    A transposed array has the same values, so sorted values are compared. Exporters fold and fuse arrays, so that one
    which is missing is no fault by itself; it is one where the file has almost that array, or all of the others.

    Args:
        stored: arrays in the file; none where its format does not let one read them.
        weights: the model's.
        distance: of the file's outputs from the model's.
    """
    by_size: dict[int, list[np.ndarray]] = {}
    for array in stored:
        by_size.setdefault(array.size, []).append(np.sort(array, axis=None))
    kept: dict[str, float] = {}  # name -> share of the values that the most similar array of the file has
    for name, array in weights.items():
        values, others = np.sort(array, axis=None), by_size.get(array.size, [])
        if not any(np.array_equal(values, other) for other in others):
            kept[name] = max((float(np.isin(array, other).mean()) for other in others), default=0.0)
    if not stored:
        return ""
    if not kept:
        return f"relative L2 {distance:.1e} from the model, whose weights it has: its graph or its runtime is another"
    changed = [name for name in kept if kept[name] > 1 / 2] or (list(kept) if len(kept) == 1 < len(weights) else [])
    if changed:
        told = [f"{weights[n].size * (1 - kept[n]):,.0f} of the {weights[n].size:,} values of {n}" for n in changed]
        return f"changed weight: the file has other values for {' and '.join(told)}"
    if distance > CORRELATED and sum(weights[n].size for n in kept) > sum(a.size for a in weights.values()) / 2:
        absent = f"{len(kept)} of the model's {len(weights)} arrays are not in it"
        return f"{absent}: it has other weights, or is of another model"
    return ""


def of_activations(got: Arrays, without: Callable[[int], tuple[list[str], Arrays]]) -> str:
    """Which activation the file has lost; "" where leaving out none of them explains its outputs.

    Args:
        got: the file's outputs.
        without: the model's activations, and its outputs without the one at that place.
    """
    names, _ = without(-1)
    for place, name in enumerate(names[:TRIED]):
        try:
            _, outputs = without(place)
        except Exception:  # some, as a gated unit, change the shape of what they take
            continue
        if far(outputs, got) <= LIMIT:
            return f"lost activation: without {name} ({place + 1} of {len(names)}) the model gives the file's outputs"
    return ""


def of_swapped(got: Arrays, swapped: Callable[[], Arrays]) -> str:
    """Whether a file exchanges height and width of pictures that are not square; "" where that explains nothing.

    Such a file refuses pictures of another shape, so that the model is asked and not the file.

    Args:
        got: the file's outputs.
        swapped: the model's, for the batch with height and width exchanged.
    """
    try:
        outputs = swapped()
    except Exception:  # most models take one shape only
        return ""
    return f"wrong layout: {SWAPPED}" if far(outputs, got) <= LIMIT else ""


def of_training(got: Arrays, training: Callable[[], Arrays]) -> str:
    """Whether the file was written of a model in training; "" where that does not explain its outputs.

    Args:
        got: the file's outputs.
        training: the model's, in training.
    """
    try:
        outputs = training()
    except Exception:  # BatchNorm refuses a batch of one number
        return ""
    if far(outputs, got) > LIMIT:
        return ""
    return "training mode: the model gives the file's outputs with the statistics of the batch"


def of_refusal(run: Run, inputs: Mapping[str, np.ndarray], wanted: Arrays, reason: str, written_for: int) -> str:
    """Why a file that was to take any batch refuses one: another layout, another batch, or another model's inputs.

    Args:
        run: runs the file; raises what the runtime raises.
        inputs: the batch that it refuses.
        wanted: the model's outputs for it.
        reason: the runtime's.
        written_for: rows of the exporter's example.
    """
    for words, moved in _layouts(inputs):
        if _agrees(run, moved, wanted):
            return f"wrong layout: {words}"
    rows = len(next(iter(inputs.values())))
    for other in dict.fromkeys((1, 2, written_for)):
        if other != rows and _runs(run, _resized(inputs, other)):
            return f"frozen batch: the file takes {_rows(other)} and no {rows}"
    return f"the runtime does not run it: it is of another model, damaged, or has an operation too many: {reason}"


def of_outputs(
    run: Run,
    inputs: Mapping[str, np.ndarray],
    got: Arrays,
    wanted: Arrays,
    rounded: Mapping[str, Callable[[], Arrays]],
    further: Sequence[Callable[[], str]] = (),
) -> str:
    """What is wrong with outputs that are not the model's.

    Args:
        run: runs the file.
        inputs: the batch.
        got, wanted: the file's outputs and the model's.
        rounded: precision -> the model's outputs with its weights rounded to it.
        further: what else may explain them: each returns its words, or "".
    """
    distance = far(got, wanted)
    for name, array in wanted.items():
        if got[name].shape != array.shape and got[name].shape[1:] == array.shape[1:]:
            return f"frozen batch: {len(got[name])} rows come out where {len(array)} go in"
        if got[name].shape != array.shape:
            if got[name].ndim == array.ndim > 2 and far({name: np.moveaxis(got[name], 1, -1)}, {name: array}) <= LIMIT:
                return f"wrong layout: {name} comes out with its channels first"
            return f"{name} has shape {got[name].shape}, the model's {array.shape}: the file is of another model"
    for name, activation in ACTIVATIONS.items():
        if far({n: activation(a) for n, a in got.items()}, wanted) <= LIMIT:
            return f"lost activation: after {name}, the file's outputs are the model's"
        if far(got, {n: activation(a) for n, a in wanted.items()}) <= LIMIT:
            return f"an activation too many: the file's outputs are {name} of the model's"
    for words, moved in _layouts(inputs):
        if _agrees(run, moved, wanted):
            return f"wrong layout: {words}"
    rows = len(next(iter(inputs.values())))
    for other in (1, 2):
        if other != rows and _agrees_in_parts(run, inputs, wanted, other):
            of_these = f"relative L2 {distance:.1e} from the model for {_rows(rows)}"
            return f"wrong batch: {of_these}; for {_rows(other)} the file answers as the model"
    for precision, outputs in rounded.items():
        if far(got, outputs()) < max(EXPLAINED * distance, LIMIT):
            return f"reduced precision: with weights rounded to {precision} the model gives the file's outputs"
    for explain in further:
        if words := explain():
            return words
    if distance > CORRELATED:
        return f"relative L2 {distance:.1e} from the model: the file has other weights, or is of another model"
    return f"relative L2 {distance:.1e} from the model"


def _layouts(inputs: Mapping[str, np.ndarray]) -> Sequence[tuple[str, dict[str, np.ndarray]]]:
    """The inputs with the channels in the other place, with height and width exchanged, with the channels reversed."""
    pictures = {name: array for name, array in inputs.items() if array.ndim >= 4}
    if not pictures:
        return []
    return [
        ("the file takes its channels first", dict(inputs) | {n: np.moveaxis(a, -1, 1) for n, a in pictures.items()}),
        ("the file takes its channels last", dict(inputs) | {n: np.moveaxis(a, 1, -1) for n, a in pictures.items()}),
        (
            SWAPPED,
            dict(inputs) | {n: _swapped(a) for n, a in pictures.items()},
        ),
        (
            "the file takes the channels in the other order",
            dict(inputs) | {n: np.flip(a, 1 if _first(a) else -1) for n, a in pictures.items()},
        ),
    ]


def _swapped(array: np.ndarray) -> np.ndarray:
    """Height and width exchanged."""
    return np.swapaxes(array, -1, -2) if _first(array) else np.swapaxes(array, -2, -3)


def _agrees_in_parts(run: Run, inputs: Mapping[str, np.ndarray], wanted: Arrays, rows: int) -> bool:
    """Whether the file gives a batch's outputs, so many rows at a time; of a batch of one row, that row twice."""
    for start in range(0, len(next(iter(inputs.values()))), rows):
        part, outputs = ({n: a[start : start + rows] for n, a in each.items()} for each in (inputs, wanted))
        if not _agrees(run, _resized(part, rows), _resized(outputs, rows)):
            return False
    return True


def _resized(arrays: Mapping[str, np.ndarray], rows: int) -> Arrays:
    """So many rows: the first of them, or all again and again."""
    return {name: np.resize(array, (rows, *array.shape[1:])) for name, array in arrays.items()}


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _first(array: np.ndarray) -> bool:
    """Whether the channels come first: they stand where the shorter end is."""
    return array.shape[1] < array.shape[-1]


def _agrees(run: Run, inputs: Mapping[str, np.ndarray], wanted: Arrays) -> bool:
    found = _runs(run, inputs)
    return bool(found) and far(found, wanted) <= LIMIT


def _runs(run: Run, inputs: Mapping[str, np.ndarray]) -> Arrays:
    """What the file returns; nothing where it refuses."""
    try:
        return run(inputs)
    except Exception:
        return {}
