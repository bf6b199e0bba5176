"""Two update rules in NumPy that differ in one thing: the question that both answer otherwise, and what is said."""

import numpy as np
import pytest

from compare.verify import questions

SHAPES = [(6, 4), (4,)]
RATE = 2e-3


class AdaBelief:
    """One step after another; what a subclass changes is a part of the rule."""

    beta, gamma, epsilon, decay, started = 0.9, 0.999, 1e-8, 0.0, 0.0

    def moves(self, weights, gradients):
        found = []
        for start, own in zip(weights, gradients, strict=True):
            w, m, s = start.astype(np.float64), *np.full((2, *start.shape), self.started)
            for number, gradient in enumerate(own.astype(np.float64), 1):
                g = self.first(gradient, w)
                m = self.mean(m, g)
                s = self.spread(s, g, m)
                step = RATE * self.step(m, s, number) + RATE * self.decay * w
                w = w - step
                found.append(-step.ravel())
        steps = [np.stack(found[i : i + questions.STEPS]) for i in range(0, len(found), questions.STEPS)]
        return np.concatenate(steps, axis=1)

    def first(self, gradient, weights):
        return gradient

    def mean(self, m, g):
        return self.beta * m + (1 - self.beta) * g

    def spread(self, s, g, m):
        return self.gamma * s + (1 - self.gamma) * (g - m) ** 2

    def step(self, m, s, number):
        with np.errstate(all="ignore"):
            root = np.sqrt(s / (1 - self.gamma**number)) + self.epsilon
            return np.nan_to_num(m / (1 - self.beta**number) / root)


class NotCorrected(AdaBelief):
    def step(self, m, s, number):
        return m / (1 - self.beta**number) / (np.sqrt(s) + self.epsilon)


class Decayed(AdaBelief):
    decay = 0.01


class Coupled(AdaBelief):
    def first(self, gradient, weights):
        return gradient + 0.01 * weights


class LargeEpsilon(AdaBelief):
    epsilon = 1e-4


class SlightlyLargerEpsilon(AdaBelief):
    epsilon = 1e-6


class ShortMemory(AdaBelief):
    beta = 0.8


class Clipped(AdaBelief):
    def first(self, gradient, weights):
        return np.clip(gradient, -100, 100)


class NoRoot(AdaBelief):
    def step(self, m, s, number):
        return m / (1 - self.beta**number) / (s + self.epsilon)


class Late(AdaBelief):
    """The average of the step before: one gradient counts a step later."""

    def mean(self, m, g):
        return self.beta * m + (1 - self.beta) * np.sign(g)


class Started(AdaBelief):
    """Its averages start with a number, so that weights move a little without a gradient."""

    started, epsilon = 1e-6, 1e-3


class UnderTheRoot(Started):
    def step(self, m, s, number):
        return m / (1 - self.beta**number) / np.sqrt(s / (1 - self.gamma**number) + self.epsilon)


def _answers(keras, torch):
    return questions.answers(SHAPES, lambda w, g: (keras.moves(w, g), torch.moves(w, g)), {"betas": (0.9, 0.999)})


@pytest.mark.parametrize(
    ("other", "cause", "words"),
    [
        (NotCorrected, "optimizer_bias_correction", "PyTorch does not correct the bias of the second average"),
        (Decayed, "weight_decay", "Keras leaves the weights as they are, PyTorch takes off 2e-05 times the weight"),
        (Coupled, "weight_decay", "PyTorch moves every weight"),
        (LargeEpsilon, "optimizer_epsilon", "counts for small gradients"),
        (SlightlyLargerEpsilon, "optimizer_epsilon", "half of that below"),
        (ShortMemory, "optimizer_momentum", "a gradient in the first step and none later"),
        (Clipped, "optimizer_clip", "With large gradients"),
        (NoRoot, "optimizer_normalization", "the power"),
        (Late, "optimizer_normalization", "the power"),
    ],
)
def test_the_first_question_with_other_answers_names_the_part_of_the_rule(other, cause, words):
    found = _answers(AdaBelief(), other())
    assert found is not None
    assert found[0] == cause
    assert words in found[1]


def test_weights_that_all_move_alike_without_gradients_are_no_decay():
    cause, words = _answers(Started(), UnderTheRoot())
    assert cause == "optimizer_epsilon"
    assert "under it, counts for small gradients" in words


def test_the_other_side_is_named_where_it_is_keras_that_does_it():
    assert "Keras does not correct the bias of the second" in _answers(NotCorrected(), AdaBelief())[1]


def test_equal_rules_have_no_answer():
    assert _answers(AdaBelief(), AdaBelief()) is None


@pytest.mark.parametrize("side", [0, 1])
def test_a_sign_that_is_taken_of_another_average_turns_some_steps(side):
    """Lion takes the sign of beta1 * m + (1 - beta1) * g; the sign of m after its update weighs the past more."""

    class Lion(AdaBelief):
        def moves(self, weights, gradients):
            m = [np.zeros(each.shape) for each in weights]
            found = []
            for number in range(questions.STEPS):
                row = []
                for place, own in enumerate(gradients):
                    g = own[number].astype(np.float64)
                    used = 0.9 * m[place] + 0.1 * g
                    m[place] = 0.99 * m[place] + 0.01 * g
                    row.append((-RATE * np.sign(m[place] if self.late else used)).ravel())
                found.append(np.concatenate(row))
            return np.stack(found)

        late = False

    class Late(Lion):
        late = True

    sides = [Lion(), Late()]
    cause, says = _answers(sides[side], sides[1 - side])
    assert cause == "optimizer_momentum"
    assert "go the other way" in says
