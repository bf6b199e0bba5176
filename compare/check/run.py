"""`twin check`: every planned measurement up the ladder, engines side by side; a worker that dies costs only one."""

import pickle
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import WeakValueDictionary

from compare.check import reference
from compare.check.climb import climb, diverged_late
from compare.check.ladder import Rung
from compare.check.reference import Reference
from compare.engines import guard
from compare.engines.engine import ENGINES, REFERENCE, Engine
from compare.engines.pool import Pool, Progress, Settings
from compare.engines.process import WorkerFailed, one_measurement
from compare.engines.session import Session
from compare.record.measurement import CheckMeasurement, checks_of
from compare.record.record import RunRecord
from compare.record.results import CheckResult
from twin.catalogue import find
from twin.errors import TwinError
from twin.spec import Twin

SECOND_TRY = 1_000_000  # added to the seed
MANY = 10  # twins from which an engine's measurements in float64 have a worker of their own, which takes time to start


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
    planned = [measurement for measurement in checks_of(record.measurements) if measurement.status == "not_run"]
    many = len({measurement.twin for measurement in planned}) >= MANY
    todo: dict[tuple[str, str], list[CheckMeasurement]] = {}
    for measurement in planned:
        todo.setdefault((measurement.engine, measurement.dtype if many else ""), []).append(measurement)
    native = by_name.get(REFERENCE, ENGINES[REFERENCE])
    if todo and native.missing():
        raise TwinError("the ladder's reference is native PyTorch; try: pip install 'twin-suite[torch]'")
    pool = Pool(settings)
    references = References(pool, native, Counter(map(reference_key, planned)))
    checks = [
        EngineChecks(by_name[name], measurements, record, references, pool, progress)
        for (name, _), measurements in todo.items()
    ]
    pool.run([each.run for each in checks])


@dataclass
class References:
    """The references of a run, each computed once, when the first engine asks, and dropped after the last.

    In between they are kept in files: an engine that is far ahead of another would fill the memory with them.

    Args:
        pool: lends the slots to compute in.
        engine: native PyTorch.
        uses: how many measurements will ask for each.
    """

    pool: Pool
    engine: Engine
    uses: Counter
    computed: dict[tuple, Reference | Path | WorkerFailed] = field(default_factory=dict)
    in_use: MutableMapping[tuple, Reference] = field(default_factory=WeakValueDictionary)
    lock: threading.Lock = field(default_factory=threading.Lock)
    computing: threading.Lock = field(default_factory=threading.Lock)  # one at a time, in one worker; the others go on
    session: Session | None = None

    def get(self, measurement: CheckMeasurement, left: int = 0) -> Reference:
        """The reference for that measurement.

        Args:
            measurement: what needs it.
            left: how much the engine that asks still has to measure.

        Raises:
            WorkerFailed: when the reference itself cannot be computed.
        """
        key = reference_key(measurement)
        if key not in self.computed:
            self._compute_once(measurement, left)
        with self.lock:
            found = self.in_use.get(key) or self.computed[key]
            if isinstance(found, Path):
                with found.open("rb") as file:
                    found = self.in_use[key] = pickle.load(file)  # our own, in a folder that is nobody else's
        if isinstance(found, WorkerFailed):
            status = "crashed" if found.status == "failed" else found.status  # nothing was compared, so nothing differs
            raise WorkerFailed(status, f"the reference: {found.reason}", alive=True)
        return found

    def _compute_once(self, measurement: CheckMeasurement, left: int) -> None:
        key = reference_key(measurement)
        with self.computing:
            if key in self.computed:  # another engine was first
                return
            with self.pool.slot(left):
                self.computed[key] = self._kept(key, self._compute(measurement))
                # The engines need its memory.
                if self.session and (measurement.size != "small" or not self._more()):
                    self.session.close()
                    self.session = None

    def release(self, measurement: CheckMeasurement) -> None:
        """One measurement needs its reference no longer, and none for a second try."""
        key = reference_key(measurement)
        with self.lock:
            self.uses[key] -= 1
            for done in (key, reference_key(second_try(measurement))) if self.uses[key] <= 0 else ():
                found = self.computed.pop(done, None)
                folder = found.parent if isinstance(found, Path) else getattr(found, "folder", None)
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)

    def _kept(self, key: tuple, found: Reference | WorkerFailed) -> Reference | Path | WorkerFailed:
        """A reference as it is kept until the engines that need it have come so far.

        Who needs one for a second try is not known before: where one engine does, others often do.
        """
        if isinstance(found, WorkerFailed) or self.uses[key] == 1:
            return found
        self.in_use[key] = found
        try:
            path = (found.folder or guard.folder()) / "reference"
            with path.open("wb") as file:
                pickle.dump(found, file, protocol=pickle.HIGHEST_PROTOCOL)
        except OSError:  # a disk that is full: the memory may do
            return found
        return path

    def _compute(self, measurement: CheckMeasurement) -> Reference | WorkerFailed:
        twin = find(measurement.twin)
        try:
            if self.session is None or self.session.closed:
                self.session = self.pool.start(self.engine, measurement.device)
            with one_measurement():
                if twin.kind == "exercise":
                    return reference.of_exercise(self.session, twin)
                return reference.of_model(
                    self.session, twin, measurement.size, measurement.seed, with_steps=measurement.size == "small"
                )
        except WorkerFailed as failure:
            return failure

    def _more(self) -> bool:
        """Whether there is a reference still to compute."""
        with self.lock:
            return any(count > 0 and key not in self.computed for key, count in self.uses.items())


