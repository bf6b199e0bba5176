"""The catalogue: names, reasons and goals."""

import pytest

from compare.reading.shapes import of as shapes_of
from twin import data
from twin.catalogue import CHAPTERS, TWINS, find
from twin.errors import TwinError
from twin.spec import AXES


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
        assert twin.metric.goal != twin.metric.chance
        assert twin.small.parameters > 0


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(TwinError, match="did you mean lenet"):
        find("lenett")


def test_a_model_declares_the_inputs_targets_and_outputs_that_there_are(twin):
    if twin.kind == "exercise":
        pytest.skip("an exercise names only what is not as it is")
    dataset = data.load(twin.data, twin.data_options)
    shapes = {name: array.shape for name, array in (dataset.train | dataset.test).items()}
    shapes |= {draw.name: draw.sized(1, twin.small.arguments) for draw in twin.draws}
    assert twin.inputs.keys() <= shapes.keys()
    assert twin.targets.keys() <= shapes.keys() - twin.inputs.keys()
    for name, layout in (twin.inputs | twin.targets).items():
        assert layout == "as is" or len(shapes[name]) == len(AXES[layout][0]), name
    for side in shapes_of(twin) or {}:
        for name, shape in shapes_of(twin)[side].outputs.items():
            assert name in twin.outputs
            layout = twin.output_layout(name)
            assert layout == "as is" or len(shape) == len(AXES[layout][0]), name
