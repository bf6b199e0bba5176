"""Programs that a test runs on an engine, in a process of their own."""

import os
import signal
import subprocess
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from compare.engines.engine import ENGINES
from tests.helpers import forks
from twin.paths import ROOT

# Keras's engines as parameters of a test: TensorFlow and JAX take long to import and compile, and go to make test-long.
KERAS = [
    pytest.param(name, marks=[] if name == "keras-torch" else [pytest.mark.long])
    for name, engine in ENGINES.items()
    if engine.side == "keras"
]

# A program that runs a few times: JAX would compile it well for longer.
QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


def run(engine: str, *arguments: str, folder: Path = ROOT) -> str:
    """What Python prints for these arguments, on one thread; the test is skipped where the engine is not installed.

    Args:
        engine: its name.
        arguments: of Python.
        folder: where it runs, and imports from.
    """
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    env = ENGINES[engine].environment("cpu", 1) | (QUICK if ENGINES[engine].backend == "jax" else {})
    env["PYTHONPATH"] = f"{folder}{os.pathsep}{env['PYTHONPATH']}"
    command = [ENGINES[engine].python, "-W", "ignore", *arguments]
    with TemporaryFile("w+") as said, TemporaryFile("w+") as complained:
        process = forks.start(command, env, ENGINES[engine].side, cwd=folder, stdout=said, stderr=complained)
        try:
            code = process.wait(900)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            raise
        said.seek(0)
        complained.seek(0)
        assert code == 0, f"{engine}: {complained.read()[-3000:]}"
        return said.read()


def run_each(engines: Iterable[str], *arguments: str) -> dict[str, Future]:
    """The same on each of these engines, side by side; engine -> what `run` gave or raised, as its `result()` tells."""
    with ThreadPoolExecutor() as pool:
        return {engine: pool.submit(run, engine, *arguments) for engine in engines}