def second_try(measurement: CheckMeasurement) -> CheckMeasurement:
    """The same measurement with other weights and batches."""
    return replace(measurement, seed=(measurement.seed + SECOND_TRY) % 2**32)


def reference_key(measurement: CheckMeasurement) -> tuple[str, int, str]:
    """What a reference depends on: every engine of a twin is compared with the same one."""
    return measurement.twin, measurement.seed, measurement.size


@dataclass
class EngineChecks:
    """One engine's measurements, in order, in one worker that is replaced when it ends."""

    engine: Engine
    measurements: list[CheckMeasurement]
    record: RunRecord
    references: References
    pool: Pool
    progress: Progress
    session: Session | None = None

    def run(self) -> None:
        """Check every twin; the record is saved after each."""
        for measurement in self.measurements:
            try:
                self._check(measurement)
            except WorkerFailed as failure:
                if self.pool.stopping:
                    return
                measurement.status, measurement.reason = failure.status, failure.reason
            finally:
                self.references.release(measurement)
            with self.pool.lock:
                self.record.save()
            self.progress(measurement, measurement.status)
        if self.session:
            self.session.close()

    def _check(self, measurement: CheckMeasurement) -> None:
        """Take one twin up the ladder, and write into its measurement what became of it."""
        rungs, repeated = self._climb(measurement), None
        if diverged_late(rungs):
            # A ReLU that flips by rounding makes one run in many diverge; a defect makes the next one diverge too.
            again_as = second_try(measurement)
            again = self._climb(again_as)
            if not any(rung.status == "failed" for rung in again):
                rungs, repeated = again, again_as.seed
        measurement.result = CheckResult([rung.result() for rung in rungs], repeated)
        failed = [rung for rung in rungs if rung.status == "failed"]
        measurement.status = "failed" if failed else "ok"
        measurement.reason = f"{failed[0].rung}: {failed[0].message}" if failed else ""

    def _climb(self, measurement: CheckMeasurement) -> list[Rung]:
        left = sum(each.status == "not_run" for each in self.measurements)
        ref = self.references.get(measurement, left)
        with self.pool.slot(left):
            self.progress(measurement, "started")
            if self.session is None or self.session.closed:
                self.session = self.pool.start(self.engine, measurement.device)
                hello = self.session.hello
                self.record.register_engine(self.engine.name, hello.versions, hello.device)
            with one_measurement():
                return climb(self.session, find(measurement.twin), measurement, ref)
