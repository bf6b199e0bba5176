"""Segmentation, by numbers: unpooling, fixed enlargements, published counts, and masks of another size.

Both sides' own functions are held against independent referees.
"""

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from torch.nn import functional as F

from compare.worker import pictures
from keras_impl import train as keras_train
from keras_impl.models.segmentation import encoder_decoder as keras_encoder_decoder
from tests.helpers.beside import learn_alike, losses_and_gradients
from tests.helpers.refusals import refused_alike
from torch_impl import train
from torch_impl.models.segmentation import encoder_decoder, fcn, yolact
from twin import batches, boxes, data, metrics, prototypes
from twin.catalogue import find
from twin.data import Dataset, crowd_masks
from twin.errors import TwinError


def test_unpooling_puts_values_where_they_came_from_on_both_sides():
    x = np.random.default_rng(0).standard_normal((2, 6, 8, 3)).astype(np.float32)
    x[0, :2, :2] = 1.0  # a window without a single maximum: the first place counts
    channels_second = torch.from_numpy(x).permute(0, 3, 1, 2)
    pooled, places = encoder_decoder.max_pool_with_places(channels_second)
    back = encoder_decoder.max_unpool(pooled, places).permute(0, 2, 3, 1).numpy()
    keras_pooled, keras_places = keras_encoder_decoder.max_pool_with_places(keras_train.to_tensor(x))
    keras_back = np.asarray(keras_encoder_decoder.max_unpool(keras_pooled, keras_places))
    np.testing.assert_array_equal(keras_back, back)
    windows = x.reshape(2, 3, 2, 4, 2, 3).max((2, 4))
    np.testing.assert_array_equal(np.asarray(keras_pooled), windows)
    assert (back != 0).sum() == windows.size
    np.testing.assert_array_equal(back[back != 0], x[back != 0])
    np.testing.assert_array_equal(back[0, :2, :2, 0], [[1, 0], [0, 0]])


def test_a_transposed_convolution_spreads_values_and_undoes_no_convolution():
    kernel = torch.tensor([[[1.0, 2.0, 3.0]]])
    one = torch.zeros(1, 1, 5)
    one[..., 2] = 1.0
    torch.testing.assert_close(F.conv_transpose1d(one, kernel, padding=1)[0, 0], torch.tensor([0.0, 1, 2, 3, 0]))
    x = torch.tensor([[[4.0, 1, 0, 2, 5]]])
    assert (F.conv_transpose1d(F.conv1d(x, kernel, padding=1), kernel, padding=1) - x).abs().min() > 1


@pytest.mark.parametrize("factor", [2, 8])
def test_enlargements_are_bilinear_and_do_not_learn(factor):
    layer = fcn.bilinear(3, factor)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 5, 6)).astype(np.float32))
    y = layer(x)
    theirs = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    inner = slice(factor, -factor)  # at the border, zeros are mixed in
    torch.testing.assert_close(y[..., inner, inner], theirs[..., inner, inner], atol=1e-6, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in layer.parameters())


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def test_fcn_32s_16s_and_8s_have_as_many_parameters_as_the_fixed_enlargements_leave():
    published = find("fcn").paper_size
    with torch.device("meta"):
        counts = [parameters(fcn.FCN(**{**published.arguments, "num_skips": skips})) for skips in (0, 1, 2)]
    assert counts == [134_346_581, 134_357_354, 134_362_751]
    assert counts[2] == published.parameters
    assert counts[0] == 138_357_544 - (4096 * 1000 + 1000) + 4096 * 21 + 21  # VGG16's, with 21 classes of a place


def test_a_dense_layer_over_a_map_is_a_convolution_as_large_as_the_map():
    maps, dense = torch.randn(2, 6, 3, 3), torch.nn.Linear(6 * 3 * 3, 4)
    as_convolution = F.conv2d(maps, dense.weight.reshape(4, 6, 3, 3), dense.bias)
    torch.testing.assert_close(as_convolution[..., 0, 0], dense(maps.flatten(1)), atol=1e-5, rtol=1e-5)
    assert F.conv2d(torch.randn(2, 6, 8, 5), dense.weight.reshape(4, 6, 3, 3)).shape == (2, 4, 6, 3)  # any size


@pytest.mark.parametrize("name", ["encoder_decoder", "fcn", "unet", "yolact"])
def test_pictures_that_a_network_cannot_halve_are_told_alike(name):
    refused_alike(name, {**find(name).small.arguments, "image_shape": (30, 32, 1)})


