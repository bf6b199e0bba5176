"""The arithmetic of speed: a ratio with its interval, the noise band of the same code against itself, a verdict.

docs/method.md has the protocol and its sources. Times come by process run and timed loop, `times[run][loop]`, in
seconds.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from compare.stats.intervals import stretch, welch

Verdict = Literal["faster", "slower", "equal", "inconclusive", "unstable", "none", "reference"]
Times = Sequence[Sequence[float]]
PROCESS_RUNS = 10  # fewer give no verdict
LEAST_NOISE_BAND = 0.03
EQUAL = 0.05  # what an interval must stay within to say 'equal', however wide the noise band of a restless machine
RESAMPLES = 2000
STEADY_SHARE = 0.5  # of the process runs: fewer that reach a steady state, and there is none


@dataclass(frozen=True)
class Ratio:
    """How many times as long one takes as the other.

    Args:
        estimate: above 1 is slower.
        low, high: the 95% interval; None for one process run, which has none.
        process_runs: behind it.
    """

    estimate: float
    low: float | None
    high: float | None
    process_runs: int

    @property
    def half_width(self) -> float:
        """Of the interval, relative: 0.02 for about plus and minus 2%."""
        return math.inf if self.low is None or self.high is None else math.sqrt(self.high / self.low) - 1


def ratio(times: Times, reference: Times, seed: int = 0) -> Ratio:
    """The mean over process runs of the median log ratio of their loops, with a bootstrap over runs, then loops.

    The percentile interval of so few runs is too narrow; it is stretched by sqrt(n / (n - 1)) and by Student's t over
    the normal quantile (Hesterberg, What Teachers Should Know About the Bootstrap, 2015, section 4.4).

    Args:
        times, reference: seconds by process run and timed loop; loop i of both was timed next to each other.
        seed: of the resampling.

    Raises:
        ValueError: when there is no process run, or the two do not belong together.
    """
    if not times or [len(each) for each in times] != [len(each) for each in reference]:
        raise ValueError("the two must have the same process runs and timed loops, and at least one")
    logs = [np.log(np.divide(ours, theirs)) for ours, theirs in zip(times, reference, strict=True)]
    centre = statistics.fmean(float(np.median(each)) for each in logs)
    if len(logs) == 1:
        return Ratio(math.exp(centre), None, None, 1)
    low, high = interval(logs, centre, seed)
    return Ratio(math.exp(centre), math.exp(low), math.exp(high), len(logs))


def interval(logs: Sequence[np.ndarray], centre: float, seed: int = 0) -> tuple[float, float]:
    """The stretched 95% bootstrap interval around `centre`, the mean of the process runs' medians.

    Args:
        logs: a value per timed loop, for each of two process runs or more.
        centre: their estimate.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    runs = len(logs)
    medians = np.stack([_resampled_medians(each, rng) for each in logs])  # (runs, RESAMPLES)
    chosen = rng.integers(runs, size=(runs, RESAMPLES))
    means = np.take_along_axis(medians, chosen, axis=0).mean(axis=0)
    low, high = np.quantile(means, [0.025, 0.975])
    wider = math.sqrt(runs / (runs - 1)) * stretch(0.975, runs - 1)
    return centre - wider * max(centre - low, 0.0), centre + wider * max(high - centre, 0.0)


def medians(times: Times, reference: Times | None = None) -> list[float]:
    """Of each process run the median over its loops: of the log time, or of the log ratio to the reference's."""
    if reference is None:
        return [float(np.median(np.log(ours))) for ours in times]
    pairs = zip(times, reference, strict=True)
    return [float(np.median(np.log(np.divide(ours, theirs)))) for ours, theirs in pairs]


def unpaired(new: Sequence[float], old: Sequence[float], seed: int = 0) -> Ratio:
    """How many times as long the process runs of one record took as those of another record of the same thing.

    The two share no process run and no neighbour in time, so nothing can be divided loop by loop: each is a sample of
    processes, and the ratio is exp of the difference of their means. The bootstrap draws the runs of either side anew,
    apart from the other side's. Loops are not drawn again: what they add to a run's median is already in how the
    medians differ between runs. Either side's deviations are stretched by sqrt(n / (n - 1)) as in `interval`, and
    Student's t has the degrees of freedom of Welch and Satterthwaite, since the two may spread differently.

    Args:
        new, old: a log value per process run, as from `medians`.
        seed: of the resampling.

    Raises:
        ValueError: when either has no process run.
    """
    if not len(new) or not len(old):
        raise ValueError("both records must have at least one process run")
    centre, runs = statistics.fmean(new) - statistics.fmean(old), min(len(new), len(old))
    if runs == 1:
        return Ratio(math.exp(centre), None, None, 1)
    error, freedom = welch(new, old)
    if not error:
        return Ratio(math.exp(centre), math.exp(centre), math.exp(centre), runs)
    rng = np.random.default_rng(seed)
    deviations = []
    for side in (np.asarray(new), np.asarray(old)):
        count = len(side)
        means = side[rng.integers(count, size=(RESAMPLES, count))].mean(axis=1)
        deviations.append((means - side.mean()) * math.sqrt(count / (count - 1)))
    low, high = np.quantile(deviations[0] - deviations[1], [0.025, 0.975])
    wider = stretch(0.975, freedom)
    return Ratio(
        math.exp(centre), math.exp(centre + wider * min(low, 0.0)), math.exp(centre + wider * max(high, 0.0)), runs
    )


def noise_band(against_itself: Ratio) -> float | None:
    """d, from A/A runs of the reference: how far from 1 the same code may seem to be, and at least 3%.

    None for one process run, which does not tell.
    """
    if against_itself.low is None or against_itself.high is None:
        return None
    return max(LEAST_NOISE_BAND, against_itself.high - 1, 1 / against_itself.low - 1)


def judge(ratio: Ratio, band: float | None, steady: float = 1.0, enough: int = PROCESS_RUNS) -> Verdict:
    """The verdict on a ratio.

    Args:
        ratio: of an engine to the reference.
        band: d; None where it is not known.
        steady: the share of process runs in which both reached a steady state.
        enough: process runs that a verdict takes.
    """
    if ratio.process_runs < enough:
        return "none"
    if steady < STEADY_SHARE:
        return "unstable"
    if ratio.low is None or ratio.high is None or band is None:
        return "none"
    if ratio.high < 1 / (1 + band):
        return "faster"
    if ratio.low > 1 + band:
        return "slower"
    return "equal" if ratio.low >= 1 / (1 + EQUAL) and ratio.high <= 1 + EQUAL else "inconclusive"


def _resampled_medians(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.median(values[rng.integers(len(values), size=(RESAMPLES, len(values)))], axis=1)
