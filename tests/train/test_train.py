"""`twin train`: seeds that pair, batches in an order of the seed's, runs that are interrupted and taken up again."""

import json
import math
import signal
import subprocess
import time
from types import SimpleNamespace

import numpy as np
import pytest

from compare.engines.answers import Malformed, Trained, parse
from compare.engines.engine import ENGINES
from compare.engines.pool import Settings
from compare.record.record import RunRecord, read_record
from compare.train import run as training
from compare.worker.context import Context
from compare.worker.training import Training
from tests.helpers import synthetic
from tests.helpers.command import TWIN, environment, twin
from tests.helpers.tensorboard import read_back
from twin.catalogue import find
from twin.data import Dataset
from twin.errors import TwinError


def test_a_plan_has_a_cell_per_twin_engine_and_seed_and_keeps_pairs_together():
    engines = [ENGINES["torch"], ENGINES["keras-jax"]]
    measurements = training.plan([find("mlp"), find("pooling")], engines, "cpu", [3, 5])
    assert [(c.twin, c.seed, c.engine, c.status) for c in measurements] == [
        ("mlp", 3, "torch", "not_run"),
        ("mlp", 3, "keras-jax", "not_run"),
        ("mlp", 5, "torch", "not_run"),
        ("mlp", 5, "keras-jax", "not_run"),
        ("pooling", 3, "torch", "skipped"),
        ("pooling", 3, "keras-jax", "skipped"),
    ]
    assert len({measurement.key for measurement in measurements}) == len(measurements)


def test_the_order_of_the_batches_is_the_seeds_alone():
    def orders(seed):
        kept = []
        context = Context("torch", lambda message: None)
        context.run = SimpleNamespace(twin=find("mlp"), seed=seed, module=SimpleNamespace())
        context.train = SimpleNamespace(  # in the framework's place
            prepare=lambda run, steps: None,
            fit=lambda run, train, orders, report: kept.extend(orders),
            synchronize=lambda: None,
            predict=lambda run, data: {"y": np.zeros((len(data["x"]), 10))},
        )
        rows = Training(context).fit(2, "digits", {"flat": True})["rows"]
        assert [sorted(order) for order in kept] == [list(range(rows))] * 2
        return np.array(kept)

    np.testing.assert_array_equal(orders(3), orders(3))
    assert (orders(3) != orders(4)).any()


