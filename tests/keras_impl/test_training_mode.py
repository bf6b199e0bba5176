"""Random layers are on in Keras's `fit`, on every backend.

`fit` passes `training` only to a `call` that takes it, and on JAX `stateless_call` bypasses `__call__`, so that the
layers below never hear of it: a dropout of 0.5 is silently off, without a warning. The ladder switches random layers
off and cannot see it.
"""

import pytest

from compare.engines.engine import ENGINES
from tests.helpers import aside
from twin.catalogue import TWINS

pytestmark = [pytest.mark.framework, pytest.mark.long]

# Every twin whose ladder switches something off; at learning rate 0 only randomness can change the loss.
RANDOM = [twin.name for twin in TWINS.values() if twin.ladder and twin.loss != "phases"]
# Keras takes the same way through `__call__` on TensorFlow and on PyTorch; on TensorFlow a few twins show that it does.
FEW = ("deep_convnet", "vit", "denoising_autoencoder")
SCRIPT = """
import sys
from dataclasses import replace
from keras_impl import train
from twin import data
from twin.catalogue import find
for name in sys.argv[1:]:
    twin = find(name)
    small = twin.small.arguments
    off = {n: 0.5 for n, rate in twin.ladder.items() if small[n] == rate}  # a rate that the small size has at zero too
    run = train.build(twin, dict(small) | off)
    train.prepare(run, 1, replace(twin.optimizer, name="sgd", learning_rate=0.0, schedule="constant"))
    batch = {n: a[:32] for n, a in data.load(twin.data, twin.data_options).train.items()}
    print(name, len({train.step(run, batch)["loss"] for _ in range(3)}))
"""


KERAS = [name for name, engine in ENGINES.items() if engine.side == "keras"]


@pytest.fixture(scope="module")
def printed():
    return {
        name: future
        for engines, twins in ((("keras-tensorflow",), FEW), (("keras-jax", "keras-torch"), RANDOM))
        for name, future in aside.run_each(engines, "-c", SCRIPT, *twins).items()
    }


@pytest.mark.parametrize("engine", KERAS)
def test_random_layers_are_on_in_training(engine, printed):
    assert set(FEW) <= set(RANDOM)
    losses = dict(line.split() for line in printed[engine].result().splitlines())
    assert losses == dict.fromkeys(FEW if engine == "keras-tensorflow" else RANDOM, "3")
