"""The arithmetic of speed: a ratio with its interval, the band of the same code against itself, a verdict.

docs/method.md has the protocol and its sources. Times come as rounds of passes: `times[round][pass]`, in seconds.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Verdict = Literal["faster", "slower", "equal", "inconclusive", "unstable", "none", "reference"]
Times = Sequence[Sequence[float]]
ROUNDS = 10  # fewer give no verdict
LEAST_BAND = 0.03
EQUAL = 0.05  # what an interval must stay within to say 'equal', however wide the band of a restless machine
RESAMPLES = 2000
STEADY_SHARE = 0.5  # of the rounds: fewer that reach a steady state, and there is none


@dataclass(frozen=True)
class Ratio:
    """How many times as long one takes as the other, with the 95% interval: above 1 is slower."""

    estimate: float
    low: float
    high: float
    rounds: int

    @property
    def half_width(self) -> float:
        """Of the interval, relative: 0.02 for about plus and minus 2%."""
        return math.sqrt(self.high / self.low) - 1


@dataclass(frozen=True)
class Speed:
    """A ratio to the reference, judged against the band d of the same code timed against itself."""

    ratio: Ratio
    band: float
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self.ratio), "band": self.band, "verdict": self.verdict}


def ratio(times: Times, reference: Times, seed: int = 0) -> Ratio:
    """The mean over rounds of the median log ratio of the passes, with a bootstrap over rounds, then passes.

    The percentile interval of so few rounds is too narrow; it is stretched by sqrt(n / (n - 1)) and by Student's t
    over the normal quantile (Hesterberg, What Teachers Should Know About the Bootstrap, 2015, section 4.4). One round
    has no interval: it reaches from 0 to infinity.

    Args:
        times, reference: seconds by round and pass, the same rounds; pass i of both was taken next to each other.
        seed: of the resampling.

    Raises:
        ValueError: when there is no round, or the two do not belong together.
    """
    if not times or [len(each) for each in times] != [len(each) for each in reference]:
        raise ValueError("the two must have the same rounds and passes, and at least one")
    logs = [np.log(np.divide(ours, theirs)) for ours, theirs in zip(times, reference, strict=True)]
    centre = statistics.fmean(float(np.median(each)) for each in logs)
    if len(logs) == 1:
        return Ratio(math.exp(centre), 0.0, math.inf, 1)
    low, high = interval(logs, centre, seed)
    return Ratio(math.exp(centre), math.exp(low), math.exp(high), len(logs))


def interval(logs: Sequence[np.ndarray], centre: float, seed: int = 0) -> tuple[float, float]:
    """The stretched 95% bootstrap interval around `centre`, the mean of the rounds' medians.

    Args:
        logs: a value per pass, for each of two rounds or more.
        centre: their estimate.
        seed: of the resampling.
    """
    from scipy import stats

    rng = np.random.default_rng(seed)
    rounds = len(logs)
    medians = np.stack([_resampled_medians(each, rng) for each in logs])  # (rounds, RESAMPLES)
    chosen = rng.integers(rounds, size=(rounds, RESAMPLES))
    means = np.take_along_axis(medians, chosen, axis=0).mean(axis=0)
    low, high = np.quantile(means, [0.025, 0.975])
    stretch = math.sqrt(rounds / (rounds - 1)) * stats.t.ppf(0.975, rounds - 1) / stats.norm.ppf(0.975)
    return centre - stretch * max(centre - low, 0.0), centre + stretch * max(high - centre, 0.0)


def medians(times: Times, reference: Times | None = None) -> list[float]:
    """Of each round, the median over passes of the log time, or of the log ratio to the reference's pass beside it."""
    if reference is None:
        return [float(np.median(np.log(ours))) for ours in times]
    pairs = zip(times, reference, strict=True)
    return [float(np.median(np.log(np.divide(ours, theirs)))) for ours, theirs in pairs]


