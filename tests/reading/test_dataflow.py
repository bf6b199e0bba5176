"""The data flow of a model as a picture: which boxes there are, where they stand, and which arrows join them."""

import re

import pytest

from compare.reading import dataflow, dataflow_svg, shapes, site
from compare.reading.dataflow import WIDTH, Box, Call, boxes, height
from twin.catalogue import TWINS, find

MODELS = [twin for twin in TWINS.values() if twin.kind == "model"]


def chain(*calls: tuple[str, str, str], shape=("B", 4, 4, 8)) -> list[Call]:
    """Calls one after the other: path, family and name; a call with a path and no name is its layer."""
    return [
        Call(path, not name, family, name, shape, (number,), (number + 1,))
        for number, (path, family, name) in enumerate(calls)
    ]


def paths(found: list[Box]) -> list[str]:
    return [box.path or box.functions[0] for box in found]


def test_what_only_follows_a_layer_stands_in_its_box():
    found = boxes(
        chain(("conv", "conv", ""), ("bn", "batch_norm", ""), ("", "activation", "relu"), ("dense", "dense", ""))
    )
    assert paths(found) == ["conv", "dense"]
    assert found[0].functions == ["bn", "relu"]


def test_what_two_take_from_stays_a_box_of_its_own():
    calls = chain(("conv", "conv", ""), ("", "activation", "relu"))
    calls.append(Call("", False, "op", "add", ("B", 4, 4, 8), (1, 2), (3,)))
    found = boxes(calls)
    assert paths(found) == ["conv", "relu", "add"]
    assert found[2].sources == [0, 1]


def test_blocks_that_repeat_are_drawn_once_with_their_number():
    block = [("conv1", "conv"), ("conv2", "conv")]
    calls = chain(
        *((f"blocks.{n}.{name}", family, "") for n in range(4) for name, family in block), ("head", "dense", "")
    )
    found = boxes(calls)
    assert [(box.path, box.times) for box in found] == [("blocks.0.conv1", 4), ("blocks.0.conv2", 4), ("head", 1)]
    assert [box.sources for box in found] == [[-1], [0], [1]]


def test_blocks_of_other_shapes_are_not_folded():
    calls = chain(*((f"blocks.{n}.conv", "conv", "") for n in range(3)))
    calls = [
        Call(*(*vars(call).values(),)[:4], ("B", 8 - n), call.inputs, call.outputs) for n, call in enumerate(calls)
    ]
    assert len(boxes(calls)) == 3


def test_too_many_calls_are_drawn_one_level_less_deep():
    calls = chain(*((f"stage{n}.part{m}", "conv" if m % 2 else "dense", "") for n in range(9) for m in range(5)))
    assert paths(boxes(calls)) == [f"stage{n}" for n in range(9)]


def test_what_the_model_makes_up_itself_is_left_out():
    calls = chain(("embedding", "embedding", ""))
    calls.append(Call("", False, "op", "arange", (4,), (), (2,)))
    calls.append(Call("", False, "op", "add", ("B", 4, 8), (1, 2), (3,)))
    found = boxes(calls)
    assert paths(found) == ["embedding", "add"]
    assert found[1].sources == [0]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_no_box_stands_on_another_and_each_takes_from_one_before_it(model):
    found = shapes.boxes(model)
    assert 1 <= len(found) <= 2 * dataflow.BOXES
    assert {number for box in found for number in box.sources if number < 0} <= {
        -1 - n for n in range(len(model.inputs))
    }
    for number, box in enumerate(found):
        assert box.sources
        assert all(source < number for source in box.sources)
        for other in found[:number]:
            beside = abs(box.left - other.left) >= WIDTH
            above = box.top >= other.top + height(other) or other.top >= box.top + height(box)
            assert beside or above, f"{box.path} stands on {other.path}"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_picture_of_a_twin_has_its_boxes_and_arrows_and_no_text_beyond_them(model):
    found = shapes.boxes(model)
    inputs = list(model.inputs)
    picture = dataflow_svg.drawn(found, {}, inputs, model.title)
    assert picture.count("<rect") == len(found)
    assert picture.count("marker-end") == sum(len(box.sources) for box in found)
    assert all(len(text) <= dataflow_svg.ROOM for text in re.findall(r">([^<]+)</text>", picture))


def test_functions_between_layers_are_one_box_where_they_are_too_many():
    layer = lambda path, value: dataflow.Call(path, True, "dense", "", ("B", 4), (value,), (value + 1,))
    op = lambda value, *taken: dataflow.Call("", False, "op", "add", ("B", value), taken, (value,))
    many = [op(value, value - 1, 1) for value in range(2, 90)]
    found = dataflow.boxes([layer("first", 0), *many, layer("second", 89), op(91, 90, 89)])
    assert [(box.path, box.functions, box.sources) for box in found] == [
        ("first", [], [-1]),
        ("", ["88 functions"], [0]),
        ("second", [], [1]),
        ("", ["add"], [2, 1]),
    ]
    assert found[1].shape == ("B", 89)


def test_unet_is_a_u_and_its_skips_go_across():
    found = {box.path or f"{box.functions[0]} {box.shape[1]}": box for box in shapes.boxes(find("unet"))}
    down, up = found["down.0.conv2"], found["concatenate 32"]
    assert down.left < found["bottleneck.conv1"].left < up.left
    assert found["bottleneck.conv1"].top > max(down.top, up.top)
    names = list(found)
    assert names.index("down.0.conv2") in up.sources
    assert found["down.1.conv2"].top > found["down.0.conv2"].top
    assert found["concatenate 16"].top > up.top


def test_resnet_shows_its_shortcuts_and_where_they_have_a_convolution():
    found = shapes.boxes(find("resnet"))
    sums = [box for box in found if box.functions[:1] == ["add"]]
    assert len(sums) == 4
    sources = [{found[source].path for source in box.sources} for box in sums]
    assert sources[0] == {"blocks.0.conv3", "blocks.0.shortcut_conv"}
    assert sources[1] == {"blocks.1.conv3", ""}  # the sum before: nothing stands on this shortcut


def test_a_transformer_has_two_inputs_and_vit_folds_its_blocks():
    assert {number for box in shapes.boxes(find("transformer")) for number in box.sources} >= {-1, -2}
    assert 2 in {box.times for box in shapes.boxes(find("vit"))}


def test_every_box_of_a_layer_says_what_kind_it_is():
    """Also one that stands for a list of layers, as SSD's `convs`."""
    for twin in TWINS.values():
        measured = shapes.of(twin)
        picture = site.flow(twin, measured) if measured else ""
        assert "></text>" not in picture, twin.name
    assert picture, "the last twin is a model"
