"""Two optimizers that no rule describes, asked with gradients that are made for one question each.

What an update rule does shows in how it answers: what it takes off weights without a gradient, how steps of equal
gradients grow, what is left of one gradient in later steps, what small and large gradients become. The first question
that both sides answer otherwise says which part of the rule differs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.verify import axes as alignment

STEPS = 12  # two rounds of slow weights, and where a rectified Adam begins to divide
SAME = 1e-3  # relative L2 of two steps that are the same
ULP = 2e-7  # of a weight near 1 in float32: a step is known to no less
Moves = np.ndarray  # (STEPS, values of all arrays)
# Weights and gradients (STEPS first) of all arrays -> the steps of Keras and of PyTorch.
Asked = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], tuple[Moves, Moves]]


@dataclass(frozen=True)
class Question:
    """Weights and gradients for one question.

    Args:
        name: the cause where both sides answer otherwise.
        words: what both are given.
        weights: whether the weights are drawn; else they are zero, and nothing can be taken off them.
        sizes: powers of ten between which the gradients are.
        course: how a gradient goes on over the steps: constant, once, none or drawn.
    """

    name: str
    words: str
    weights: bool
    sizes: tuple[float, float]
    course: str


QUESTIONS = (
    Question("weight_decay", "without gradients", True, (0, 0), "none"),
    Question("optimizer_momentum", "with a gradient in the first step and none later", False, (-1, 1), "once"),
    Question("optimizer_course", "with the same gradient in every step", False, (-1, 1), "constant"),
    Question("optimizer_epsilon", "with the same small gradient in every step", False, (-9, -2), "constant"),
    Question("optimizer_momentum", "with another gradient in every step", False, (-1, 1), "drawn"),
    Question("optimizer_clip", "with large gradients", False, (0, 5), "drawn"),
    Question("optimizer_weights_in_step", "with weights that are not zero", True, (-1, 1), "constant"),
)


def answers(shapes: Sequence[Sequence[int]], asked: Asked, settings: Mapping[str, Any]) -> tuple[str, str] | None:
    """The cause and its words: the first question that both sides answer otherwise; None where there is none.

    Args:
        shapes: of the arrays.
        asked: takes the steps of both sides.
        settings: of either side, for the betas.
    """
    agreed: list[str] = []
    for question in QUESTIONS:
        rng = np.random.default_rng(0)
        weights = [_weights(question, shape, rng) for shape in shapes]
        gradients = [_gradients(question, shape, rng) for shape in shapes]
        mine, theirs = asked(weights, gradients)
        if not (np.isfinite(mine).all() and np.isfinite(theirs).all()):
            continue  # nothing over nothing
        given = np.concatenate([each.reshape(STEPS, -1) for each in gradients], axis=1)
        held = np.concatenate([each.ravel() for each in weights])
        rounded = np.where(np.abs(theirs - mine) <= ULP * np.abs(held), mine, theirs)
        if max(alignment.relative(rounded[step], mine[step]) for step in range(STEPS)) <= SAME:
            agreed.append(question.words)
            continue
        if question.course == "none":
            if _moves_all_alike(mine[0]) and _moves_all_alike(theirs[0]):
                continue  # averages that start with a number, and no decay: other questions say what differs
            if projected := _projections(mine, theirs, weights):
                return projected
            if still := _stand_still(shapes, asked):
                return still
        cause, says = _told(question, mine, theirs, given, held, settings)
        before = f"Both take the same steps {', '.join(agreed)}. " if agreed else ""
        return cause, f"{before}{question.words[0].upper()}{question.words[1:]} {says}"
    return None


def _moves_all_alike(move: Moves) -> bool:
    """Whether a step without gradients moves every weight by one number, whatever the weight and its sign."""
    return bool(move.any() and np.ptp(move) <= SAME * np.abs(move).max())


def _projections(mine: Moves, theirs: Moves, weights: Sequence[np.ndarray]) -> tuple[str, str] | None:
    """The cause where a side pulls weights back once, and has then nothing to pull: a constraint, and no decay."""
    sides = {"Keras": mine, "PyTorch": theirs}
    once = {word: np.abs(each[1:]).max() < 1e-4 * np.abs(each[0]).max(initial=0.0) for word, each in sides.items()}
    moving = [word for word, each in sides.items() if each.any()]
    if not moving or not all(once[word] for word in moving):
        return None
    told = [
        f"{word} {_pulled(moves[0], weights) if word in moving else 'leaves the weights as they are'}"
        for word, moves in sides.items()
    ]
    return (
        "weight_constraint",
        f"Without gradients {', '.join(told)}: a constraint of the weights, as in a maximal norm",
    )


def _pulled(move: np.ndarray, weights: Sequence[np.ndarray]) -> str:
    """Along which axes of a kernel (inputs, outputs) one step pulls weights back by one factor."""
    start = 0
    for array in weights:
        own = move[start : start + array.size].reshape(array.shape)
        start += array.size
        if array.ndim != 2 or not own.any() or min(array.shape) < 2:
            continue
        factors = 1 + own / array
        ways = ((None, "pulls each matrix back as a whole"), (0, "pulls each column of (in, out) back by its norm, "
                "which is each unit's incoming weights"), (1, "pulls each row of (in, out) back by its norm, which is "
                "each input's outgoing weights"))  # fmt: skip
        for axis, words in ways:
            if np.ptp(factors, axis=axis).max() <= SAME:
                return f"{words} ({factors.min():.3g} to {factors.max():.3g} times the weights)"
    return "pulls some weights back, each by itself"


def _stand_still(shapes: Sequence[Sequence[int]], asked: Asked) -> tuple[str, str] | None:
    """The cause where one side alone takes no step from weights of zero: its steps are as long as the weights."""
    question = next(each for each in QUESTIONS if each.course == "once")
    rng = np.random.default_rng(0)
    zeros = [np.zeros(shape, np.float32) for shape in shapes]
    sides = asked(zeros, [_gradients(question, shape, rng) for shape in shapes])
    still = [word for word, moves in zip(("Keras", "PyTorch"), sides, strict=True) if not moves.any()]
    if len(still) != 1:
        return None
    return "optimizer_trust_ratio", f"Only {still[0]} takes no step from weights of zero: it scales steps by their norm"


def _weights(question: Question, shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    drawn = rng.choice([-1.0, 1.0], tuple(shape)) * rng.uniform(0.5, 2.0, tuple(shape))
    return (drawn if question.weights else np.zeros_like(drawn)).astype(np.float32)


def _gradients(question: Question, shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Gradients (STEPS, *shape) of one array."""
    full = (STEPS, *shape)
    if question.course == "none":
        return np.zeros(full, np.float32)
    drawn = rng.choice([-1.0, 1.0], full) * 10.0 ** rng.uniform(*question.sizes, full)
    if question.course != "drawn":
        drawn = np.broadcast_to(drawn[:1], full).copy()
    if question.course == "once":
        drawn[1:] = 0.0
    return drawn.astype(np.float32)


