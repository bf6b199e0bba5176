"""The inputs that both models get."""

import math
from collections.abc import Collection, Sequence
from itertools import permutations

import numpy as np

from twin.errors import TwinError

ROWS, FEW = 4, 2  # of a made input; BatchNorm needs more than one
LARGE = 50_000  # values in a row, above which a few rows are enough


def make_inputs(shapes: Sequence[Sequence[int]], kinds: Sequence[str], seed: int) -> list[np.ndarray]:
    """Made inputs of the given shapes, without the batch: normal floats, or small whole numbers."""
    rng = np.random.default_rng(seed)
    rows = FEW if max(math.prod(shape) for shape in shapes) > LARGE else ROWS
    taken = {length for shape in shapes for length in shape}
    rows = next((each for each in (rows, rows + 1, rows + 2) if each not in taken), rows)  # no axis passes for it
    out = []
    for place, shape in enumerate(shapes):
        kind = kinds[min(place, len(kinds) - 1)] if kinds else "float"
        size = (rows, *shape)
        out.append(
            rng.integers(0, 8, size).astype(np.int32) if kind == "int" else rng.standard_normal(size).astype(np.float32)
        )
    return out


def whole_numbers(inputs: Sequence[np.ndarray], below: int, places: Collection[int] | None = None) -> list[np.ndarray]:
    """The inputs, some of them made of whole numbers from 1 on, other ones for each.

    Args:
        inputs: all of them.
        below: what the numbers are smaller than.
        places: which inputs are made; None for those of whole numbers.
    """
    chosen = [i for i, array in enumerate(inputs) if array.dtype.kind == "i"] if places is None else places
    return [_numbers(array.shape, below, i) if i in chosen else array for i, array in enumerate(inputs)]


def _numbers(shape: Sequence[int], below: int, seed: int) -> np.ndarray:
    """Whole numbers from 1 on; rows after the first end in zeros, as padding does, also rows of sentences (B, S, T)."""
    made = np.random.default_rng(seed).integers(min(1, below - 1), below, shape).astype(np.int32)
    length = shape[-1] if len(shape) in (2, 3) else 0
    rows = made.reshape(-1, length) if length > 2 else made[:0]
    most = length // 2
    for number in range(1, len(rows)):
        rows[number, length - (min(number, most) if len(shape) == 2 else number % (most + 1)) :] = 0
    return made


def layouts(array: np.ndarray, shape: Sequence[int] | None) -> list[np.ndarray]:
    """An input in the layouts in which a PyTorch model may expect it, the likeliest first.

    Args:
        array: in Keras's layout.
        shape: what PyTorch expects without the batch, where the user says so.

    Raises:
        TwinError: when no order of axes gives that shape.
    """
    first = (0, array.ndim - 1, *range(1, array.ndim - 1))
    if shape is not None:
        rest = [(0, *order) for order in permutations(range(1, array.ndim))]
        orders = [
            o
            for o in (tuple(range(array.ndim)), first, *rest)
            if tuple(array.shape[axis] for axis in o[1:]) == tuple(shape)
        ]
        if not orders:
            raise TwinError(
                f"--torch-input {','.join(map(str, shape))}: no order of the axes of {array.shape[1:]} gives that"
            )
        orders = orders[:1]
    elif array.ndim >= 4:
        orders = [first, tuple(range(array.ndim))]
    elif array.ndim == 3:
        orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2)]
    else:
        orders = [tuple(range(array.ndim))]
    return [np.ascontiguousarray(array.transpose(order)) for order in orders]
