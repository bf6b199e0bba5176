"""Pairs of models for `twin verify`: four architectures, right and with one defect, in three styles of Keras.

`python tests/helpers/pairs.py [--seeds N]` examines them all on the backend of the environment and prints the rates;
with `--json` it writes every verdict. Each defect says where it must be found and by which cause.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

import torch  # isort: skip  # before TensorFlow, where both are in one process
import keras
from keras import layers, ops
from torch import nn
from torch.nn import functional as F

from compare.verify.examination import Examination
from compare.verify.verdict import Verdict
from keras_impl.tracing import Subject as KerasSubject
from torch_impl.tracing import Subject as TorchSubject
from twin.errors import TwinError


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong in PyTorch (or, under `keras`, in Keras).

    Args:
        kind: what kind of mistake it is.
        at: names of which one must be in what the finding calls the layer, on either side.
        causes: of which one must be the cause.
        torch: what the PyTorch model is built with.
        keras: what the Keras model is built with.
        weights: changes PyTorch's weights, which otherwise are Keras's; then both sides keep their own.
    """

    kind: str
    at: tuple[str, ...]
    causes: tuple[str, ...]
    torch: dict = field(default_factory=dict)
    keras: dict = field(default_factory=dict)
    weights: Callable | None = None


# Convolutional, with BatchNorm and flatten


def conv_keras(style, d):
    first = [
        layers.Conv2D(8, 3, strides=2, padding="same", name="conv1"),
        layers.BatchNormalization(name="bn1", epsilon=1e-3, momentum=0.9),
        layers.ReLU(name="act1"),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Conv2D(8, 3, padding="same", name="conv2"),
        layers.BatchNormalization(name="bn2", epsilon=1e-3, momentum=0.9),
        layers.LeakyReLU(negative_slope=0.2, name="act2"),
        layers.AveragePooling2D(3, strides=2, padding="same", name="pool2"),
        layers.Flatten(name="flatten"),
        layers.Dense(16, activation="gelu", name="dense1"),
        layers.Dropout(0.3, name="drop"),
        layers.Dense(16, name="dense2"),
        layers.Activation("tanh", name="act3"),
        layers.Dense(5, activation=None if d.get("logits") else "softmax", name="dense3"),
    ]
    return assemble(style, first, (14, 13, 3))


def assemble(style, parts, shape):
    """The same layers as a sequential, a functional or a subclassed model."""
    if style == "sequential":
        return keras.Sequential([keras.Input(shape), *parts])
    if style == "functional":
        x = inputs = keras.Input(shape)
        for part in parts:
            x = part(x)
        return keras.Model(inputs, x)
    return Chain(parts)


class Chain(keras.Model):
    def __init__(self, parts):
        super().__init__()
        self.names = [part.name for part in parts]
        for part in parts:
            setattr(self, part.name, part)

    def call(self, x, training=None):
        for name in self.names:
            part = getattr(self, name)
            takes = name.startswith(("bn", "drop"))
            x = part(x, training=training) if takes else part(x)
        return x


class ConvTorch(nn.Module):
    def __init__(self, **d):
        super().__init__()
        self.d = d
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=d.get("padding1", 0))
        self.bn1 = nn.BatchNorm2d(8, eps=d.get("eps1", 1e-3), momentum=d.get("momentum1", 0.1))
        self.conv2 = nn.Conv2d(
            8, 8, 3, padding=d.get("padding2", 1), dilation=d.get("dilation2", 1), bias=d.get("bias2", True)
        )
        self.bn2 = nn.BatchNorm2d(8, eps=d.get("eps2", 1e-3), momentum=d.get("momentum2", 0.1))
        self.dense1 = nn.Linear(32, 16)
        self.dense2 = nn.Linear(16, 16, bias=d.get("bias_dense2", True))
        self.dense3 = nn.Linear(16, 5)

    def forward(self, x):
        d = self.d
        x = x * d.get("scale", 1.0) if "scale" in d else x
        x = x - d["shift"] if "shift" in d else x
        if not d.get("padding1"):
            x = F.pad(x, (1, 1, 0, 1))  # what "same" adds at stride 2: 14 rows and 13 columns
        x = self.conv1(x)
        if d.get("order"):
            x = self.bn1(F.relu(x))
        else:
            x = self.norm1(x)
            x = d.get("act1", F.relu)(x)
        x = d.get("pool1", lambda x: F.max_pool2d(x, 2))(x)
        x = self.bn2(self.conv2(x))
        x = F.leaky_relu(x, d.get("slope", 0.2))
        x = d.get("pool2", average_same)(x)
        x = x.detach() if d.get("detach") else x
        x = torch.flatten(x, 1)
        x = F.gelu(self.dense1(x), approximate=d.get("approximate", "none"))
        x = F.dropout(x, d.get("rate", 0.3), training=d.get("always", self.training)) if d.get("dropout", True) else x
        x = d.get("extra", lambda x: x)(x)
        x = d.get("act3", torch.tanh)(self.dense2(x))
        x = self.dense3(x)
        return d.get("last", lambda x: F.softmax(x, dim=-1))(x)

    def norm1(self, x):
        if self.d.get("frozen"):
            self.bn1.eval()
        return self.bn1(x)


