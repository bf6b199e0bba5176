"""NaN and infinite values that a user's models make, on one side and on both, at each place: none is agreement."""

import pytest

from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.verify import run as examination

pytestmark = pytest.mark.framework

KERAS = """
import keras
from keras import layers, ops


class Planted(keras.Model):
    def __init__(self, place, value):
        super().__init__()
        self.head = layers.Dense(3, name="head")
        self.norm = layers.BatchNormalization(name="norm", epsilon=1e-5, momentum=0.9)
        self.place, self.value = place, float(value)

    def call(self, x, training=False):
        y = self.norm(self.head(x), training=training)
        if self.place == "outputs" or (self.place == "training" and training):
            y = y + self.value
        if self.place == "one number":
            y = ops.where(y == ops.max(y), self.value, y)
        if self.place == "gradients":
            y = y + 0.0 * ops.where(y > 0, ops.sqrt(y), 0.0)
        return y


def make(place="", value="nan"):
    return Planted(place, value)
"""

TORCH = """
import torch
from torch import nn


class Planted(nn.Module):
    def __init__(self, place="", value="nan"):
        super().__init__()
        self.head = nn.LazyLinear(3)
        self.norm = nn.LazyBatchNorm1d()
        self.place, self.value = place, float(value)

    def forward(self, x):
        y = self.norm(self.head(x))
        if self.place == "outputs" or (self.place == "training" and self.training):
            y = y + self.value
        if self.place == "one number":
            y = torch.where(y == y.max(), self.value, y)
        if self.place == "gradients":
            y = y + 0.0 * torch.where(y > 0, torch.sqrt(y), 0.0)  # finite, and its gradient is 0 * inf
        return y
"""


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    """Verify the pair with a value planted at a place of some sides."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "k.py").write_text(KERAS)
    (folder / "t.py").write_text(TORCH)
    pool = Pool(Settings(timeout=60.0))
    sessions = pool.start(ENGINES["keras-torch"], "cpu"), pool.start(ENGINES["torch"], "cpu")

    def examine(place="", value="nan", sides=()):
        planted = {"place": place, "value": value}
        request = examination.Request(
            f"{folder}/k.py:make",
            f"{folder}/t.py:Planted",
            shapes=[(6,)],
            keras_kwargs=planted if "Keras" in sides else {},
            torch_kwargs=planted if "PyTorch" in sides else {},
        )
        return examination.examine(request, *sessions, lambda word: None)

    yield examine
    pool.close()


def test_without_a_plant_the_pair_agrees(verify):
    assert verify().verdict == "agree"


PLANTS = {  # place and value -> the rung that sees it
    ("outputs", "nan"): "forward",
    ("outputs", "inf"): "forward",
    ("one number", "-inf"): "forward",
    ("training", "nan"): "training",
    ("training", "inf"): "training",
    ("gradients", "nan"): "gradients",
}


@pytest.mark.parametrize("sides", [("Keras",), ("PyTorch",), ("Keras", "PyTorch")], ids=" and ".join)
@pytest.mark.parametrize(("place", "value"), PLANTS)
def test_a_value_that_is_not_finite_is_seen_wherever_it_is(verify, place, value, sides):
    verdict = verify(place, value, sides)
    assert verdict.verdict == "differ"
    (finding,) = verdict.findings
    assert (finding.rung, finding.cause) == (PLANTS[place, value], "not_finite")
    assert " and ".join(sides) in finding.what
    assert ("nothing can be compared" in finding.says) == (len(sides) == 2)
