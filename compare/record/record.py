"""Records: what was asked, what became of it, and the file that says so."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from compare.record import schema
from compare.record.consistency import contradiction
from compare.record.machine import PRECISION, Gpu, Machine, code_version, gpu_driver
from compare.record.measurement import AnyMeasurement, BenchMeasurement, Measurement, exit_code
from compare.record.upgrade import upgraded
from twin import untrusted
from twin.errors import INCOMPLETE, TwinError
from twin.files import write_text

SCHEMA: Literal[3] = 3  # upgrade.py says what the older ones lack


def _date(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("a date in ISO 8601") from None
    return value


Started = Annotated[str, AfterValidator(_date)]


@dataclass
class Record:
    """A run's measurements with the machine, the versions and the code they were made with.

    Args:
        schema: of the file.
        command: what was asked: 'check', 'train', 'compare', ...
        started: when, in ISO 8601 with the time zone.
        machine: where.
        precision: the engines' settings of it.
        versions: engine -> package -> version.
        settings: of the command; the threads of each engine are one unless they say otherwise.
        code: a digest of the suite's own source files.
        measurements: what was planned, and what became of it.
        disturbances: what else the machine did while speeds were measured, a sentence each.
    """

    schema: Literal[3]
    command: str
    started: Started | None
    machine: Machine
    precision: dict[str, str]
    versions: dict[str, dict[str, str]]
    settings: dict[str, Any]
    code: str
    measurements: list[AnyMeasurement]
    disturbances: list[str] = field(default_factory=list)

    def to_text(self) -> str:
        """The record as a file holds it: JSON with a line per measurement."""
        head = json.loads(schema.dump(self, Record, exclude={"measurements"}))
        lines = ",\n  ".join(map(schema.dump_measurement, self.measurements))
        return f'{json.dumps(head, indent=1)[:-2]},\n "measurements": [\n  {lines}\n ]\n}}\n'


class RunRecord(Record):
    """The record of a run that goes on.

    The file is rewritten after every measurement, whole or not at all, so an interruption loses at most one.

    Args:
        command: what was asked.
        measurements: what is planned.
        path: the file; None for a record that is only in memory.
        settings: of the command.
    """

    def __init__(
        self,
        command: str,
        measurements: Sequence[Measurement],
        path: Path | None,
        settings: dict[str, Any] | None = None,
    ):
        super().__init__(
            schema=SCHEMA,
            command=command,
            started=datetime.now().astimezone().isoformat(timespec="seconds"),
            machine=Machine.here(),
            precision=dict(PRECISION),
            versions={},
            settings={"threads": 1, **(settings or {})},
            code=code_version(),
            measurements=list(measurements),  # type: ignore[arg-type]
        )
        self.path = path
        self.written = False
        self.unwritten = ""  # why the file lacks the newest
        if path:
            self.save()

    def save(self) -> None:
        """Write the file: a temporary one, synced, then renamed.

        A disk that fills later is no reason to throw measurements away: once the file has been written, a failure is
        told on stderr and kept in `unwritten`, and the next save tries again.

        Raises:
            TwinError: when the folder cannot be written at all.
        """
        if not self.path:
            return
        try:
            write_text(self.path, self.to_text())
        except TwinError as error:
            if not self.written:
                raise
            if not self.unwritten:
                print(f"twin: {error}; measuring goes on, and the next save tries again", file=sys.stderr)
            self.unwritten = str(error)
        else:
            self.written, self.unwritten = True, ""

    def register_engine(self, engine: str, versions: dict[str, str], device: str) -> None:
        """Note what an engine's worker says of itself.

        Args:
            engine: its name.
            versions: package -> version.
            device: 'cpu', or the name of the GPU that it computes on.

        Raises:
            TwinError: when a record that is continued holds measurements of other versions or of another GPU.
        """
        if (before := self.versions.setdefault(engine, versions)) != versions:
            was, now = (
                "/".join(each.get(p, "none") for p in sorted({*before, *versions})) for each in (before, versions)
            )
            raise TwinError(f"{engine} has versions {now}, where the record's measurements had {was}; start a new run")
        if device != "cpu":
            gpu = Gpu(device, gpu_driver())
            if self.machine.gpu is None:
                self.machine.gpu = gpu
            elif self.machine.gpu != gpu:
                was, now = (f"{each.name} (driver {each.driver})" for each in (self.machine.gpu, gpu))
                raise TwinError(f"{engine} computes on {now}, the record's measurements did on {was}; start a new run")

    def resume_from(self, earlier: Path) -> int:
        """Take over the finished measurements of an interrupted run, and process runs that were timed.

        Returns:
            How many measurements.

        Raises:
            TwinError: when that was another command, machine or code, or had other settings, or when it has finished
                what this one does not plan and would lose.
        """
        old = read_record(earlier)
        if old.command != self.command:
            raise TwinError(
                f"--resume {earlier}: that is a run of `twin {old.command}`, this one of `twin {self.command}`; "
                "start a new run without it"
            )
        gpu, old.machine.gpu = old.machine.gpu, None  # known once a worker computes on it, and compared then
        if differs := _differing(old, self):
            raise TwinError(f"--resume {earlier}: {differs}; start a new run without it")
        finished = {each.key: each for each in _worth_keeping(old.measurements)}
        if lost := finished.keys() - {each.key for each in self.measurements}:
            measure, twin, engine, *_, seed, _ = min(lost)
            raise TwinError(
                f"--resume {earlier}: {measure} of {twin} on {engine} with seed {seed} is in it and not in this run; "
                "name at least its twins, engines and seeds"
            )
        self.measurements = [finished.get(each.key, each) for each in self.measurements]  # type: ignore[misc]
        self.versions, self.started = old.versions, old.started
        self.machine.gpu = gpu
        return sum(each.key in finished for each in self.measurements)

    def exit_code(self) -> int:
        """0 when all agree, 1 when one comparison failed, 3 when nothing or not all was measured and written."""
        return INCOMPLETE if self.unwritten else exit_code(self.measurements)


def _differing(old: "Record", new: "Record") -> str:
    """What two runs do not share whose figures go into one record: the code, or a field with both its values."""
    if old.code != new.code:
        return "that run was of another state of the suite's code"
    runs = (("that run's machine", vars(old.machine), vars(new.machine)), ("that run", old.settings, new.settings))
    for who, before, now in runs:
        for name in dict.fromkeys([*before, *now]):
            was, is_now = (each.get(name, "none") for each in (before, now))
            if was != is_now:
                words = name.replace("_", " ")
                return f"{who} had {words} {was}, this one has {words} {is_now}"
    return ""


def _worth_keeping(measurements: Sequence[Measurement]) -> Iterator[Measurement]:
    """The finished ones; of the speeds of a twin all or none, since their process runs belong together."""
    finished = {"ok", "failed"}
    timed: dict[str, set[str]] = {}  # twin -> the statuses of its speeds
    for each in measurements:
        if each.measure == "bench":
            timed.setdefault(each.twin, set()).add(each.status)
    for each in measurements:
        statuses = timed[each.twin] if each.measure == "bench" else {each.status}
        begun = isinstance(each, BenchMeasurement) and each.result is not None and each.result.process_runs
        if each.measure == "export":
            statuses = statuses - {"unsupported"}  # an exporter that refuses has given its answer
        if statuses <= finished or (statuses == {"not_run"} and begun):
            yield each


def read_record(path: Path) -> Record:
    """A record from its file, brought to the newest schema.

    Raises:
        TwinError: when it is missing, cut off, no record, without measurements, damaged, or of a newer schema.
    """
    text = untrusted.text(path, "a record written by twin")
    if not text.strip():
        raise TwinError(f"{path} is empty: it was cut off, or is no record")
    try:
        content = untrusted.json_of(text, infinite=True)
        if not _is_old(content):
            content = untrusted.json_of(text)
    except untrusted.NoJson as error:
        raise TwinError(f"{path} is no record, or was cut off: {error}") from error
    version = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or not content.keys() & {"cells", "measurements"}:
        raise TwinError(f"{path} is no record: it has no schema and measurements")
    if version > SCHEMA:
        raise TwinError(f"{path} has schema {version}; this version reads up to {SCHEMA}: upgrade twin-suite")
    try:
        record = schema.load(Record, json.dumps(content if version == SCHEMA else upgraded(content)))
    except (ValueError, RecursionError) as error:
        raise TwinError(f"{path} is no record of twin, or damaged: {error}") from error
    if not record.measurements:
        raise TwinError(f"{path} has no measurements: nothing was planned in that run, so there is nothing to report")
    if wrong := contradiction(record.measurements):
        raise TwinError(f"{path} contradicts itself: {wrong}; a record is read as a run of twin wrote it")
    return record


def _is_old(content: Any) -> bool:
    """Whether it is of a schema in which numbers were infinite."""
    return isinstance(content, dict) and content.get("schema") in (1, 2)
