"""Where two formulas part: graphs of recorded calls, as both frameworks write them, with one planted difference."""

import numpy as np
import pytest

from compare.verify import axes, replay
from compare.verify.causes import attention, constants, operands
from compare.verify.causes.formulas import SURE, as_formulas, of_cuts, of_formulas
from compare.verify.causes.graphs import Graphs
from compare.verify.causes.numbers import of_numbers
from compare.verify.causes.situation import Situation
from compare.verify.causes.totals import of_totals
from compare.verify.matching import pair
from compare.verify.parts import of_keras, of_torch
from twin.bridge import Leaf
from twin.trace import Event, Trace

RNG = np.random.default_rng(0)
GIVEN = {number: RNG.standard_normal((4, 6)) for number in range(4)}
FUNCTIONS = {
    "multiply": np.multiply, "add": np.add, "subtract": np.subtract, "divide": np.divide, "exp": np.exp,
    "tanh": np.tanh, "sin": np.sin, "negative": np.negative, "maximum": np.maximum,
    "double": lambda x: 2 * x, "triple": lambda x: 3 * x, "square": np.square, "sqrt": np.sqrt,
    "second_power": lambda x: x**2, "reciprocal": np.reciprocal, "rsqrt": lambda x: 1 / np.sqrt(x),
    "masked": lambda x: np.where(x > 0, x, -1e9),
    "softmax": lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x - x.max(-1, keepdims=True)).sum(-1)[:, None],
    "einsum": lambda x, y: x @ y.T, "matmul": lambda x, y: x @ y.T,
}  # fmt: skip
NUMBERS = {"double": "multiply", "triple": "multiply", "second_power": "power", "masked": "where"}


def _graph(*calls):
    """Calls (name, numbers of what enters) over the values 0 to 3, which both sides have: their events and values."""
    values, events = dict(GIVEN), []
    for place, (name, *inputs) in enumerate(calls):
        values[10 + place] = FUNCTIONS[name](*(values[number] for number in inputs))
        settings = {"name": NUMBERS.get(name, name)}
        events.append(
            Event(place, "op", settings, name, "", f"t.py:{place}", "", tuple(inputs), (10 + place,), f"{name}()")
        )
    return events, values


def _situation(keras, torch):
    (mine, values), (theirs, native) = _graph(*keras), _graph(*torch)
    ends = (mine[-1].outputs, theirs[-1].outputs)
    names = {number: "abcd"[number] for number in GIVEN}
    return Situation(
        mine[0], theirs[0], None, None, False, (), None, None, False, None,
        unlike=(mine, theirs), values=(values, native), ends=ends, names=(names, names),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keras", "torch", "cause", "words"),
    [
        ([("tanh", 0), ("multiply", 10, 1)], [("multiply", 0, 1)], "missing_tanh", "Keras computes tanh here, Py"),
        ([("multiply", 0, 1)], [("tanh", 0), ("multiply", 10, 1)], "extra_tanh", "PyTorch computes tanh here, K"),
        ([("tanh", 0), ("add", 10, 1)], [("tanh", 2), ("add", 10, 1)], "input_wiring", "Keras computes a, PyTorch c"),
        ([("subtract", 0, 1), ("exp", 10)], [("subtract", 1, 0), ("exp", 10)], "operand_order", "exchanged"),
        ([("double", 0), ("add", 10, 1)], [("triple", 0), ("add", 10, 1)], "multiply_constant", "(a * 2), PyTorch"),
        ([("multiply", 0, 1), ("sin", 10)], [("add", 0, 1), ("sin", 10)], "add_for_multiply", "adds where Keras m"),
        ([("add", 0, 1), ("tanh", 10)], [("tanh", 0), ("add", 10, 1)], "order", "another place"),
        ([("negative", 2), ("add", 0, 1), ("add", 11, 10)], [("add", 0, 3), ("subtract", 10, 2)],
         "input_wiring", "b, Py"),
        ([("add", 0, 1), ("multiply", 10, 2)], [("add", 0, 2), ("multiply", 10, 1)], "operand_order", "each other"),
        ([("square", 0), ("add", 10, 1)], [("second_power", 2), ("add", 10, 1)], "input_wiring", "Keras computes a"),
        ([("multiply", 0, 0), ("add", 10, 1)], [("square", 2), ("add", 10, 1)], "input_wiring", "Keras computes a"),
        ([("exp", 0), ("rsqrt", 10), ("add", 11, 1)],
         [("exp", 2), ("sqrt", 10), ("reciprocal", 11), ("add", 12, 1)], "input_wiring", "Keras computes a"),
        ([("masked", 0), ("softmax", 10), ("einsum", 11, 1)], [("softmax", 0), ("matmul", 10, 1)],
         "missing_attention_mask", "PyTorch has no mask here"),
        ([("softmax", 0), ("matmul", 10, 1)], [("masked", 0), ("softmax", 10), ("einsum", 11, 1)],
         "extra_attention_mask", "Keras has no mask here"),
    ],
)  # fmt: skip
def test_the_step_from_one_formula_to_the_other_is_named(keras, torch, cause, words):
    at = _situation(keras, torch)
    found = list(of_formulas(at, SURE))
    assert [candidate.cause for candidate in found] == [cause]
    assert words in found[0].says
    assert as_formulas(at, known=False) == (cause, found[0].says)


