"""Pairs of small models, one for each kind of port that the other side writes otherwise; examined in one process.

Usage: KERAS_BACKEND=torch python tests/helpers/kinds.py OUT.json
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import torch
from keras import layers, ops
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from compare.verify.examination import Examination
from keras_impl.tracing import Subject as KerasSubject
from torch_impl.tracing import Subject as TorchSubject
from twin.errors import TwinError

IMAGE = np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype(np.float32)
STEPS = np.random.default_rng(1).standard_normal((4, 6, 5)).astype(np.float32)
ROW = np.random.default_rng(2).standard_normal((4, 6)).astype(np.float32)
WORDS = np.array([[3, 5, 7, 2, 9, 4], [5, 2, 4, 8, 0, 0], [7, 1, 2, 0, 0, 0], [1, 6, 6, 2, 3, 0]], np.int32)


class Calls(nn.Module):
    """Modules by name, and a function of them and the inputs."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            if isinstance(module, torch.Tensor) and not isinstance(module, nn.Parameter):
                self.register_buffer(name, module)
            else:
                setattr(self, name, module)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def sequential(shape, *parts, dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *parts])


def functional(shapes, function, dtype="float32"):
    inputs = [keras.Input(shape, dtype=dtype) for shape in shapes]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], function(*inputs))


class Scale(layers.Layer):
    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="ones", name="gamma")

    def call(self, x):
        return self.gamma * x


class Sampling(layers.Layer):
    def call(self, mean, log_variance):
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))


class Wrapped(keras.Model):
    """Built from a functional graph within its constructor."""

    def __init__(self):
        inputs = keras.Input((8, 8, 3))
        x = layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
        super().__init__(inputs, layers.Conv2D(2, 3, name="second")(x))


class OwnConv(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.weight, self.bias)


def cell_loop(m, x):
    h = c = x.new_zeros(len(x), 7)
    for step in x.unbind(1):
        h, c = m.cell(step, (h, c))
    return m.out(h)


def gru_by_hand(m, x):
    h = x.new_zeros(len(x), 7)
    for step in x.unbind(1):
        z, r, n = m.ih(step).chunk(3, 1)
        hz, hr, hn = m.hh(h).chunk(3, 1)
        z, r = torch.sigmoid(z + hz), torch.sigmoid(r + hr)
        h = z * h + (1 - z) * torch.tanh(n + r * hn)
    return m.out(h)


def attention(m, x, fused=False, rate=0.0):
    q, k, v = m.qkv(x).chunk(3, -1) if fused else (m.query(x), m.key(x), m.value(x))
    q, k, v = (t.unflatten(-1, (2, 4)).transpose(1, 2) for t in (q, k, v))
    return m.output((torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v).transpose(1, 2).flatten(2))


def own_attention(x):
    names = ("query", "key", "value")
    q, k, v = (ops.transpose(ops.reshape(layers.Dense(8, name=n)(x), (-1, 6, 2, 4)), (0, 2, 1, 3)) for n in names)
    w = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / 2)
    return layers.Dense(8, name="output")(ops.reshape(ops.transpose(ops.matmul(w, v), (0, 2, 1, 3)), (-1, 6, 8)))


def drop_path(m, x):
    y = m.two(torch.relu(m.one(x)))
    if m.training:
        y = y / 0.7 * torch.floor(0.7 + torch.rand(len(x), 1, 1, 1))
    return x + y


def keras_drop_path(x):
    y = layers.Conv2D(3, 3, padding="same")(layers.Conv2D(5, 3, padding="same", activation="relu")(x))
    return layers.Add()([x, layers.Dropout(0.3, noise_shape=(None, 1, 1, 1))(y)])


def packed(m, x):
    lengths = (x != 0).sum(1)
    packed_ = pack_padded_sequence(m.emb(x), lengths, batch_first=True, enforce_sorted=False)
    return m.out(m.rnn(packed_)[1][0][-1])


def two_rnns(x):
    _, *state = layers.LSTM(6, return_state=True, name="enc")(x)
    return layers.Dense(2, name="out")(layers.LSTM(6, return_sequences=True, name="dec")(x, initial_state=state))


def normalization():
    layer = layers.Normalization(name="normalize")
    layer.adapt(ROW * 3 + 1)
    return sequential((6,), layer, layers.Dense(3, name="out"))


def branches(x):
    a, b = layers.Dense(6, name="dense_7")(x), layers.Dense(6, name="dense_8")(x)
    return layers.Dense(2, name="out")(ops.sigmoid(a) * ops.tanh(b))


