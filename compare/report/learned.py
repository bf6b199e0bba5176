"""What the trainings of records say of the engines, over seeds."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compare.engines.engine import REFERENCE
from compare.record.measurement import Measurement, TrainMeasurement, trainings_of
from compare.record.results import TrainResult

if TYPE_CHECKING:
    from compare.stats.seeds import Comparison


@dataclass(frozen=True)
class Learned:
    """What one engine learned of one twin, over seeds.

    Args:
        twin, engine: of the trainings.
        seeds: that came to a result, ascending.
        results: in the order of the seeds.
    """

    twin: str
    engine: str
    seeds: list[int]
    results: list[TrainResult]

    @property
    def metric(self) -> str:
        return self.results[0].metric

    @property
    def target(self) -> float:
        return self.results[0].target

    @property
    def chance(self) -> float:
        return self.results[0].chance

    @property
    def values(self) -> list[float]:
        """One per seed; a training that diverged counts as chance."""
        return [result.counted_value for result in self.results]

    @property
    def mean(self) -> float:
        """Of the values over seeds; of returns the interquartile mean."""
        from compare.stats.seeds import centre

        return centre(self.metric, self.values)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over seeds; None for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def learned(measurements: Iterable[Measurement]) -> list[Learned]:
    """The trainings that came to a result, over seeds: by twin and engine, in the record's order."""
    grouped: dict[tuple[str, str], list[TrainMeasurement]] = {}
    for each in trainings_of(measurements):
        if each.result:
            grouped.setdefault((each.twin, each.engine), []).append(each)
    out = []
    for (twin, engine), group in grouped.items():
        group.sort(key=lambda each: each.seed)
        out.append(Learned(twin, engine, [e.seed for e in group], [e.result for e in group if e.result]))
    return out


def comparisons(measurements: Iterable[Measurement]) -> "list[Comparison]":
    """Every engine against native PyTorch, or the first engine of a twin where that was not trained, paired by seed."""
    trained = [each for each in learned(measurements) if each.results[0].margin is not None]
    if not trained:
        return []
    from compare.stats.seeds import Trainings, compare_all  # here, because statsmodels takes a second to import

    return compare_all(
        [
            Trainings(
                each.twin,
                each.engine,
                each.metric,
                each.results[0].margin or 0.0,
                each.results[0].higher_is_better,
                dict(zip(each.seeds, each.values, strict=True)),
            )
            for each in trained
        ],
        REFERENCE,
    )