def average_same(x):
    """Average pooling 3x3 at stride 2 whose padding is left out of the mean, as Keras's "same" is."""
    return F.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False)


CONV = [
    Defect("same_padding_stride", ("conv1",), ("same_padding_stride", "padding"), {"padding1": 1}),
    Defect("padding", ("conv2",), ("padding",), {"padding2": 0}),
    Defect("dilation", ("conv2",), ("dilation", "padding"), {"dilation2": 2, "padding2": 2}),
    Defect("bn_epsilon", ("bn1",), ("batchnorm_epsilon",), {"eps1": 1e-5}),
    Defect("bn_epsilon_later", ("bn2",), ("batchnorm_epsilon",), {"eps2": 1e-5}),
    Defect("bn_momentum", ("bn1",), ("batchnorm_momentum",), {"momentum1": 0.9}),
    Defect("bn_momentum_later", ("bn2",), ("batchnorm_momentum",), {"momentum2": 0.01}),
    Defect("bn_frozen", ("bn1",), ("batchnorm_mode", "batchnorm_frozen"), {"frozen": True}),
    Defect("missing_activation", ("act1",), ("missing_activation",), {"act1": lambda x: x}),
    Defect("wrong_activation", ("act1", "elu"), ("wrong_activation",), {"act1": F.elu}),
    Defect("wrong_activation_later", ("act3", "sigmoid"), ("wrong_activation",), {"act3": torch.sigmoid}),
    Defect("missing_activation_later", ("act3",), ("missing_activation",), {"act3": lambda x: x}),
    Defect("extra_activation", ("relu",), ("extra_activation",), {"extra": F.relu}),
    Defect("leaky_slope", ("act2", "leaky_relu"), ("leaky_relu_slope",), {"slope": 0.01}),
    Defect("gelu_form", ("dense1", "gelu"), ("gelu_approximate",), {"approximate": "tanh"}),
    Defect("order", ("bn1", "relu"), ("order",), {"order": True}),
    Defect("pool_kind", ("pool1",), ("pooling_kind",), {"pool1": lambda x: F.avg_pool2d(x, 2)}),
    Defect(
        "pool_window",
        ("pool1",),
        ("pooling_window",),
        {"pool1": lambda x: F.max_pool2d(x, 3, 2, padding=1)[:, :, :3, :3]},
    ),
    Defect("pool_counts", ("pool2",), ("average_pool_padding",), {"pool2": lambda x: F.avg_pool2d(x, 3, 2, padding=1)}),
    Defect(
        "softmax_twice",
        ("softmax", "output"),
        ("extra_activation",),
        {"last": lambda x: F.softmax(F.softmax(x, -1), -1)},
    ),
    Defect("softmax_missing", ("dense3", "output", "softmax"), ("missing_activation",), {"last": lambda x: x}),
    Defect("softmax_extra", ("softmax", "output"), ("extra_activation",), {}, {"logits": True}),
    Defect("log_softmax", ("dense3", "softmax"), ("wrong_activation",), {"last": lambda x: F.log_softmax(x, -1)}),
    Defect("softmax_axis", ("dense3", "softmax"), ("softmax_axis",), {"last": lambda x: F.softmax(x, 0)}),
    Defect("dropout_rate", ("drop",), ("dropout_rate",), {"rate": 0.5}),
    Defect("dropout_missing", ("drop",), ("missing_dropout",), {"dropout": False}),
    Defect("dropout_always", ("drop",), ("dropout_mode", "extra_dropout"), {"always": True}),
    Defect("detach", ("conv2", "bn2"), ("stopped_gradient",), {"detach": True}),
    Defect("input_scale", ("mul", "conv1"), ("extra_scale",), {"scale": 1 / 255}),
    Defect("input_shift", ("sub", "conv1"), ("extra_subtract",), {"shift": 0.5}),
    Defect("no_bias", ("dense2",), ("missing_bias",), {"bias_dense2": False}),
    Defect("flatten_order", ("dense1",), ("flatten_order",), weights=lambda s: shuffle_columns(s, "dense1.weight")),
    Defect("transposed", ("dense2",), ("transposed_kernel",), weights=lambda s: put(s, "dense2.weight", lambda a: a.T)),
    Defect(
        "kernel_axes",
        ("conv2",),
        ("transposed_kernel",),
        weights=lambda s: put(s, "conv2.weight", lambda a: a.swapaxes(2, 3)),
    ),
    Defect(
        "kernel_turned",
        ("conv1",),
        ("flipped_kernel",),
        weights=lambda s: put(s, "conv1.weight", lambda a: a[:, :, ::-1, ::-1]),
    ),
    Defect("zero_bias", ("dense2",), ("missing_bias",), weights=lambda s: put(s, "dense2.bias", np.zeros_like)),
    Defect("gamma_beta", ("bn1",), ("swapped_scale_and_shift",), weights=lambda s: swap(s, "bn1.weight", "bn1.bias")),
    Defect(
        "statistics",
        ("bn2",),
        ("swapped_statistics",),
        weights=lambda s: swap(s, "bn2.running_mean", "bn2.running_var"),
    ),
]


