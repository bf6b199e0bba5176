"""Detectors that look at regions: the sliding window, R-CNN and Fast R-CNN, by numbers and against referees.

Keras runs on PyTorch here; the ladder shows that its other backends give the same.
"""

import math

import keras
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from compare.worker import pictures
from keras_impl.models.detection import fast_rcnn as keras_fast_rcnn
from keras_impl.models.detection import rcnn as keras_rcnn
from keras_impl.models.detection import sliding_window as keras_sliding_window
from tests.helpers.beside import learn_alike
from tests.helpers.refusals import refused_alike
from torch_impl import train
from torch_impl.exercises.detection import anchors
from torch_impl.models.detection import fast_rcnn, rcnn, sliding_window
from torch_impl.models.detection.ssd import VARIANCES
from twin import boxes, coco, data
from twin.catalogue import find
from twin.data import crowd_proposals, crowd_windows
from twin.errors import TwinError

NAMES = ("sliding_window", "rcnn", "fast_rcnn")
WRONG = {  # what each network refuses
    "sliding_window": [
        {"image_shape": (48, 44, 1)},
        {"num_classes": 0},
        {"window": (15, 10)},
        {"window": (6, 10)},
        {"sides": (48, 12)},
        {"sides": ()},
    ],
    "rcnn": [{"image_shape": (48, 48)}, {"num_classes": 0}, {"side": 8}, {"context": 16}, {"context": -1}],
    "fast_rcnn": [{"image_shape": (46, 48, 1)}, {"image_shape": (48, 48)}, {"num_classes": 0}],
}
LOADED = {name: data.load(find(name).data, find(name).data_options | {"train_count": 60}) for name in NAMES}


def started(name, **changes):
    """The twin's PyTorch model at its small size, as it was drawn, in inference mode."""
    twin = find(name)
    return train.build(twin, {**twin.small.arguments, **changes}).model.eval()


def batch_of(name, rows=6):
    """Tensors of the first rows of a twin's data."""
    twin, arrays = find(name), LOADED[name].train
    return {key: train.to_tensor(array[:rows], layout=twin.layout(key)) for key, array in arrays.items()}


def outputs_of(model, name, batch):
    return model(**find(name).inputs_of(batch))


def both(torch_function, keras_function, images, *others):
    """What either side's function makes of (B, H, W, C) images, as (B, ..., H, W, C)."""
    native = torch_function(torch.from_numpy(images).permute(0, 3, 1, 2), *map(as_tensor, others))
    ours = keras_function(keras.ops.convert_to_tensor(images), *map(as_tensor, others))
    return native.detach().movedim(-3, -1).numpy(), keras.ops.convert_to_numpy(ours)


def as_tensor(value):
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def some_regions(rng, rows, count):
    """Boxes (rows, count, 4) of every shape, and the whole picture."""
    corners = np.sort(rng.uniform(0, 1, (rows, count, 2, 2)), axis=2).reshape(rows, count, 4)
    corners[:, 0] = (0, 0, 1, 1)
    return corners.astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_sizes_that_a_network_cannot_take_are_told_alike(name):
    for changes in WRONG[name]:
        refused_alike(name, {**find(name).small.arguments, **changes})


@pytest.mark.parametrize("name", NAMES)
def test_pictures_without_an_object_teach_both_sides_the_same(name):
    batch = {key: array[:6] for key, array in LOADED[name].train.items()}
    losses = learn_alike(name, batch | {"labels": np.zeros_like(batch["labels"])})
    if name == "sliding_window":  # three windows of the ground for each that holds an object
        assert losses == {"loss": 0}


@pytest.mark.parametrize("name", ["rcnn", "fast_rcnn"])
def test_a_network_that_says_its_targets_finds_every_object_that_was_proposed(name):
    part, batch = LOADED[name].test, {key: torch.from_numpy(array) for key, array in LOADED[name].test.items()}
    offsets = batch["offsets"] * torch.tensor(VARIANCES)
    found = anchors.decode(offsets, batch["proposals"])[:, :, None].expand(-1, -1, 3, -1)
    scores = torch.nn.functional.one_hot(batch["labels"].long(), 4)[..., 1:]
    reached = coco.average_precision(part, found.numpy(), scores.numpy().astype(float))
    assert reached == pytest.approx(crowd_proposals.recall(part), abs=0.02)


