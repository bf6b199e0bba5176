"""Kinds of mistakes, each in a small pair beside its right counterpart: what `twin verify` gives as the cause."""

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.verify import run as examination

pytestmark = pytest.mark.framework

KERAS = """
import keras
import numpy as np
from keras import layers, ops


class Own(keras.Model):
    def __init__(self, sizes, body):
        super().__init__()
        self.parts = [layers.Dense(size, name=f"dense_{place}") for place, size in enumerate(sizes)]
        self.body = body

    def call(self, x):
        return self.body(x, *self.parts)


def residual():
    return Own([8, 8], lambda x, a, b: b(ops.relu(a(x))) + a(x))


def film():
    def body(x, a, b):
        scale, shift = ops.split(a(x), 2, axis=-1)
        return b(x * (1 + scale) + shift)

    return Own([12, 5], body)


def attended(axis=-1):
    return Own([4, 3], lambda x, a, b: b(ops.softmax(a(x), axis=axis)))


def pooled():
    return Own([4, 3], lambda x, a, b: b(ops.mean(ops.relu(a(x)), axis=1)))


def spread():
    return Own([4, 3], lambda x, a, b: b(ops.std(a(x), axis=1)))


def clipped():
    return Own([4, 3], lambda x, a, b: b(ops.relu6(a(x))))


def ratio():
    return Own([4, 4], lambda x, a, b: a(x) / (2 + ops.abs(b(x))))


def unseen():
    def body(x, a, b):
        if float(ops.max(ops.abs(x))) < 0:  # no symbol has a value
            return x
        scale, shift = ops.split(a(x), 2, axis=-1)
        return b(x * (1 + scale) + shift)

    return Own([12, 5], body)


def turned_points():
    inputs = keras.Input((7, 3))
    turn = layers.Reshape((3, 3))(layers.Dense(9, name="turn")(layers.GlobalAveragePooling1D()(inputs)))
    x = layers.Conv1D(5, 3, name="conv")(layers.Dot(axes=(2, 1))([inputs, turn]))
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def path():
    inputs = keras.Input((6,))
    x = layers.Dropout(0.4, noise_shape=(None, 1))(layers.Dense(6, name="a")(inputs))
    return keras.Model(inputs, layers.Dense(3, name="b")(x + inputs))


def gated():
    return Own([4, 4, 3], lambda x, a, b, c: c(ops.tanh(a(x)) * ops.sigmoid(b(ops.relu(a(x))))))


def hard():
    return Own([4, 3], lambda x, a, b: b(ops.hard_silu(a(x))))


def positive():
    return Own([4, 3], lambda x, a, b: b(1 + ops.elu(a(x))))


def table(order="halves"):
    angles = np.arange(5)[:, None] * np.array([1.0, 0.3, 0.1])
    made = np.concatenate([np.sin(angles), np.cos(angles)], -1).astype("float32")
    return Own([6, 3], lambda x, a, b: b(ops.relu(a(x) + ops.convert_to_tensor(made[None]))))


def masked():
    mask = np.tril(np.ones((4, 4), "float32"))
    return Own([4, 3], lambda x, a, b: b(ops.relu(ops.matmul(a(x), ops.convert_to_tensor(mask)))))


def attending(causal=True):
    inputs = keras.Input((7, 6))
    x = layers.MultiHeadAttention(2, 3, name="attention")(inputs, inputs, use_causal_mask=causal)
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


def unscaled():
    inputs = keras.Input((7, 6))
    x = layers.Dense(6, name="first")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.Attention()([x, x])))


def padded():
    def body(x, conv):
        return conv(ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect"))

    model = Own([], body)
    model.parts = [layers.Conv2D(3, 3, name="conv")]
    return model


def causal():
    inputs = keras.Input((9, 2))
    x = layers.Conv1D(4, 3, dilation_rate=2, padding="causal", name="conv")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.ReLU()(x)))


def two_sums():
    return Own([4, 4], lambda x, a, b: 12 * ops.sum(a(x), axis=-1) + ops.sum(ops.tanh(b(x)), axis=-1))


def reset_before():
    inputs = keras.Input((5, 6))
    x = layers.GRU(4, return_sequences=True, reset_after=False, name="gru_0")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.GRU(4, name="gru_1")(x)))


def scored():
    def body(x, a, b, c):
        return c(ops.sum(ops.softmax(b(ops.tanh(a(x))), axis=1) * x, axis=1))

    return Own([4, 1, 3], body)


class Dropping(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.drop = layers.Dense(6, name="a"), layers.Dense(3, name="b"), layers.Dropout(0.3)

    def call(self, x, training=False):
        return self.b(x + self.drop(self.a(x), training=training))


def dropping():
    return Dropping()


class Experts(keras.Model):
    def __init__(self):
        super().__init__()
        self.w = self.add_weight(shape=(6, 5, 3), initializer="glorot_uniform", name="kernels")
        self.c = self.add_weight(shape=(5, 3), initializer="normal", name="biases")
        self.gate = layers.Dense(3, name="gate")

    def call(self, x):
        experts = ops.relu(ops.einsum("bf,fwe->bwe", x, self.w) + self.c)
        return ops.sum(experts * ops.softmax(self.gate(x))[:, None], axis=-1)


def experts():
    return Experts()


def tables():
    ids = keras.Input((1,), dtype="int32")
    row = layers.Flatten()
    scale = row(layers.Embedding(7, 4, name="gamma")(ids))
    shift = row(layers.Embedding(7, 4, name="beta")(ids))
    return keras.Model(ids, layers.Dense(3, name="head")(scale * 2 + shift))


def two_ids():
    user, item = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    row = layers.Flatten()
    joined = layers.Concatenate()([row(layers.Embedding(7, 4, name="users")(user)),
                                   row(layers.Embedding(7, 4, name="items")(item))])
    return keras.Model([user, item], layers.Dense(3, name="head")(joined))


def steps():
    x = keras.Input((5, 6))
    y = layers.TimeDistributed(layers.Dense(4, activation="relu"), name="each")(x)
    return keras.Model(x, layers.Dense(3, name="head")(layers.GlobalMaxPooling1D()(y)))


def both_ways():
    x = keras.Input((5, 6))
    return keras.Model(x, layers.Dense(3, name="head")(layers.Bidirectional(layers.LSTM(4), name="lstm")(x)))


def words():
    ids = keras.Input((6,), dtype="int32")
    y = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4, name="table")(ids))
    return keras.Model(ids, layers.Dense(3, name="head")(y))


def regularized():
    l2 = keras.regularizers.L2(0.01)
    return keras.Sequential([keras.Input((6,)), layers.Dense(4, kernel_regularizer=l2, name="a"),
                             layers.Dense(3, name="b")])


def plain():
    return keras.Sequential([keras.Input((6,)), layers.Dense(4, name="a"), layers.Dense(3, name="b")])


def nll(y, output):
    mean, raw = output[:, :1], output[:, 1:]
    return ops.mean(ops.square(y[:, :1] - mean) / ops.exp(raw) + raw)


def focal(y, output):
    p = ops.sigmoid(output)
    right = y * p + (1 - y) * (1 - p)
    weight = y * 0.25 + (1 - y) * 0.75
    return ops.mean(-weight * (1 - right) ** 2 * ops.log(right))


def ratio_of_sums(y, output):
    p = ops.sigmoid(output)
    return 1 - ops.mean(ops.sum(p * y, axis=1) / ops.sum(p + y, axis=1))


hinge = keras.losses.Hinge()


def momentum_rmsprop():
    return keras.optimizers.RMSprop(0.1, rho=0.9, momentum=0.9, epsilon=1e-7)


def wide_adamax():
    return keras.optimizers.Adamax(1e-3, epsilon=1e-4)


def falling_sgd():
    return keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.8), momentum=0.9)


def stepped_sgd():
    rates = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.02])
    return keras.optimizers.SGD(rates, momentum=0.9)


def dice(y, output):
    p = ops.softmax(output)
    return 1 - ops.mean(2 * ops.sum(p * y, axis=1) / ops.sum(p + y, axis=1))


def adamax():
    return keras.optimizers.Adamax(1e-3, epsilon=1e-8)


def adam():
    return keras.optimizers.Adam(1e-3, epsilon=1e-8)


def sgd():
    return keras.optimizers.SGD(1e-2, momentum=0.9, nesterov=False)


def rmsprop():
    return keras.optimizers.RMSprop(1e-3, rho=0.95, epsilon=1e-14)
"""