def dilated(x):
    def path(x, rate):
        y = layers.Conv2D(3, 3, padding="same", dilation_rate=rate, use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(epsilon=1e-5, momentum=0.9)(y))

    for _ in range(2):
        a, b = path(x, 1), path(x, 2)
        shares = layers.Dense(6)(layers.GlobalAveragePooling2D()(layers.Add()([a, b])))
        shares = layers.Reshape((2, 1, 1, 3))(layers.Softmax(axis=1)(layers.Reshape((2, 3))(shares)))
        x = a * shares[:, 0] + b * shares[:, 1]
    return layers.Dense(2)(layers.GlobalAveragePooling2D()(x))


class Selective(nn.Module):
    """Two convolutions of other dilations, and how much of each."""

    def __init__(self):
        super().__init__()
        conv = lambda rate: nn.Conv2d(3, 3, 3, padding=rate, dilation=rate, bias=False)
        self.paths = nn.ModuleList(nn.Sequential(conv(rate), nn.BatchNorm2d(3), nn.ReLU()) for rate in (1, 2))
        self.select = nn.Linear(3, 6)

    def forward(self, x):
        found = torch.stack([path(x) for path in self.paths], 1)
        shares = self.select(found.sum(1).mean((2, 3))).view(-1, 2, 3).softmax(1)
        return torch.einsum("bpchw,bpc->bchw", found, shares)


