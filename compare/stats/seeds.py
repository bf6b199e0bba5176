"""The arithmetic of accuracy: two engines trained from the same seeds, their difference, its interval, a verdict.

'Not significant' is not 'equal'. Equality has to be shown: two one-sided tests (TOST; Schuirmann, A comparison of the
two one-sided tests procedure and the power approach, 1987) reject that the difference is as large as the margin that
the twin declares beforehand. docs/method.md says the rest.
"""

import bisect
import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from compare.stats.intervals import stretch, student

Verdict = Literal["equal", "better", "worse", "inconclusive", "none"]
ALPHA = 0.05
POWER = 0.8
ENOUGH = 11  # seeds; fewer give no verdict
MOST = 1000  # seeds; what would take more has no number
RESAMPLES = 2000
RETURNS = ("mean_return",)  # of reinforcement learning: a run that failed weighs so much that the mean says little


@dataclass(frozen=True)
class Trainings:
    """What one engine learned of one twin.

    Args:
        twin, engine: of the trainings.
        metric: of the twin.
        margin: that the twin declares.
        higher_is_better: whether a larger value of the metric is the better one.
        values: seed -> what was reached.
    """

    twin: str
    engine: str
    metric: str
    margin: float
    higher_is_better: bool
    values: dict[int, float]


@dataclass(frozen=True)
class Comparison:
    """What one engine learned against another on the same twin, paired by seed.

    Args:
        twin, engine: what is compared.
        against: the engine that is subtracted: native PyTorch where it was trained, else the first.
        metric: of the twin.
        margin: that the twin declares.
        higher_is_better: whether a larger value of the metric is the better one.
        seeds: those that both were trained from, ascending.
        differences: `engine` minus `against`, one per seed.
        mean: of the differences; for returns the difference of the interquartile means.
        low, high: 90% interval of it; None for one seed.
        p: of the TOST, after Holm's correction over all comparisons that get a verdict; None for those that do not.
        verdict: 'better' and 'worse' are the engine's; 'none' for too few seeds.
        more_seeds: for a verdict with a power of 80%, if mean and spread are what they seem; None if not computable.
    """

    twin: str
    engine: str
    against: str
    metric: str
    margin: float
    higher_is_better: bool
    seeds: list[int]
    differences: list[float]
    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    verdict: Verdict = "none"
    more_seeds: int | None = None


@dataclass(frozen=True)
class Estimate:
    """A difference with its 90% interval, the TOST's p against a margin, and the standard deviation of one pair."""

    mean: float
    low: float
    high: float
    p: float
    deviation: float


def compare_all(trainings: Sequence[Trainings], reference: str) -> list[Comparison]:
    """Every engine against the reference, twin by twin, over the seeds that both were trained from.

    Args:
        trainings: of a twin and an engine one.
        reference: the engine that is subtracted where it was trained; else the first of the twin is.
    """
    by_twin: dict[str, dict[str, Trainings]] = {}
    for each in trainings:
        by_twin.setdefault(each.twin, {})[each.engine] = each
    comparisons, estimates = [], []
    for engines in by_twin.values():
        against = engines[reference] if reference in engines else next(iter(engines.values()))
        for ours in engines.values():
            if ours is not against and ours.values.keys() & against.values.keys():
                comparison, estimate = _compare(ours, against)
                comparisons.append(comparison)
                estimates.append(estimate)
    return _judged(comparisons, estimates)


def centre(metric: str, values: Sequence[float]) -> float:
    """Of the values over seeds: their mean; of returns the interquartile mean."""
    return float(_interquartile_mean(np.array(values))) if metric in RETURNS else statistics.fmean(values)


def paired(ours: np.ndarray, theirs: np.ndarray, margin: float) -> Estimate:
    """The mean difference of two seeds or more, with Student's interval and the paired TOST.

    Args:
        ours, theirs: (seeds,) values.
        margin: in the metric's unit.
    """
    from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

    differences = ours - theirs
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if np.ptp(differences) == 0:  # no spread, which the tests would divide by
        mean = float(differences[0])
        return Estimate(mean, mean, mean, 0.0 if abs(mean) < margin else 1.0, 0.0)
    low, high = DescrStatsW(differences).tconfint_mean(alpha=2 * ALPHA)
    p = ttost_paired(ours, theirs, -margin, margin)[0]
    return Estimate(mean, float(low), float(high), float(p), deviation)


