"""What is wrong with rows of data, said in one line before either framework sees them, and so alike on both sides."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.batches import SHAPES
from twin.errors import TwinError
from twin.metrics import OF_CTC
from twin.shapes import text_line_steps
from twin.spec import Twin

Arrays = Mapping[str, np.ndarray]

TABLES = ("num_tokens", "vocab_size")  # constructor arguments that say how many tokens a model knows; 0 is padding


def check_inputs(twin: Twin, arguments: Mapping[str, Any], inputs: Arrays) -> None:
    """Refuse inputs that a model was not built for.

    Args:
        twin: whose inputs they are.
        arguments: of the model's constructor.
        inputs: by name.

    Raises:
        TwinError: one line with the input's name, the first row that is wrong, and the limit.
    """
    if not all(map(len, inputs.values())):
        raise TwinError(f"{twin.name}: {', '.join(inputs)} have no rows; give at least one")
    known = next((arguments[name] for name in TABLES if name in arguments), None)
    lengths = dict(zip(twin.inputs, arguments.get("lengths", ()), strict=False))
    for name, array in inputs.items():
        if array.dtype.kind in "iu" and known is not None:
            check_tokens(array, known, f"{twin.name}: {name}", lengths.get(name))
        for argument, layouts in SHAPES.items():
            if twin.layout(name) in layouts and argument in arguments:
                _check_shape(array, tuple(arguments[argument]), f"{twin.name}: {name}", argument)


def check_targets(twin: Twin, arguments: Mapping[str, Any], targets: Arrays) -> None:
    """Refuse sequences that a model cannot learn to write: tokens that it does not know, and what CTC has no path for.

    Args:
        twin: whose targets they are.
        arguments: of the model's constructor.
        targets: by name; sequences are `y` (N, T).

    Raises:
        TwinError: one line with the first row that is wrong, and the limit.
    """
    by_ctc = twin.metric is not None and twin.metric.name in OF_CTC
    known = next(
        (arguments[name] for name in (*TABLES, *(["num_classes"] if by_ctc else [])) if name in arguments), None
    )
    if known is not None and "y" in targets:
        check_tokens(targets["y"], known, f"{twin.name}: y")
    if by_ctc:
        frames = arguments["clip_shape"][0] if "clip_shape" in arguments else text_line_steps(arguments["image_shape"])
        check_ctc(targets["y"], frames, f"{twin.name}: y")


def check_tokens(tokens: np.ndarray, known: int, what: str, longest: int | None = None) -> None:
    """Refuse rows (N, T) with tokens that a table does not have, with nothing but padding, or that are too long.

    Args:
        tokens: whole numbers; 0 is padding.
        known: rows of the table.
        what: the array's name, for the message.
        longest: how many tokens the model was built for; None for any number.

    Raises:
        TwinError: one line that names the first such row.
    """
    if tokens.ndim != 2:
        raise TwinError(f"{what} must be rows of tokens (N, T); received {tokens.shape}")
    if longest is not None and tokens.shape[1] > longest:
        long = tokens[:, longest:].any(1)
        row = int(long.argmax())
        has = f"{np.flatnonzero(tokens[row])[-1] + 1} tokens" if long.any() else f"{tokens.shape[1]} places"
        raise TwinError(f"{what}, row {row} has {has}; the model was built for {longest}: cut the rows there")
    wrong = (tokens < 0) | (tokens >= known)
    if wrong.any():
        row, place = (int(at[0]) for at in np.nonzero(wrong))
        token = int(tokens[row, place])
        raise TwinError(f"{what}, row {row} has token {token} at place {place}; tokens are from 0 to {known - 1}")
    if (empty := ~tokens.any(1)).any():
        raise TwinError(f"{what}, row {int(empty.argmax())} is nothing but padding; leave it out")


def check_ctc(labels: np.ndarray, steps: int, what: str = "y") -> None:
    """Refuse strings that no path of so many steps reads as: a label takes one, and a repeated one a blank before it.

    PyTorch's loss of such a string is infinite; Keras's is a large number, on each backend another.

    Args:
        labels: (N, S), 0 behind their ends.
        steps: of the model's output.
        what: the array's name, for the message.

    Raises:
        TwinError: one line that names the first such row.
    """
    counts = (labels > 0).sum(1)
    repeats = ((labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] > 0)).sum(1)
    wrong = counts + repeats > steps
    if wrong.any():
        row = int(wrong.argmax())
        raise TwinError(
            f"{what}, row {row} has {counts[row]} labels, {repeats[row]} of them like the one before, which takes CTC "
            f"{counts[row] + repeats[row]} steps; there are {steps}: shorten the row or make the input wider"
        )
    if not counts.all():
        raise TwinError(f"{what}, row {int((counts == 0).argmax())} has no label; leave it out")


def _check_shape(array: np.ndarray, wanted: tuple[int, ...], what: str, argument: str) -> None:
    if array.shape[1:] != wanted:
        raise TwinError(
            f"{what} has rows of shape {array.shape[1:]}; the model was built for {argument}={wanted}: resize them, or "
            f"build it for theirs"
        )
