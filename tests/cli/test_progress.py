"""What a run says while it goes on: phase, place and time left, also where no terminal shows it."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
from collections import Counter
from typing import get_args

import pytest

from compare.cli import progress
from compare.record.measurement import BenchMeasurement, CheckMeasurement, Measure
from tests.helpers.command import environment


def of(kind, engine):
    return kind("lenet", engine, "cpu", "float32", 0, "small")


def test_a_run_says_its_part_its_place_and_the_time_left(monkeypatch):
    clock = iter([0.0, 60.0, 60.0, 60.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    run = progress.Run(Counter(check=4, bench=2))
    assert run.text() == "starting"
    first = of(CheckMeasurement, "torch")
    run.told(first, "started")
    first.status = "ok"
    run.told(first, "ok")
    assert run.text() == "part 1 of 2, checking, 2 of 4, about 3 min left: lenet on torch: ok"


def test_the_bench_tells_its_own_time_left():
    run = progress.Run(Counter(bench=2))
    run.told(of(BenchMeasurement, "torch"), "process run 2, training step, about 4 min left")
    assert run.text() == "timing, 1 of 2, about 4 min left: lenet on torch: process run 2, training step"


def test_every_kind_of_measurement_has_its_word():
    assert set(progress.PHASES) == set(get_args(Measure))


def test_where_nobody_watches_a_line_comes_now_and_then(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    said, enough = [], threading.Event()

    def text():
        said.append(f"at {len(said)}")
        if len(said) > 2:
            enough.set()
        return said[-1]

    with progress.live(text, first=0.01, then=0.01):
        assert enough.wait(30)
    assert re.match(r"at 0 \(\d+ s so far\)\nat 1 \(", stream.getvalue())
    assert progress.FIRST < 10


def test_what_is_quick_says_nothing(capsys):
    with progress.working("nothing much"):
        pass
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_one_line_that_is_gone_in_the_end():
    code = "import time\nfrom compare.cli.progress import working\nwith working('hard ' * 40): time.sleep(1.2)"
    parent, child = pty.openpty()
    env = environment() | {"COLUMNS": "60", "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=child, env=env)
    os.close(child)
    told = b""
    while True:
        try:
            told += (part := os.read(parent, 4096))
        except OSError:
            break
        if not part:
            break
    assert process.wait(60) == 0
    os.close(parent)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told.decode()).replace("\r", "\n")
    assert "hard hard" in plain
    assert plain.rstrip().endswith("s so far)"), "the time is what is not cut off"
    assert max(map(len, plain.splitlines())) <= 60
    assert told.count(b"\n") <= 2


@pytest.mark.parametrize(("seconds", "says"), [(5, "5 s"), (89, "89 s"), (200, "3 min"), (7800, "2 h 10 min")])
def test_a_length_of_time_is_short(seconds, says):
    assert progress.length(seconds) == says