def _told(
    question: Question,
    mine: Moves,
    theirs: Moves,
    given: np.ndarray,
    weights: np.ndarray,
    settings: Mapping[str, Any],
) -> tuple[str, str]:
    """The cause of two answers and what is said of them."""
    sides = ("Keras", mine), ("PyTorch", theirs)
    found = _of_course(mine, theirs, settings, question)
    if found and found[0] not in ("optimizer_course", "learning_rate"):
        return found
    if question.course == "none":
        return question.name, ", ".join(f"{word} {_off(moves, weights)}" for word, moves in sides)
    powers = _powers(mine, theirs, given) if question.course != "drawn" and question.sizes == (-1, 1) else None
    if powers:
        return powers
    if not question.weights and question.sizes == (-1, 1) and (size := _of_size(mine, theirs, given)):
        return size
    if question.course == "once":
        if found and found[0] == "learning_rate":
            return found
        parts = " and ".join(f"{word}'s steps are {_numbers(_sizes(moves))}" for word, moves in sides)
        return question.name, f"{parts} (mean of their sizes)"
    if question.sizes[1] < 0:
        told = [f"{word}'s first step is {_by_size(moves[0], given[0])}" for word, moves in sides]
        return question.name, ", ".join(told)
    if found:
        return found
    first = next(step for step in range(STEPS) if alignment.relative(theirs[step], mine[step]) > SAME)
    turned = float(np.mean(np.sign(mine[first]) != np.sign(theirs[first])))
    says = f"the steps part at step {first + 1}: of {_numbers(_sizes(mine)[first : first + 1])} in Keras and "
    says += f"{_numbers(_sizes(theirs)[first : first + 1])} in PyTorch in the mean"
    if turned > 0:
        says += f", and {100 * turned:.0f}% of them go the other way: the past counts by another share in what is used"
    return question.name, says


