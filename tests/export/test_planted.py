"""Faults planted into exporters and runtimes of PyTorch's twins are found, and their place is named."""

import functools
import re

import pytest

from tests.helpers.planted_exports import FAULTS, ONNX, measured, verdict, words

# Twin -> its first two activations, how many it has, and the weight in the middle, which is changed.
PLACES = {
    "mlp": ("relu at dense1", "relu at dense2", 2, "4,096 values of dense2.weight"),
    "lenet": ("tanh at conv1", "tanh at conv2", 4, "48,000 values of conv3.weight"),
    "har_conv1d": ("relu at conv1", "relu at conv2", 4, "4,608 values of conv3.weight"),
    "resnet": ("relu at bn1", "relu at blocks.0.bn1", 13, "512 values of blocks.2.conv1.weight"),
    "autoencoder": ("sigmoid at encoder.0", "sigmoid at decoder.0", 3, "1,024 values of decoder.0.weight"),
    "conv3d": ("relu at conv1", "relu at conv2", 10, "27,648 values of conv4b.weight"),
}
# What only some of them can have: pictures, pictures in colour, and BatchNorm.
ONLY = {"layout": ("lenet", "resnet", "conv3d"), "reversed": (), "training": ("resnet",)}
# Found and not located: the exporter folds BatchNorm into the convolution's weights.
ONLY_FOUND = [("weight", "resnet", "onnx")]
FORMATS = ("torch_export", pytest.param("onnx", marks=ONNX))
QUICK = "mlp"  # the others are left to `make test-long`
CELLS = functools.cache(lambda name, format: measured(name, format, [*FAULTS]))


@pytest.mark.framework
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", [QUICK, *(pytest.param(n, marks=pytest.mark.long) for n in PLACES if n != QUICK)])
@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_a_planted_fault_is_found_and_located(fault, name, format):
    whole, cell = (CELLS(name, format)[each] for each in ("", fault))
    if not fault:
        assert cell.status == "ok", cell.reason
        return
    expected = "found" if (fault, name, format) in ONLY_FOUND else "located"
    expected = "not planted" if name not in ONLY.get(fault, PLACES) else expected
    assert verdict(fault, cell, whole) == expected, cell.reason
    first, second, count, weight = PLACES[name]
    place = {"lost0": f"{first} (1 of {count})", "lost1": f"{second} (2 of {count})", "weight": weight}.get(fault, "")
    assert place in cell.reason or expected != "located", cell.reason


@pytest.mark.framework  # the places are those of the built model
def test_words_name_the_place_and_no_other():
    assert re.search(words("lost1", "mlp"), "lost activation: without relu at dense2 (2 of 2) the model gives")
    assert not re.search(words("lost1", "mlp"), "lost activation: without relu at dense1 (1 of 2) the model gives")
    assert re.search(
        words("other", "mlp"), "changed weight: the file has other values for 2,048 of the 2,048 values of w"
    )
    assert not re.search(
        words("other", "mlp"), "changed weight: the file has other values for 3 of the 2,048 values of w"
    )