TORCH = """
import torch
from torch import nn
from torch.nn import functional as F


class Own(nn.Module):
    def __init__(self, sizes, body):
        super().__init__()
        self.parts = nn.ModuleList([nn.LazyLinear(size) for size in sizes])
        self.body = body

    def forward(self, x):
        return self.body(x, *self.parts)


def residual(inplace=False, without=False):
    def body(x, a, b):
        y = a(x)
        z = b(F.relu(y, inplace=inplace))
        return z if without else z + y

    return Own([8, 8], body)


def film(exchanged=False, minus=False):
    def body(x, a, b):
        scale, shift = a(x).chunk(2, -1)
        if exchanged:
            scale, shift = shift, scale
        return b(x * (1 - scale if minus else 1 + scale) + shift)

    return Own([12, 5], body)


def attended(dim=-1):
    return Own([4, 3], lambda x, a, b: b(F.softmax(a(x), dim=dim)))


def by_hand():
    def body(x, a, b):
        e = torch.exp(a(x))
        return b(e / e.sum(1, keepdim=True))

    return Own([4, 3], body)


def pooled(first=False, dim=1):
    return Own([4, 3], lambda x, a, b: b(F.relu(a(x).mean(dim)) if first else F.relu(a(x)).mean(dim)))


def spread(unbiased=False):
    return Own([4, 3], lambda x, a, b: b(a(x).std(1, unbiased)))


def clipped(at=6.0):
    return Own([4, 3], lambda x, a, b: b(a(x).clamp(0, at)))


def unclipped():
    return Own([4, 3], lambda x, a, b: b(F.relu(a(x))))


def ratio(turned=False):
    def body(x, a, b):
        one, other = a(x), 2 + b(x).abs()
        return other / one if turned else one / other

    return Own([4, 4], body)


class TurnedPoints(nn.Module):
    def __init__(self, transposed=False):
        super().__init__()
        self.turn, self.conv, self.head = nn.Linear(3, 9), nn.Conv1d(3, 5, 3), nn.Linear(5, 2)
        self.transposed = transposed

    def forward(self, x):
        turn = self.turn(x.mean(1)).view(-1, 3, 3)
        turn = turn.transpose(1, 2) if self.transposed else turn
        return self.head(self.conv(torch.bmm(x, turn).transpose(1, 2)).transpose(1, 2))


class Path(nn.Module):
    def __init__(self, divided=True):
        super().__init__()
        self.a, self.b, self.divided = nn.Linear(6, 6), nn.Linear(6, 3), divided

    def forward(self, x):
        y = self.a(x)
        if self.training:
            y = (y / 0.6 if self.divided else y) * torch.floor(0.6 + torch.rand(len(x), 1))
        return self.b(x + y)


def gated(exchanged=False):
    one, other = (torch.sigmoid, torch.tanh) if exchanged else (torch.tanh, torch.sigmoid)
    return Own([4, 4, 3], lambda x, a, b, c: c(one(a(x)) * other(b(F.relu(a(x))))))


def hard(old=False):
    def body(x, a, b):
        y = a(x)
        return b(y * torch.clamp(0.2 * y + 0.5, 0, 1) if old else F.hardswish(y))

    return Own([4, 3], body)


def positive(exp=False):
    return Own([4, 3], lambda x, a, b: b(a(x).exp() if exp else 1 + F.elu(a(x))))


def table(interleaved=False, base=1.0):
    angles = torch.arange(5)[:, None] * torch.tensor([1.0, 0.3, 0.1]) * base
    made = torch.cat([angles.sin(), angles.cos()], -1)
    if interleaved:
        made = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
    return Own([6, 3], lambda x, a, b: b(F.relu(a(x) + made[None])))


def masked(strict=False, turned=False):
    mask = torch.ones(4, 4).tril(-1 if strict else 0)
    mask = mask.t().contiguous() if turned else mask
    return Own([4, 3], lambda x, a, b: b(F.relu(a(x) @ mask)))


class Attending(nn.Module):
    def __init__(self, mask=True):
        super().__init__()
        self.attention, self.head, self.mask = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(6, 3), mask

    def forward(self, x):
        hidden = torch.ones(7, 7, dtype=torch.bool).triu(1) if self.mask else None
        return self.head(self.attention(x, x, x, attn_mask=hidden, need_weights=False)[0])


class AttendingByHand(nn.Module):
    def __init__(self, mask=True, scale=3**-0.5):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(6, 6) for _ in range(4))
        self.head, self.mask, self.scale = nn.Linear(6, 3), mask, scale

    def forward(self, x):
        parts = (each(x).unflatten(-1, (2, 3)).transpose(1, 2) for each in (self.query, self.key, self.value))
        q, k, v = parts
        scores = q @ k.transpose(-2, -1) * self.scale
        if self.mask:
            scores = scores.masked_fill(torch.ones(7, 7, dtype=torch.bool).triu(1), float("-inf"))
        return self.head(self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2)))


def unscaled(scaled=False):
    def body(x, a, b):
        y = a(x)
        scores = torch.einsum("bqd,bkd->bqk", y, y)
        return b((scores / 6**0.5 if scaled else scores).softmax(-1) @ y)

    model = Own([6, 3], body)
    model.first, model.head = model.parts
    return model


class Padded(nn.Module):
    def __init__(self, mode="reflect"):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode)

    def forward(self, x):
        return self.conv(x)


class Causal(nn.Module):
    def __init__(self, start=False):
        super().__init__()
        self.conv, self.head, self.start = nn.Conv1d(2, 4, 3, padding=4, dilation=2), nn.Linear(4, 3), start

    def forward(self, x):
        y = self.conv(x.transpose(1, 2))
        y = y[:, :, 4:] if self.start else y[:, :, :-4]
        return self.head(F.relu(y).transpose(1, 2))


def two_sums(once=False):
    return Own([4, 4], lambda x, a, b: (1 if once else 12) * a(x).sum(-1) + b(x).tanh().sum(-1))


class Stacked(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(6, 4, num_layers=2, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


def scored(dim=1):
    return Own([4, 1, 3], lambda x, a, b, c: c((b(a(x).tanh()).softmax(dim) * x).sum(1)))


class Dropping(nn.Module):
    def __init__(self, after=False):
        super().__init__()
        self.a, self.b, self.drop, self.after = nn.Linear(6, 6), nn.Linear(6, 3), nn.Dropout(0.3), after

    def forward(self, x):
        return self.b(self.drop(x + self.a(x)) if self.after else x + self.drop(self.a(x)))


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(6, 5), nn.ReLU()) for _ in range(3)])
        self.gate = nn.Linear(6, 3)

    def forward(self, x):
        stacked = torch.stack([expert(x) for expert in self.experts], 1)
        return torch.einsum("be,bew->bw", self.gate(x).softmax(-1), stacked)


class Tables(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 8), nn.Linear(4, 3)

    def forward(self, ids):
        scale, shift = self.embed(ids[:, 0]).chunk(2, -1)
        return self.head(scale * 2 + shift)


class TwoIds(nn.Module):
    def __init__(self, exchanged=False):
        super().__init__()
        self.users, self.items, self.head = nn.Embedding(7, 4), nn.Embedding(7, 4), nn.Linear(8, 3)
        self.exchanged = exchanged

    def forward(self, user, item):
        if self.exchanged:
            user, item = item, user
        return self.head(torch.cat([self.users(user[:, 0]), self.items(item[:, 0])], -1))


class Steps(nn.Module):
    def __init__(self, mean=False):
        super().__init__()
        self.each, self.head, self.mean = nn.Linear(6, 4), nn.Linear(4, 3), mean

    def forward(self, x):
        y = F.relu(self.each(x.reshape(-1, 6))).view(len(x), 5, 4)
        return self.head(y.mean(1) if self.mean else y.amax(1))


class BothWays(nn.Module):
    def __init__(self, last=False):
        super().__init__()
        self.lstm, self.head, self.last = nn.LSTM(6, 4, batch_first=True, bidirectional=True), nn.Linear(8, 3), last

    def forward(self, x):
        y, (h, _) = self.lstm(x)
        return self.head(y[:, -1] if self.last else torch.cat([h[-2], h[-1]], -1))


class Words(nn.Module):
    def __init__(self, padding=None, cut=False):
        super().__init__()
        self.table, self.head, self.cut = nn.Embedding(9, 4, padding_idx=padding), nn.Linear(4, 3), cut

    def forward(self, ids):
        rows = F.embedding(ids, self.table.weight.data) / 2 + self.table(ids) / 2 if self.cut else self.table(ids)
        return self.head(rows.mean(1))


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.b(self.a(x))


def focal(output, y, flat=False):
    p = torch.sigmoid(output)
    right = y * p + (1 - y) * (1 - p)
    weight = 0.25 if flat else y * 0.25 + (1 - y) * 0.75
    return (-weight * (1 - right) ** 2 * right.log()).mean()


def focal_flat(output, y):
    return focal(output, y, flat=True)


def ratio_of_sums(output, y):
    p = torch.sigmoid(output)
    return 1 - ((p * y).sum(1) / (p + y).sum(1)).mean()


def ratio_of_all(output, y):
    p = torch.sigmoid(output)
    return 1 - (p * y).sum() / (p + y).sum()


def hinge(output, y):
    return (1 - (2 * y - 1) * output).clamp(min=0).mean()


def hinge_of_zeros(output, y):
    return (1 - y * output).clamp(min=0).mean()


class ByHand(torch.optim.Optimizer):
    # RMSprop and SGD as Keras has them, but for what is named.
    def __init__(self, params, kind, start=0.0, outside=False):
        super().__init__(params, {})
        self.kind, self.start, self.outside, self.count = kind, start, outside, 0

    @torch.no_grad()
    def step(self, closure=None):
        rate = 0.1 if self.kind == "rmsprop" else (0.1, 0.1, 0.02)[min(self.count, 2)]
        self.count += 1
        for p in self.param_groups[0]["params"]:
            state = self.state[p]
            step = p.grad
            if self.kind == "rmsprop":
                state.setdefault("squares", torch.full_like(p, self.start)).lerp_(p.grad**2, 0.1)
                step = p.grad / (state["squares"] + 1e-7).sqrt()
            velocity = state.setdefault("velocity", torch.zeros_like(p))
            velocity.mul_(0.9).add_(step if self.outside else rate * step)
            p -= rate * velocity if self.outside else velocity


def own_rmsprop(p):
    return ByHand(p, "rmsprop")


def own_sgd(p):
    return ByHand(p, "sgd")


def sgd_outside(p):
    return ByHand(p, "sgd", outside=True)


def nll(output, y):
    mean, raw = output[:, :1], output[:, 1:]
    return ((y[:, :1] - mean) ** 2 / raw.exp() + raw).mean()


def nll_softplus(output, y):
    mean, raw = output[:, :1], output[:, 1:]
    return ((y[:, :1] - mean) ** 2 / F.softplus(raw) + raw).mean()


def dice(output, y):
    p = output.softmax(-1)
    return 1 - (2 * (p * y).sum(1) / (p + y).sum(1)).mean()


def dice_over_all(output, y):
    p = output.softmax(0)
    return 1 - (2 * (p * y).sum(1) / (p + y).sum(1)).mean()


def adamax(p):
    return torch.optim.Adamax(p, 1e-3)


def wide_adamax(p):
    return torch.optim.Adamax(p, 1e-3, eps=1e-4)


class Falling(torch.optim.SGD):
    # The learning rate of each step stays inside, and in the velocity.
    def step(self, closure=None):
        for p in self.param_groups[0]["params"]:
            count = self.state[p].get("count", 0)
            self.state[p]["count"] = count + 1
            velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
            with torch.no_grad():
                p -= velocity.mul_(0.9).add_(0.1 * 0.8**count * p.grad)


def falling_sgd(p):
    return Falling(p, 0.1)


def nadam(p):
    return torch.optim.NAdam(p, 1e-3)


def adam(p):
    return torch.optim.Adam(p, 1e-3)


def sgd(p):
    return torch.optim.SGD(p, 1e-2, momentum=0.9)


def dampened(p):
    return torch.optim.SGD(p, 1e-2, momentum=0.9, dampening=0.5, weight_decay=0.1)


def rmsprop(p):
    return torch.optim.RMSprop(p, 1e-3, alpha=0.95, eps=1e-8)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("causes")
    (folder / "k.py").write_text(KERAS)
    (folder / "t.py").write_text(TORCH)
    return folder


@pytest.fixture(scope="module")
def sessions():
    pool = Pool(Settings())
    yield [pool.start(ENGINES[name], "cpu") for name in ("keras-torch", "torch")]
    pool.close()


@pytest.fixture
def verify(files, sessions):
    def examine(keras, torch, *shapes, **options):
        for name in ("loss", "optimizer"):
            if name in options:
                one, other = options[name]
                options[name] = [f"{files}/k.py:{one}", f"{files}/t.py:{other}"]
        request = examination.Request(f"{files}/k.py:{keras}", f"{files}/t.py:{torch}", shapes=shapes, **options)
        return examination.examine(request, *sessions, lambda word: None)

    return examine


IDS = {"kinds": ["int"]}
RIGHT = {
    "residual": ("residual", "residual", (8,), {}),
    "film": ("film", "film", (6,), {}),
    "softmax by hand": ("attended", "by_hand", (6,), {}),
    "pooled": ("pooled", "pooled", (5, 6), {}),
    "clipped by hand": ("clipped", "clipped", (6,), {}),
    "dropout in a residual": ("dropping", "Dropping", (6,), {}),
    "experts in one array": ("experts", "Experts", (6,), {}),
    "two tables in one": ("tables", "Tables", (1,), IDS),
    "steps as rows": ("steps", "Steps", (5, 6), {}),
    "words": ("words", "Words", (6,), IDS),
    "turned points": ("turned_points", "TurnedPoints", (7, 3), {}),
    "unseen": ("unseen", "film", (6,), {}),
    "path": ("path", "Path", (6,), {}),
    "gated": ("gated", "gated", (6,), {}),
    "hard": ("hard", "hard", (6,), {}),
    "positive": ("positive", "positive", (6,), {}),
    "table": ("table", "table", (5, 6), {}),
    "masked": ("masked", "masked", (6,), {}),
    "attending": ("attending", "Attending", (7, 6), {}),
    "attending by hand": ("attending", "AttendingByHand", (7, 6), {}),
    "unscaled": ("unscaled", "unscaled", (7, 6), {}),
    "padded": ("padded", "Padded", (9, 9, 2), {}),
    "causal": ("causal", "Causal", (9, 2), {}),
    "two sums": ("two_sums", "two_sums", (6,), {}),
    "scored": ("scored", "scored", (7, 6), {}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_pair_agrees(verify, name):
    keras, torch, shape, options = RIGHT[name]
    found = verify(keras, torch, shape, **options)
    assert (found.verdict, found.findings) == ("agree", ())


WRONG = {
    "dropout_scale": ("path", "Path", (6,), {"torch_kwargs": {"divided": False}}),
    "wrong_activation": ("gated", "gated", (6,), {"torch_kwargs": {"exchanged": True}}),
    "hard_sigmoid_slope": ("hard", "hard", (6,), {"torch_kwargs": {"old": True}}),
    "constant_order": ("table", "table", (5, 6), {"torch_kwargs": {"interleaved": True}}),
    "position_frequencies": ("table", "table", (5, 6), {"torch_kwargs": {"base": 2.0}}),
    "constant_mask": ("masked", "masked", (6,), {"torch_kwargs": {"strict": True}}),
    "constant_transposed": ("masked", "masked", (6,), {"torch_kwargs": {"turned": True}}),
    "causal_mask": ("attending", "Attending", (7, 6), {"torch_kwargs": {"mask": False}}),
    "attention_scale": ("attending", "AttendingByHand", (7, 6), {"torch_kwargs": {"scale": 6**-0.5}}),
    "padding_mode": ("padded", "Padded", (9, 9, 2), {"torch_kwargs": {"mode": "zeros"}}),
    "padding": ("causal", "Causal", (9, 2), {"torch_kwargs": {"start": True}}),
    "missing_scale": ("two_sums", "two_sums", (6,), {"torch_kwargs": {"once": True}}),
    "gru_reset_after": ("reset_before", "Stacked", (5, 6), {}),
    "inplace_activation": ("residual", "residual", (8,), {"torch_kwargs": {"inplace": True}}),
    "missing_add": ("residual", "residual", (8,), {"torch_kwargs": {"without": True}}),
    "chunk_order": ("film", "film", (6,), {"torch_kwargs": {"exchanged": True}}),
    "softmax_axis": ("attended", "attended", (6,), {"torch_kwargs": {"dim": 0}}),
    "order": ("pooled", "pooled", (5, 6), {"torch_kwargs": {"first": True}}),
    "std_ddof": ("spread", "spread", (5, 6), {"torch_kwargs": {"unbiased": True}}),
    "operand_order": ("ratio", "ratio", (6,), {"torch_kwargs": {"turned": True}}),
    "dropout_position": ("dropping", "Dropping", (6,), {"torch_kwargs": {"after": True}}),
    "bidirectional_last": ("both_ways", "BothWays", (5, 6), {"torch_kwargs": {"last": True}}),
    "embedding_padding_vector": ("words", "Words", (6,), IDS | {"torch_kwargs": {"padding": 0}}),
    "stopped_gradient": ("words", "Words", (6,), IDS | {"torch_kwargs": {"cut": True}}),
    "mean_for_max": ("steps", "Steps", (5, 6), {"torch_kwargs": {"mean": True}}),
}


@pytest.mark.parametrize("cause", WRONG)
def test_a_wrong_pair_has_its_cause(verify, cause):
    keras, torch, shape, options = WRONG[cause]
    found = verify(keras, torch, shape, **options)
    assert (found.verdict, found.findings[0].cause) == ("differ", cause)


@pytest.mark.parametrize(
    ("cause", "keras", "torch", "shape", "kwargs"),
    [
        ("chunk_order", "unseen", "film", (6,), {"exchanged": True}),
        ("wrong_activation", "positive", "positive", (6,), {"exp": True}),
        ("causal_mask", "attending", "AttendingByHand", (7, 6), {"mask": False}),
        ("attention_scale", "unscaled", "unscaled", (7, 6), {"scaled": True}),
        ("softmax_axis", "scored", "scored", (7, 6), {"dim": -1}),
    ],
)
def test_another_pair_of_the_same_kind_has_it_too(verify, cause, keras, torch, shape, kwargs):
    found = verify(keras, torch, shape, torch_kwargs=kwargs)
    assert (found.verdict, found.findings[0].cause) == ("differ", cause)


def test_a_matrix_made_by_a_layer_is_not_taken_for_channels(verify):
    assert verify("turned_points", "TurnedPoints", (7, 3), torch_kwargs={"transposed": True}).verdict == "differ"


def test_two_inputs_of_one_kind_are_not_the_same_numbers(verify):
    shapes, kinds = ((1,), (1,)), ["int", "int"]
    assert verify("two_ids", "TwoIds", *shapes, kinds=kinds).verdict == "agree"
    assert verify("two_ids", "TwoIds", *shapes, kinds=kinds, torch_kwargs={"exchanged": True}).verdict == "differ"


def test_larger_inputs_show_a_limit_that_the_first_do_not_reach(verify):
    found = verify("clipped", "unclipped", (6,))
    assert found.verdict == "differ"
    assert found.findings[0].what.startswith("On inputs 8 times as large")


@pytest.mark.parametrize(
    ("loss", "cause"),
    [
        (("nll", "nll"), None),
        (("nll", "nll_softplus"), "loss_wrong_activation"),
        (("dice", "dice"), None),
        (("dice", "dice_over_all"), "softmax_axis"),
        (("focal", "focal"), None),
        (("focal", "focal_flat"), "class_weights"),
        (("ratio_of_sums", "ratio_of_sums"), None),
        (("ratio_of_sums", "ratio_of_all"), "loss_reduction_axis"),
        (("hinge", "hinge"), None),
        (("hinge", "hinge_of_zeros"), "loss_labels"),
    ],
)
def test_losses_by_hand_are_followed_call_by_call(verify, tmp_path, loss, cause):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.standard_normal((6, 6)), "y": rng.random((6, 3))}
    if loss[0] in ("focal", "hinge"):
        arrays["y"] = arrays["y"].round()
    np.savez(tmp_path / "data.npz", **{name: array.astype(np.float32) for name, array in arrays.items()})
    found = verify("plain", "Plain", data=tmp_path / "data.npz", loss=loss)
    assert [finding.cause for finding in found.findings] == ([cause] if cause else [])


@pytest.mark.parametrize(
    ("keras", "optimizer", "cause"),
    [
        ("plain", ("adamax", "adamax"), None),
        ("plain", ("wide_adamax", "wide_adamax"), None),
        ("plain", ("wide_adamax", "adamax"), "adam_epsilon"),
        ("plain", ("falling_sgd", "falling_sgd"), None),
        ("plain", ("adamax", "nadam"), "optimizer_class"),
        ("regularized", ("adam", "adam"), "l2_regularizer"),
        ("plain", ("sgd", "sgd"), None),
        ("plain", ("sgd", "dampened"), "weight_decay"),
        ("plain", ("rmsprop", "rmsprop"), None),
        ("plain", ("momentum_rmsprop", "own_rmsprop"), None),
        ("plain", ("stepped_sgd", "own_sgd"), None),
        ("plain", ("stepped_sgd", "sgd_outside"), "momentum_learning_rate"),
    ],
)
def test_the_fewest_changes_of_an_optimizer(verify, keras, optimizer, cause):
    found = verify(keras, "Plain", (6,), optimizer=optimizer)
    assert [finding.cause for finding in found.findings] == ([cause] if cause else [])