def put(state, name, change):
    return state | {name: np.ascontiguousarray(change(state[name]))}


def swap(state, one, other):
    return state | {one: state[other], other: state[one]}


def shuffle_columns(state, name):
    """The columns as they stand in Keras, H, W, C."""
    weight = state[name]
    channels = 8
    return state | {
        name: np.ascontiguousarray(weight.reshape(len(weight), channels, -1).swapaxes(1, 2).reshape(weight.shape))
    }


# Recurrent


def recurrent_keras(style, d):
    parts = [
        layers.Embedding(20, 12, name="embedding"),
        layers.LSTM(10, return_sequences=True, name="lstm", **d.get("lstm", {})),
        layers.LayerNormalization(epsilon=1e-3, name="norm"),
        layers.GRU(8, name="gru", **d.get("gru", {})),
        layers.Dense(8, activation="gelu", name="dense1"),
        layers.Dropout(0.2, name="drop"),
        layers.Dense(8, name="dense2"),
        layers.ReLU(name="act"),
        layers.Dense(4, activation=None if d.get("logits") else "softmax", name="dense3"),
    ]
    return assemble(style, parts, (7,))


class RecurrentTorch(nn.Module):
    def __init__(self, **d):
        super().__init__()
        self.d = d
        self.embedding = nn.Embedding(20, 12)
        self.lstm = nn.LSTM(12, 10, batch_first=not d.get("time_first"))
        self.norm = nn.LayerNorm(10, eps=d.get("eps", 1e-3))
        self.gru = nn.GRU(10, 8, batch_first=True)
        self.dense1 = nn.Linear(8, 8)
        self.dense2 = nn.Linear(8, 8, bias=d.get("bias", True))
        self.dense3 = nn.Linear(8, 4)

    def forward(self, x):
        d = self.d
        x = self.embedding(x)
        x = x * 12**0.5 if d.get("embedding_scale") else x
        x = d.get("before", lambda x: x)(x)
        x, _ = self.lstm(x)
        x = x.detach() if d.get("detach") else x
        x = self.norm(d.get("between", lambda x: x)(x))
        x, _state = self.gru(x)
        x = d.get("pick", lambda x: x[:, -1])(x)
        x = F.gelu(self.dense1(x), approximate=d.get("approximate", "none"))
        x = F.dropout(x, d.get("rate", 0.2), training=d.get("always", self.training)) if d.get("dropout", True) else x
        x = d.get("extra", lambda x: x)(x)
        x = d.get("act", F.relu)(self.dense2(x))
        return d.get("last", lambda x: F.softmax(x, dim=-1))(self.dense3(x))


def gates(state, prefix, order):
    """The rows of every array of a recurrent layer with its gates in another order."""
    moved = {
        name: np.concatenate([np.split(array, len(order))[gate] for gate in order])
        for name, array in state.items()
        if name.startswith(f"{prefix}.")
    }
    return state | moved


