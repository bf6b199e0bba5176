"""The data of every twin, loaded once for all that is asked of it."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from compare.reading.shapes import of as shapes_of
from compare.reading.shapes import training_rows
from twin import data, rows
from twin.catalogue import TWINS
from twin.spec import AXES, Twin

pytestmark = pytest.mark.slow  # pictures are drawn, texts are read: seconds for each of forty data sets

# Shares of the test rows: a mean of at most 1 has no more noise.
SHARES = ("accuracy", "localization_accuracy", "mean_mask_iou")


@dataclass
class Shared:
    """A data set, and the twins that take it."""

    dataset: data.Dataset
    twins: list[Twin]

    @property
    def models(self) -> list[Twin]:
        return [twin for twin in self.twins if twin.kind == "model"]


def users() -> dict[str, list[Twin]]:
    """Twins by what they load."""
    found: dict[str, list[Twin]] = {}
    for twin in TWINS.values():
        if twin.data:
            found.setdefault(f"{twin.data} {twin.data_options}", []).append(twin)
    return {f"{twins[0].data}-{twins[0].name}": twins for twins in found.values()}


USERS = users()


@pytest.fixture(scope="module", params=USERS)
def shared(request):
    twins = USERS[request.param]
    return Shared(data.load(twins[0].data, twins[0].data_options), twins)


def test_data_has_provenance_and_two_parts(shared):
    dataset = shared.dataset
    assert dataset.provenance.startswith(("real, shipped in", "real, downloaded", "made here", "real, copied"))
    assert dataset.test
    if shared.models:  # an exercise's data are its inputs, of any lengths
        for part in (dataset.train, dataset.test):
            assert len({len(array) for array in part.values()}) == 1


def test_the_rows_that_were_measured_are_the_rows_there_are(shared):
    for twin in shared.models:
        rows = len(next(iter(shared.dataset.train.values())))
        assert training_rows(twin) == rows, f"measure it anew: twin show {twin.name} --measure"


@pytest.mark.long
def test_data_is_the_same_when_it_is_loaded_again(shared):
    twin, dataset = shared.twins[0], shared.dataset
    again = data.load(twin.data, twin.data_options)
    for part, same in ((dataset.train, again.train), (dataset.test, again.test)):
        assert part.keys() == same.keys()
        assert all(np.array_equal(part[name], same[name]) for name in part)


def test_a_model_is_built_for_its_own_data(shared):
    for twin in shared.models:
        for part in (shared.dataset.train, shared.dataset.test):
            if twin.inputs.keys() <= part.keys():  # a generator's draws are in neither
                rows.check_inputs(twin, twin.small.arguments, twin.inputs_of(part))


def test_a_model_declares_the_inputs_targets_and_outputs_that_there_are(shared):
    arrays = shared.dataset.train | shared.dataset.test
    for model in shared.models:
        shapes = {name: array.shape for name, array in arrays.items()}
        shapes |= {draw.name: draw.sized(1, model.small.arguments) for draw in model.draws}
        assert model.inputs.keys() <= shapes.keys()
        assert model.targets.keys() <= shapes.keys() - model.inputs.keys()
        for name, layout in (model.inputs | model.targets).items():
            assert layout == "as is" or len(shapes[name]) == len(AXES[layout][0]), f"{model.name}: {name}"
        for side in shapes_of(model) or {}:
            for name, shape in shapes_of(model)[side].outputs.items():
                assert name in model.outputs
                layout = model.output_layout(name)
                assert layout == "as is" or len(shape) == len(AXES[layout][0]), f"{model.name}: {name}"


def test_no_margin_is_finer_than_the_noise_of_the_test_part_or_coarser_than_what_is_learned(shared):
    count = len(next(iter(shared.dataset.test.values())))
    for twin in shared.models:
        metric = twin.metric
        if metric.name in SHARES:
            assert metric.margin >= math.sqrt(metric.target * (1 - metric.target) / count), twin.name
        else:
            assert metric.margin == pytest.approx(metric.target / 10), twin.name
        assert metric.margin < abs(metric.target - metric.chance) / 5, twin.name