@pytest.mark.parametrize("calls", [[("tanh", 0)], [("tanh", 0), ("add", 10, 1), ("double", 11)]])
def test_equal_formulas_have_no_step(calls):
    at = _situation(calls, calls)
    assert Graphs(at).way(at.ends[0][0], at.ends[1][0]) == (0.0, ())
    assert not list(of_formulas(at, SURE))


def test_a_step_is_carried_out_with_what_keras_has_there():
    at = _situation([("tanh", 0), ("multiply", 10, 1)], [("multiply", 0, 1)])
    (candidate,) = of_formulas(at, SURE)
    place, array = next(iter(candidate.arrays.items()))
    assert place == "0/input/0"
    np.testing.assert_allclose(array, np.tanh(GIVEN[0]))


def test_two_steps_behind_each_other_are_no_single_cause():
    """Only the later one is proved where Keras's value is put there."""
    at = _situation([("tanh", 0), ("exp", 10), ("add", 11, 1)], [("sin", 0), ("negative", 10), ("add", 11, 1)])
    assert not list(of_formulas(at, SURE))


def test_a_loop_is_cut_in_all_its_runs():
    def loop(name):
        return [("multiply", 0, 1), (name, 10, 2), ("multiply", 11, 3), (name, 12, 1)]

    at = _situation(loop("add"), loop("subtract"))
    for events in at.unlike:  # both runs of a line stand in one place
        for number, event in enumerate(events):
            object.__setattr__(event, "where", f"t.py:{number % 2}")
    assert {1, 3} in [{edit["event"] for edit in candidate.edits} for candidate in of_cuts(at)]


def test_sums_over_channels_say_their_numbers():
    photo = RNG.standard_normal((5, 7, 3))
    weights = [0.299, 0.587, 0.114], [0.2126, 0.7152, 0.0722]
    values = [{0: photo, 10: photo @ np.array(each)} for each in weights]
    events = [[Event(0, "op", {"name": "gray"}, "gray", "", "", "", (0,), (10,), "gray()")] for _ in weights]
    at = Situation(
        events[0][0], events[1][0], None, None, False, (), None, None, False, None,
        unlike=tuple(events), values=tuple(values), ends=((10,), (10,)), names=({0: "photo"}, {0: "photo"}),
    )  # fmt: skip
    cause, says = operands.weighted(Graphs(at), 10, 10)
    assert cause == "sum_constants"
    assert "0.299, 0.587, 0.114" in says
    assert "0.7152" in says


def test_other_values_for_query_key_and_value_are_told_by_their_role():
    tokens, normed = RNG.standard_normal((2, 3, 4, 5)).astype("float32")
    keras = Event(1, "attention", {}, "k", "", "", "attn", (1, 0, 0), (2,))
    torch = Event(1, "attention", {}, "t", "", "t.py:9", "attn", (1, 1, 1), (2,))
    trace = Trace((), {0: tokens, 1: normed}, {})
    (found,) = attention.of_roles(keras, torch, trace, trace)
    assert "for the key and the value Keras takes input 0, and PyTorch input 1" in found.says
    assert "query" not in found.says
    np.testing.assert_array_equal(found.arrays["1/input/2"], tokens)
    assert not attention.of_roles(keras, keras, trace, trace)


