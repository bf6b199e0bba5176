"""`twin bench`: how fast each engine is beside the reference, over process runs (docs/method.md).

Two processes that run the same code may differ by a quarter for as long as they live, so no number of repetitions in
one process tells which code is faster. Each time, a fresh process is started for every engine, and a second one of the
reference's for the A/A run; one at a time computes, in random order, and all are ended.
"""

import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from compare.bench import gpu
from compare.engines.engine import Engine, everything
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import WorkerFailed, one_measurement
from compare.engines.session import BuiltTwin
from compare.record.measurement import BenchMeasurement, CheckMeasurement, benches_of, checks_of
from compare.record.record import RunRecord
from compare.record.results import QUANTITIES, QUANTITY_NAMES, BenchResult, ProcessRun, Quantity, SpeedRatio
from compare.stats import ratios
from twin import data
from twin.batches import data_options, drawn, published_inputs
from twin.bridge import Arrays
from twin.catalogue import find
from twin.crossing import Crossing
from twin.errors import TwinError, unknown
from twin.spec import Twin

TIMED_LOOPS = 8
QUICK_PROCESS_RUNS = 3
LOOP_BATCHES = 20  # of the twin's rows, that the user's loop goes over in an epoch
AA = "the reference's A/A run"


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        reference: the engine that the others are compared with.
        quick: three process runs, and no verdict.
        precision: relative half width of the interval at which the process runs end.
        budget: seconds per twin after which no process run begins.
        timed_loops: of each engine and quantity in a process run.
        quantities: what is timed.
        process_runs: exactly so many, whatever the precision.
    """

    reference: str = "torch"
    quick: bool = False
    precision: float = 0.02
    budget: float = 600.0
    timed_loops: int = TIMED_LOOPS
    quantities: Sequence[Quantity] = QUANTITIES
    process_runs: int | None = None

    @property
    def least(self) -> int:
        """Process runs that there are whatever the precision, unless the budget ends them."""
        return self.process_runs or (QUICK_PROCESS_RUNS if self.quick else ratios.PROCESS_RUNS)


def plan(
    twins: Iterable[Twin], engines: Iterable[Engine], device: str, seed: int, size: str, against: str = "torch"
) -> list[BenchMeasurement]:
    """A measurement per model twin and engine; an exercise is too short to be timed.

    Raises:
        TwinError: when the reference is not among the engines.
    """
    engines = list(engines)
    if against not in [engine.name for engine in engines]:
        if against not in everything():
            raise unknown("engine", against, everything())
        names = ", ".join(engine.name for engine in engines)
        raise TwinError(
            f"--reference {against}: not one of the engines that are timed, {names}; add --engine {against}"
        )
    measurements = []
    for twin in twins:
        for engine in engines:
            measurement = BenchMeasurement(twin.name, engine.name, device, "float32", seed, size)
            if twin.kind == "exercise":
                measurement.status = "skipped"
                measurement.reason = f"{twin.name} is an exercise: there is no training to time"
            elif twin.size(size) is None:
                measurement.status, measurement.reason = "skipped", f"{twin.name} has no size {size!r}"
            measurements.append(measurement)
    return measurements


def gates(measurements: Iterable[BenchMeasurement]) -> list[CheckMeasurement]:
    """The measurements of the ladder that say whether the planned pairs agree."""
    return [
        CheckMeasurement(each.twin, each.engine, each.device, each.dtype, each.seed, each.size)
        for each in measurements
        if each.status == "not_run"
    ]


def run(record: RunRecord, engines: Iterable[Engine], settings: Settings, options: Options, progress: Progress) -> None:
    """Time every planned pair that agrees; the record is saved after each process run.

    Args:
        record: planned bench measurements, and the finished check measurements of the same twins and engines: what
            does not agree is not timed.
        engines: those that the measurements name.
        settings: how; one process computes at a time, whatever the jobs.
        options: how much.
        progress: called with a measurement and a word on what happens to it.

    Raises:
        KeyboardInterrupt: after ending the workers; the process runs that were finished are in the record.
    """
    by_name = {engine.name: engine for engine in engines}
    todo: dict[str, list[BenchMeasurement]] = {}
    for measurement in benches_of(record.measurements):
        if measurement.status == "not_run":
            todo.setdefault(measurement.twin, []).append(measurement)
    for name, measurements in todo.items():
        timed = [measurement for measurement in measurements if _may_be_timed(measurement, record)]
        if any(measurement.engine == options.reference for measurement in timed):
            Bench(find(name), timed, by_name, record, settings, options, progress).run()
        for measurement in measurements:
            if measurement.status == "not_run" and not measurement.reason:
                measurement.reason = f"{options.reference} could not be timed, so there is nothing to compare with"
            progress(measurement, measurement.status)
        record.save()


def _may_be_timed(measurement: BenchMeasurement, record: RunRecord) -> bool:
    """Whether the ladder has found that this engine's twin agrees; if not, the measurement says why it has no speed."""
    key = measurement.twin, measurement.engine, measurement.size, measurement.dtype
    checks = [c for c in checks_of(record.measurements) if (c.twin, c.engine, c.size, c.dtype) == key]
    agrees = bool(checks) and all(each.status == "ok" for each in checks)
    measurement.result = measurement.result or BenchResult()
    measurement.result.agrees = agrees
    if not agrees:
        each = next((each for each in checks if each.status != "ok"), None)
        measurement.status = each.status if each else "not_run"
        why = each.reason if each else "it was not checked"
        measurement.reason = f"not timed, since it was not found to agree: {why}"
    return agrees


