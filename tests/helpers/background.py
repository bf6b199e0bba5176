"""Measures in the background what the selected tests of twins and engines need, while the other tests go on.

The measurements run through the very harness that users run. Several processes of tests (`pytest -n 2`) share them: the
process that distributes the tests measures, and each finished measurement lies in a folder, where any of them reads it.
"""

import contextlib
import os
import pickle
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from compare.check import run as check
from compare.engines import guard
from compare.engines.engine import Engine
from compare.engines.pool import Settings
from compare.record.measurement import Measurement
from compare.record.record import RunRecord
from compare.train import run as training

WANTED, FAILURE = "wanted", "failure"
# In seconds: for one request, where those that run beside it may leave it little of a processor, and for a test that
# sees no measurement finished. Only what hangs takes so long.
PATIENCE = 1500


def ask(folder: Path, measurements: Iterable[Measurement]) -> None:
    """Write down what the collected tests need."""
    _write(folder / WANTED, {measurement.key: measurement for measurement in measurements})


def start(folder: Path, engines: list[Engine]) -> None:
    """Begin to measure what was asked for."""
    wanted = pickle.loads((folder / WANTED).read_bytes())
    if wanted:
        threading.Thread(target=_measure, args=(folder, list(wanted.values()), engines), daemon=True).start()


def wait(folder: Path, measurement: Measurement, until: float = float("inf")) -> Measurement | None:
    """The measurement, finished; or nothing, if it is not until that time.

    Raises:
        TimeoutError: when no measurement at all is finished for too long.
        RuntimeError: when the harness itself failed.
    """
    finished, begun = _file(folder, measurement), time.time()
    while not finished.exists():
        if (folder / FAILURE).exists():
            raise RuntimeError((folder / FAILURE).read_text())
        if time.time() > until:
            return None
        last = max(begun, folder.stat().st_mtime)  # when a file came to it
        if time.time() > last + PATIENCE:
            raise TimeoutError(f"{'/'.join(measurement.key)} was not measured, and nothing else for {PATIENCE} s")
        time.sleep(0.05)
    return pickle.loads(finished.read_bytes())


def stop(folder: Path) -> None:
    """End what is still measured: the tests are over, and a program ends only after its threads' last request."""
    shutil.rmtree(folder, ignore_errors=True)  # so the next result ends its thread
    guard.end()


def _measure(folder: Path, measurements: list[Measurement], engines: list[Engine]) -> None:
    def on_progress(measurement: Measurement, _: str) -> None:
        if measurement.status != "not_run":
            _write(_file(folder, measurement), measurement)

    # The tests that run meanwhile go first, or a core idles at the end. Not every system lets a thread step back.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    checks = [measurement for measurement in measurements if measurement.measure == "check"]
    trains = [measurement for measurement in measurements if measurement.measure == "train"]
    native, keras = ([each for each in trains if (each.engine == "torch") is side] for side in (True, False))
    beside, one_each = Settings(timeout=PATIENCE), Settings(jobs=1, timeout=PATIENCE)
    until_target = training.Options(until_target=True)

    def compare() -> None:
        check.run(RunRecord("test", checks, None), engines, beside, on_progress)

    def train(lane: list[Measurement]) -> None:
        training.run(RunRecord("test", lane, None), engines, one_each, until_target, on_progress)

    # Beside each other; every lane more would start workers of its own, and each of them imports a framework.
    tasks = [compare] if checks else []
    tasks += [partial(train, lane) for lane in (native, keras) if lane]
    threads = [threading.Thread(target=_or_say_why_not, args=(folder, task), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with contextlib.suppress(FileNotFoundError):  # the tests have ended, see `stop`
        for measurement in measurements:
            _write(_file(folder, measurement), measurement)  # those too that nobody came to


def _or_say_why_not(folder: Path, task: Callable[[], None]) -> None:
    """A failure of the harness itself is read by every test that waits."""
    try:
        task()
    except BaseException:
        with contextlib.suppress(FileNotFoundError):  # the tests have ended, see `stop`
            (folder / FAILURE).write_text(traceback.format_exc())


def _file(folder: Path, measurement: Measurement) -> Path:
    return folder / "__".join(part.replace("/", "_") for part in measurement.key)


def _write(path: Path, what: object) -> None:
    """Whole or not at all: others look for the file meanwhile."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_bytes(pickle.dumps(what))
    unfinished.replace(path)
