"""Causes that are several calls, an order of calls or a layer's axes: each pair beside its right counterpart."""

from functools import partial

import pytest

from tests.helpers.bodies import examiner

pytestmark = pytest.mark.framework

KERAS = """
import keras
import numpy as np
from keras import layers, ops


class Own(keras.Model):
    def __init__(self, parts, body):
        super().__init__()
        self.parts, self.body = parts, body

    def call(self, x):
        return self.body(x, *self.parts)


def dense(*sizes):
    return [layers.Dense(size, name=f"dense_{place}") for place, size in enumerate(sizes)]


def capped():
    return Own(dense(4), lambda x, a: 3 * ops.tanh(a(x) / 3))


def unit_length():
    def body(x, a):
        return a(x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-8))

    return Own(dense(4), body)


def plain():
    return Own(dense(5, 4), lambda x, a, b: b(ops.relu(a(x))))


def relu_then_norm():
    return Own([*dense(5), layers.BatchNormalization(name="norm")], lambda x, a, n: n(ops.relu(a(x))))


def pool_then_norm():
    conv, pool = layers.Conv2D(4, 3, name="conv"), layers.MaxPooling2D()
    return Own([conv, layers.GroupNormalization(2, epsilon=1e-5, name="norm")], lambda x, c, n: n(pool(c(x))))


def gate_of_sum():
    return Own(dense(5, 5, 3), lambda x, a, b, c: c(ops.sigmoid(a(x) + b(x))))


def sum_of_gates():
    return Own(dense(5, 5, 3), lambda x, a, b, c: c(ops.sigmoid(a(x)) + ops.sigmoid(b(x))))


def over_channels():
    inputs = keras.Input((5, 6, 4))
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(layers.Conv2D(4, 3, name="conv")(inputs))
    return keras.Model(inputs, layers.Conv2D(2, 1, name="head")(x))


def mixed():
    inputs = keras.Input((6, 6))
    x = layers.Dense(6, name="rows")(inputs)
    x = layers.Permute((2, 1))(layers.Dense(6, name="columns")(layers.Permute((2, 1))(x)))
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def old_gru():
    inputs = keras.Input((5, 3))
    x = layers.GRU(4, reset_after=False, return_sequences=True, name="gru")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def hidden_later():
    mask = np.tril(np.ones((5, 5), bool))

    def body(x, a, b):
        y = a(x)
        scores = ops.matmul(y, ops.swapaxes(y, 1, 2))
        return b(ops.matmul(ops.softmax(ops.where(ops.convert_to_tensor(mask), scores, -1e9)), y))

    return Own(dense(6, 3), body)


def backwards():
    inputs = keras.Input((5, 5))
    x = layers.LSTM(4, go_backwards=True, return_sequences=True, name="lstm")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def grouped():
    def body(x, a, b):
        y = 1.5 * a(x)
        parts = ops.reshape(y, (-1, 3, 4))
        return b(ops.reshape(parts - ops.logsumexp(parts, axis=-1, keepdims=True), (-1, 12)) + ops.tanh(y))

    return Own(dense(12, 5), body)


class Modulated(layers.Layer):
    def build(self, *shapes):
        self.kernel = self.add_weight(shape=(3, 3, 2, 4), initializer="random_normal", name="kernel")

    def call(self, x, style):
        y = ops.conv(x * style[:, None, None, :], self.kernel, padding="same")
        kernel = self.kernel[None] * style[:, None, None, :, None]
        return y * ops.rsqrt(ops.sum(ops.square(kernel), axis=(1, 2, 3)) + 1e-8)[:, None, None, :]


def modulated():
    x, z = keras.Input((5, 6, 2)), keras.Input((3,))
    return keras.Model([x, z], Modulated(name="conv")(x, layers.Dense(2, name="style")(z)))


class Masked(layers.Dense):
    def call(self, x):
        rows, columns = self.kernel.shape
        mask = (np.arange(rows)[:, None] <= np.arange(columns)[None]).astype("float32")
        return ops.matmul(x, self.kernel * ops.convert_to_tensor(mask)) + self.bias


def masked():
    return Own([Masked(5, name="first"), *dense(3)], lambda x, a, b: b(ops.tanh(a(x))))


def repeated():
    return Own(dense(4, 3), lambda x, a, b: b(ops.repeat(a(x), 2, axis=1) * x))


def positions():
    table = np.sin(np.arange(15).reshape(1, 5, 3)).astype("float32")
    return Own(dense(3, 2), lambda x, a, b: b(ops.relu(a(x) + ops.convert_to_tensor(table))))


def filtered():
    inputs = keras.Input((6,))
    value, gate = layers.Dense(5, name="filter")(inputs), layers.Dense(5, name="gate")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="head")(ops.tanh(value) * ops.sigmoid(gate)))


def nearest():
    table = (np.cos(np.arange(20).reshape(5, 4) ** 2) * np.arange(1, 6)[:, None]).astype("float32")

    def body(x, a, b):
        y, rows = a(x), ops.convert_to_tensor(table)
        far = ops.matmul(-2.0 * y, ops.transpose(rows)) + ops.sum(ops.square(rows), -1)[None]
        return b(ops.take(rows, ops.argmin(far, -1), axis=0) + y)

    return Own(dense(4, 3), body)


def attended():
    mask = np.tril(np.ones((5, 5), bool))

    def body(x, a, b):
        y = a(x)
        scores = ops.matmul(y, ops.swapaxes(y, 1, 2)) / 2
        return b(ops.matmul(ops.softmax(ops.where(ops.convert_to_tensor(mask), scores, -1e9)), y))

    return Own(dense(4, 3), body)


def fused():
    def body(x, a, b):
        q, k, v = ops.unstack(ops.transpose(ops.reshape(1.5 * a(x), (-1, 5, 3, 2, 2)), (2, 0, 3, 1, 4)))
        y = ops.matmul(ops.softmax(ops.matmul(q * 2**-0.5, ops.swapaxes(k, -1, -2))), v)
        return b(ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (-1, 5, 4)))

    return Own(dense(12, 3), body)


class MaskedByHand(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 5), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(5,), initializer="zeros", name="bias")

    def call(self, x):
        return Masked.call(self, x)


def masked_by_hand():
    return Own([MaskedByHand(name="first"), *dense(3)], lambda x, a, b: b(ops.tanh(a(x))))


def halves():
    def body(x, a, b):
        one, other = ops.split(1.5 * a(x), 2, axis=-1)
        return b(ops.tanh(one) * other)

    return Own(dense(8, 3), body)


def gated():
    inputs = keras.Input((6,))
    y = layers.Dense(6, name="first")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.Dense(6, name="gate")(y) + inputs))


class Mixing(layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], shape[-1]), initializer="orthogonal", name="w")

    def call(self, x):
        return ops.matmul(x, self.w), ops.slogdet(self.w)[1]


class Mix(keras.Model):
    def __init__(self):
        super().__init__()
        self.mix, self.head = Mixing(), layers.Conv2D(3, 3, name="head")

    def call(self, x):
        x, volume = self.mix(x)
        return self.head(x) + volume


def mix():
    return Mix()


class Standardized(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(3, 3, shape[-1], 4), initializer="he_normal", name="kernel")
        self.bias = self.add_weight(shape=(4,), initializer="zeros", name="bias")
        self.gain = self.add_weight(shape=(4,), initializer="ones", name="gain")

    def call(self, x):
        centred = self.kernel - ops.mean(self.kernel, axis=(0, 1, 2), keepdims=True)
        return ops.conv(x, centred * self.gain, padding="same") + self.bias


def standardized():
    return Own([Standardized(name="one"), Standardized(name="two")], lambda x, a, b: b(ops.relu(a(x))))


class ByHeads(layers.Layer):
    def build(self, shape):
        self.q, self.k, self.v = (
            self.add_weight(shape=(6, 2, 3), initializer="glorot_uniform", name=n) for n in ("query", "key", "value")
        )
        self.o = self.add_weight(shape=(2, 3, 6), initializer="glorot_uniform", name="output")
        self.seed = self.add_weight(shape=(1, 1, 6), initializer="random_normal", name="seed")

    def call(self, x):
        q, k, v = (ops.einsum("bnd,dhs->bhns", x + self.seed, w) for w in (self.q, self.k, self.v))
        scores = ops.einsum("bhis,bhjs->bhij", q, k)
        hidden = np.triu(np.full((5, 5), -1e9, "float32"), 1)
        weights = ops.softmax(scores + ops.convert_to_tensor(hidden))
        return ops.einsum("bhij,bhjs,hsd->bid", weights, v, self.o)


def by_heads():
    return Own([ByHeads(name="attention"), *dense(2)], lambda x, a, b: b(ops.tanh(a(x))))


class Steps(layers.Layer):
    def build(self, shape):
        self.transitions = self.add_weight(shape=(4, 4), initializer="glorot_uniform", name="transitions")

    def call(self, x):
        return ops.logsumexp(x[:, :, None] + self.transitions[None], axis=1)


def tags():
    return Own([*dense(4), Steps(name="chain")], lambda x, a, b: b(a(x)))


class Cell(layers.Layer):
    state_size = output_size = 4

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4), initializer="glorot_uniform", name="kernel")
        self.decay = self.add_weight(shape=(4,), initializer="random_normal", name="decay")

    def call(self, x, states):
        h = ops.tanh(ops.matmul(x, self.kernel) + states[0] * self.decay)
        return h, [h]


def own_cell():
    inputs = keras.Input((5, 3))
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.RNN(Cell(name="cell"), name="rnn")(inputs)))


def two_tokens():
    return Own(dense(4, 2, 2), lambda x, a, b, c: b(a(x)[:, 0]) + c(a(x)[:, 1]))


def placed():
    def body(x, attention, a):
        y = x + ops.sin(ops.flip(x, 1))
        return a(x + attention(query=y, key=y, value=x))

    return Own([layers.MultiHeadAttention(2, 3, name="attention"), *dense(2)], body)
"""

