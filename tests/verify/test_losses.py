"""Two losses in NumPy: what no argument explains is read off their numbers."""

from dataclasses import dataclass

import numpy as np
import pytest

from compare.verify.losses import Losses
from compare.verify.terms import classes_second
from twin.errors import TwinError

RNG = np.random.default_rng(0)
STEP = 1e-5


@dataclass
class Side:
    """A loss of outputs and targets with its gradient by differences; `rows` that it needs a multiple of."""

    function: object
    rows: int = 1

    def loss(self, given, transform="", changes=None):
        outputs, target = (given[name].astype(np.float64) for name in ("outputs", "target"))
        if len(outputs) % self.rows:
            raise TwinError(f"{len(outputs)} rows")
        if transform or changes:
            return float("nan"), np.zeros_like(outputs), ""
        gradient = np.zeros_like(outputs)
        for place in np.ndindex(outputs.shape):
            moved = [outputs.copy() for _ in range(2)]
            moved[0][place] += STEP
            moved[1][place] -= STEP
            gradient[place] = np.diff([self.function(each, target) for each in moved])[0] / (-2 * STEP)
        return float(self.function(outputs, target)), gradient, "a loss"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weighted(positive):
    return lambda x, y: -np.mean(positive * y * np.log(sigmoid(x)) + (1 - y) * np.log(1 - sigmoid(x)))


def of_columns(*weights):
    return lambda x, y: np.mean(np.array(weights) * (np.tanh(x) - y) ** 2)


def ratio(axis):
    return lambda x, y: 1 - np.mean((sigmoid(x) * y).sum(axis) / (sigmoid(x) + y).sum(axis))


def hinge(signs):
    return lambda x, y: np.mean(np.maximum(1 - (2 * y - 1 if signs else y) * x, 0))


def negatives(turned):
    return lambda x, y: -np.mean(y * np.log(sigmoid(x)) + (1 - y) * np.log(sigmoid(-x if turned else x)))


def divergence(turned):
    def function(x, y):
        p, q = (np.exp(x), np.exp(y)) if turned else (np.exp(y), np.exp(x))
        return np.mean((p * np.log(p / q)).sum(-1))

    return function


OUTPUTS = RNG.standard_normal((6, 3))
LABELS = RNG.integers(0, 2, (6, 3)).astype(np.float32)
VALUES = RNG.standard_normal((6, 3))
PAIRS = {
    "class_weights": (weighted(3.0), weighted(1.0), LABELS),
    "loss_output_weights": (of_columns(1, 2, 3), of_columns(1, 1, 1), VALUES),
    "loss_reduction": (ratio(-1), ratio(None), LABELS),
    "loss_labels": (hinge(True), hinge(False), LABELS),
    "loss_logit_sign": (negatives(True), negatives(False), LABELS),
    "loss_operand_order": (divergence(False), divergence(True), VALUES),
}


def compared(keras, torch, target, rows=1):
    given = {"outputs": OUTPUTS, "target": target}
    return Losses(Side(keras), Side(torch, rows), given).compare("")[0]


@pytest.mark.parametrize("cause", PAIRS)
def test_what_differs_is_read_off_the_numbers(cause):
    keras, torch, target = PAIRS[cause]
    assert compared(keras, torch, target).cause == cause


@pytest.mark.parametrize("cause", PAIRS)
def test_a_loss_agrees_with_itself(cause):
    keras, _, target = PAIRS[cause]
    assert compared(keras, keras, target) is None


def test_a_factor_for_each_target_of_its_own_explains_nothing():
    """Where each target but 0 is there once, any gradient is a multiple of any other, target by target."""
    target = np.where(np.arange(18).reshape(6, 3) % 4 == 0, VALUES, 0.0)
    found = compared(
        *(lambda x, y, power=power: np.mean((y != 0) * np.abs(x - y) ** power) for power in (2, 3)), target
    )
    assert found.cause != "class_weights"


def test_a_loss_that_refuses_single_rows_is_no_error():
    found = compared(ratio(-1), lambda x, y: np.mean(np.abs(x - y) ** 3), LABELS, rows=3)
    assert found.cause is None
    assert "loss_reduction" not in found.tried


def test_rounding_of_terms_that_cancel_is_no_difference():
    outputs, target = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 3))
    rest = np.tanh(outputs).mean() - 1e-4
    sides = [Side(lambda x, y, more=more: np.tanh(x).mean() - rest + more) for more in (0.0, 5e-7)]
    finding, _ = Losses(*sides, {"outputs": outputs, "target": target}).compare("")
    assert finding is None


