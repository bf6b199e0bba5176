"""Cells and records: what was asked, what became of it, and the file that says so."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from compare.record import schema as form
from compare.record.cell import Cell, Status, exit_code
from compare.record.files import write_json
from compare.record.machine import PRECISION, _gpu_driver, code_version, extent, machine
from twin.errors import INCOMPLETE, TwinError

SCHEMA = 2  # 1 had no `started` and no `precision`, settings without threads, and a machine without what is in `extent`


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