RECURRENT = [
    Defect("lstm_gates", ("lstm",), ("lstm_gate_order",), weights=lambda s: gates(s, "lstm", (0, 1, 3, 2))),
    Defect("lstm_gates_other", ("lstm",), ("lstm_gate_order",), weights=lambda s: gates(s, "lstm", (1, 0, 2, 3))),
    Defect("gru_gates", ("gru",), ("gru_gate_order",), weights=lambda s: gates(s, "gru", (1, 0, 2))),
    Defect("gru_gates_other", ("gru",), ("gru_gate_order",), weights=lambda s: gates(s, "gru", (2, 1, 0))),
    Defect("gru_reset_before", ("gru",), ("gru_reset_after",), keras={"gru": {"reset_after": False}}),
    Defect("lstm_direction", ("lstm",), ("direction",), keras={"lstm": {"go_backwards": True}}),
    Defect("gru_direction", ("gru",), ("direction",), keras={"gru": {"go_backwards": True}}),
    Defect("lstm_activation", ("lstm",), ("recurrent_activation",), keras={"lstm": {"activation": "relu"}}),
    Defect(
        "lstm_hard_gates",
        ("lstm",),
        ("recurrent_activation",),
        keras={"lstm": {"recurrent_activation": "hard_sigmoid"}},
    ),
    Defect("gru_activation", ("gru",), ("recurrent_activation",), keras={"gru": {"activation": "softsign"}}),
    Defect("time_first", ("lstm",), ("rnn_batch_first",), {"time_first": True}),
    Defect("first_step", ("getitem", "dense1"), ("sequence_step",), {"pick": lambda x: x[:, 0]}),
    Defect("mean_over_time", ("mean", "dense1"), ("sequence_step",), {"pick": lambda x: x.mean(1)}),
    Defect("embedding_scale", ("mul", "lstm"), ("extra_scale",), {"embedding_scale": True}),
    Defect("ln_epsilon", ("norm",), ("layernorm_epsilon",), {"eps": 1e-5}),
    Defect("ln_epsilon_large", ("norm",), ("layernorm_epsilon",), {"eps": 1e-2}),
    Defect("extra_activation_before", ("tanh", "lstm"), ("extra_activation",), {"before": torch.tanh}),
    Defect("extra_activation_between", ("relu", "norm"), ("extra_activation",), {"between": F.relu}),
    Defect("extra_activation", ("sigmoid",), ("extra_activation",), {"extra": torch.sigmoid}),
    Defect("missing_activation", ("act",), ("missing_activation",), {"act": lambda x: x}),
    Defect("wrong_activation", ("act", "tanh"), ("wrong_activation",), {"act": torch.tanh}),
    Defect("wrong_activation_close", ("act", "silu"), ("wrong_activation",), {"act": F.silu}),
    Defect("gelu_form", ("dense1", "gelu"), ("gelu_approximate",), {"approximate": "tanh"}),
    Defect("dropout_rate", ("drop",), ("dropout_rate",), {"rate": 0.4}),
    Defect("dropout_missing", ("drop",), ("missing_dropout",), {"dropout": False}),
    Defect("dropout_always", ("drop",), ("dropout_mode", "extra_dropout"), {"always": True}),
    Defect(
        "softmax_twice",
        ("softmax", "output"),
        ("extra_activation",),
        {"last": lambda x: F.softmax(F.softmax(x, -1), -1)},
    ),
    Defect("softmax_missing", ("dense3", "output", "softmax"), ("missing_activation",), {"last": lambda x: x}),
    Defect("softmax_extra", ("softmax", "output"), ("extra_activation",), keras={"logits": True}),
    Defect("softmax_axis", ("dense3", "softmax"), ("softmax_axis",), {"last": lambda x: F.softmax(x, 0)}),
    Defect("detach", ("lstm", "embedding"), ("stopped_gradient",), {"detach": True}),
    Defect("no_bias", ("dense2",), ("missing_bias",), {"bias": False}),
    Defect("transposed", ("dense1",), ("transposed_kernel",), weights=lambda s: put(s, "dense1.weight", lambda a: a.T)),
    Defect("zero_bias", ("dense2",), ("missing_bias",), weights=lambda s: put(s, "dense2.bias", np.zeros_like)),
    Defect(
        "gamma_beta", ("norm",), ("swapped_scale_and_shift",), weights=lambda s: swap(s, "norm.weight", "norm.bias")
    ),
    Defect(
        "embedding_weights", ("embedding",), ("scale",), weights=lambda s: put(s, "embedding.weight", lambda a: 2 * a)
    ),
]


# Attention


class AttentionBlock(layers.Layer):
    def __init__(self, width, heads, name=None):
        super().__init__(name=name)
        self.heads = heads
        self.norm1 = layers.LayerNormalization(epsilon=1e-3)
        self.query, self.key, self.value = (layers.Dense(width) for _ in range(3))
        self.project = layers.Dense(width)
        self.drop = layers.Dropout(0.2)
        self.norm2 = layers.LayerNormalization(epsilon=1e-3)
        self.widen, self.narrow = layers.Dense(2 * width), layers.Dense(width)

    def call(self, x, training=None):
        rows, tokens, width = x.shape
        h = self.norm1(x)
        q, k, v = (
            ops.transpose(ops.reshape(part(h), (rows, tokens, self.heads, -1)), (0, 2, 1, 3))
            for part in (self.query, self.key, self.value)
        )
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / (width // self.heads) ** 0.5
        mixed = ops.matmul(ops.softmax(scores, axis=-1), v)
        mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (rows, tokens, width))
        x = x + self.drop(self.project(mixed), training=training)
        return x + self.narrow(ops.gelu(self.widen(self.norm2(x)), approximate=False))


class AttentionKeras(keras.Model):
    def __init__(self, d):
        super().__init__()
        self.embed = layers.Dense(16)
        self.positions = self.add_weight(shape=(6, 16), initializer="random_normal", name="positions")
        self.block = AttentionBlock(16, 4)
        self.norm = layers.LayerNormalization(epsilon=1e-3)
        self.head = layers.Dense(3)
        self.logits = d.get("logits")

    def call(self, x, training=None):
        x = self.block(self.embed(x) + self.positions, training=training)
        x = self.head(ops.mean(self.norm(x), axis=1))
        return x if self.logits else ops.softmax(x)