def result_of(measurement: BenchMeasurement) -> BenchResult:
    """The result of a measurement that is being timed, begun where there is none yet."""
    if measurement.result is None:
        measurement.result = BenchResult()
    return measurement.result


@dataclass
class Bench:
    """One twin on all engines.

    Args:
        twin: what is timed.
        measurements: one per engine, the reference's among them.
        by_name: the engines.
        record: is saved after each process run.
        settings, options, progress: as for `run`.
    """

    twin: Twin
    measurements: list[BenchMeasurement]
    by_name: dict[str, Engine]
    record: RunRecord
    settings: Settings
    options: Options
    progress: Progress
    weights: dict[str, Arrays] = field(default_factory=dict)  # per side, under its own names
    first: BuiltTwin | None = None  # the model whose weights all have
    lengths: list[float] = field(default_factory=list)  # seconds of the process runs

    def run(self) -> None:
        """Process runs until the intervals are narrow, the budget is spent, or nobody is left to compare."""
        start = time.monotonic()
        size = self.twin.size(self.measurements[0].size)
        assert size is not None, "plan skips what has no such size"
        self.arguments = dict(size.arguments)
        for measurement in self.measurements:
            result = result_of(measurement)
            result.batch_size = self.twin.batch_size
            result.reference = self.options.reference
            result.threads = self.settings.threads
            result.compiled = self.by_name[measurement.engine].compiled
        native = next(each for each in self.measurements if each.engine == self.options.reference)
        self._make_data()
        while self._goes_on(native, time.monotonic() - start):
            began = time.monotonic()
            self._process_run(native)
            self.lengths.append(time.monotonic() - began)
            self._summarise(native)
            self.record.save()
        for measurement in self.measurements:
            result = result_of(measurement)
            if measurement.status == "not_run" and result.process_runs:
                unstable = [quantity for quantity, each in result.ratios.items() if each.verdict == "unstable"]
                measurement.status = "unstable" if unstable else "ok"
                measurement.reason = f"no steady state in most process runs: {', '.join(unstable)}" if unstable else ""

    def _goes_on(self, native: BenchMeasurement, elapsed: float) -> bool:
        options, done = self.options, len(result_of(native).process_runs)
        if native.status != "not_run" or (len(self.measurements) > 1 and self.live() == [native]):
            return False  # alone from the start, the reference is still timed against itself
        if options.process_runs is not None:
            return done < options.process_runs
        if done and elapsed + max(self.lengths, default=0.0) > options.budget:
            return False
        if done < options.least:
            return True
        if options.quick:
            return False
        steps = [result_of(each).ratios["step"] for each in self.live()]
        widths = [step.high / step.low if step.high and step.low else math.inf for step in steps]
        return max(widths) > (1 + options.precision) ** 2

    def live(self) -> list[BenchMeasurement]:
        """The measurements whose engines still run."""
        return [measurement for measurement in self.measurements if measurement.status == "not_run"]

    def _process_run(self, native: BenchMeasurement) -> None:
        """Fresh processes, warmed up one after another, timed in random order, and ended."""
        gpu.check_free(native.device)
        pool = Pool(self.settings)
        measurements = {native.engine: native, AA: native} | {each.engine: each for each in self.live()}
        models: dict[str, BuiltTwin] = {}
        runs = {who: ProcessRun() for who in measurements}

        def take(who: str, doing: str, what: Callable[[], None]) -> None:
            """Let one process do something; if it fails, its measurement says why, and the others go on."""
            measurement = measurements[who]
            if measurement.status != "not_run" or native.status != "not_run":
                return
            self.progress(measurement, self._word(len(result_of(native).process_runs) + 1, doing))
            try:
                what()
            except WorkerFailed as failure:
                if pool.stopping:
                    raise
                measurement.status, measurement.reason = failure.status, failure.reason

        def start(who: str) -> None:
            models[who] = self._start(pool, self.by_name[measurements[who].engine], runs[who])

        def time_loop(who: str, quantity: Quantity) -> None:
            seconds = models[who].timed_loop(quantity, runs[who].repetitions[quantity])
            runs[who].times.setdefault(quantity, []).append(seconds)

        def weigh(who: str) -> None:
            runs[who].peak_memory_mib = models[who].peak_memory()

        def measure() -> None:
            for who in measurements:
                take(who, "starts", partial(start, who))
            for quantity in runs[native.engine].repetitions:
                for _ in range(self.options.timed_loops):
                    for who in random.sample(list(measurements), len(measurements)):
                        take(who, QUANTITY_NAMES[quantity], partial(time_loop, who, quantity))
            for who in measurements:
                take(who, "memory", partial(weigh, who))

        pool.run([measure])
        if native.status == "not_run":
            result_of(native).aa_runs.append(runs.pop(AA))
            for who, run in runs.items():
                if measurements[who].status == "not_run":
                    result_of(measurements[who]).process_runs.append(run)

    def _start(self, pool: Pool, engine: Engine, run: ProcessRun) -> BuiltTwin:
        """A fresh process with the twin built, the shared weights loaded, and warm.

        Raises:
            WorkerFailed: when it does not get there.
        """
        measurement = self.measurements[0]
        began = time.perf_counter()
        session = pool.start(engine, measurement.device)
        run.import_seconds = time.perf_counter() - began
        self.record.register_engine(engine.name, session.hello.versions, session.hello.device)
        with one_measurement():
            model = session.build(self.twin.name, self.arguments, measurement.dtype, measurement.seed)
            model.load(self._shared_weights(model))
            warm = model.warm_up(self.batch, self.data, self.options.quantities)
            run.first_step, run.second_step = warm.first_step, warm.second_step
            run.unsteady, run.repetitions = warm.unsteady, warm.repetitions
            run.gpu = gpu.state(measurement.device)
        return model

    def _shared_weights(self, model: BuiltTwin) -> Arrays:
        """The same weights everywhere, in the model's layout: those of the first process, which is the reference's."""
        side = model.session.engine.side
        if self.first is None:
            self.first, self.weights[side] = model, model.dump()
        if side not in self.weights:
            keras, torch = (model, self.first) if side == "keras" else (self.first, model)
            crossing = Crossing("keras", keras.leaves, torch.leaves, self.twin)
            (first,) = self.weights.values()
            self.weights[side] = crossing.out(first) if side == "keras" else crossing.back(first)
        return self.weights[side]

    def _make_data(self) -> None:
        """A batch with what it draws, and the rows of the loop; made here at a published size."""
        measurement, rng = self.measurements[0], np.random.default_rng(self.measurements[0].seed)
        rows = rows_of(self.twin, self.arguments, measurement.size, self.twin.batch_size * LOOP_BATCHES, rng)
        batch = {name: array[: self.twin.batch_size] for name, array in rows.items()}
        for wanted in self.twin.draws:
            batch[wanted.name] = drawn(wanted, self.twin.batch_size, self.arguments, rng)
        self.batch, self.data = batch, rows

    def _summarise(self, native: BenchMeasurement) -> None:
        """The ratios of every measurement, from all its process runs."""
        reference = result_of(native)
        bands: dict[Quantity, float | None] = {}
        for measurement in [native, *[each for each in self.measurements if each is not native]]:
            result = result_of(measurement)
            runs = reference.aa_runs if measurement is native else result.process_runs
            pairs = list(zip(runs, reference.process_runs, strict=False))
            result.ratios = {}
            for quantity in self.options.quantities:
                if not runs or quantity not in runs[0].times:
                    continue
                ratio = ratios.ratio(
                    [own.times[quantity] for own, _ in pairs], [its.times[quantity] for _, its in pairs]
                )
                if measurement is native:
                    bands[quantity] = ratios.noise_band(ratio)
                steady = sum(quantity not in (*own.unsteady, *its.unsteady) for own, its in pairs) / len(pairs)
                enough = self.options.process_runs or ratios.PROCESS_RUNS  # --quick has fewer, and so no verdict
                verdict = ratios.judge(ratio, bands[quantity], steady, enough)
                result.ratios[quantity] = SpeedRatio(
                    ratio.estimate,
                    ratio.low,
                    ratio.high,
                    ratio.process_runs,
                    bands[quantity],
                    "reference" if measurement is native else verdict,
                )

    def _word(self, number: int, doing: str) -> str:
        if not self.lengths:
            return f"process run {number}, {doing}"
        length, spent = max(self.lengths), sum(self.lengths)
        left = min(length * max(self.options.least - number + 1, 1), max(self.options.budget - spent, length))
        return f"process run {number}, {doing}, about {math.ceil(left / 60)} min left"