@pytest.mark.parametrize("name", ["encoder_decoder", "fcn", "unet"])
def test_masks_of_another_size_are_one_clear_line_before_either_side_sees_them(name, monkeypatch):
    twin = find(name)
    good = data.load(twin.data, {**twin.data_options, "train_count": 20, "test_count": 2})
    batches.check_masks(twin, good.train)
    bad = Dataset(good.provenance, {**good.train, "y": good.train["y"][:, ::2, ::2]}, good.test)
    monkeypatch.setattr(data, "load", lambda *_: bad)
    with pytest.raises(TwinError, match=rf"{name}: the masks y have the shape \(20, 16, 16\) and the pictures x \(20,"):
        batches.make_batches(twin, twin.small.arguments, "small", np.random.default_rng(0))


# YOLACT


@pytest.fixture(scope="module")
def scenes():
    """Eight scenes with the targets of the catalogue."""
    twin = find("yolact")
    return data.load(twin.data, {**twin.data_options, "train_count": 8, "test_count": 8})


def batch_of(scenes, rows=8):
    """The train part of the scenes as PyTorch takes it."""
    twin = find("yolact")
    return {key: train.to_tensor(array[:rows], layout=twin.layout(key)) for key, array in scenes.train.items()}


def test_yolact_has_its_layers_maps_anchors_and_prototypes():
    paper = find("yolact").paper_size
    with torch.device("meta"):
        model = yolact.YOLACT(**paper.arguments)
        seen = []
        model.head.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape[1:])))
        out = model(torch.zeros(1, 3, 550, 550))
    assert parameters(model) == paper.parameters == 50_136_511
    assert seen == [(256, 69, 69), (256, 35, 35), (256, 18, 18), (256, 9, 9), (256, 5, 5)]
    assert out["prototypes"].shape == (1, 32, 138, 138)
    assert out["boxes"].shape == (1, 19_248, 4)
    assert out["coefficients"].shape == (1, 19_248, 32)
    trunk = [model.conv1, model.bn1, *model.blocks]
    assert sum(map(parameters, trunk)) == 44_549_160 - (2048 * 1000 + 1000)  # ResNet-101 without its dense layer


def test_yolacts_anchors_are_those_of_its_data():
    twin = find("yolact")
    options = {key: twin.data_options[key] for key in ("sides", "scales")}
    model = train.build(twin, dict(twin.small.arguments)).model
    np.testing.assert_allclose(model.anchors, crowd_masks.anchor_boxes(**options), atol=1e-6)
    centres, sizes = boxes.centred(crowd_masks.anchor_boxes((2,), (0.3,)))
    np.testing.assert_allclose(sizes.prod(-1), 0.09)
    np.testing.assert_allclose((sizes[:, 1] / sizes[:, 0])[:3], yolact.RATIOS)
    np.testing.assert_allclose(centres[::3], [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)])


def test_masks_that_say_their_targets_are_the_true_masks(scenes):
    """What the data asks for is what a model that says it would find."""
    part = scenes.train
    rows, anchors = part["labels"].shape
    coefficients = np.zeros((rows, anchors, part["places"].shape[1]), np.float32)
    row, slot = np.nonzero(part["places"] >= 0)
    coefficients[row, part["places"][row, slot], slot] = 1
    offsets = torch.from_numpy(part["offsets"]) * torch.tensor(yolact.VARIANCES)
    options = {key: find("yolact").data_options[key] for key in ("sides", "scales")}
    said = {
        "boxes": yolact.decode(offsets, torch.from_numpy(crowd_masks.anchor_boxes(**options)).float()).numpy(),
        "scores": np.eye(4)[part["labels"]][..., 1:] * coefficients.any(-1, keepdims=True),
        "coefficients": coefficients,
        "prototypes": 40.0 * part["shapes"] - 20,
    }
    found = prototypes.instances(said, 48, 48)
    assert found["scores"].any(-1).sum() == (part["classes"] >= 0).sum()  # an object once
    assert metrics.mean_mask_average_precision(lambda given: said, part) > 0.9
    others = {**said, "prototypes": np.roll(said["prototypes"], 6, axis=1)}
    assert metrics.mean_mask_average_precision(lambda given: others, part) < 0.3


def test_a_mask_is_the_sigmoid_of_its_prototypes_cut_out_by_its_box():
    rng = np.random.default_rng(0)
    out = {
        "boxes": np.array([[[0.25, 0.0, 1.0, 0.5]]], np.float32),
        "scores": np.array([[[0.0, 0.9]]], np.float32),
        "coefficients": rng.uniform(-1, 1, (1, 1, 3)).astype(np.float32),
        "prototypes": rng.uniform(0, 2, (1, 4, 4, 3)).astype(np.float32),
    }
    found = prototypes.instances(out, 4, 4)["masks"][0, ..., 0]
    sums = sum(out["coefficients"][0, 0, k] * out["prototypes"][0, ..., k] for k in range(3))
    expected = 1 / (1 + np.exp(-sums))
    expected[2:], expected[:, 0] = 0, 0
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert prototypes.instances(out, 8, 8)["masks"].shape == (1, 8, 8, 1)
    none = prototypes.instances({**out, "scores": 0 * out["scores"]}, 4, 4)
    assert not none["masks"].any()
    broken = prototypes.instances({**out, "boxes": np.full((1, 1, 4), np.nan)}, 4, 4)  # a training that diverged
    assert not broken["scores"].any()