class AttentionTorchBlock(nn.Module):
    def __init__(self, width, heads, d):
        super().__init__()
        self.d, self.heads = d, heads
        self.norm1 = nn.LayerNorm(width, eps=d.get("eps1", 1e-3))
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.project = nn.Linear(width, width, bias=d.get("bias", True))
        self.norm2 = nn.LayerNorm(width, eps=d.get("eps2", 1e-3))
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        d = self.d
        rows, tokens, width = x.shape
        h = self.norm1(x)
        heads = d.get("heads", self.heads)
        q, k, v = (part(h).view(rows, tokens, heads, -1).transpose(1, 2) for part in (self.query, self.key, self.value))
        scores = q @ k.transpose(-2, -1)
        scores = d.get("scale", lambda s: s / (width // heads) ** 0.5)(scores)
        scores = d.get("mask", lambda s: s)(scores)
        mixed = F.softmax(scores, dim=d.get("axis", -1)) @ v
        mixed = (
            mixed.transpose(1, 2).reshape(rows, tokens, width)
            if not d.get("mixed_up")
            else mixed.reshape(rows, tokens, width)
        )
        mixed = mixed.detach() if d.get("detach") else mixed
        mixed = d.get("after_mix", lambda x: x)(mixed)
        y = self.project(mixed)
        y = F.dropout(y, d.get("rate", 0.2), training=d.get("always", self.training)) if d.get("dropout", True) else y
        x = d.get("residual", lambda x, y: x + y)(x, y)
        y = self.narrow(d.get("act", F.gelu)(self.widen(self.norm2(x))))
        return d.get("residual2", lambda x, y: x + y)(x, y)


class AttentionTorch(nn.Module):
    def __init__(self, **d):
        super().__init__()
        self.d = d
        self.embed = nn.Linear(8, 16)
        self.positions = nn.Parameter(torch.randn(6, 16))
        self.block = AttentionTorchBlock(16, 4, d)
        self.norm = nn.LayerNorm(16, eps=d.get("eps3", 1e-3))
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        d = self.d
        x = self.block(d.get("place", lambda x, p: x + p)(self.embed(x), self.positions))
        x = self.head(d.get("pool", lambda x: x.mean(1))(self.norm(x)))
        return d.get("last", lambda x: F.softmax(x, dim=-1))(x)


def causal(scores):
    tokens = scores.shape[-1]
    return scores.masked_fill(torch.ones(tokens, tokens).triu(1).bool(), float("-inf"))


ATTENTION = [
    Defect("scale_missing", ("block", "matmul", "divide"), ("missing_scale",), {"scale": lambda s: s}),
    Defect("scale_wrong", ("block", "div", "divide"), ("attention_scale",), {"scale": lambda s: s / 4.0}),
    Defect("attention_axis", ("block", "softmax"), ("softmax_axis",), {"axis": -2}),
    Defect("heads", ("block", "matmul"), ("arrangement_order",), {"heads": 2}),
    Defect("causal_mask", ("block", "masked_fill"), ("extra_masked_fill",), {"mask": causal}),
    Defect("heads_mixed_up", ("block", "project"), ("arrangement_order",), {"mixed_up": True}),
    Defect("residual_missing", ("block", "add"), ("missing_add",), {"residual": lambda x, y: y}),
    Defect("residual_missing_later", ("block", "add"), ("missing_add",), {"residual2": lambda x, y: y}),
    Defect(
        "residual_scaled",
        ("block", "add"),
        ("extra_scale",),
        {"residual": lambda x, y: x + 0.5 * y},
    ),
    Defect("residual_subtracted", ("block", "sub", "add"), ("subtract_for_add",), {"residual": lambda x, y: x - y}),
    Defect("positions_missing", ("positions", "add", "embed"), ("missing_add",), {"place": lambda x, p: x}),
    Defect(
        "positions_twice",
        ("positions", "add", "embed"),
        ("extra_add", "extra_residual"),
        {"place": lambda x, p: x + p + p},
    ),
    Defect("ln_epsilon", ("norm1",), ("layernorm_epsilon",), {"eps1": 1e-5}),
    Defect("ln_epsilon_second", ("norm2",), ("layernorm_epsilon",), {"eps2": 1e-5}),
    Defect("ln_epsilon_last", ("norm",), ("layernorm_epsilon",), {"eps3": 1e-5}),
    Defect("gelu_form", ("block", "gelu"), ("gelu_approximate",), {"act": lambda x: F.gelu(x, approximate="tanh")}),
    Defect("wrong_activation", ("block", "relu"), ("wrong_activation",), {"act": F.relu}),
    Defect("missing_activation", ("block", "gelu"), ("missing_activation",), {"act": lambda x: x}),
    Defect("extra_activation", ("block", "tanh"), ("extra_activation",), {"after_mix": torch.tanh}),
    Defect("max_over_tokens", ("amax", "mean", "max"), ("max_for_mean",), {"pool": lambda x: x.amax(1)}),
    Defect("first_token", ("getitem", "mean"), ("getitem_for_mean",), {"pool": lambda x: x[:, 0]}),
    Defect("sum_over_tokens", ("sum", "mean"), ("sum_for_mean", "reduction_mean_sum"), {"pool": lambda x: x.sum(1)}),
    Defect("dropout_rate", ("drop",), ("dropout_rate",), {"rate": 0.5}),
    Defect("dropout_missing", ("drop",), ("missing_dropout",), {"dropout": False}),
    Defect("dropout_always", ("drop",), ("dropout_mode", "extra_dropout"), {"always": True}),
    Defect("detach", ("block",), ("stopped_gradient",), {"detach": True}),
    Defect(
        "softmax_twice",
        ("softmax", "output"),
        ("extra_activation",),
        {"last": lambda x: F.softmax(F.softmax(x, -1), -1)},
    ),
    Defect("softmax_missing", ("head", "output", "softmax"), ("missing_activation",), {"last": lambda x: x}),
    Defect("softmax_extra", ("softmax", "output"), ("extra_activation",), keras={"logits": True}),
    Defect("no_bias", ("project",), ("missing_bias",), {"bias": False}),
    Defect(
        "transposed", ("query",), ("transposed_kernel",), weights=lambda s: put(s, "block.query.weight", lambda a: a.T)
    ),
    Defect("zero_bias", ("narrow",), ("missing_bias",), weights=lambda s: put(s, "block.narrow.bias", np.zeros_like)),
    Defect(
        "gamma_beta",
        ("norm2",),
        ("swapped_scale_and_shift",),
        weights=lambda s: swap(s, "block.norm2.weight", "block.norm2.bias"),
    ),
    Defect(
        "key_scaled",
        ("key",),
        ("scale",),
        weights=lambda s: put(put(s, "block.key.weight", lambda a: 0.5 * a), "block.key.bias", lambda a: 0.5 * a),
    ),
]


# Encoder and decoder with skips


def unet_keras(style, d):
    inputs = keras.Input((12, 12, 2))
    a = layers.ReLU(name="act1")(layers.Conv2D(6, 3, padding="same", name="conv1")(inputs))
    b = layers.AveragePooling2D(2, name="down")(a) if d.get("average") else layers.MaxPooling2D(2, name="down")(a)
    b = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv2")(b)
    b = layers.BatchNormalization(epsilon=1e-3, momentum=0.9, name="bn")(b)
    b = layers.ELU(name="act2")(b)
    b = layers.SpatialDropout2D(0.2, name="drop")(b)
    u = layers.Conv2DTranspose(6, 3, strides=2, padding="same", name="up1")(b)
    w = layers.UpSampling2D(2, interpolation="bilinear", name="up2")(b)
    x = layers.Concatenate(name="skip")([u, a])
    x = layers.Activation("silu", name="act3")(layers.Conv2D(8, 3, padding="same", name="conv3")(x))
    x = layers.Add(name="sum")([x, w])
    x = layers.Conv2D(3, 1, activation=None if d.get("logits") else "sigmoid", name="conv4")(x)
    return keras.Model(inputs, x)


class UnetTorch(nn.Module):
    def __init__(self, **d):
        super().__init__()
        self.d = d
        self.conv1 = nn.Conv2d(2, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=d.get("padding", 1), dilation=d.get("dilation", 1), bias=False)
        self.bn = nn.BatchNorm2d(8, eps=d.get("eps", 1e-3), momentum=d.get("momentum", 0.1))
        self.up1 = nn.ConvTranspose2d(
            8, 6, 3, stride=2, padding=d.get("up_padding", 0), output_padding=d.get("up_extra", 0)
        )
        self.conv3 = nn.Conv2d(12, 8, 3, padding=1)
        self.conv4 = nn.Conv2d(8, 3, 1, bias=d.get("bias", True))

    def forward(self, x):
        d = self.d
        x = d.get("input", lambda x: x)(x)
        a = d.get("act1", F.relu)(self.conv1(x))
        b = d.get("down", lambda x: F.max_pool2d(x, 2))(a)
        b = self.conv2(b)
        if d.get("order"):
            b = self.bn(F.elu(b))
        else:
            if d.get("frozen"):
                self.bn.eval()
            b = d.get("act2", F.elu)(self.bn(b))
        b = F.dropout2d(b, d.get("rate", 0.2), training=d.get("always", self.training)) if d.get("dropout", True) else b
        u = self.up1(b)
        u = u if d.get("up_padding") else u[:, :, :12, :12]  # "same" cuts off the last row and column only
        w = d.get("resize", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))(b)
        a = a.detach() if d.get("detach") else a
        x = d.get("skip", lambda u, a: torch.cat([u, a], 1))(u, a)
        x = d.get("act3", F.silu)(self.conv3(x))
        x = d.get("sum", lambda x, w: x + w)(x, w)
        return d.get("last", torch.sigmoid)(self.conv4(x))


UNET = [
    Defect("transpose_padding", ("up1",), ("conv_transpose_same",), {"up_padding": 1, "up_extra": 1}),
    Defect(
        "align_corners",
        ("up2", "interpolate"),
        ("bilinear_resize",),
        {"resize": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)},
    ),
    Defect("nearest", ("up2", "interpolate"), ("resize_mode",), {"resize": lambda x: F.interpolate(x, scale_factor=2)}),
    Defect("skip_order", ("skip", "cat"), ("operand_order",), {"skip": lambda u, a: torch.cat([a, u], 1)}),
    Defect(
        "skip_zero",
        ("skip", "cat"),
        ("extra_zeros_like", "extra_multiply", "extra_scale", "input_wiring"),
        {"skip": lambda u, a: torch.cat([u, 0 * a], 1)},
    ),
    Defect("skip_detached", ("conv1", "conv2", "skip", "conv3", "act1"), ("stopped_gradient",), {"detach": True}),
    Defect("sum_missing", ("sum",), ("missing_add",), {"sum": lambda x, w: x}),
    Defect("sum_product", ("sum", "mul"), ("multiply_for_add",), {"sum": lambda x, w: x * w}),
    Defect("sum_mean", ("div", "sum"), ("extra_scale",), {"sum": lambda x, w: (x + w) / 2}),
    Defect("bn_epsilon", ("bn",), ("batchnorm_epsilon",), {"eps": 1e-5}),
    Defect("bn_momentum", ("bn",), ("batchnorm_momentum",), {"momentum": 0.9}),
    Defect("bn_frozen", ("bn",), ("batchnorm_mode", "batchnorm_frozen"), {"frozen": True}),
    Defect("order", ("bn", "elu"), ("order",), {"order": True}),
    Defect(
        "padding", ("conv2",), ("padding",), {"padding": 0, "down": lambda x: F.pad(F.max_pool2d(x, 2), (0, 2, 0, 2))}
    ),
    Defect("dilation", ("conv2",), ("dilation", "padding"), {"dilation": 2, "padding": 2}),
    Defect("missing_activation", ("act1",), ("missing_activation",), {"act1": lambda x: x}),
    Defect("wrong_activation", ("act1", "leaky_relu"), ("wrong_activation",), {"act1": lambda x: F.leaky_relu(x, 0.2)}),
    Defect("elu_alpha", ("act2", "elu"), ("elu_alpha",), {"act2": lambda x: F.elu(x, 0.5)}),
    Defect("wrong_activation_close", ("act3", "gelu"), ("wrong_activation",), {"act3": F.gelu}),
    Defect("missing_activation_later", ("act3",), ("missing_activation",), {"act3": lambda x: x}),
    Defect("pool_kind", ("down", "pool"), ("pooling_kind",), {"down": lambda x: F.avg_pool2d(x, 2)}),
    Defect("pool_kind_other", ("down", "pool"), ("pooling_kind",), keras={"average": True}),
    Defect("pool_window", ("down", "pool"), ("pooling_window",), {"down": lambda x: F.max_pool2d(x, 3, 2, padding=1)}),
    Defect("stride_instead", ("down", "getitem"), ("getitem_for_pool",), {"down": lambda x: x[:, :, ::2, ::2]}),
    Defect("dropout_rate", ("drop",), ("dropout_rate",), {"rate": 0.5}),
    Defect("dropout_missing", ("drop",), ("missing_dropout",), {"dropout": False}),
    Defect("dropout_always", ("drop",), ("dropout_mode", "extra_dropout"), {"always": True}),
    Defect("sigmoid_missing", ("conv4", "output", "sigmoid"), ("missing_activation",), {"last": lambda x: x}),
    Defect(
        "sigmoid_twice",
        ("sigmoid", "output"),
        ("extra_activation",),
        {"last": lambda x: torch.sigmoid(torch.sigmoid(x))},
    ),
    Defect("sigmoid_extra", ("sigmoid", "output"), ("extra_activation",), keras={"logits": True}),
    Defect("tanh_for_sigmoid", ("conv4", "tanh"), ("wrong_activation",), {"last": torch.tanh}),
    Defect("input_scale", ("div", "conv1"), ("extra_scale",), {"input": lambda x: x / 255}),
    Defect("flipped_input", ("flip", "conv1"), ("extra_flip",), {"input": lambda x: x.flip(3)}),
    Defect("no_bias", ("conv4",), ("missing_bias",), {"bias": False}),
    Defect(
        "kernel_axes",
        ("conv3",),
        ("transposed_kernel",),
        weights=lambda s: put(s, "conv3.weight", lambda a: a.swapaxes(2, 3)),
    ),
    Defect(
        "kernel_turned",
        ("up1",),
        ("flipped_kernel",),
        weights=lambda s: put(s, "up1.weight", lambda a: a[:, :, ::-1, ::-1]),
    ),
    Defect(
        "statistics", ("bn",), ("swapped_statistics",), weights=lambda s: swap(s, "bn.running_mean", "bn.running_var")
    ),
    Defect("zero_bias", ("conv1",), ("missing_bias",), weights=lambda s: put(s, "conv1.bias", np.zeros_like)),
]

