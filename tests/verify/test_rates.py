"""Two optimizers in NumPy whose steps are multiples of each other, or that do something to weights after each step."""

from dataclasses import dataclass

import numpy as np
import pytest

from compare.verify.optimizers import Optimizers, Trained
from compare.verify.settings_apart import in_words

ARRAYS = [Trained("a.kernel", "a.weight", (6, 5)), Trained("a.bias", "a.bias", (5,))]
LIMIT = 1.5


@dataclass
class Steps:
    """Sign descent at the rates given, whose steps count `factor` times; `pulled` along an axis to a norm."""

    rates: tuple = (2e-3,) * 12
    factor: float = 1.0
    axis: int | None = None
    epsilon: float = 1e-30

    def updates(self, weights, gradients, changes=None):
        after, beside = {}, changes or {}
        for name, start in weights.items():
            w, kept = start.astype(np.float64), []
            for rate, g in zip(self.rates, gradients[name], strict=True):
                w = w - self.factor * rate * g / (np.abs(g) + self.epsilon)
                axis = 0 if name in beside.get("constraints", ()) else self.axis
                if axis is not None and w.ndim == 2:
                    norm = np.sqrt(np.square(w).sum(axis, keepdims=True))
                    w = w * np.minimum(1, LIMIT / norm)
                kept.append(w.astype(np.float32))
            after[name] = np.stack(kept)
        settings = {"lr": self.rates[0], "betas": [0.9, 0.999]}
        told = {"kind": "Own", "settings": settings, "rates": list(self.rates), "stock": False, "groups": []}
        flat = {"kind": "", "steps": [0, 1], "rates": [self.rates[0]] * 2}
        schedule = [] if "steps" in beside else flat
        return told | {"schedule": schedule, "scheduler": "", "undecayed": [], "base": "Own"}, after


def _compared(keras, torch, arrays=ARRAYS):
    return Optimizers(keras, torch, arrays).compare()[0]


@dataclass
class TorchSteps(Steps):
    def updates(self, weights, gradients, changes=None):
        told, after = super().updates(weights, gradients, changes)
        return told | {"schedule": []}, after


WARM = tuple(2e-3 * min(n, 30 / max(n, 1)) for n in range(13))


@pytest.mark.parametrize("epsilon", [1e-30, 1e-7])
def test_rates_that_lag_a_step_and_begin_with_zero(epsilon):
    """An epsilon at another place counts for small gradients, and does not hide that."""
    found = _compared(Steps(WARM[:-1]), TorchSteps(WARM[1:], epsilon=epsilon))
    assert found.cause == "schedule_step"
    assert "Keras's learning rates lag those of PyTorch by one step, so that it begins with a rate of 0" in found.says


@pytest.mark.parametrize(("factor", "side"), [(0.9, "PyTorch"), (1 / 0.9, "Keras")])
def test_a_residual_from_the_average_before_its_update(factor, side):
    found = _compared(Steps(), TorchSteps(factor=factor))
    assert found.cause == "optimizer_residual"
    assert f"{side} takes the residual (gradient minus average) before the average is updated" in found.says


def test_another_learning_rate_stays_one():
    assert _compared(Steps(), TorchSteps(factor=0.5)).cause == "learning_rate"


CONSTRAINED = [Trained("a.kernel", "a.weight", (6, 5), constraint={"class_name": "MaxNorm"}), ARRAYS[1]]


def test_a_constraint_of_keras_that_pytorch_lacks():
    found = _compared(Steps(), TorchSteps(), CONSTRAINED)
    assert found.cause == "weight_constraint"
    assert "MaxNorm on a.kernel" in found.says


def test_a_constraint_that_both_have_is_no_difference():
    assert _compared(Steps(), TorchSteps(axis=1), CONSTRAINED) is None  # PyTorch has (out, in)


def test_norms_along_other_axes():
    found = _compared(Steps(), TorchSteps(axis=0), CONSTRAINED)
    assert found.cause == "weight_constraint"
    assert "Keras pulls each column of (in, out) back by its norm" in found.says
    assert "PyTorch pulls each row of (in, out) back by its norm" in found.says


@pytest.mark.framework
def test_keras_applies_a_constraint_to_the_arrays_it_is_given():
    keras = pytest.importorskip("keras")
    from keras_impl import criteria
    from keras_impl.tracing import Subject

    layer = keras.layers.Dense(3, kernel_constraint=keras.constraints.MaxNorm(0.5), name="a")
    given = np.ones((1, 4), np.float32)
    constraints = dict(Subject(keras.Sequential([keras.Input((4,)), layer]), [given]).constraints())
    assert list(constraints) == ["a.kernel"]
    weights = {"a.kernel": np.ones((4, 3), np.float32), "a.bias": np.ones(3, np.float32)}
    gradients = [{name: np.zeros_like(array) for name, array in weights.items()}]
    _, after = criteria.updates(keras.optimizers.SGD, weights, gradients, {"constraints": constraints})
    np.testing.assert_allclose(np.linalg.norm(after["a.kernel"][0], axis=0), 0.5, rtol=1e-5)
    np.testing.assert_allclose(after["a.bias"][0], 1.0)


@pytest.mark.parametrize(
    ("rates", "others", "told"),
    [
        ([0.1, 0.2, 0.3, 0.4], [0.2, 0.3, 0.4, 0.5], "one step ahead"),
        ([0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4], "one step behind"),
        ([0.1, 0.2, 0.3, 0.4], [0.1, 0.1, 0.2, 0.2], "PyTorch's 0.1/0.1/0.2/0.2"),
    ],
)
def test_rates_of_one_step_later_or_earlier_are_said_to_be(rates, others, told):
    says = in_words({"rates": rates}, {"rates": others, "settings": {}}, {"rates": rates})
    assert says.endswith(told)


@pytest.mark.framework
def test_a_rate_that_an_optimizer_sets_in_its_own_step_is_the_one_of_that_step():
    torch = pytest.importorskip("torch")
    from torch_impl.criteria import updates

    class Own(torch.optim.SGD):
        def step(self, closure=None):
            self.param_groups[0]["lr"] *= 2
            return super().step(closure)

    start = {"w": np.ones(3, np.float32)}
    told, after = updates(lambda parameters: Own(parameters, lr=0.1), start, [start] * 3, {})
    assert told["rates"] == pytest.approx([0.2, 0.4, 0.8])
    assert after["w"][:, 0] == pytest.approx([0.8, 0.4, -0.4])
