"""Arrays of layers by hand beside those of stock layers: merged or split axes, one array more, square ones."""

import itertools

import numpy as np
import pytest

from compare.verify import shapes
from compare.verify.matching import pair
from compare.verify.pairing import Pairing, _rearranged
from compare.verify.views import View
from twin.bridge import Leaf
from twin.trace import Event, Trace

RNG = np.random.default_rng(0)
NOTHING = Trace((), {}, {})
LINEAR = View("w", (16, 16), order=(1, 0), turned=(16, 16))  # (out, in) as (in, out)


def _parameters(path, **shapes_of):
    return [Leaf(f"{path}.{name}", "Parameter", {"": shape}, ("",)) for name, shape in shapes_of.items()]


@pytest.mark.parametrize("shape", [(16, 2, 8), (2, 8, 16), (16, 16)])
def test_a_linear_layer_is_first_read_as_in_and_out(shape):
    """Heads of a projection, or what is left of them before the last one."""
    weight = RNG.standard_normal((16, 16))
    np.testing.assert_array_equal(shapes.as_shape(LINEAR, shape).get({"w": weight}), weight.T.reshape(shape))


@pytest.mark.parametrize(
    ("view", "shape"),
    [(LINEAR, (2, 16, 8)), (View("w", (4, 3, 8)), (32, 3)), (View("w", (3, 3, 4, 8)), (8, 4, 3, 3)),
     (View("w", (6, 4)), (4, 6)), (View("w", (1, 6)), (6,)), (View("w", (8,)), (2, 4))],
)  # fmt: skip
def test_every_arrangement_has_the_shape_and_goes_back(view, shape):
    native = RNG.standard_normal(shapes._native(view))
    found = [shapes.as_shape(view, shape), *shapes.ways(view, shape)]
    for each in found:
        arrays = {"w": np.zeros_like(native)}
        each.put(arrays, each.get({"w": native}))
        assert each.own_shape == shape
        np.testing.assert_array_equal(arrays["w"], native)
    assert all(not shapes.same(one, other) for one, other in itertools.combinations(shapes.ways(view, shape), 2))


@pytest.mark.parametrize(
    ("one", "other", "whole", "merged"),
    [((4, 6), (4, 6), 2, 2), ((4, 1, 6), (4, 6), 2, 2), ((4, 6), (6, 4), 1, 1), ((16, 2, 8), (16, 16), 0, 0.5),
     ((36, 8), (3, 3, 4, 8), 0, 0.5), ((35, 8), (3, 3, 4, 8), 0, 0), ((4, 6), (3, 8), 0, 0), ((1,), (6,), 0, 0)],
)  # fmt: skip
def test_how_well_two_shapes_fit(one, other, whole, merged):
    assert shapes.fit(one, other) == shapes.fit(other, one) == whole
    assert shapes.fit_merged(one, other) == shapes.fit_merged(other, one) == merged


@pytest.mark.parametrize("keras_by_hand", [True, False])
def test_a_subclass_with_one_array_more_pairs_with_a_layer_by_hand(keras_by_hand):
    """A convolution with standardized weights has a gain beside its kernel and its bias."""
    if keras_by_hand:
        keras = [each for i in range(2) for each in _parameters(f"c{i}", kernel=(3, 3, 4, 4), bias=(4,), gain=(4,))]
        names = ("weight", "bias", "gain")
        torch = [Leaf(f"c{i}", "Conv2d", dict(zip(names, ((4, 4, 3, 3), (4,), (4,)), strict=True)), names)
                 for i in range(2)]  # fmt: skip
    else:
        names = ("kernel", "bias", "gain")
        keras = [Leaf(f"c{i}", "Conv2D", dict(zip(names, ((3, 3, 4, 4), (4,), (4,)), strict=True)), names)
                 for i in range(2)]  # fmt: skip
        torch = [each for i in range(2) for each in _parameters(f"c{i}", weight=(4, 4, 3, 3), bias=(4,), gain=(4,))]
    found = pair(keras, torch, (NOTHING, NOTHING), 1, {})
    assert not found.alone
    assert not found.shared
    linked = {link.keras.name: link.torch.name for link in found.links}
    assert linked == {f"c{i}.{name}": f"c{i}.{'weight' if name == 'kernel' else name}"
                      for i in range(2) for name in ("kernel", "bias", "gain")}  # fmt: skip


