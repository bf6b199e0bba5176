"""A process that must end with the one that started it."""

import os
import subprocess
import sys

from twin.endings import GROUPS

REGISTER = "from twin.endings import register; register(); print('goes on')"


def started(folder):
    environment = os.environ | {GROUPS: str(folder)}
    return subprocess.run([sys.executable, "-c", REGISTER], env=environment, capture_output=True, text=True, timeout=60)


def test_it_writes_itself_down_before_it_goes_on(tmp_path):
    assert started(tmp_path).stdout == "goes on\n"
    (written,) = tmp_path.iterdir()
    assert written.name.isdigit()


def test_it_ends_if_who_started_it_is_gone(tmp_path):
    answer = started(tmp_path / "gone")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
