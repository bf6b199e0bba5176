"""Records hold what happened, whatever happens: to the disk, to the file, to the machine, between two versions."""

import errno
import json
import math
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import typer

from compare.cli.carry_out import measure
from compare.engines.engine import ENGINES
from compare.record.machine import PRECISION
from compare.record.measurement import CheckMeasurement, exit_code
from compare.record.record import SCHEMA, RunRecord, read_record
from compare.record.results import BenchResult, CheckResult, ProcessRun, RungResult, TrainResult
from compare.record.schema import from_plain, to_plain
from twin.errors import TwinError
from twin.files import write_json
from twin.paths import ROOT

OLD = Path(__file__).parent
AGREED = CheckResult([RungResult("forward", "ok")])


def planned(*engines):
    return [CheckMeasurement("pooling", engine, "cpu", "float32", 0, "small") for engine in engines or ("torch",)]


def written(tmp_path, **changes):
    """A record's JSON, changed."""
    RunRecord("check", planned(), tmp_path / "sound.json", {"a": 1})
    return json.loads((tmp_path / "sound.json").read_text()) | changes


def read(tmp_path, content):
    (tmp_path / "read.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return read_record(tmp_path / "read.json")


def test_a_record_says_when_how_precisely_and_on_what(tmp_path):
    found = written(tmp_path)
    assert found["schema"] == SCHEMA == 3
    assert datetime.fromisoformat(found["started"]).tzinfo is not None
    assert found["machine"].keys() >= {"processor", "cores", "memory_gib", "usable_cores", "governor"}
    assert 1 <= found["machine"]["usable_cores"] <= found["machine"]["cores"]
    assert found["settings"] == {"threads": 1, "a": 1}
    environment = ENGINES["keras-jax"].environment("cpu", 1)
    assert found["precision"] == {name: environment[name] for name in PRECISION}
    assert environment["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.fixture(params=[1, 2])
def older(request):
    """A record that this suite wrote when its schema was that."""
    return OLD / f"schema_{request.param}.json"


def test_an_older_record_is_read_as_a_new_one(older, tmp_path):
    old, found = json.loads(older.read_text()), read_record(older)
    assert found.schema == SCHEMA
    assert found.settings["threads"] == 1
    assert found.machine.processor == old["machine"]["processor"]
    assert (found.started, found.machine.governor) == (old.get("started"), None)
    assert [(m.measure, m.twin, m.engine, m.status) for m in found.measurements] == [
        (c["measure"], c["twin"], c["engine"], c["status"]) for c in old["cells"]
    ]
    for measurement, cell in zip(found.measurements, old["cells"], strict=True):
        result = measurement.result
        if measurement.measure == "check":
            assert [to_plain(rung)["worst"] for rung in result.rungs if rung.worst] == [
                rung["worst"] | {"noise_limit": None} for rung in cell["rungs"] if rung["worst"]
            ]
        elif measurement.measure == "bench":
            assert [run.times["batch_inference"] for run in result.process_runs] == [
                timed["throughput"] for timed in cell["rounds"]
            ]
            assert len(result.aa_runs) == len(cell.get("copy", []))
            assert result.ratios["batch_inference"].noise_band == cell["speed"]["throughput"]["band"]
            assert result.ratios["step"].process_runs == cell["speed"]["step"]["rounds"]
        else:
            assert (result.value, result.target, result.loss) == (cell["value"], cell["goal"], cell["loss"])
            pictures = cell.get("shown", {}).get("pictures", [])
            assert len(result.predictions.pictures if result.predictions else []) == len(pictures)
    (tmp_path / "new.json").write_text(found.to_text())
    assert read_record(tmp_path / "new.json") == found


def test_the_infinity_of_one_round_is_read_as_no_interval(tmp_path):
    old = json.loads((OLD / "schema_2.json").read_text())
    (timed,) = [cell for cell in old["cells"] if cell["measure"] == "bench" and cell["engine"] == "torch"]
    timed["speed"]["step"] |= {"low": 0.0, "high": math.inf, "band": math.inf, "rounds": 1}
    found = read(tmp_path, old)
    (ratio,) = [m.result.ratios["step"] for m in found.measurements if (m.measure, m.engine) == ("bench", "torch")]
    assert (ratio.low, ratio.high, ratio.noise_band) == (None, None, None)
    assert "Infinity" not in found.to_text()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_null_in_the_file_and_nan_when_read(value, tmp_path):
    result = TrainResult("accuracy", value, 0.95, 0.1, 1.0, {"loss": [1.0, value]})
    text = to_plain(result)
    assert (text["value"], text["loss"]) == (None, {"loss": [1.0, None]})
    again = from_plain(TrainResult, text)
    assert math.isnan(again.value)
    assert math.isnan(again.loss["loss"][1])
    assert again.counted_value == 0.1
    write_json(tmp_path / "other.json", {"a": [value, 1.0]})
    assert json.loads((tmp_path / "other.json").read_text()) == {"a": [None, 1.0]}


def measurement(measure="check", **changes):
    return to_plain(planned()[0]) | {"measure": measure, **changes}


def timed(**run):
    return {"measurements": [measurement("bench", result={"process_runs": [run]})]}


RUNG = {"rung": "forward", "status": "ok"}
TRAINED = {"metric": "accuracy", "target": 0.9, "chance": 0.1, "seconds": 1.0, "loss": {}}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('{"schema": 3, "measurements": [{"measure": "che', "cut off"),
        ("[" * 100_000, "cut off"),
        ({"measurements": []}, "has no measurements"),
        ({"measurements": {}}, "measurements: expected a valid array, got {}"),
        ({"measurements": None}, "measurements: expected a valid array, got None"),
        ({"machine": "this one"}, "machine: expected an object, got 'this one'"),
        ({"versions": {"torch": "2.13"}}, r"versions\.torch: expected .* got '2\.13'"),
        ({"started": 3}, "started: expected a valid string, got 3"),
        ({"schema": 4}, "upgrade twin-suite"),
        ({"schema": "3"}, "no record"),
        ({"measurements": [measurement(), 3]}, r"measurements\[1\]: expected .* got 3"),
        ({"measurements": [{"measure": "check"}]}, r"measurements\[0\]\.twin: expected a value, got nothing"),
        ({"measurements": [measurement("speed")]}, "expected one of the measures check, bench, train"),
        ({"measurements": [measurement(seed="0")]}, r"measurements\[0\]\.seed: expected a valid integer, got '0'"),
        ({"measurements": [measurement(seed=True)]}, r"seed: expected a valid integer, got True"),
        ({"measurements": [measurement(status="fine")]}, r"status: expected 'not_run', 'ok', .* got 'fine'"),
        ({"measurements": [measurement(result={"rungs": [3]})]}, r"result\.rungs\[0\]: expected an object, got 3"),
        ({"measurements": [measurement(result={"rungs": "none"})]}, "rungs: expected a valid array, got 'none'"),
        (
            {"measurements": [measurement(), measurement(result={"rungs": [RUNG, RUNG | {"status": "good"}]})]},
            r"measurements\[1\]\.result\.rungs\[1\]\.status: expected 'ok' or 'failed', got 'good'",
        ),
        ({"measurements": [measurement(result={"rungs": [RUNG | {"worst": {}}]})]}, r"worst\.name: expected a value"),
        (timed(times={"step": [0.1, "fast"]}), r"process_runs\[0\]\.times\.step\[1\]: expected a valid number"),
        (timed(times={"step": 0.1}), r"times\.step: expected a valid array, got 0\.1"),
        (timed(times={"pace": [0.1]}), "times.pace.*: expected 'step', 'loop', 'batch_inference' or 'latency'"),
        (timed(unsteady=1), "unsteady: expected a valid array, got 1"),
        ({"measurements": [measurement("bench", result={"ratios": [1]})]}, "ratios: expected an object"),
        ({"measurements": [measurement("train", result=TRAINED | {"value": "high"})]}, r"result\.value: expected"),
        ({"measurements": [measurement("train", result=TRAINED | {"value": 1.0, "margin": [1]})]}, r"margin: expected"),
        ({"measurements": [measurement("train", result={"value": 0.9})]}, r"result\.metric: expected a value"),
        ({"schema": 2, "cells": 3}, "measurements: expected a valid array, got 3"),
        ({"schema": 2, "cells": [3]}, r"measurements\[0\]: expected"),
        ({"schema": 2, "cells": [measurement("bench", rounds=[1.0])]}, r"process_runs\[0\]: expected an object"),
        ({"schema": 2, "cells": [measurement("bench", speed={"step": 1})]}, r"ratios\.step: expected an object"),
        ({"schema": 1, "settings": 3, "cells": []}, "settings: expected"),
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


def test_what_a_process_run_measured_is_kept(tmp_path):
    run = ProcessRun({"step": [5e-4, 6e-4]}, 1.8, 3e-3, unsteady=["step"], repetitions={"step": 12})
    sound = measurement("bench", result=to_plain(BenchResult(process_runs=[run], aa_runs=[run])))
    assert read(tmp_path, written(tmp_path, measurements=[sound])).measurements[0].result.process_runs == [run]


def test_bytes_that_are_no_text_are_no_record(tmp_path):
    (tmp_path / "r.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TwinError, match="it is no text"):
        read_record(tmp_path / "r.json")


def test_a_continued_run_keeps_its_beginning_and_refuses_other_versions_or_another_gpu(tmp_path):
    gpu = {"torch": "2.13.0"}, "NVIDIA H100"
    first = RunRecord("check", planned("torch", "keras-jax"), tmp_path / "r.json")
    first.started = "2026-01-01T00:00:00+00:00"
    first.register_engine("torch", *gpu)
    first.measurements[0].status, first.measurements[0].result = "ok", AGREED
    first.save()
    again = RunRecord("check", planned("torch", "keras-jax"), None)
    assert again.resume_from(tmp_path / "r.json") == 1
    assert again.started == first.started
    assert again.machine.gpu.name == "NVIDIA H100"
    again.register_engine("torch", *gpu)
    with pytest.raises(TwinError, match=r"torch has versions 2\.14\.0, where the record's measurements had 2\.13\.0"):
        again.register_engine("torch", {"torch": "2.14.0"}, "cpu")
    with pytest.raises(TwinError, match="NVIDIA A100"):
        again.register_engine("torch", {"torch": "2.13.0"}, "NVIDIA A100")


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
from compare.record.measurement import CheckMeasurement
from compare.record.record import RunRecord
from compare.record.results import CheckResult, RungResult
record = RunRecord("check", [CheckMeasurement("pooling", "torch", "cpu", "float32", 0, "small")], Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
record.measurements[0].status, record.measurements[0].result = "ok", CheckResult(
    [RungResult("forward", "ok", None, "long" * 9000)]
)
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
    assert read_record(tmp_path / "r.json").measurements[0].status == "not_run"
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize("room_again", [False, True])
def test_what_was_measured_is_printed_though_the_disk_filled(room_again, tmp_path, monkeypatch, capsys):
    disk = Disk(monkeypatch)

    def run(record, tell):
        disk.full = True
        for each in record.measurements:
            each.status, each.result = "ok", AGREED
            record.save()
        disk.full = not room_again

    with pytest.raises(typer.Exit) as ended:
        measure("check", planned("torch", "keras-jax"), tmp_path, None, {}, None, run)
    said = capsys.readouterr()
    assert ended.value.exit_code == (0 if room_again else 3)
    assert said.out.startswith("Do they agree? Yes: ")
    assert said.err.count("No space left on device; choose another place with --out; measuring goes on") == 1
    assert ("lacks the newest results" in said.err) is not room_again
    (path,) = tmp_path.iterdir()
    statuses = {each.status for each in read_record(path).measurements}
    assert statuses == ({"ok"} if room_again else {"not_run"})


def test_a_folder_that_cannot_be_written_ends_the_run_before_it_begins():
    with pytest.raises(TwinError, match="cannot write /dev/null/x"):
        measure("check", planned(), Path("/dev/null/x"), None, {}, None, None)


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
    assert exit_code(CheckMeasurement("t", "e", "cpu", "float32", 0, "small", status=s) for s in statuses) == code


def test_resume_takes_over_what_is_finished_and_refuses_another_run(tmp_path):
    measurements = planned("torch", "keras-jax")
    first = RunRecord("check", measurements, tmp_path / "record.json")
    measurements[0].status, measurements[0].result = "ok", AGREED
    measurements[1].status = "crashed"
    first.save()
    fresh = planned("torch", "keras-jax")
    again = RunRecord("check", fresh, None)
    assert again.resume_from(tmp_path / "record.json") == 1
    assert [measurement.status for measurement in again.measurements] == ["ok", "not_run"]

    kept = json.loads((tmp_path / "record.json").read_text())
    for changed, says in (
        ({"command": "bench"}, "a run of `twin bench`, this one of `twin check`"),
        ({"code": "another"}, "another state of the suite's code"),
        ({"machine": kept["machine"] | {"usable_cores": 999}}, "that run's machine had usable cores 999, this one has"),
        ({"settings": {"threads": 7}}, "that run had threads 7, this one has threads 1"),
        (
            {"settings": {"threads": 1, "process_runs": 3}},
            "that run had process runs 3, this one has process runs none",
        ),
    ):
        write_json(tmp_path / "other.json", kept | changed)
        with pytest.raises(TwinError, match=re.escape(says)):
            again.resume_from(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "cut off"), ("[]", "no record"), ('{"schema": 99, "measurements": []}', "upgrade"), (None, "cannot read")],
)
def test_a_bad_record_is_one_clear_line(content, says, tmp_path):
    if content is not None:
        (tmp_path / "r.json").write_text(content)
    with pytest.raises(TwinError, match=says):
        read_record(tmp_path / "r.json")
