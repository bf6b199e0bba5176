"""Records hold what happened, whatever happens: to the disk, to the file, to the machine, between two versions."""

import errno
import json
import os
import subprocess
import sys
from datetime import datetime

import pytest
import typer

from compare.cli.carry_out import measure
from compare.engines.engine import ENGINES
from compare.record import record as cells
from compare.record.cell import Cell, exit_code
from compare.record.files import write_json
from compare.record.machine import PRECISION
from compare.record.record import Record, read_record
from twin.errors import TwinError
from twin.paths import ROOT


def planned(*engines):
    return [Cell("check", "pooling", engine, "cpu", "float32", 0, "small") for engine in engines or ("torch",)]


def written(tmp_path, **changes):
    """A record's JSON, changed."""
    Record("check", planned(), tmp_path / "sound.json", {"a": 1})
    return json.loads((tmp_path / "sound.json").read_text()) | changes


def read(tmp_path, content):
    (tmp_path / "read.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return read_record(tmp_path / "read.json")


def test_a_record_says_when_how_precisely_and_on_what(tmp_path):
    found = written(tmp_path)
    assert found["schema"] == 2
    assert datetime.fromisoformat(found["started"]).tzinfo is not None
    assert found["machine"].keys() >= {"processor", "cores", "memory_gib", "usable_cores", "governor"}
    assert 1 <= found["machine"]["usable_cores"] <= found["machine"]["cores"]
    assert found["settings"] == {"threads": 1, "a": 1}
    environment = ENGINES["keras-jax"].environment("cpu", 1)
    assert found["precision"] == {name: environment[name] for name in PRECISION}
    assert environment["NVIDIA_TF32_OVERRIDE"] == "0"


def test_an_older_record_is_read_as_a_new_one(tmp_path):
    old = written(tmp_path, schema=1)
    del old["started"], old["precision"], old["settings"]["threads"]
    del old["machine"]["usable_cores"], old["machine"]["governor"]
    found = read(tmp_path, old)
    assert (found["schema"], found["started"], found["settings"]["threads"]) == (2, None, 1)
    assert found["machine"]["governor"] is None
    assert found.keys() == written(tmp_path).keys()
    assert found["cells"] == old["cells"]


def cell(**changes):
    return planned()[0].to_json() | changes


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('{"schema": 2, "cells": [{"measure": "che', "cut off"),
        ("[" * 100_000, "cut off"),
        ({"cells": []}, "has no cells"),
        ({"cells": {}}, "cells is {}"),
        ({"cells": None}, "cells is None"),
        ({"machine": "mine"}, "machine is 'mine'"),
        ({"versions": {"torch": "2.13"}}, "versions.torch is '2.13', no object"),
        ({"started": 3}, "started is 3"),
        ({"schema": 3}, "upgrade twin-suite"),
        ({"schema": "2"}, "no record"),
        ({"cells": [cell(), 3]}, "a cell is 3"),
        ({"cells": [{"measure": "check"}]}, "a cell has no 'twin'"),
        ({"cells": [cell(seed="0")]}, "a cell.seed is '0'"),
        ({"cells": [cell(status="fine")]}, "unknown status 'fine'"),
        ({"cells": [cell(rungs=[3])]}, r"rungs\[0\] is 3, no object"),
        ({"cells": [cell(rungs="none")]}, "rungs is 'none', no list"),
        ({"cells": [cell(rungs=[{"rung": "forward", "status": "ok", "worst": {}}])]}, "worst has no 'name'"),
        ({"cells": [cell(rounds=[[1.0]])]}, r"rounds\[0\] is \[1.0\], no object"),
        ({"cells": [cell(rounds=[{"step": [0.1, "fast"]}])]}, r"step\[1\] is 'fast'"),
        ({"cells": [cell(rounds=[{"step": 0.1}])]}, "step is 0.1, no list"),
        ({"cells": [cell(rounds=[{"step": [0.1], "unsteady": 1}])]}, "unsteady is 1, no list"),
        ({"cells": [cell(speed=[1])]}, r"speed is \[1\], no object"),
        ({"cells": [cell(value="high")]}, "value is 'high'"),
        ({"cells": [cell(value=0.9, margin=[1])]}, r"margin is \[1\]"),
    ],
    ids=str,
)
def test_a_damaged_record_is_one_clear_line(content, says, tmp_path):
    if isinstance(content, dict):
        content = written(tmp_path) | content
    with pytest.raises(TwinError, match=says) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith((str(tmp_path), "cannot read"))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_timed_round_is_no_damage(tmp_path):
    timed = {"import_seconds": 1.8, "first_step": 3e-3, "step": [5e-4, 6e-4], "unsteady": ["step"], "repetitions": {}}
    sound = cell(rounds=[timed], copy=[timed], value=float("nan"))
    assert read(tmp_path, written(tmp_path, cells=[sound]))["cells"][0]["rounds"] == [timed]