def interquartile(ours: np.ndarray, theirs: np.ndarray, margin: float, seed: int = 0) -> Estimate:
    """The difference of the interquartile means, with a bootstrap over pairs.

    Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, 2021 (arXiv 2108.13264),
    section 4.3: runs are drawn again within each task, here within the one twin. The percentile interval of so few
    runs is too narrow; it is stretched as the intervals of speed are (Hesterberg, What teachers should know about the
    bootstrap, 2015, section 4.4). p is the least level at which the interval lies within the margin.

    Args:
        ours, theirs: (seeds,) values of two seeds or more.
        margin: in the metric's unit.
        seed: of the resampling.
    """
    count = len(ours)
    drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    resampled = _interquartile_mean(ours[drawn]) - _interquartile_mean(theirs[drawn])
    mean = float(_interquartile_mean(ours) - _interquartile_mean(theirs))
    levels = np.arange(1, RESAMPLES // 2) / RESAMPLES
    small = math.sqrt(count / (count - 1))
    wider = small * stretch(1 - levels, count - 1)
    low = mean - wider * (mean - np.quantile(resampled, levels)).clip(0)
    high = mean + wider * (np.quantile(resampled, 1 - levels) - mean).clip(0)
    within = (-margin < low) & (high < margin)
    p = float(levels[within.argmax()]) if within.any() else 1.0
    at = round(ALPHA * RESAMPLES) - 1
    return Estimate(mean, float(low[at]), float(high[at]), p, float(resampled.std()) * small * math.sqrt(count))


def power(count: int, deviation: float, difference: float, margin: float, alpha: float = ALPHA) -> float:
    """How probable a verdict is, for normal differences: the mean over the deviations that a sample may show.

    Args:
        count: of seeds.
        deviation: standard deviation of one pair's difference.
        difference: the true one.
        margin: in the same unit.
        alpha: level of each of the TOST's two tests; 'better' and 'worse' keep ALPHA.
    """
    from scipy.special import ndtr

    ratios, at_alpha, beyond = _student(count, alpha)
    error = deviation / math.sqrt(count)
    within = margin - at_alpha * error * ratios
    equal = (ndtr((within - difference) / error) - ndtr((-within - difference) / error)).clip(0)
    outside = margin + beyond * error * ratios
    apart = ndtr((difference - outside) / error) + ndtr((-difference - outside) / error)
    return float((equal + apart).mean())


def seeds_needed(deviation: float, difference: float, margin: float, alpha: float = ALPHA) -> int | None:
    """The least number of seeds at which a verdict has a power of 80%; None above MOST.

    Args:
        deviation, difference, margin, alpha: as in `power`.
    """
    if deviation == 0:
        return None if abs(difference) == margin else 2
    counts = range(2, MOST + 1)
    at = bisect.bisect_left(counts, POWER, key=lambda count: power(count, deviation, difference, margin, alpha))
    return counts[at] if at < len(counts) else None


def _compare(ours: Trainings, against: Trainings) -> tuple[Comparison, Estimate | None]:
    seeds = sorted(ours.values.keys() & against.values.keys())
    own, its = (np.array([side.values[seed] for seed in seeds], float) for side in (ours, against))
    estimate = None
    if len(seeds) > 1:
        estimate = (interquartile if ours.metric in RETURNS else paired)(own, its, ours.margin)
    comparison = Comparison(
        twin=ours.twin,
        engine=ours.engine,
        against=against.engine,
        metric=ours.metric,
        margin=ours.margin,
        higher_is_better=ours.higher_is_better,
        seeds=seeds,
        differences=(own - its).tolist(),
        mean=estimate.mean if estimate else float(own[0] - its[0]),
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
    )
    return comparison, estimate


def _judged(found: list[Comparison], estimates: list[Estimate | None]) -> list[Comparison]:
    """The comparisons with p, verdict and the seeds that a verdict takes."""
    from statsmodels.stats.multitest import multipletests

    tested = [e is not None and len(c.seeds) >= ENOUGH for c, e in zip(found, estimates, strict=True)]
    raw = [e.p for e, test in zip(estimates, tested, strict=True) if e is not None and test]
    corrected = iter(multipletests(raw, ALPHA, method="holm")[1] if len(raw) > 1 else raw)
    out = []
    for comparison, estimate, test in zip(found, estimates, tested, strict=True):
        if estimate is None:
            out.append(comparison)
            continue
        p = float(next(corrected)) if test else None
        verdict = "none" if p is None else _verdict(estimate, p, comparison)
        # With Holm's first and strictest level the number is enough wherever this p comes in the order.
        alpha = ALPHA / max(len(found), 1)
        count = len(comparison.seeds)
        more: int | None = 0
        if verdict in ("none", "inconclusive"):
            needed = seeds_needed(estimate.deviation, estimate.mean, comparison.margin, alpha)
            more = None if needed is None else max(max(needed, ENOUGH) - count, 1)
        out.append(replace(comparison, p=p, verdict=verdict, more_seeds=more))
    return out


def _verdict(estimate: Estimate, p: float, comparison: Comparison) -> Verdict:
    if estimate.low > comparison.margin:
        return "better" if comparison.higher_is_better else "worse"
    if estimate.high < -comparison.margin:
        return "worse" if comparison.higher_is_better else "better"
    return "equal" if p <= ALPHA else "inconclusive"


def _interquartile_mean(values: np.ndarray) -> Any:
    """The mean of the middle half of the last axis; as in rliable, fewer than four are all kept."""
    from scipy.stats import trim_mean

    return trim_mean(values, 0.25, axis=-1)


@functools.cache
def _student(count: int, alpha: float) -> tuple[np.ndarray, float, float]:
    """For a sample of that size: deviations over the true one, equally probable, and Student's two quantiles."""
    from scipy import stats

    parts = (np.arange(400) + 0.5) / 400
    ratios = np.sqrt(stats.chi2.ppf(parts, count - 1) / (count - 1))
    return ratios, student(1 - alpha, count - 1), student(1 - ALPHA, count - 1)
