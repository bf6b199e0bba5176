"""`twin bench`: how fast each engine is beside the reference, over rounds of fresh processes (docs/method.md).

Two processes that run the same code may differ by a quarter for as long as they live, so no number of repetitions in
one process tells which code is faster. A round starts a fresh process for every engine and for a second copy of the
reference, lets one at a time compute, in random order, and ends them all.
"""

import math
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from compare.bench import gpu
from compare.check import reference
from compare.engines.engine import Engine
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import Worker, WorkerFailed
from compare.record.cell import Cell
from compare.record.record import Record
from compare.record.schema import QUANTITIES
from compare.stats import ratios as speed
from twin import arrays, data
from twin.bridge import Arrays, Leaf
from twin.catalogue import find
from twin.crossing import Crossing
from twin.errors import TwinError
from twin.spec import Twin

PASSES = 8
QUICK_ROUNDS = 3
LOOP_BATCHES = 20  # of the twin's rows, that the user's loop goes over in an epoch
COPY = "the reference's copy"


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        reference: the engine that the others are compared with.
        quick: three rounds, and no verdict.
        precision: relative half width of the interval at which the rounds end.
        budget: seconds per twin after which no round begins.
        passes: timed chunks of each engine and quantity in a round.
        quantities: what is timed.
        rounds: exactly so many, whatever the precision.
    """

    reference: str = "torch"
    quick: bool = False
    precision: float = 0.02
    budget: float = 600.0
    passes: int = PASSES
    quantities: Sequence[str] = QUANTITIES
    rounds: int | None = None

    @property
    def least(self) -> int:
        """Rounds that there are whatever the precision, unless the budget ends them."""
        return self.rounds or (QUICK_ROUNDS if self.quick else speed.ROUNDS)


def plan(
    twins: Iterable[Twin], engines: Iterable[Engine], device: str, seed: int, size: str, against: str = "torch"
) -> list[Cell]:
    """A cell per model twin and engine; an exercise is too short to be timed.

    Raises:
        TwinError: when the reference is not among the engines.
    """
    engines = list(engines)
    if against not in [engine.name for engine in engines]:
        names = ", ".join(engine.name for engine in engines)
        raise TwinError(
            f"--reference {against}: not one of the engines that are timed, {names}; add --engine {against}"
        )
    cells = []
    for twin in twins:
        for engine in engines:
            cell = Cell("bench", twin.name, engine.name, device, "float32", seed, size)
            if twin.kind == "exercise":
                cell.status, cell.reason = "skipped", f"{twin.name} is an exercise: there is no training to time"
            elif twin.size(size) is None:
                cell.status, cell.reason = "skipped", f"{twin.name} has no size {size!r}"
            cells.append(cell)
    return cells


def gates(cells: Iterable[Cell]) -> list[Cell]:
    """The cells of the ladder that say whether the planned pairs agree."""
    return [Cell("check", c.twin, c.engine, c.device, c.dtype, c.seed, c.size) for c in cells if c.status == "not_run"]


def run(record: Record, engines: Iterable[Engine], settings: Settings, options: Options, progress: Progress) -> None:
    """Time every planned pair that agrees; the record is saved after each round.

    Args:
        record: planned bench cells, and the finished check cells of the same twins and engines: what does not agree
            is not timed.
        engines: those that the cells name.
        settings: how; one process computes at a time, whatever the jobs.
        options: how much.
        progress: called with a cell and a word on what happens to it.

    Raises:
        KeyboardInterrupt: after ending the workers; the rounds that were finished are in the record.
    """
    by_name = {engine.name: engine for engine in engines}
    todo: dict[str, list[Cell]] = {}
    for cell in record.cells:
        if cell.measure == "bench" and cell.status == "not_run":
            todo.setdefault(cell.twin, []).append(cell)
    for name, cells in todo.items():
        timed = [cell for cell in cells if _may_be_timed(cell, record)]
        if any(cell.engine == options.reference for cell in timed):
            Bench(find(name), timed, by_name, record, settings, options, progress).run()
        for cell in cells:
            if cell.status == "not_run" and not cell.reason:
                cell.reason = f"{options.reference} could not be timed, so there is nothing to compare with"
            progress(cell, cell.status)
        record.save()


def _may_be_timed(cell: Cell, record: Record) -> bool:
    """Whether the ladder has found that this engine's twin agrees; if not, the cell says why there is no speed."""
    key = cell.twin, cell.engine, cell.size, cell.dtype
    checks = [c for c in record.cells if c.measure == "check" and (c.twin, c.engine, c.size, c.dtype) == key]
    cell.result["agrees"] = bool(checks) and all(each.status == "ok" for each in checks)
    if not cell.result["agrees"]:
        each = next((each for each in checks if each.status != "ok"), None)
        cell.status = each.status if each else "not_run"
        cell.reason = f"not timed, since it was not found to agree: {each.reason if each else 'it was not checked'}"
    return cell.result["agrees"]


