"""What comparisons begin with: batches of a twin's data, what a step draws, and perturbed weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from twin import data
from twin.errors import TwinError
from twin.numeric import perturbed_by_one_ulp
from twin.spec import Draw, Twin

Arrays = dict[str, np.ndarray]

BATCH = 16  # rows in a batch of the ladder
PAPER_BATCH = 2
STEPS = 20
SHAPES = {"image_shape": ("images",), "clip_shape": ("clips", "frames"), "window_shape": ("as is",)}


def training_rows(twin: Twin, size: str) -> Arrays:
    """The rows that `make_batches` takes its batches from."""
    options = data_options(twin, size)
    train = data.load(twin.data, twin.data_options if options is None else options).train
    check_masks(twin, train)
    return train


def make_batches(
    twin: Twin, arguments: Mapping[str, Any], size: str, rng: np.random.Generator, train: Arrays | None = None
) -> Arrays:
    """The ladder's batches as `STEP/NAME`: rows of the twin's own data, and the random numbers it draws.

    Args:
        twin: the twin.
        arguments: of its constructor.
        size: 'small' or 'paper'.
        rng: chooses the rows.
        train: its `training_rows`, where they are made already.
    """
    train = training_rows(twin, size) if train is None else train
    if data_options(twin, size) is None:
        # Weights of the published size are not trained here: one batch of its shape says whether they agree.
        noise = published_inputs(twin, arguments, train, PAPER_BATCH, rng)
        return {f"1/{name}": noise.get(name, train[name][:PAPER_BATCH]) for name in twin.inputs}
    rows = len(next(iter(train.values())))
    order = np.resize(rng.permutation(rows), STEPS * BATCH)
    out: Arrays = {}
    for step, chosen in enumerate(np.split(order, STEPS), start=1):
        out |= {f"{step}/{name}": array[chosen] for name, array in train.items()}
        for wanted in twin.draws:
            out[f"{step}/{wanted.name}"] = drawn(wanted, BATCH, arguments, rng)
    return out


def of_step(batches: Mapping[str, np.ndarray], step: int = 1) -> Arrays:
    """The batch of one step, by name, of those that `make_batches` returns."""
    return {name.removeprefix(f"{step}/"): array for name, array in batches.items() if name.startswith(f"{step}/")}


def check_masks(twin: Twin, arrays: Mapping[str, np.ndarray]) -> None:
    """See that masks have the height and width of their pictures, which each framework would say in its own words.

    Raises:
        TwinError: they have another size.
    """
    metric = twin.metric.name if twin.metric else ""
    if metric == "mean_mask_iou" and arrays["y"].shape != arrays["x"].shape[:3]:
        raise TwinError(
            f"{twin.name}: the masks y have the shape {arrays['y'].shape} and the pictures x {arrays['x'].shape}; "
            f"expected a class for each pixel, {arrays['x'].shape[:3]}: resize the masks without mixing classes"
        )
    if metric == "mean_mask_average_precision" and arrays["masks"].shape[:3] != arrays["x"].shape[:3]:
        raise TwinError(
            f"{twin.name}: the masks have the shape {arrays['masks'].shape} and the pictures x {arrays['x'].shape}; "
            f"expected a mask (H, W) for each object, {arrays['x'].shape[:3]} and the number of objects"
        )


def published_inputs(
    twin: Twin, arguments: Mapping[str, Any], train: Arrays, rows: int, rng: np.random.Generator
) -> Arrays:
    """Noise for the inputs whose shape a published size names; `train` tells them from tokens."""
    shapes = {
        name: arguments[argument]
        for name, layout in twin.inputs.items()
        for argument, layouts in SHAPES.items()
        if layout in layouts and argument in arguments
    }
    return {
        name: rng.standard_normal((rows, *shape)).astype(np.float32)
        for name, shape in shapes.items()
        if train[name].dtype.kind == "f" and train[name].ndim == 1 + len(shape)
    }


def drawn(wanted: Draw, rows: int, arguments: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
    """The random numbers that a step on so many rows consumes."""
    shape = wanted.sized(rows, arguments)
    numbers = rng.standard_normal(shape) if wanted.distribution == "normal" else rng.random(shape)
    return numbers.astype(np.float32)


def exercise_inputs(twin: Twin) -> Arrays:
    """An exercise's literal inputs, or its data set's test part, as arrays."""
    if twin.data:
        return data.load(twin.data, twin.data_options).test
    given = {name: np.asarray(value) for name, value in twin.literals.items()}
    return {n: a.astype(np.float32 if a.dtype.kind == "f" else np.int32) for n, a in given.items()}


def perturb_constants(weights: Arrays, rng: np.random.Generator) -> Arrays:
    """Weights whose constant arrays (zero biases, unit scales, fresh statistics) were made to differ.

    A model whose biases are all zero agrees with one that has them in the wrong order.
    """
    out = {}
    for name, array in weights.items():
        new = array.astype(np.float32)
        if array.size > 1 and np.ptp(array) == 0:
            new = (new + 0.1 * rng.standard_normal(array.shape)).astype(np.float32)
            new = np.abs(new) if array.flat[0] > 0 else new  # scales and variances stay positive
        out[name] = new
    return out


def perturbed(values: Arrays, rng: np.random.Generator, ulps: int = 1) -> Arrays:
    """Every float moved by one ulp, so many times."""
    for _ in range(ulps):
        values = {name: perturbed_by_one_ulp(array, rng) for name, array in values.items()}
    return values


def data_options(twin: Twin, size: str) -> dict[str, Any] | None:
    """The options of the twin's data for that size; None where the published pictures are not to be had."""
    chosen = twin.size(size)
    assert chosen is not None, f"{twin.name} has no size {size}"
    if size == "paper" and SHAPES.keys() & chosen.arguments.keys() and not chosen.data_options:
        return None
    return {**twin.data_options, **chosen.data_options}
