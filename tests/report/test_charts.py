"""Charts and pictures: what is drawn stands where its number is."""

import base64
import io
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from compare.check import ladder
from compare.report import charts
from compare.train.filters import filters
from compare.worker import pictures as shown
from twin.bridge import Leaf
from twin.catalogue import find
from twin.numeric import Distance
from twin.strips import GAP


def test_a_rung_keeps_its_worst_tensors_in_the_order_of_the_model():
    distances = [
        Distance(f"t{at}", 1e-6 * (1 + at % 60) / 3, 2.0, 0.1, (0,), 1.0, 1.0, 1e-4, 10.0) for at in range(100)
    ]
    found = ladder.judge("gradients", distances).result()
    assert (found.rung, found.status, found.measured) == ("gradients", "ok", 100)
    names = [each.name for each in found.tensors]
    assert len(names) == ladder.SHOWN
    assert names == sorted(names, key=lambda name: int(name[1:]))
    used = {each.name: each.excess for each in distances}
    assert min(used[name] for name in names) >= sorted(used.values())[-ladder.SHOWN]
    assert found.tensors[0].rel_l2 == float(f"{found.tensors[0].rel_l2:.3g}")


def test_what_is_too_far_off_is_drawn_beyond_its_limit_and_ringed():
    drawn = charts.profile({"torch": [(0, 1e-6), (1, 1e-2)]}, [1e-4, 1e-4], [None, None], [(1, 1e-2)], "words", "x")
    limit = float(re.search(r'class="limit" d="M\S+ (\S+)', drawn)[1])
    near, far = (float(y) for y in re.search(r'class="at m-torch" d="M\S+ (\S+) \S+ (\S+)"', drawn).groups())
    assert far < limit < near  # SVG counts downwards
    assert f" {far:g}" in re.search(r'class="at m-failed" d="([^"]+)"', drawn)[1]


@pytest.mark.parametrize("ends", [(0.9, 1.1), (0.97, 1.03), (0.5, 40.0), (1e-9, 1e-3), (0.02, 3.3)])
def test_ticks_of_a_logarithm_lie_on_it(ends):
    scale = charts.Scale(*ends, 0, 300, log=True)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(ends[0] <= tick <= ends[1] for tick in ticks)
    places = [scale(tick) for tick in ticks]
    assert places == sorted(set(places))


def test_attention_is_drawn_where_the_class_token_looks():
    """Two heads, 2x3 patches of 4 pixels: the last block's class token looks at the fifth patch."""
    tokens, heads, depth = 7, 2, 3
    query, key = np.ones((1, tokens, heads * depth)), np.zeros((1, tokens, heads * depth))
    key[0, 5] = 20.0
    values = {f"blocks.0.attention.{name}/out": np.zeros((1, tokens, heads * depth)) for name in ("query", "key")}
    values |= {"blocks.1.attention.query/out": query, "blocks.1.attention.key/out": key, "dense/out": np.zeros((1, 4))}
    picture = shown.attention(values, heads, (8, 12, 1))
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture["png"]))).convert("L"))
    times = image.shape[0] // 8
    small = image[::times, ::times]
    assert small.shape == (8, 12)
    assert small[4:, 4:8].min() > 240
    assert small[:4].max() < 15
    assert shown.attention({"dense/out": np.zeros((1, 4))}, heads, (8, 12, 1)) is None
    assert shown.attention(values, heads, (8, 12)) is None  # tokens that are no patches


def test_no_number_and_infinity_are_drawn_at_the_end():
    scale = charts.log_scale([1e-6, 1e-2, math.nan, math.inf, 0.0], 100, 0)
    assert (scale(math.nan), scale(math.inf), scale(0.0), scale(-1.0)) == (0, 0, 100, 100)


