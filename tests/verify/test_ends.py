"""What a call finds beyond the ends of an axis, masks of weights, and the order in which channels are split."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from compare.verify import between
from compare.verify.causes.constants import Constant
from compare.verify.causes.ends import of_ends
from compare.verify.causes.entering import of_indices
from compare.verify.causes.masked import of_masked_weights
from compare.verify.causes.situation import Situation
from compare.verify.causes.splits import split_orders
from compare.verify.causes.values import of_values
from compare.verify.matching import pair
from compare.verify.replay import Replay
from compare.verify.runs import of_another_run
from compare.verify.segments import Anchor
from compare.verify.wiring import Ends
from twin.bridge import Leaf
from twin.trace import Event, Trace

RNG = np.random.default_rng(0)


def _event(index, call, text, inputs=(0,), family="op", **settings):
    name = call.rsplit(".", 1)[-1]
    return Event(index, family, {"name": name, **settings}, call, "", f"t.py:{index}", "", inputs, (10 + index,), text)


def _situation(torch, values, keras=(), mine=None):
    return Situation(
        keras[0] if keras else None, torch[0] if torch else None, None, None, False, (), None, None, False, None,
        unlike=(keras, torch), values=(mine or {}, values),
    )  # fmt: skip


SERIES = RNG.standard_normal((2, 8, 3)).astype("float32")


@pytest.mark.parametrize(
    ("events", "cause", "code"),
    [
        ([_event(0, "torch.roll", "roll(shifts=1, dims=1)")], "wrapped_ends",
         ["torch.nn.functional.pad(x, (0, 0, 1, -1))"]),
        ([_event(0, "torch.roll", "roll(shifts=(0, -2), dims=(1, 2))")], "wrapped_ends",
         ["torch.nn.functional.pad(x, (-2, 2, 0, 0))"]),
        ([_event(0, "torch.nn.functional.pad", "pad(pad=(0, 0, 1, -1), mode='constant')")], "wrapped_ends",
         ["torch.roll(x, (1,), (-2,))"]),
        ([_event(0, "torch.nn.functional.avg_pool1d", "avg_pool1d(kernel_size=3, padding=1)", (0,), "pool",
                 pads=[[1, 1]])],
         "padding_mode", ["torch.nn.functional.pad(x, (1, 1), mode='replicate')",
                          "torch.nn.functional.avg_pool1d(x, kernel_size=3, padding=0)"]),
    ],
)  # fmt: skip
def test_a_call_is_tried_with_other_values_beyond_the_ends(events, cause, code):
    found = list(of_ends(_situation(events, {0: SERIES, 10: SERIES})))
    assert {each.cause for each in found} == {cause}
    assert code in [edit["code"] for each in found for edit in each.edits]


def test_a_shift_with_zeros_is_told_from_a_roll_of_keras():
    shifted = np.pad(SERIES, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    rolled = np.roll(SERIES, 1, 1)
    at = _situation(
        [_event(0, "torch.cat", "cat(dim=1)")], {10: shifted}, [_event(0, "keras.ops.roll", "Roll()")], {10: rolled}
    )
    (found,) = of_ends(at)
    assert found.cause == "wrapped_ends"
    np.testing.assert_array_equal(found.arrays["0/output/0"], rolled)


def test_a_convolution_by_transforms_is_tried_with_zeros_behind_the_values():
    events = [_event(0, "torch.fft.rfft", "rfft()"), _event(1, "torch.fft.irfft", "irfft(n=8, dim=1)", (10,))]
    (found,) = of_ends(_situation(events, {0: SERIES, 10: SERIES, 11: SERIES}))
    assert found.cause == "circular_convolution"
    assert found.edits[0]["expressions"] == {"n": "16"}
    assert found.edits[1]["code"] == ["torch.fft.irfft(x, n=16, dim=1).narrow(1, 0, 8)"]


def test_zeros_at_the_ends_of_one_side_are_no_mask_of_both():
    wanted, got = SERIES.copy(), SERIES.copy()
    wanted[:, 3] = got[:, 3] = 0  # as behind a ReLU
    wanted[:, 0] = 0
    found = [each.cause for each in of_values(wanted, got, _event(0, "torch.roll", "roll()"), {})]
    assert "mask" not in found
    assert "missing_mask" in found


def test_indices_of_relative_positions_are_tried_with_the_opposite_sign():
    (turned, _) = of_indices(_situation([_event(0, "torch.gather", "gather(dim=-1)")], {}))
    assert turned.cause == "index_direction"
    assert "opposite sign" in turned.says


@pytest.mark.parametrize(("keras", "torch", "side"), [(0, 1, "Keras"), (1, 0, "PyTorch")])
def test_a_weight_that_is_masked_otherwise_is_told_from_another_weight(keras, torch, side):
    weight = RNG.standard_normal((6, 6)).astype("float32")
    call = _event(0, "torch.nn.functional.linear", "linear()")
    constants = [[Constant(call, "input/1", np.ascontiguousarray(each))]
                 for each in (np.tril(weight, -keras).T, np.tril(weight, -torch))]  # fmt: skip
    (found,) = of_masked_weights(*constants)
    assert found.cause == "weight_mask"
    assert f"{side} keeps 6 of 36 values" in found.says
    other = [Constant(call, "input/1", np.tril(weight[::-1]))]
    assert not list(of_masked_weights(constants[0], other))
    assert not list(of_masked_weights(constants[0], constants[0]))


def _shuffled(value, order):
    """(B, H, W, 2 * 2 * C) as (B, 2 H, 2 W, C), the channels split in some order."""
    batch, height, width, channels = value.shape
    sizes = {"r": 2, "s": 2, "c": channels // 4}
    split = value.reshape(batch, height, width, *(sizes[each] for each in order))
    places = [3 + order.index(each) for each in "rsc"]
    return split.transpose(0, 1, places[0], 2, places[1], places[2]).reshape(batch, 2 * height, 2 * width, -1)


@pytest.mark.parametrize("down", [True, False])
def test_each_side_says_in_which_order_it_splits_channels(down):
    source = RNG.standard_normal((2, 3, 4, 12)).astype("float32")
    made = _shuffled(source, "rsc"), _shuffled(source, "crs")
    pairs = [(source, each) for each in made]
    if not down:  # both put the pixels of one value together
        back = {order: np.zeros_like(source) for order in ("rsc", "crs")}
        places = np.arange(source.size, dtype="float32").reshape(source.shape)
        for order, value in back.items():
            value.ravel()[_shuffled(places, order).ravel().astype(int)] = made[0].ravel()
        pairs = [(made[0], back["rsc"]), (made[0], back["crs"])]
    first = lambda value: np.ascontiguousarray(np.moveaxis(value, -1, 1))
    silu = _event(0, "keras.ops.silu", "Silu()", (1,))
    told = split_orders(
        _situation([], {2: first(pairs[1][0]), 3: first(pairs[1][1])}, [silu], {0: pairs[0][0], 1: pairs[0][1]})
    )
    assert "Keras " in told
    assert "(rows, columns, channels), PyTorch" in told
    assert "(channels, rows, columns)" in told


def test_what_is_rolled_is_not_found_among_the_values_that_it_is_made_of():
    """A clip (B, T, C) that one side rolls and has as (B * T, C): its numbers are all there, but not their places."""
    clip = RNG.standard_normal((2, 4, 6)).astype("float32")
    rolled = np.roll(clip, 1, 1)
    roll = _event(0, "torch.roll", "roll(shifts=1, dims=1)")
    flat = _event(1, "torch.reshape", "reshape()", (10,), "shape")
    theirs = Trace((roll, flat), {0: clip, 10: rolled, 11: rolled.reshape(8, 6)}, {"y": 11})
    mine = Trace((), {0: clip}, {})
    moved = between._moved(theirs.events, ())
    assert [event.name for event in between._parting(theirs, (11,), theirs.events, mine, moved)] == ["roll", "reshape"]
    assert not between._moved(theirs.events, (roll,))  # both roll


def test_a_layer_that_takes_what_it_took_in_another_run_says_of_which_values_both_are_made():
    """A solver whose second stage goes on from the start again, and not from where the first stage led."""
    start = RNG.standard_normal((4, 3)).astype("float32")
    first, second = start + 1, start + 2
    layer = [
        _event(0, "keras.layers.Dense", "Dense(3)", (1,), "dense"),
        _event(2, "keras.layers.Dense", "Dense(3)", (2,), "dense"),
    ]
    layer = [dataclasses.replace(event, leaf="field", outputs=(20 + place,)) for place, event in enumerate(layer)]
    add = [dataclasses.replace(_event(1 + 2 * place, "keras.ops.add", "Add()", (0, 20 + place)), where="k.py:7")
           for place in range(2)]  # fmt: skip
    add = [dataclasses.replace(event, outputs=(2 + place,)) for place, event in enumerate(add)]
    last = dataclasses.replace(_event(4, "keras.layers.Dense", "Dense(3)", (3,), "dense"), leaf="field", outputs=(22,))
    mine = Trace((layer[0], add[0], layer[1], add[1], last),
                 {0: start, 1: start, 2: first, 3: second, 20: start, 21: 3 * start, 22: start}, {})  # fmt: skip
    theirs = Trace((_event(0, "torch.add", "add()"),), {0: start, 10: first}, {})
    replay = SimpleNamespace(mine=mine, theirs=theirs)
    (found,) = of_another_run(replay, Anchor("field", last, last, last), Ends((3,), (10,)))
    assert found.cause == "input_wiring"
    assert "in run 3 what Keras's field takes in run 2 (add() (t.py:0))" in found.says
    assert "gives in run 2, PyTorch of what field gives in run 1" in found.says
    other = SimpleNamespace(mine=mine, theirs=Trace((), {10: 5 * start}, {}))
    assert not of_another_run(other, Anchor("field", last, last, last), Ends((3,), (10,)))


def test_a_pass_that_stops_behind_a_layer_has_got_there():
    """What differs behind a layer, as a norm of frames in another axis, says nothing of what enters the layer."""
    value = RNG.standard_normal((4, 3)).astype("float32")
    event = dataclasses.replace(_event(0, "torch.nn.Linear", "Linear()", (0,), "dense"), leaf="dense")
    stopped = Trace((event,), {0: value}, {}, stopped="RuntimeError")
    mine = Trace((event,), {0: value, 10: value}, {"y": 10})
    torch = SimpleNamespace(trace=lambda *_, **__: stopped)
    replay = Replay(torch, (), False, mine, stopped, [], [])
    anchor = Anchor("dense", event, event, event)
    assert replay.trial(anchor, [], {}, inside=False) == 0
    assert replay.trial(anchor, [], {}, inside=True) == float("inf")
    assert replay.trial(None, [], {}, inside=False) == float("inf")


def test_the_pieces_of_a_plain_number_have_no_axis():
    nothing = Trace((), {}, {})
    leaves = (
        [Leaf(f"{name}.gain", "Own", {"": ()}, ("",)) for name in "ab"],
        [Leaf(f"{name}.gain", "Parameter", {"": ()}, ("",)) for name in "cd"],
    )
    assert list(pair(*leaves, (nothing, nothing), 1, {}).alternatives())
