"""`twin check`: every planned measurement up the ladder, engines side by side; a worker that dies costs only one."""

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from compare.check import reference
from compare.check.climb import climb, diverged_late
from compare.check.ladder import Rung
from compare.check.reference import Reference
from compare.engines.engine import ENGINES, REFERENCE, Engine
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import Worker, WorkerFailed
from compare.record.measurement import CheckMeasurement, checks_of
from compare.record.record import RunRecord
from compare.record.results import CheckResult
from twin.catalogue import find
from twin.errors import TwinError
from twin.spec import Twin

SECOND_TRY = 1_000_000  # added to the seed


def plan(twins: Iterable[Twin], engines: Iterable[Engine], device: str, seed: int, size: str) -> list[CheckMeasurement]:
    """A measurement per twin and engine, and one more in float64 where Keras computes in float64 throughout."""
    measurements = []
    engines = list(engines)
    for twin in twins:
        for engine in engines:
            if twin.size(size) is None or (size == "paper" and twin.kind == "exercise"):
                measurement = CheckMeasurement(twin.name, engine.name, device, "float32", seed, size, "skipped")
                measurement.reason = f"{twin.name} has no size {size!r}"
                measurements.append(measurement)
                continue
            measurements.append(CheckMeasurement(twin.name, engine.name, device, "float32", seed, size))
            # Only on TensorFlow does Keras's float64 stay float64 (keras issue 23704); there it proves that
            # the two sides mean the same, with rounding out of the way.
            if engine.backend == "tensorflow" and device == "cpu" and size == "small":
                measurements.append(CheckMeasurement(twin.name, engine.name, device, "float64", seed, size))
    return measurements


def run(record: RunRecord, engines: Iterable[Engine], settings: Settings, progress: Progress) -> None:
    """Measure every measurement of the record that has not been; save it after each.

    Args:
        record: planned measurements.
        engines: those that the measurements name, with their interpreters.
        settings: how.
        progress: called with a measurement and a word on what happens to it.

    Raises:
        TwinError: when the reference engine is not installed.
        KeyboardInterrupt: after ending the workers; what was measured is in the record.
    """
    by_name = {engine.name: engine for engine in engines}
    todo: dict[str, list[CheckMeasurement]] = {}
    for measurement in checks_of(record.measurements):
        if measurement.status == "not_run":
            todo.setdefault(measurement.engine, []).append(measurement)
    native = by_name.get(REFERENCE, ENGINES[REFERENCE])
    if todo and native.missing():
        raise TwinError("the ladder's reference is native PyTorch; try: pip install 'twin-suite[torch]'")
    with tempfile.TemporaryDirectory(prefix="twin-") as folder:
        pool = Pool(settings)
        references = References(
            pool,
            native,
            Path(folder),
            Counter(_reference_key(measurement) for measurements in todo.values() for measurement in measurements),
        )
        climbers = [
            _Climber(by_name[name], measurements, record, references, pool, progress)
            for name, measurements in todo.items()
        ]
        pool.run([climber.run for climber in climbers])


