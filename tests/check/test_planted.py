"""The checker, checked: one thing wrong on one side, and the ladder breaks at the right rung and names the place."""

from dataclasses import replace
from itertools import product

import pytest

from compare.check import run as check
from compare.check.climb import climb
from compare.engines.answers import Nothing
from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.record.measurement import CheckMeasurement
from compare.record.results import RUNGS
from tests.helpers.attack import mostly_long
from twin.catalogue import find

pytestmark = pytest.mark.framework

DEFECTS = [
    # twin, defect of tests/helpers/planted_worker.py, rung, what the message must name
    ("digit_cnn", "other_width", "structure", "dense2"),
    ("digit_cnn", "no_bias", "structure", "dense2.bias"),
    ("digit_cnn", "half_precision_weights", "weights", "dense1.weight"),
    ("vit", "transposed_kernel", "weights", "blocks.0.attention.query.weight"),
    ("resnet", "batchnorm_epsilon", "forward", "first layer that differs: blocks.1.bn2"),
    ("vit", "layernorm_epsilon", "forward", "first layer that differs: blocks.0.norm1"),
    ("digit_cnn", "average_pooling", "forward", "first layer that differs: pool1"),
    ("digit_cnn", "missing_activation", "forward", "what enters pool2 differs already"),
    ("vit", "approximate_gelu", "forward", "what enters blocks.0.dense2 differs already"),
    ("har_lstm", "swapped_gates", "forward", "first layer that differs: lstm"),
    ("digit_cnn", "doubled_softmax", "forward", "first layer that differs: dense2"),
    ("resnet", "even_padding_at_stride_two", "forward", "conv1"),
    ("digit_cnn", "sum_of_losses", "gradients", "loss"),
    ("digit_cnn", "smoothed_labels", "gradients", "loss"),
    ("localizer", "other_alpha", "gradients", "loss"),
    ("digit_cnn", "stopped_gradient", "gradients", "conv"),
    ("digit_cnn", "stock_epsilon", "optimizer", "update of"),
    ("resnet", "nesterov", "optimizer", "update of"),
    ("resnet", "other_momentum", "optimizer", "after"),
    ("digit_cnn", "weight_decay", "optimizer", "update of"),
    ("resnet", "batchnorm_momentum", "optimizer", "blocks.0.bn3.running"),
    ("dqn", "no_target_copy", "optimizer", "target."),
    ("digit_cnn", "running_mean_of_losses", "trajectory", "loss at step"),
]


NOT_FINITE = {
    "nan_output": "forward",
    "nan_gradient": "gradients",
    "infinite_loss": "gradients",
    "nan_moments": "optimizer",
    "nan_curve": "trajectory",
}
KINDS = {
    "digit_cnn": "supervised",
    "localizer": "several outputs and losses",
    "transformer": "several inputs",
    "gan": "phases, each with a loss",
    "rbm": "gradients of its own, without a loss or moments",
    "dqn": "weights that are copied",
}


@pytest.fixture(scope="module")
def planting():
    """Climbs the ladder with a planted defect; the references are computed once per twin."""
    pool = Pool(Settings())
    uses = check.Counter({(twin, 0, "small"): 100 for twin in {*KINDS, *(twin for twin, *_ in DEFECTS)}})
    references = check.References(pool, ENGINES["torch"], uses)
    engine = replace(ENGINES["keras-torch"], module="tests.helpers.planted_worker")
    session = pool.start(engine, "cpu")

    def climb_with(name, defect, twin=None):
        measurement = CheckMeasurement(name, engine.name, "cpu", "float32", 0, "small")
        session.ask(Nothing, "plant", defect=defect)
        return climb(session, twin or find(name), measurement, references.get(measurement))

    yield climb_with
    pool.run([])


@pytest.mark.parametrize(("name", "defect", "rung", "place"), DEFECTS, ids=[f"{d[0]}-{d[1]}" for d in DEFECTS])
def test_a_planted_defect_is_found_at_its_rung(name, defect, rung, place, planting):
    rungs = planting(name, defect)
    assert [each.status for each in rungs[:-1]] == ["ok"] * (len(rungs) - 1)
    assert (rungs[-1].rung, rungs[-1].status) == (rung, "failed"), rungs[-1].message
    assert place in rungs[-1].message


@pytest.mark.parametrize(
    ("name", "defect"), mostly_long([each for each in product(KINDS, NOT_FINITE) if each != ("rbm", "nan_moments")], 3)
)
def test_what_is_not_finite_on_one_side_is_told_of_every_kind_of_twin(name, defect, planting):
    rungs = planting(name, defect)
    assert [each.status for each in rungs[:-1]] == ["ok"] * (len(rungs) - 1)
    assert (rungs[-1].rung, rungs[-1].status) == (NOT_FINITE[defect], "failed"), rungs[-1].message
    assert "this engine alone has a value that is not finite" in rungs[-1].message


def test_every_rung_has_a_planted_defect():
    assert {rung for _, _, rung, _ in DEFECTS} == set(RUNGS)


def test_a_flatten_order_left_undeclared_is_found(planting):
    rungs = planting("digit_cnn", "", replace(find("digit_cnn"), flatten={}))
    assert (rungs[-1].rung, rungs[-1].status) == ("forward", "failed")
    assert "what enters dense1 differs already" in rungs[-1].message


@pytest.mark.parametrize("name", ["digit_cnn", "resnet"])
def test_nothing_planted_nothing_found(name, planting):
    assert all(rung.status == "ok" for rung in planting(name, ""))
