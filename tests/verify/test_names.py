"""What names say of layers, and which arrays belong to a class that only has a stock module's name."""

from types import SimpleNamespace

import numpy as np
import pytest

from compare.verify import names, run


@pytest.mark.parametrize(
    ("keras", "right", "wrong"),
    [
        ("attention.value_dense", "self.value_proj", "dense"),
        ("attention_proj", "attention.dense", "self.value_proj"),
        ("query_dense", "q_proj", "dense"),
        ("attention.out_proj", "attn.out_proj", "attn.v_proj"),
    ],
)
def test_the_kind_behind_another_word_tells_no_layers_apart(keras, right, wrong):
    mine = keras, "Dense"
    assert names.alike(mine, (right, "Linear")) > names.alike(mine, (wrong, "Linear"))


def test_a_name_that_is_a_kind_alone_keeps_it():
    assert names.words("block.proj", "Linear") == {"block", "output"}
    assert names.words("block.dense", "Linear") == {"block", "dense"}


@pytest.mark.parametrize("gain", ["net.0.parametrizations.weight.original0", "net.0.weight_g", "norm.scale"])
def test_a_gain_is_a_factor_and_a_bias_is_added(gain):
    assert names.opposed(names.role_of("net.0.bias", "array"), names.role_of(gain, "array"))
    assert not names.opposed(names.role_of("conv.g", "array"), names.role_of(gain, "array"))


@pytest.mark.parametrize("path", ["cell.weight_gate", "attention.weight_value"])
def test_a_word_that_begins_as_a_gain_s_name_is_none(path):
    assert "kernel" in names.words(path, "Parameter")


class Runs:
    """A PyTorch model that runs with inputs of these shapes."""

    def __init__(self, *shapes):
        self.shapes = list(shapes)

    def trace(self, inputs, keep):
        return SimpleNamespace(stopped=[each.shape for each in inputs] != self.shapes)


@pytest.mark.parametrize(
    ("shapes", "native"),
    [
        ([(2, 6, 5), (2, 3, 6, 6)], [(2, 6, 5), (2, 3, 6, 6)]),  # nodes, and an adjacency that is no picture
        ([(2, 8, 8, 3), (2, 8, 8, 8, 4)], [(2, 3, 8, 8), (2, 8, 8, 8, 4)]),
        ([(2, 8, 8, 3), (2, 5)], [(2, 3, 8, 8), (2, 5)]),
        ([(2, 7, 5), (2, 9, 5)], [(2, 5, 7), (2, 5, 9)]),
    ],
)
def test_each_input_may_have_a_layout_of_its_own(shapes, native):
    request = SimpleNamespace(torch_shapes=())
    inputs = [np.zeros(shape, np.float32) for shape in shapes]
    assert [each.shape for each in run._native(request, Runs(*native), inputs)] == native


def test_inputs_of_no_layout_that_runs_come_in_the_likeliest():
    request = SimpleNamespace(torch_shapes=())
    (found,) = run._native(request, Runs(), [np.zeros((2, 8, 8, 3), np.float32)])
    assert found.shape == (2, 3, 8, 8)
