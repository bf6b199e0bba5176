"""Bringing a value of one framework into the other's layout: which axes are which, and how far apart the values are."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

CLOSE = 1e-2  # of values that are the same but for what differs between the models
CHANNELS_FIRST = {"conv", "conv_transpose", "batch_norm", "group_norm", "pool", "resize"}


def distance(keras: np.ndarray, torch: np.ndarray) -> tuple[float, tuple[int, ...] | None]:
    """The relative L2 distance in the arrangement of axes that brings both closest, and that arrangement.

    Args:
        keras: a value in Keras's layout.
        torch: one in PyTorch's; axes of length 1 may be missing on either side.

    Returns:
        (distance, the order of PyTorch's axes that gives Keras's); (inf, None) where no order fits.
    """
    if keras.size != torch.size:
        return float("inf"), None
    if keras.ndim != torch.ndim:
        keras, torch = np.squeeze(keras), np.squeeze(torch)
    if keras.ndim != torch.ndim:  # one may be the other with axes merged
        far = relative(torch.reshape(keras.shape), keras)
        return min([far, *(relative(each, torch) for each in _merged(keras, torch) if far > CLOSE)]), None
    found = [(relative(torch.transpose(order), keras), order) for order in arrangements(torch.shape, keras.shape)]
    return min(found, default=(float("inf"), None), key=lambda each: each[0])


def _merged(keras: np.ndarray, torch: np.ndarray) -> Iterator[np.ndarray]:
    """Keras's value as PyTorch's with axes merged on one side: (B, T, D) and (B * T, D), or channels or T first."""
    yield keras.reshape(torch.shape)
    moved = _channels_first(keras, torch)
    if moved is not None:
        yield moved
    if keras.ndim == 3 and torch.ndim == 2 and keras.shape[2] == torch.shape[1]:
        yield keras.swapaxes(0, 1).reshape(torch.shape)
    if keras.ndim == 2 and torch.ndim == 3 and keras.shape[1] == torch.shape[2]:
        yield keras.reshape(torch.shape[1], torch.shape[0], -1).swapaxes(0, 1)


def _channels_first(keras: np.ndarray, torch: np.ndarray) -> np.ndarray | None:
    """Keras's value as PyTorch's, where it has its channels last, and a picture in one axis or in two: (B, H W, C)."""
    last, shape = keras.shape[-1], torch.shape
    if min(keras.ndim, torch.ndim) < 3 or shape[1] != last or shape[0] != keras.shape[0]:
        return None
    return np.moveaxis(keras, -1, 1).reshape(shape)


def relative(got: np.ndarray, wanted: np.ndarray) -> float:
    """||got - wanted|| / ||wanted||, of arrays of one shape."""
    if got.shape != wanted.shape:
        return float("inf")
    exact = np.complex128 if "c" in got.dtype.kind + wanted.dtype.kind else np.float64
    got, wanted = got.astype(exact), wanted.astype(exact)
    apart, own = float(np.linalg.norm(got - wanted)), float(np.linalg.norm(wanted))
    if not np.isfinite(apart):  # an infinite value over an infinite norm would be NaN, which no limit catches
        return float("inf")
    return 0.0 if apart == 0 else apart / own if own > 0 else float("inf")


def arrangements(torch: Sequence[int], keras: Sequence[int]) -> list[tuple[int, ...]]:
    """Orders of the axes of `torch` that give the shape of `keras`; the batch stays in front if it can."""
    if len(torch) != len(keras):
        return []
    orders = [o for o in permutations(range(len(torch))) if tuple(torch[axis] for axis in o) == tuple(keras)]
    return [order for order in orders if order[:1] == (0,)] or orders


def usual(family: str, rank: int) -> tuple[int, ...]:
    """The order of axes in which PyTorch's value of that family becomes Keras's."""
    if family in CHANNELS_FIRST and rank >= 3:
        return (0, *range(2, rank), 1)
    return tuple(range(rank))


def to_torch(keras: np.ndarray, torch: np.ndarray | None, family: str) -> np.ndarray:
    """Keras's value in PyTorch's layout, found from PyTorch's own value where the two are close.

    Args:
        keras: what to bring over.
        torch: PyTorch's value at the same place, if there is one.
        family: of the call, for where the values do not tell.
    """
    order = usual(family, keras.ndim)
    if torch is not None:
        far, close = distance(keras, torch)
        if keras.ndim == torch.ndim:
            fits = arrangements(torch.shape, keras.shape)
            if close is not None and (far < CLOSE or order not in fits):
                order = close
        elif close is not None:
            squeezed = np.squeeze(keras).transpose(np.argsort(close))
            return np.ascontiguousarray(squeezed.reshape(torch.shape))
        elif keras.size == torch.size:  # axes are merged
            moved = _channels_first(keras, torch)
            if far < CLOSE:
                return np.ascontiguousarray(min(_merged(keras, torch), key=lambda each: relative(torch, each)))
            if moved is not None and family in CHANNELS_FIRST:
                return np.ascontiguousarray(moved)
    return np.ascontiguousarray(keras.transpose(np.argsort(order)))
