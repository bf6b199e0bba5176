"""Programs that a test runs on an engine, in a process of their own."""

import subprocess
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from compare.engines.engine import ENGINES

# Keras's engines as parameters of a test: TensorFlow and JAX take long to import and compile, and go to make test-long.
KERAS = [
    pytest.param(name, marks=[] if name == "keras-torch" else [pytest.mark.long])
    for name, engine in ENGINES.items()
    if engine.side == "keras"
]

# A program that runs a few times: JAX would compile it well for longer.
QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


def run(engine: str, *arguments: str) -> str:
    """What Python prints for these arguments, on one thread; the test is skipped where the engine is not installed."""
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    env = ENGINES[engine].environment("cpu", 1) | QUICK
    command = [ENGINES[engine].python, "-W", "ignore", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=900, env=env)
    assert answer.returncode == 0, f"{engine}: {answer.stderr[-3000:]}"
    return answer.stdout


def run_each(engines: Iterable[str], *arguments: str) -> dict[str, Future]:
    """The same on each of these engines, side by side; engine -> what `run` gave or raised, as its `result()` tells."""
    with ThreadPoolExecutor() as pool:
        return {engine: pool.submit(run, engine, *arguments) for engine in engines}
