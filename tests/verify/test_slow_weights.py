"""Lookahead around steps that are the same on both sides: what its slow weights do otherwise is named."""

import numpy as np
import pytest

from compare.verify.questions import STEPS
from compare.verify.slow_weights import of_slow_weights

RNG = np.random.default_rng(0)
STEP = 1e-3 * RNG.standard_normal((STEPS, 40))


def _lookahead(every, share, updated=True):
    """The moves of weights that go back every few steps; without `updated` always towards where they began."""
    weights, slow, after = np.zeros(40), np.zeros(40), [np.zeros(40)]
    for number, step in enumerate(STEP, 1):
        weights = weights + step
        if number % every == 0:
            weights = slow + share * (weights - slow)
            slow = weights if updated else slow
        after.append(weights)
    return np.diff(after, axis=0)


@pytest.mark.parametrize(
    ("torch", "words"),
    [
        (_lookahead(6, 0.5), "After step 5 Keras's weights are only 0.5 of the way from the start to PyTorch's"),
        (_lookahead(5, 0.8), "After step 5 Keras's weights are only 0.625 of the way"),
        (_lookahead(4, 0.5), "After step 4 PyTorch's weights are only 0.5 of the way"),
        (_lookahead(5, 0.5, updated=False), "After step 10 PyTorch's weights are Keras's and -0.5 times the way"),
        (STEP, "Both take the same 4 steps. After step 5 Keras's weights are only 0.5"),
    ],
)
def test_where_slow_weights_pull_back_is_named(torch, words):
    cause, says = of_slow_weights(_lookahead(5, 0.5), torch)
    assert cause == "lookahead"
    assert words in says


@pytest.mark.parametrize("every", [2, 3])
def test_gradients_that_are_summed_where_the_other_side_averages_them_are_named(every):
    rows = [STEP[max(n - every, 0) : n].sum(0) if n % every == 0 else np.zeros(40) for n in range(1, STEPS + 1)]
    summed = np.array(rows)
    cause, says = of_slow_weights(summed / every, summed)
    assert (cause, "Keras takes their mean, PyTorch their sum" in says) == ("gradient_accumulation", True)
    assert of_slow_weights(1.7 * summed, summed) is None


def test_a_momentum_and_another_rate_are_no_slow_weights():
    velocity = np.zeros(40)
    moves = []
    for step in STEP:
        velocity = 0.9 * velocity + step
        moves.append(velocity)
    assert of_slow_weights(STEP, np.array(moves)) is None
    assert of_slow_weights(STEP, 2 * STEP) is None
    late = STEP.copy()
    late[6:] *= 0.1  # a schedule
    assert of_slow_weights(STEP, late) is None
    late[6] = 9.98 * late[6]  # one that parts by little
    assert of_slow_weights(STEP, late) is None
    assert of_slow_weights(STEP, STEP) is None
