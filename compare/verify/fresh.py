"""Fresh weights moved, so that they hide nothing: constant ones, orthogonal ones, and those drawn very small."""

from collections.abc import Mapping, Sequence

import numpy as np

from compare.verify.parts import of_keras
from twin.bridge import Arrays, Leaf


def perturbed(leaves: Sequence[Leaf], arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Fresh arrays that are constant, as a norm's scale, or orthogonal, moved: else they hide an axis or a term.

    A kernel of zeros, with which the last layer of a branch often begins, hides all that comes before it.
    """
    rng = np.random.default_rng(0)
    out: Arrays = {}
    seen: set[bytes] = set()
    for leaf in leaves:
        for part in of_keras(leaf):
            for role, view in part.views.items():
                value = arrays[view.name]
                # One initializer gives several arrays the same values: outputs would not tell which is which.
                bare = role == "array" and value.size > 1 and value.dtype.kind == "f"
                again = bare and value.tobytes() in seen
                if bare:
                    seen.add(value.tobytes())
                if again and part.trainable:
                    moved = rng.standard_normal(value.shape) * (value.std() or 0.1)
                    out[view.name] = (value + moved).astype(np.float32)
                    continue
                constant = value.size and len(np.unique(value[:4096].ravel()[:4096])) <= 2
                if value.size and role == "array" and part.trainable and _slight(value):
                    out[view.name] = (value * (0.3 / value.std())).astype(np.float32)
                    continue
                if value.size == 0 or value.dtype.kind != "f" or not (constant or _orthogonal(role, value)):
                    continue
                noise = rng.standard_normal(value.shape).astype(np.float32)
                if role == "variance" and value.min() > 0:
                    out[view.name] = value * np.exp(0.3 * noise)
                elif role in ("scale", "shift", "mean", "bias", "recurrent_bias"):
                    out[view.name] = value + 0.2 * noise
                elif (role == "array" or not value.any()) and part.trainable:
                    out[view.name] = value + 0.1 * noise
    return out


def _slight(value: np.ndarray) -> bool:
    """Whether a bare array is drawn so small, as a scale or a table of 0.02 is, that what it does hardly shows."""
    small = value.dtype.kind == "f" and 0 < float(value.std()) < 0.06 and min(value.shape, default=0) <= 64
    return small and len(np.unique(value[:4096].ravel()[:4096])) > 2


def _orthogonal(role: str, value: np.ndarray) -> bool:
    """Whether a bare matrix is orthogonal: the logarithm of its determinant is then zero, whatever it is taken for."""
    square = role == "array" and value.ndim == 2 and 1 < value.shape[0] == value.shape[1] <= 4096
    # Of values of at most 1; a matrix that is merely drawn is 1 away from it.
    return square and bool(np.allclose(value @ value.T, np.eye(len(value)), atol=1e-4))
