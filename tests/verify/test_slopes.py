"""Gradients that differ where outputs agree: what is left out on either side, and what their numbers say."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from compare.verify.pairing import Link
from compare.verify.slopes import Gradients, Slopes
from compare.verify.verdict import Finding
from compare.verify.views import View

FINDING = Finding("gradients", "a", "a", "gradient of a.weight")
SIZES = {"a.weight": (4, 3), "a.alpha": (1,), "b.weight": (5, 4), "b.alpha": (1,)}
DETACH, STOP = ("detach", "t.py:7"), ("stop_gradient", "k.py:9")


def _same(name, gradient, side, uncut, only):
    return gradient


@dataclass
class Models:
    """Two models whose gradients are drawn, and changed by `changed` on either side; `cuts` by side."""

    changed: object = _same
    cuts: dict = field(default_factory=dict)
    outputs: tuple = ("y",)
    masks = False
    inputs = torch_inputs = ()

    def __post_init__(self):
        views = {name: View(name, shape) for name, shape in SIZES.items()}
        self.links = [Link("kernel", view, view) for view in views.values()]
        self.pairing = SimpleNamespace(
            links=self.links, matches=[SimpleNamespace(keras=[SimpleNamespace(kind="dense")], links=self.links)]
        )
        self.torch, self.keras = (
            SimpleNamespace(cuts=lambda *given, side=side: self.cuts.get(side, [])) for side in ("PyTorch", "Keras")
        )

    def keras_outputs(self, training):
        return {name: np.zeros(2, np.float32) for name in self.outputs}

    def gradients(self, links, training, uncut=None, only="", seed=0):
        rng, uncut = np.random.default_rng(seed), uncut or {}
        drawn = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SIZES.items()}
        sides = [
            {name: self.changed(name, each, side, uncut, only) for name, each in drawn.items()}
            for side in ("Keras", "PyTorch")
        ]
        return [(link, sides[0][link.keras.name], sides[1][link.torch.name], 0.0) for link in links]

    def explained(self):
        slopes = Slopes(self, self.pairing, True)
        found = slopes.measured()
        assert found.apart
        return slopes.explained(FINDING, Gradients(found.apart, found.wanted, found.got))


def test_one_of_several_lines_that_stop_a_gradient_is_named():
    def changed(name, gradient, side, uncut, only):
        return gradient if side == "PyTorch" or 1 in uncut.get("Keras", ()) else 0.5 * gradient

    found = Models(changed, {"Keras": [("stop_gradient", "k.py:3"), STOP], "PyTorch": []}).explained()
    assert found.cause == "stopped_gradient"
    assert found.says.startswith("Keras stops a gradient (stop_gradient) at k.py:9")
    assert "PyTorch does so nowhere" in found.says


def test_one_of_several_gradients_that_a_line_stops():
    def changed(name, gradient, side, uncut, only):
        return gradient if side == "PyTorch" or uncut.get("Keras") == [1] else 0.5 * gradient**2

    found = Models(changed, {"Keras": [STOP, STOP], "PyTorch": [DETACH]}).explained()
    assert found.cause == "stopped_gradient"
    assert "PyTorch does not stop number 2 of them" in found.says
    assert found.says.endswith("PyTorch stops a gradient (detach) at t.py:7")


def test_two_sides_that_stop_gradients_at_other_places():
    def changed(name, gradient, side, uncut, only):
        return gradient if uncut.get(side) else gradient * np.cos(np.arange(gradient.size) + len(side)).reshape(
            gradient.shape
        )  # fmt: skip

    found = Models(changed, {"Keras": [STOP], "PyTorch": [DETACH]}).explained()
    assert found.cause == "stopped_gradient"
    assert "k.py:9" in found.says
    assert "t.py:7" in found.says


def test_a_backward_by_hand_that_is_no_derivative():
    def changed(name, gradient, side, uncut, only):
        return gradient if side == "Keras" or uncut.get("PyTorch") else -gradient

    found = Models(changed, {"PyTorch": [("backward of Reverse", "t.py:7")]}).explained()
    assert found.cause == "custom_gradient"
    assert "Reverse.backward" in found.says
    assert found.says.endswith("is not the gradient of what forward computes")


def test_factors_that_go_with_the_size_of_a_layer():
    def changed(name, gradient, side, uncut, only):
        size = np.prod(SIZES[name.replace("alpha", "weight")])
        return gradient * np.float32((7 * size) ** -0.5) if name.endswith("alpha") and side == "PyTorch" else gradient

    found = Models(changed).explained()
    assert found.cause == "gradient_scale"
    assert "the square root of 7 times the number of values" in found.says


def test_terms_whose_stops_are_exchanged():
    """As where a factor weighs the commitment in place of the codebook."""

    def changed(name, gradient, side, uncut, only):
        return gradient * np.float32(1 + (side == "Keras") * (3 if name.startswith("a") else -0.75))

    found = Models(changed, {"Keras": [STOP], "PyTorch": [DETACH]}).explained()
    assert found.cause == "stopped_gradient"
    assert "each side stops gradients in another term" in found.says


def test_a_factor_of_one_output():
    def changed(name, gradient, side, uncut, only):
        return gradient * {"": 1 + 0.1 * gradient, "a": 1.0, "b": -1.0}[only] if side == "Keras" else gradient

    found = Models(changed, outputs=("a", "b")).explained()
    assert found.cause == "gradient_scale"
    assert found.says.startswith("Of the output b alone")
    assert "reverses it" in found.says


def test_numbers_that_are_no_factor_whatever_is_summed():
    """Two gradients of one number are always multiples of each other."""

    def changed(name, gradient, side, uncut, only):
        return gradient**2 if name == "a.alpha" and side == "Keras" else gradient

    assert Models(changed).explained() == FINDING


def test_values_that_get_no_gradient():
    def changed(name, gradient, side, uncut, only):
        return np.where(gradient > 1, 0, gradient) if name == "b.weight" and side == "PyTorch" else gradient

    found = Models(changed).explained()
    assert found.cause == "gradient_mask"
    assert "PyTorch lets no gradient through to" in found.says


@pytest.mark.framework
def test_what_stops_a_gradient_in_pytorch_is_left_out_by_number():
    torch = pytest.importorskip("torch")
    from torch_impl.tracing import Subject

    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            context.save_for_backward(x)
            return x.sign()

        @staticmethod
        def backward(context, gradient):
            return gradient

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor([0.5, -2.0]))

        def forward(self, x):
            with torch.no_grad():
                frozen = self.w**2
            with torch.enable_grad():
                (slope,) = torch.autograd.grad((self.w**3 * x).sum(), self.w)
            return frozen + self.w.detach() + Sign.apply(self.w) + slope

    x = np.ones((1, 2), np.float32)
    net = Subject(Net(), [x])
    words = ["no_grad", "autograd.grad without create_graph", "detach", "backward of Sign"]
    assert [word for word, _ in net.cuts([x], True)] == words
    gradients = [net.gradients([x], {"y": x}, True, uncut=uncut)["w"] for uncut in ([], [0], [1], [2], [3])]
    w = np.array([0.5, -2.0])
    for found, more in zip(gradients, (0, 2 * w, 6 * w, 1, -1), strict=True):
        np.testing.assert_allclose(found, 1 + more + 0 * w, rtol=1e-5)


@pytest.mark.framework
def test_what_stops_a_gradient_in_keras_is_left_out_by_number():
    keras = pytest.importorskip("keras")
    from keras_impl.tracing import Subject

    inputs = keras.Input((2,))
    x = keras.layers.Dense(2, name="a")(inputs)
    x = x + keras.ops.stop_gradient(x) + keras.ops.stop_gradient(3 * x)
    given = np.ones((1, 2), np.float32)
    model = Subject(keras.Model(inputs, x), [given])
    assert len(model.cuts([given], True)) == 2
    gradients = [model.gradients([given], {"y": given}, True, uncut=uncut)["a.bias"] for uncut in ([], [0], [1])]
    for found, wanted in zip(gradients, (1, 2, 4), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
