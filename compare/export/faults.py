"""What is wrong with an exported file whose outputs are not the model's, named where a measurement shows it.

Each fault is tried: the file is run in another way, or the model is changed as the fault would change it, and if both
then agree the fault is that. What nothing explains is told as a distance.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from twin.bridge import Arrays

LIMIT = 1e-5  # of the relative L2 distance from the model, in float32
EXPLAINED = 0.1  # a cause explains a distance that it makes so many times smaller
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


def named(found: Arrays, wanted: Arrays, side: str) -> Arrays:
    """A file's outputs under the model's names: by name, or in the order in which the exporters flatten a dictionary.

    Raises:
        ValueError: when there is another number of them.
    """
    if len(found) != len(wanted):
        raise ValueError(f"the file returns {len(found)} outputs, the model {len(wanted)}: it is of another model")
    if found.keys() == wanted.keys():
        return {name: found[name] for name in wanted}
    order = sorted(wanted) if side == "keras" else list(wanted)
    return dict(zip(order, found.values(), strict=True))


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
        if other == rows:
            continue
        resized = {name: np.resize(array, (other, *array.shape[1:])) for name, array in inputs.items()}
        if _runs(run, resized):
            return f"frozen batch: the file takes {other} row{'s' * (other != 1)} and no {rows}"
    return f"the runtime does not run it: it is of another model, damaged, or has an operation too many: {reason}"


def of_outputs(
    run: Run,
    inputs: Mapping[str, np.ndarray],
    got: Arrays,
    wanted: Arrays,
    rounded: Mapping[str, Callable[[], Arrays]],
) -> str:
    """What is wrong with outputs that are not the model's.

    Args:
        run: runs the file.
        inputs: the batch.
        got, wanted: the file's outputs and the model's.
        rounded: precision -> the model's outputs with its weights rounded to it.
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
    for precision, outputs in rounded.items():
        if far(got, outputs()) < max(EXPLAINED * distance, LIMIT):
            return f"reduced precision: with weights rounded to {precision} the model gives the file's outputs"
    if distance > CORRELATED:
        return f"relative L2 {distance:.1e} from the model: the file has other weights, or is of another model"
    return f"relative L2 {distance:.1e} from the model"


def _layouts(inputs: Mapping[str, np.ndarray]) -> Sequence[tuple[str, dict[str, np.ndarray]]]:
    """The inputs with the channels moved to the other place, and with the order of the channels reversed."""
    pictures = {name: array for name, array in inputs.items() if array.ndim >= 4}
    if not pictures:
        return []
    return [
        ("the file takes its channels first", dict(inputs) | {n: np.moveaxis(a, -1, 1) for n, a in pictures.items()}),
        ("the file takes its channels last", dict(inputs) | {n: np.moveaxis(a, 1, -1) for n, a in pictures.items()}),
        (
            "the file takes height and width in the other order",
            dict(inputs) | {n: _swapped(a) for n, a in pictures.items()},
        ),
    ]


def _swapped(array: np.ndarray) -> np.ndarray:
    """Height and width exchanged; the channels stand where the shorter end is."""
    first = array.shape[1] < array.shape[-1]
    return np.swapaxes(array, -1, -2) if first else np.swapaxes(array, -2, -3)


def _agrees(run: Run, inputs: Mapping[str, np.ndarray], wanted: Arrays) -> bool:
    found = _runs(run, inputs)
    return bool(found) and far(found, wanted) <= LIMIT


def _runs(run: Run, inputs: Mapping[str, np.ndarray]) -> Arrays:
    """What the file returns; nothing where it refuses."""
    try:
        return run(inputs)
    except Exception:
        return {}
