"""Cells and records: what was asked, what became of it, and the file that says so."""

import contextlib
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import psutil

from compare import form
from compare.engines import PRECISION, ROOT
from twin.errors import AGREE, DIFFER, INCOMPLETE, TwinError

SCHEMA = 2  # 1 had no `started` and no `precision`, settings without threads, and a machine without what is in `extent`
Status = Literal[
    "not_run", "ok", "failed", "skipped", "unsupported", "timeout", "crashed", "oom_host", "oom_device", "unstable"
]


@dataclass
class Cell:
    """One measurement: what identifies it, and its result.

    Args:
        measure: 'check', 'bench' or 'train'.
        twin, engine, device, dtype, seed, size: what was measured.
        status: 'not_run' until it was.
        reason: one line, when the status is not 'ok'.
        result: what the measure found.
    """

    measure: str
    twin: str
    engine: str
    device: str
    dtype: str
    seed: int
    size: str
    status: Status = "not_run"
    reason: str = ""
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the cell in a record."""
        return (self.measure, self.twin, self.engine, self.device, self.dtype, str(self.seed), self.size)

    def to_json(self) -> dict[str, Any]:
        """The cell with its result's fields beside its own."""
        fields = asdict(self)
        return {**{n: v for n, v in fields.items() if n != "result"}, **fields["result"]}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Cell":
        own = {n: fields[n] for n in Cell.__dataclass_fields__ if n != "result"}
        return Cell(**own, result={n: v for n, v in fields.items() if n not in own})


class Record:
    """A run's cells with the machine, the versions and the code they were measured on.

    The file is rewritten after every cell, whole or not at all, so an interruption loses at most one.

    Args:
        command: what was asked: 'check', 'train', 'compare', ...
        cells: what is planned.
        path: the file; None for a record that is only in memory.
        settings: of the command; the threads of each engine are one unless they say otherwise.
    """

    def __init__(self, command: str, cells: list[Cell], path: Path | None, settings: dict[str, Any] | None = None):
        self.command, self.cells, self.path = command, cells, path
        self.started = datetime.now().astimezone().isoformat(timespec="seconds")
        self.machine = machine()
        self.versions: dict[str, dict[str, str]] = {}
        self.settings = {"threads": 1, **(settings or {})}
        self.code = code_version()
        self.written = False
        self.unwritten = ""  # why the file lacks the newest
        if path:
            self.save()

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "command": self.command,
            "started": self.started,
            "machine": self.machine,
            "precision": PRECISION,
            "versions": self.versions,
            "settings": self.settings,
            "code": self.code,
            "cells": [cell.to_json() for cell in self.cells],
        }

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
            write_json(self.path, self.to_json())
        except TwinError as error:
            if not self.written:
                raise
            if not self.unwritten:
                print(f"twin: {error}; measuring goes on, and the next save tries again", file=sys.stderr)
            self.unwritten = str(error)
        else:
            self.written, self.unwritten = True, ""

    def heard(self, engine: str, hello: dict[str, Any]) -> None:
        """Note what an engine's worker says of itself: versions, and the GPU that it computes on.

        Raises:
            TwinError: when a record that is continued holds cells of other versions or of another GPU.
        """
        versions, card = hello["versions"], hello["device"]
        if (before := self.versions.setdefault(engine, versions)) != versions:
            was, now = (
                "/".join(each.get(p, "none") for p in sorted({*before, *versions})) for each in (before, versions)
            )
            raise TwinError(f"{engine} has versions {now}, where the record's cells had {was}; start a new run")
        if card != "cpu":
            gpu = {"name": card, "driver": _gpu_driver()}
            if (known := self.machine.setdefault("gpu", gpu)) != gpu:
                raise TwinError(f"{engine} computes on {gpu}, the record's cells did on {known}; start a new run")

    def adopt(self, earlier: Path) -> int:
        """Take over the finished cells of an interrupted run, and rounds that were timed; return how many cells.

        Raises:
            TwinError: when that run was on another machine, with other settings or with other code, or has finished
                what this one does not plan and would lose.
        """
        old = read_record(earlier)
        gpu = old["machine"].pop("gpu", None)  # known once a worker computes on it, and compared then
        for what, mine in (("machine", self.machine), ("settings", self.settings), ("code", self.code)):
            if old[what] != mine:
                raise TwinError(f"--resume {earlier}: that run's {what} is not this one's; start a new run without it")
        finished = {cell.key: cell for cell in _worth_keeping([Cell.from_json(fields) for fields in old["cells"]])}
        if lost := finished.keys() - {cell.key for cell in self.cells}:
            measure, twin, engine, *_, seed, _ = min(lost)
            raise TwinError(
                f"--resume {earlier}: {measure} of {twin} on {engine} with seed {seed} is in it and not in this run; "
                "name at least its twins, engines and seeds"
            )
        self.cells = [finished.get(cell.key, cell) for cell in self.cells]
        self.versions, self.started = old["versions"], old["started"]
        if gpu:
            self.machine["gpu"] = gpu
        return sum(cell.key in finished for cell in self.cells)

    def exit_code(self) -> int:
        """0 when all agree, 1 when one comparison failed, 3 when nothing or not all was measured and written."""
        return INCOMPLETE if self.unwritten else exit_code(self.cells)


