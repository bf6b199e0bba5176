"""What the user gives beside two models: a file of arrays, and losses and optimizers by name."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from compare.verify.before_loss import make_target
from twin import untrusted
from twin.errors import TwinError

STOCK_LOSSES = ("cross_entropy", "binary_cross_entropy", "mean_squared_error")
NOT_INPUTS = re.compile(r"y|y_.+|sample_weight|class_weight")
KINDS = {"f": np.float32, "i": np.int32, "u": np.int32, "b": np.float32}


def arrays(data: Path) -> dict[str, np.ndarray]:
    """Every array of a file.

    Raises:
        TwinError: when it is no .npz file of plain arrays.
    """
    try:
        return untrusted.npz(data)
    except TwinError as error:
        raise TwinError(f"--data {error}") from error


def from_file(data: Path) -> list[np.ndarray]:
    """The inputs of a file: all arrays but targets and weights, and at most 24 rows (pairs and triplets divide that).

    Raises:
        TwinError: when there are none, or they are no numbers.
    """
    found = {name: array for name, array in arrays(data).items() if not NOT_INPUTS.fullmatch(name)}
    if not found:
        raise TwinError(f"--data {data}: no arrays; expected one per input, such as x")
    for name, array in found.items():
        if array.ndim == 0 or array.size == 0:
            raise TwinError(f"--data {data}: {name} has no rows; nothing can be compared, give at least one")
        if array.dtype.kind not in KINDS:
            raise TwinError(f"--data {data}: {name} is of type {array.dtype}; expected numbers")
    with np.errstate(over="ignore"):
        given = {name: array[:24].astype(KINDS[array.dtype.kind]) for name, array in found.items()}
    for name, array in given.items():
        if not np.isfinite(array).all():
            raise TwinError(f"--data {data}: {name} has NaN or infinite values in float32; expected finite ones")
    return list(given.values())


def by_output(losses: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Keras's and PyTorch's loss for each output that is named, as in `score=cross_entropy`; "" for the only one.

    Raises:
        TwinError: when there are neither a stock name nor two references for one.
    """
    grouped: dict[str, list[str]] = {}
    for each in losses:
        named = re.fullmatch(r"([\w.-]+)=(.+)", each)
        grouped.setdefault(named.group(1) if named else "", []).append(named.group(2) if named else each)
    return {name: both(f"--loss {name}=" if name else "--loss", group, STOCK_LOSSES) for name, group in grouped.items()}


def both(option: str, given: Sequence[str], names: Sequence[str]) -> tuple[str, str]:
    """Keras's and PyTorch's: a stock name for both, or two references.

    Raises:
        TwinError: when it is neither.
    """
    if len(given) == 1 and given[0] in names:
        return given[0], given[0]
    if len(given) == 2 and all(":" in each or each in names for each in given):
        return given[0], given[1]
    raise TwinError(
        f"{option} {' '.join(given)}: expected one of {', '.join(names)}, or {option} twice: Keras's file.py:callable, "
        "then PyTorch's"
    )


def stock(references: Sequence[str]) -> str:
    """The stock loss among two; "" where there is none."""
    return next((each for each in references if each in STOCK_LOSSES), "")


def target(data: Path | None, name: str, references: Sequence[str]) -> np.ndarray | None:
    """The targets of an output in a file: `y`, or `y_NAME`; None where they can be made.

    Raises:
        TwinError: when there are none and the loss is the user's own.
    """
    found = arrays(data) if data else {}
    key = f"y_{name}" if name else "y"
    if key in found and found[key].dtype.kind not in "iufb":
        raise TwinError(f"--data {data}: {key} is {found[key].dtype} of shape {found[key].shape}; expected numbers")
    if key in found:
        return found[key].astype(np.int32 if found[key].dtype.kind in "iu" else np.float32)
    if not stock(references):
        raise TwinError(
            f"--loss {references[0]}: which targets? give --data FILE.npz with the inputs and an array {key}"
        )
    return None


def given_to_loss(
    data: Path | None,
    name: str,
    outputs: Mapping[str, np.ndarray],
    references: Sequence[str],
    masks: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """What both losses get for one output: `outputs`, `target`, and weights and a mask where there are any.

    Raises:
        TwinError: when there is no such output, or there are no targets.
    """
    chosen = name or next(iter(outputs))
    if chosen not in outputs:
        raise TwinError(f"--loss {name}=...: the Keras model has no output {name!r}; it has {', '.join(outputs)}")
    value = outputs[chosen]
    goal = target(data, name, references)
    if goal is not None and (goal.ndim == 0 or len(goal) < len(value)):
        key = f"y_{name}" if name else "y"
        raise TwinError(f"--data {data}: {key} is of shape {goal.shape}; expected a row for each of the inputs'")
    given = {"outputs": value, "target": make_target(value, stock(references)) if goal is None else goal[: len(value)]}
    found = arrays(data) if data else {}
    if "sample_weight" in found:
        given["sample_weight"] = found["sample_weight"][: len(value)].astype(np.float32)
    if "class_weight" in found:
        given["class_weight"] = found["class_weight"].astype(np.float32)
    if chosen in masks:
        given["mask"] = masks[chosen]
    return given
