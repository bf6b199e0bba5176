"""Two optimizers on the same gradients: the steps that both take, and what would make them the same."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from compare.verify import axes as alignment
from compare.verify import questions, rules
from compare.verify.schedules import of_schedules
from compare.verify.settings_apart import (
    CAUSES,
    PLACES,
    all_changes,
    causes_of,
    in_words,
    line_to_write,
    name_of,
    place_of_epsilon,
    short,
)
from compare.verify.slow_weights import of_slow_weights
from compare.verify.verdict import Finding, Remedy
from twin.bridge import Arrays
from twin.errors import TwinError

STEPS = questions.STEPS
STEP_LIMIT = 1e-3  # float32 weights near 1 take in a step of 1e-3 only to 6e-5


class Side(Protocol):
    """What takes one side's optimizer steps: compare.engines.opened.OpenedModel."""

    def updates(
        self, weights: Arrays, gradients: Arrays, changes: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], Arrays]: ...


@dataclass(frozen=True)
class Trained:
    """An array of both models that an optimizer changes.

    Args:
        keras, torch: its names.
        shape: of the array that is updated in its place, which may be smaller.
        penalties: factors of the L1 and the L2 penalty that Keras adds to the loss.
        constraint: what Keras does to it after each step, as a configuration; None where it does nothing.
    """

    keras: str
    torch: str
    shape: tuple[int, ...]
    penalties: tuple[float, float] = (0.0, 0.0)
    constraint: Mapping[str, Any] | None = None


