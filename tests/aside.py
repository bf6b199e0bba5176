"""Programs that a test runs on an engine, in a process of their own."""

import os
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from compare.cells import ROOT
from compare.engines import ENGINES


def run(engine: str, *arguments: str) -> str:
    """What Python prints for these arguments, on one thread; the test is skipped where the engine is not installed."""
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    env = ENGINES[engine].environment("cpu", 1) | {"PYTHONPATH": os.fspath(ROOT)}
    env["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # each program runs a few times; compiling it well takes longer
    command = [ENGINES[engine].python, "-W", "ignore", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=900, env=env)
    assert answer.returncode == 0, f"{engine}: {answer.stderr[-3000:]}"
    return answer.stdout


def run_each(engines: Iterable[str], *arguments: str) -> dict[str, str]:
    """The same on every engine of these that is installed, side by side; engine -> what it printed."""
    here = [engine for engine in engines if not ENGINES[engine].missing()]
    with ThreadPoolExecutor() as pool:
        return dict(zip(here, pool.map(lambda engine: run(engine, *arguments), here), strict=True))