def test_bytes_that_are_no_text_are_no_record(tmp_path):
    (tmp_path / "r.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TwinError, match="it is no text"):
        read_record(tmp_path / "r.json")


def test_a_continued_run_keeps_its_beginning_and_refuses_other_versions_or_another_gpu(tmp_path):
    hello = {"versions": {"torch": "2.13.0"}, "device": "NVIDIA H100"}
    first = Record("check", planned("torch", "keras-jax"), tmp_path / "r.json")
    first.started = "2026-01-01T00:00:00+00:00"
    first.heard("torch", hello)
    first.cells[0].status = "ok"
    first.save()
    again = Record("check", planned("torch", "keras-jax"), None)
    assert again.adopt(tmp_path / "r.json") == 1
    assert again.started == first.started
    assert again.machine["gpu"]["name"] == "NVIDIA H100"
    again.heard("torch", hello)
    with pytest.raises(TwinError, match=r"torch has versions 2\.14\.0, where the record's cells had 2\.13\.0"):
        again.heard("torch", {"versions": {"torch": "2.14.0"}, "device": "cpu"})
    with pytest.raises(TwinError, match="NVIDIA A100"):
        again.heard("torch", hello | {"device": "NVIDIA A100"})


class Disk:
    """One that can be full."""

    def __init__(self, monkeypatch):
        self.full = False
        self.sync = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, handle):
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.sync(handle)


def test_a_full_disk_leaves_the_earlier_file_and_no_other(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    write_json(tmp_path / "r.json", {"a": 1})
    disk.full = True
    with pytest.raises(TwinError, match=r"cannot write .*r\.json: No space left on device"):
        write_json(tmp_path / "r.json", {"a": 2})
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_file_that_may_not_grow_is_told_by_the_system_itself(tmp_path):
    """No function replaced: the process may write files of 4 KiB, and the record becomes longer."""
    code = """
import resource, sys
from pathlib import Path
from compare.record.cell import Cell
from compare.record.record import Record
record = Record("check", [Cell("check", "pooling", "torch", "cpu", "float32", 0, "small")], Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
record.cells[0].status, record.cells[0].result = "ok", {"long": list(range(10_000))}
record.save()
record.save()
sys.exit(record.exit_code())
"""
    command = [sys.executable, "-c", code, str(tmp_path / "r.json")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    assert answer.returncode == 3, answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "File too large; choose another place with --out; measuring goes on" in answer.stderr
    assert read_record(tmp_path / "r.json")["cells"][0]["status"] == "not_run"
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize("room_again", [False, True])
def test_what_was_measured_is_printed_though_the_disk_filled(room_again, tmp_path, monkeypatch, capsys):
    disk = Disk(monkeypatch)

    def run(record, tell):
        disk.full = True
        for each in record.cells:
            each.status, each.result = "ok", {"rungs": []}
            record.save()
        disk.full = not room_again

    with pytest.raises(typer.Exit) as ended:
        measure("check", planned("torch", "keras-jax"), tmp_path, None, {}, None, run)
    said = capsys.readouterr()
    assert ended.value.exit_code == (0 if room_again else 3)
    assert "2 of 2 cells agree" in said.out
    assert said.err.count("No space left on device; choose another place with --out; measuring goes on") == 1
    assert ("lacks the newest results" in said.err) is not room_again
    (path,) = tmp_path.iterdir()
    statuses = {each["status"] for each in read_record(path)["cells"]}
    assert statuses == ({"ok"} if room_again else {"not_run"})


def test_a_folder_that_cannot_be_written_ends_the_run_before_it_begins():
    with pytest.raises(TwinError, match="cannot write /dev/null/x"):
        measure("check", planned(), cells.Path("/dev/null/x"), None, {}, None, None)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["ok"], 0),
        (["ok", "skipped"], 0),
        (["ok", "failed"], 1),
        (["failed", "crashed"], 1),
        (["ok", "timeout"], 3),
        (["ok", "not_run"], 3),
        (["skipped"], 3),
        ([], 3),
    ],
)
def test_exit_code(statuses, code):
    assert exit_code(Cell("check", "t", "e", "cpu", "float32", 0, "small", status=s) for s in statuses) == code


def test_resume_takes_over_what_is_finished_and_refuses_another_run(tmp_path):
    cells = planned("torch", "keras-jax")
    first = Record("check", cells, tmp_path / "record.json")
    cells[0].status, cells[0].result = "ok", {"rungs": []}
    cells[1].status = "crashed"
    first.save()
    fresh = planned("torch", "keras-jax")
    again = Record("check", fresh, None)
    assert again.adopt(tmp_path / "record.json") == 1
    assert [cell.status for cell in again.cells] == ["ok", "not_run"]

    for what in ("machine", "code", "settings"):
        other = json.loads((tmp_path / "record.json").read_text()) | {what: "another" if what == "code" else {"a": 1}}
        write_json(tmp_path / "other.json", other)
        with pytest.raises(TwinError, match=f"that run's {what}"):
            again.adopt(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "cut off"), ("[]", "no record"), ('{"schema": 99, "cells": []}', "upgrade"), (None, "cannot read")],
)
def test_a_bad_record_is_one_clear_line(content, says, tmp_path):
    if content is not None:
        (tmp_path / "r.json").write_text(content)
    with pytest.raises(TwinError, match=says):
        read_record(tmp_path / "r.json")
