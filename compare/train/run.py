"""`twin train`: each side trains the same twin from the same weights, on the same batches, seed by seed.

Unlike the ladder, nothing is matched here: each framework has its stock optimizer with equal
hyperparameters, and its own random numbers for dropout and noise.
"""

import contextlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from compare.engines.answers import Epoch, Trained
from compare.engines.engine import ENGINES, REFERENCE, Engine
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import WorkerFailed, one_measurement
from compare.engines.session import BuiltTwin, Session
from compare.record.measurement import TrainMeasurement, trainings_of
from compare.record.record import RunRecord
from compare.record.results import Picture, Predictions, TrainResult
from compare.record.schema import from_plain
from compare.train.filters import filters
from compare.train.logs import Log
from twin import arrays
from twin.bridge import Arrays, BridgeError, Leaf, check_names
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
        until_target: stop once the metric's target is reached, as tests do that ask whether it is.
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
    trainings = Trainings(record, by_name, native, given, settings, options, progress)
    trainings.pool.run([partial(trainings.run, todo)])


@dataclass(frozen=True)
class Start:
    """What every engine of a seed begins with.

    Args:
        leaves: of PyTorch's model.
        weights: under PyTorch's names; those that PyTorch draws from the seed, or the given ones.
    """

    leaves: list[Leaf]
    weights: Arrays