def _worth_keeping(cells: list[Cell]) -> Iterator[Cell]:
    """The finished cells; of the speeds of a twin all or none, since their rounds belong together."""
    finished = {"ok", "failed"}
    timed: dict[str, set[str]] = {}  # twin -> the statuses of its speeds
    for cell in cells:
        if cell.measure == "bench":
            timed.setdefault(cell.twin, set()).add(cell.status)
    for cell in cells:
        statuses = timed[cell.twin] if cell.measure == "bench" else {cell.status}
        if statuses <= finished or (statuses == {"not_run"} and "rounds" in cell.result):
            yield cell


def exit_code(cells: Iterable[Cell]) -> int:
    """The command line's answer to these cells."""
    statuses = {cell.status for cell in cells}
    if "failed" in statuses:
        return DIFFER
    return AGREE if "ok" in statuses and statuses <= {"ok", "skipped"} else INCOMPLETE


def read_record(path: Path) -> dict[str, Any]:
    """A record's JSON, brought to the newest schema.

    Raises:
        TwinError: when it is missing, cut off, no record, without cells, damaged, or of a newer schema.
    """
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise TwinError(f"cannot read {path}: {why}; expected a record written by twin") from error
    if not text.strip():
        raise TwinError(f"{path} is empty: it was cut off, or is no record")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TwinError(f"{path} is no record, or was cut off: {error}") from error
    if not isinstance(record, dict) or not isinstance(record.get("schema"), int) or "cells" not in record:
        raise TwinError(f"{path} is no record: it has no schema and cells")
    if record["schema"] > SCHEMA:
        raise TwinError(f"{path} has schema {record['schema']}; this version reads up to {SCHEMA}: upgrade twin-suite")
    if wrong := form.misfit(record):
        raise TwinError(f"{path} is no record of twin, or damaged: {wrong}")
    if not record["cells"]:
        raise TwinError(f"{path} has no cells: nothing was planned in that run, so there is nothing to report")
    for cell in record["cells"]:
        if cell["status"] not in get_args(Status):
            raise TwinError(f"{path} has a cell of the unknown status {cell['status']!r}")
    return _up_to_date(record)


def _up_to_date(record: dict[str, Any]) -> dict[str, Any]:
    """A record of an older schema with the fields of the newest; what nobody wrote down is None."""
    if record["schema"] == 1:
        record |= {"schema": 2, "precision": PRECISION}  # the engines' environment was the same
        record["settings"].setdefault("threads", 1)
        record["machine"] |= {name: None for name in extent() if name not in record["machine"]}
    return {"started": None, "precision": {}} | record


def write_json(path: Path, content: dict[str, Any] | list[Any], option: str = "--out") -> None:
    """Write JSON whole or not at all.

    Raises:
        TwinError: when the folder cannot be written.
    """
    write_text(path, as_lines(content) + "\n", option)


def as_lines(content: dict[str, Any] | list[Any]) -> str:
    """JSON with a line per cell: json's own indentation takes a minute for the records of a whole run."""
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        return json.dumps(content, indent=1)
    cells = ",\n  ".join(map(json.dumps, content["cells"]))
    head = json.dumps({name: value for name, value in content.items() if name != "cells"}, indent=1)
    return f'{head[:-2]},\n "cells": [\n  {cells}\n ]\n}}'


def write_text(path: Path, text: str, option: str = "--out") -> None:
    """Write a file whole or not at all: a temporary one beside `path`, synced, then renamed.

    Args:
        path: its folder is made where it is missing.
        text: in UTF-8.
        option: where the user chose the path.

    Raises:
        TwinError: when it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise TwinError(f"cannot write {path}: {error.strerror}; choose another place with {option}") from error


def machine() -> dict[str, Any]:
    """What the figures of a record depend on."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        **extent(),
    }


def extent() -> dict[str, Any]:
    """How much of the processor this process may have, and how its clock is governed; None where nobody says."""
    affinity = getattr(os, "sched_getaffinity", None)
    try:
        governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        governor = None
    return {"usable_cores": len(affinity(0)) if affinity else None, "governor": governor}


def code_version() -> str:
    """A digest of the suite's own source files."""
    digest = hashlib.sha256()
    for folder in ("twin", "keras_impl", "torch_impl", "compare"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gpu_driver() -> str | None:
    """The version of NVIDIA's kernel driver, as the kernel tells it."""
    try:
        words = Path("/proc/driver/nvidia/version").read_text().split()
    except OSError:
        return None
    return next((word for word in words if word[0].isdigit() and "." in word), None)
