"""One layer's arrays as the other's in another order: shifted, parts exchanged, another reshape."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from twin.bridge import Arrays

PARTS = range(2, 9)  # of a fused array


def of_order(given: Arrays, wanted: Arrays) -> Iterator[tuple[str, str, Arrays]]:
    """Cause, words, and PyTorch's arrays in Keras's order; nothing where no order of rows or columns is Keras's.

    Args:
        given: PyTorch's own arrays, (out, in, ...).
        wanted: Keras's, as the bridge carries them over.
    """
    unlike = [name for name in wanted if not np.array_equal(given[name], wanted[name])]
    for axis in (0, 1):
        orders = [_order(given[name], wanted[name], axis) for name in unlike]
        first = orders[0] if orders else None
        if first is None or any(order is None or not np.array_equal(order, first) for order in orders):
            continue
        cause, says = _named(first, "rows" if axis == 0 else "columns")
        yield cause, says, given | {name: given[name].take(first, axis) for name in unlike}
    if len(unlike) == 1 and (shift := _shift(given[unlike[0]], wanted[unlike[0]])):
        yield "rows_shifted", f"row {shift} of Keras's is row 0 of PyTorch's: the rows are shifted", dict(wanted)


def _order(given: np.ndarray, wanted: np.ndarray, axis: int) -> np.ndarray | None:
    """The places along an axis at which PyTorch's array has Keras's slices; None where it has not each of them once."""
    if given.ndim <= axis or given.shape != wanted.shape:
        return None
    places = {row.tobytes(): place for place, row in enumerate(np.moveaxis(given, axis, 0))}
    order = [places.get(row.tobytes()) for row in np.moveaxis(wanted, axis, 0)]
    if len(places) < given.shape[axis] or None in order:
        return None
    return np.array(order)


def _shift(given: np.ndarray, wanted: np.ndarray) -> int:
    """By how many rows, of up to three, all but those at an end are shifted; 0 for none."""
    if given.ndim != 2 or given.shape != wanted.shape or len(given) < 5:
        return 0
    shifts = [k for k in (1, 2, 3) if np.array_equal(given[:-k], wanted[k:])]
    shifts += [-k for k in (1, 2, 3) if np.array_equal(given[k:], wanted[:-k])]
    return shifts[0] if shifts else 0


def _named(order: np.ndarray, what: str) -> tuple[str, str]:
    """The cause, and what is said of an order of rows or columns."""
    length = len(order)
    for parts in (each for each in PARTS if length % each == 0):
        width = length // parts
        blocks = order.reshape(parts, width)
        if (blocks == blocks[:, :1] + np.arange(width)).all() and not (blocks[:, 0] % width).any():
            told = ", ".join(str(1 + place) for place in np.argsort(blocks[:, 0] // width))
            return "part_order", f"PyTorch's {what} are {parts} parts, which stand in the order {told} of Keras's"
    shift = int(order[0])
    if np.array_equal(order, (np.arange(length) + shift) % length):
        return "rows_shifted", f"PyTorch's {what} are shifted by {min(shift, length - shift)}"
    for sides in _factors(length):
        for turned in itertools.permutations(range(len(sides))):
            if np.array_equal(order, np.arange(length).reshape(sides).transpose(turned).ravel()):
                other = tuple(sides[axis] for axis in turned)
                says = f"PyTorch's {what} stand in the order of {sides}, Keras's in that of {other}"
                if what == "columns":
                    return "flatten_order", f"{says}: the frameworks flatten channels and places otherwise"
                return "arrangement_order", f"{says}, as when heads and parts, or channels and places, are exchanged"
    return "permuted", f"PyTorch's {what} are Keras's in another order"


def _factors(length: int) -> Iterator[tuple[int, ...]]:
    """Two or three sides of an array of that many values, none of them 1."""
    sides = [side for side in range(2, length) if length % side == 0]
    for count in (2, 3):
        yield from (each for each in itertools.product(sides, repeat=count) if math.prod(each) == length)
