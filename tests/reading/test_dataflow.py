"""The data flow of a model as a picture: which boxes there are, where they stand, and which arrows join them."""

import re

import pytest

from compare.reading import dataflow, dataflow_places, dataflow_svg, shapes, site
from compare.reading.dataflow import WIDTH, Box, Call, boxes, height
from twin.catalogue import TWINS, find

MODELS = [twin for twin in TWINS.values() if twin.kind == "model"]


def chain(*calls: tuple[str, str, str], shape=("B", 4, 4, 8)) -> list[Call]:
    """Calls one after the other: path, family and name; a call with a path and no name is its layer."""
    return [
        Call(path, not name, family, name, (shape,), (number,), (number + 1,))
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


def test_a_box_calls_what_follows_by_attribute_or_function():
    calls = chain(("convs.0", "conv", ""), ("norms.0", "batch_norm", ""), ("", "activation", "relu"))
    calls.append(Call("", True, "activation", "sigmoid", (("B", 4, 4, 8),), (3,), (4,)))  # of the model itself
    assert boxes(calls)[0].functions == ["norms.0", "relu", "sigmoid"]


def test_what_two_take_from_stays_a_box_of_its_own():
    calls = chain(("conv", "conv", ""), ("", "activation", "relu"))
    calls.append(Call("", False, "op", "add", (("B", 4, 4, 8),), (1, 2), (3,)))
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
        Call(*(*vars(call).values(),)[:4], (("B", 8 - n),), call.inputs, call.outputs) for n, call in enumerate(calls)
    ]
    assert len(boxes(calls)) == 3


def test_too_many_calls_are_drawn_one_level_less_deep():
    calls = chain(*((f"stage{n}.part{m}", "conv" if m % 2 else "dense", "") for n in range(9) for m in range(5)))
    assert paths(boxes(calls)) == [f"stage{n}" for n in range(9)]


def test_what_the_model_makes_up_itself_is_left_out():
    calls = chain(("embedding", "embedding", ""))
    calls.append(Call("", False, "op", "arange", ((4,),), (), (2,)))
    calls.append(Call("", False, "op", "add", (("B", 4, 8),), (1, 2), (3,)))
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
    given = {source for box in found for source in box.sources}
    assert picture.count("<rect") == len(found)
    assert picture.count("marker-end") == sum(len(box.sources) for box in found) + len({*range(len(found))} - given)
    assert all(len(text) <= dataflow_svg.ROOM for text in re.findall(r">([^<]+)</text>", picture))
    assert all(len(text) <= dataflow_svg.PATH for text in re.findall(r'class="path start">([^<]+)</text>', picture))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_arrow_has_a_shape_and_no_shape_stands_on_a_box(model):
    found = shapes.boxes(model)
    picture = dataflow_svg.drawn(found, {}, list(model.inputs), model.title)
    texts = re.findall(r'<text x="([^"]+)" y="([^"]+)" class="shape (\w+)">([^<]+)</text>', picture)
    for box in found:
        assert all(carried and all(carried) for carried in box.carried), box.path
        for carried in box.carried:
            assert any(dataflow.short(carried[0]) in text for *_, text in texts)
    for x, y, anchor, text in texts:
        width = 7.3 * len(text)
        left = float(x) - {"start": 0, "middle": width / 2, "end": width}[anchor]
        for box in found:
            beside = left >= box.left + WIDTH or left + width <= box.left
            above = float(y) <= box.top or float(y) - 10 >= box.top + height(box)
            assert beside or above, f"{text} stands on {box.path or box.functions}"


def test_a_long_path_keeps_its_end_and_leaves_room_for_its_number():
    box = Box("blocks.0.attention.projection", [], ("B", 4), [-1], [[("B", 4)]], times=2)
    assert ">…ks.0.attention.projection<" in dataflow_svg.drawn([box], {}, ["x"], "")
    box.times = 1
    assert ">blocks.0.attention.projection<" in dataflow_svg.drawn([box], {}, ["x"], "")


def test_a_shape_is_short_and_without_the_batch():
    assert dataflow.short(("B", 28, 28, 6)) == "28×28×6"
    assert dataflow.short(("B", 10)) == "10"
    assert dataflow.short(("B",)) == "(B)"
    assert dataflow.short((352, 4)) == "352×4"


def test_each_arrow_of_a_box_with_several_outputs_has_its_own_shape():
    large, small = ("B", 8, 8, 4), ("B", 4, 4, 4)
    calls = [
        Call("parts", True, "op", "", (large, small), (0,), (1, 2)),
        Call("first", True, "conv", "", (large,), (1,), (3,)),
        Call("second", True, "conv", "", (small,), (2,), (4,)),
        Call("both", True, "op", "", (small,), (1, 2), (5,)),
    ]
    found = boxes(calls, [("B", 8, 8, 1)])
    assert [box.carried for box in found] == [[[("B", 8, 8, 1)]], [[large]], [[small]], [[large, small]]]
    picture = dataflow_svg.drawn(dataflow_places.placed(found), {}, ["x"], "")
    assert [picture.count(f">{text}<") for text in ("x 8×8×1", "8×8×4, 4×4×4")] == [1, 1]


def test_channels_come_last_where_there_are_channels():
    """Heads of an attention stay where they are, though they have four axes as well."""
    shape = lambda *sizes: (("B", *sizes),)
    calls = [
        Call("conv", True, "conv", "", shape(6, 8, 9), (0,), (1,)),
        Call("", False, "op", "add", shape(6, 8, 9), (1, 1), (2,)),
        Call("", False, "shape", "flatten", shape(432), (2,), (3,)),
        Call("", False, "shape", "reshape", shape(4, 12, 9), (3,), (4,)),
        Call("", False, "attention", "", shape(4, 12, 9), (4, 4, 4), (5,)),
        Call("", False, "shape", "reshape", shape(3, 12, 12), (5,), (6,)),
        Call("", False, "op", "multiply", shape(3, 12, 12), (6,), (7,)),
        Call("up", True, "conv_transpose", "", shape(3, 24, 24), (7,), (8,)),
    ]
    found = [call.shape[1:] for call in dataflow.channels_last(calls, [("B", 8, 9, 1)])]
    assert found[:5] == [(8, 9, 6), (8, 9, 6), (432,), (4, 12, 9), (4, 12, 9)]
    assert found[5:] == [(12, 12, 3), (12, 12, 3), (24, 24, 3)]  # what a convolution takes has channels, too


@pytest.mark.parametrize("name", ["fast_rcnn", "mask_rcnn"])
def test_a_model_whose_resolution_rises_again_without_skips_is_no_u(name):
    found = shapes.boxes(find(name))
    assert any(box.ways for box in found)


def test_functions_between_layers_are_one_box_where_they_are_too_many():
    layer = lambda path, value: dataflow.Call(path, True, "dense", "", (("B", 4),), (value,), (value + 1,))
    op = lambda value, *taken: dataflow.Call("", False, "op", "add", (("B", value),), taken, (value,))
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
