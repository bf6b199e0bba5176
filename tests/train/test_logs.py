"""TensorBoard and wandb get a training's losses as they come."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from compare.record.measurement import TrainMeasurement
from compare.train import logs
from tests.helpers.command import environment
from tests.helpers.tensorboard import read_back
from twin.errors import TwinError


@pytest.mark.slow  # wandb starts a process
def test_a_log_for_wandb_is_written_offline_and_none_imports_a_framework(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    script = (
        "import sys, pathlib\n"
        "from compare.train import logs\n"
        "from compare.record.measurement import TrainMeasurement\n"
        "measurement = TrainMeasurement('mlp', 'keras-torch:compile', 'cpu', 'float32', 3, 'small')\n"
        "for kind in ('wandb', 'tensorboard'):\n"
        "    with logs.Log(kind, pathlib.Path('there')).open(measurement) as write:\n"
        "        write({'loss/loss': 0.25}, 1)\n"
        "        write({'accuracy': 0.5}, 1)\n"
        "assert not {'torch', 'tensorflow', 'keras', 'jax'} & sys.modules.keys()"
    )
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == ""
    (file,) = (tmp_path / "there").rglob("offline-run-*/run-*.wandb")
    content = file.read_bytes()
    assert b"mlp-keras-torch:compile-seed3" in content
    assert b"loss/loss" in content
    assert b"accuracy" in content


def test_a_log_for_tensorboard_is_there_before_the_training_ends(tmp_path):
    measurement = TrainMeasurement("mlp", "keras-torch:compile", "cpu", "float32", 3, "small")
    with logs.Log("tensorboard", tmp_path).open(measurement) as write:
        write({"loss/generator": 2.0, "loss/discriminator": 0.5}, 1)
        scalars = read_back(tmp_path / "mlp" / "keras-torch-compile" / "seed3")
    assert scalars == [{"loss/generator": [(1, 2.0)], "loss/discriminator": [(1, 0.5)]}]


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_a_missing_extra_is_named(kind, monkeypatch):
    logs.require(kind)
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(TwinError, match=re.escape(f"pip install 'twin-suite[{kind}]'")):
        logs.require(kind)


def test_a_log_that_cannot_be_written_is_one_line():
    measurement = TrainMeasurement("mlp", "torch", "cpu", "float32", 0, "small")
    with (
        pytest.raises(TwinError, match=r"--log tensorboard: cannot write to /dev/null\S*: Not a directory; .*--out"),
        logs.Log("tensorboard", Path("/dev/null/there")).open(measurement),
    ):
        pass
