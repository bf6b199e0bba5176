"""The command line as a user meets it: the program is run, and what it says and returns is read."""

import json
import os
import signal
import subprocess
import time

import pytest

from compare.record import record as records
from tests.helpers.command import TWIN, environment, twin
from twin.catalogue import TWINS


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "lenett"], "unknown twin 'lenett'; did you mean lenet"),
        (["check", "lenet", "--engine", "kerasjax"], "unknown engine 'kerasjax'; did you mean keras-jax"),
        (["check", "lenet", "--engine", "gpu"], "gpu is no engine but a device; say --device cuda"),
        (["port", "nothing", "--to", "torch"], "unknown twin 'nothing'; known: tensors"),
        (["check"], "which twins?"),
        (["check", "lenet", "--all"], "which twins?"),
        (["check", "--chapter", "99"], "unknown chapter '99'"),
        (["check", "lenet", "--seed", "-1"], "--seed"),
        (["check", "lenet", "--size", "huge"], "--size"),
        (["check", "lenet", "--timeout", "0"], "--timeout"),
        (["check", "lenet", "--python", "torch"], "expected ENGINE=PATH"),
        (["check", "lenet", "--resume", "nothing.json"], "cannot read nothing.json"),
        (["check", "lenet", "--out", "/dev/null/x"], "cannot write /dev/null/x"),
        (["train", "lenet", "--epochs", "0"], "--epochs"),
        (["train", "lenet", "--epochs", "-3"], "--epochs"),
        (["train", "lenet", "--save", "/dev/null/x"], "--save /dev/null/x"),
        (["train", "lenet", "mlp", "--weights", "w"], "weights belong to one twin"),
        (["train", "lenet", "--engine", "torch", "--weights", "nothing"], "no file nothing"),
        (["chek"], "chek"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, says, tmp_path):
    answer = twin(*arguments, cwd=tmp_path)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert answer.stdout == ""


@pytest.mark.skipif(os.path.exists("/dev/nvidia0"), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_refused(tmp_path):
    answer = twin("check", "lenet", "--device", "cuda", cwd=tmp_path)
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "--device cpu" in answer.stderr


def test_list_gives_its_stable_part():
    rows = json.loads(twin("list", "--json", "-").stdout)
    assert [row["name"] for row in rows] == list(TWINS)
    for row in rows:
        assert row.keys() == {"name", "title", "chapter", "kind", "parameters", "deck", "paper"}
        assert isinstance(row["parameters"]["small"], int)
        assert isinstance(row["parameters"]["paper"], int | None)


@pytest.mark.parametrize("columns", [80, 120])
def test_list_fits_the_terminal(columns):
    command = [*TWIN, "list"]
    env = environment() | {"COLUMNS": str(columns)}
    lines = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60).stdout.splitlines()
    assert all(len(line) <= columns for line in lines)
    assert all(any(line.split()[1:2] == [name] for line in lines) for name in TWINS)


@pytest.mark.framework
def test_check_gives_its_stable_part_and_a_record(tmp_path):
    answer = twin("check", "pooling", "mlp", "--engine", "torch", "--json", "-", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["schema"] == records.SCHEMA
    assert found["machine"]["cores"] == os.cpu_count()
    assert "torch" in found["versions"]["torch"]
    assert [measurement["twin"] for measurement in found["measurements"]] == ["pooling", "mlp"]
    for measurement in found["measurements"]:
        assert measurement.keys() >= {"twin", "engine", "device", "dtype", "status", "reason", "result"}
        assert measurement["status"] == "ok"
        for rung in measurement["result"]["rungs"]:
            assert rung.keys() >= {"rung", "status", "worst"}
            assert rung["worst"] is None or rung["worst"].keys() >= {
                "name",
                "rel_l2",
                "noise_ratio",
                "max_abs",
                "limit",
            }
    (record,) = (tmp_path / "runs").glob("check-*.json")
    assert json.loads(record.read_text())["measurements"] == found["measurements"]
    assert str(record.relative_to(tmp_path)) in answer.stderr


@pytest.mark.framework
def test_a_table_fits_eighty_columns(tmp_path):
    answer = twin("check", "pooling", "mlp", "--engine", "torch", "--json", "found.json", cwd=tmp_path)
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert answer.stdout.startswith("Do they agree? Yes: ")
    assert json.loads((tmp_path / "found.json").read_text())["measurements"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("train pooling --seeds 3", "pooling is an exercise: it has no weights to train"),
        ("bench pooling tensors", "tensors is an exercise: there is no training to time; pooling is an exercise"),
        ("check mlp --size paper", "mlp has no size 'paper'"),
        ("export pooling --to onnx", "pooling is an exercise and has no model"),
    ],
)
def test_nothing_to_measure_is_exit_code_2_and_no_record(arguments, why, tmp_path):
    answer = twin(*arguments.split(), "--engine", "torch", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"twin: there is nothing to {arguments.split()[0]}: ")
    assert why in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.framework
def test_an_interruption_keeps_what_was_done_and_can_be_resumed(tmp_path):
    command = [*TWIN, "check", "pooling", "conv2d_by_hand", "vit", "--engine", "torch"]
    process = subprocess.Popen(
        [*command, "--out", "runs"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:  # until one measurement is in the record
        records = list((tmp_path / "runs").glob("check-*.json"))
        if records and any(
            measurement["status"] == "ok" for measurement in json.loads(records[0].read_text())["measurements"]
        ):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert b"go on with --resume" in said
    assert b"Traceback" not in said
    (record,) = (tmp_path / "runs").glob("check-*.json")
    words = f"check pooling conv2d_by_hand vit --engine torch --out runs --resume runs/{record.name}"
    assert said.decode().splitlines()[-1].endswith(words)
    statuses = [measurement["status"] for measurement in json.loads(record.read_text())["measurements"]]
    assert "ok" in statuses
    assert "not_run" in statuses

    answer = subprocess.run(
        [*command, "--resume", record], capture_output=True, text=True, cwd=tmp_path, timeout=240, env=environment()
    )
    assert answer.returncode == 0, answer.stderr
    assert f"{statuses.count('ok')} of 3 measurements taken over" in answer.stderr
    assert [measurement["status"] for measurement in json.loads(record.read_text())["measurements"]] == ["ok"] * 3


@pytest.mark.framework
def test_doctor_says_what_works():
    found = json.loads(twin("doctor", "--json", "-").stdout)
    assert found["engines"]["torch"]["works"]
    assert "torch" in found["engines"]["torch"]["versions"]
