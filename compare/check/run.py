"""`twin check`: every planned cell up the ladder, engines side by side, one dead worker costing one cell."""

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from compare.check import reference
from compare.check.climb import climb, parted_late
from compare.check.ladder import Rung
from compare.check.reference import Reference
from compare.engines.engine import ENGINES, REFERENCE, Engine
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import Worker, WorkerFailed
from compare.record.cell import Cell
from compare.record.record import Record
from twin.catalogue import find
from twin.errors import TwinError
from twin.spec import Twin

SECOND_TRY = 1_000_000  # added to the seed


def plan(twins: Iterable[Twin], engines: Iterable[Engine], device: str, seed: int, size: str) -> list[Cell]:
    """A cell per twin and engine, and one more in float64 where Keras computes in float64 throughout."""
    cells = []
    engines = list(engines)
    for twin in twins:
        for engine in engines:
            if twin.size(size) is None or (size == "paper" and twin.kind == "exercise"):
                cell = Cell("check", twin.name, engine.name, device, "float32", seed, size, "skipped")
                cell.reason = f"{twin.name} has no size {size!r}"
                cells.append(cell)
                continue
            cells.append(Cell("check", twin.name, engine.name, device, "float32", seed, size))
            # Only on TensorFlow does Keras's float64 stay float64 (keras issue 23704); there it proves that
            # the two sides mean the same, with rounding out of the way.
            if engine.backend == "tensorflow" and device == "cpu" and size == "small":
                cells.append(Cell("check", twin.name, engine.name, device, "float64", seed, size))
    return cells


def run(record: Record, engines: Iterable[Engine], settings: Settings, progress: Progress) -> None:
    """Measure every cell of the record that has not been; save it after each.

    Args:
        record: planned cells.
        engines: those that the cells name, with their interpreters.
        settings: how.
        progress: called with a cell and a word on what happens to it.

    Raises:
        TwinError: when the reference engine is not installed.
        KeyboardInterrupt: after ending the workers; what was measured is in the record.
    """
    by_name = {engine.name: engine for engine in engines}
    todo: dict[str, list[Cell]] = {}
    for cell in record.cells:
        if cell.status == "not_run" and cell.measure == "check":
            todo.setdefault(cell.engine, []).append(cell)
    native = by_name.get(REFERENCE, ENGINES[REFERENCE])
    if todo and native.missing():
        raise TwinError("the ladder's reference is native PyTorch; try: pip install 'twin-suite[torch]'")
    with tempfile.TemporaryDirectory(prefix="twin-") as folder:
        pool = Pool(settings)
        references = References(
            pool, native, Path(folder), Counter(_reference_key(cell) for cells in todo.values() for cell in cells)
        )
        climbers = [_Climber(by_name[name], cells, record, references, pool, progress) for name, cells in todo.items()]
        pool.run([climber.run for climber in climbers])


class References:
    """The references of a run, each computed once, when the first engine asks, and dropped after the last.

    Args:
        pool: lends the slots to compute in.
        engine: native PyTorch.
        folder: for the files.
        uses: how many cells will ask for each.
    """

    def __init__(self, pool: Pool, engine: Engine, folder: Path, uses: Counter):
        self.pool, self.engine, self.folder, self.uses = pool, engine, folder, uses
        self.found: dict[tuple, Reference | WorkerFailed] = {}
        self.lock = threading.Lock()
        self.worker: Worker | None = None

    def get(self, cell: Cell) -> Reference:
        """The reference for that cell.

        Raises:
            WorkerFailed: when the reference itself cannot be computed.
        """
        key = _reference_key(cell)
        with self.lock:
            if key not in self.found:
                with self.pool.slots:
                    self.found[key] = self._compute(cell)
                    if self.worker and (cell.size != "small" or not self._more()):  # the engines need its memory
                        self.worker.close()
                        self.worker = None
        found = self.found[key]
        if isinstance(found, WorkerFailed):
            raise WorkerFailed(found.status, f"the reference: {found.reason}", alive=True)
        return found

    def release(self, cell: Cell) -> None:
        """One cell needs its reference no longer."""
        key = _reference_key(cell)
        with self.lock:
            self.uses[key] -= 1
            if self.uses[key] <= 0:
                self.found.pop(key, None)
                shutil.rmtree(self._folder(cell), ignore_errors=True)

    def _compute(self, cell: Cell) -> Reference | WorkerFailed:
        twin = find(cell.twin)
        folder = self._folder(cell)
        folder.mkdir()
        timeout = self.pool.settings.timeout
        try:
            if self.worker is None:
                self.worker = self.pool.start(self.engine, "cpu")
            if twin.kind == "exercise":
                return reference.of_exercise(self.worker, twin, folder, timeout)
            small = cell.size == "small"
            return reference.of_model(self.worker, twin, cell.size, cell.seed, folder, timeout, with_steps=small)
        except WorkerFailed as failure:
            if not failure.alive:
                self.worker = None
            return failure

    def _more(self) -> bool:
        """Whether there is a reference still to compute."""
        return any(count > 0 and key not in self.found for key, count in self.uses.items())

    def _folder(self, cell: Cell) -> Path:
        return self.folder / "-".join(map(str, _reference_key(cell)))


def _reference_key(cell: Cell) -> tuple[str, int, str]:
    return cell.twin, cell.seed, cell.size


@dataclass
class _Climber:
    """One engine's cells, in order, in one worker that is replaced when it dies."""

    engine: Engine
    cells: list[Cell]
    record: Record
    references: References
    pool: Pool
    progress: Progress
    worker: Worker | None = None

    def run(self) -> None:
        for cell in self.cells:
            try:
                rungs = self._climb(cell)
                if parted_late(rungs):
                    # A ReLU that flips by rounding parts one run in many; a defect parts the next one too.
                    again = self._climb(replace(cell, seed=cell.seed + SECOND_TRY))
                    if not any(rung.status == "failed" for rung in again):
                        rungs = again
                        cell.result["second_try"] = cell.seed + SECOND_TRY
                cell.result |= {"rungs": [rung.to_json() for rung in rungs]}
                failed = [rung for rung in rungs if rung.status == "failed"]
                cell.status = "failed" if failed else "ok"
                cell.reason = f"{failed[0].rung}: {failed[0].message}" if failed else ""
            except WorkerFailed as failure:
                if self.pool.stopping:
                    return
                cell.status, cell.reason = failure.status, failure.reason  # type: ignore[assignment]
                if not failure.alive:
                    self.worker = None
            with self.pool.lock:
                self.record.save()
            self.progress(cell, cell.status)
        if self.worker:
            self.worker.close()

    def _climb(self, cell: Cell) -> list[Rung]:
        """Take one cell up the ladder, in this engine's worker."""
        try:
            ref = self.references.get(cell)
            with self.pool.slots:
                self.progress(cell, "started")
                if self.worker is None:
                    self.worker = self.pool.start(self.engine, cell.device)
                    self.record.heard(self.engine.name, self.worker.hello)
                with tempfile.TemporaryDirectory(prefix="twin-") as folder:
                    return climb(self.worker, find(cell.twin), cell, ref, Path(folder), self.pool.settings.timeout)
        finally:
            self.references.release(cell)