class References:
    """The references of a run, each computed once, when the first engine asks, and dropped after the last.

    Args:
        pool: lends the slots to compute in.
        engine: native PyTorch.
        folder: for the files.
        uses: how many measurements will ask for each.
    """

    def __init__(self, pool: Pool, engine: Engine, folder: Path, uses: Counter):
        self.pool, self.engine, self.folder, self.uses = pool, engine, folder, uses
        self.found: dict[tuple, Reference | WorkerFailed] = {}
        self.lock = threading.Lock()
        self.worker: Worker | None = None

    def get(self, measurement: CheckMeasurement) -> Reference:
        """The reference for that measurement.

        Raises:
            WorkerFailed: when the reference itself cannot be computed.
        """
        key = _reference_key(measurement)
        with self.lock:
            if key not in self.found:
                with self.pool.slots:
                    self.found[key] = self._compute(measurement)
                    if self.worker and (measurement.size != "small" or not self._more()):  # the engines need its memory
                        self.worker.close()
                        self.worker = None
        found = self.found[key]
        if isinstance(found, WorkerFailed):
            raise WorkerFailed(found.status, f"the reference: {found.reason}", alive=True)
        return found

    def release(self, measurement: CheckMeasurement) -> None:
        """One measurement needs its reference no longer."""
        key = _reference_key(measurement)
        with self.lock:
            self.uses[key] -= 1
            if self.uses[key] <= 0:
                self.found.pop(key, None)
                shutil.rmtree(self._folder(measurement), ignore_errors=True)

    def _compute(self, measurement: CheckMeasurement) -> Reference | WorkerFailed:
        twin = find(measurement.twin)
        folder = self._folder(measurement)
        folder.mkdir()
        timeout = self.pool.settings.timeout
        try:
            if self.worker is None:
                self.worker = self.pool.start(self.engine, "cpu")
            if twin.kind == "exercise":
                return reference.of_exercise(self.worker, twin, folder, timeout)
            small = measurement.size == "small"
            return reference.of_model(
                self.worker, twin, measurement.size, measurement.seed, folder, timeout, with_steps=small
            )
        except WorkerFailed as failure:
            if not failure.alive:
                self.worker = None
            return failure

    def _more(self) -> bool:
        """Whether there is a reference still to compute."""
        return any(count > 0 and key not in self.found for key, count in self.uses.items())

    def _folder(self, measurement: CheckMeasurement) -> Path:
        return self.folder / "-".join(map(str, _reference_key(measurement)))


def _reference_key(measurement: CheckMeasurement) -> tuple[str, int, str]:
    return measurement.twin, measurement.seed, measurement.size


@dataclass
class _Climber:
    """One engine's measurements, in order, in one worker that is replaced when it dies."""

    engine: Engine
    measurements: list[CheckMeasurement]
    record: RunRecord
    references: References
    pool: Pool
    progress: Progress
    worker: Worker | None = None

    def run(self) -> None:
        for measurement in self.measurements:
            try:
                rungs, repeated = self._climb(measurement), None
                if diverged_late(rungs):
                    # A ReLU that flips by rounding parts one run in many; a defect parts the next one too.
                    again_as = replace(measurement, seed=measurement.seed + SECOND_TRY)
                    again = self._climb(again_as)
                    if not any(rung.status == "failed" for rung in again):
                        rungs = again
                        repeated = again_as.seed
                measurement.result = CheckResult([rung.result() for rung in rungs], repeated)
                failed = [rung for rung in rungs if rung.status == "failed"]
                measurement.status = "failed" if failed else "ok"
                measurement.reason = f"{failed[0].rung}: {failed[0].message}" if failed else ""
            except WorkerFailed as failure:
                if self.pool.stopping:
                    return
                measurement.status, measurement.reason = failure.status, failure.reason  # type: ignore[assignment]
                if not failure.alive:
                    self.worker = None
            with self.pool.lock:
                self.record.save()
            self.progress(measurement, measurement.status)
        if self.worker:
            self.worker.close()

    def _climb(self, measurement: CheckMeasurement) -> list[Rung]:
        """Take one measurement up the ladder, in this engine's worker."""
        try:
            ref = self.references.get(measurement)
            with self.pool.slots:
                self.progress(measurement, "started")
                if self.worker is None:
                    self.worker = self.pool.start(self.engine, measurement.device)
                    self.record.register_engine(
                        self.engine.name, self.worker.hello["versions"], self.worker.hello["device"]
                    )
                with tempfile.TemporaryDirectory(prefix="twin-") as folder:
                    return climb(
                        self.worker, find(measurement.twin), measurement, ref, Path(folder), self.pool.settings.timeout
                    )
        finally:
            self.references.release(measurement)