@pytest.mark.parametrize("name", ["rcnn", "fast_rcnn"])
def test_a_report_shows_what_was_proposed_and_what_was_found(name):
    part = {key: array[:8] for key, array in LOADED[name].test.items()}
    found = np.repeat(part["proposals"][:, :, None], 3, axis=2)
    scores = np.eye(4)[part["labels"]][..., 1:]
    made = pictures.of_predictions(find(name), part, {"boxes": found, "scores": scores})
    assert [each["of"] for each in made["pictures"]] == ["data", "data", "model"]
    assert [each["caption"] for each in made["pictures"]][:2] == ["true boxes", "regions proposed"]
    assert len({each["png"] for each in made["pictures"]}) == 3


# Proposals


@pytest.mark.parametrize("part", ["train", "test"])
def test_proposals_are_made_of_the_picture_alone_and_hold_nine_objects_in_ten(part):
    scenes = getattr(LOADED["fast_rcnn"], part)
    assert crowd_proposals.recall(scenes) > 0.9
    again = crowd_proposals.propose(scenes["x"][0, ..., 0], 24, np.random.default_rng(0))
    boxes.check(again[None], np.zeros((1, 24), int), num_classes=1)
    assert 0.2 < (scenes["labels"] > 0).mean() < 0.5  # a quarter in the paper


def test_a_picture_without_regions_and_one_with_too_many_have_as_many_proposals_as_others():
    rng = np.random.default_rng(0)
    for picture in (np.zeros((48, 64)), np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((6, 6)))):
        proposals = crowd_proposals.propose(picture, 24, rng)
        assert proposals.shape == (24, 4)
        boxes.check(proposals[None], np.zeros((1, 24), int), num_classes=1)


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ((0.5, 0.1, 0.2, 0.4), "is inverted"),
        ((0.2, 0.1, 0.2, 0.4), "is empty"),
        ((0.2, 0.1, 1.2, 0.4), "leaves the picture"),
        ((0.2, np.nan, 0.4, 0.4), "is not finite"),
    ],
)
def test_a_wrong_proposal_is_one_clear_line(box, why):
    scenes = LOADED["fast_rcnn"].test
    proposals = scenes["proposals"].copy()
    proposals[3, 5] = box
    with pytest.raises(TwinError, match=f"picture 3, object 5: box .* {why}"):
        crowd_proposals.labelled(scenes, proposals)


@pytest.mark.parametrize(
    ("load", "options", "told"),
    [
        (crowd_proposals.load, {"count": 0}, "count must be at least 1"),
        (crowd_windows.load, {"sides": (8,), "window": (16, 10), "stride": 2}, "sides of at least 16"),
        (crowd_windows.load, {"sides": (48,), "window": (16, 10), "stride": 0}, "stride of at least 1"),
    ],
)
def test_options_that_data_cannot_have_are_one_clear_line(load, options, told):
    with pytest.raises(TwinError, match=told):
        load(**options)


@pytest.mark.parametrize("shape", [(20, 48), (48, 48, 1)])
def test_a_picture_that_is_too_small_or_none_is_one_clear_line(shape):
    with pytest.raises(TwinError, match=f"at least 22 x 20 pixels; received .{shape[0]}, {shape[1]}"):
        crowd_proposals.propose(np.zeros(shape), 24, np.random.default_rng(0))


# RoI pooling


