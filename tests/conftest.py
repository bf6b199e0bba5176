"""Tests are generated from the catalogue: one per twin and engine, with ids such as `lenet-keras-jax`.

The measurements that the selected tests need run in the background, through the very harness that users run, while
the other tests go on; those that wait for a measurement come last.
"""

import contextlib
import os
import signal
import threading

import pytest

from compare.check import run as check
from compare.engines.engine import ENGINES, Engine
from compare.engines.pool import Settings
from compare.record.measurement import Measurement
from compare.record.record import RunRecord
from compare.train import run as training
from tests.helpers import work
from twin.catalogue import TWINS, find
from twin.errors import TwinError
from twin.spec import Twin

# Before a framework is imported here: beside the background, two threads would wait for each other more than they work.
os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

# A shell that runs the tests in the background lets them ignore Ctrl-C, and those that send it to a command need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What `make test` trains each twin on, beside PyTorch; any other engine with --engine. Where XLA on a CPU takes
# long, Keras is tried on PyTorch.
KERAS, INSTEAD = "keras-jax", "keras-torch"
SLOW = ("vgg_style", "deep_convnet", "vgg", "vgg16", "inception", "googlenet", "mbconv", "efficientnet_b0")


def pytest_addoption(parser):
    parser.addoption("--engine", action="append", choices=list(ENGINES), help="only this engine; repeat for several")
    parser.addoption("--twin", action="append", help="only tests that are made for each twin, and of this one only")


def pytest_configure(config):
    try:
        for name in config.getoption("--twin") or ():
            find(name)
    except TwinError as error:
        raise pytest.UsageError(str(error)) from None


def twins_of(config) -> list[Twin]:
    return [twin for name, twin in TWINS.items() if name in (config.getoption("--twin") or TWINS)]


def engines_of(config) -> list[Engine]:
    wanted = config.getoption("--engine") or list(ENGINES)
    return [engine for name, engine in ENGINES.items() if name in wanted and not engine.missing()]


def pytest_generate_tests(metafunc):
    if "checked" in metafunc.fixturenames:
        measurements = check.plan(twins_of(metafunc.config), engines_of(metafunc.config), "cpu", 0, "small")
        metafunc.parametrize("checked", measurements, ids=map(_id, measurements), indirect=True)
    if "trained" in metafunc.fixturenames:
        models = [twin for twin in twins_of(metafunc.config) if twin.kind == "model"]
        measurements = training.plan(models, engines_of(metafunc.config), "cpu", [0])
        if not metafunc.config.getoption("--engine"):
            measurements = [c for c in measurements if c.engine in ("torch", INSTEAD if c.twin in SLOW else KERAS)]
        long = {twin.name for twin in models if work.is_long(twin)}
        marks = [[pytest.mark.long] if measurement.twin in long else [] for measurement in measurements]
        given = [
            pytest.param(measurement, marks=mark, id=_id(measurement))
            for measurement, mark in zip(measurements, marks, strict=True)
        ]
        metafunc.parametrize("trained", given, indirect=True)
    if "twin" in metafunc.fixturenames:
        twins = twins_of(metafunc.config)
        metafunc.parametrize("twin", twins, ids=[twin.name for twin in twins])


def _id(measurement: Measurement) -> str:
    return f"{measurement.twin}-{measurement.engine}" + ("-float64" if measurement.dtype == "float64" else "")


class Background:
    """Runs the measurements of the collected tests; `wait` returns a measurement when it has been measured."""

    def __init__(self):
        self.measurements: dict[str, Measurement] = {}
        self.done: dict[str, threading.Event] = {}
        self.failure: BaseException | None = None

    def want(self, measurement: Measurement) -> None:
        self.measurements["/".join(measurement.key)] = measurement
        self.done["/".join(measurement.key)] = threading.Event()

    def start(self, engines: list[Engine]) -> None:
        if self.measurements:
            threading.Thread(target=self._run, args=(engines,), daemon=True).start()

    def wait(self, measurement: Measurement) -> Measurement:
        if not self.done["/".join(measurement.key)].wait(timeout=1500):
            raise TimeoutError(f"{_id(measurement)} was not measured in time")
        if self.failure:
            raise self.failure
        return self.measurements["/".join(measurement.key)]

    def _run(self, engines: list[Engine]) -> None:
        def tell(measurement: Measurement, word: str) -> None:
            if measurement.status != "not_run":
                self.done["/".join(measurement.key)].set()

        # The tests that run meanwhile go first, or a core idles at the end. Not every system lets a thread step back.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        try:
            checks = [measurement for measurement in self.measurements.values() if measurement.measure == "check"]
            check.run(RunRecord("test", checks, None), engines, Settings(), tell)
            trains = [measurement for measurement in self.measurements.values() if measurement.measure == "train"]
            one_each = Settings(jobs=1)
            native, keras = ([c for c in trains if (c.engine == "torch") is side] for side in (True, False))
            lanes = [native, keras[::2], keras[1::2]]  # Keras's take longer: in one lane, a core would idle
            threads = [
                threading.Thread(
                    target=training.run,
                    args=(RunRecord("test", lane, None), engines, one_each, training.Options(until_target=True), tell),
                )
                for lane in lanes
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException as error:
            self.failure = error
        finally:
            for event in self.done.values():
                event.set()


BACKGROUND = Background()


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config, items):
    if config.getoption("--twin"):
        made_for_each = {"checked", "trained", "twin"}
        dropped = [item for item in items if not made_for_each & set(item.fixturenames)]
        items[:] = [item for item in items if made_for_each & set(item.fixturenames)]
        config.hook.pytest_deselected(items=dropped)
    for item in items:
        if {"checked", "trained"} & set(item.fixturenames):
            item.add_marker(pytest.mark.framework)
    items.sort(key=lambda item: bool({"checked", "trained"} & set(item.fixturenames)))


def pytest_collection_finish(session):
    for item in session.items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        for measurement in (params.get("checked"), params.get("trained")):
            if measurement is not None:
                BACKGROUND.want(measurement)
    if not session.config.getoption("--collect-only"):
        BACKGROUND.start(engines_of(session.config))


@pytest.fixture
def checked(request) -> Measurement:
    """A measurement of `twin check`, measured."""
    return BACKGROUND.wait(request.param)


@pytest.fixture
def trained(request) -> Measurement:
    """A measurement of `twin train`, measured."""
    return BACKGROUND.wait(request.param)
