"""Tests are generated from the catalogue: one per twin and engine, with ids such as `lenet-keras-jax`.

The measurements that the selected tests need run in the background (tests/helpers/background.py), while the other tests
go on; those that wait for a measurement come last.

`--minutes 20` begins no test after twenty minutes, for a machine of unknown speed that may not take longer. Each commit
has an order of its own then, so that what one leaves out another reaches.
"""

import hashlib
import os
import signal
import subprocess
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.version import Version

from compare.check import run as check
from compare.engines.engine import ENGINES, Engine
from compare.record.measurement import Measurement
from compare.train import run as training
from tests.helpers import background, forks, work
from twin.catalogue import TWINS, find
from twin.errors import TwinError
from twin.spec import Twin

# Before a framework is imported here: beside the background, two threads would wait for each other more than they work.
os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
# What tests run a few times, XLA need not compile well. Without optimizations and with its older emitters it takes a
# tenth of the time, and a check a third; every check agrees with its reference as before, its last digits are others.
# XLA ends a process whose flags it does not know: it has these emitters as a choice since jaxlib 0.5.3.
XLA_FLAGS = ["--xla_backend_optimization_level=0"]
if find_spec("jaxlib") and Version(version("jaxlib")) >= Version("0.5.3"):
    XLA_FLAGS.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("XLA_FLAGS", " ".join(XLA_FLAGS))
# Keras in the process of the tests runs on PyTorch, whichever test imports it first.
os.environ["KERAS_BACKEND"] = "torch"

# pytest-xdist tells its processes how wide the terminal is, and a command would fold its lines to that.
os.environ.pop("COLUMNS", None)

# A shell that runs the tests in the background lets them ignore Ctrl-C and SIGQUIT, and those that send these to a
# command need them.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGQUIT"):
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# What `make test` trains each twin on, beside PyTorch; any other engine with --engine. Where XLA on a CPU takes
# long, Keras is tried on PyTorch.
KERAS, INSTEAD = "keras-jax", "keras-torch"
SLOW = (
    "vgg_style",
    "deep_convnet",
    "vgg",
    "vgg16",
    "inception",
    "googlenet",
    "mbconv",
    "efficientnet_b0",
    "conv3d",
    "lip_reading",
)

FOLDER = pytest.StashKey[Path]()  # where finished measurements lie
END = pytest.StashKey[float]()  # the time after which no test begins
NOT_REACHED = "not reached within --minutes"


def pytest_addoption(parser):
    parser.addoption("--engine", action="append", choices=list(ENGINES), help="only this engine; repeat for several")
    parser.addoption("--minutes", type=float, default=float("inf"), help="begin no test after so many minutes")
    parser.addoption("--twin", action="append", help="only tests that are made for each twin, and of this one only")


def pytest_configure(config):
    given = getattr(config, "workerinput", {}).get("measured")
    config.stash[END] = time.time() + 60 * config.getoption("--minutes")
    config.stash[FOLDER] = Path(given or tempfile.mkdtemp(prefix="twin-tests-"))
    if not given:
        config.add_cleanup(lambda: background.stop(config.stash[FOLDER]))
        forks.offer(config.stash[FOLDER])
        config.add_cleanup(forks.end)
    if config.getoption("numprocesses", None) and not given:
        config.pluginmanager.register(BesideProcesses())
    else:
        forks.plant()
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
    twins = twins_of(metafunc.config)
    models = [twin for twin in twins if twin.kind == "model"]
    if "checked" in metafunc.fixturenames:
        measurements = check.plan(twins, engines_of(metafunc.config), "cpu", 0, "small")
        # To check twice what is heavy is long too.
        heavy = {twin.name for twin in models if work.is_heavy(twin)}
        params = [_param(each, each.dtype == "float64" and each.twin in heavy) for each in measurements]
        metafunc.parametrize("checked", params, indirect=True)
    if "trained" in metafunc.fixturenames:
        measurements = training.plan(models, engines_of(metafunc.config), "cpu", [0])
        if not metafunc.config.getoption("--engine"):
            measurements = [c for c in measurements if c.engine in ("torch", INSTEAD if c.twin in SLOW else KERAS)]
        long = {twin.name for twin in models if work.is_long(twin)}
        metafunc.parametrize("trained", [_param(each, each.twin in long) for each in measurements], indirect=True)
    if "twin" in metafunc.fixturenames:
        metafunc.parametrize("twin", twins, ids=[twin.name for twin in twins])


def _param(measurement: Measurement, long: bool):
    name = f"{measurement.twin}-{measurement.engine}" + ("-float64" if measurement.dtype == "float64" else "")
    return pytest.param(measurement, marks=[pytest.mark.long] if long else [], id=name)


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
    if config.getoption("--minutes") < float("inf"):
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=config.rootpath, capture_output=True, check=False
        ).stdout
        items.sort(key=lambda item: hashlib.sha256(commit + _together(item).encode()).digest())
    items.sort(key=lambda item: bool({"checked", "trained"} & set(item.fixturenames)))


def _together(item) -> str:
    """What stays together when the order changes: the measurements of a twin, and the other tests of a file."""
    return next((each.twin for each in _waits_for(item)), str(item.path))


def _waits_for(item) -> list[Measurement]:
    params = getattr(getattr(item, "callspec", None), "params", {})
    return [params[name] for name in ("checked", "trained") if name in params]


def pytest_runtest_setup(item):
    if time.time() > item.config.stash[END]:
        pytest.skip(NOT_REACHED)


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    if count := sum(isinstance(each.longrepr, tuple) and NOT_REACHED in each.longrepr[2] for each in skipped):
        terminalreporter.write_line(f"{count} of the skipped tests were {NOT_REACHED}")


@pytest.hookimpl(
    tryfirst=True
)  # before this process says that it is ready, and the one that distributes reads what is asked
def pytest_collection_finish(session):
    """Ask for what the selected tests need; without several processes, begin to measure it."""
    if session.config.getoption("--collect-only"):
        return
    asked = [each for item in session.items for each in _waits_for(item)]
    number = getattr(session.config, "workerinput", {}).get("workerid")
    if number in (None, "gw0"):  # all of them collect the same
        background.ask(session.config.stash[FOLDER], asked)
    if number is None:
        background.start(session.config.stash[FOLDER], engines_of(session.config))


class BesideProcesses:
    """What the process does that distributes tests among others (pytest-xdist)."""

    def pytest_configure_node(self, node):
        node.workerinput["measured"] = str(node.config.stash[FOLDER])

    def pytest_xdist_node_collection_finished(self, node):
        if node.gateway.id == "gw0":
            background.start(node.config.stash[FOLDER], engines_of(node.config))


@pytest.fixture
def fresh(monkeypatch) -> None:
    """Workers are fresh processes, as users start them, and no forks (tests/helpers/forks.py)."""
    monkeypatch.delenv(forks.ASKED, raising=False)


@pytest.fixture
def checked(request) -> Measurement:
    """A measurement of `twin check`, measured."""
    return _waited_for(request)


@pytest.fixture
def trained(request) -> Measurement:
    """A measurement of `twin train`, measured."""
    return _waited_for(request)


def _waited_for(request) -> Measurement:
    measured = background.wait(request.config.stash[FOLDER], request.param, request.config.stash[END])
    return measured or pytest.skip(NOT_REACHED)