def pooled_by_loop(image, region, stride, size):
    """RoI pooling of one region (left, top, right, bottom in places) as torchvision's roi_pool_kernel.cpp does it."""
    height, width, channels = image.shape
    out = np.zeros((size, size, channels), image.dtype)
    left, top, right, bottom = (int(np.floor(edge / stride + 0.5)) for edge in region)
    bin_height, bin_width = max(bottom - top + 1, 1) / size, max(right - left + 1, 1) / size
    for row, column in np.ndindex(size, size):
        first, last = top + math.floor(row * bin_height), top + math.ceil((row + 1) * bin_height)
        start, stop = left + math.floor(column * bin_width), left + math.ceil((column + 1) * bin_width)
        held = image[min(first, height) : min(last, height), min(start, width) : min(stop, width)]
        if held.size:
            out[row, column] = held.max((0, 1))
    return out


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12])
@pytest.mark.parametrize("shape", [(9, 13), (16, 16), (1, 5)])
def test_roi_pooling_is_torchvisions(size, shape):
    rng = np.random.default_rng(size)
    images, regions = rng.standard_normal((2, *shape, 3)).astype(np.float32), some_regions(rng, 2, 30)
    pixels = 4 * np.array([*shape[::-1], *shape[::-1]])
    regions = (np.round(regions * pixels) / pixels).astype(np.float32)  # torchvision's are given in pixels
    regions[0, 1] = 1 - np.array([1, 1, 0, 0]) / pixels  # begins behind the last place, and so its bins are empty
    regions[0, 2] = (0, 0, 0, 0)  # one place, which all bins share
    expected = np.stack(
        [
            [pooled_by_loop(image, region, 4, size) for region in np.round(row * pixels)]
            for image, row in zip(images, regions, strict=True)
        ]
    )
    for found in both(fast_rcnn.roi_pool, keras_fast_rcnn.roi_pool, images, regions, 4, size):
        np.testing.assert_array_equal(found, expected)
    assert not expected[0, 1].any()


def test_inside_the_picture_roi_pooling_is_adaptive_max_pooling_of_what_is_cut_out():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.standard_normal((1, 4, 20, 24)))
    edges = np.sort(rng.integers(0, 20, (40, 2, 2)), axis=1).reshape(40, 4)
    regions = torch.from_numpy(edges / (24, 20, 24, 20))[None]
    found = fast_rcnn.roi_pool(image, regions, 16, 5)[0]
    for (left, top, right, bottom), pooled in zip(edges, found, strict=True):
        cut = image[:, :, top : bottom + 1, left : right + 1]
        assert torch.equal(pooled, torch.nn.functional.adaptive_max_pool2d(cut, 5)[0])


def test_edges_between_places_round_up_and_edges_outside_are_the_pictures():
    image = torch.arange(64.0).reshape(1, 1, 8, 8)
    regions = torch.tensor([[(2 / 32, 0, 2 / 32, 0), (1 / 32, 0, 1 / 32, 0), (-0.5, -0.5, 1.5, 1.5)]])
    assert fast_rcnn.roi_pool(image, regions, 4, 1).flatten().tolist() == [1, 0, 63]  # 2 of 4 pixels are a half


def test_a_bins_gradient_goes_to_its_largest_feature():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.standard_normal((1, 3, 9, 11))).requires_grad_()
    regions = torch.from_numpy(some_regions(rng, 1, 12).astype(float))
    pooled = fast_rcnn.roi_pool(image, regions, 4, 3)
    weights = torch.from_numpy(rng.standard_normal(pooled.shape))
    torch.sum(weights * pooled).backward()
    expected = torch.zeros_like(image)
    for region, channel, row, column in np.ndindex(*pooled.shape[1:]):
        value = pooled[0, region, channel, row, column]
        place = (image[0, channel] == value).nonzero()
        if len(place):  # an empty bin has none
            expected[0, channel, *place[0]] += weights[0, region, channel, row, column]
    np.testing.assert_allclose(image.grad, expected, atol=1e-12)


def test_fast_rcnns_loss_by_hand():
    logits = torch.tensor([[[1.0, 2.0, 0.5], [0.3, -1.0, 0.2]]])
    offsets = torch.tensor([[[[9.0, 9, 9, 9], [0.2, -0.4, 3, 0]], [[5, 5, 5, 5], [6, 6, 6, 6]]]])
    y = {"labels": torch.tensor([[2, 0]]), "offsets": torch.tensor([[[0.0, 0, 0, 0], [0, 0, 0, 0]]])}
    softmax = [np.log(np.exp(row).sum()) - row[kind] for row, kind in zip(logits[0].numpy(), (2, 0), strict=True)]
    smooth_l1 = 0.2**2 / 2 + 0.4**2 / 2 + (3 - 0.5)  # of the second class, and none of the ground
    found = fast_rcnn.multi_task_loss(y, {"logits": logits, "offsets": offsets})
    assert found.item() == pytest.approx((sum(softmax) + smooth_l1) / 2, rel=1e-6)


