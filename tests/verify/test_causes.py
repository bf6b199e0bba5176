"""Kinds of mistakes, each in a small pair beside its right counterpart: what `twin verify` gives as the cause."""

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.verify import run as examination

pytestmark = pytest.mark.framework

KERAS = """
import keras
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
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_pair_agrees(verify, name):
    keras, torch, shape, options = RIGHT[name]
    found = verify(keras, torch, shape, **options)
    assert (found.verdict, found.findings) == ("agree", ())


WRONG = {
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
    ],
)
def test_losses_by_hand_are_followed_call_by_call(verify, tmp_path, loss, cause):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.standard_normal((4, 6)), "y": rng.random((4, 3))}
    np.savez(tmp_path / "data.npz", **{name: array.astype(np.float32) for name, array in arrays.items()})
    found = verify("plain", "Plain", data=tmp_path / "data.npz", loss=loss)
    assert [finding.cause for finding in found.findings] == ([cause] if cause else [])


@pytest.mark.parametrize(
    ("keras", "optimizer", "cause"),
    [
        ("plain", ("adamax", "adamax"), None),
        ("plain", ("adamax", "nadam"), "optimizer_class"),
        ("regularized", ("adam", "adam"), "l2_regularizer"),
        ("plain", ("sgd", "sgd"), None),
        ("plain", ("sgd", "dampened"), "weight_decay"),
        ("plain", ("rmsprop", "rmsprop"), None),
    ],
)
def test_the_fewest_changes_of_an_optimizer(verify, keras, optimizer, cause):
    found = verify(keras, "Plain", (6,), optimizer=optimizer)
    assert [finding.cause for finding in found.findings] == ([cause] if cause else [])