def _of_size(mine: Moves, theirs: Moves, given: np.ndarray) -> tuple[str, str] | None:
    """First steps that differ where the gradient is small, and not where it is large, or the other way round."""
    size = np.abs(given[0])
    apart = np.abs(theirs[0] - mine[0]) / np.maximum(np.abs(mine[0]), 1e-30)
    order = np.argsort(size)
    tenth = max(1, len(order) // 10)
    low, high = float(apart[order[:tenth]].mean()), float(apart[order[-tenth:]].mean())
    told = f"the first steps are {100 * low:.2g}% apart from gradients of {size[order[0]]:.1g}, {100 * high:.2g}% from "
    told += f"{size[order[-1]]:.1g}"
    if high < min(0.2 * low, 0.02):
        return "optimizer_epsilon", f"{told}: what is added to a root, or under it, counts for small gradients"
    return None


def _of_course(mine: Moves, theirs: Moves, settings: Mapping[str, Any], question: Question) -> tuple[str, str] | None:
    """Steps of PyTorch's that are Keras's times a number for each step, with their law if it is known."""
    squares = np.square(mine).sum(1)
    if not (squares > 0).all():
        return None
    factors = (theirs * mine).sum(1) / squares
    if max(alignment.relative(f * m, t) for f, m, t in zip(factors, mine, theirs, strict=True)) > SAME:
        return None
    told = f"PyTorch's steps are Keras's times {_numbers(factors)}"
    law = by_law(factors, settings, once=question.course == "once")
    if law:
        return law[0], f"{told}: {law[1]}"
    if np.allclose(factors, factors[0], rtol=SAME):
        return "learning_rate", told
    return "optimizer_course", told


def by_law(factors: np.ndarray, settings: Mapping[str, Any], once: bool = False) -> tuple[str, str] | None:
    """The cause and the words of PyTorch's steps that are Keras's times a number for each, where a law gives those.

    Args:
        factors: the numbers, from the first step on.
        settings: of either side, for the betas.
        once: whether the first gradient is the only one; else all are the same.
    """
    for cause, words, law in (*_laws(settings), *_of_momentum(once)):
        ways = ("PyTorch", "Keras", law[: len(factors)]), ("Keras", "PyTorch", 1 / law[: len(factors)])
        for one, other, expected in ways:
            # Each of two steps is known to SAME.
            if np.allclose(factors, expected, rtol=2 * SAME):
                return cause, f"{one} {words[0]}, {other} {words[1]}"
    return None


def _laws(settings: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str], np.ndarray]]:
    """What steps are multiplied by where one side does something to an average that the other leaves out."""
    number = np.arange(1, STEPS + 1)
    betas = [tuple(settings["betas"])] if settings.get("betas") else []
    betas += [(first, second) for first in (0.9, 0.95, 0.5, 0.0) for second in (0.999, 0.99, 0.98, 0.9)]
    bias = "optimizer_bias_correction"
    for first, second in dict.fromkeys(betas):
        one, root = 1 - first**number, np.sqrt(1 - second**number)
        enters = f"enters by 1 - beta = {1 - first:.3g}", f"enters by 1 - beta = {1 - second:.3g}"
        found = (
            (bias, ("does not correct the bias of the second average (squares, variance)", "does"), 1 / root),
            (bias, ("does not correct the bias of the first average (mean, momentum)", "does"), one),
            (bias, ("corrects the bias of neither average", "of both"), one / root),
            (bias, ("corrects the second average outside of the root", "within it"), root),
            (bias, ("corrects the bias of the first average twice", "once"), 1 / one),
            ("dampening", ("lets a gradient enter the first average whole", enters[0]), 0 * one + 1 / (1 - first)),
            ("dampening", ("lets a square enter the second average whole", enters[1]), 0 * one + np.sqrt(1 - second)),
        )
        yield from (law for law in found if not np.allclose(law[2], 1))
    yield "optimizer_course", ("divides by the root of the number of the step", "does not"), 1 / np.sqrt(number)
    yield "optimizer_course", ("divides by the number of the step", "does not"), 1 / number