@pytest.mark.framework
def test_two_seeds_are_paired_logged_saved_and_taken_over(tmp_path):
    command = "train", "mlp", "--engine", "torch", "--engine", "keras-torch", "--epochs", "1"
    answer = twin(*command, "--seeds", "2", "--log", "tensorboard", "--save", "saved", "--json", "f.json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "2 seeds give no verdict" in answer.stdout
    found = json.loads((tmp_path / "f.json").read_text())["measurements"]
    assert [(measurement["seed"], measurement["engine"]) for measurement in found] == [
        (seed, engine) for seed in (0, 1) for engine in ("torch", "keras-torch")
    ]
    losses = {
        (measurement["seed"], measurement["engine"]): measurement["result"]["loss"]["loss"][0] for measurement in found
    }
    for seed in (0, 1):  # the same weights, the same batches
        assert losses[seed, "torch"] == pytest.approx(losses[seed, "keras-torch"], rel=1e-4)
    assert losses[0, "torch"] != pytest.approx(losses[1, "torch"], rel=1e-3)
    assert {measurement["result"]["margin"] for measurement in found} == {find("mlp").metric.margin}
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {
        f"mlp-{engine}-seed{seed}.safetensors" for engine in ("torch", "keras-torch") for seed in (0, 1)
    }

    (record,) = (tmp_path / "runs").glob("train-*.json")
    logged = tmp_path / "runs" / "tensorboard" / record.stem / "mlp"
    scalars = read_back(*(logged / measurement["engine"] / f"seed{measurement['seed']}" for measurement in found))
    for measurement, curves in zip(found, scalars, strict=True):
        assert curves == {
            "loss/loss": [(1, pytest.approx(measurement["result"]["loss"]["loss"][0]))],
            "accuracy": [(1, pytest.approx(measurement["result"]["value"]))],
        }

    again = twin(*command, "--seeds", "2", "--resume", str(record), cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "4 of 4 measurements taken over" in again.stderr
    assert again.stdout == answer.stdout
    fewer = twin(*command, "--resume", str(record), cwd=tmp_path)
    assert fewer.returncode == 2
    assert "with seed 1 is in it and not in this run" in fewer.stderr
    assert json.loads(record.read_text())["measurements"] == found


@pytest.mark.framework
def test_an_interrupted_training_keeps_its_finished_seeds(tmp_path):
    command = [*TWIN, "train", "mlp", "--engine", "torch", "--epochs", "1"]
    process = subprocess.Popen(
        [*command, "--seeds", "1000"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        records = list((tmp_path / "runs").glob("train-*.json"))
        if records and '"ok"' in records[0].read_text():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    table, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert b"go on with --resume" in said
    assert b"Traceback" not in said
    assert b"0.95" in table
    statuses = [measurement["status"] for measurement in json.loads(records[0].read_text())["measurements"]]
    done = statuses.count("ok")
    assert done >= 1
    assert statuses == ["ok"] * done + ["not_run"] * (1000 - done)


@pytest.mark.framework
def test_a_training_until_its_target_stops_there_and_none_by_phases_is_cut_short():
    measurements = training.plan([find("mlp"), find("ensemble")], [ENGINES["torch"]], "cpu", [0])
    options = training.Options(until_target=True)
    record = RunRecord("train", measurements, None)
    training.run(record, [ENGINES["torch"]], Settings(jobs=1), options, lambda each, word: None)
    mlp, ensemble = measurements
    assert (mlp.status, ensemble.status) == ("ok", "ok"), (mlp.reason, ensemble.reason)
    assert mlp.result.value >= find("mlp").metric.target
    assert len(mlp.result.loss["loss"]) in (5, 10, 15)
    assert all(len(losses) == find("ensemble").epochs for losses in ensemble.result.loss.values())


NOTHING = {
    "no rows": lambda each: each.result.__setattr__("rows", 0),
    "no value": lambda each: each.result.__setattr__("value", math.nan),
    "no result": lambda each: each.__setattr__("result", None),
}


@pytest.mark.parametrize("kind", NOTHING)
def test_a_training_of_nothing_is_never_one_that_went_well(kind, tmp_path):
    record = synthetic.record(1, ("torch",), seeds=1, process_runs=2, troubles=False)
    (measurement,) = (each for each in record.measurements if each.measure == "train")
    measurement.status = "ok"
    NOTHING[kind](measurement)
    (tmp_path / "record.json").write_text(record.to_text())
    with pytest.raises(TwinError, match=r"is 'ok', but it (was trained on no rows|has no value)") as told:
        read_record(tmp_path / "record.json")
    assert told.value.exit_code == 2


def test_a_worker_that_has_trained_on_no_rows_has_learned_nothing():
    answer = {"losses": {}, "provenance": "", "rows": 0, "seconds": 1.0, "epoch_seconds": [], "value": 1.0}
    with pytest.raises(Malformed, match="nothing is learned from no rows"):
        parse(json.dumps({"ok": True, "result": answer}).encode(), Trained)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_data_set_without_rows_is_told_before_anything_is_trained(part, monkeypatch):
    rows = {"train": {"x": np.zeros((4, 2))}, "test": {"x": np.zeros((4, 2))}}
    rows[part] = {"x": np.zeros((0, 2))}
    dataset = Dataset("made here", rows["train"], rows["test"])
    monkeypatch.setattr("twin.data.load", lambda name, options: dataset)
    monkeypatch.setattr("compare.worker.training.check_masks", lambda twin, rows: None)
    context = SimpleNamespace(train=None, run=SimpleNamespace(seed=0, twin=find("mlp")))
    with pytest.raises(TwinError, match=f"digits has no rows in its {part} part"):
        Training(context).fit(1, "digits", {})
