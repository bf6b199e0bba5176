"""Right pairs of unusual writing: projections fused by head, tied tables, heads as an axis, parameters in loops."""

import pytest

from tests.helpers.bodies import pair_examiner

KERAS = """
import keras
from keras import layers, ops


class Body(layers.Layer):
    def __init__(self, parts, body, weights=(), **kw):
        super().__init__(**kw)
        self.parts, self.body, self.wanted = parts, body, weights

    def build(self, shape):
        make = lambda name, shape: self.add_weight(shape=shape, initializer="random_normal", name=name)
        self.arrays = [make(*each) for each in self.wanted]

    def call(self, x):
        return self.body(x, *self.parts, *self.arrays)


def model(shape, parts, body, weights=(), dtype="float32"):
    inputs = keras.Input(shape, dtype=dtype)
    return keras.Model(inputs, Body(parts, body, weights, name="body")(inputs))


def attend(q, k, v):
    s = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / 2.0)
    return ops.matmul(s, v)


def merge(x):
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, x.shape[2], x.shape[1] * x.shape[3]))


def perhead():
    def body(x, qkv, o):
        y = ops.reshape(qkv(x), (-1, 6, 2, 3, 4))
        q, k, v = (ops.transpose(y[:, :, :, i], (0, 2, 1, 3)) for i in range(3))
        return o(merge(attend(q, k, v)))

    return model((6, 8), [layers.Dense(24, name="qkv"), layers.Dense(8, name="o")], body)


def order():
    parts = [layers.Dense(8, name=n) for n in ("out", "mid", "inp")]
    return model((8,), parts, lambda x, o, m, i: o(ops.relu(m(ops.relu(i(x))))))


def tied():
    def body(x, emb, d):
        return ops.matmul(ops.tanh(d(emb(x))), ops.transpose(emb.embeddings))

    return model((6,), [layers.Embedding(11, 8, name="tokens"), layers.Dense(8, name="mid")], body, dtype="int32")


def shift():
    def body(x, k, r, o, mk, mr):
        last = ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        kk = ops.square(ops.relu(k(x * mk + last * (1 - mk))))
        return ops.sigmoid(r(x * mr + last * (1 - mr))) * o(kk)

    widths = {"key": 12, "receptance": 8, "value": 8}
    parts = [layers.Dense(width, use_bias=False, name=name) for name, width in widths.items()]
    return model((6, 8), parts, body, [("mix_k", (1, 1, 8)), ("mix_r", (1, 1, 8))])


def loop():
    def body(x, h, *w):
        for i in range(3):
            x = x + ops.tanh(ops.matmul(x, w[i]) + w[3 + i])
        return h(x)

    arrays = [(f"w{i}", (8, 8)) for i in range(3)] + [(f"b{i}", (8,)) for i in range(3)]
    return model((8,), [layers.Dense(3, name="head")], body, arrays)


def einsums():
    def body(x, wq, wk, wv, wo):
        q, k, v = (ops.einsum("btd,dhe->bhte", x, w) for w in (wq, wk, wv))
        return ops.einsum("bhte,hed->btd", attend(q, k, v), wo)

    inner = [(name, (8, 2, 4)) for name in ("wq", "wk", "wv")]
    return model((6, 8), [], body, [*inner, ("wo", (2, 4, 8))])


def queries():
    def body(x, first, k, v, q, head, token):
        x = ops.relu(first(x))
        s = ops.softmax(ops.matmul(q(ops.convert_to_tensor(token)), ops.transpose(k(x), (0, 2, 1))))
        return head(ops.matmul(s, v(x)))

    parts = [layers.Dense(8, name=n) for n in ("first", "k", "v", "q")] + [layers.Dense(3, name="head")]
    return model((6, 8), parts, body, [("token", (1, 4, 8))])
"""
TORCH = """

def heads(x, n=2):
    b, t, d = x.shape
    return x.view(b, t, n, d // n).transpose(1, 2)


def merge(x):
    return x.transpose(1, 2).flatten(2)


class perhead(nn.Module):
    def __init__(self, scale=2.0):
        super().__init__()
        self.scale = scale
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x):
        q, k, v = (heads(m(x)) for m in (self.wq, self.wk, self.wv))
        return self.wo(merge((q @ k.mT / self.scale).softmax(-1) @ v))


class order(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.a, self.b = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu())


class tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 11, bias=False)
        self.wte = nn.Embedding(11, 8)
        self.head.weight = self.wte.weight
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.head(self.fc(self.wte(x)).tanh())


class shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.time_mix_r = nn.Parameter(torch.rand(8))
        self.time_mix_k = nn.Parameter(torch.rand(8))
        self.receptance = nn.Linear(8, 8, bias=False)
        self.value = nn.Linear(12, 8, bias=False)
        self.key = nn.Linear(8, 12, bias=False)

    def forward(self, x):
        last = x.roll(1, 1)
        last = torch.cat([torch.zeros_like(last[:, :1]), last[:, 1:]], 1)
        k = self.key(torch.lerp(last, x, self.time_mix_k)).relu() ** 2
        return self.receptance(torch.lerp(last, x, self.time_mix_r)).sigmoid() * self.value(k)


class loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.ws = nn.ParameterList([nn.Parameter(torch.randn(8, 8) / 3) for _ in range(3)])
        self.bs = nn.ParameterList([nn.Parameter(torch.zeros(1, 8)) for _ in range(3)])
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        for w, b in zip(self.ws, self.bs):
            x = x + torch.tanh(torch.einsum("bi,oi->bo", x, w) + b)
        return self.head(x)


class einsums(nn.Module):
    def __init__(self):
        super().__init__()
        self.in_proj = nn.Linear(8, 24, bias=False)
        self.out_proj = nn.Linear(8, 8, bias=False)

    def forward(self, x):
        q, k, v = (heads(y) for y in self.in_proj(x).chunk(3, -1))
        return self.out_proj(merge((q @ k.mT / 2.0).softmax(-1) @ v))


class queries(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(4, 8))
        self.kv = nn.Linear(8, 16)
        self.proj_q = nn.Linear(8, 8)
        self.stem = nn.Linear(8, 8)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        x = self.stem(x).relu()
        k, v = self.kv(x).chunk(2, -1)
        s = torch.softmax(self.proj_q(self.token) @ k.mT, -1)
        return self.out(s @ v)
"""
SHAPES = {
    "perhead": (6, 8), "tied": (6,), "einsums": (6, 8), "queries": (6, 8), "shift": (6, 8), "loop": (8,), "order": (8,),
}  # fmt: skip


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    with pair_examiner(tmp_path_factory.mktemp("writing"), KERAS, TORCH, SHAPES, ["tied"]) as examine:
        yield examine


@pytest.mark.framework
@pytest.mark.parametrize("name", SHAPES)
def test_a_right_pair_agrees(verify, name):
    assert verify(name).verdict == "agree"


@pytest.mark.framework
def test_a_wrong_scale_behind_a_fused_projection_is_told(verify):
    assert verify("perhead", torch_kwargs={"scale": 2.5}).verdict == "differ"
