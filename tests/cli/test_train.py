"""`twin train` from one file of weights to the next, and when the loss is no number any more."""

import json

import numpy as np
import pytest

from tests.helpers.command import twin
from twin import arrays

pytestmark = pytest.mark.framework


def test_train_gives_its_stable_part_and_its_weights(tmp_path):
    command = "train", "mlp", "--engine", "torch", "--epochs", "2"
    answer = twin(*command, "--json", "-", "--save", "saved", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    (measurement,) = json.loads(answer.stdout)["measurements"]
    result = measurement["result"]
    assert result["metric"] == "accuracy"
    assert 0.1 < result["value"] <= 1
    assert len(result["loss"]["loss"]) == 2
    assert result["provenance"].startswith("real, shipped in scikit-learn")
    assert result["seconds"] > 0

    again = twin(*command, "--weights", "saved/mlp-torch.safetensors", "--json", "-", cwd=tmp_path)
    assert json.loads(again.stdout)["measurements"][0]["result"]["loss"]["loss"][0] < result["loss"]["loss"][1]
    other = twin("train", "lenet", "--engine", "torch", "--weights", "saved/mlp-torch.safetensors", cwd=tmp_path)
    assert other.returncode == 2
    assert "only in the weights file: dense3.bias" in other.stderr
    assert "only in lenet: conv1.bias" in other.stderr
    assert "of another shape: dense1.bias (64,) against (84,)" in other.stderr


def test_a_loss_that_becomes_nan_stops_the_training_and_says_so(tmp_path):
    command = "train", "mlp", "--engine", "torch", "--epochs", "2"
    assert twin(*command, "--save", "saved", cwd=tmp_path).returncode == 0
    broken = arrays.read(tmp_path / "saved" / "mlp-torch.safetensors")
    broken["dense1.bias"][0] = np.nan
    arrays.write(tmp_path / "broken", broken)
    answer = twin(*command, "--weights", "broken", cwd=tmp_path)
    assert answer.returncode == 1
    assert "loss became nan in epoch 1 of 2" in answer.stdout
    assert "Traceback" not in answer.stderr