def test_a_query_that_keras_makes_of_no_input_leaves_key_and_value():
    memory, placed = RNG.standard_normal((2, 3, 4, 5)).astype("float32")
    query = RNG.standard_normal((3, 2, 5)).astype("float32")
    keras = Event(1, "attention", {}, "k", "", "", "attn", (0, 1), (3,))  # in the order of its arguments: value, key
    torch = Event(1, "attention", {}, "t", "", "t.py:9", "attn", (2, 1, 1), (3,))
    (found,) = attention.of_roles(keras, torch, *[Trace((), {0: memory, 1: placed, 2: query}, {})] * 2)
    assert "for the value Keras takes input 0, and PyTorch input 1" in found.says
    assert "key" not in found.says


@pytest.mark.parametrize("layers", [(), ("sin", "negative")])
def test_another_number_is_told_wherever_its_call_is(layers):
    """Also where everything else is written otherwise, in layouts that no value of the other side has."""
    behind = [(name, 11 + place) for place, name in enumerate(layers)]
    at = _situation([("tanh", 0), ("double", 10), *behind], [("exp", 2), ("triple", 10), *behind])
    (found,) = of_numbers(at)
    assert found.cause == "multiply_constant"
    assert "Keras multiplies by 2 (t.py:1), PyTorch multiplies by 3 (t.py:1)" in found.says
    assert found.torch.text == "x * 2 in place of triple() (t.py:1)"
    same = [("double", 0), *[(name, number - 1) for name, number in behind]]
    assert not list(of_numbers(_situation(same, same)))


def _table(frequencies, in_halves):
    angles = np.arange(6)[:, None] * np.array(frequencies)
    parts = [np.sin(angles), np.cos(angles)]
    return np.concatenate(parts, 1) if in_halves else np.stack(parts, -1).reshape(6, -1)


@pytest.mark.parametrize(
    ("torch", "cause", "words"),
    [
        (_table([1, 0.3, 0.1], True), "position_frequencies", "1, 0.3, 0.1"),
        (2 * _table([1, 0.1, 0.01], True) - 1, "constant_range", "0.5 * x + 0.5"),
    ],
)
def test_tables_of_positions_say_their_frequencies(torch, cause, words):
    name, says = constants._told(_table([1, 0.1, 0.01], True), torch)
    assert name == cause
    assert words in says


def test_rows_in_another_order_are_the_same_for_a_layer_of_rows():
    """Patches that one side has as (B, P, N, D) and the other as (B * N, P, D)."""
    keras = RNG.standard_normal((2, 3, 4, 5))
    torch = keras.swapaxes(1, 2).reshape(8, 3, 5)
    np.testing.assert_array_equal(replay._rows(keras, torch, "layer_norm"), torch)
    assert replay._apart(keras, torch, "dense") == 0.0
    assert replay._apart(keras, torch, "conv") > 0.1
    assert replay._apart(keras, torch + 1, "dense") > 0.1


def test_a_value_with_merged_axes_keeps_them():
    """A norm of channels over (B * T, D), between layers that take (B, T, D)."""
    keras = RNG.standard_normal((4, 6, 3)).astype("float32")
    native = keras.reshape(24, 3) * (1 + 1e-6)
    np.testing.assert_array_equal(axes.to_torch(keras, native, "batch_norm"), keras.reshape(24, 3))


def test_a_picture_in_one_axis_is_that_in_two():
    """Tokens (B, H W, C) of one side enter a 1x1 convolution (B, C, H, W) of the other."""
    keras = RNG.standard_normal((2, 6, 5)).astype("float32")
    torch = np.moveaxis(keras, -1, 1).reshape(2, 5, 2, 3)
    for one, other in ((keras, torch), (np.moveaxis(torch, 1, -1), torch.reshape(2, 5, 6))):
        assert axes.distance(one, other)[0] == 0
        np.testing.assert_array_equal(axes.to_torch(one, other, "conv"), other)
        np.testing.assert_array_equal(axes.to_torch(one, 0 * other, "conv"), other)
    assert axes.distance(keras, torch.reshape(2, 3, 2, 5))[0] > 0.1


