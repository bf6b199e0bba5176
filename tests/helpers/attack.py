"""Commands under attack: with workers that need no framework, in a folder and with temporary files of their own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.helpers.command import environment

FAKE = [sys.executable, "-P", "-m", "tests.helpers.fake_twin"]
CHECK = ["check", "tensors", "pooling", "why_deep", "--engine", "torch"]  # the second goes wrong as TWIN_FAULT says


def mostly_long(values: Iterable[Any], quick: int = 1) -> list[Any]:
    """Parameters of a test of which `make test` runs the first `quick`, and `make test-long` the others."""
    rows = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*row, marks=[pytest.mark.long] if at >= quick else []) for at, row in enumerate(rows)]


def surroundings(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command whose temporary files are in `folder`/tmp."""
    (folder / "tmp").mkdir(exist_ok=True)
    return environment() | {"TMPDIR": str(folder / "tmp")} | dict(env or {})


def fake(
    folder: Path, *arguments: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the command with fake workers until it ends."""
    return subprocess.run(
        [*FAKE, *map(os.fspath, arguments)],
        cwd=folder,
        env=surroundings(folder, env),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
    )


@contextlib.contextmanager
def running(
    folder: Path, *arguments: str | Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The command, as soon as it handles signals; ended at the end, whatever it does."""
    process = subprocess.Popen(
        [*FAKE, *map(os.fspath, arguments)],
        cwd=folder,
        env=surroundings(folder, env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: process.poll() is not None or _handles_signals(process.pid))
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(happened, seconds: float = 30) -> None:
    """Until a function returns something true."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def left_of(folder: Path) -> list[str]:
    """Processes whose temporary files are in `folder`/tmp, and what lies there."""
    out = [each.name for each in (folder / "tmp").iterdir()]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("TMPDIR", "").startswith(str(folder / "tmp")):
                out.append(" ".join(process.cmdline()))
    return out


def _handles_signals(pid: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False
