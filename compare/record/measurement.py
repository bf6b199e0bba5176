"""A measurement: what was to be measured of one twin on one engine, and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from compare.record.machine import Machine
from compare.record.results import BenchResult, CheckResult, ExportResult, TrainResult
from twin.errors import AGREE, DIFFER, INCOMPLETE

Measure = Literal["check", "bench", "train", "export"]
Status = Literal[
    "not_run",
    "ok",
    "failed",
    "skipped",
    "not_offered",  # no tool claims to do it: a format of another framework
    "unsupported",  # the tool that claims to do it refuses
    "timeout",
    "crashed",
    "oom_host",
    "oom_device",
    "unstable",
]
# What a report says of a status.
STATUS_WORDS: dict[Status, str] = {
    "not_run": "not run",
    "ok": "agrees",
    "failed": "DIFFERS",
    "not_offered": "not offered",
    "oom_host": "no memory",
    "oom_device": "no memory",
}
UNMEASURED: tuple[Status, ...] = ("skipped", "not_run")


def _one_of(*values: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in values:
            raise ValueError(f"one of {', '.join(values)}")
        return value

    return AfterValidator(check)


# What every version of one schema measures. Twins and engines come and go between versions: reports show any name.
Device = Annotated[str, _one_of("cpu", "cuda")]
Dtype = Annotated[str, _one_of("float32", "float64")]
SizeName = Annotated[str, _one_of("small", "paper", "line")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass
class Node:
    """The machine of a cluster that measured, where it is not the record's own."""

    name: str
    machine: Machine


@dataclass
class Measurement:
    """What identifies one measurement, and what became of it; its kinds add a result.

    Args:
        measure: which kind of measurement.
        twin, engine, device, dtype, seed, size: what is measured.
        status: 'not_run' until it was.
        reason: one line, when the status is not 'ok'.
        node: None where the record's own machine measured.
    """

    measure: Measure = field(init=False)
    twin: Name
    engine: Name
    device: Device
    dtype: Dtype
    seed: Seed
    size: SizeName
    status: Status = "not_run"
    reason: str = ""
    node: Node | None = None
    result: Any = None

    @property
    def status_word(self) -> str:
        """The status, as a report says it."""
        return STATUS_WORDS.get(self.status, self.status)

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the measurement in a record."""
        return (self.measure, self.twin, self.subject, self.device, self.dtype, str(self.seed), self.size)

    @property
    def subject(self) -> str:
        """The engine, and what else tells measurements of one twin apart."""
        return self.engine


@dataclass
class CheckMeasurement(Measurement):
    """Whether a twin on an engine agrees with the float64 reference."""

    measure: Literal["check"] = field(default="check", kw_only=True)
    result: CheckResult | None = None


@dataclass
class BenchMeasurement(Measurement):
    """How fast a twin is on an engine."""

    measure: Literal["bench"] = field(default="bench", kw_only=True)
    result: BenchResult | None = None


@dataclass
class TrainMeasurement(Measurement):
    """How well a twin learns on an engine, from one seed."""

    measure: Literal["train"] = field(default="train", kw_only=True)
    result: TrainResult | None = None


@dataclass
class ExportMeasurement(Measurement):
    """What a twin on an engine is worth as a file of another format.

    Args:
        format: a module of export/formats.
    """

    measure: Literal["export"] = field(default="export", kw_only=True)
    result: ExportResult | None = None
    format: str = ""

    @property
    def subject(self) -> str:
        return f"{self.engine}, {self.format}"


AnyMeasurement = Annotated[
    CheckMeasurement | BenchMeasurement | TrainMeasurement | ExportMeasurement, Field(discriminator="measure")
]


def checks_of(measurements: Iterable[Measurement]) -> list[CheckMeasurement]:
    return [each for each in measurements if isinstance(each, CheckMeasurement)]


def benches_of(measurements: Iterable[Measurement]) -> list[BenchMeasurement]:
    return [each for each in measurements if isinstance(each, BenchMeasurement)]


def trainings_of(measurements: Iterable[Measurement]) -> list[TrainMeasurement]:
    return [each for each in measurements if isinstance(each, TrainMeasurement)]


def exports_of(measurements: Iterable[Measurement]) -> list[ExportMeasurement]:
    return [each for each in measurements if isinstance(each, ExportMeasurement)]


def exit_code(measurements: Iterable[Measurement]) -> int:
    """The command line's answer to these measurements."""
    statuses = {each.status for each in measurements}
    if "failed" in statuses:
        return DIFFER
    return AGREE if "ok" in statuses and statuses <= {"ok", "skipped", "not_offered", "unsupported"} else INCOMPLETE