TORCH = """

def dense(*sizes):
    return [nn.LazyLinear(size) for size in sizes]


def capped(cap=True):
    return Own(dense(4), lambda x, a: 3 * torch.tanh(a(x) / 3) if cap else a(x))


def unit_length(norm=True):
    def body(x, a):
        return a(x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-8) if norm else x)

    return Own(dense(4), body)


def plain(cap=False):
    return Own(dense(5, 4), lambda x, a, b: b(2 * torch.tanh(F.relu(a(x)) / 2) if cap else F.relu(a(x))))


def relu_then_norm(turned=False):
    norm = nn.BatchNorm1d(5, eps=1e-3, momentum=0.01)
    return Own([*dense(5), norm], lambda x, a, n: F.relu(n(a(x))) if turned else n(F.relu(a(x))))


def pool_then_norm(turned=False):
    parts = [nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4)]
    return Own(parts, lambda x, c, n: F.max_pool2d(n(c(x)), 2) if turned else n(F.max_pool2d(c(x), 2)))


def gate_of_sum(turned=False):
    def body(x, a, b, c):
        return c(a(x).sigmoid() + b(x).sigmoid() if turned else (a(x) + b(x)).sigmoid())

    return Own(dense(5, 5, 3), body)


def sum_of_gates(turned=False):
    return gate_of_sum(not turned)


class OverChannels(nn.Module):
    def __init__(self, group=False):
        super().__init__()
        self.conv, self.head = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1)
        self.norm, self.group = nn.GroupNorm(1, 4) if group else nn.LayerNorm(4), group

    def forward(self, x):
        x = self.conv(x)
        return self.head(self.norm(x) if self.group else self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class Mixed(nn.Module):
    def __init__(self, turned=True):
        super().__init__()
        self.rows, self.columns, self.head, self.turned = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2), turned

    def forward(self, x):
        x = self.rows(x)
        return self.head(self.columns(x.transpose(1, 2)).transpose(1, 2) if self.turned else self.columns(x))


class OldGRU(nn.Module):
    def __init__(self, after=False, turned=False):
        super().__init__()
        self.kernel, self.bias = nn.Parameter(torch.randn(3, 12)), nn.Parameter(torch.zeros(12))
        self.recurrent_kernel = nn.Parameter(torch.randn(4, 12))
        self.head, self.after, self.turned = nn.Linear(4, 2), after, turned

    def forward(self, x):
        h, steps = x.new_zeros(len(x), 4), []
        update, reset, new = self.recurrent_kernel.chunk(3, 1)
        for step in x.unbind(1):
            z, r, n = (step @ self.kernel + self.bias).chunk(3, 1)
            z, r = torch.sigmoid(z + h @ update), torch.sigmoid(r + h @ reset)
            n = torch.tanh(n + (r * (h @ new) if self.after else (r * h) @ new))
            h = (1 - z) * h + z * n if self.turned else z * h + (1 - z) * n
            steps.append(h)
        return self.head(torch.stack(steps, 1))


def hidden_later(offset=1, inverted=False):
    mask = torch.ones(5, 5, dtype=torch.bool).triu(offset)
    mask = ~mask if inverted else mask

    def body(x, a, b):
        y = a(x)
        return b((y @ y.transpose(1, 2)).masked_fill(mask, -1e9).softmax(-1) @ y)

    return Own(dense(6, 3), body)


class Backwards(nn.Module):
    def __init__(self, axis=1, back=False):
        super().__init__()
        self.lstm, self.head, self.axis, self.back = nn.LSTM(5, 4, batch_first=True), nn.Linear(4, 2), axis, back

    def forward(self, x):
        y = self.lstm(x.flip(self.axis))[0]
        return self.head(y.flip(1) if self.back else y)


def grouped(outer=False):
    def body(x, a, b):
        y = 1.5 * a(x)
        parts = y.view(-1, 4, 3).transpose(1, 2) if outer else y.view(-1, 3, 4)
        return b(parts.log_softmax(-1).flatten(1) + y.tanh())

    return Own(dense(12, 5), body)


class Modulated(nn.Module):
    def __init__(self, axes=(2, 3, 4)):
        super().__init__()
        self.weight, self.style, self.axes = nn.Parameter(torch.randn(1, 4, 2, 3, 3)), nn.Linear(3, 2), axes

    def forward(self, x, z):
        b, c, h, w = x.shape
        weight = self.weight * self.style(z).view(b, 1, c, 1, 1)
        weight = weight * torch.rsqrt(weight.pow(2).sum(self.axes, keepdim=True) + 1e-8)
        return F.conv2d(x.reshape(1, b * c, h, w), weight.reshape(-1, c, 3, 3), padding=1, groups=b).view(b, -1, h, w)


def attended(causal=True):
    def body(x, a, b):
        y = a(x)
        return b(F.scaled_dot_product_attention(query=y, key=y, value=y, is_causal=causal))

    return Own(dense(4, 3), body)


def fused(heads_first=False):
    def body(x, a, b):
        y = 1.5 * a(x)
        parts = y.view(-1, 5, 2, 3, 2).permute(3, 0, 2, 1, 4) if heads_first else None
        q, k, v = y.view(-1, 5, 3, 2, 2).permute(2, 0, 3, 1, 4) if parts is None else parts
        return b(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    return Own(dense(12, 3), body)


class MaskedLinear(nn.Linear):
    def __init__(self, rows, columns, used):
        super().__init__(rows, columns)
        self.register_buffer("mask", (torch.arange(rows)[None] <= torch.arange(columns)[:, None]).float())
        self.used = used

    def forward(self, x):
        return F.linear(x, self.weight * self.mask if self.used else self.weight, self.bias)


def masked(used=True):
    return Own([MaskedLinear(6, 5, used), *dense(3)], lambda x, a, b: b(a(x).tanh()))


def repeated(tiled=False):
    def body(x, a, b):
        y = a(x)
        return b((y.repeat(1, 2) if tiled else y.repeat_interleave(2, dim=1)) * x)

    return Own(dense(4, 3), body)


def positions(rows=False):
    table = torch.arange(15).reshape(1, 5, 3).sin()

    def body(x, a, b):
        return b(F.relu(a(x) + (table[0, : len(x), None] if rows else table)))

    return Own(dense(3, 2), body)


class Filtered(nn.Module):
    def __init__(self, turned=False):
        super().__init__()
        self.filter, self.gate, self.head = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 3)
        self.functions = (torch.sigmoid, torch.tanh) if turned else (torch.tanh, torch.sigmoid)

    def forward(self, x):
        one, other = self.functions
        return self.head(one(self.filter(x)) * other(self.gate(x)))


def nearest(norm=True):
    table = (torch.arange(20).reshape(5, 4) ** 2).cos() * torch.arange(1, 6)[:, None]  # of such norms that they decide

    def body(x, a, b):
        y = a(x)
        far = -2 * y @ table.T
        far = table.square().sum(-1)[None] + far if norm else far
        return b(table[far.argmin(-1)] + y)

    return Own(dense(4, 3), body)


def halves(interleaved=False):
    def body(x, a, b):
        y = 1.5 * a(x)
        one, other = (y[:, ::2], y[:, 1::2]) if interleaved else y.chunk(2, -1)
        return b(one.tanh() * other)

    return Own(dense(8, 3), body)


class Gated(nn.Module):
    def __init__(self, before=False):
        super().__init__()
        self.first, self.gate, self.head, self.before = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3), before

    def forward(self, x):
        y = self.first(x)
        return self.head(self.gate(y + x) if self.before else self.gate(y) + x)


class Mix(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.head = nn.Parameter(torch.linalg.qr(torch.randn(4, 4))[0]), nn.Conv2d(4, 3, 3)

    def forward(self, x):
        return self.head(F.conv2d(x, self.weight[:, :, None, None])) + torch.slogdet(self.weight)[1]


class Standardized(nn.Conv2d):
    def __init__(self, width):
        super().__init__(width, 4, 3, padding=1)
        self.gain = nn.Parameter(torch.ones(4))

    def forward(self, x):
        weight = (self.weight - self.weight.mean((1, 2, 3), keepdim=True)) * self.gain[:, None, None, None]
        return F.conv2d(x, weight, self.bias, padding=1)


def standardized(act=F.relu):
    return Own([Standardized(2), Standardized(4)], lambda x, a, b: b(act(a(x))))


class ByHeads(nn.Module):
    def __init__(self, masked):
        super().__init__()
        self.q_net, self.k_net, self.v_net, self.o_net = (nn.Linear(6, 6, bias=False) for _ in range(4))
        self.S, self.masked = nn.Parameter(torch.zeros(1, 1, 6)), masked

    def forward(self, x):
        x = x + self.S
        q, k, v = (net(x).unflatten(-1, (2, 3)).transpose(1, 2) for net in (self.q_net, self.k_net, self.v_net))
        scores = q @ k.transpose(-2, -1)
        if self.masked:
            scores = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), float("-inf"))
        return self.o_net((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


def by_heads(masked=True):
    return Own([ByHeads(masked), *dense(2)], lambda x, a, b: b(torch.tanh(a(x))))


class Steps(nn.Module):
    def __init__(self, turned):
        super().__init__()
        self.transitions, self.turned = nn.Parameter(torch.zeros(4, 4)), turned

    def forward(self, x):
        if self.turned:
            return torch.logsumexp(x.unsqueeze(1) + self.transitions, 2)
        return torch.logsumexp(x.unsqueeze(2) + self.transitions, 1)


def tags(turned=False):
    return Own([*dense(4), Steps(turned)], lambda x, a, b: b(a(x)))


class OwnCell(nn.Module):
    def __init__(self, reverse=False, act="tanh"):
        super().__init__()
        self.ih, self.hh, self.head = nn.Linear(3, 4, bias=False), nn.Parameter(torch.ones(4)), nn.Linear(4, 2)
        self.reverse, self.act = reverse, getattr(torch, act)

    def forward(self, x):
        h = torch.zeros(len(x), 4)
        for t in reversed(range(x.shape[1])) if self.reverse else range(x.shape[1]):
            h = self.act(self.ih(x[:, t]) + h * self.hh)
        return self.head(h)


class Placed(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(6, 2)

    def forward(self, x):
        y = x + x.flip(1).sin()
        return self.out(x + self.attention(y, y, x, need_weights=False)[0])


def two_tokens(second=1):
    return Own(dense(4, 2, 2), lambda x, a, b, c: b(a(x)[:, 0]) + c(a(x)[:, second]))
"""