def _of_momentum(once: bool) -> Iterator[tuple[str, tuple[str, str], np.ndarray]]:
    """What a step is multiplied by where one side looks ahead, or keeps more of the steps before."""
    number = np.arange(STEPS)
    kept = (0.9, 0.95, 0.99, 0.8, 0.5)
    for beta in kept:
        whole = (1 - beta ** (number + 1)) / (1 - beta)  # what equal gradients make of a velocity
        ahead = np.where(number == 0, 1 + beta, beta) if once else (beta * whole + 1) / whole
        words = f"looks ahead by a momentum of {beta:g} (nesterov)", "does not"
        yield "nesterov", words, ahead
        yield "nesterov", words, ahead * (1 - beta)
        for other in (*kept, 0.999, 0.98) if once else ():
            if other != beta:
                yield (
                    "optimizer_momentum",
                    (f"keeps {other:g} of the past", f"keeps {beta:g}"),
                    (other / beta) ** number,
                )


def _off(moves: Moves, weights: np.ndarray) -> str:
    """What a side takes off the weights in one step without gradients."""
    if not moves.any():
        return "leaves the weights as they are"
    share = moves[0] / weights
    if np.ptp(share[share != 0]) <= SAME * np.abs(share).max():
        which = "" if (share != 0).all() else f" of {100 * np.mean(share != 0):.0f}% of the weights, not of the others,"
        return f"takes off{which} {-float(share[share != 0].mean()):.4g} times the weight in a step"
    if np.ptp(np.abs(moves[0])) <= SAME * np.abs(moves[0]).max():
        return f"moves every weight by {float(np.abs(moves[0]).mean()):.4g}: the decay passes through the averages"
    low, high = float(np.abs(share).min()), float(np.abs(share).max())
    return f"takes off {low:.3g} to {high:.3g} times the weight, after each array's size or gradient"


def _powers(mine: Moves, theirs: Moves, given: np.ndarray) -> tuple[str, str] | None:
    """First steps that grow with other powers of the gradient: one side divides by its size, or takes its sign."""
    powers = _power(mine[0], given[0]), _power(theirs[0], given[0])
    if abs(powers[0] - powers[1]) < 0.05:
        return None
    says = f"Keras's first step grows as the gradient to the power {powers[0]:.2g}, PyTorch's to {powers[1]:.2g}"
    return "optimizer_normalization", f"{says}: a sign, a root or a division by an average is another"


def _power(step: np.ndarray, gradient: np.ndarray) -> float:
    """The power of the gradient with which a step grows."""
    kept = (step != 0) & (gradient != 0)
    if kept.sum() < 3:
        return 0.0
    return float(np.polyfit(np.log(np.abs(gradient[kept])), np.log(np.abs(step[kept])), 1)[0])


def _by_size(step: np.ndarray, gradient: np.ndarray) -> str:
    """How large steps of small gradients are, and from which size of a gradient they are half as large."""
    order = np.argsort(np.abs(gradient))
    sizes, steps = np.abs(gradient)[order], np.abs(step)[order]
    half = sizes[steps < steps[-1] / 2]
    told = f"{steps[0]:.3g} from a gradient of {sizes[0]:.1g} and {steps[-1]:.3g} from {sizes[-1]:.1g}"
    return told + (f" (half of that below {half[-1]:.1g})" if len(half) else "")


def _sizes(moves: Moves) -> np.ndarray:
    return np.abs(moves).mean(1)


def _numbers(values: Sequence[float] | np.ndarray) -> str:
    return ", ".join(f"{float(value):.4g}" for value in values)
