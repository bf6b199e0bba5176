"""What a comparison of two records is made of: groups of measurements of the same thing, and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from compare.record.measurement import BenchMeasurement, Measurement

Outcome = Literal["regression", "improvement", "moved", "same", "inconclusive", "no verdict"]
Key = tuple[str, str, str, str, str, str]  # measure, twin, engine (and format), device, dtype, size
MEASURED = ("ok", "failed", "unstable", "timeout", "crashed", "oom_host", "oom_device")


@dataclass(frozen=True)
class FigureChange:
    """One figure in both records, and what became of it.

    Args:
        measure, twin, engine, device, dtype, size: of what.
        name: which figure, such as 'agreement', 'step' or 'accuracy'.
        old, new: its values; words for an agreement.
        unit: 's', 'MiB' or '' for a number without.
        change: new divided by old; for what was learned, new minus old.
        low, high: the change's 95% interval.
        outcome: what is said of it. Only a 'regression' fails the command.
        why: one line, where the outcome needs one.
    """

    measure: str
    twin: str
    engine: str
    device: str
    dtype: str
    size: str
    name: str
    old: float | str
    new: float | str
    unit: str = ""
    change: float | None = None
    low: float | None = None
    high: float | None = None
    outcome: Outcome = "same"
    why: str = ""


@dataclass
class Group:
    """The measurements of one key in both records.

    Args:
        key: what identifies them.
        old, new: of either record, a measurement per seed.
        not_compared: takes a line for what both records hold and cannot be compared.
    """

    key: Key
    old: Sequence[Any]
    new: Sequence[Any]
    not_compared: list[str]

    @property
    def measure(self) -> str:
        return self.key[0]

    @property
    def twin(self) -> str:
        return self.key[1]

    @property
    def engine(self) -> str:
        return self.key[2]

    def figure(self, name: str, old: float | str, new: float | str, **fields: Any) -> FigureChange:
        """A figure of this group."""
        return FigureChange(*self.key, name, old, new, **fields)

    def measured(self) -> bool:
        """Whether both sides were, and one has an answer; if not, a line says so."""
        sides = [any(map(_is_measured, side)) for side in (self.old, self.new)]
        if all(sides) and not any(map(_has_answer, [*self.old, *self.new])):
            words = [side[0].status.replace("_", " ") for side in (self.old, self.new)]
            self.not_compared.append(f"{key_words(self.key)}: {words[0]} in OLD, {words[1]} in NEW")
            return False
        if sides[0] != sides[1]:
            record, other = ("NEW", self.new) if sides[0] else ("OLD", self.old)
            self.not_compared.append(f"{key_words(self.key)}: {other[0].status.replace('_', ' ')} in {record}")
        return all(sides)


def key_words(key: Sequence[str]) -> str:
    """A key in words, with what is unusual about it."""
    measure, twin, engine, device, dtype, size = key
    more = [word for word, usual in ((dtype, "float32"), (size, "small"), (device, "cpu")) if word != usual]
    return f"{measure} of {twin} on {engine}" + (f" ({', '.join(more)})" if more else "")


def better_or_worse(was: float, now: float) -> Outcome:
    """The outcome of what should not become less."""
    return "regression" if now < was else "improvement" if now > was else "same"


def _has_answer(measurement: Measurement) -> bool:
    """Whether it came to a result, or to a refusal that is one."""
    return bool(measurement.result) or measurement.status in ("ok", "failed", "not_offered", "unsupported")


def _is_measured(measurement: Measurement) -> bool:
    if measurement.measure == "export" and measurement.status in ("not_offered", "unsupported"):
        return True  # an exporter that refuses has given its answer
    begun = isinstance(measurement, BenchMeasurement) and measurement.result and measurement.result.process_runs
    return measurement.status in MEASURED or bool(begun)
