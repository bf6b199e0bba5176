"""The bridge, layer type by layer type: exact round trips, equal outputs, and loud failures."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import torch
from keras import layers
from torch import nn

from keras_impl import train as keras_train
from torch_impl import train as torch_train
from twin.bridge import RULES, Bridge, BridgeError, Leaf
from twin.catalogue import find

SEQUENCE = (2, 7, 6)  # B, T, D
IMAGE = (2, 9, 8, 6)  # B, H, W, C
VOLUME = (2, 5, 6, 4, 6)  # B, D, H, W, C

# (id, input, Keras layer, PyTorch module): sizes that differ in every axis, so that no swap goes unseen.
PAIRS = [
    ("dense", (2, 6), lambda: layers.Dense(5), lambda: nn.Linear(6, 5)),
    ("dense-no-bias", (2, 6), lambda: layers.Dense(5, use_bias=False), lambda: nn.Linear(6, 5, bias=False)),
    ("conv1d", SEQUENCE, lambda: layers.Conv1D(5, 3), lambda: nn.Conv1d(6, 5, 3)),
    ("conv2d", IMAGE, lambda: layers.Conv2D(5, (3, 2)), lambda: nn.Conv2d(6, 5, (3, 2))),
    ("conv2d-groups", IMAGE, lambda: layers.Conv2D(4, 3, groups=2), lambda: nn.Conv2d(6, 4, 3, groups=2)),
    ("conv3d", VOLUME, lambda: layers.Conv3D(5, (3, 2, 1)), lambda: nn.Conv3d(6, 5, (3, 2, 1))),
    ("conv1d-transpose", SEQUENCE, lambda: layers.Conv1DTranspose(5, 3), lambda: nn.ConvTranspose1d(6, 5, 3)),
    ("conv2d-transpose", IMAGE, lambda: layers.Conv2DTranspose(5, 3), lambda: nn.ConvTranspose2d(6, 5, 3)),
    ("conv3d-transpose", VOLUME, lambda: layers.Conv3DTranspose(5, 2), lambda: nn.ConvTranspose3d(6, 5, 2)),
    ("depthwise1d", SEQUENCE, lambda: layers.DepthwiseConv1D(3), lambda: nn.Conv1d(6, 6, 3, groups=6)),
    (
        "depthwise2d",
        IMAGE,
        lambda: layers.DepthwiseConv2D((3, 2), depth_multiplier=2),
        lambda: nn.Conv2d(6, 12, (3, 2), groups=6),
    ),
    ("batchnorm1d", (8, 6), lambda: layers.BatchNormalization(epsilon=1e-5), lambda: nn.BatchNorm1d(6)),
    ("batchnorm2d", IMAGE, lambda: layers.BatchNormalization(epsilon=1e-5), lambda: nn.BatchNorm2d(6)),
    ("batchnorm3d", VOLUME, lambda: layers.BatchNormalization(epsilon=1e-5), lambda: nn.BatchNorm3d(6)),
    ("layernorm", SEQUENCE, lambda: layers.LayerNormalization(epsilon=1e-5), lambda: nn.LayerNorm(6)),
    ("groupnorm", IMAGE, lambda: layers.GroupNormalization(3, epsilon=1e-5), lambda: nn.GroupNorm(3, 6)),
    ("embedding", "tokens", lambda: layers.Embedding(11, 5), lambda: nn.Embedding(11, 5)),
    ("lstm", SEQUENCE, lambda: layers.LSTM(5, return_sequences=True), lambda: nn.LSTM(6, 5, batch_first=True)),
    ("gru", SEQUENCE, lambda: layers.GRU(5, return_sequences=True), lambda: nn.GRU(6, 5, batch_first=True)),
    ("rnn", SEQUENCE, lambda: layers.SimpleRNN(5, return_sequences=True), lambda: nn.RNN(6, 5, batch_first=True)),
    (
        "bidirectional-lstm",
        SEQUENCE,
        lambda: layers.Bidirectional(layers.LSTM(5, return_sequences=True)),
        lambda: nn.LSTM(6, 5, batch_first=True, bidirectional=True),
    ),
    (
        "bidirectional-gru",
        SEQUENCE,
        lambda: layers.Bidirectional(layers.GRU(5, return_sequences=True)),
        lambda: nn.GRU(6, 5, batch_first=True, bidirectional=True),
    ),
    (
        "attention",
        SEQUENCE,
        lambda: layers.MultiHeadAttention(num_heads=2, key_dim=3),
        lambda: nn.MultiheadAttention(6, 2, batch_first=True),
    ),
]
CHANNELS_FIRST = (nn.Conv1d, nn.ConvTranspose1d)


class KerasHolder(keras.Model):
    """A model of one layer, or of one bare array."""

    def __init__(self, part, shape):
        super().__init__()
        self.part = part
        self(keras.Input(shape[1:]) if shape != "tokens" else keras.Input((7,), dtype="int32"))

    def call(self, x):
        if isinstance(self.part, layers.MultiHeadAttention):
            return self.part(x, x)
        return self.part(x)


class TorchHolder(nn.Module):
    """The same in PyTorch, which returns a recurrent layer's sequence only."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        if isinstance(self.part, nn.MultiheadAttention):
            return self.part(x, x, x)[0]
        if isinstance(self.part, CHANNELS_FIRST):
            return self.part(x.transpose(1, 2)).transpose(1, 2)
        out = self.part(x)
        return out[0] if isinstance(out, tuple) else out


