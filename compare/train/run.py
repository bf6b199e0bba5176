"""`twin train`: each side trains the same twin from the same weights, on the same batches, seed by seed.

Unlike the ladder, nothing is matched here: each framework has its stock optimizer with equal
hyperparameters, and its own random numbers for dropout and noise.
"""

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from compare.engines.engine import ENGINES, REFERENCE, Engine
from compare.engines.pool import Pool, Settings
from compare.engines.process import Worker, WorkerFailed
from compare.record.cell import Cell
from compare.record.pictures import filters
from compare.record.record import Record
from compare.train.logs import Log
from twin import arrays
from twin.bridge import Arrays, Leaf, check_names
from twin.catalogue import find
from twin.crossing import Crossing
from twin.errors import TwinError
from twin.spec import Twin


@dataclass(frozen=True)
class Options:
    """What a training does besides the twin's own settings.

    Args:
        epochs: instead of the twin's own number.
        init: 'shared' for the weights that native PyTorch draws, on every engine; 'own' for each its own.
        weights: a file of initial weights under PyTorch names, instead of either.
        save: a folder for the trained weights, one file per cell, under PyTorch names.
        log: where losses and metric are also written, as they come.
        variants: name -> the catalogue's twin with another `small` size, data, epochs or metric, to train in its
            place; the worker takes the rest from the catalogue.
        until_target: stop once the metric's goal is reached, as tests do that ask whether it is.
    """

    epochs: int | None = None
    init: Literal["shared", "own"] = "shared"
    weights: Path | None = None
    save: Path | None = None
    log: Log | None = None
    variants: Mapping[str, Twin] = field(default_factory=dict)
    until_target: bool = False

    @property
    def needs_native(self) -> bool:
        """Whether PyTorch's model is needed beside the engine's own."""
        return self.init == "shared" or self.weights is not None or self.save is not None


def plan(
    twins: Iterable[Twin], engines: Iterable[Engine], device: str, seeds: Iterable[int], size: str = "small"
) -> list[Cell]:
    """A cell per model twin, seed and engine; exercises have nothing to train.

    Engines come innermost, so that a run that is interrupted leaves pairs. A seed fixes the initial weights and the
    order of the batches alike on every engine; the split into train and test part is the data's own, whatever the seed.
    """
    engines, seeds = list(engines), list(seeds)
    cells = []
    for twin in twins:
        for seed in seeds if twin.kind == "model" else seeds[:1]:
            for engine in engines:
                cell = Cell("train", twin.name, engine.name, device, "float32", seed, size)
                if twin.kind == "exercise":
                    cell.status, cell.reason = "skipped", f"{twin.name} is an exercise: it has no weights to train"
                cells.append(cell)
    return cells


def run(
    record: Record,
    engines: Iterable[Engine],
    settings: Settings,
    options: Options,
    progress: Callable[[Cell, str], None],
) -> None:
    """Train every cell of the record that was not, one at a time, so that their seconds compare.

    Args:
        record: planned cells.
        engines: those that the cells name.
        settings: how; each worker in turn has all the threads.
        options: what to train from, for how long, and what to keep.
        progress: called with a cell and a word on what happens to it.

    Raises:
        TwinError: when the weights are to be shared and native PyTorch is not installed, or the given
            weights cannot be read.
        KeyboardInterrupt: after ending the workers; what was measured is in the record.
    """
    by_name = {engine.name: engine for engine in engines}
    todo = [cell for cell in record.cells if cell.status == "not_run" and cell.measure == "train"]
    native = by_name.get(REFERENCE, ENGINES[REFERENCE])
    if todo and options.needs_native and native.missing():
        raise TwinError("shared weights have PyTorch's names, and PyTorch is not installed; use --init own")
    given = arrays.read(options.weights) if options.weights else None
    several = len({cell.seed for cell in record.cells if cell.measure == "train"}) > 1
    pool = Pool(settings)

    def train_all() -> None:
        workers: dict[str, Worker] = {}
        for cell in todo:
            try:
                with tempfile.TemporaryDirectory(prefix="twin-") as folder:
                    needed = {
                        cell.engine: by_name[cell.engine],
                        **({REFERENCE: native} if options.needs_native else {}),
                    }
                    for name, engine in needed.items():
                        if name not in workers:
                            workers[name] = pool.start(engine, cell.device)
                    record.heard(cell.engine, workers[cell.engine].hello)
                    native_worker = workers[REFERENCE] if options.needs_native else None
                    _train(
                        workers[cell.engine],
                        native_worker,
                        cell,
                        given,
                        options,
                        Path(folder),
                        settings.timeout,
                        progress,
                        f"-seed{cell.seed}" if several else "",
                        _is_first_seed(cell, record.cells),
                    )
            except WorkerFailed as failure:
                if pool.stopping:
                    return
                cell.status, cell.reason = failure.status, failure.reason  # type: ignore[assignment]
                if not failure.alive:
                    workers = {name: worker for name, worker in workers.items() if not worker.closed}
            record.save()
            progress(cell, cell.status)

    pool.run([train_all])


