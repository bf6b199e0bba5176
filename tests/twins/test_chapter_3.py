"""What chapter 3's networks are said to be: their published sizes, what their parts see, and when their parts work.

The counts are computed from the papers' tables, not from our layers.
"""

from itertools import pairwise

import keras
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from keras_impl import train as keras_train
from keras_impl.models.classification import mbconv as keras_mbconv
from torch_impl import train as torch_train
from torch_impl.models.classification import efficientnet_b0, googlenet, mbconv, resnet_style, squeeze_excite
from twin.catalogue import CHAPTERS, find

CLASSIFIERS = [twin for chapter, twins in CHAPTERS.items() if chapter.slug == "classification" for twin in twins]
SMALLEST = {"lenet": 32, "vgg_style": 32, "vgg": 32, "vgg16": 32, "googlenet": 31, "inception": 4, "deep_convnet": 4}
SMALLEST |= {"digit_cnn": 4, "unet": 4}


def built(name, **changes):
    """The small PyTorch model, random layers off, with other arguments where given."""
    torch.manual_seed(0)
    twin = find(name)
    return getattr(torch_train.load_module(twin), twin.model)(**{**twin.ladder_arguments("small"), **changes})


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def dense(inputs, outputs):
    return inputs * outputs + outputs


# Published sizes