def rows_of(
    twin: Twin, arguments: dict[str, Any], size: str, count: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Rows to train on: the twin's own data, or noise of the shapes of a published size, with targets in range."""
    options, chosen = data_options(twin, size), twin.size(size)
    assert chosen is not None, f"{twin.name} has no size {size}"
    train = data.load(twin.data, {**twin.data_options, **chosen.target_options} if options is None else options).train
    rows = {name: array[:count] for name, array in train.items()}
    fewer = min(count, 4 * twin.batch_size)
    if options is not None or not (noise := published_inputs(twin, arguments, rows, fewer, rng)):
        return rows
    small, large = (next(iter(each.values())) for each in ({name: rows[name] for name in noise}, noise))
    for name, array in rows.items():
        if name in noise:
            continue
        if name in twin.inputs or chosen.target_options:  # proposals, or what anchors of this size are to say
            noise[name] = array[:fewer]
            continue
        shape = array.shape[1:]
        if shape[:2] == small.shape[1:3]:  # a mask or a picture has the input's sides
            shape = (*large.shape[1:3], *shape[2:])
        if array.dtype.kind == "f":
            noise[name] = rng.standard_normal((fewer, *shape)).astype(array.dtype)
        else:
            noise[name] = rng.integers(arguments["num_classes"], size=(fewer, *shape)).astype(array.dtype)
    return noise
