"""`twin export`: every planned file written, run in a process of its own, and compared; one that fails costs itself."""

import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from compare.check import reference
from compare.check.reference import Reference
from compare.engines.engine import ENGINES, REFERENCE, Engine, base_of
from compare.engines.exported import ExportedFile
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import Worker, WorkerFailed, one_measurement
from compare.engines.session import Session
from compare.export import formats
from compare.export.examine import ROWS, WORDS, Evidence, Source, open_file, run_file
from compare.record.measurement import ExportMeasurement, exports_of
from compare.record.record import RunRecord
from compare.record.results import ExportResult
from twin.bridge import Arrays
from twin.catalogue import find
from twin.crossing import Crossing
from twin.errors import TwinError, unknown
from twin.native import to_native
from twin.paths import ROOT
from twin.spec import Twin


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
    missing = [pip for package, pip in packages.items() if not _installed(package)]
    return f"not installed: pip install --no-deps {' '.join(missing)}" if missing else ""


def not_imported(reason: str) -> str:
    """A line with what a tool wanted to import and could not, by the reason that it gave; "" for another reason.

    A tool that was installed without what it needs, as those that would bring another torch must be, refuses no model.
    """
    if found := re.search(r"No module named '([^'.]+)", reason):
        return f"not installed: {found[1]}, which the format's tool imports"
    found = re.search(r"you must install the `([^`]+)` package", reason)
    return f"not installed: {found[1]}, or what it imports" if found else ""


def placeless(words: str, folder: Path) -> str:
    """Words of a tool without where this run, this project and the packages lie, so that two runs have the same."""
    for place in (folder.resolve(), ROOT):
        words = words.replace(f"{place}/", "")
    return re.sub(r"[^\s'\"]*/(site-packages|worker-\w+)/", "", words)  # workers have a temporary folder each


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of `orbax.checkpoint`, where there is no `orbax`
        return False


