"""Intervals of means of few values: Student's and Welch's, and the stretch of a bootstrap's percentile interval."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Interval:
    """An estimate of a mean, or of a difference of means.

    Args:
        estimate: of it.
        half_width: of its 95% interval; infinite for a single value.
        count: of the values behind it; of the smaller sample where there are two.
    """

    estimate: float
    half_width: float
    count: int


def of_mean(values: Sequence[float]) -> Interval:
    """Student's interval of a mean."""
    count = len(values)
    mean = statistics.fmean(values)
    if count == 1:
        return Interval(mean, math.inf, 1)
    return Interval(mean, student(0.975, count - 1) * statistics.stdev(values) / math.sqrt(count), count)


def of_difference(new: Sequence[float], old: Sequence[float]) -> Interval:
    """Welch's interval of the difference of two samples' means, which may spread differently."""
    mean, count = statistics.fmean(new) - statistics.fmean(old), min(len(new), len(old))
    if count == 1:
        return Interval(mean, math.inf, 1)
    error, freedom = welch(new, old)
    return Interval(mean, student(0.975, freedom) * error if error else 0.0, count)


def welch(new: Sequence[float], old: Sequence[float]) -> tuple[float, float]:
    """The standard error of the difference of two means, and the degrees of freedom of Welch and Satterthwaite.

    Args:
        new, old: two values or more each. Where neither spreads, both results are 0.
    """
    squared = [statistics.variance(sample) / len(sample) for sample in (new, old)]
    if not (whole := sum(squared)):
        return 0.0, 0.0
    parts = sum(s**2 / (len(sample) - 1) for s, sample in zip(squared, (new, old), strict=True))
    return math.sqrt(whole), whole**2 / parts


def student(level: Any, freedom: float) -> Any:
    """Student's quantile, for one level or an array of them."""
    from scipy.special import stdtrit

    found = stdtrit(freedom, level)
    return found if isinstance(level, np.ndarray) else float(found)


def stretch(level: Any, freedom: float) -> Any:
    """Student's quantile over the normal one: how much wider an interval of few values has to be.

    The percentile interval of a bootstrap over few values is too narrow (Hesterberg, What Teachers Should Know About
    the Bootstrap, 2015, section 4.4).
    """
    from scipy.special import ndtri

    return student(level, freedom) / ndtri(level)
