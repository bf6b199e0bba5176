"""State that a pass in training mode leaves: moving averages, queues, observers, the vector of a spectral norm."""

import pytest

from tests.helpers.bodies import examiner

KERAS = """
import keras
from keras import layers, ops


class Centred(layers.Layer):
    def build(self, shape):
        self.centre = self.add_weight(shape=(1, shape[-1]), initializer="normal", trainable=False, name="centre")

    def call(self, x, training=False):
        if training:
            mean = ops.mean(ops.stop_gradient(x), axis=0, keepdims=True)
            self.centre.assign(0.9 * self.centre + 0.1 * mean)
        return x - self.centre


class Observed(layers.Layer):
    def build(self, shape):
        self.largest = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=False, name="largest")

    def call(self, x, training=False):
        seen = ops.maximum(self.largest, ops.max(ops.abs(ops.stop_gradient(x)), axis=0))
        if training:
            self.largest.assign(seen)
        return x / seen


class Queued(layers.Layer):
    def build(self, shape):
        self.queue = self.add_weight(shape=(12, shape[-1]), initializer="normal", trainable=False, name="queue")

    def call(self, x, training=False):
        y = ops.matmul(x, ops.transpose(1.0 * self.queue))
        if training:
            joined = ops.concatenate([ops.stop_gradient(x), ops.convert_to_tensor(self.queue)], axis=0)
            self.queue.assign(joined[:12])
        return y


class Spectral(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 6), name="kernel")
        self.bias = self.add_weight(shape=(6,), initializer="zeros", name="bias")
        self.u = self.add_weight(shape=(6, 1), initializer="normal", trainable=False, name="u")

    def call(self, x, training=False):
        u = ops.convert_to_tensor(self.u)
        v = ops.normalize(ops.matmul(self.kernel, u), axis=0)
        if training:
            u = ops.normalize(ops.matmul(ops.transpose(self.kernel), v), axis=0)
            self.u.assign(ops.stop_gradient(u))
        u, v = ops.stop_gradient(u), ops.stop_gradient(v)
        return ops.matmul(x, self.kernel / ops.sum(v * ops.matmul(self.kernel, u))) + self.bias


def model(layer):
    inputs = keras.Input((5,))
    return keras.Model(inputs, layers.Dense(3, name="head")(layer(layers.Dense(6, name="first")(inputs))))


def centred():
    return model(Centred(name="centred"))


def observed():
    return model(Observed(name="observed"))


def queued():
    return model(Queued(name="queued"))


def spectral():
    return model(Spectral(name="spectral"))
"""
TORCH = """

class Centred(nn.Module):
    def __init__(self, keep=0.9, add=0.1):
        super().__init__()
        self.keep, self.add = keep, add
        self.register_buffer("center", torch.zeros(6))

    def forward(self, x):
        if self.training:
            self.center = self.keep * self.center + self.add * x.detach().mean(0)
        return x - self.center


class Observed(nn.Module):
    def __init__(self, update=True, always=False):
        super().__init__()
        self.update, self.always = update, always
        self.register_buffer("amax", torch.ones(6), persistent=False)

    def forward(self, x):
        seen = torch.maximum(self.amax, x.detach().abs().amax(0))
        if (self.training or self.always) and self.update:
            self.amax.copy_(seen)
        return x / seen


class Queued(nn.Module):
    def __init__(self, last=False):
        super().__init__()
        self.last = last
        self.register_buffer("memory", torch.randn(12, 6))

    def forward(self, x):
        y = x @ self.memory.clone().T
        if self.training:
            kept = self.memory[len(x):] if self.last else self.memory[:-len(x)]
            self.memory[:] = torch.cat([x.detach(), kept])
        return y


class Spectral(nn.Linear):
    def __init__(self, update=True):
        super().__init__(6, 6)
        self.update = update
        self.register_buffer("u", torch.randn(6))

    def forward(self, x):
        with torch.no_grad():
            u = self.u
            v = F.normalize(self.weight.T @ u, dim=0)
            if self.training:
                u = F.normalize(self.weight @ v, dim=0)
                if self.update:
                    self.u.copy_(u)
        return F.linear(x, self.weight / (u @ (self.weight @ v)), self.bias)


def model(layer, width=6):
    return nn.Sequential(nn.Linear(5, 6), layer, nn.Linear(width, 3))


def centred(**options):
    return model(Centred(**options))


def observed(**options):
    return model(Observed(**options))


def queued(**options):
    return model(Queued(**options), 12)


def spectral(**options):
    return model(Spectral(**options))
"""
WRONG = [
    ("centred", {"keep": 0.1}, "state_decay", "PyTorch keeps 0.1"),
    ("centred", {"add": 1.0}, "state_scale", "10 times"),
    ("centred", {"keep": 1.0, "add": 0.0}, "state_not_updated", "in PyTorch the state 1.center is not updated"),
    ("observed", {"update": False}, "state_not_updated", "updates the state observed.largest (k.py:"),
    ("observed", {"always": True}, "state_in_inference", "in inference mode; in Keras"),
    ("queued", {"last": True}, "state_update", "not to the same value"),
    ("spectral", {"update": False}, "state_not_updated", "in PyTorch the state 1.u is not updated"),
]


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    with examiner(tmp_path_factory.mktemp("state"), KERAS, TORCH) as examine:
        yield lambda name, **options: examine(name, name, ((5,),), **options)


@pytest.mark.framework
@pytest.mark.parametrize("name", ["centred", "observed", "queued", "spectral"])
def test_equal_state_agrees(verify, name):
    assert verify(name).verdict == "agree"


@pytest.mark.framework
@pytest.mark.parametrize(("name", "options", "cause", "words"), WRONG)
def test_other_state_is_told_with_its_cause(verify, name, options, cause, words):
    found = verify(name, torch_kwargs=options)
    assert (found.verdict, found.findings[0].cause) == ("differ", cause)
    assert words in found.findings[0].says