def test_fast_rcnn_looks_at_the_picture_once_and_rcnn_at_every_region():
    for name, rows in (("fast_rcnn", 2), ("rcnn", 2 * 24)):
        model, seen = started(name), []
        model.last.register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(len(inputs[0])))
        outputs_of(model, name, batch_of(name, 2))
        assert seen == [rows]


def test_a_regions_answer_does_not_depend_on_the_other_regions():
    for name in ("fast_rcnn", "rcnn"):
        model, batch = started(name), batch_of(name, 2)
        whole = outputs_of(model, name, batch)
        few = outputs_of(model, name, batch | {"proposals": batch["proposals"][:, 5:9]})
        for key in whole:
            torch.testing.assert_close(few[key], whole[key][:, 5:9])


@pytest.mark.parametrize("name", ["rcnn", "fast_rcnn"])
def test_the_published_size_has_its_count(name):
    twin = find(name)
    with torch.device("meta"):
        model = getattr(train.load_module(twin), twin.model)(**twin.paper_size.arguments)
    counted = {part: sum(p.numel() for p in module.parameters()) for part, module in model.named_children()}
    assert sum(counted.values()) == twin.paper_size.parameters
    if name == "rcnn":
        assert sum(counted.values()) - counted["bbox"] == 56_954_261  # AlexNet with 21 outputs
    else:
        vgg16 = find("vgg16").paper_size.parameters
        assert sum(counted.values()) == vgg16 - 4097 * 1000 + 4097 * (21 + 84)  # other outputs on the same network


# R-CNN


def test_a_region_is_warped_with_its_margin():
    rng = np.random.default_rng(0)
    images, regions = rng.uniform(size=(2, 15, 20, 2)).astype(np.float32), some_regions(rng, 2, 8)
    side, context = 12, 2
    warped = both(rcnn.warp, keras_rcnn.warp, images, regions, side, context)
    for picture, number in np.ndindex(2, 8):
        left, top, right, bottom = regions[picture, number].astype(float) * (20, 15, 20, 15) - 0.5
        wide, high = (right - left) / (side - 2 * context), (bottom - top) / (side - 2 * context)  # of a warped pixel
        across = left + (np.arange(side) + 0.5 - context) * wide
        down = top + (np.arange(side) + 0.5 - context) * high
        places = np.meshgrid(down, across, indexing="ij")
        for channel in range(2):
            expected = map_coordinates(
                np.pad(images[picture, ..., channel], 40), [each + 40 for each in places], order=1
            )
            for found in warped:
                np.testing.assert_allclose(found[picture, number, ..., channel], expected, atol=1e-5)


def test_a_regions_box_fills_what_the_margin_leaves():
    image = np.zeros((1, 30, 30, 1), np.float32)
    image[0, 6:16, 8:24] = 1
    regions = np.array([[(8 / 30, 6 / 30, 24 / 30, 16 / 30)]], np.float32)
    for found in both(rcnn.warp, keras_rcnn.warp, image, regions, 227, 16):
        inside = found[0, 0, 16:-16, 16:-16, 0]
        assert inside.shape == (195, 195)
        np.testing.assert_allclose(inside[12:-12, 12:-12], 1, atol=1e-5)  # half a pixel at the edge is mixed
        assert found[0, 0, :5].max() == 0


# Sliding window


