"""Update rules and orders of gates in NumPy: what a hand-written optimizer or a file does otherwise, in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from compare.verify import rules, run
from compare.verify.causes.weights import of_weights
from twin.bridge import Leaf

RNG = np.random.default_rng(0)
WEIGHTS = [RNG.standard_normal((3, 4)), RNG.standard_normal(5)]
GRADIENTS = [RNG.standard_normal((5, 3, 4)), 10 * RNG.standard_normal((5, 5))]
RATES = [0.1, 0.1, 0.02, 0.02, 0.02]
SETTINGS = {
    "momentum": 0.9, "alpha": 0.9, "eps": 0.1, "betas": (0.9, 0.98), "weight_decay": 0.1, "clipnorm": 1.0,
    "initial_accumulator_value": 0.5, "l1": 0.01, "l2": 0.2,
}  # fmt: skip


def _steps(rule):
    return np.concatenate([each.reshape(5, -1) for each in rules.steps(rule, SETTINGS, RATES, WEIGHTS, GRADIENTS)], 1)


@pytest.mark.parametrize("kind", rules.USED)
def test_two_rules_that_differ_take_other_steps(kind):
    own = rules.of_keras(kind, SETTINGS)
    made = [
        (fields, _steps(other)) for fields, other in rules.others(own) if len(fields) == 1 and fields != ("gradient",)
    ]
    assert {field for (field,), _ in made} == {*rules.USED[kind], "clip"}
    unseen = {"Lamb": {"corrected"}, "Lion": {"clip"}}.get(
        kind, set()
    )  # a factor of the mean, or the size of a gradient
    values = [_steps(own), *(steps for (field,), steps in made if field not in unseen)]
    for place, one in enumerate(values):
        assert all(not np.allclose(one, other, rtol=1e-6) for other in values[place + 1 :])


def test_what_is_said_names_the_field_and_both_values():
    own = rules.of_keras("RMSprop", {})
    cause, says = rules.differing(("start", "epsilon"), own, rules.Rule("RMSprop", start=1.0))
    assert cause == "optimizer_start"
    assert "Keras 0, PyTorch 1" in says
    assert "Keras under the root, PyTorch beside" in says


def test_sgd_with_momentum_is_what_its_formula_says():
    (after,) = rules.steps(rules.Rule("SGD"), {"momentum": 0.5}, [1.0, 0.1], [np.zeros(1)], [np.array([[2.0], [1.0]])])
    np.testing.assert_allclose(after[:, 0], [-2.0, -2.0 - (0.5 * 2.0 + 0.1 * 1.0)])
    outside = rules.Rule("SGD", inside=False)
    (after,) = rules.steps(outside, {"momentum": 0.5}, [1.0, 0.1], [np.zeros(1)], [np.array([[2.0], [1.0]])])
    np.testing.assert_allclose(after[:, 0], [-2.0, -2.0 - 0.1 * (0.5 * 2.0 + 1.0)])


@pytest.mark.parametrize(("clip", "norms"), [("clipnorm", [1.0, 1.0]), ("global_clipnorm", None), ("clipvalue", None)])
def test_what_is_clipped(clip, norms):
    clipped = rules._clipped(rules.Rule("SGD", clip=clip), {clip: 1.0}, GRADIENTS)
    first = np.array([np.linalg.norm(each[0]) for each in clipped])
    if norms:
        np.testing.assert_allclose(first, norms)
    elif clip == "global_clipnorm":
        assert np.linalg.norm(first) == pytest.approx(1.0)
    else:
        assert max(np.abs(each).max() for each in clipped) == 1.0


@pytest.mark.parametrize("settings", [{"amsgrad": True}, {"use_ema": True}])
def test_what_the_rules_do_not_know_has_none(settings):
    assert rules.of_keras("Adam", settings) is None
    assert rules.of_keras("Lion", {}) is None


def test_the_order_of_gates_that_is_said_is_the_one_in_the_file():
    wanted = {"weight_ih_l0": RNG.standard_normal((28, 6)), "bias_ih_l0": RNG.standard_normal(28)}
    given = {
        name: np.concatenate([np.split(array, 4)[gate] for gate in (1, 2, 3, 0)]) for name, array in wanted.items()
    }
    cause, says, *_ = of_weights(given, wanted, {}, "LSTM")
    assert cause == "lstm_gate_order"
    assert "in the order f, g, o, i; its LSTM takes i, f, g, o" in says


@pytest.mark.parametrize(("gathered", "steps"), [("averaged", [0, -2]), ("summed", [0, -4]), ("the last one", [0, -3])])
def test_gradients_of_several_batches_make_one_step(gathered, steps):
    rule = rules.Rule("SGD", gathered=gathered)
    (after,) = rules.steps(rule, {"accumulate": 2}, [1.0, 1.0], [np.zeros(1)], [np.array([[1.0], [3.0]])])
    np.testing.assert_allclose(after[:, 0], steps)


def test_a_setting_that_an_optimizer_keeps_to_itself_is_among_those_tried():
    rule = rules.of_keras("Adam", {"betas": (0.9, 0.999), "eps": 1e-7})
    tried = [
        changed["betas"] for name, changed in rules.other_settings(rule, {"betas": (0.9, 0.999)}) if name == "betas"
    ]
    assert (0.9, 0.99) in tried
    assert (0.9, 0.999) not in tried


def test_a_query_a_key_and_a_value_in_one_pytorch_array_are_compared_once():
    """Three of Keras's arrays under one name of PyTorch's would be three gradients for one parameter."""
    kernels = {f"{name}.kernel": (8, 2, 4) for name in ("query", "key", "value")}
    keras = SimpleNamespace(leaves=lambda: [Leaf("mix", "MultiHeadAttention", kernels, tuple(kernels))],
                            regularizers=dict, constraints=dict)  # fmt: skip
    torch = SimpleNamespace(leaves=lambda: [Leaf("mix", "Linear", {"weight": (24, 8)}, ("weight",))])
    verdict = SimpleNamespace(arrays=[(f"mix.{name}", "mix.weight") for name in kernels])
    assert [(each.keras, each.torch) for each in run._trained(keras, torch, verdict)] == [
        ("mix.query.kernel", "mix.weight")
    ]