class Trainings:
    """Trains measurement after measurement, each engine in one worker that is replaced when it ends.

    Args:
        record: is saved after each.
        by_name: the engines.
        native: the one that draws the weights.
        given: weights that replace those, under PyTorch's names.
        settings, options, progress: as for `run`.
    """

    def __init__(
        self,
        record: RunRecord,
        by_name: Mapping[str, Engine],
        native: Engine,
        given: Arrays | None,
        settings: Settings,
        options: Options,
        progress: Progress,
    ):
        self.record, self.native, self.given = record, native, given
        self.options, self.progress = options, progress
        self.engines = {**by_name, REFERENCE: native}
        self.pool = Pool(settings)
        self.sessions: dict[str, Session] = {}
        self.started: tuple[tuple[str, int, str], Start] | None = None  # of the twin and seed trained last
        self.several = len({each.seed for each in trainings_of(record.measurements)}) > 1

    def run(self, todo: Iterable[TrainMeasurement]) -> None:
        """Train them all, one at a time."""
        for measurement in todo:
            self.progress(measurement, "started")
            try:
                session = self._session(measurement.engine, measurement.device)
                self.record.register_engine(measurement.engine, session.hello.versions, session.hello.device)
                with one_measurement():
                    self._train(session, measurement)
            except WorkerFailed as failure:
                if self.pool.stopping:
                    return
                # Where a worker refuses, nothing was learned that could miss a target.
                measurement.status = "crashed" if failure.status == "failed" else failure.status
                measurement.reason = failure.reason
            self.record.save()
            self.progress(measurement, measurement.status)

    def _session(self, name: str, device: str) -> Session:
        """The engine's session; a new one where it has none, or its worker has ended."""
        if name not in self.sessions or self.sessions[name].closed:
            self.sessions[name] = self.pool.start(self.engines[name], device)
        return self.sessions[name]

    def _train(self, session: Session, measurement: TrainMeasurement) -> None:
        """Train one model and write the result into its measurement."""
        twin = self.options.variants.get(measurement.twin) or find(measurement.twin)
        assert twin.metric is not None
        start = self._start(twin, measurement) if self.options.needs_native else None
        model = session.build(twin.name, twin.small.arguments, measurement.dtype, measurement.seed)
        cross = Crossing(session.engine.side, model.leaves, start.leaves, twin) if start else None
        if start and cross and (self.given or self.options.init == "shared"):
            model.load(cross.out(start.weights))
        show = _is_first_seed(measurement, trainings_of(self.record.measurements))
        trained, unlogged = self._fit(model, twin, measurement, show)
        lost = [unlogged] if unlogged else []
        result = self._keep(trained, twin, measurement, cross)
        if show and trained.shown:
            result.predictions = from_plain(Predictions, trained.shown)
            flat = list(twin.inputs.values()) == ["as is"] and _is_square(result.predictions)
            if cross and start and (strip := filters(cross.back(model.dump()), start.leaves, flat)):
                result.predictions.pictures.append(from_plain(Picture, strip))
        if self.options.save and cross:
            suffix = f"-seed{measurement.seed}" if self.several else ""
            file = self.options.save / f"{measurement.twin}-{measurement.engine}{suffix}.safetensors"
            try:
                arrays.write(file, cross.back(model.dump()))
            except TwinError as error:
                lost.append(error)
        if lost:  # what the training reached is kept
            words = "; ".join(map(str, lost))
            if measurement.status != "failed":
                raise WorkerFailed("crashed", words, alive=True) from lost[0]
            measurement.reason += f"; {words}"

    def _start(self, twin: Twin, measurement: TrainMeasurement) -> Start:
        """The weights of a seed, drawn once for all engines.

        Raises:
            TwinError: when given weights are of another model.
        """
        key = measurement.twin, measurement.seed, measurement.device
        if self.started is None or self.started[0] != key:
            session = self._session(REFERENCE, measurement.device)
            model = session.build(twin.name, twin.small.arguments, measurement.dtype, measurement.seed)
            start = Start(model.leaves, self.given or model.dump())
            names = {name: array.shape for name, array in start.weights.items()}
            try:
                check_names(names, model.shapes, "the weights file", twin.name)
            except BridgeError as error:  # the user's mistake, and so the whole run's
                raise TwinError(f"--weights {self.options.weights}: {error}") from error
            self.started = key, start
        return self.started[1]

    def _fit(
        self, model: BuiltTwin, twin: Twin, measurement: TrainMeasurement, show: bool
    ) -> tuple[Trained, TwinError | None]:
        """Train; losses and metric are told and logged as they come. Also why the log lacks some, if it does."""
        assert twin.metric is not None
        count = self.options.epochs or twin.epochs
        log = self.options.log

        def on_epoch(epoch: Epoch) -> None:
            losses = ", ".join(f"{name} {value:.4g}" for name, value in epoch.losses.items())
            which = f"seed {measurement.seed}, " if self.several else ""
            self.progress(measurement, f"{which}epoch {epoch.epoch} of {epoch.epochs}, {losses}")
            if write:
                write({f"loss/{name}": value for name, value in epoch.losses.items()}, epoch.epoch)

        with log.open(measurement) if log else contextlib.nullcontext() as write:
            trained = model.fit(count, twin.data, twin.data_options, show, self.options.until_target, on_epoch)
            if write and trained.value is not None:
                write({twin.metric.name: trained.value}, count)
        return trained, write.error if write else None

    def _keep(self, trained: Trained, twin: Twin, measurement: TrainMeasurement, cross: Crossing | None) -> TrainResult:
        """Write what was reached into the measurement."""
        metric = twin.metric
        assert metric is not None
        result = measurement.result = TrainResult(
            metric=metric.name,
            value=math.nan if trained.value is None else trained.value,
            target=metric.target,
            chance=metric.chance,
            margin=metric.margin,
            epochs=self.options.epochs or twin.epochs,
            init="given" if self.given else self.options.init,
            loss=trained.losses,
            provenance=trained.provenance,
            rows=trained.rows,
            seconds=trained.seconds,
            epoch_seconds=trained.epoch_seconds,
            parameters=cross.trainable if cross else None,
        )
        if trained.stopped is not None:
            measurement.status, measurement.reason = "failed", trained.stopped
        elif not math.isfinite(result.value):
            measurement.status, measurement.reason = "failed", f"{metric.name} is {result.value}"
        elif self.options.epochs is None and not metric.reached(result.value):
            measurement.status = "failed"
            measurement.reason = f"{metric.name} {result.value:.4g} misses the twin's target of {metric.target:g}"
        else:
            measurement.status = "ok"
        return result


def _is_first_seed(measurement: TrainMeasurement, measurements: Iterable[TrainMeasurement]) -> bool:
    """Whether it has the lowest seed of its twin and engine: one model of each is enough to look at."""
    alike = [m for m in measurements if (m.twin, m.engine) == (measurement.twin, measurement.engine)]
    return measurement.seed == min(each.seed for each in alike)


def _is_square(found: Predictions) -> bool:
    """Whether the inputs are shown as square pictures."""
    return found.pictures[0].caption == "input" and found.tile[0] == found.tile[1]