TWO = ((5, 6, 2), (3,))
RIGHT = {
    "soft cap": ("capped", "capped", ((6,),)),
    "norm by hand": ("unit_length", "unit_length", ((6,),)),
    "plain": ("plain", "plain", ((6,),)),
    "norm of a relu": ("relu_then_norm", "relu_then_norm", ((6,),)),
    "norm of a pool": ("pool_then_norm", "pool_then_norm", ((9, 8, 2),)),
    "gate of a sum": ("gate_of_sum", "gate_of_sum", ((6,),)),
    "sum of gates": ("sum_of_gates", "sum_of_gates", ((6,),)),
    "norm over channels": ("over_channels", "OverChannels", ((5, 6, 4),)),
    "mixed": ("mixed", "Mixed", ((6, 6),)),
    "gru by hand": ("old_gru", "OldGRU", ((5, 3),)),
    "causal mask": ("hidden_later", "hidden_later", ((5, 6),)),
    "backwards": ("backwards", "Backwards", ((5, 5),)),
    "grouped": ("grouped", "grouped", ((6,),)),
    "a weight of five axes": ("modulated", "Modulated", TWO),
    "masked weights": ("masked", "masked", ((6,),)),
    "masked weights by hand": ("masked_by_hand", "masked", ((6,),)),
    "attention as one function": ("attended", "attended", ((5, 6),)),
    "fused queries, keys and values": ("fused", "fused", ((5, 6),)),
    "repeated": ("repeated", "repeated", ((8,),)),
    "positions": ("positions", "positions", ((5, 6),)),
    "filter and gate": ("filtered", "Filtered", ((6,),)),
    "nearest": ("nearest", "nearest", ((6,),)),
    "halves": ("halves", "halves", ((6,),)),
    "sum after a gate": ("gated", "Gated", ((6,),)),
    "a matrix as a convolution": ("mix", "Mix", ((5, 6, 4),)),
    "standardized weights": ("standardized", "standardized", ((5, 6, 2),)),
    "matrices by heads": ("by_heads", "by_heads", ((5, 6),)),
    "scores of steps": ("tags", "tags", ((6,),)),
    "a cell by hand": ("own_cell", "OwnCell", ((5, 3),)),
    "two tokens": ("two_tokens", "two_tokens", ((5, 6),)),
    "arguments by name": ("placed", "Placed", ((5, 6),)),
}
WRONG = [
    ("missing_divide_tanh_multiply", "soft cap", {"cap": False}),
    ("missing_square_mean_add", "norm by hand", {"norm": False}),
    ("extra_divide_tanh_multiply", "plain", {"cap": True}),
    ("order", "norm of a relu", {"turned": True}),
    ("order", "norm of a pool", {"turned": True}),
    ("order", "gate of a sum", {"turned": True}),
    ("order", "sum of gates", {"turned": True}),
    ("normalized_axes", "norm over channels", {"group": True}),
    ("missing_transpose", "mixed", {"turned": False}),
    ("gru_reset_after", "gru by hand", {"after": True}),
    ("gru_update_gate", "gru by hand", {"turned": True}),
    ("constant_mask", "causal mask", {"offset": 2}),
    ("constant_mask", "causal mask", {"inverted": True}),
    ("flip_axis", "backwards", {"axis": 2}),
    ("extra_flip", "backwards", {"back": True}),
    ("arrangement_order", "grouped", {"outer": True}),
    ("causal_mask", "attention as one function", {"causal": False}),
    ("arrangement_order", "fused queries, keys and values", {"heads_first": True}),
    ("missing_weight_mask", "masked weights", {"used": False}),
    ("repeat_order", "repeated", {"tiled": True}),
    ("constant_axis", "positions", {"rows": True}),
    ("wrong_activation", "filter and gate", {"turned": True}),
    ("missing_add", "nearest", {"norm": False}),
    ("split_order", "halves", {"interleaved": True}),
    ("order", "sum after a gate", {"before": True}),
    ("reduction_axis", "a weight of five axes", {"axes": (1, 3, 4)}),
    ("causal_mask", "matrices by heads", {"masked": False}),
    ("transposed_weight", "scores of steps", {"turned": True}),
    ("reversed_steps", "a cell by hand", {"reverse": True}),
    ("sin_for_tanh", "a cell by hand", {"act": "sin"}),
    ("selected_places", "two tokens", {"second": 0}),
]


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    with examiner(tmp_path_factory.mktemp("stretches"), KERAS, TORCH) as examine:
        yield partial(examine, training=False)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_pair_agrees(verify, name):
    found = verify(*RIGHT[name])
    assert (found.verdict, found.findings) == ("agree", ())


@pytest.mark.parametrize(("cause", "name", "kwargs"), WRONG)
def test_a_wrong_pair_has_its_cause(verify, cause, name, kwargs):
    found = verify(*RIGHT[name], torch_kwargs=kwargs)
    assert (found.verdict, found.findings[0].cause) == ("differ", cause)