@dataclass
class Bench:
    """One twin on all engines.

    Args:
        twin: what is timed.
        cells: one per engine, the reference's among them.
        by_name: the engines.
        record: is saved after each round.
        settings, options, progress: as for `run`.
    """

    twin: Twin
    cells: list[Cell]
    by_name: dict[str, Engine]
    record: Record
    settings: Settings
    options: Options
    progress: Progress
    weights: dict[str, Path] = field(default_factory=dict)  # per engine, in its own layout
    lengths: list[float] = field(default_factory=list)  # seconds of the rounds

    def run(self) -> None:
        """Rounds until the intervals are narrow, the budget is spent, or nobody is left to compare."""
        start = time.monotonic()
        size = self.twin.size(self.cells[0].size)
        assert size is not None, "plan skips what has no such size"
        self.arguments = dict(size.arguments)
        for cell in self.cells:
            cell.result |= {
                "rounds": cell.result.get("rounds", []),
                "batch_size": self.twin.batch_size,
                "reference": self.options.reference,
                "threads": self.settings.threads,
                "compiled": self.by_name[cell.engine].compiled,
            }
        native = next(cell for cell in self.cells if cell.engine == self.options.reference)
        native.result.setdefault("copy", [])
        with tempfile.TemporaryDirectory(prefix="twin-") as folder:
            self.folder = Path(folder)
            self._make_data()
            while self._goes_on(native, time.monotonic() - start):
                began = time.monotonic()
                self._round(native)
                self.lengths.append(time.monotonic() - began)
                self._summarise(native)
                self.record.save()
        for cell in self.cells:
            if cell.status == "not_run" and cell.result["rounds"]:
                unstable = [q for q, found in cell.result["speed"].items() if found["verdict"] == "unstable"]
                cell.status = "unstable" if unstable else "ok"
                cell.reason = f"no steady state in most rounds: {', '.join(unstable)}" if unstable else ""

    def _goes_on(self, native: Cell, elapsed: float) -> bool:
        options, done = self.options, len(native.result["rounds"])
        if native.status != "not_run" or (len(self.cells) > 1 and self.live() == [native]):
            return False  # alone from the start, the reference is still timed against its copy
        if options.rounds is not None:
            return done < options.rounds
        if done and elapsed + max(self.lengths, default=0.0) > options.budget:
            return False
        if done < options.least:
            return True
        if options.quick:
            return False
        widths = [cell.result["speed"]["step"]["high"] / cell.result["speed"]["step"]["low"] for cell in self.live()]
        return max(widths) > (1 + options.precision) ** 2

    def live(self) -> list[Cell]:
        """The cells whose engines still run."""
        return [cell for cell in self.cells if cell.status == "not_run"]

    def _round(self, native: Cell) -> None:
        """Fresh processes, warmed up one after another, timed in random order, and ended."""
        gpu.check_free(native.device)
        pool = Pool(self.settings)
        cells = {native.engine: native, COPY: native} | {cell.engine: cell for cell in self.live()}
        workers: dict[str, Worker] = {}
        found: dict[str, dict[str, Any]] = {who: {} for who in cells}

        def take(who: str, doing: str, what: Callable[[], None]) -> None:
            """Let one process do something; one that gives up is out, its cell says why, and the round goes on."""
            cell = cells[who]
            if cell.status != "not_run" or native.status != "not_run":
                return
            self.progress(cell, self._word(len(native.result["rounds"]) + 1, doing))
            try:
                what()
            except WorkerFailed as failure:
                if pool.stopping:
                    raise
                cell.status, cell.reason = failure.status, failure.reason  # type: ignore[assignment]

        def start(who: str) -> None:
            workers[who] = self._start(pool, self.by_name[cells[who].engine], found[who])

        def time_chunk(who: str, quantity: str) -> None:
            count = found[who]["repetitions"][quantity]
            answer = workers[who].ask("chunk", self.settings.timeout, quantity=quantity, count=count)
            found[who].setdefault(quantity, []).append(answer["seconds"])

        def weigh(who: str) -> None:
            found[who] |= workers[who].ask("peak_memory", self.settings.timeout)

        def measure() -> None:
            for who in cells:
                take(who, "starts", partial(start, who))
            for quantity in found[native.engine].get("repetitions", ()):
                for _ in range(self.options.passes):
                    for who in random.sample(list(cells), len(cells)):
                        take(who, quantity, partial(time_chunk, who, quantity))
            for who in cells:
                take(who, "memory", partial(weigh, who))

        pool.run([measure])
        if native.status == "not_run":
            native.result["copy"].append(found.pop(COPY))
            for who in found:
                if cells[who].status == "not_run":
                    cells[who].result["rounds"].append(found[who])

    def _start(self, pool: Pool, engine: Engine, found: dict[str, Any]) -> Worker:
        """A fresh process with the twin built, the shared weights loaded, and warm.

        Raises:
            WorkerFailed: when it does not get there.
        """
        cell, timeout = self.cells[0], self.settings.timeout
        began = time.perf_counter()
        worker = pool.start(engine, cell.device)
        found["import_seconds"] = time.perf_counter() - began
        self.record.heard(engine.name, worker.hello)
        built = worker.ask(
            "build", timeout, twin=self.twin.name, arguments=self.arguments, dtype=cell.dtype, seed=cell.seed
        )
        leaves = [Leaf.from_json(each) for each in built["leaves"]]
        self._share_weights(worker, engine, leaves)
        batch, data = str(self.folder / "batch"), str(self.folder / "data")
        found |= worker.ask("stopwatch", timeout, batch=batch, data=data, quantities=list(self.options.quantities))
        found |= gpu.state(cell.device)
        return worker

    def _share_weights(self, worker: Worker, engine: Engine, leaves: list[Leaf]) -> None:
        """The same weights everywhere: those of the first process, which is the reference's."""
        timeout = self.settings.timeout
        if not self.weights:
            worker.ask("dump", timeout, out=str(self.folder / "first"))
            self.first_leaves, self.first_side = leaves, engine.side
            self.first = arrays.read(self.folder / "first")
        if engine.name not in self.weights:
            file = self.folder / f"weights-{len(self.weights)}"
            arrays.write(file, self._crossed(engine, leaves))
            self.weights[engine.name] = file
        worker.ask("load", timeout, file=str(self.weights[engine.name]))

    def _crossed(self, engine: Engine, leaves: list[Leaf]) -> Arrays:
        if engine.side == self.first_side:
            return self.first
        if engine.side == "keras":
            return Crossing("keras", leaves, self.first_leaves, self.twin).out(self.first)
        return Crossing("keras", self.first_leaves, leaves, self.twin).back(self.first)

    def _make_data(self) -> None:
        """A batch with what it draws, and the rows of the loop; made here at a published size."""
        cell, rng = self.cells[0], np.random.default_rng(self.cells[0].seed)
        rows = rows_of(self.twin, self.arguments, cell.size, self.twin.batch_size * LOOP_BATCHES, rng)
        batch = {name: array[: self.twin.batch_size] for name, array in rows.items()}
        for wanted in self.twin.draws:
            batch[wanted.name] = reference.drawn(wanted, self.twin.batch_size, self.arguments, rng)
        arrays.write(self.folder / "batch", batch)
        arrays.write(self.folder / "data", rows)

    def _summarise(self, native: Cell) -> None:
        """The ratios of every cell, from all its rounds."""
        bands: dict[str, float] = {}
        for cell in [native, *[each for each in self.cells if each is not native]]:
            rounds, against = cell.result["rounds"], native.result["rounds"]
            if cell is native:
                rounds, against = native.result["copy"], native.result["rounds"]
            found = {}
            for quantity in self.options.quantities:
                if not rounds or quantity not in rounds[0]:
                    continue
                pairs = list(zip(rounds, against, strict=False))
                ratio = speed.ratio([mine[quantity] for mine, _ in pairs], [theirs[quantity] for _, theirs in pairs])
                if cell is native:
                    bands[quantity] = speed.band_of(ratio)
                steady = sum(quantity not in (*mine["unsteady"], *theirs["unsteady"]) for mine, theirs in pairs) / len(
                    pairs
                )
                enough = self.options.rounds or speed.ROUNDS  # --quick has fewer, and so no verdict
                verdict = "reference" if cell is native else speed.judge(ratio, bands[quantity], steady, enough)
                found[quantity] = speed.Speed(ratio, bands[quantity], verdict).to_json()
            cell.result["speed"] = found

    def _word(self, number: int, doing: str) -> str:
        if not self.lengths:
            return f"round {number}, {doing}"
        length, spent = max(self.lengths), sum(self.lengths)
        left = min(length * max(self.options.least - number + 1, 1), max(self.options.budget - spent, length))
        return f"round {number}, {doing}, about {math.ceil(left / 60)} min left"


def rows_of(
    twin: Twin, arguments: dict[str, Any], size: str, count: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Rows to train on: the twin's own data, or noise of the shapes of a published size, with targets in range."""
    options = reference.data_options(twin, size)
    train = data.load(twin.data, twin.data_options if options is None else options).train
    rows = {name: array[:count] for name, array in train.items()}
    fewer = min(count, 4 * twin.batch_size)
    if options is not None or not (noise := reference.published_inputs(twin, arguments, rows, fewer, rng)):
        return rows
    small, large = (next(iter(each.values())) for each in ({name: rows[name] for name in noise}, noise))
    for name, array in rows.items():
        if name in noise:
            continue
        shape = array.shape[1:]
        if name not in twin.inputs and shape[:2] == small.shape[1:3]:  # a mask or a picture has the input's sides
            shape = (*large.shape[1:3], *shape[2:])
        if array.dtype.kind == "f":
            noise[name] = rng.standard_normal((fewer, *shape)).astype(array.dtype)
        else:
            noise[name] = rng.integers(arguments["num_classes"], size=(fewer, *shape)).astype(array.dtype)
    return noise