def vgg16():
    """Simonyan and Zisserman, table 1, column D: 3x3 throughout, biases."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    convolutions = sum(dense(9 * before, after) for before, after in pairwise(widths))
    return convolutions + dense(7 * 7 * 512, 4096) + dense(4096, 4096) + dense(4096, 1000)


def resnet50():
    """He et al., table 1: bottlenecks without biases, each convolution with scale and shift."""
    conv = lambda size, before, after: size * size * before * after + 2 * after
    total, before = conv(7, 3, 64), 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        total += conv(1, before, 4 * width)  # the shortcut of a stage's first block
        for _ in range(blocks):
            total += conv(1, before, width) + conv(3, width, width) + conv(1, width, 4 * width)
            before = 4 * width
    return total + dense(2048, 1000)


def se_resnet50():
    """Hu et al., equation 5, on top: two matrices of C times C / 16 in each block."""
    return resnet50() + sum(2 * blocks * c * c // 16 for c, blocks in ((256, 3), (512, 4), (1024, 6), (2048, 3)))


def resnet20():
    """He et al., section 4.2: three stages of six convolutions, shortcuts without weights."""
    conv = lambda before, after: 9 * before * after + 2 * after
    total, before = conv(3, 16), 16
    for width in (16, 32, 64):
        total += conv(before, width) + 5 * conv(width, width)
        before = width
    return total + dense(64, 10)


def googlenet_with_auxiliaries():
    """Szegedy et al., table 1, and the two classifiers of section 5 on (4a) and (4d)."""
    modules = sum(inception(row) for row in (*googlenet.STAGE3, *googlenet.STAGE4, *googlenet.STAGE5))
    body = dense(49 * 3, 64) + dense(64, 64) + dense(9 * 64, 192) + modules + dense(1024, 1000)
    assert body == 6_998_552
    assert body / 1024 == pytest.approx(2.7 + 112 + sum(PRINTED) + 1000, rel=0.01)  # the table's sum
    heads = sum(dense(c, 128) + dense(4 * 4 * 128, 1024) + dense(1024, 1000) for c in (512, 528))
    return body + heads


def inception(row):
    before, one, reduce3, three, reduce5, five, project = row
    wide = dense(9 * reduce3, three) + dense(25 * reduce5, five)
    return wide + sum(dense(before, after) for after in (one, reduce3, reduce5, project))


def efficientnet():
    """Tan and Le, table 1: MBConv with gates a quarter as wide as a block's input; only the gates have biases."""
    conv = lambda weights, after: weights + 2 * after
    total, before = conv(9 * 3 * 32, 32), 32
    for after, blocks, size, _, expansion in efficientnet_b0.STAGES:
        for _ in range(blocks):
            wide = expansion * before
            total += conv(before * wide, wide) if expansion > 1 else 0
            total += conv(size * size * wide, wide) + dense(wide, before // 4) + dense(before // 4, wide)
            total += conv(wide * after, after)
            before = after
    return total + conv(320 * 1280, 1280) + dense(1280, 1000)


PRINTED = (159, 380, 364, 437, 463, 580, 840, 1072, 1388)  # thousands, table 1 of GoogLeNet's paper, (3a) to (5b)
BY_TABLE = {
    "vgg16": vgg16,
    "resnet": resnet50,
    "resnet50": resnet50,
    "squeeze_excite": se_resnet50,
    "resnet_style": resnet20,
    "googlenet": googlenet_with_auxiliaries,
    "efficientnet_b0": efficientnet,
}


@pytest.mark.parametrize("name", BY_TABLE)
def test_published_size_follows_from_the_paper(name):
    assert find(name).paper_size.parameters == BY_TABLE[name]()


@pytest.mark.parametrize("name", [twin.name for twin in CLASSIFIERS if twin.paper_size])
def test_model_has_the_published_size(name):
    twin = find(name)
    with torch.device("meta"):  # shapes without memory
        model = getattr(torch_train.load_module(twin), twin.model)(**twin.paper_size.arguments)
    assert parameters(model) == twin.paper_size.parameters


def test_inception_modules_have_the_sizes_in_the_table():
    rows = (*googlenet.STAGE3, *googlenet.STAGE4, *googlenet.STAGE5)
    for row, printed in zip(rows, PRINTED, strict=True):
        assert inception(row) / 1024 == pytest.approx(printed, rel=0.08)  # (4c) is printed 7% too small
    for (_, one, _, three, _, five, project), following in pairwise(rows):
        assert one + three + five + project == following[0]


# What a part sees


def seen(function, x):
    """Of which pixels the middle of the output depends, as a picture of zeros and ones."""
    x = x.clone().requires_grad_()
    out = function(x)
    out[..., out.shape[-2] // 2, out.shape[-1] // 2].sum().backward()
    return (x.grad.abs().sum((0, 1)) > 0).int()


def test_a_pair_sees_what_lenets_filter_sees():
    x = torch.rand(1, 1, 32, 32)
    pair, large = built("vgg_style"), built("lenet")
    two, one = seen(lambda x: pair.conv2(torch.tanh(pair.conv1(x))), x), seen(large.conv1, x)
    assert two.sum() == one.sum() == 25
    weights = lambda *convs: sum(conv.weight[0, 0].numel() for conv in convs)  # for one channel in and one out
    assert (weights(pair.conv1, pair.conv2), weights(large.conv1)) == (18, 25)


@pytest.mark.parametrize(("name", "share"), [("resnet", 1 / 4), ("resnet50", 1.0)])
def test_a_stride_in_the_1x1_convolution_never_looks_at_three_of_four_pixels(name, share):
    block = built(name).blocks[2].eval()  # the first of a stage
    x = torch.randn(1, 32, 8, 8, requires_grad=True)
    block.residual(x).sum().backward()
    assert (x.grad.abs().sum((0, 1)) > 0).float().mean() == share


def test_a_naive_module_is_dearer_and_keeps_what_it_pooled():
    module = torch_train.load_module(find("inception"))
    naive, reduced = module.NaiveInception(192, 64, 128, 32), module.Inception(192, 64, 96, 128, 16, 32, 32)
    assert parameters(naive) > 2 * parameters(reduced)
    x = torch.randn(1, 192, 6, 6)
    assert (naive(x).shape[1], reduced(x).shape[1]) == (64 + 128 + 32 + 192, 256)


def test_a_residual_block_that_says_nothing_passes_its_input_on():
    block = resnet_style.ResidualBlock(8, 8, stride=1).eval()
    torch.nn.init.zeros_(block.bn2.weight)
    x = torch.rand(2, 8, 5, 5)
    torch.testing.assert_close(block(x), x)


def test_a_depthwise_filter_sees_one_channel():
    block = built("mbconv").blocks[0]
    x = torch.randn(1, 32, 6, 6)
    moved = x.clone()
    moved[:, 7] += 1
    changed = (block.depthwise_conv(moved) - block.depthwise_conv(x)).abs().amax((0, 2, 3)) > 0
    assert changed.nonzero().tolist() == [[7]]


def test_a_gate_weighs_whole_channels():
    torch.manual_seed(0)
    gate = squeeze_excite.SqueezeExcite(32, 16, activation=torch.relu, use_bias=False)
    x = torch.rand(2, 32, 4, 4) + 0.5
    share = gate(x) / x
    assert ((share > 0) & (share < 1)).all()
    torch.testing.assert_close(share, share[:, :, :1, :1].expand_as(share))
    assert share[:, :, 0, 0].std(dim=1).min() > 0.01


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("shape", [(8, 7), (7, 8), (1, 2)])
def test_padding_for_a_stride_is_tensorflows(kernel_size, shape):
    x = np.random.default_rng(0).standard_normal((1, *shape, 2)).astype(np.float32)
    same = keras.layers.Conv2D(3, kernel_size, strides=2, padding="same")
    expected = keras.ops.convert_to_numpy(same(x))
    weight = torch.from_numpy(keras.ops.convert_to_numpy(same.kernel)).permute(3, 2, 0, 1)
    native = F.conv2d(mbconv.padded(torch.from_numpy(x).movedim(-1, 1), kernel_size), weight, stride=2)
    np.testing.assert_allclose(native.movedim(1, -1), expected, atol=1e-5)
    padded = keras.ops.convert_to_numpy(keras_mbconv.padded(keras.ops.convert_to_tensor(x), kernel_size))
    np.testing.assert_array_equal(padded, mbconv.padded(torch.from_numpy(x).movedim(-1, 1), kernel_size).movedim(1, -1))


@pytest.mark.parametrize(("width", "depth", "blocks", "last"), [(1.0, 1.0, 16, 1280), (1.1, 1.2, 23, 1408)])
def test_efficientnet_scales_as_published(width, depth, blocks, last):
    with torch.device("meta"):  # B0 and B2
        model = built("efficientnet_b0", width_mult=width, depth_mult=depth)
    assert (len(model.blocks), model.dense.in_features) == (blocks, last)


# When a part works


def test_stochastic_depth_leaves_out_whole_pictures():
    block = mbconv.MBConv(8, 8, kernel_size=3, stride=1, expand_ratio=2, drop_path_rate=0.5, momentum=0.9)
    x = torch.randn(64, 8, 4, 4)
    torch.manual_seed(0)
    residual = (block.train()(x) - x).flatten(1)
    left_out = (residual == 0).all(dim=1)
    assert 16 < left_out.sum() < 48
    assert ((residual == 0).any(dim=1) == left_out).all()  # a picture as a whole, or not at all


def test_auxiliary_classifiers_work_in_training_only():
    model, x = built("googlenet"), torch.randn(2, 1, 48, 48)
    assert list(model.eval()(x)) == ["y"]
    before = model(x)["y"]
    for head in (model.aux1, model.aux2):
        torch.nn.init.zeros_(head.dense2.weight)
    torch.testing.assert_close(model(x)["y"], before, rtol=0, atol=0)
    assert set(model.train()(x)) == {"y", "aux1", "aux2"}


def test_auxiliary_losses_weigh_three_tenths_and_teach_the_lower_layers():
    model, x, y = built("googlenet").train(), torch.randn(4, 1, 48, 48), torch.arange(4)
    out = model(x)
    losses = {name: F.cross_entropy(logits, y) for name, logits in out.items()}
    total = losses["y"] + 0.3 * losses["aux1"] + 0.3 * losses["aux2"]
    torch.testing.assert_close(model.compute_loss(x, y, out), total)
    losses["aux1"].backward()
    taught = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert taught == {"conv1", "conv2", "conv3", "stage3", "stage4", "aux1"}
    assert model.stage4[1].conv1x1.weight.grad is None  # the head stands before it


# What a network cannot take


def constructors(name):
    """The constructor on both sides, with the small size's arguments."""
    twin = find(name)
    arguments = twin.ladder_arguments("small")
    classes = (getattr(train.load_module(twin), twin.model) for train in (keras_train, torch_train))
    return [lambda c=c, **changes: c(**{**arguments, **changes}) for c in classes]


CHECKED = [twin.name for twin in CLASSIFIERS if twin.name not in ("mlp", "vit")] + ["unet"]


@pytest.mark.parametrize("name", CHECKED)
def test_too_small_a_picture_and_too_few_classes_are_told_alike(name):
    small = SMALLEST.get(name, 1)
    keras_model, torch_model = constructors(name)
    shape = (small, small, 1)
    outputs = torch_model(image_shape=shape).eval()(torch.zeros(2, 1, small, small))
    assert all(out.isfinite().all() for out in (outputs.values() if isinstance(outputs, dict) else [outputs]))
    for changes in ({"image_shape": (small - 1, small, 1)}, {"image_shape": (small, small)}, {"num_classes": 1}):
        texts = []
        for constructor in (keras_model, torch_model):
            with pytest.raises(ValueError, match="Received: ") as error:
                constructor(**{"image_shape": shape, **changes})
            texts.append(str(error.value))
        assert texts[0] == texts[1]
        assert "\n" not in texts[0]
        assert str(next(iter(changes.values()))) in texts[0]


@pytest.mark.parametrize("name", ["lenet", "vgg_style"])
def test_too_large_a_picture_is_told(name):
    for constructor in constructors(name):
        constructor(image_shape=(32, 35, 1))
        with pytest.raises(ValueError, match="at least 32 and at most 35"):
            constructor(image_shape=(32, 36, 1))


def test_a_picture_that_cannot_be_halved_is_told():
    for constructor in constructors("unet"):
        multiple = 2 ** find("unet").small.arguments["depth"]
        with pytest.raises(ValueError, match=f"in multiples of {multiple}"):
            constructor(image_shape=(multiple, multiple + 1, 1))
