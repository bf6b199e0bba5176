"""The arithmetic of agreement: how far an array is from its reference, in units that mean something.

Two measures decide (docs/method.md): the relative L2 distance, and the error in units of rounding noise, which is the
root mean square error over that of native float32 runs against the same float64 reference. The largest
absolute difference is reported with its place.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CHANCE = 1e-3  # that the noise of a tensor is larger than it is taken to be
HALF_ULP = 2.0**-24  # relative rounding error of float32: no error can be expected to be smaller


@dataclass(frozen=True)
class Distance:
    """How far a named array is from its reference.

    Args:
        name: of the tensor.
        rel_l2: ||got - wanted|| / scale.
        noise_ratio: root mean square error in units of rounding noise; None where no noise is known.
        max_abs: the largest absolute difference.
        index: where that is.
        got: the value there.
        wanted: the reference's value there.
        limit: the largest `rel_l2` allowed.
        noise_limit: the largest `noise_ratio` allowed.
    """

    name: str
    rel_l2: float
    noise_ratio: float | None
    max_abs: float
    index: tuple[int, ...]
    got: float
    wanted: float
    limit: float
    noise_limit: float = 10.0

    @property
    def excess(self) -> float:
        """How much of the allowed distance is used; above 1 is a failure."""
        used = [self.rel_l2 / self.limit]
        if self.noise_ratio is not None:
            used.append(self.noise_ratio / self.noise_limit)
        # A NaN compares as smaller than everything, and must be larger.
        return max(map(nan_as_inf, used))

    @property
    def ok(self) -> bool:
        return self.excess <= 1.0


def distance(
    name: str,
    got: np.ndarray,
    wanted: np.ndarray,
    limit: float,
    noise: float | None = None,
    scale: float | None = None,
    noise_limit: float = 10.0,
) -> Distance:
    """Measure `got` against `wanted`.

    Args:
        name: of the tensor.
        got: any shape, any float type.
        wanted: the reference, float64, the same shape.
        limit: the largest relative L2 distance allowed.
        noise: root mean square error of native float32 against the reference.
        scale: what the L2 distance is relative to; the reference's own norm by default.
        noise_limit: the largest multiple of the noise allowed.

    Raises:
        ValueError: when the shapes differ.
    """
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    if got.shape != wanted.shape:
        raise ValueError(f"{name} has shape {got.shape}, the reference {wanted.shape}")
    if got.size == 0:
        return Distance(name, 0.0, None, 0.0, (), 0.0, 0.0, limit, noise_limit)
    error = np.abs(got - wanted)
    at = np.unravel_index(int(np.argmax(np.where(np.isnan(error), np.inf, error))), error.shape)
    norm = float(np.linalg.norm(got - wanted))
    own = float(np.linalg.norm(wanted))
    reference = own if scale is None else scale
    rel = 0.0 if norm == 0 else norm / reference if reference > 0 else float("inf")
    ratio = None
    if noise is not None:
        floor = max(noise, HALF_ULP * reference / math.sqrt(wanted.size))
        ratio = 0.0 if norm == 0 else norm / math.sqrt(wanted.size) / floor if floor > 0 else float("inf")
    index = tuple(int(i) for i in at)
    return Distance(name, rel, ratio, float(error[at]), index, float(got[at]), float(wanted[at]), limit, noise_limit)


def rmse(got: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square error."""
    return float(np.sqrt(np.mean(np.square(np.asarray(got, np.float64) - wanted)))) if wanted.size else 0.0


def noise_floor(draws: Sequence[np.ndarray], wanted: np.ndarray) -> float:
    """The rounding noise of native float32: root mean square over several draws of its error.

    One native run in one memory layout is only one draw: another order of summation has another error. The few
    errors of a small tensor tell its noise badly (five of a scalar may all be small by luck), so what is returned
    is the bound that the noise exceeds once in a thousand times, if errors are normal; for a large tensor that
    is the root mean square itself.
    """
    return noise_of([rmse(draw, wanted) for draw in draws], wanted.size)


def noise_of(errors: Sequence[float], size: int) -> float:
    """The rounding noise of a tensor of that size, from the root mean square error of each draw."""
    from scipy.special import gammaincinv  # here, because it takes longer to import than all the rest

    count = len(errors) * size
    if not count:
        return 0.0
    square = float(np.mean(np.square(errors)))
    return math.sqrt(square * count / (2 * gammaincinv(count / 2, CHANCE)))


def perturbed_by_one_ulp(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every float32 value replaced by one of its two neighbours, at random; whole numbers stay."""
    if array.dtype.kind != "f":
        return array
    single = array.astype(np.float32)
    towards = np.where(rng.random(single.shape) < 0.5, -np.inf, np.inf).astype(np.float32)
    return np.nextafter(single, towards)


def nan_as_inf(value: float) -> float:
    """Infinity for what is no number, which would compare as smaller than any."""
    return math.inf if math.isnan(value) else value


def worst(distances: Sequence[Distance]) -> Distance:
    """The one that uses most of what is allowed."""
    return max(distances, key=lambda each: each.excess)