# Long: one comparison, whose parts share both sides and their arrays.
class Optimizers:
    """Both optimizers on the same gradients, large and small, of arrays as the models have them."""

    def __init__(self, keras: Side, torch: Side, arrays: Sequence[Trained]):
        rng = np.random.default_rng(0)
        self.keras, self.torch, self.arrays = keras, torch, arrays
        self.weights = [rng.standard_normal(array.shape).astype(np.float32) for array in arrays]
        self.gradients = []
        for array in arrays:
            drawn = rng.standard_normal((STEPS, *array.shape))
            size = 10.0 ** rng.uniform(-7, 1, array.shape)  # epsilon shows where gradients are small
            self.gradients.append(((drawn + 0.3 * np.sign(drawn)) * size).astype(np.float32))

    def compare(self) -> tuple[Finding | None, float]:
        """A finding where the steps differ, or the learning rates of later steps; and how far the steps are apart."""
        names = [array.keras for array in self.arrays]
        mine, after = self.keras.updates(*self._given(names), self._beside())
        wanted = [after[name] for name in names]
        steps = mine["schedule"]["steps"]
        theirs, got = self._torch({"steps": steps})
        far = self._apart(wanted, got)
        if far <= STEP_LIMIT:
            return of_schedules(mine, theirs), far
        kinds = mine["kind"], theirs["kind"]
        what = f"From equal gradients the steps of {' and '.join(kinds)} are {far:.2g} apart (relative L2)"
        finding = Finding("optimizer", *kinds, what, None, far)
        if free := self._unconstrained(got):
            return replace(finding, cause="weight_constraint", says=free[0], after=free[1]), far
        place = place_of_epsilon(mine, theirs)
        if place:
            left = self._left(wanted, place)
            if left <= STEP_LIMIT:  # no argument of either side could mend that, and few gradients are so small
                return of_schedules(mine, theirs), left
        tried = []
        partners = {array.keras: array.torch for array in self.arrays}
        for cause, changes in causes_of(mine, theirs, [array.penalties for array in self.arrays], partners):
            for more in ({}, place) if place else ({},):
                left = self._left(wanted, {**changes, **more})
                if left <= STEP_LIMIT:
                    fix = {"torch": Remedy(line_to_write(theirs, {**changes, **more}), left)}
                    says = in_words(mine, theirs, {**changes, **more})
                    return replace(finding, cause=name_of(cause, mine, theirs), after=left, says=says, fix=fix), far
            tried.append(cause)
        if pulled := of_slow_weights(self._moves(wanted), self._moves(got)):
            return replace(finding, cause=pulled[0], says=pulled[1]), far
        found = self._fewest(mine, theirs, wanted, partners)
        # "Another optimizer" says little of one by hand.
        own = found is None or ("kind" in found[0] and not theirs["stock"])
        settings = {**mine["settings"], **theirs["settings"]}
        recognized = self._rates(wanted, got, settings, mine["rates"]) if own else None
        recognized = recognized or (self._rule(mine, theirs, wanted, got) if own else None)
        if found and not recognized:
            changes, left = found
            names = [name for name in changes if name not in PLACES] or list(changes)
            cause = name_of(CAUSES.get(names[-1], names[-1]), mine, theirs)
            fix = {"torch": Remedy(line_to_write(theirs, changes), left)}
            says = in_words(mine, theirs, changes)
            asked = self._asked(steps, settings) if own else None
            if asked:
                cause, says = asked[0], f"{asked[1]}. {says}"
            return replace(finding, cause=cause, after=left, says=says, fix=fix), far
        if not recognized and place:
            recognized = self._rates(wanted, self._torch(place)[1], settings, mine["rates"])
        if recognized:
            cause, says, left = recognized
            return replace(finding, cause=cause, after=left, says=says, tried=tuple(dict.fromkeys(tried))), far
        says = f"Keras has {mine['kind']} with {mine['settings']}, PyTorch {theirs['kind']} with {theirs['settings']}"
        if answer := self._asked(steps, settings):
            finding, says = replace(finding, cause=answer[0]), answer[1]
        return replace(finding, says=says, tried=tuple(dict.fromkeys(tried))), far

    def _beside(self) -> dict[str, Any]:
        """What the Keras model has beside its optimizer: penalties on arrays, and constraints."""
        penalties = {array.keras: list(array.penalties) for array in self.arrays}
        constraints = {array.keras: array.constraint for array in self.arrays if array.constraint}
        return {"regularizers": penalties, **({"constraints": constraints} if constraints else {})}

    def _unconstrained(self, got: Sequence[np.ndarray]) -> tuple[str, float] | None:
        """What Keras's constraints are, in words, and how far both are apart without them, where both then agree."""
        beside = self._beside()
        if not beside.pop("constraints", None):
            return None
        names = [array.keras for array in self.arrays]
        after = self.keras.updates(*self._given(names), beside)[1]
        left = self._apart([after[name] for name in names], got)
        if left > STEP_LIMIT:
            return None
        told = {
            f"{array.constraint['class_name']} on {array.keras}"
            for array in self.arrays
            if array.constraint is not None
        }
        says = f"Keras constrains weights after each step ({', '.join(sorted(told))}), PyTorch's optimizer does not: "
        return says + "without that both agree", left

    def _asked(self, steps: Any, settings: Mapping[str, Any]) -> tuple[str, str] | None:
        """The first of some questions that both sides answer otherwise."""

        def ask(weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            other = copy.copy(self)
            other.weights, other.gradients = list(weights), list(gradients)
            names = [array.keras for array in self.arrays]
            after = self.keras.updates(*other._given(names), self._beside())[1]
            return other._moves([after[name] for name in names]), other._moves(other._torch({"steps": steps})[1])

        try:
            return questions.answers([array.shape for array in self.arrays], ask, settings)
        except TwinError:  # an optimizer of the user's own may refuse gradients of zero
            return None

    def _rates(
        self,
        wanted: Sequence[np.ndarray],
        got: Sequence[np.ndarray],
        settings: Mapping[str, Any],
        rates: Sequence[float],
    ) -> tuple[str, str, float] | None:
        """Steps of which each is a multiple of the other side's: learning rates that an optimizer keeps to itself."""
        moved, native = self._moves(wanted), self._moves(got)
        found = _multiples(moved, native)
        if found is None:
            return None
        if found[1] > STEP_LIMIT:
            if by_array := self._by_array(wanted, got):
                return by_array
            # An epsilon at another place counts only for small gradients.
            large = np.concatenate([np.abs(g).min(0).ravel() for g in self.gradients]) > 1e-3
            found = _multiples(moved[:, large], native[:, large]) if large.any() else None
            if found is None or found[1] > STEP_LIMIT or np.allclose(found[0], found[0][-1], rtol=STEP_LIMIT):
                return None
        factors, left = found
        told = ", ".join(f"{factor:.4g}" for factor in factors)
        if np.allclose(factors, factors[0], rtol=STEP_LIMIT):
            same = math.isclose(rates[0], settings.get("lr", math.nan), rel_tol=1e-6)
            if same and (belief := _of_belief(float(factors[0]), settings)):
                return "optimizer_residual", belief, left
            return "learning_rate", f"Keras's learning rates are those of PyTorch's steps times {told}", left
        if late := _lagging(factors, rates):
            return "schedule_step", f"{late}: Keras's steps are PyTorch's times {told}", left
        with np.errstate(divide="ignore"):
            law = questions.by_law(1 / factors, settings)
        if law:
            return law[0], f"{law[1]}: Keras's steps are PyTorch's times {told}", left
        return "schedule", f"Keras's learning rates are those of PyTorch's steps times {told}", left

    def _by_array(self, wanted: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> tuple[str, str, float] | None:
        """Steps of each array that are a multiple of the other side's, by a factor of its own."""
        told, worst, factors = [], 0.0, []
        for number, array in enumerate(self.arrays):
            moved, native = (self._moves(each, number) for each in (wanted, got))
            if not native.any() or not moved.any():
                if native.any() or moved.any():
                    told.append(f"only {'PyTorch' if native.any() else 'Keras'} changes {array.keras}")
                    factors.append(0.0)
                continue
            factor = float((native * moved).sum() / np.square(native).sum())
            worst = max(worst, alignment.relative(factor * native, moved))
            factors.append(factor)
            if abs(factor - 1) > STEP_LIMIT:
                told.append(f"those of {array.keras} are {factor:.4g} times PyTorch's")
        if worst > STEP_LIMIT or not told or len(told) == len(factors) == 1:
            return None
        return "param_groups", f"Keras's steps differ by array: {', '.join(told)}", worst

    def _rule(
        self,
        mine: Mapping[str, Any],
        theirs: Mapping[str, Any],
        wanted: Sequence[np.ndarray],
        got: Sequence[np.ndarray],
    ) -> tuple[str, str, float] | None:
        """What a hand-written optimizer does otherwise than the other side's, recognized by its steps."""
        sides = (mine, rules.of_keras(mine.get("base", mine["kind"]), mine["settings"]), wanted, got), (
            theirs, rules.of_torch(theirs["kind"], theirs["settings"]), got, wanted
        )  # fmt: skip
        for told, stock, own, other in sides:
            if stock is None:
                continue
            fixed = told["settings"], told["rates"], self.weights, self.gradients
            start = self._own(stock, fixed, own)
            found = self._other(start, fixed, other) if start is not None else None
            if found is not None:
                fields, rule, name, settings, left = found
                pair = (start, rule) if told is mine else (rule, start)
                if name:
                    values = short(told["settings"].get(name)), short(settings[name])
                    values = values if told is mine else values[::-1]
                    word = f"{name} is {values[0]} in Keras and {values[1]} in PyTorch"
                    more = f"; {rules.differing(fields, *pair)[1]}" if fields else ""
                    return rules.VALUES[name][0], word + more, left
                return *rules.differing(fields, *pair), left
        return None

    def _own(self, stock: rules.Rule, fixed: tuple[Any, ...], own: Sequence[np.ndarray]) -> rules.Rule | None:
        """The rule of a side that may be a subclass of a stock optimizer."""
        if self._apart(own, rules.steps(stock, *fixed)) <= STEP_LIMIT:
            return stock
        for fields, rule in rules.others(stock, int(fixed[0].get("accumulate", 1))):
            if len(fields) == 1 and self._apart(own, rules.steps(rule, *fixed)) <= STEP_LIMIT:
                return rule
        return None  # it does more than the rules say

    def _other(
        self, start: rules.Rule, fixed: tuple[Any, ...], other: Sequence[np.ndarray]
    ) -> tuple[tuple[str, ...], rules.Rule, str, Mapping[str, Any], float] | None:
        """What makes the other side's steps: fields, rule, name of a setting, settings, and how far apart both are."""
        settings, *rest = fixed
        several = list(rules.others(start, int(settings.get("accumulate", 1))))
        one = [each for each in several if len(each[0]) == 1]
        values = list(rules.other_settings(start, settings))
        tries = [
            *((fields, rule, "", settings) for fields, rule in one),
            *(((), start, name, changed) for name, changed in values),
            *((fields, rule, "", settings) for fields, rule in several if len(fields) == 2),
            *((fields, rule, name, changed) for fields, rule in one for name, changed in values),
        ]
        for fields, rule, name, changed in tries:
            with np.errstate(all="ignore"):
                left = self._apart(rules.steps(rule, changed, *rest), other)
            if left <= STEP_LIMIT:
                return fields, rule, name, changed, left
        return None

    def _fewest(
        self,
        mine: Mapping[str, Any],
        theirs: Mapping[str, Any],
        wanted: Sequence[np.ndarray],
        partners: Mapping[str, str],
    ) -> tuple[dict[str, Any], float] | None:
        """The fewest changes of PyTorch's optimizer with which both agree: all, without those that are not needed."""
        every = all_changes(
            mine, theirs, {a.torch: list(a.penalties) for a in self.arrays if any(a.penalties)}, partners
        )

        far = self._left(wanted, every)
        if far > STEP_LIMIT:
            return None
        for name in list(every):
            fewer = {other: value for other, value in every.items() if other != name}
            now = self._left(wanted, fewer)
            if now <= STEP_LIMIT:
                every, far = fewer, now
        return (every, far) if every else None

    def _given(self, names: Sequence[str]) -> tuple[Arrays, Arrays]:
        return dict(zip(names, self.weights, strict=True)), dict(zip(names, self.gradients, strict=True))

    def _torch(self, changes: Mapping[str, Any]) -> tuple[dict[str, Any], list[np.ndarray]]:
        names = [array.torch for array in self.arrays]
        weights, gradients = self._given(names)
        for name, array in zip(names, self.arrays, strict=True):
            if _is_turned(array):  # an optimizer may treat rows otherwise than columns
                weights[name] = np.ascontiguousarray(_turned(weights[name]))
                gradients[name] = np.stack([_turned(step) for step in gradients[name]])
        told, after = self.torch.updates(weights, gradients, changes)
        return told, [
            np.stack([_turned_back(step) for step in after[array.torch]]) if _is_turned(array) else after[array.torch]
            for array in self.arrays
        ]

    def _left(self, wanted: Sequence[np.ndarray], changes: Mapping[str, Any]) -> float:
        """How far the steps are apart with some changes; infinitely, where a user's own optimizer cannot make them."""
        try:
            return self._apart(wanted, self._torch(changes)[1])
        except TwinError:
            return math.inf

    def _apart(self, wanted: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> float:
        """How far the steps are apart, at the worst step."""
        pairs = zip(self._moves(got), self._moves(wanted), strict=True)
        return max(alignment.relative(native, moved) for native, moved in pairs)

    def _moves(self, after: Sequence[np.ndarray], only: int | None = None) -> np.ndarray:
        """The steps (STEPS, values of all arrays, or of one), from the weights after each."""
        pairs = list(zip(self.weights, after, strict=True))
        pairs = pairs if only is None else [pairs[only]]
        moves = [np.diff(np.concatenate([start[None], each]).astype(np.float64), axis=0) for start, each in pairs]
        return np.concatenate([move.reshape(STEPS, -1) for move in moves], axis=1)


def _multiples(moved: np.ndarray, native: np.ndarray) -> tuple[np.ndarray, float] | None:
    """What each of PyTorch's steps is multiplied by to give Keras's, and how far they then are apart."""
    squares = np.square(native).sum(1)
    if not (squares > 0).all():
        return None
    factors = (native * moved).sum(1) / squares
    return factors, max(alignment.relative(f * n, m) for f, n, m in zip(factors, native, moved, strict=True))


def _of_belief(factor: float, settings: Mapping[str, Any]) -> str:
    """In words, that squares are taken of what a gradient is off an average before that is moved, or after it; or "".

    The gradient is beta times as far off the average that it has moved.
    """
    beta = float((settings.get("betas") or [0.0])[0])
    for side, other, expected in (("PyTorch", "Keras", 1 / beta if beta else 0.0), ("Keras", "PyTorch", beta)):
        if beta and math.isclose(factor, expected, rel_tol=STEP_LIMIT):
            power = "1 / beta_1" if side == "PyTorch" else "beta_1"
            return (
                f"Both have one learning rate, and Keras's steps are PyTorch's times {factor:.4g}, which is {power}: "
                f"{side} takes the residual (gradient minus average) before the average is updated, {other} after its "
                "update"
            )
    return ""


def _lagging(factors: np.ndarray, rates: Sequence[float]) -> str:
    """In words, that one side's learning rates are the other's of a step later or earlier; else ""."""
    own = np.array(rates[: len(factors)])
    with np.errstate(all="ignore"):
        native = own / factors  # PyTorch's; unknown where Keras's is zero
    for shift, side, other in ((1, "Keras", "PyTorch"), (-1, "PyTorch", "Keras")):
        one, two = (native[:-1], own[1:]) if shift > 0 else (native[1:], own[:-1])
        known = np.isfinite(one)
        if known.sum() > 3 and np.ptp(own) > 0 and np.allclose(one[known], two[known], rtol=STEP_LIMIT):
            first = ", so that it begins with a rate of 0" if own[0] == 0 else ""
            return f"{side}'s learning rates lag those of {other} by one step{first}"
    return ""


def _is_turned(array: Trained) -> bool:
    """Whether PyTorch has the axes of an array in another order: kernels have their inputs and outputs first."""
    return array.keras.rpartition(".")[2].endswith("kernel") and len(array.shape) > 1


def _turned(value: np.ndarray) -> np.ndarray:
    """Keras's (..., in, out) as PyTorch's (out, in, ...)."""
    return value.transpose(value.ndim - 1, value.ndim - 2, *range(value.ndim - 2))


def _turned_back(value: np.ndarray) -> np.ndarray:
    return value.transpose(*range(2, value.ndim), 1, 0)