def test_a_pass_over_the_picture_gives_what_every_window_alone_gives():
    model, x = started("sliding_window"), batch_of("sliding_window", 2)["x"]
    at_once = model.classify(x)
    height, width = model.window
    assert at_once.shape[2:] == ((48 - height) // 2 + 1, (48 - width) // 2 + 1)
    for row, column in [(0, 0), (3, 7), (16, 19)]:
        window = x[:, :, 2 * row : 2 * row + height, 2 * column : 2 * column + width]
        alone = model.classify(window)
        assert alone.shape[2:] == (1, 1)
        torch.testing.assert_close(alone[..., 0, 0], at_once[..., row, column])


def test_a_pass_over_the_picture_saves_most_of_the_work():
    """Multiplications of the convolutions, for all windows of the first scale."""
    model, counted = started("sliding_window"), []

    def count(module, inputs, out):
        counted.append(out[0, 0].numel() * module.weight.numel())

    for conv in (model.conv1, model.conv2, model.dense1, model.dense2):
        conv.register_forward_hook(count)
    model.classify(torch.zeros(1, 1, 48, 48))
    at_once = sum(counted)
    counted.clear()
    model.classify(torch.zeros(1, 1, *model.window))
    one_by_one = sum(counted) * 17 * 20
    assert one_by_one > 2 * at_once
    first = slice(0, 2)  # the dense layer shares nothing: each window has its own sum
    assert sum(counted[first]) * 17 * 20 > 10 * (at_once - sum(counted[2:]) * 17 * 20)


def test_windows_are_those_of_the_data():
    arguments, options = find("sliding_window").small.arguments, find("sliding_window").data_options
    expected = crowd_windows.windows(options["sides"], options["window"], options["stride"])
    out = started("sliding_window")(batch_of("sliding_window", 2)["x"])
    np.testing.assert_allclose(out["boxes"][1], expected, atol=1e-6)
    assert len(expected) == out["logits"].shape[1]
    assert arguments["sides"] == options["sides"]
    assert arguments["window"] == options["window"]


@pytest.mark.parametrize("side", [60, 20, 12])
def test_a_scale_is_the_picture_smoothed_by_a_gaussian_and_sampled(side):
    """Every first, third or fifth pixel of scipy's filter, away from the border, of which scipy knows another."""
    image, step = np.random.default_rng(0).uniform(size=(1, 60, 60, 2)), 60 // side
    smooth = gaussian_filter(image[0], (step / 2, step / 2, 0), truncate=12)
    for found in both(sliding_window.at_scale, keras_sliding_window.at_scale, image, side):
        inside = slice(3 if step > 1 else 6, -3 if step > 1 else -6)
        np.testing.assert_allclose(
            found[0, inside, inside], smooth[step // 2 :: step, step // 2 :: step][inside, inside], atol=1e-9
        )


def test_a_picture_is_as_light_at_every_scale():
    image = np.full((1, 48, 48, 1), 0.3)
    for found in both(sliding_window.at_scale, keras_sliding_window.at_scale, image, 32):
        np.testing.assert_allclose(found, 0.3, rtol=1e-12)


def test_windows_with_an_object_train_and_three_times_as_many_of_the_ground_the_hardest():
    model, batch = started("sliding_window"), batch_of("sliding_window")
    out = model(batch["x"])
    logits = out["logits"].detach().requires_grad_()
    loss = model.compute_loss(None, batch, out | {"logits": logits})
    loss.backward()
    learning, shows = logits.grad.abs().sum(-1) > 0, batch["labels"] > 0
    assert learning[shows].all()
    assert (batch["labels"] < 0).any()  # neither object nor ground
    assert not learning[batch["labels"] < 0].any()
    assert torch.equal((learning & ~shows).sum(1), 3 * shows.sum(1))
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), batch["labels"].clamp(min=0), reduction="none")
    for row in range(len(each)):
        left = (batch["labels"][row] == 0) & ~learning[row]
        assert each[row][learning[row] & ~shows[row]].min() >= each[row][left].max()
    assert loss.item() == pytest.approx(each[learning].mean().item(), rel=1e-5)


def within_reach(sides, stride, at=0.5):
    """Share of the objects that a window shows, and how many windows that takes."""
    part = LOADED["sliding_window"].train
    objects = part["boxes"][part["classes"] >= 0].astype(float)
    places = crowd_windows.windows(sides, (16, 10), stride)
    return (boxes.overlaps(objects, places).max(1) >= at).mean(), len(places)


def test_erratum_c_windows_overlap():
    overlapping, _ = within_reach((48,), stride=4)
    parts = crowd_windows.windows((48,), (16, 10), 2)
    low = parts * 48
    parts = parts[(low[:, 1] % 16 == 0) & (low[:, 0] % 10 == 0)]  # side by side
    assert len(parts) == 12
    part = LOADED["sliding_window"].train
    objects = part["boxes"][part["classes"] >= 0].astype(float)
    cut = (boxes.overlaps(objects, parts).max(1) >= 0.5).mean()
    assert overlapping > 0.8
    assert cut < 0.4


def test_erratum_c_scale_space_costs_time():
    one, few = within_reach((44,), stride=2, at=0.7)
    several, many = within_reach((60, 44, 32), stride=2, at=0.7)
    assert several > one + 0.2
    assert many > 3 * few
