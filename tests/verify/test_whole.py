"""What rounding may do to the outputs of whole models."""

import numpy as np
import pytest

from compare.verify.whole import LIMIT, Whole


class Norm:
    """A norm of the columns of a few rows, with its variance in one of two ways."""

    def __init__(self, squares: bool, epsilon: float = 1e-5):
        self.squares, self.epsilon = squares, np.float32(epsilon)

    def outputs(self, inputs, training, masks=False):
        (x,) = inputs
        mean = x.mean(0)
        variance = (x * x).mean(0) - mean * mean if self.squares else ((x - mean) ** 2).mean(0)
        return {"y": (x - mean) / np.sqrt(variance + self.epsilon)}


def whole(keras: Norm, torch: Norm, shift: float) -> Whole:
    rng = np.random.default_rng(0)
    x = (0.1 * rng.standard_normal((4, 20)) + shift).astype(np.float32)
    return Whole(keras, torch, [x], [x])


@pytest.mark.parametrize("squares", [(True, False), (False, True), (True, True)])
def test_a_variance_of_squares_that_cancel_is_rounding(squares):
    both = whole(*map(Norm, squares), 3.0)
    far = both.apart(True)
    assert far <= both.limit(True, far)
    assert far > LIMIT or squares == (True, True)


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_another_epsilon_is_no_rounding(shift):
    both = whole(Norm(True), Norm(False, 1e-3), shift)
    far = both.apart(True)
    assert far > both.limit(True, far)