def unpaired(new: Sequence[float], old: Sequence[float], seed: int = 0) -> Ratio:
    """How many times as long the rounds of one run took as those of another run of the same thing.

    The runs share no round and no neighbour in time, so nothing can be divided pass by pass: each is a sample of
    processes, and the ratio is exp of the difference of their means. The bootstrap draws the rounds of either side
    anew, apart from the other side's. Passes are not drawn again: what they add to a round's median is already in how
    the medians differ between rounds. Either side's deviations are stretched by sqrt(n / (n - 1)) as in `interval`, and
    Student's t has the degrees of freedom of Welch and Satterthwaite, since the two may spread differently.

    Args:
        new, old: a log value per round, as from `medians`.
        seed: of the resampling.

    Raises:
        ValueError: when either has no round.
    """
    from scipy import special

    if not len(new) or not len(old):
        raise ValueError("both runs must have at least one round")
    centre, rounds = statistics.fmean(new) - statistics.fmean(old), min(len(new), len(old))
    if rounds == 1:
        return Ratio(math.exp(centre), 0.0, math.inf, 1)
    rng = np.random.default_rng(seed)
    deviations, errors = [], []
    for side in (np.asarray(new), np.asarray(old)):
        count = len(side)
        means = side[rng.integers(count, size=(RESAMPLES, count))].mean(axis=1)
        deviations.append((means - side.mean()) * math.sqrt(count / (count - 1)))
        errors.append(float(side.var(ddof=1)) / count)
    whole = sum(errors)
    if not whole:
        return Ratio(math.exp(centre), math.exp(centre), math.exp(centre), rounds)
    freedom = whole**2 / sum(e**2 / (len(side) - 1) for e, side in zip(errors, (new, old), strict=True))
    low, high = np.quantile(deviations[0] - deviations[1], [0.025, 0.975])
    stretch = special.stdtrit(freedom, 0.975) / special.ndtri(0.975)
    return Ratio(
        math.exp(centre),
        math.exp(centre + stretch * min(low, 0.0)),
        math.exp(centre + stretch * max(high, 0.0)),
        rounds,
    )


def band_of(against_itself: Ratio) -> float:
    """d, from two copies of the reference: how far from 1 the same code may seem to be, and at least 3%."""
    if against_itself.rounds == 1:
        return math.inf
    return max(LEAST_BAND, against_itself.high - 1, 1 / against_itself.low - 1)


def judge(found: Ratio, band: float, steady: float = 1.0, enough: int = ROUNDS) -> Verdict:
    """The verdict on a ratio.

    Args:
        found: of an engine to the reference.
        band: d.
        steady: the share of rounds in which both reached a steady state.
        enough: rounds that a verdict takes.
    """
    if found.rounds < enough:
        return "none"
    if steady < STEADY_SHARE:
        return "unstable"
    least, most = 1 / (1 + band), 1 + band
    if found.high < least:
        return "faster"
    if found.low > most:
        return "slower"
    return "equal" if found.low >= 1 / (1 + EQUAL) and found.high <= 1 + EQUAL else "inconclusive"


def is_steady(seconds: Sequence[float]) -> bool:
    """Whether times no longer fall: the half-sample test of pyperf's calibration of warm-ups.

    The first value is no outlier above the rest; the first half's mean is at most 10% above the second's; and the
    quartiles of both halves are within 10% of each other (pyperf takes 5%, on machines that do nothing else).
    """
    half = len(seconds) // 2
    first, second = seconds[:half], seconds[half:]
    low, high = np.quantile(seconds[1:], [0.25, 0.75])
    if seconds[0] > high + 1.5 * (high - low) and seconds[0] > 1.1 * high:
        return False
    if statistics.fmean(first) > 1.1 * statistics.fmean(second):
        return False
    quartiles = np.quantile(first, [0.25, 0.75]) / np.quantile(second, [0.25, 0.75])
    return bool(np.all(np.abs(quartiles - 1) <= 0.1))


def _resampled_medians(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.median(values[rng.integers(len(values), size=(RESAMPLES, len(values)))], axis=1)
