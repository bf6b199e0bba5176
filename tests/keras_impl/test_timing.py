"""What the bench times in Keras is what users run."""

import pytest

from tests.helpers import aside

pytestmark = pytest.mark.framework

STEPS = """
import numpy as np
from keras_impl import timing, train
from keras_impl.backend import stock_step
from twin import data
from twin.catalogue import find

twin = find("mlp")
batch = {name: array[:32] for name, array in data.load(twin.data, twin.data_options).train.items()}
runs = []
for _ in range(2):
    run = train.build(twin, dict(twin.small.arguments), seed=1)
    train.prepare(run, 10)
    runs.append(run)
by_hand, timed = runs
expected = [train.step(by_hand, batch)["loss"] for _ in range(6)]
train.step(timed, batch)
call = stock_step(timed.model, tuple(train.to_tensors(timed, batch)[name] for name in "xy"))
for _ in range(5):
    logs = call()
timing.wait_for(logs)
assert expected[0] > 1.05 * expected[-1]
mean = float(np.mean(expected))  # what fit shows: the mean since the last reset
assert abs(float(logs["loss"]) - mean) < 1e-4 * mean, (logs, mean)

row = {"x": batch["x"][:1]}
before = train.predict(by_hand, row)["y"]
call = timing.inference(by_hand, row)
# A compiled batch of one rounds otherwise than predict does; logits are about 1.
assert np.allclose(train.ops.convert_to_numpy(call()), before, atol=1e-6)
"""


@pytest.mark.parametrize("engine", aside.KERAS)
def test_the_timed_step_is_the_step_that_fit_takes(engine):
    aside.run(engine, "-c", STEPS)