def run(
    record: RunRecord,
    engines: Iterable[Engine],
    settings: Settings,
    progress: Progress,
    keep: Path | None = None,
    trained: bool = False,
) -> None:
    """Write, run and compare every file of the record that has not been; save the record after each.

    Args:
        record: planned measurements.
        engines: those that the measurements name, with their interpreters.
        settings: how.
        progress: called with a measurement and a word on what happens to it.
        keep: a folder for the files; None for one that is deleted.
        trained: whether native PyTorch trains each twin first, as `twin train` does; else the weights are random.

    Raises:
        TwinError: when the reference engine is not installed.
        KeyboardInterrupt: after ending the workers; what was measured is in the record.
    """
    todo: dict[str, dict[str, list[ExportMeasurement]]] = {}
    for each in exports_of(record.measurements):
        if each.status == "not_run":
            todo.setdefault(each.engine, {}).setdefault(each.twin, []).append(each)
    by_name = {engine.name: engine for engine in engines}
    native_engine = by_name.get(REFERENCE, ENGINES[REFERENCE])
    if todo and native_engine.missing():
        raise TwinError("the reference is native PyTorch; try: pip install 'twin-suite[torch]'")
    pool = Pool(settings)
    folder = keep or Path(tempfile.mkdtemp(prefix="twin-export-"))
    exports = Exports(record, by_name, native_engine, pool, progress, folder, trained)

    def every_engine() -> None:
        for name, planned in todo.items():
            exports.of_engine(by_name[name], planned)

    try:
        pool.run([every_engine])
    finally:
        exports.close()
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Exports:
    """The files of a run, twin after twin and engine after engine."""

    record: RunRecord
    engines: Mapping[str, Engine]
    native: Engine
    pool: Pool
    progress: Progress
    folder: Path
    trained: bool
    sessions: dict[str, Session] = field(default_factory=dict)
    opened: dict[str, ExportedFile] = field(default_factory=dict)  # the runtime of each format
    references: dict[str, Reference | WorkerFailed] = field(default_factory=dict)  # by twin

    def of_engine(self, engine: Engine, planned: Mapping[str, Sequence[ExportMeasurement]]) -> None:
        """Every file of one engine, twin after twin; a runtime stays for the files of all of them."""
        for name, measurements in planned.items():
            twin, source = find(name), None
            for each in measurements:
                if self.pool.stopping:
                    return
                self.progress(each, "started")
                try:
                    with one_measurement():
                        if source is None or source.session.closed:
                            source = self.source(twin, engine, self.reference(twin, each.seed), each.seed)
                        self.measure(each, source)
                except WorkerFailed as failure:
                    each.status, each.reason, each.result = failure.status, failure.reason, None
                each.reason = placeless(each.reason, self.folder)
                if each.result:
                    each.result.fault = placeless(each.result.fault, self.folder)
                self.record.save()
                self.progress(each, each.status)
        for opened in self.opened.values():
            opened.close()
        self.opened.clear()

    def reference(self, twin: Twin, seed: int) -> Reference:
        """What every engine's model of a twin is compared with, computed once.

        Raises:
            WorkerFailed: when it could not be.
        """
        if twin.name not in self.references:
            session = self.session(self.native)
            try:
                with one_measurement():
                    weights = self.learned(session, twin, seed) if self.trained else None
                    self.references[twin.name] = reference.of_model(
                        session, twin, "small", seed, with_steps=False, with_noise=False, trained=weights
                    )
            except WorkerFailed as failure:
                reason = f"the reference: {failure.reason}"
                self.references[twin.name] = WorkerFailed(failure.status, reason, alive=True)
        ref_or_failure = self.references[twin.name]
        if isinstance(ref_or_failure, WorkerFailed):
            raise ref_or_failure
        return ref_or_failure

    def learned(self, session: Session, twin: Twin, seed: int) -> Arrays:
        """The weights that native PyTorch finds on the twin's data.

        Raises:
            WorkerFailed: when the training was stopped.
        """
        built = session.build(twin.name, twin.small.arguments, seed=seed)
        trained = built.fit(twin.epochs, twin.data, twin.data_options)
        if trained.stopped:
            raise WorkerFailed("failed", f"its training was stopped: {trained.stopped}", alive=True)
        return built.dump()

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
                missing = not_imported(failure.reason)
                measurement.status = "skipped" if missing else "unsupported"
                measurement.reason = missing or placeless(failure.reason, self.folder)[:WORDS]
                return
        if formats.find(measurement.format).RUNTIME:
            self.compare(measurement, source, written, result)
        else:
            measurement.status, measurement.reason = "skipped", "written and not run: its runtime is for macOS only"

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
            opened = self.runtime(measurement)
            open_file(measurement, opened, file, result)
            for rows in [rows for rows, each in written.items() if each == file]:
                if not result.fault:
                    run_file(source, opened, rows, result, Evidence(measurement.format, file, opened))
            if result.fault:
                opened.close()  # what a wrong file has done to its runtime touches no other
                missing = not_imported(result.fault)
                measurement.status, measurement.reason = ("skipped", missing) if missing else ("failed", result.fault)
                measurement.result = None if missing else result
                return
        measurement.status = "ok"

    def runtime(self, measurement: ExportMeasurement) -> ExportedFile:
        """A process for the format's runtime: the engine's environment, and none of its framework until it is asked."""
        name = measurement.format
        if name not in self.opened or self.opened[name].session.closed:
            with self.pool.lock:
                if self.pool.stopping:
                    raise WorkerFailed("failed", "stopped")
                worker = Worker(self.engines[measurement.engine], "cpu", self.pool.settings.threads)
                self.pool.workers.append(worker)
            self.opened[name] = ExportedFile(worker, self.pool.settings.timeout)
        return self.opened[name]


def size_of(file: Path) -> int:
    """Bytes of a file with those beside it that belong to it, or of a folder."""
    files = file.rglob("*") if file.is_dir() else file.parent.glob(f"{file.stem}.*")
    return sum(each.stat().st_size for each in files if each.is_file())
