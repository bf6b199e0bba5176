"""The catalogue: names, reasons and targets."""

import pytest

from compare.reading.shapes import of as shapes_of
from twin import data
from twin.catalogue import CHAPTERS, TWINS, find
from twin.errors import TwinError
from twin.spec import AXES

MODELS = [twin for twin in TWINS.values() if twin.kind == "model"]


def test_names_are_unique_and_chapters_in_order():
    names = [twin.name for twins in CHAPTERS.values() for twin in twins]
    assert len(names) == len(set(names)) == len(TWINS)
    numbers = [chapter.number for chapter in CHAPTERS]
    assert numbers == sorted(numbers)


def test_a_departure_states_its_reason(twin):
    for difference in twin.differences:
        assert len(difference.reason) > 20
    for tolerance in twin.tolerances.values():
        assert len(tolerance.reason) > 20


def test_a_model_declares_what_it_must_reach(twin):
    if twin.kind == "model":
        assert twin.metric is not None
        assert twin.metric.target != twin.metric.chance
        assert twin.small.parameters > 0


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(TwinError, match="did you mean lenet"):
        find("lenett")
    with pytest.raises(TwinError, match="did you mean resnet_style, resnet, resnet50"):
        find("resne")


@pytest.mark.parametrize("model", MODELS, ids=[twin.name for twin in MODELS])
def test_a_model_declares_the_inputs_targets_and_outputs_that_there_are(model):
    dataset = data.load(model.data, model.data_options)
    shapes = {name: array.shape for name, array in (dataset.train | dataset.test).items()}
    shapes |= {draw.name: draw.sized(1, model.small.arguments) for draw in model.draws}
    assert model.inputs.keys() <= shapes.keys()
    assert model.targets.keys() <= shapes.keys() - model.inputs.keys()
    for name, layout in (model.inputs | model.targets).items():
        assert layout == "as is" or len(shapes[name]) == len(AXES[layout][0]), name
    for side in shapes_of(model) or {}:
        for name, shape in shapes_of(model)[side].outputs.items():
            assert name in model.outputs
            layout = model.output_layout(name)
            assert layout == "as is" or len(shape) == len(AXES[layout][0]), name
