"""Whose partner a layer is: cells by hand, and layers of one shape in another order."""

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.engines.opened import OpenedModel
from compare.engines.pool import Pool, Settings
from tests.helpers.bodies import TORCH as OWN
from tests.helpers.bodies import examiner

KERAS = """
import keras
from keras import layers, ops


def lstm():
    inputs = keras.Input((4, 5))
    x = layers.LSTM(6, return_sequences=True, name="lower")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.LSTM(6, name="upper")(x)))


def gru(both=False):
    inputs = keras.Input((4, 6))
    x = layers.Bidirectional(layers.GRU(6, return_sequences=True, reset_after=both), name="around")(inputs)
    return keras.Model(inputs, layers.GRU(6, reset_after=both, use_bias=False, name="last")(x))


class Cell(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units
        self.wz, self.wr, self.wh = (layers.Dense(units) for _ in range(3))
        self.uz, self.ur, self.uh = (layers.Dense(units, use_bias=name == "h") for name in "zrh")

    def build(self, shape):
        for entering in (self.wz, self.wr, self.wh):
            entering.build(shape)
        for state in (self.uz, self.ur, self.uh):
            state.build((None, self.units))

    def call(self, x, states):
        h = states[0]
        z, r = ops.sigmoid(self.wz(x) + self.uz(h)), ops.sigmoid(self.wr(x) + self.ur(h))
        h = (1 - z) * ops.tanh(self.wh(x) + r * self.uh(h)) + z * h
        return h, [h]


def stacked():
    inputs = keras.Input((4, 5))
    return keras.Model(inputs, layers.RNN(Cell(6))(layers.RNN(Cell(6), return_sequences=True)(inputs)))


def branches():
    inputs = keras.Input((8,))
    out = inputs
    for name in "cabd":
        y = layers.Dense(8, name=f"up_{name}")(layers.Dense(8, activation="tanh", name=f"down_{name}")(inputs))
        out = ops.tanh(0.7 * out + layers.LayerNormalization(epsilon=1e-5, name=f"norm_{name}")(y))
    return keras.Model(inputs, out)


def normed():
    inputs = keras.Input((7, 5))
    x = layers.LayerNormalization(axis=[1, 2], epsilon=1e-5, name="whole")(layers.Conv1D(6, 3, name="conv")(inputs))
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.GlobalAveragePooling1D()(x)))


def rows():
    a, b = keras.Input((6,)), keras.Input((4,))
    x = layers.Dense(8, activation="tanh", name="mix")(layers.Concatenate()([a, b]))
    return keras.Model([a, b], layers.Dense(3, name="head")(layers.Concatenate()([b, x, a])))


def pictures():
    a, b = keras.Input((6, 6, 3)), keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", name="of_a")(a) + layers.Conv2D(4, 3, padding="same", name="of_b")(b)
    return keras.Model([a, b], layers.Conv2D(2, 1, name="head")(ops.tanh(x)))
"""
TORCH = """
def gates(i, f, g, o, c):
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


class OneRow(nn.Module):
    def __init__(self, n, u, forget=0):
        super().__init__()
        self.all, self.forget = nn.Linear(u + n, 4 * u), forget

    def forward(self, x, h, c):
        o, i, f, g = self.all(torch.cat([h, x], 1)).chunk(4, 1)
        return gates(i, f + self.forget, g, o, c)


class FourRows(nn.Module):
    def __init__(self, n, u):
        super().__init__()
        self.forget_gate, self.input_gate, self.candidate, self.output_gate = (nn.Linear(n + u, u) for _ in range(4))

    def forward(self, x, h, c):
        row = torch.cat([x, h], 1)
        return gates(self.input_gate(row), self.forget_gate(row), self.candidate(row), self.output_gate(row), c)


class Apart(nn.Module):
    def __init__(self, n, u):
        super().__init__()
        for gate in "fiog":
            setattr(self, "x" + gate, nn.Linear(n, u))
            setattr(self, "h" + gate, nn.Linear(u, u))

    def forward(self, x, h, c):
        return gates(*(getattr(self, "x" + k)(x) + getattr(self, "h" + k)(h) for k in "ifgo"), c)


class Arrays(nn.Module):
    def __init__(self, n, u):
        super().__init__()
        for k in "ifco":
            setattr(self, "W_" + k, nn.Parameter(0.3 * torch.randn(n, u)))
            setattr(self, "U_" + k, nn.Parameter(0.3 * torch.randn(u, u)))
            setattr(self, "b_" + k, nn.Parameter(torch.zeros(u)))

    def forward(self, x, h, c):
        rows = (x @ getattr(self, "W_" + k) + h @ getattr(self, "U_" + k) + getattr(self, "b_" + k) for k in "ifco")
        return gates(*rows, c)


class Two(nn.Module):
    def __init__(self, n, u):
        super().__init__()
        self.x2h, self.h2h = nn.Linear(n, 4 * u), nn.Linear(u, 4 * u)

    def forward(self, x, h, c):
        i, f, o, g = (self.x2h(x) + self.h2h(h)).chunk(4, 1)
        return gates(i, f, g, o, c)


class Steps(nn.Module):
    def __init__(self, cell, **options):
        super().__init__()
        self.first, self.second, self.head = cell(5, 6, **options), cell(6, 6, **options), nn.Linear(6, 3)

    def forward(self, x):
        one = two = (x.new_zeros(len(x), 6), x.new_zeros(len(x), 6))
        for step in x.unbind(1):
            one = self.first(step, *one)
            two = self.second(one[0], *two)
        return self.head(two[0])


def lstm(kind, **options):
    return Steps(globals()[kind], **options)


class Cho(nn.Module):
    def __init__(self, n, u, bias=True):
        super().__init__()
        self.gates, self.candidate = nn.Linear(n + u, 2 * u, bias=bias), nn.Linear(n + u, u, bias=bias)

    def forward(self, x, h):
        r, z = self.gates(torch.cat([x, h], 1)).sigmoid().chunk(2, 1)
        return z * h + (1 - z) * self.candidate(torch.cat([x, r * h], 1)).tanh()


class gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.there, self.back, self.last = Cho(6, 6), Cho(6, 6), Cho(12, 6, bias=False)

    def forward(self, x):
        def run(cell, x):
            h, out = x.new_zeros(len(x), 6), []
            for step in x.unbind(1):
                out.append(h := cell(step, h))
            return torch.stack(out, 1)

        both = torch.cat([run(self.there, x), run(self.back, x.flip(1)).flip(1)], 2)
        return run(self.last, both)[:, -1]


class stacked(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(5, 6, num_layers=2, batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0][:, -1]


class branches(nn.Module):
    def __init__(self, swapped=False):
        super().__init__()
        self.a, self.b = (nn.ModuleList(nn.Linear(8, 8) for _ in range(4)) for _ in range(2))
        self.n, self.swapped = nn.ModuleList(nn.LayerNorm(8) for _ in range(4)), swapped

    def forward(self, x):
        rows = [self.n[(i + 2) % 4](self.b[(3 * i) % 4](torch.tanh(self.a[i](x)))) for i in (2, 0, 3, 1)]
        out = x
        for row in (rows[3], rows[1], rows[0], rows[2]):
            out = torch.tanh(0.7 * row + out if self.swapped else 0.7 * out + row)
        return out


class normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv1d(5, 6, 3), nn.LayerNorm([6, 5]), nn.Linear(6, 3)

    def forward(self, x):
        return self.out(self.norm(self.conv(x.transpose(1, 2))).mean(2))


class rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.of_b, self.of_a = nn.Linear(4, 8), nn.Linear(6, 8)
        self.xa, self.xb, self.xx = nn.Linear(6, 3, bias=False), nn.Linear(4, 3), nn.Linear(8, 3, bias=False)

    def forward(self, a, b):
        return self.xx(torch.tanh(self.of_a(a) + self.of_b(b))) + self.xa(a) + self.xb(b)


class pictures(nn.Module):
    def __init__(self, swapped=False):
        super().__init__()
        self.both, self.last, self.swapped = nn.Conv2d(6, 4, 3, padding=1), nn.Conv2d(4, 2, 1), swapped

    def forward(self, a, b):
        x = torch.cat([b, 2 * b if self.swapped else a], 1)
        return self.last(torch.tanh(self.both(x)))
"""


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    with examiner(tmp_path_factory.mktemp("partners"), KERAS, TORCH) as examine:
        yield lambda name, *shapes, **options: examine(name, name, shapes, **options)


