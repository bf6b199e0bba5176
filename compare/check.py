"""`twin check`: every planned cell up the ladder, engines side by side, one dead worker costing one cell."""

import math
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compare import ladder, reference
from compare.cells import Cell, Record
from compare.engines import ENGINES, REFERENCE, Engine
from compare.ladder import Rung
from compare.process import Worker, WorkerFailed
from compare.reference import Arrays, Reference
from twin import arrays
from twin.bridge import Bridge, Leaf, redundant_names
from twin.catalogue import find
from twin.errors import TwinError
from twin.spec import Twin

Progress = Callable[[Cell, str], None]
SECOND_TRY = 1_000_000  # added to the seed


@dataclass(frozen=True)
class Settings:
    """How a run is carried out.

    Args:
        device: 'cpu' or 'cuda'.
        threads: per worker.
        jobs: workers that compute at the same time.
        timeout: seconds per request.
    """

    device: str = "cpu"
    threads: int = 1
    jobs: int = 2
    timeout: float = 300.0


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


class Pool:
    """Workers that compute at the same time, as many as the settings allow, and all ended together."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.slots = threading.BoundedSemaphore(settings.jobs)
        self.lock = threading.Lock()
        self.workers: list[Worker] = []
        self.stopping = False

    def start(self, engine: Engine, device: str) -> Worker:
        """A new worker of that engine, which has said hello.

        Raises:
            WorkerFailed: when it does not come up.
        """
        with self.lock:
            if self.stopping:
                raise WorkerFailed("failed", "stopped")
            worker = Worker(engine, device, self.settings.threads)
            self.workers.append(worker)
        worker.hello = worker.ask("hello", self.settings.timeout, device=device)
        return worker

    def run(self, tasks: list[Callable[[], None]]) -> None:
        """Run the tasks at the same time; end every worker when all are done, or at the first exception."""
        try:
            with ThreadPoolExecutor(max(len(tasks), 1)) as threads:
                try:
                    for future in [threads.submit(task) for task in tasks]:
                        future.result()
                finally:
                    with self.lock:
                        self.stopping = True
                    for worker in self.workers:  # a thread that waits for one goes on, and ends
                        worker.kill()
        finally:
            for worker in self.workers:
                worker.close()


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


def parted_late(rungs: list[Rung]) -> bool:
    """Whether the only thing that failed are the steps after the first."""
    failed = [rung for rung in rungs if rung.status == "failed"]
    return bool(failed) and (failed[0].rung == "trajectory" or (failed[0].rung == "optimizer" and failed[0].late))


def climb(worker: Worker, twin: Twin, cell: Cell, ref: Reference, folder: Path, timeout: float) -> list[Rung]:
    """Take one engine up the ladder, rung by rung, until one breaks.

    Args:
        worker: the engine's.
        twin: what to check.
        cell: its dtype, seed and size.
        ref: what to compare with.
        folder: for the arrays on their way.
        timeout: seconds per request.

    Raises:
        WorkerFailed: when the engine gives no answer.
    """
    exact = cell.dtype == "float64"
    limits = ladder.Limits(exact, twin.tolerances)
    out = folder / "out"

    def ask(op: str, **fields: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        answer = worker.ask(op, timeout, out=str(out), **fields)
        return answer, arrays.read(out)

    if twin.kind == "exercise":
        _, outputs = ask("exercise", twin=twin.name, inputs=str(ref.batch), dtype=cell.dtype)
        return [ladder.forward(outputs, ref, limits)]

    size = twin.size(cell.size)
    assert size is not None
    arguments = twin.ladder_arguments(cell.size)
    built = worker.ask("build", timeout, twin=twin.name, arguments=arguments, dtype=cell.dtype, seed=cell.seed)
    leaves = [Leaf.from_json(leaf) for leaf in built["leaves"]]
    try:
        cross = Crossing(worker.engine.side, leaves, ref.leaves, twin)
    except TwinError as error:
        return [ladder.broken("structure", str(error))]
    rungs = [ladder.structure(cross.trainable, size.parameters)]

    arrays.write(folder / "weights", cross.out(ref.weights))
    worker.ask("load", timeout, file=str(folder / "weights"))
    _, dumped = ask("dump")
    rungs.append(ladder.weights(cross.back(dumped), {n: a.astype(cell.dtype) for n, a in ref.weights.items()}))
    if any(rung.status == "failed" for rung in rungs):
        return _until_broken(rungs)

    outputs = {}
    for mode, training in (("inference", False), ("training", True)):
        _, found = ask("forward", batch=str(ref.batch), training=training)
        outputs |= {f"{name} ({mode})": array for name, array in found.items()}
    rungs.append(ladder.forward(outputs, ref, limits))
    if rungs[-1].status == "failed":
        training = rungs[-1].worst is not None and rungs[-1].worst.name.endswith("(training)")
        answer, found = ask("activations", batch=str(ref.batch), training=training)
        if wanted := ref.activations.get("training" if training else "inference"):
            rungs[-1] = ladder.with_first_difference(rungs[-1], ref.order, found, wanted, limits, twin.flatten)
        return rungs
    if "gradients" not in ref.values:
        return rungs

    answer, found = ask("gradients", batch=str(ref.batch))
    rungs.append(ladder.gradients(answer["losses"], cross.back(found), ref, limits))
    if rungs[-1].status == "failed":
        return rungs

    answer, kept = ask(
        "steps",
        batches=str(ref.batches),
        count=reference.STEPS,
        snapshots=reference.SNAPSHOTS,
        matched=reference.matched_optimizer(twin),
        redundant=sorted(ref.redundant),
    )
    parts = reference.by_part(kept, ref.redundant)
    crossed = {
        what: cross.moments_back(part) if what == "moments" else cross.back(part) for what, part in parts.items()
    }
    rungs.append(ladder.optimizer(crossed, ref, limits))
    rungs.append(ladder.trajectory(answer["curve"], ref, limits))
    return _until_broken(rungs)


class Crossing:
    """From the reference's names to an engine's and back; for native PyTorch both are the same.

    Raises:
        BridgeError: when the two models' arrays do not correspond.
    """

    def __init__(self, side: str, leaves: list[Leaf], native: list[Leaf], twin: Twin):
        self.bridge = Bridge(leaves, native, twin.flatten, twin.unflatten) if side == "keras" else None
        redundant = redundant_names(leaves)
        self.trainable = sum(
            math.prod(leaf.shapes[name])
            for leaf in leaves
            for name in leaf.trainable
            if leaf.full(name) not in redundant
        )

    def out(self, native: Arrays) -> Arrays:
        """Arrays of the reference, under the engine's names and in its layout."""
        return self.bridge.to_keras(native) if self.bridge else native

    def back(self, own: Arrays) -> Arrays:
        """Arrays of the engine, under the reference's names and in its layout."""
        return self.bridge.to_torch(own) if self.bridge else own

    def moments_back(self, own: Arrays) -> Arrays:
        """Adam's moments, whose names begin with `first/` or `second/`."""
        out: Arrays = {}
        for which in ("first/", "second/"):
            part = {name.removeprefix(which): array for name, array in own.items() if name.startswith(which)}
            out |= {which + name: array for name, array in self.back(part).items()}
        return out


def _until_broken(rungs: list[Rung]) -> list[Rung]:
    """The rungs up to the first that failed."""
    for number, rung in enumerate(rungs, start=1):
        if rung.status == "failed":
            return rungs[:number]
    return rungs
