"""Bringing a value of one framework into the other's layout: which axes are which, and how far apart the values are."""

from collections.abc import Sequence
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
    if keras.ndim != torch.ndim:  # one may be the other with axes merged: (B, T, D) and (B * T, D)
        far = relative(torch.reshape(keras.shape), keras)
        moved = _channels_last(keras, torch) if far > CLOSE else None
        return min(far, relative(moved, torch)) if moved is not None else far, None
    found = [(relative(torch.transpose(order), keras), order) for order in arrangements(torch.shape, keras.shape)]
    return min(found, default=(float("inf"), None), key=lambda each: each[0])


def _channels_last(keras: np.ndarray, torch: np.ndarray) -> np.ndarray | None:
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
        elif keras.size == torch.size:  # axes are merged, as (B, T, D) in (B * T, D)
            plain = relative(torch, keras.reshape(torch.shape)) < CLOSE
            moved = None if plain else _channels_last(keras, torch)
            if moved is not None and (far < CLOSE or family in CHANNELS_FIRST):
                return np.ascontiguousarray(moved)
            if far < CLOSE:
                return np.ascontiguousarray(keras.reshape(torch.shape))
    return np.ascontiguousarray(keras.transpose(np.argsort(order)))