@pytest.mark.framework
@pytest.mark.parametrize("kind", ["OneRow", "FourRows", "Apart", "Arrays", "Two"])
def test_a_recurrent_layer_agrees_with_a_cell_by_hand(verify, kind):
    assert verify("lstm", (4, 5), torch_kwargs={"kind": kind}).verdict == "agree"


@pytest.mark.framework
@pytest.mark.parametrize(("name", "shape"), [("gru", (4, 6)), ("stacked", (4, 5))])
def test_gates_together_apart_and_without_bias_are_a_gru_too(verify, name, shape):
    assert verify(name, shape).verdict == "agree"


@pytest.mark.framework
def test_layers_of_one_shape_are_told_apart_by_what_they_do(verify):
    """Neither names nor order say which of four branches is which: there are 24 times 24 times 24 orders."""
    assert verify("branches", (8,)).verdict == "agree"


@pytest.mark.framework
def test_a_norm_over_steps_and_channels_is_one_over_channels_and_steps(verify):
    assert verify("normed", (7, 5)).verdict == "agree"


@pytest.mark.framework
@pytest.mark.parametrize(("name", "shapes"), [("rows", ((6,), (4,))), ("pictures", ((6, 6, 3), (6, 6, 3)))])
def test_layers_that_are_added_are_one_layer_of_what_they_take_in_a_row(verify, name, shapes):
    assert verify(name, *shapes).verdict == "agree"


@pytest.mark.framework
@pytest.mark.parametrize(
    ("name", "shapes", "options"),
    [
        ("lstm", ((4, 5),), {"torch_kwargs": {"kind": "OneRow", "forget": 1}}),
        ("gru", ((4, 6),), {"keras_kwargs": {"both": True}}),
        ("branches", ((8,),), {"torch_kwargs": {"swapped": True}}),
        ("pictures", ((6, 6, 3), (6, 6, 3)), {"torch_kwargs": {"swapped": True}}),
    ],
)
def test_no_order_of_layers_makes_a_wrong_pair_agree(verify, name, shapes, options):
    assert verify(name, *shapes, **options).verdict != "agree"


@pytest.mark.framework
def test_a_models_first_weights_are_the_same_each_time_and_those_of_a_second_build_are_others(tmp_path):
    (tmp_path / "k.py").write_text(KERAS)
    (tmp_path / "t.py").write_text(OWN + TORCH)
    for engine, file in (("keras-torch", "k.py"), ("torch", "t.py")):
        drawn = []
        for _ in range(2):
            pool = Pool(Settings())
            session, inputs = pool.start(ENGINES[engine], "cpu"), [np.zeros((2, 8), np.float32)]
            drawn += [OpenedModel(session, f"{tmp_path}/{file}:branches", {}, inputs).dump() for _ in range(2)]
            pool.close()
        first, second, again, other = ({name: array.tobytes() for name, array in each.items()} for each in drawn)
        assert (first, second) == (again, other)
        assert first != second