def test_blocks_of_one_shape_pair_in_their_order_where_a_trace_shows_biases_only():
    """Keras's kernels are made others before they enter a call, so that they stand behind all biases."""
    convolutions = [f"{block}.conv{number}" for block in ("nf_block_2", "nf_block_3") for number in (1, 2)]
    keras = [each for path in convolutions for each in _parameters(path, kernel=(3, 3, 4, 4), bias=(4,), gain=(4,))]
    paths = [f"stages.{block}.conv{number}" for block in (0, 2) for number in (1, 2)]
    names = {"weight": (4, 4, 3, 3), "bias": (4,), "gain": (4,)}
    torch = [Leaf(path, "Conv2d", names, tuple(names)) for path in paths]

    def trace(leaves):
        events = [Event(i, "op", {"name": "add"}, "add", "", "", leaf, (i,), (i + 1,)) for i, leaf in enumerate(leaves)]
        return Trace(tuple(events), {i: np.zeros(4) for i in range(len(leaves) + 1)}, {"y": len(leaves)})

    traces = trace([f"{path}.bias" for path in convolutions]), trace(paths)
    found = pair(keras, torch, traces, 1, {})
    linked = {link.keras.name: link.torch.name for link in found.links}
    assert len(linked) == 12
    for one, other in zip(convolutions, paths, strict=True):
        assert linked[f"{one}.kernel"] == f"{other}.weight"
        assert linked[f"{one}.bias"] == f"{other}.bias"
        assert linked[f"{one}.gain"] == f"{other}.gain"


def test_a_mask_beside_a_kernel_is_no_weight():
    """A masked Linear keeps its mask as a buffer."""
    keras = [Leaf("a", "Dense", {"kernel": (4, 6), "bias": (6,)}, ("kernel", "bias"))]
    names = {"weight": (6, 4), "bias": (6,), "mask": (6, 4)}
    found = pair(keras, [Leaf("a", "Linear", names, ("weight", "bias"))], (NOTHING, NOTHING), 1, {})
    assert not found.alone
    assert [link.torch.name for link in found.links] == ["a.weight", "a.bias"]


@pytest.mark.parametrize("keras_by_hand", [True, False])
def test_matrices_of_one_layer_pair_with_layers_inside_another(keras_by_hand):
    """Query, key, value and output of an attention by hand, by heads, and four projections of the other side."""
    heads = {"query": (16, 2, 8), "key": (16, 2, 8), "value": (16, 2, 8), "output": (2, 8, 16)}
    if keras_by_hand:
        keras = _parameters("attention", **heads)
        torch = [Leaf(f"attn.{name[0]}_net", "Linear", {"weight": (16, 16)}, ("weight",)) for name in heads]
    else:
        keras = [Leaf(f"attn.{name}", "Dense", {"kernel": (16, 16)}, ("kernel",)) for name in heads]
        torch = _parameters("attention", **heads)
    found = pair(keras, torch, (NOTHING, NOTHING), 1, {})
    assert not found.alone
    linked = {link.keras.name.split(".")[1][0]: link.torch.name.split(".")[1][0] for link in found.links}
    assert linked == {"q": "q", "k": "k", "v": "v", "o": "o"}
    values = {link.torch.name: RNG.standard_normal(shapes._native(link.torch)) for link in found.links}
    for link in found.links:
        assert link.torch.get(values).shape == link.keras.own_shape


@pytest.mark.parametrize(("call", "turns"), [("add", False), ("matmul", True), ("transpose", True)])
def test_a_square_matrix_that_nothing_is_multiplied_with_is_not_turned(call, turns):
    """Scores of steps from tag to tag are added: a port that reads them the other way round is another model."""
    event = Event(0, "op", {"name": call}, call, "", "", "crf.transitions", (0,), (1,))
    trace = Trace((event,), {0: np.zeros(3), 1: np.zeros(3)}, {"y": 1})
    leaves = _parameters("crf", transitions=(5, 5))
    found = pair(leaves, leaves, (trace, trace), 1, {})
    (match,) = found.matches
    assert len(list(_rearranged(match))) == turns
    assert isinstance(found, Pairing)