def test_rows_that_meet_other_targets_show_a_limit_that_is_not_reached():
    signs = np.array([1.0, -1.0, 1.0, -1.0])[:, None]
    outputs, target = (signs * (0.5 + RNG.random((4, 3))) for _ in range(2))
    sides = Side(lambda x, y: np.maximum(x * y, 0).mean()), Side(lambda x, y: (x * y).mean())
    finding, _ = Losses(*sides, {"outputs": outputs, "target": target}).compare("")
    assert finding is not None


def cross_entropy(logits, y):
    return -np.mean((y * (logits - np.log(np.exp(logits).sum(-1, keepdims=True)))).sum(-1))


def smoothed(over, share=0.2):
    """Smoothing over all classes, or over the others alone."""
    return lambda x, y: cross_entropy(
        x, (1 - share) * y + (share * y.shape[-1] ** -1 if over == "all" else share * (1 - y) / (y.shape[-1] - 1))
    )


CLASSES = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 6)]


@pytest.mark.parametrize(
    ("keras", "torch", "words"),
    [
        (smoothed("all"), smoothed("others"), "PyTorch gives a smoothing of 0.2 to the 2 other classes alone"),
        (smoothed("others"), smoothed("all"), "Keras gives a smoothing of 0.2 to the 2 other classes alone"),
        (smoothed("all"), cross_entropy, "PyTorch has no label smoothing, Keras has one of 0.2"),
    ],
)
def test_smoothing_over_the_other_classes_alone(keras, torch, words):
    found = compared(keras, torch, CLASSES)
    assert (found.cause, found.says.startswith(words)) == ("label_smoothing", True)


def of_weighted_rows(divided):
    def function(x, y):
        weights = y @ np.array([0.5, 2.0, 1.0])
        rows = -(y * (x - np.log(np.exp(x).sum(-1, keepdims=True)))).sum(-1)
        return np.sum(weights * rows) / (weights.sum() if divided else len(y))

    return function


@pytest.mark.parametrize("divided", [True, False])
def test_a_weighted_sum_of_rows_divided_by_the_weights_or_by_the_rows(divided):
    found = compared(of_weighted_rows(not divided), of_weighted_rows(divided), CLASSES)
    assert found.cause == "class_weights"
    side = "PyTorch" if divided else "Keras"
    assert f"{side} divides the weighted sum by the sum of the weights" in found.says


@pytest.mark.parametrize("second", [False, True])
def test_outputs_that_are_reshaped_where_axes_change_places(second):
    outputs = RNG.standard_normal((2, 4, 3))
    target = RNG.standard_normal((2, 4, 3))

    def turned(x, y):
        given = np.moveaxis(x, -1, 1).reshape(x.shape) if second else np.moveaxis(x.reshape(2, 3, 4), 1, -1)
        return np.mean(np.tanh(given) * y)

    sides = Side(lambda x, y: np.mean(np.tanh(x) * y)), Moved(turned)
    found, _ = Losses(*sides, {"outputs": outputs, "target": target}, second=second).compare("")
    assert found.cause == "loss_reshape_for_permute"
    assert f"permute{(0, 2, 1)}" in found.says


class Moved(Side):
    """A side that is told where its model has the classes."""

    def loss(self, given, transform="", changes=None):
        return super().loss(given, transform, {n: v for n, v in (changes or {}).items() if n != "second"})


@pytest.mark.framework
def test_targets_with_a_value_for_each_place_stay_as_they_are_where_classes_stand_second():
    from torch_impl import criteria

    rng = np.random.default_rng(0)
    outputs = rng.standard_normal((2, 3, 4, 1)).astype(np.float32)
    target = rng.standard_normal((2, 3, 4)).astype(np.float32)
    value, gradient, _ = criteria.loss(
        lambda given, goal: ((given.squeeze(1) - goal) ** 2).mean(),
        {"outputs": outputs, "target": target},
        changes={"second": True},
    )
    assert value == pytest.approx(np.mean((outputs[..., 0] - target) ** 2), rel=1e-5)
    assert gradient.shape == outputs.shape
    assert [each.shape for each in classes_second([outputs, target])] == [(2, 1, 3, 4), (2, 3, 4)]