def test_pictures_of_what_was_learned_come_from_the_metric():
    rng = np.random.default_rng(0)
    model, images = find("mlp"), {"x": "images"}

    def strips(metric, test, outputs, **layouts):
        return shown.of_predictions(replace(model, metric=replace(model.metric, name=metric), **layouts), test, outputs)

    x = rng.random((20, 12, 12, 1), dtype=np.float32)
    labels = rng.integers(4, size=20)
    found = strips("accuracy", {"x": x, "y": labels}, {"y": np.eye(4)[labels]}, inputs=images)
    assert found["labels"]["true"] == found["labels"]["predicted"] == labels[: shown.ROWS].tolist()
    (picture,) = found["pictures"]
    image = Image.open(io.BytesIO(base64.b64decode(picture["png"])))
    height, width = found["tile"]
    assert image.size == (shown.ROWS * (width + GAP) - GAP, height)
    grey = np.asarray(image.convert("L"))[: height : height // 12, : width : width // 12] / 255
    assert np.abs(grey - x[0, ..., 0]).max() < 0.1
    json.dumps(found)

    flat = rng.random((20, 64), dtype=np.float32)
    found = strips("reconstruction_error", {"x": flat, "y": flat}, {"y": 1 - flat})
    assert [(each["caption"], each["of"]) for each in found["pictures"]] == [
        ("input", "data"),
        ("target", "data"),
        ("output", "model"),
    ]
    assert found["pictures"][0]["png"] == found["pictures"][1]["png"] != found["pictures"][2]["png"]

    box = np.array([[0.1, 0.2, 0.5, 0.6]] * 20, np.float32)
    test = {"x": x, "label": labels, "box": box}
    found = strips("localization_accuracy", test, {"label": np.eye(4)[labels], "box": box + np.nan}, inputs=images)
    assert found["boxes"]["true"][0] == pytest.approx([0.1, 0.2, 0.5, 0.6])
    assert found["boxes"]["predicted"][0] == [0, 0, 0, 0]
    json.dumps(found)

    masks = rng.integers(3, size=(20, 12, 12))
    found = strips("mean_mask_iou", {"x": x, "y": masks}, {"y": np.eye(3)[masks]}, inputs=images)
    assert found["pictures"][1]["png"] == found["pictures"][2]["png"]

    signal = rng.standard_normal((20, 25, 6))
    found = strips("accuracy", {"x": signal, "y": labels}, {"y": np.eye(4)[labels]})
    assert found["tile"] == [24, 25 + 2]  # with a white margin
    assert strips("mean_return", {}, {}) == {}


def test_a_graph_is_shown_with_its_nodes_sorted_by_class():
    classes = np.array([[1, 0, 1, 0]] * 9)
    graphs = np.zeros((9, 4, 4), np.float32)
    graphs[:, 0, 2] = 1.0  # between the two nodes of class 1, which are the last two when sorted
    found = shown.of_predictions(find("graph_network"), {"x": graphs, "y": classes}, {"y": np.eye(2)[classes]})
    assert "labels" not in found
    pictures = [np.array(Image.open(io.BytesIO(base64.b64decode(p["png"]))).convert("L")) for p in found["pictures"]]
    side = found["tile"][0] // 4
    assert pictures[0][2 * side, 3 * side] == 255
    assert pictures[0][0, 2 * side] == 0
    assert found["pictures"][1]["png"] == found["pictures"][2]["png"]


def test_a_policy_is_shown_by_where_it_pushes():
    found = shown.policy(lambda states: {"y": states["x"][:, 2:]})  # right where the pole turns faster than it leans
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(found["pictures"][0]["png"]))).convert("L"))
    assert pixels.shape == tuple(found["tile"])
    assert (pixels[0, 0], pixels[-1, -1]) == (255, 0)  # leans left and turns right; leans right and turns left
    assert 0.4 < (pixels > 0).mean() < 0.6


def test_filters_are_those_of_the_first_convolution():
    weights = {"a.bias": np.zeros(4), "b.weight": np.random.default_rng(0).random((4, 1, 5, 5))}
    bias, conv = Leaf("a", "Linear", {"bias": (4,)}, ()), Leaf("b", "Conv2d", {"weight": (4, 1, 5, 5)}, ())
    found = filters(weights, [bias, conv])
    assert found["caption"].startswith("filters of b.weight")
    assert Image.open(io.BytesIO(base64.b64decode(found["png"]))).size[1] == 30
    assert filters({"b.weight": np.zeros((4, 7, 5, 5))}, [conv]) is None


@pytest.mark.parametrize(("kind", "axes"), [("Linear", (0, 1)), ("Parameter", (1, 0))])
def test_a_dense_layers_filters_are_pictures_where_its_inputs_are(kind, axes):
    kernel = np.zeros((3, 16))
    kernel[:, 0] = 1  # the upper left pixel
    leaf = Leaf("", kind, {"weight": (3, 16)}, ())
    weights = {"weight": kernel.transpose(axes)}
    assert filters(weights, [leaf]) is None
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(filters(weights, [leaf], flat=True)["png"]))).convert("L"))
    assert (pixels[:8, :8] == 255).all()
    assert not pixels[8:32, 8:32].any()
    assert filters({"weight": np.zeros((3, 15))}, [leaf], flat=True) is None


def test_rows_of_all_classes_are_shown_where_the_first_are_of_one():
    sorted_by_class = np.repeat(np.arange(4), 10)
    assert shown.chosen({"y": sorted_by_class[::-1]}).tolist() == [0, 5, 11, 16, 22, 27, 33, 39]
    assert shown.chosen({"y": np.arange(40) % 4}).tolist() == list(range(8))
    assert shown.chosen({"y": np.zeros((40, 3), int)}).tolist() == list(range(8))


def test_heart_rates_are_said_in_beats_a_minute():
    test = {"x": np.zeros((9, 8, 128, 3), np.float32), "y": np.full((9, 1), 1.25, np.float32)}
    found = shown.of_predictions(find("stmap"), test, {"y": test["y"] + 0.1})
    assert (found["labels"]["true"][0], found["labels"]["predicted"][0]) == ("75/min", "81/min")