ARCHITECTURES = {
    "conv": (conv_keras, ConvTorch, CONV, (14, 13, 3)),
    "recurrent": (recurrent_keras, RecurrentTorch, RECURRENT, (7,)),
    "attention": (lambda style, d: AttentionKeras(d), AttentionTorch, ATTENTION, (6, 8)),
    "unet": (unet_keras, UnetTorch, UNET, (12, 12, 2)),
}
STYLES = ("functional", "sequential", "subclassed")
PAIRS = {
    f"{name}-{defect.kind}": (name, defect) for name, (*_, defects, _) in ARCHITECTURES.items() for defect in defects
}


def build(architecture, style, seed, keras_options, torch_options):
    """A pair with equal weights that are not constant anywhere, and inputs for both."""
    make, native, _, shape = ARCHITECTURES[architecture]
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    torch.manual_seed(seed)
    x = (
        rng.integers(0, 20, (4, *shape)).astype(np.int32)
        if len(shape) == 1
        else rng.standard_normal((4, *shape)).astype(np.float32)
    )
    model = make(style, keras_options)
    subject = KerasSubject(model, [x])
    shaken = {}
    for name, array in subject.dump().items():
        new = array + 0.2 * rng.standard_normal(array.shape)
        shaken[name] = (np.abs(new) + 0.1 if "variance" in name else new).astype(np.float32)
    subject.load(shaken)
    other = x if len(shape) < 3 else np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return subject, TorchSubject(native(**torch_options), [other]), [x], [other]


