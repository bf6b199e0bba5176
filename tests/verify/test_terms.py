"""Two losses as sums of terms, on passes that are written down by hand."""

import numpy as np
import pytest

from compare.verify import terms
from twin.trace import Event, Trace

RNG = np.random.default_rng(0)
OUTPUTS = RNG.standard_normal((6, 4)).astype(np.float32)
TARGET = RNG.standard_normal((6, 4)).astype(np.float32)


class Tape:
    """What a loss does to outputs (number 0) and target (number 1), by lines of name, operands, function."""

    def __init__(self, *lines):
        self.lines = lines

    def trace(self, inputs):
        values = dict(enumerate(np.asarray(each, np.float64) for each in inputs))
        events = []
        for index, (name, operands, function) in enumerate(self.lines):
            number = len(values)
            values[number] = np.asarray(function(*(values[each] for each in operands)))
            events.append(Event(index, "op", {"name": name}, name, "", f"x.py:{index + 1}", "", operands, (number,)))
        return Trace(tuple(events), values, {"y": len(values) - 1})


SQUARES = ("subtract", (0, 1), np.subtract), ("square", (2,), np.square), ("mean", (3,), np.mean)
EXP = ("exp", (0,), np.exp), ("mean", (5,), np.mean)
BOTH = Tape(*SQUARES, *EXP, ("add", (4, 6), np.add))


def _explained(keras, torch):
    return terms.explain(keras, torch, (OUTPUTS, OUTPUTS), TARGET, ("", ""))


def test_losses_with_equal_terms_have_no_explanation():
    turned = Tape(*SQUARES, *EXP, ("add", (6, 4), np.add))
    assert _explained(BOTH, turned) is None


@pytest.mark.parametrize(
    ("last", "cause", "words"),
    [
        (("mean", (4,), np.mean), "missing_term", "lacks one term"),
        (("subtract", (4, 6), np.subtract), "term_sign", "opposite signs"),
    ],
)
def test_a_term_that_is_missing_or_has_another_sign(last, cause, words):
    found = _explained(BOTH, Tape(*SQUARES, *EXP, last))
    assert found.cause == cause
    assert words in found.says


def test_a_term_with_another_factor_names_its_lines():
    scaled = Tape(*SQUARES, *EXP, ("multiply", (6,), lambda a: 0.25 * a), ("add", (4, 7), np.add))
    found = _explained(BOTH, scaled)
    assert found.cause == "term_factor"
    assert "0.25 times" in found.says
    assert "x.py:4" in found.says


def test_a_sum_for_a_mean_is_a_factor_that_counts_values():
    summed = Tape(*SQUARES, EXP[0], ("sum", (5,), np.sum), ("add", (4, 6), np.add))
    found = _explained(BOTH, summed)
    assert found.cause == "term_factor"
    assert "adds up 24 values" in found.says


def _best(keep):
    return Tape(*SQUARES[:2], ("sort", (3,), keep), ("mean", (4,), np.mean))


def test_equal_values_that_are_reduced_otherwise():
    found = _explained(_best(lambda x: np.sort(x.ravel())[-6:]), _best(lambda x: np.sort(x.ravel())[:6]))
    assert found.cause == "term_reduction"
    assert "6 largest of 24" in found.says
    assert "6 smallest of 24" in found.says


def test_the_call_that_parts_in_the_term_that_differs():
    root = ("abs", (5,), np.abs), ("mean", (6,), np.mean), ("add", (4, 7), np.add)
    found = _explained(BOTH, Tape(*SQUARES, ("sin", (0,), np.sin), *root))
    assert found.cause == "sin_for_exp" or found.cause == "abs_for_exp"
    assert "x.py:4" in found.says
    assert not found.sure


def test_equal_values_with_a_gradient_that_one_side_stops():
    stopping = Tape(("stop_gradient", (0,), np.copy), ("subtract", (2, 1), np.subtract), ("square", (3,), np.square),
                    ("mean", (4,), np.mean))  # fmt: skip
    found = _explained(Tape(*SQUARES), stopping)
    assert found.cause == "stop_gradient"
    assert "Keras stops the gradient nowhere" in found.says


HALF = ("multiply", (7,), lambda a: 0.5 * a)


def test_a_mean_of_two_terms_of_which_one_side_has_one():
    """A contrastive loss in both directions against one in a single direction."""
    both = Tape(*SQUARES, *EXP, ("add", (4, 6), np.add), HALF)
    found = _explained(both, Tape(*SQUARES))
    assert found.cause == "missing_term"
    assert "lacks one term of Keras's, x.py:" in found.says
    assert "counts 2 times as much in PyTorch's" in found.says
    found = _explained(Tape(*SQUARES), both)
    assert found.cause == "extra_term"
    assert "counts 2 times as much in Keras's" in found.says


def test_values_that_count_by_numbers_of_their_own_are_no_other_reduction():
    """A softmax of the labels gives each logarithm a factor: that is no mean and no sum."""

    def labels(function):
        return Tape(("exp", (0,), np.exp), ("softmax", (1,), function), ("multiply", (2, 3), np.multiply),
                    ("mean", (4,), np.mean))  # fmt: skip

    found = _explained(labels(lambda y: np.exp(y) / np.exp(y).sum(-1, keepdims=True)), labels(lambda y: y))
    assert found is None or found.cause != "term_reduction"


def test_a_term_that_is_computed_twice_in_place_of_another():
    """A line that was copied, and whose operand was left as it was."""
    mean = np.mean
    two = ("square", (0,), np.square), ("exp", (0,), np.exp), ("mean", (2,), mean), ("mean", (3,), mean)
    copied = ("square", (0,), np.square), ("square", (0,), np.square), *two[2:]
    found = _explained(Tape(*two, ("add", (4, 5), np.add)), Tape(*copied, ("add", (4, 5), np.add)))
    assert found.cause == "missing_term"
    assert "PyTorch computes the same twice, of the same values, in x.py:1 and x.py:2" in found.says
