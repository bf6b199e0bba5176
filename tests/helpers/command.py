"""The command line in a process of its own, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

from compare.engines.engine import ROOT

TWIN = [sys.executable, str(ROOT / "tests" / "helpers" / "forking_twin.py")]


def environment() -> dict[str, str]:
    """That of a command that runs somewhere else and finds this tree."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}


def twin(*arguments: str | Path, cwd: Path | None = None, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `twin` with these arguments, and wait until it ends."""
    command = [*TWIN, *map(os.fspath, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=environment())
