"""What changed in what was learned, between two records."""

import math
import statistics
from collections.abc import Sequence

from compare.record.measurement import TrainMeasurement
from compare.record.results import TrainResult
from compare.report.diff_figure import FigureChange, Group, Outcome
from compare.stats.intervals import Interval, of_difference, of_mean

SEEDS = 5  # fewer give no verdict on what was learned


def figures(group: Group) -> list[FigureChange]:
    """How many seeds fail, and what was learned: paired by seed where that can be."""
    return [*_failures(group), *_learned(group)]


def difference(old: dict[int, float], new: dict[int, float]) -> Interval:
    """The mean of new minus old, with its interval: paired where both have the same seeds, or five in common.

    Args:
        old, new: seed -> value.
    """
    common = old.keys() & new.keys()
    if common == old.keys() == new.keys() or len(common) >= SEEDS:
        return of_mean([new[seed] - old[seed] for seed in common])
    return of_difference(list(new.values()), list(old.values()))


def _failures(group: Group) -> list[FigureChange]:
    was, now = ([each for each in side if not _came_to_a_value(each)] for side in (group.old, group.new))
    if not was and not now:
        return []
    outcome: Outcome = "improvement" if not now else "same" if was else "regression"
    why = now[0].reason if outcome == "regression" else ""
    words = f"{len(was)} of {len(group.old)}", f"{len(now)} of {len(group.new)}"
    return [group.figure("seeds that fail", *words, outcome=outcome, why=why)]


def _learned(group: Group) -> list[FigureChange]:
    before, after = (_results(side) for side in (group.old, group.new))
    if not before or not after:
        return []
    first, last = (next(iter(side.values())) for side in (before, after))
    for name, was, now in (
        ("metric", first.metric, last.metric),
        ("epochs", first.epochs, last.epochs),
        ("init", first.init, last.init),
    ):
        if was != now:
            group.not_compared.append(f"accuracy of {group.twin}: {name} {was} and {now}")
            return []
    old, new = ({seed: result.counted_value for seed, result in side.items()} for side in (before, after))
    found = difference(old, new)
    mean, half, count = found.estimate, found.half_width, found.count
    outcome = _outcome(mean, half, count, last.margin or first.margin or 0.0, last.higher_is_better)
    known = math.isfinite(half)
    return [
        group.figure(
            last.metric.replace("_", " "),
            statistics.fmean(old.values()),
            statistics.fmean(new.values()),
            change=mean,
            low=mean - half if known else None,
            high=mean + half if known else None,
            outcome=outcome,
            why=f"{count} seeds" if outcome == "no verdict" and count > 1 else "",
        )
    ]


def _outcome(mean: float, half: float, count: int, margin: float, higher_is_better: bool) -> Outcome:
    """What is said of a difference, against the margin that the twin declares."""
    if count < SEEDS:
        return "no verdict" if abs(mean) > margin else "same"
    if abs(mean) > half and abs(mean) > margin:
        return "improvement" if (mean > 0) == higher_is_better else "regression"
    return "inconclusive" if abs(mean) + half > margin and half else "same"


def _results(trainings: Sequence[TrainMeasurement]) -> dict[int, TrainResult]:
    return {each.seed: each.result for each in trainings if each.result}


def _came_to_a_value(training: TrainMeasurement) -> bool:
    return training.result is not None and math.isfinite(training.result.value)
