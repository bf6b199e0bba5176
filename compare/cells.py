"""Cells and records: what was asked, what became of it, and the file that says so."""

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from compare.engines import ROOT
from twin.errors import AGREE, DIFFER, INCOMPLETE, TwinError

SCHEMA = 1
Status = Literal[
    "not_run", "ok", "failed", "skipped", "unsupported", "timeout", "crashed", "oom_host", "oom_device", "unstable"
]


@dataclass
class Cell:
    """One measurement: what identifies it, and its result.

    Args:
        measure: 'check' or 'train'.
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
    """

    def __init__(self, command: str, cells: list[Cell], path: Path | None, settings: dict[str, Any] | None = None):
        self.command, self.cells, self.path = command, cells, path
        self.machine = machine()
        self.date = time.strftime("%Y-%m-%d %H:%M %z")
        self.versions: dict[str, dict[str, str]] = {}
        self.settings = settings or {}
        self.code = code_version()
        if path:
            self.save()

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "command": self.command,
            "date": self.date,
            "machine": self.machine,
            "versions": self.versions,
            "settings": self.settings,
            "code": self.code,
            "cells": [cell.to_json() for cell in self.cells],
        }

    def save(self) -> None:
        """Write the file: a temporary one, synced, then renamed.

        Raises:
            TwinError: when the folder cannot be written.
        """
        if self.path:
            write_json(self.path, self.to_json())

    def adopt(self, earlier: Path) -> int:
        """Take over the finished cells of an interrupted run; return how many.

        Raises:
            TwinError: when that run was on another machine, with other settings or with other code, or has finished
                what this one does not plan and would lose.
        """
        old = read_record(earlier)
        for what, mine in (("machine", self.machine), ("settings", self.settings), ("code", self.code)):
            if old[what] != mine:
                raise TwinError(f"--resume {earlier}: that run's {what} is not this one's; start a new run without it")
        finished = {cell.key: cell for cell in map(Cell.from_json, old["cells"]) if cell.status in ("ok", "failed")}
        if lost := finished.keys() - {cell.key for cell in self.cells}:
            measure, twin, engine, *_, seed, _ = min(lost)
            raise TwinError(
                f"--resume {earlier}: {measure} of {twin} on {engine} with seed {seed} is in it and not in this run; "
                "name at least its twins, engines and seeds"
            )
        self.cells = [finished.get(cell.key, cell) for cell in self.cells]
        self.versions, self.date = old["versions"], old.get("date", self.date)
        return sum(cell.key in finished for cell in self.cells)

    def exit_code(self) -> int:
        """0 when all agree, 1 when one comparison failed, 3 when something was not measured or nothing was."""
        return exit_code(self.cells)


def exit_code(cells: Iterable[Cell]) -> int:
    """The command line's answer to these cells."""
    statuses = {cell.status for cell in cells}
    if "failed" in statuses:
        return DIFFER
    return AGREE if "ok" in statuses and statuses <= {"ok", "skipped"} else INCOMPLETE


def read_record(path: Path) -> dict[str, Any]:
    """A record's JSON.

    Raises:
        TwinError: when it is missing, cut off, no record, or of a newer schema.
    """
    try:
        record = json.loads(Path(path).read_text())
    except OSError as error:
        raise TwinError(f"cannot read {path}: {error.strerror}; expected a record written by twin") from error
    except ValueError as error:
        raise TwinError(f"{path} is no record, or was cut off: {error}") from error
    if not isinstance(record, dict) or not isinstance(record.get("schema"), int) or "cells" not in record:
        raise TwinError(f"{path} is no record: it has no schema and cells")
    if record["schema"] > SCHEMA:
        raise TwinError(f"{path} has schema {record['schema']}; this version reads up to {SCHEMA}: upgrade twin-suite")
    return record


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
    }


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
