"""Shapes that were measured belong to the code that is here."""

import pytest

from compare.reading import shapes
from compare.reading import show as showing
from twin.catalogue import TWINS, find


@pytest.mark.docs
def test_shapes_belong_to_the_code_that_is_here(twin):
    assert shapes.of(twin), f"measure them anew: twin show {twin.name} --measure"
    assert twin.kind == "exercise" or shapes.boxes(twin), f"measure them anew: twin show {twin.name} --measure"


def second_biases(measured):
    """How many parameters PyTorch's LSTMs have that Keras's do not: a second bias for each of the four gates."""
    return sum(4 * layer.output[-1] for layer in measured.layers if layer.type == "LSTM")


def test_measured_parameters_are_those_of_the_catalogue(twin):
    keras, torch = (shapes.of(twin)[side] for side in ("keras", "torch"))
    assert torch.parameters == keras.parameters + second_biases(torch)
    if twin.name not in (
        "transfer_learning",
        "ensemble",
        "dqn",
        "fcn",
        "mask_rcnn",
    ):  # whose catalogue counts what is not frozen
        assert keras.parameters == twin.small.parameters


def test_both_sides_ran_the_same_layers_with_as_many_parameters(twin):
    keras, torch = (shapes.of(twin)[side] for side in ("keras", "torch"))
    lstms = {layer.path for layer in torch.layers if layer.type == "LSTM"}  # with a second bias
    counted = {layer.path: layer.parameters for layer in torch.layers if layer.path not in lstms}
    shared = {layer.path: layer.parameters for layer in keras.layers if layer.path in counted}
    assert len(shared) >= 0.8 * sum(layer.path not in lstms for layer in keras.layers)
    assert shared == {path: counted[path] for path in shared}


@pytest.mark.framework
def test_measuring_finds_what_is_kept(tmp_path, monkeypatch):
    twins = [find(name) for name in ("mlp", "pooling")]
    kept = [(shapes.of(twin), shapes.boxes(twin)) for twin in twins]
    monkeypatch.setattr(shapes, "FILE", tmp_path / "shapes.json")
    monkeypatch.setattr(shapes, "FLOWS", tmp_path / "flows.json")
    shapes._kept.cache_clear()
    try:
        assert shapes.of(twins[0]) is None
        shapes.measure(twins)
        assert [(shapes.of(twin), shapes.boxes(twin)) for twin in twins] == kept
    finally:
        shapes._kept.cache_clear()


def test_shapes_of_other_code_are_not_shown(monkeypatch):
    monkeypatch.setattr(shapes, "digest", lambda twin: "of other code")
    assert shapes.of(TWINS["lenet"]) is None
    assert "->" not in showing.page(TWINS["lenet"])
