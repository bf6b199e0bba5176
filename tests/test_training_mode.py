"""Random layers are on in Keras's `fit`, on every backend.

`fit` passes `training` only to a `call` that takes it, and on JAX `stateless_call` bypasses `__call__`, so that the
layers below never hear of it: a dropout of 0.5 is silently off, without a warning. The ladder switches random layers
off and cannot see it.
"""

import os
import subprocess
import sys

import pytest

from compare.cells import ROOT
from compare.engines import ENGINES
from twin.catalogue import TWINS

# Every twin whose ladder switches something off; at learning rate 0 only randomness can change the loss.
RANDOM = [twin.name for twin in TWINS.values() if twin.ladder and twin.loss != "phases"]
SCRIPT = """
import sys
from dataclasses import replace
from keras_impl import train
from twin import data
from twin.catalogue import find
for name in sys.argv[1:]:
    twin = find(name)
    run = train.build(twin, dict(twin.small.arguments))
    train.prepare(run, 1, replace(twin.optimizer, learning_rate=0.0, schedule="constant"))
    batch = {n: a[:32] for n, a in data.load(twin.data, twin.data_options).train.items()}
    print(name, len({train.step(run, batch)["loss"] for _ in range(3)}))
"""


@pytest.mark.parametrize("engine", [name for name, engine in ENGINES.items() if engine.side == "keras"])
def test_random_layers_are_on_in_training(engine):
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    assert {"deep_convnet", "vit", "denoising_autoencoder"} <= set(RANDOM)
    env = ENGINES[engine].environment("cpu", 1) | {"PYTHONPATH": os.fspath(ROOT)}
    env["XLA_FLAGS"] += " --xla_backend_optimization_level=0"  # compiling takes longer here than three steps
    command = [sys.executable, "-c", SCRIPT, *RANDOM]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert answer.returncode == 0, answer.stderr
    losses = dict(line.split() for line in answer.stdout.splitlines())
    assert losses == dict.fromkeys(RANDOM, "3")
