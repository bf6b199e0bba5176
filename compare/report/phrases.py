"""What reports say alike: of a speed, of what is missing, of numbers and lists."""

from collections import Counter
from collections.abc import Iterable, Sequence

from compare.engines.engine import everything
from compare.record.measurement import UNMEASURED, BenchMeasurement, Measurement, trainings_of
from compare.record.results import Quantity, SpeedRatio

PRECISION = "TF32 off: matrix products are computed in the full precision of their type"
WITHHELD = "does not agree"


def speed_word(measurement: BenchMeasurement) -> str:
    """The verdict on an engine's training step, or why there is none."""
    if measurement.result and measurement.result.agrees is False:
        return WITHHELD
    if step := ratio_of(measurement, "step"):
        return "no verdict" if step.verdict == "none" else step.verdict
    return {"failed": "failed", "ok": "not timed"}.get(measurement.status, measurement.status_word)


def ratio_of(measurement: BenchMeasurement, quantity: Quantity) -> SpeedRatio | None:
    """The ratio that may be reported; None without one, and for a pair that does not agree."""
    return measurement.result.speed.get(quantity) if measurement.result else None


def mode(measurement: BenchMeasurement) -> str:
    """Whether an engine's step runs compiled or eager."""
    compiled = measurement.result.compiled if measurement.result else None
    if compiled is None:
        engine = everything().get(measurement.engine)
        compiled = engine is not None and engine.compiled
    return "compiled" if compiled else "eager"


def interval(ratio: SpeedRatio) -> str:
    """A ratio with its 95% interval, such as '1.21 [1.17, 1.26]'; of one process run, which has none, the ratio."""
    if ratio.low is None or ratio.high is None:
        return three(ratio.estimate)
    return f"{three(ratio.estimate)} [{three(ratio.low)}, {three(ratio.high)}]"


def beside_reference(ratio: SpeedRatio | None, with_interval: bool = False) -> str:
    """A ratio for a table; the reference's own is 1."""
    if ratio is None:
        return ""
    if ratio.verdict == "reference":
        return "1"
    return interval(ratio) if with_interval else three(ratio.estimate)


def by_pair(measurements: Iterable[BenchMeasurement]) -> list[list[BenchMeasurement]]:
    """Benches that may be compared, of one twin, device, precision and size; those of which something was measured."""
    groups: dict[tuple[str, ...], list[BenchMeasurement]] = {}
    for each in measurements:
        groups.setdefault((each.twin, each.device, each.dtype, each.size), []).append(each)
    return [group for group in groups.values() if any(each.status not in UNMEASURED for each in group)]


def not_measured(measurements: Iterable[Measurement]) -> list[str]:
    """How many measurements were planned and have no result, by why: a line each."""
    counted = Counter(each.status for each in measurements if each.status in UNMEASURED)
    why = {"not_run": "not run: the run ended before them", "skipped": "skipped: they have nothing to measure"}
    return [f"{count} measurement{'s' * (count != 1)} {why[status]}." for status, count in counted.items()]


def troubles(measurements: Iterable[Measurement]) -> list[str]:
    """A line for what was to be measured and was not, or is not as it should be; seeds with the same trouble in one."""
    alike: dict[tuple[str, ...], list[int]] = {}
    for each in measurements:
        if each.status not in ("ok", *UNMEASURED):
            key = (each.measure, each.twin, each.engine, each.dtype, each.status, each.reason)
            alike.setdefault(key, []).append(each.seed)
    lines = []
    for (_, twin, engine, dtype, status, reason), seeds in alike.items():
        over = f", seeds {', '.join(map(str, sorted(seeds)))}" if len(seeds) > 1 else ""
        lines.append(f"{twin} on {engine} ({dtype}{over}): {status.replace('_', ' ')}. {reason}")
    return lines


def provenances(measurements: Iterable[Measurement]) -> dict[str, str]:
    """Twin -> where its data came from."""
    results = [(each.twin, each.result) for each in trainings_of(measurements)]
    return {twin: result.provenance for twin, result in results if result and result.provenance}


def three(value: float) -> str:
    """A ratio in three digits."""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.3g}"


def joined(names: Sequence[str]) -> str:
    """'a, b and c'."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def plural(count: int, what: str) -> str:
    """'1 seed', '2 seeds'."""
    return f"{count} {what}{'s' * (count != 1)}"