def test_biases_side_by_side_are_no_matrix_of_their_size():
    """Six layers of six features beside a masked kernel of a layer by hand."""
    nothing = Trace((), {}, {})
    keras = [Leaf(f"masked_{i}.{name}", "Parameter", {"": shape}, ("",)) for i in range(6)
             for name, shape in (("kernel", (6, 6)), ("bias", (6,)))]  # fmt: skip
    torch = [Leaf(f"{i}", "Linear", {"weight": (6, 6), "bias": (6,)}, ("weight", "bias")) for i in range(6)]
    found = pair(keras, torch, (nothing, nothing), 1, {})
    assert not found.alone
    assert {link.role for link in found.links} == {"array"}


def test_a_norm_over_a_single_place_is_one_of_channels():
    keras = Leaf("norm", "LayerNormalization", {"gamma": (4,), "beta": (4,)}, ("gamma", "beta"))
    torch = Leaf("norm", "LayerNorm", {"weight": (4, 1, 1), "bias": (4, 1, 1)}, ("weight", "bias"))
    assert of_keras(keras)[0].signature == of_torch(torch)[0].signature
    view = of_torch(torch)[0].views["scale"]
    arrays = {"norm.weight": np.zeros((4, 1, 1))}
    view.put(arrays, np.arange(4.0))
    np.testing.assert_array_equal(view.get(arrays), np.arange(4.0))


def test_branches_pair_by_how_much_enters_them():
    """A functional Keras model may run its branches from the last to the first."""

    def side(sizes, prefix):
        events = [Event(i, "dense", {"name": "dense"}, "dense", path, "", path, (i,), (10 + i,))
                  for i, path in enumerate(prefix)]  # fmt: skip
        return Trace(tuple(events), {i: np.zeros(size) for i, size in enumerate(sizes)}, {})

    names = ["bin6", "bin3", "bin1"], ["pool.0.1", "pool.1.1", "pool.2.1"]
    keras = [Leaf(name, "Dense", {"kernel": (4, 4)}, ("kernel",)) for name in names[0]]
    torch = [Leaf(name, "Linear", {"weight": (4, 4)}, ("weight",)) for name in names[1]]
    found = pair(keras, torch, (side((36, 9, 1), names[0]), side((1, 9, 36), names[1])), 0, {})
    assert found.layers == {"bin1": "pool.0.1", "bin3": "pool.1.1", "bin6": "pool.2.1"}


@pytest.mark.parametrize(
    ("keras", "torch", "cause", "words"),
    [
        ([("add", 0, 1), ("exp", 3), ("add", 10, 11)], [("tanh", 3), ("add", 1, 10), ("add", 0, 11)],
         "tanh_for_exp", "One term of a sum differs"),
        ([("add", 0, 1), ("double", 3), ("add", 10, 11)], [("add", 1, 3), ("add", 0, 10)],
         "term_scale", "Keras adds 2 times what PyTorch does of one term, d"),
        ([("add", 0, 1), ("add", 10, 3)], [("subtract", 1, 3), ("add", 0, 10)], "sign", "the opposite sign: d"),
        ([("add", 0, 1), ("add", 10, 2), ("triple", 11)],
         [("triple", 0), ("add", 1, 3), ("triple", 11), ("add", 10, 12)], "input_wiring",
         "Keras computes c, PyTorch d"),
    ],
)  # fmt: skip
def test_a_term_of_a_sum_differs_in_whatever_order_both_add_up(keras, torch, cause, words):
    at = _situation(keras, torch)
    found = list(of_totals(at))
    assert cause in [candidate.cause for candidate in found]
    told = next(candidate for candidate in found if candidate.cause == cause)
    assert words in told.says
    assert [edit["do"] for edit in told.edits] == ["input"]


def test_sums_in_another_order_are_no_difference():
    at = _situation([("add", 0, 1), ("add", 10, 2)], [("add", 1, 2), ("add", 0, 10)])
    assert not list(of_totals(at))


def test_a_weight_that_a_call_takes_is_written():
    at = _situation([("tanh", 0), ("sin", 10)], [("tanh", 0), ("sin", 10)])
    call = Event(5, "op", {"name": "multiply"}, "multiply", "", "t.py:5", "", (0,), (15,), "multiply()")
    side = Graphs(at).torch
    side.makers[15], side.values[15] = call, side.values[0] * RNG.standard_normal(6)
    assert side.written(15) == "(a * a weight)"