def pairs():
    """Kind -> (Keras model, PyTorch module, inputs)."""
    lstm2 = lambda **more: sequential(
        (6, 5),
        layers.LSTM(7, return_sequences=True),
        *more.get("between", ()),
        layers.LSTM(7),
        layers.Dense(2, name="out"),
    )
    last = lambda m, x: m.out(m.rnn(x)[0][:, -1])
    words = lambda mask: sequential(
        (6,), layers.Embedding(12, 5, mask_zero=mask, name="emb"), layers.LSTM(7, name="rnn"),
        layers.Dense(2, name="out"), dtype="int32",
    )  # fmt: skip
    rnn = lambda **more: {"rnn": nn.LSTM(5, 7, batch_first=True, **more), "out": nn.Linear(7, 2)}
    plain = {"emb": nn.Embedding(12, 5), **rnn()}
    states = {"enc": nn.LSTM(5, 6, batch_first=True), "dec": nn.LSTM(5, 6, batch_first=True), "out": nn.Linear(6, 2)}
    projections = {name: nn.Linear(8, 8) for name in ("query", "key", "value", "output")}
    wide = np.random.default_rng(3).standard_normal((4, 6, 8)).astype(np.float32)
    conv = lambda *parts: sequential((8, 8, 3), *parts)
    shuffled = lambda x: ops.reshape(
        ops.transpose(ops.reshape(layers.Conv2D(12, 3, padding="same")(x), (-1, 8, 8, 2, 2, 3)), (0, 1, 3, 2, 4, 5)),
        (-1, 16, 16, 3),
    )
    yield "stacked LSTM", lstm2(), Calls(last, **rnn(num_layers=2)), [STEPS]
    yield (
        "stacked LSTM, one bias",
        lstm2(),
        Calls(last, rnn=rnn(num_layers=2)["rnn"], out=nn.Linear(7, 2, bias=False)),
        [STEPS],
    )
    between = lstm2(between=(layers.Dropout(0.2),))
    yield "stacked LSTM with dropout between", between, Calls(last, **rnn(num_layers=2, dropout=0.2)), [STEPS]
    one = lambda kind: sequential((6, 5), kind(7, name="rnn"), layers.Dense(2, name="out"))
    yield (
        "LSTM cell in a loop",
        one(layers.LSTM),
        Calls(cell_loop, cell=nn.LSTMCell(5, 7), out=nn.Linear(7, 2)),
        [STEPS],
    )
    by_hand = Calls(gru_by_hand, ih=nn.Linear(5, 21), hh=nn.Linear(7, 21), out=nn.Linear(7, 2))
    yield "GRU written by hand", one(layers.GRU), by_hand, [STEPS]
    mha = functional([(6, 8)], lambda x: layers.MultiHeadAttention(2, 4, name="attn")(x, x))
    yield "attention against projections", mha, Calls(attention, **projections), [wide]
    fused = Calls(lambda m, x: attention(m, x, True), qkv=nn.Linear(8, 24), output=nn.Linear(8, 8))
    yield "fused projection", functional([(6, 8)], own_attention), fused, [wide]
    native = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
    dropping = functional([(6, 8)], lambda x: layers.MultiHeadAttention(2, 4, dropout=0.1, name="attn")(x, x))
    whole = Calls(lambda m, x: m.attn(x, x, x, need_weights=False)[0], attn=native)
    yield "dropout of another rate in attention", dropping, whole, [wide]
    einsum = functional([(6, 8)], lambda x: layers.EinsumDense("btc,cd->btd", (None, 3), bias_axes="d")(x))
    yield "EinsumDense", einsum, Calls(lambda m, x: m.mix(x), mix=nn.Linear(8, 3)), [wide]

    class Tied(keras.Model):
        def __init__(self):
            super().__init__()
            self.tok = layers.Embedding(12, 5)

        def call(self, x):
            return ops.matmul(ops.tanh(self.tok(x)), ops.transpose(self.tok.embeddings))

    tied = Calls(lambda m, x: m.head(torch.tanh(m.tok(x))), tok=nn.Embedding(12, 5), head=nn.Linear(5, 12, bias=False))
    tied.head.weight = tied.tok.weight
    yield "tied head", Tied(), tied, [WORDS]
    prelu = conv(
        layers.Conv2D(4, 3), layers.PReLU(shared_axes=[1, 2]), layers.Conv2D(4, 3), layers.PReLU(shared_axes=[1, 2])
    )
    yield (
        "PReLU with shared axes",
        prelu,
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(4), nn.Conv2d(4, 4, 3), nn.PReLU(4)),
        [IMAGE],
    )
    scaled = Calls(lambda m, x: m.scale * m.conv(x), conv=nn.Conv2d(3, 4, 3), scale=nn.Parameter(torch.ones(4, 1, 1)))
    yield "LayerScale", conv(layers.Conv2D(4, 3), Scale()), scaled, [IMAGE]
    deep = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False), nn.Conv2d(3, 4, 1))
    yield "separable convolution", conv(layers.SeparableConv2D(4, 3, padding="same")), deep, [IMAGE]
    yield "dense against a convolution of size 1", conv(layers.Dense(4)), nn.Sequential(nn.Conv2d(3, 4, 1)), [IMAGE]
    unflat = sequential((6,), layers.Dense(48), layers.ReLU(), layers.Reshape((4, 4, 3)), layers.Conv2D(2, 3))
    row = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Unflatten(1, (3, 4, 4)), nn.Conv2d(3, 2, 3))
    yield "dense then reshape", unflat, row, [ROW]
    norm = lambda **more: layers.BatchNormalization(epsilon=1e-5, momentum=0.9, **more)
    unscaled = conv(layers.Conv2D(4, 3), norm(scale=False))
    yield "BatchNorm without scale", unscaled, nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), [IMAGE]
    linear = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3))
    yield "BatchNorm, linear convolution, BatchNorm", conv(norm(), layers.Conv2D(3, 3), norm()), linear, [IMAGE]
    gated = Calls(
        lambda m, x: m.out(torch.tanh(m.b(x)) * torch.sigmoid(m.a(x))),
        b=nn.Linear(6, 6),
        a=nn.Linear(6, 6),
        out=nn.Linear(6, 2),
    )
    yield "branches by where they go", functional([(6,)], branches), gated, [ROW]
    selective = Calls(
        lambda m, x: m.out(m.units(x).mean((2, 3))), units=nn.Sequential(Selective(), Selective()), out=nn.Linear(3, 2)
    )
    yield "branches of other dilations, with a norm each", functional([(8, 8, 3)], dilated), selective, [IMAGE]
    heads = functional([(6,)], lambda x: [layers.Dense(1, name="click")(x), layers.Dense(1, name="buy")(x)])
    yield (
        "two heads",
        heads,
        Calls(lambda m, x: (m.head_click(x), m.head_buy(x)), head_buy=nn.Linear(6, 1), head_click=nn.Linear(6, 1)),
        [ROW],
    )
    tower = lambda x, name: layers.Dense(2, name=name)(layers.Dense(8, activation="relu", name=f"{name}_tower")(x))
    later_first = lambda x: [tower(x, name) for name in ("second", "other")][::-1]
    both = {f"{kind}{task}": nn.Linear(*size) for task in "ab" for kind, size in (("tower_", (6, 8)), ("out_", (8, 2)))}
    yield (
        "a tower for each output",
        functional([(6,)], later_first),
        Calls(
            lambda m, x: (m.out_a(torch.relu(m.tower_a(x))), m.out_b(torch.relu(m.tower_b(x)))),
            **both,
        ),
        [ROW],
    )
    over_steps = sequential((6, 5), layers.Conv1D(4, 3), layers.GlobalMaxPooling1D(), layers.Dense(2))
    wide = Calls(
        lambda m, x: m.out(m.conv(x.unsqueeze(1)).squeeze(3).amax(2)), conv=nn.Conv2d(1, 4, (3, 5)), out=nn.Linear(4, 2)
    )
    yield "a convolution as wide as its rows", over_steps, wide, [STEPS]
    inner = Calls(lambda m, x: m.two(torch.tanh(m.one(x))), one=nn.Linear(6, 6), two=nn.Linear(6, 6))
    outer = Calls(lambda m, x: m.module(x), module=inner)
    yield (
        "module in a wrapper",
        sequential((6,), layers.Dense(6, activation="tanh", name="one"), layers.Dense(6, name="two")),
        outer,
        [ROW],
    )
    unused = Calls(lambda m, x: (m.one(x), m.two(x))[0], one=nn.Linear(6, 2), two=nn.Linear(6, 4))
    yield "a layer that is never used", sequential((6,), layers.Dense(2)), unused, [ROW]
    yield "packed sequences", words(True), Calls(packed, **plain), [WORDS]
    yield (
        "integers that the model embeds",
        words(False),
        Calls(lambda m, x: m.out(m.rnn(m.emb(x))[1][0][-1]), **plain),
        [WORDS],
    )
    yield "mask that is missing", words(True), Calls(lambda m, x: m.out(m.rnn(m.emb(x))[1][0][-1]), **plain), [WORDS]
    sampled = functional(
        [(6,)],
        lambda x: layers.Dense(4, name="up")(Sampling()(layers.Dense(3, name="mu")(x), layers.Dense(3, name="var")(x))),
    )
    draw = lambda m, x: m.up(m.mu(x) + torch.randn_like(m.mu(x)) * torch.exp(0.5 * m.var(x)))
    yield "sampling", sampled, Calls(draw, mu=nn.Linear(6, 3), var=nn.Linear(6, 3), up=nn.Linear(3, 4)), [ROW]
    causal = sequential((6, 5), layers.Conv1D(4, 3, padding="causal"))
    cut = Calls(lambda m, x: m.conv(x.transpose(1, 2))[..., :-2].transpose(1, 2), conv=nn.Conv1d(5, 4, 3, padding=2))
    yield "causal padding and a cut", causal, cut, [STEPS]
    yield (
        "model that calls super().__init__(inputs, outputs)",
        Wrapped(),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)),
        [IMAGE],
    )
    yield "subclass of Conv2d", conv(layers.Conv2D(4, 3, padding="same")), nn.Sequential(OwnConv(3, 4, 3)), [IMAGE]
    buffers = Calls(
        lambda m, x: m.out((x - m.mean) / m.variance.sqrt()),
        mean=torch.zeros(6),
        variance=torch.ones(6),
        out=nn.Linear(6, 3),
    )
    yield "Normalization against buffers", normalization(), buffers, [ROW]
    path = Calls(drop_path, one=nn.Conv2d(3, 5, 3, padding=1), two=nn.Conv2d(5, 3, 3, padding=1))
    yield "drop path by hand", functional([(8, 8, 3)], keras_drop_path), path, [IMAGE]
    spatial = sequential((6, 5), layers.Dense(4), layers.SpatialDropout1D(0.3), layers.Dense(2))
    yield "spatial dropout", spatial, nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.3), nn.Linear(4, 2)), [STEPS]
    without = Calls(lambda m, x: (m.enc(x), m.out(m.dec(x)[0]))[1], **states)
    yield "state that is not passed on", functional([(6, 5)], two_rnns), without, [STEPS]
    swapped = Calls(lambda m, x: m.out(m.dec(x, m.enc(x)[1][::-1])[0]), **states)
    yield "state exchanged", functional([(6, 5)], two_rnns), swapped, [STEPS]
    segment = Calls(lambda m, x: torch.softmax(m.conv(x), -1), conv=nn.Conv2d(3, 4, 3))
    yield "softmax over rows", conv(layers.Conv2D(4, 3, activation="softmax")), segment, [IMAGE]
    shuffle = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    yield "pixels in another order", functional([(8, 8, 3)], shuffled), shuffle, [IMAGE]
    behind = functional(
        [(6,)], lambda x: layers.LayerNormalization(epsilon=1e-9)(layers.LayerNormalization(epsilon=1e-9)(x))
    )
    yield "epsilon behind a norm", behind, nn.Sequential(nn.LayerNorm(6, eps=1e-9), nn.LayerNorm(6, eps=1e-5)), [ROW]
    shared = layers.Dense(4, name="tower")
    towers = functional(
        [(6,), (6,)], lambda a, b: layers.Dense(2, name="out")(layers.Subtract()([shared(a), shared(b)]))
    )
    apart = Calls(
        lambda m, a, b: m.out(m.left(a) - m.right(b)), left=nn.Linear(6, 4), right=nn.Linear(6, 4), out=nn.Linear(4, 2)
    )
    yield "two towers for one", towers, apart, [ROW, ROW[::-1].copy()]
    yield (
        "NaN on one side",
        sequential((6,), layers.Dense(3)),
        Calls(lambda m, x: torch.log(m.one(x) * 0 - 1), one=nn.Linear(6, 3)),
        [ROW],
    )