def test_yolacts_masks_learn_within_their_boxes_by_hand(scenes):
    twin, batch = find("yolact"), batch_of(scenes, 2)
    model = train.build(twin, dict(twin.small.arguments)).model.eval()
    out = {key: tensor.detach() for key, tensor in model(batch["x"]).items()}
    without = yolact.multibox_loss(twin.targets_of(batch), out["offsets"], out["logits"], 1.5).item()
    drawn, coefficients = out["prototypes"].numpy(), out["coefficients"].numpy()
    each = []
    for row, slot in np.argwhere(scenes.train["places"][:2] >= 0):
        left, top, right, bottom = 24 * scenes.train["frames"][row, slot]
        place = scenes.train["places"][row, slot]
        total = count = 0
        for line, column in np.ndindex(24, 24):
            if left - 0.75 < column + 0.5 < right + 0.75 and top - 0.75 < line + 0.5 < bottom + 0.75:
                probability = 1 / (1 + np.exp(-drawn[row, :, line, column] @ coefficients[row, place]))
                true = scenes.train["shapes"][row, line, column, slot]
                total -= np.log(probability if true else 1 - probability)
                count += 1
        each.append(total / count)
    expected = without + 6.125 * np.mean(each)
    assert model.compute_loss(None, twin.targets_of(batch), out).item() == pytest.approx(expected, rel=1e-4)


def test_scenes_without_an_object_teach_yolact_no_mask(scenes):
    options = find("yolact").data_options
    anchors = crowd_masks.anchor_boxes(options["sides"], options["scales"])
    blank = {"boxes": np.full((8, 4, 4), -1.0), "classes": np.full((8, 4), -1), "masks": np.zeros((8, 48, 48, 4))}
    batch = scenes.train | crowd_masks.matched(blank, anchors, reduction=2, positives=12)
    learn_alike("yolact", batch)
    for _, gradients in losses_and_gradients("yolact", batch):
        assert not gradients["head.mask.weight"].any()


@pytest.mark.parametrize("changes", [{"reduction": 5}, {"reduction": 0}, {"positives": 0}])
def test_masks_that_cannot_be_made_smaller_are_one_line(changes):
    twin = find("yolact")
    with pytest.raises(TwinError, match="expected a reduction that divides the size, 48, and at least 1 positive"):
        data.load(twin.data, {**twin.data_options, "train_count": 1, "test_count": 1, **changes})


def test_masks_of_objects_of_another_size_are_one_line(scenes):
    bad = {**scenes.train, "masks": scenes.train["masks"][:, ::2]}
    with pytest.raises(TwinError, match=r"yolact: the masks have the shape \(8, 24, 48, 4\) and the pictures x"):
        batches.check_masks(find("yolact"), bad)


def test_a_report_shows_masks_in_the_colours_of_their_classes(scenes):
    twin, part = find("yolact"), scenes.test
    true = {"boxes": part["boxes"], "scores": np.eye(3)[part["classes"]] * (part["classes"] >= 0)[..., None]}
    made = pictures.of_predictions(twin, part, {**true, "masks": part["masks"]})
    assert [(each["caption"], each["of"]) for each in made["pictures"]] == [
        ("true masks", "data"),
        ("masks found with a score from 0.3 on", "model"),
    ]
    assert made["tile"] == [96, 96]
    nothing = pictures.of_predictions(twin, part, {**true, "masks": 0 * part["masks"]})
    assert made["pictures"][0]["png"] == nothing["pictures"][0]["png"]
    assert made["pictures"][1]["png"] != nothing["pictures"][1]["png"]


def test_erratum_a_semantic_segmentation_counts_nothing():
    apart, touching = np.zeros((6, 12), int), np.zeros((6, 12), int)
    apart[1:5, 1:5] = apart[1:5, 7:11] = 1  # two cats
    touching[1:5, 1:5] = touching[1:5, 5:9] = 1  # two cats again, side by side
    assert label(apart == 1)[1] == 2
    assert label(touching == 1)[1] == 1
    assert (touching == 1).sum() == (apart == 1).sum() == 2 * 16