def _train(
    worker: Worker,
    native: Worker | None,
    cell: Cell,
    given: Arrays | None,
    options: Options,
    folder: Path,
    timeout: float,
    progress: Callable[[Cell, str], None],
    suffix: str,
    show: bool,
) -> None:
    """Train one cell and write its result into it.

    `suffix` tells its seed from the run's others, if there are any; with `show`, pictures of what was learned are kept.
    """
    twin = options.variants.get(cell.twin) or find(cell.twin)
    assert twin.metric is not None
    build: dict[str, Any] = {
        "twin": twin.name,
        "arguments": dict(twin.small.arguments),
        "dtype": cell.dtype,
        "seed": cell.seed,
    }
    cross = None
    if native:
        leaves = _leaves(native.ask("build", timeout, **build))
        native.ask("dump", timeout, out=str(folder / "start"))
        start = given or arrays.read(folder / "start")
        own = _leaves(worker.ask("build", timeout, **build))
        cross = Crossing(worker.engine.side, own, leaves, twin)
        if given or options.init == "shared":
            check_names(
                {name: array.shape for name, array in start.items()},
                {leaf.full(name): shape for leaf in leaves for name, shape in leaf.shapes.items()},
                "the weights file",
                twin.name,
            )
            arrays.write(folder / "weights", cross.out(start))
            worker.ask("load", timeout, file=str(folder / "weights"))
    else:
        worker.ask("build", timeout, **build)
    count = options.epochs or twin.epochs

    def on_event(event: dict[str, Any]) -> None:
        losses = ", ".join(f"{name} {value:.4g}" for name, value in event["losses"].items())
        which = f"seed {cell.seed}, " if suffix else ""
        progress(cell, f"{which}epoch {event['epoch']} of {event['epochs']}, {losses}")
        if write:
            write({f"loss/{name}": value for name, value in event["losses"].items()}, event["epoch"])

    data = {"data_name": twin.data, "data_options": dict(twin.data_options)}
    with options.log.open(cell) if options.log else contextlib.nullcontext() as write:
        target = {"until_target": options.until_target}
        answer = worker.ask("fit", max(timeout, 1800.0), on_event, epochs=count, show=show, **target, **data)
        if write and "value" in answer:
            write({twin.metric.name: answer["value"]}, count)
    cell.result = {
        "metric": twin.metric.name,
        "value": answer.get("value"),
        "goal": twin.metric.goal,
        "chance": twin.metric.chance,
        "margin": twin.metric.margin,
        "epochs": count,
        "init": "given" if given else options.init,
        "loss": answer["losses"],
        "provenance": answer["provenance"],
        "rows": answer["rows"],
        "seconds": answer["seconds"],
        "epoch_seconds": answer["epoch_seconds"],
    }
    if cross:
        cell.result["parameters"] = cross.trainable
    if "stopped" in answer:
        cell.status, cell.reason = "failed", answer["stopped"]
    elif not math.isfinite(answer["value"]):
        cell.status, cell.reason = "failed", f"{twin.metric.name} is {answer['value']}"
    elif options.epochs is None and not twin.metric.reached(answer["value"]):
        cell.status = "failed"
        cell.reason = f"{twin.metric.name} {answer['value']:.4g} misses the twin's goal of {twin.metric.goal:g}"
    else:
        cell.status = "ok"
    if show:
        cell.result["shown"] = answer.get("shown", {})
        if cross and cell.result["shown"]:
            worker.ask("dump", timeout, out=str(folder / "seen"))
            names = [leaf.full(name) for leaf in leaves for name in leaf.shapes]
            if found := filters(cross.back(arrays.read(folder / "seen")), names):
                cell.result["shown"]["pictures"].append(found)
    if options.save and cross:
        worker.ask("dump", timeout, out=str(folder / "trained"))
        arrays.write(
            options.save / f"{cell.twin}-{cell.engine}{suffix}.safetensors",
            cross.back(arrays.read(folder / "trained")),
        )


def _is_first_seed(cell: Cell, cells: Iterable[Cell]) -> bool:
    """Whether the cell has the lowest seed of its twin and engine: one model of each is enough to look at."""
    alike = [c for c in cells if (c.measure, c.twin, c.engine) == (cell.measure, cell.twin, cell.engine)]
    return cell.seed == min(each.seed for each in alike)


def _leaves(built: dict[str, Any]) -> list[Leaf]:
    return [Leaf.from_json(leaf) for leaf in built["leaves"]]
