"""`twin train`: each side trains the same twin from the same weights, on the same batches, seed by seed.

Unlike the ladder, nothing is matched here: each framework has its stock optimizer with equal
hyperparameters, and its own random numbers for dropout and noise.
"""

import contextlib
import math
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from compare.engines.engine import ENGINES, REFERENCE, Engine
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import Worker, WorkerFailed
from compare.record.measurement import TrainMeasurement, trainings_of
from compare.record.pictures import filters
from compare.record.record import RunRecord
from compare.record.results import Picture, Predictions, TrainResult
from compare.record.schema import from_plain
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
        save: a folder for the trained weights, one file per measurement, under PyTorch names.
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
) -> list[TrainMeasurement]:
    """A measurement per model twin, seed and engine; exercises have nothing to train.

    Engines come innermost, so that a run that is interrupted leaves pairs. A seed fixes the initial weights and the
    order of the batches alike on every engine; the split into train and test part is the data's own, whatever the seed.
    """
    engines, seeds = list(engines), list(seeds)
    measurements = []
    for twin in twins:
        for seed in seeds if twin.kind == "model" else seeds[:1]:
            for engine in engines:
                measurement = TrainMeasurement(twin.name, engine.name, device, "float32", seed, size)
                if twin.kind == "exercise":
                    measurement.status = "skipped"
                    measurement.reason = f"{twin.name} is an exercise: it has no weights to train"
                measurements.append(measurement)
    return measurements


def run(
    record: RunRecord,
    engines: Iterable[Engine],
    settings: Settings,
    options: Options,
    progress: Progress,
) -> None:
    """Train every measurement of the record that was not, one at a time, so that their seconds compare.

    Args:
        record: planned measurements.
        engines: those that the measurements name.
        settings: how; each worker in turn has all the threads.
        options: what to train from, for how long, and what to keep.
        progress: called with a measurement and a word on what happens to it.

    Raises:
        TwinError: when the weights are to be shared and native PyTorch is not installed, or the given
            weights cannot be read.
        KeyboardInterrupt: after ending the workers; what was measured is in the record.
    """
    by_name = {engine.name: engine for engine in engines}
    todo = [measurement for measurement in trainings_of(record.measurements) if measurement.status == "not_run"]
    native = by_name.get(REFERENCE, ENGINES[REFERENCE])
    if todo and options.needs_native and native.missing():
        raise TwinError("shared weights have PyTorch's names, and PyTorch is not installed; use --init own")
    given = arrays.read(options.weights) if options.weights else None
    several = len({measurement.seed for measurement in trainings_of(record.measurements)}) > 1
    pool = Pool(settings)

    def train_all() -> None:
        workers: dict[str, Worker] = {}
        for measurement in todo:
            try:
                with tempfile.TemporaryDirectory(prefix="twin-") as folder:
                    needed = {
                        measurement.engine: by_name[measurement.engine],
                        **({REFERENCE: native} if options.needs_native else {}),
                    }
                    for name, engine in needed.items():
                        if name not in workers:
                            workers[name] = pool.start(engine, measurement.device)
                    hello = workers[measurement.engine].hello
                    record.register_engine(measurement.engine, hello["versions"], hello["device"])
                    native_worker = workers[REFERENCE] if options.needs_native else None
                    _train(
                        workers[measurement.engine],
                        native_worker,
                        measurement,
                        given,
                        options,
                        Path(folder),
                        settings.timeout,
                        progress,
                        f"-seed{measurement.seed}" if several else "",
                        _is_first_seed(measurement, trainings_of(record.measurements)),
                    )
            except WorkerFailed as failure:
                if pool.stopping:
                    return
                measurement.status, measurement.reason = failure.status, failure.reason  # type: ignore[assignment]
                if not failure.alive:
                    workers = {name: worker for name, worker in workers.items() if not worker.closed}
            record.save()
            progress(measurement, measurement.status)

    pool.run([train_all])


def _train(
    worker: Worker,
    native: Worker | None,
    measurement: TrainMeasurement,
    given: Arrays | None,
    options: Options,
    folder: Path,
    timeout: float,
    progress: Progress,
    suffix: str,
    show: bool,
) -> None:
    """Train one measurement and write its result into it.

    `suffix` tells its seed from the run's others, if there are any; with `show`, pictures of what was learned are kept.
    """
    twin = options.variants.get(measurement.twin) or find(measurement.twin)
    assert twin.metric is not None
    build: dict[str, Any] = {
        "twin": twin.name,
        "arguments": dict(twin.small.arguments),
        "dtype": measurement.dtype,
        "seed": measurement.seed,
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
        which = f"seed {measurement.seed}, " if suffix else ""
        progress(measurement, f"{which}epoch {event['epoch']} of {event['epochs']}, {losses}")
        if write:
            write({f"loss/{name}": value for name, value in event["losses"].items()}, event["epoch"])

    data = {"data_name": twin.data, "data_options": dict(twin.data_options)}
    with options.log.open(measurement) if options.log else contextlib.nullcontext() as write:
        target = {"until_target": options.until_target}
        answer = worker.ask("fit", max(timeout, 1800.0), on_event, epochs=count, show=show, **target, **data)
        if write and "value" in answer:
            write({twin.metric.name: answer["value"]}, count)
    result = measurement.result = TrainResult(
        metric=twin.metric.name,
        value=answer.get("value", math.nan),
        target=twin.metric.goal,
        chance=twin.metric.chance,
        margin=twin.metric.margin,
        epochs=count,
        init="given" if given else options.init,
        loss=answer["losses"],
        provenance=answer["provenance"],
        rows=answer["rows"],
        seconds=answer["seconds"],
        epoch_seconds=answer["epoch_seconds"],
        parameters=cross.trainable if cross else None,
    )
    if "stopped" in answer:
        measurement.status, measurement.reason = "failed", answer["stopped"]
    elif not math.isfinite(result.value):
        measurement.status, measurement.reason = "failed", f"{result.metric} is {result.value}"
    elif options.epochs is None and not twin.metric.reached(result.value):
        measurement.status = "failed"
        measurement.reason = f"{result.metric} {result.value:.4g} misses the twin's target of {result.target:g}"
    else:
        measurement.status = "ok"
    if show:
        result.predictions = from_plain(Predictions, answer["shown"]) if answer.get("shown") else None
        if cross and result.predictions:
            worker.ask("dump", timeout, out=str(folder / "seen"))
            names = [leaf.full(name) for leaf in leaves for name in leaf.shapes]
            if found := filters(cross.back(arrays.read(folder / "seen")), names):
                result.predictions.pictures.append(from_plain(Picture, found))
    if options.save and cross:
        worker.ask("dump", timeout, out=str(folder / "trained"))
        arrays.write(
            options.save / f"{measurement.twin}-{measurement.engine}{suffix}.safetensors",
            cross.back(arrays.read(folder / "trained")),
        )


def _is_first_seed(measurement: TrainMeasurement, measurements: Iterable[TrainMeasurement]) -> bool:
    """Whether it has the lowest seed of its twin and engine: one model of each is enough to look at."""
    alike = [m for m in measurements if (m.twin, m.engine) == (measurement.twin, measurement.engine)]
    return measurement.seed == min(each.seed for each in alike)


def _leaves(built: dict[str, Any]) -> list[Leaf]:
    return [Leaf.from_json(leaf) for leaf in built["leaves"]]