def pair(shape, keras_layer, torch_module):
    torch.manual_seed(0)
    layout = {4: "images", 5: "clips"}.get(len(shape), "as is") if shape != "tokens" else "as is"
    twin = replace(find("mlp"), inputs={"x": layout}, outputs={"y": layout})
    ours = SimpleNamespace(twin=twin, model=KerasHolder(keras_layer(), shape), compiled=None)
    theirs = SimpleNamespace(twin=twin, model=TorchHolder(torch_module()), dtype=torch.float32, device="cpu", mode="")
    rng = np.random.default_rng(0)
    native = {
        name: (array + 0.3 * rng.random(array.shape)).astype(np.float32)
        for name, array in torch_train.dump_weights(theirs).items()
    }
    torch_train.load_weights(theirs, native)
    return ours, theirs, Bridge(keras_train.describe(ours), torch_train.describe(theirs))


@pytest.mark.parametrize(("shape", "ours", "theirs"), [p[1:] for p in PAIRS], ids=[p[0] for p in PAIRS])
def test_a_layer_computes_the_same_after_crossing(shape, ours, theirs):
    ours, theirs, bridge = pair(shape, ours, theirs)
    native = torch_train.dump_weights(theirs)
    keras_train.load_weights(ours, bridge.to_keras(native))
    rng = np.random.default_rng(1)
    x = rng.integers(0, 11, (2, 7)) if shape == "tokens" else rng.standard_normal(shape).astype(np.float32)
    got = keras_train.forward(ours, {"x": x})["y"]
    wanted = torch_train.forward(theirs, {"x": x})["y"]
    assert got.shape == wanted.shape
    assert np.linalg.norm(got - wanted) <= 2e-6 * np.linalg.norm(wanted)


@pytest.mark.parametrize(("shape", "ours", "theirs"), [p[1:] for p in PAIRS], ids=[p[0] for p in PAIRS])
def test_a_layer_comes_back_bit_for_bit(shape, ours, theirs):
    ours, theirs, bridge = pair(shape, ours, theirs)
    sent = keras_train.dump_weights(ours)
    back = bridge.to_keras(bridge.to_torch(sent))
    assert back.keys() == sent.keys()
    assert all(np.array_equal(back[name], sent[name]) for name in sent)
    native = {n: np.zeros_like(a) if n in bridge.redundant else a for n, a in torch_train.dump_weights(theirs).items()}
    there_and_back = bridge.to_torch(bridge.to_keras(native))
    assert all(np.array_equal(there_and_back[name], native[name]) for name in native)


def test_every_rule_is_exercised():
    kinds = set()
    for _, shape, ours, theirs in PAIRS:
        bridge = pair(shape, ours, theirs)[2]
        kinds |= {(leaf.kind, bridge.torch[path].kind) for path, leaf in bridge.keras.items()}
    assert kinds == set(RULES) - {("Parameter", "Parameter")}


def conv(path, channels, filters):
    """A Keras and a PyTorch leaf of a 3x3 convolution."""
    return (
        Leaf(path, "Conv2D", {"kernel": (3, 3, channels, filters), "bias": (filters,)}, ("kernel", "bias")),
        Leaf(path, "Conv2d", {"weight": (filters, channels, 3, 3), "bias": (filters,)}, ("weight", "bias")),
    )