def wirings():
    """Pairs in which a value goes another way, and the same without that."""
    one, two = (lambda: layers.Dense(4, activation="tanh", name="one")), (lambda: layers.Dense(4, name="two"))

    def joined(x):
        return layers.Dense(3, name="out")(layers.Concatenate()([one()(x), two()(x)]))

    parts = lambda width=8: {"one": nn.Linear(6, 4), "two": nn.Linear(6, 4), "out": nn.Linear(width, 3)}
    straight = Calls(lambda m, x: m.out(torch.cat([torch.tanh(m.one(x)), m.two(x)], 1)), **parts())
    crossed = Calls(lambda m, x: m.out(torch.cat([m.two(x), torch.tanh(m.one(x))], 1)), **parts())
    yield "two parts joined", functional([(6,)], joined), straight, [ROW]
    yield "two parts joined in another order", functional([(6,)], joined), crossed, [ROW]

    def normed(x):
        y = layers.LayerNormalization(name="norm")(layers.Dense(6, name="one")(x))
        return layers.Dense(3, name="out")(y) + layers.Dense(3, name="two")(y)

    def skipping(m, x, first):
        y = m.norm(m.one(x))
        return m.out(y) + m.two(y if not first else m.one(x))

    arms = lambda: {
        "one": nn.Linear(6, 6), "norm": nn.LayerNorm(6, eps=1e-3), "out": nn.Linear(6, 3), "two": nn.Linear(6, 3),
    }  # fmt: skip
    yield "a norm before both", functional([(6,)], normed), Calls(lambda m, x: skipping(m, x, False), **arms()), [ROW]
    yield "a norm before one", functional([(6,)], normed), Calls(lambda m, x: skipping(m, x, True), **arms()), [ROW]

    attended = lambda x: layers.MultiHeadAttention(2, 4, name="mha")(x, x)
    tokens = np.random.default_rng(3).standard_normal((4, 6, 8)).astype(np.float32)
    for name, first in (("attention with its batch first", True), ("attention with its batch second", False)):
        mha = nn.MultiheadAttention(8, 2, batch_first=first)
        yield name, functional([(6, 8)], attended), Calls(lambda m, x: m.mha(x, x, x)[0], mha=mha), [tokens]

    both = lambda x: layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode="ave", name="rnn")(x)
    for name, divisor in (("directions averaged", 2), ("directions added for averaged", 1)):
        rnn = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
        halves = Calls(lambda m, x, d=divisor: (m.rnn(x)[0][..., :4] + m.rnn(x)[0][..., 4:]) / d, rnn=rnn)
        yield name, functional([(6, 5)], both), halves, [STEPS]

    spread = lambda x: layers.Dense(3, name="out")(ops.std(layers.Dense(4, name="one")(x), axis=1))
    for name, ddof in (("deviation of all", 0), ("deviation of a sample", 1)):
        module = Calls(
            lambda m, x, d=ddof: m.out(torch.std(m.one(x), dim=1, correction=d)),
            one=nn.Linear(5, 4),
            out=nn.Linear(4, 3),
        )
        yield name, functional([(6, 5)], spread), module, [STEPS]


def examine(model, module, inputs):
    """The verdict as JSON; an error as one too."""
    turned = [np.ascontiguousarray(np.moveaxis(a, -1, 1)) if a.ndim == 4 else a for a in inputs]
    try:
        return Examination(KerasSubject(model, inputs), TorchSubject(module, turned), inputs, turned).run().to_json()
    except TwinError as error:
        return {"verdict": "error", "cause": None, "what": str(error), "notes": []}


def main():
    keras.utils.set_random_seed(0)
    found = {kind: examine(model, module, inputs) for kind, model, module, inputs in (*pairs(), *wirings())}
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
