"""Segmentation, by numbers: unpooling, fixed enlargements, published counts, and masks of another size.

Both sides' own functions are held against independent referees.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from torch.nn import functional as F

from keras_impl import train as keras_train
from keras_impl.models.segmentation import encoder_decoder as keras_encoder_decoder
from torch_impl import train
from torch_impl.models.segmentation import encoder_decoder, fcn
from twin import batches, data
from twin.catalogue import find
from twin.data import Dataset
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


@pytest.mark.parametrize("name", ["encoder_decoder", "fcn", "unet"])
def test_pictures_that_a_network_cannot_halve_are_told_alike(name):
    twin = find(name)
    texts = []
    for side in (keras_train, train):
        with pytest.raises(ValueError, match="Received: ") as error:
            getattr(side.load_module(twin), twin.model)(**{**twin.small.arguments, "image_shape": (30, 32, 1)})
        texts.append(str(error.value))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", ["encoder_decoder", "fcn", "unet"])
def test_masks_of_another_size_are_one_clear_line_before_either_side_sees_them(name, monkeypatch):
    twin = find(name)
    good = data.load(twin.data, {**twin.data_options, "train_count": 20, "test_count": 2})
    batches.check_masks(twin, good.train)
    bad = Dataset(good.provenance, {**good.train, "y": good.train["y"][:, ::2, ::2]}, good.test)
    monkeypatch.setattr(data, "load", lambda *_: bad)
    with pytest.raises(TwinError, match=rf"{name}: the masks y have the shape \(20, 16, 16\) and the pictures x \(20,"):
        batches.make_batches(twin, twin.small.arguments, "small", np.random.default_rng(0))


def test_erratum_a_semantic_segmentation_counts_nothing():
    apart, touching = np.zeros((6, 12), int), np.zeros((6, 12), int)
    apart[1:5, 1:5] = apart[1:5, 7:11] = 1  # two cats
    touching[1:5, 1:5] = touching[1:5, 5:9] = 1  # two cats again, side by side
    assert label(apart == 1)[1] == 2
    assert label(touching == 1)[1] == 1
    assert (touching == 1).sum() == (apart == 1).sum() == 2 * 16