def dense(path, inputs, units):
    """A Keras and a PyTorch leaf of a dense layer."""
    return (
        Leaf(path, "Dense", {"kernel": (inputs, units), "bias": (units,)}, ("kernel", "bias")),
        Leaf(path, "Linear", {"weight": (units, inputs), "bias": (units,)}, ("weight", "bias")),
    )


def test_flatten_order_is_permuted():
    height, width, channels, units = 2, 3, 4, 5
    pairs = conv("conv", 1, channels), dense("dense", height * width * channels, units)
    bridge = Bridge([p[0] for p in pairs], [p[1] for p in pairs], flatten={"dense": "conv"})
    rng = np.random.default_rng(0)
    arrays = {"dense.kernel": rng.random((height * width * channels, units)), "dense.bias": rng.random(units)}
    picture = rng.random((height, width, channels))
    native = bridge.to_torch(arrays)
    ours = picture.reshape(-1) @ arrays["dense.kernel"]
    theirs = native["dense.weight"] @ picture.transpose(2, 0, 1).reshape(-1)
    assert np.allclose(ours, theirs)
    assert np.array_equal(bridge.to_keras(native)["dense.kernel"], arrays["dense.kernel"])


def test_unflatten_order_is_permuted():
    height, width, channels, units = 2, 3, 4, 5
    pairs = dense("dense", units, height * width * channels), conv("conv", channels, 1)
    bridge = Bridge([p[0] for p in pairs], [p[1] for p in pairs], unflatten={"dense": "conv"})
    rng = np.random.default_rng(0)
    size = height * width * channels
    arrays = {"dense.kernel": rng.random((units, size)), "dense.bias": rng.random(size)}
    code = rng.random(units)
    native = bridge.to_torch(arrays)
    ours = (code @ arrays["dense.kernel"] + arrays["dense.bias"]).reshape(height, width, channels)
    theirs = (native["dense.weight"] @ code + native["dense.bias"]).reshape(channels, height, width)
    assert np.allclose(ours, theirs.transpose(1, 2, 0))
    assert np.array_equal(bridge.to_keras(native)["dense.kernel"], arrays["dense.kernel"])


def test_a_layer_without_partner_is_named():
    first, second = conv("conv1", 1, 2), conv("conv2", 2, 2)
    with pytest.raises(BridgeError, match="only in Keras: conv2"):
        Bridge([first[0], second[0]], [first[1]])
    with pytest.raises(BridgeError, match="only in PyTorch: conv2"):
        Bridge([first[0]], [first[1], second[1]])
    with pytest.raises(BridgeError, match=r"no rule for: conv1 \(Conv2D / Linear\)"):
        Bridge([first[0]], [dense("conv1", 2, 2)[1]])


@pytest.mark.parametrize("argument", ["flatten", "unflatten"])
def test_a_flatten_of_a_layer_that_does_not_exist_is_named(argument):
    keras, torch = zip(conv("conv", 1, 4), dense("dense", 16, 2), strict=True)
    with pytest.raises(BridgeError, match=rf"no such layer: conv2 \({argument} of dense\)"):
        Bridge(keras, torch, **{argument: {"dense": "conv2"}})


def test_a_shape_that_does_not_fit_is_named():
    with pytest.raises(BridgeError, match=r"of another shape: conv.weight \(5, 1, 3, 3\) against \(4, 1, 3, 3\)"):
        Bridge([conv("conv", 1, 5)[0]], [conv("conv", 1, 4)[1]])


def test_a_missing_bias_is_named():
    bare = Leaf("conv", "Conv2D", {"kernel": (3, 3, 1, 4)}, ("kernel",))
    with pytest.raises(BridgeError, match=r"only in PyTorch: conv.bias"):
        Bridge([bare], [conv("conv", 1, 4)[1]])


def test_a_gru_that_resets_before_has_no_counterpart():
    shapes = {"kernel": (6, 15), "recurrent_kernel": (5, 15), "bias": (15,)}
    ours = Leaf("gru", "GRU", shapes, tuple(shapes), {"reset_after": False})
    names = {"weight_ih_l0": (15, 6), "weight_hh_l0": (15, 5), "bias_ih_l0": (15,), "bias_hh_l0": (15,)}
    with pytest.raises(BridgeError, match="reset_after=True"):
        Bridge([ours], [Leaf("gru", "GRU", names, tuple(names))])
