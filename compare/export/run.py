"""`twin export`: every planned file written, run in a process of its own, and compared; one that fails costs itself."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from compare.check import reference
from compare.check.reference import Reference
from compare.engines.engine import ENGINES, REFERENCE, Engine, base_of
from compare.engines.exported import ExportedFile
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import Worker, WorkerFailed, one_measurement
from compare.engines.session import BuiltTwin, Session
from compare.export import faults, formats
from compare.record.measurement import ExportMeasurement, exports_of
from compare.record.record import RunRecord
from compare.record.results import ExportError, ExportResult
from twin.batches import BATCH
from twin.bridge import Arrays
from twin.catalogue import find
from twin.crossing import Crossing
from twin.errors import TwinError, unknown
from twin.native import from_native, to_native
from twin.spec import Twin

ROWS = (1, BATCH)
WORDS = 300  # of an exporter's reason


def plan(
    twins: Iterable[Twin], engines: Iterable[Engine], wanted: Sequence[str], device: str, seed: int
) -> list[ExportMeasurement]:
    """A measurement for each model, engine and format; those that nobody can write say why.

    Raises:
        TwinError: for an unknown format.
    """
    for name in wanted:
        if name not in formats.names():
            raise unknown("format", name, formats.names())
    measurements = []
    for twin in twins:
        for engine in engines:
            for name in wanted or formats.names():
                each = ExportMeasurement(twin.name, engine.name, device, "float32", seed, "small", format=name)
                needs = formats.find(name).needs(base_of(engine.name))
                if twin.kind == "exercise":
                    each.status, each.reason = "skipped", f"{twin.name} is an exercise and has no model"
                elif isinstance(needs, str):
                    each.status, each.reason = "not_offered", needs
                elif missing := not_installed({**needs, **formats.find(name).RUNTIME}):
                    each.status, each.reason = "skipped", missing
                measurements.append(each)
    return measurements


def not_installed(packages: Mapping[str, str]) -> str:
    """A line with what pip installs, for the packages that are not there; "" where all are."""
    missing = [pip for package, pip in packages.items() if find_spec(package) is None]
    return f"not installed: pip install --no-deps {' '.join(missing)}" if missing else ""


def run(
    record: RunRecord, engines: Iterable[Engine], settings: Settings, progress: Progress, keep: Path | None = None
) -> None:
    """Write, run and compare every file of the record that has not been; save the record after each.

    Args:
        record: planned measurements.
        engines: those that the measurements name, with their interpreters.
        settings: how.
        progress: called with a measurement and a word on what happens to it.
        keep: a folder for the files; None for one that is deleted.

    Raises:
        TwinError: when the reference engine is not installed.
        KeyboardInterrupt: after ending the workers; what was measured is in the record.
    """
    todo: dict[str, dict[str, list[ExportMeasurement]]] = {}
    for each in exports_of(record.measurements):
        if each.status == "not_run":
            todo.setdefault(each.twin, {}).setdefault(each.engine, []).append(each)
    by_name = {engine.name: engine for engine in engines}
    native_engine = by_name.get(REFERENCE, ENGINES[REFERENCE])
    if todo and native_engine.missing():
        raise TwinError("the reference is native PyTorch; try: pip install 'twin-suite[torch]'")
    pool = Pool(settings)
    folder = keep or Path(tempfile.mkdtemp(prefix="twin-export-"))
    exports = Exports(record, by_name, native_engine, pool, progress, folder)

    def every_twin() -> None:
        for name, planned in todo.items():
            exports.of_twin(find(name), planned)

    try:
        pool.run([every_twin])
    finally:
        exports.close()
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Source:
    """A model in its engine's worker, which every file is compared with.

    Args:
        session: with the worker.
        twin: which.
        built: the model, with the reference's weights.
        weights: under its own names.
        inputs: rows -> a batch, in the model's own layout.
        wanted: rows -> its outputs, in the layout of the data.
        exact: rows -> those of native PyTorch in float64.
        latency: seconds of one row.
    """

    session: Session
    twin: Twin
    built: BuiltTwin
    weights: Arrays
    inputs: dict[int, Arrays]
    batches: dict[int, Arrays]
    wanted: dict[int, Arrays]
    exact: dict[int, Arrays]
    latency: float

    @property
    def side(self) -> str:
        return self.session.engine.side

    def with_weights_of(self, kind: str, rows: int) -> Arrays:
        """The outputs for the batch of so many rows, with weights rounded to float16 or bfloat16."""
        self.built.load({name: rounded(array, kind) for name, array in self.weights.items()})
        try:
            return self.built.forward(self.batches[rows])
        finally:
            self.built.load(self.weights)


def rounded(array: np.ndarray, kind: str) -> np.ndarray:
    """A float32 array through float16 or bfloat16 and back."""
    if kind == "float16":
        return array.astype(np.float16).astype(np.float32)
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).reshape(array.shape)


@dataclass
class Exports:
    """The files of a run, twin after twin and engine after engine."""

    record: RunRecord
    engines: Mapping[str, Engine]
    native: Engine
    pool: Pool
    progress: Progress
    folder: Path
    sessions: dict[str, Session] = field(default_factory=dict)

    def of_twin(self, twin: Twin, planned: Mapping[str, Sequence[ExportMeasurement]]) -> None:
        """Every file of one twin."""
        ref: Reference | WorkerFailed
        first = next(iter(planned.values()))[0]
        try:
            with one_measurement():
                session = self.session(self.native)
                ref = reference.of_model(session, twin, "small", first.seed, with_steps=False, with_noise=False)
        except WorkerFailed as failure:
            ref = WorkerFailed(failure.status, f"the reference: {failure.reason}", alive=True)
        for name, measurements in planned.items():
            source: Source | None = None
            for each in measurements:
                if self.pool.stopping:
                    return
                self.progress(each, "started")
                try:
                    if isinstance(ref, WorkerFailed):
                        raise ref
                    with one_measurement():
                        if source is None or source.session.closed:
                            source = self.source(twin, self.engines[name], ref, first.seed)
                        self.measure(each, source)
                except WorkerFailed as failure:
                    each.status, each.reason, each.result = failure.status, failure.reason, None
                each.reason = each.reason.replace(f"{self.folder.resolve()}/", "")  # or no two runs had the same reason
                self.record.save()
                self.progress(each, each.status)

    def close(self) -> None:
        """End every worker."""
        for session in self.sessions.values():
            session.close()

    def session(self, engine: Engine) -> Session:
        """A worker of that engine: the last one, while it lives."""
        if engine.name not in self.sessions or self.sessions[engine.name].closed:
            self.sessions[engine.name] = self.pool.start(engine, self.pool.settings.device)
            hello = self.sessions[engine.name].hello
            self.record.register_engine(engine.name, hello.versions, hello.device)
        return self.sessions[engine.name]

    def source(self, twin: Twin, engine: Engine, ref: Reference, seed: int) -> Source:
        """The twin on that engine with the reference's weights, and what it says of the batches."""
        session = self.session(engine)
        built = session.build(twin.name, twin.ladder_arguments("small"), seed=seed)
        weights = Crossing(engine.side, built.leaves, ref.leaves, twin).out(ref.weights)
        built.load(weights)
        batches = {rows: {name: array[:rows] for name, array in ref.batch.items()} for rows in ROWS}
        exact = {
            n.removesuffix(" (inference)"): a for n, a in ref.values["forward"].items() if n.endswith("inference)")
        }
        return Source(
            session,
            twin,
            built,
            weights,
            {rows: to_native(twin, engine.side, batch) for rows, batch in batches.items()},
            batches,
            {rows: built.forward(batch) for rows, batch in batches.items()},
            {rows: {name: array[:rows] for name, array in exact.items()} for rows in ROWS},
            built.latency(batches[1]),
        )

    def measure(self, measurement: ExportMeasurement, source: Source) -> None:
        """Write the file of one measurement, run it, and say what became of it."""
        stem = self.folder / f"{measurement.twin}-{measurement.engine.replace(':', '-')}-{measurement.format}"
        suffix = formats.find(measurement.format).SUFFIX
        written: dict[int, Path] = {}
        result = ExportResult("any", own_latency_seconds=source.latency)
        measurement.result = result
        try:
            file = stem.with_name(f"{stem.name}{suffix}")
            self.write(measurement, source, file, None, result)
            written = dict.fromkeys(ROWS, file)
        except WorkerFailed as refusal:
            if not refusal.alive:
                raise
            result.batch = "fixed"
            try:
                for rows in ROWS:
                    file = stem.with_name(f"{stem.name}-{rows}{suffix}")
                    self.write(measurement, source, file, rows, result)
                    written[rows] = file
            except WorkerFailed as failure:
                measurement.result = None
                if not failure.alive:
                    raise
                measurement.status, measurement.reason = "unsupported", failure.reason[:WORDS]
                return
        self.compare(measurement, source, written, result)

    def write(
        self, measurement: ExportMeasurement, source: Source, file: Path, rows: int | None, result: ExportResult
    ) -> None:
        """Have the exporter write a file, and note what that took."""
        answer = source.built.write_export(measurement.format, file, source.inputs[rows or max(ROWS)], rows)
        result.export_seconds, result.tools = answer.seconds, answer.tools
        result.bytes = size_of(file)

    def compare(
        self, measurement: ExportMeasurement, source: Source, written: Mapping[int, Path], result: ExportResult
    ) -> None:
        """Run the files, and note how far they are from the model and from the reference."""
        for file in dict.fromkeys(written.values()):
            opened = ExportedFile(self.runtime(measurement), self.pool.settings.timeout)
            try:
                self.open_file(measurement, opened, file, result)
                for rows in [rows for rows, each in written.items() if each == file]:
                    if not result.fault:
                        self.run_file(source, opened, rows, result, Evidence(measurement.format, file, opened))
            finally:
                opened.close()
            if result.fault:
                measurement.status, measurement.reason = "failed", result.fault
                return
        measurement.status = "ok"

    def runtime(self, measurement: ExportMeasurement) -> Worker:
        """A process for the format's runtime: the engine's environment, and none of its framework until it is asked."""
        with self.pool.lock:
            if self.pool.stopping:
                raise WorkerFailed("failed", "stopped")
            worker = Worker(self.engines[measurement.engine], "cpu", self.pool.settings.threads)
            self.pool.workers.append(worker)
        return worker

    def open_file(self, measurement: ExportMeasurement, opened: ExportedFile, file: Path, result: ExportResult) -> None:
        """Have the runtime load a file; one that it cannot load leaves its fault in the result.

        Raises:
            WorkerFailed: when the runtime crashes or hangs.
        """
        try:
            answer = opened.open(measurement.format, file, measurement.twin)
        except WorkerFailed as failure:
            if not failure.alive:
                raise
            result.fault = f"damaged: the runtime cannot load what the exporter wrote: {failure.reason[:WORDS]}"
            return
        result.load_seconds, result.tools = answer.seconds, result.tools | answer.tools

    def run_file(
        self, source: Source, opened: ExportedFile, rows: int, result: ExportResult, evidence: "Evidence"
    ) -> None:
        """An open file on one batch; one that is wrong leaves its fault in the result.

        Raises:
            WorkerFailed: when the runtime crashes or hangs.
        """
        inputs, wanted = source.inputs[rows], source.wanted[rows]

        def run(given: Mapping[str, np.ndarray]) -> Arrays:
            return from_native(source.twin, source.side, faults.named(opened.run(given), wanted, source.side))

        try:
            got = run(inputs)
        except (WorkerFailed, ValueError) as failure:
            if isinstance(failure, WorkerFailed) and not failure.alive:
                raise
            reason = str(failure)[:WORDS]
            result.fault = faults.of_refusal(run, inputs, wanted, reason, max(ROWS))
            return
        distance = faults.far(got, wanted)
        error = ExportError(rows, distance, faults.far(got, source.exact[rows]), faults.LIMIT)
        result.errors.append(error)
        if not distance <= faults.LIMIT:
            rounding: dict[str, Any] = {
                kind: lambda kind=kind: source.with_weights_of(kind, rows) for kind in ("float16", "bfloat16")
            }
            further = (
                lambda: faults.of_activations(got, lambda p: source.built.forward_without(source.batches[rows], p)),
                lambda: faults.of_weights(evidence.stored(), source.weights, distance),
            )

            def elsewhere(given: Mapping[str, np.ndarray]) -> Arrays:
                outputs = faults.named(evidence.elsewhere(given), wanted, source.side)
                return from_native(source.twin, source.side, outputs)

            result.fault = faults.of_runtime(run, inputs, got, wanted, elsewhere) or faults.of_outputs(
                run, inputs, got, wanted, rounding, further
            )
        elif rows == 1:
            result.latency_seconds = opened.latency(inputs)


@dataclass(frozen=True)
class Evidence:
    """What else can be learned of an open file; a tool that is not installed for it costs the evidence only."""

    format: str
    file: Path
    opened: ExportedFile

    def stored(self) -> list[np.ndarray]:
        """The arrays in it."""
        try:
            return list(self.opened.stored(self.format, self.file).values())
        except WorkerFailed as failure:
            if not failure.alive:
                raise
            return []

    def elsewhere(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """What another implementation of the format gives."""
        return self.opened.run_elsewhere(self.format, self.file, inputs)


def size_of(file: Path) -> int:
    """Bytes of a file with those beside it that belong to it, or of a folder."""
    files = file.rglob("*") if file.is_dir() else file.parent.glob(f"{file.stem}.*")
    return sum(each.stat().st_size for each in files if each.is_file())
