"""`twin train`: each side trains the same twin from the same weights, on the same batches, and is measured.

Unlike the ladder, nothing is matched here: each framework has its stock optimizer with equal
hyperparameters, and its own random numbers for dropout and noise.
"""

import math
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from compare.cells import Cell, Record
from compare.check import Pool, Settings
from compare.engines import ENGINES, REFERENCE, Engine
from compare.process import Worker, WorkerFailed
from twin import arrays
from twin.bridge import Bridge, Leaf
from twin.catalogue import find
from twin.errors import TwinError
from twin.spec import Twin

Init = Literal["shared", "own"]


def plan(twins: Iterable[Twin], engines: Iterable[Engine], device: str, seed: int) -> list[Cell]:
    """A cell per model twin and engine; exercises have nothing to train."""
    engines = list(engines)
    cells = []
    for twin in twins:
        for engine in engines:
            cell = Cell("train", twin.name, engine.name, device, "float32", seed, "small")
            if twin.kind == "exercise":
                cell.status, cell.reason = "skipped", f"{twin.name} is an exercise: it has no weights to train"
            cells.append(cell)
    return cells


def run(
    record: Record,
    engines: Iterable[Engine],
    settings: Settings,
    init: Init,
    epochs: int | None,
    progress: Callable[[Cell, str], None],
) -> None:
    """Train every cell of the record that was not, one at a time, so that their seconds compare.

    Args:
        record: planned cells.
        engines: those that the cells name.
        settings: how; each worker in turn has all the threads.
        init: 'shared' for the weights that native PyTorch draws, on every engine; 'own' for each its own.
        epochs: instead of the twin's own number.
        progress: called with a cell and a word on what happens to it.

    Raises:
        TwinError: when the weights are to be shared and native PyTorch is not installed.
        KeyboardInterrupt: after ending the workers; what was measured is in the record.
    """
    by_name = {engine.name: engine for engine in engines}
    todo = [cell for cell in record.cells if cell.status == "not_run" and cell.measure == "train"]
    native = by_name.get(REFERENCE, ENGINES[REFERENCE])
    if todo and init == "shared" and native.missing():
        raise TwinError("shared initial weights come from native PyTorch, which is not installed; use --init own")
    pool = Pool(settings)

    def train_all() -> None:
        workers: dict[str, Worker] = {}
        for cell in todo:
            try:
                with tempfile.TemporaryDirectory(prefix="twin-") as folder:
                    needed = {cell.engine: by_name[cell.engine], **({REFERENCE: native} if init == "shared" else {})}
                    for name, engine in needed.items():
                        if name not in workers:
                            workers[name] = pool.start(engine, cell.device)
                    record.versions[cell.engine] = workers[cell.engine].hello["versions"]
                    start = _shared_start(workers[REFERENCE], cell, Path(folder)) if init == "shared" else None
                    _train(workers[cell.engine], cell, start, epochs, Path(folder), settings.timeout, progress)
            except WorkerFailed as failure:
                if pool.stopping:
                    return
                cell.status, cell.reason = failure.status, failure.reason  # type: ignore[assignment]
                if not failure.alive:
                    workers = {name: worker for name, worker in workers.items() if not worker.ended}
            record.save()
            progress(cell, cell.status)

    pool.run([train_all])


def _shared_start(native: Worker, cell: Cell, folder: Path) -> tuple[list[Leaf], dict[str, np.ndarray]]:
    """The weights that native PyTorch draws with the cell's seed."""
    arguments = dict(find(cell.twin).small.arguments)
    built = native.ask("build", 300, twin=cell.twin, arguments=arguments, dtype="float32", seed=cell.seed)
    native.ask("dump", 300, out=str(folder / "start"))
    return [Leaf.from_json(leaf) for leaf in built["leaves"]], arrays.read(folder / "start")


def _train(
    worker: Worker,
    cell: Cell,
    start: tuple[list[Leaf], dict[str, np.ndarray]] | None,
    epochs: int | None,
    folder: Path,
    timeout: float,
    progress: Callable[[Cell, str], None],
) -> None:
    """Train one cell and write its result into it."""
    twin = find(cell.twin)
    assert twin.metric is not None
    arguments = dict(twin.small.arguments)
    built = worker.ask("build", timeout, twin=twin.name, arguments=arguments, dtype=cell.dtype, seed=cell.seed)
    if start is not None:
        leaves, weights = start
        if worker.engine.side == "keras":
            own = [Leaf.from_json(leaf) for leaf in built["leaves"]]
            weights = Bridge(own, leaves, twin.flatten, twin.unflatten).to_keras(weights)
        arrays.write(folder / "weights", weights)
        worker.ask("load", timeout, file=str(folder / "weights"))
    count = epochs or twin.epochs

    def on_event(event: dict[str, Any]) -> None:
        losses = ", ".join(f"{name} {value:.4g}" for name, value in event["losses"].items())
        progress(cell, f"epoch {event['epoch']} of {event['epochs']}, {losses}")

    answer = worker.ask("fit", max(timeout, 1800.0), on_event, epochs=count)
    cell.result = {
        "metric": twin.metric.name,
        "value": answer.get("value"),
        "goal": twin.metric.goal,
        "chance": twin.metric.chance,
        "epochs": count,
        "init": "shared" if start else "own",
        "loss": answer["losses"],
        "provenance": answer["provenance"],
        "seconds": answer["seconds"],
    }
    if "stopped" in answer:
        cell.status, cell.reason = "failed", answer["stopped"]
    elif epochs is None and not twin.metric.reached(answer["value"]):
        cell.status = "failed"
        cell.reason = f"{twin.metric.name} {answer['value']:.4g} misses the twin's goal of {twin.metric.goal:g}"
    elif not math.isfinite(answer["value"]):
        cell.status, cell.reason = "failed", f"{twin.metric.name} is {answer['value']}"
    else:
        cell.status = "ok"