def examine(architecture: str, style: str, seed: int, defect: Defect | None = None) -> Verdict:
    """The verdict on one pair."""
    defect = defect or Defect("none", (), ())
    mine, theirs, x, other = build(architecture, style, seed, defect.keras, defect.torch)
    if defect.weights is None:
        return Examination(mine, theirs, x, other).run()
    Examination(mine, theirs, x, other).run()  # carries the weights over
    theirs.load(defect.weights(theirs.dump()))
    return Examination(mine, theirs, x, other, weights="own").run()


def judge(verdict: Verdict, defect: Defect) -> tuple[bool, bool, bool]:
    """Whether the defect was detected, located and explained."""
    if verdict.verdict != "differ":
        return False, False, False
    first = verdict.findings[0]
    where = f"{first.keras} {first.torch}".lower()
    return True, any(name in where for name in defect.at), first.cause in defect.causes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=17, help="of the pairs in which nothing is wrong")
    parser.add_argument("--only", default="", help="pairs whose names contain this")
    parser.add_argument("--equal", action="store_true", help="only pairs in which nothing is wrong")
    parser.add_argument("--json", default="")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    start, rows, alarms = time.perf_counter(), {}, []
    for number, (name, (architecture, defect)) in enumerate(PAIRS.items()):
        if options.equal or options.only not in name:
            continue
        style = STYLES[number % 3]
        try:
            verdict = examine(architecture, style, number, defect)
            told = verdict.to_json()
        except TwinError as error:
            verdict, told = Verdict("error", notes=(str(error),)), {"verdict": "error", "notes": [str(error)]}
        marks = judge(verdict, defect)
        rows[name] = {"marks": marks, "style": style, **told}
        if not all(marks) and not options.quiet:
            line = verdict.findings[0].line() if verdict.findings else verdict.notes
            cause = verdict.findings[0].cause if verdict.findings else None
            print(f"{name} ({style}): {marks} {cause}: {str(line)[:300]}", flush=True)
    equal = 0
    for seed in range(options.seeds):
        for number, architecture in enumerate(ARCHITECTURES):
            if options.only not in architecture:
                continue
            verdict = examine(architecture, STYLES[(seed + number) % 3], 1000 + seed)
            equal += 1
            if verdict.verdict != "agree":
                alarms.append(f"{architecture} seed {seed}: {[finding.line() for finding in verdict.findings]}")
    rates = np.array([row["marks"] for row in rows.values()]).mean(0) if rows else [0, 0, 0]
    print(
        f"keras-{keras.backend.backend()}: {len(rows)} pairs with one of "
        f"{len({defect.kind for _, defect in PAIRS.values()})} defects: "
        f"detected {rates[0]:.1%}, located {rates[1]:.1%}, cause {rates[2]:.1%}; "
        f"{len(alarms)} false alarms in {equal} equal pairs; {time.perf_counter() - start:.0f} s"
    )
    print(*alarms, sep="\n")
    if options.json:
        Path(options.json).write_text(json.dumps({"pairs": rows, "alarms": alarms, "equal": equal}, indent=1))


if __name__ == "__main__":
    main()
