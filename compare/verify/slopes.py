"""Why gradients differ though outputs agree: what stops a gradient, computes one by hand, or lets a part of it through.

What both sides do by hand is left out, side by side and line by line (`cuts` of a Subject): where both then agree,
that line is the cause. What is left shows in the numbers of the gradients.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.verify.pairing import Pairing
from compare.verify.verdict import Finding
from compare.verify.whole import Whole, apart_in_gradients
from twin.bridge import Arrays
from twin.errors import TwinError

SIDES = ("PyTorch", "Keras")
MOST_LINES = 6  # of a side that are tried one by one
MOST_TRIES = 16
SAME = 1e-3  # of two factors
ByHand = Mapping[str, Sequence[tuple[str, str]]]  # by side, what stops a gradient or computes one, and where
Lines = Mapping[str, Sequence[tuple[str, str]]]  # some of them


@dataclass(frozen=True)
class Gradients:
    """Gradients of both sides that differ.

    Args:
        apart: how far, by PyTorch's name of the array.
        wanted: Keras's gradients, by the same names.
        got: PyTorch's.
    """

    apart: Mapping[str, float]
    wanted: Arrays
    got: Arrays

    def pairs(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """The arrays whose gradients differ: the name, Keras's gradient, PyTorch's in the same shape."""
        for name in self.apart:
            yield name, self.wanted[name], self.got[name].reshape(self.wanted[name].shape)


@dataclass(frozen=True)
class Slopes:
    """Two models whose outputs agree.

    Args:
        whole: both.
        pairing: whose arrays belong together.
        training: the mode.
    """

    whole: Whole
    pairing: Pairing
    training: bool

    def explained(self, finding: Finding, found: Gradients) -> Finding:
        """The finding with its cause, where one is found."""
        by_hand = self._by_hand()
        return (
            self._of_cuts(finding, by_hand, _of_one_side(by_hand))
            or self._of_single_cuts(finding, by_hand)
            or self._of_rows(finding, found)
            or self._of_factors(finding, found, by_hand)
            or self._of_values(finding, found, by_hand)
            or self._of_cuts(finding, by_hand, _of_both_sides(by_hand))
            or finding
        )

    def measured(self, uncut: Mapping[str, Sequence[int]] | None = None, only: str = "", seed: int = 0) -> Gradients:
        """Both gradients of a random sum of the outputs, or of one of them, without some of the cuts."""
        found = self.whole.gradients(self.pairing.links, self.training, uncut or {}, only, seed)
        apart, _ = apart_in_gradients(found)
        wanted = {link.torch.name: one for link, one, _, _ in found}
        return Gradients(apart, wanted, {link.torch.name: other for link, _, other, _ in found})

    def _by_hand(self) -> ByHand:
        """By side, what stops a gradient or computes one, and where."""
        found: dict[str, list[tuple[str, str]]] = {}
        subjects = (self.whole.torch, self.whole.torch_inputs), (self.whole.keras, self.whole.inputs)
        for side, (subject, inputs) in zip(SIDES, subjects, strict=True):
            try:
                cuts = subject.cuts(inputs, self.training, self.whole.masks)
            except (TwinError, RuntimeError, ValueError, TypeError):
                cuts = []
            found[side] = [(str(word), str(where)) for word, where in cuts]
        return found

    def _agree(self, uncut: Mapping[str, Sequence[int]]) -> bool:
        try:
            found = self.whole.gradients(self.pairing.links, self.training, uncut)
        except (TwinError, RuntimeError, ValueError, TypeError):
            return False
        return not apart_in_gradients(found)[0]

    def _of_cuts(self, finding: Finding, by_hand: ByHand, tries: Iterable[Lines]) -> Finding | None:
        """The cause where both agree once some lines do nothing by hand."""
        for lines in itertools.islice(tries, MOST_TRIES):
            numbers = {side: [n for n, each in enumerate(by_hand[side]) if each in lines[side]] for side in lines}
            if not self._agree(numbers):
                continue
            told = [f"{side} {_in_words(lines[side])}" for side in lines]
            if len(lines) == 1:
                (side,) = lines
                other = next(each for each in SIDES if each != side)
                left = [each for each in by_hand[side] if each not in lines[side]]
                told += [f"{side} also {_in_words(left)}"] if left else []
                told.append(f"{other} {_in_words(by_hand[other]) if by_hand[other] else 'does so nowhere'}")
            places = ", ".join(dict.fromkeys(where for side in lines for _, where in lines[side] if where))
            stops = all(_stops(word) for side in lines for word, _ in lines[side])
            cause = "stopped_gradient" if stops else "custom_gradient"
            says = f"{'; '.join(told)}. Without what is done by hand {f'at {places}' if places else 'there'} both agree"
            if len(lines) == 1 and all(word.startswith("backward") for word, _ in lines[side]):
                says += ": what backward returns is not the gradient of what forward computes"
            return replace(finding, cause=cause, says=says, tried=())
        return None

    def _of_single_cuts(self, finding: Finding, by_hand: ByHand) -> Finding | None:
        """The cause where a line stops several gradients, and the other side all of them but one."""
        for side, other in (SIDES, SIDES[::-1]):
            for line in (each for each in dict.fromkeys(by_hand[side]) if _stops(each[0])):
                numbers = [number for number, each in enumerate(by_hand[side]) if each == line]
                for place, number in enumerate(numbers[:MOST_LINES] if len(numbers) > 1 else (), start=1):
                    if self._agree({side: [number]}):
                        word, where = line
                        says = (
                            f"{side} stops {len(numbers)} gradients ({word}){f' at {where}' if where else ''}, and "
                            f"{other} does not stop number {place} of them. Without that one both agree. {other} "
                            f"{_in_words(by_hand[other]) if by_hand[other] else 'stops none'}"
                        )
                        return replace(finding, cause="stopped_gradient", says=says, tried=())
        return None

    def _of_rows(self, finding: Finding, found: Gradients) -> Finding | None:
        """Only rows of a table that one side never trains."""
        if len(found.apart) != 1:
            return None
        ((name, one, other),) = found.pairs()
        kind = next(m.keras[0].kind for m in self.pairing.matches for link in m.links if link.torch.name == name)
        rows = np.flatnonzero(np.abs(one - other).reshape(len(one), -1).max(1) > 1e-4 * np.abs(one).max())
        if kind != "table" or not 0 < len(rows) < len(one) or (other[rows].any() and one[rows].any()):
            return None
        side = "PyTorch" if not other[rows].any() else "Keras"
        says = f"{side} does not train row {', '.join(map(str, rows[:4]))} of the table (padding_idx), the other does"
        return replace(finding, cause="embedding_padding_vector", says=says, tried=())

    def _of_factors(self, finding: Finding, found: Gradients, by_hand: ByHand) -> Finding | None:
        """Gradients that are multiples of each other, whichever sum of the outputs is taken, or of one output."""
        outputs = [name for name, array in self.whole.keras_outputs(self.training).items() if array.dtype.kind == "f"]
        for only in ("", *(outputs if len(outputs) > 1 else ())):
            first = self.measured(only=only) if only else found
            if not first.apart:
                continue
            factors = _factors(first)
            again = _factors(self.measured(only=only, seed=1)) if factors else {}
            if not factors or any(not _same(factor, again.get(name)) for name, factor in factors.items()):
                continue
            words = f"Of the output {only} alone, " if only else ""
            words += self._in_factors(factors, len(first.apart) == len(first.wanted))
            # Arrays with factors of their own, and stops on both sides: terms whose stops are exchanged.
            several = not all(_same(each, next(iter(factors.values()))) for each in factors.values())
            stops = all(cuts and all(_stops(word) for word, _ in cuts) for cuts in by_hand.values())
            if several and stops:
                words += ": each side stops gradients in another term, or counts the terms otherwise"
            cause = "stopped_gradient" if several and stops else "gradient_scale"
            return replace(finding, cause=cause, says=words + _tail(by_hand), tried=())
        return None

    def _in_factors(self, factors: Mapping[str, float], every: bool) -> str:
        """Factors in words, and what they count where they depend on the sizes of arrays."""
        values = list(factors.values())
        if all(_same(value, values[0]) for value in values):
            reached = "" if every else f" for {_some(list(factors))}, and the same for the other arrays"
            word = ": one side reverses it" if _same(values[0], -1.0) else ""
            return f"Keras's gradient is {values[0]:.6g} times PyTorch's{reached}{word}"
        told = ", ".join(f"{value:.6g} for {name}" for name, value in list(factors.items())[:4])
        sizes = {}
        for name in factors:
            owner = name.rpartition(".")[0]
            near = [link.torch.size for link in self.pairing.links if link.torch.name.rpartition(".")[0] == owner]
            sizes[name] = max(near)
        return f"Keras's gradient is a multiple of PyTorch's: {told}{_by_size(factors, sizes)}"

    def _of_values(self, finding: Finding, found: Gradients, by_hand: ByHand) -> Finding | None:
        """Gradients that are the same but for some values of an array, where one side lets none through."""
        told = []
        for name, one, other in found.pairs():
            unlike = np.abs(one - other) > 1e-4 * max(float(np.abs(one).max()), float(np.abs(other).max()))
            zero = {"Keras": not one[unlike].any(), "PyTorch": not other[unlike].any()}
            side = next((side for side, is_zero in zero.items() if is_zero), None)
            if side is None or unlike.all() or not unlike.any():
                return None
            told.append(f"{side} lets no gradient through to {unlike.sum()} of the {unlike.size} values of {name}")
        if not told:
            return None
        says = f"{'; '.join(told[:3])}, where the other side does; all other values have equal gradients"
        return replace(finding, cause="gradient_mask", says=says + _tail(by_hand), tried=())


def _of_one_side(by_hand: ByHand) -> Iterator[Lines]:
    """Each line of a side, and all of them."""
    lines = {side: list(dict.fromkeys(by_hand[side])) for side in SIDES}
    for side in SIDES:
        yield from ({side: [line]} for line in lines[side][:MOST_LINES])
    for side in SIDES:
        if len(lines[side]) > 1:
            yield {side: lines[side]}


def _of_both_sides(by_hand: ByHand) -> Iterator[Lines]:
    """A line of each side, which stand at different places; then all lines, without which only calls are left."""
    lines = {side: list(dict.fromkeys(by_hand[side])) for side in SIDES}
    if all(lines.values()):
        for one, other in itertools.product(*lines.values()):
            yield {SIDES[0]: [one], SIDES[1]: [other]}
        if any(len(each) > 1 for each in lines.values()):
            yield lines


def _in_words(cuts: Sequence[tuple[str, str]]) -> str:
    """What is done by hand, and where."""
    return ", ".join(f"{_done(word)}{f' at {where}' if where else ''}" for word, where in list(dict.fromkeys(cuts))[:3])


def _stops(word: str) -> bool:
    """Whether what is done by hand stops a gradient, and does not compute or change one."""
    return not word.startswith(("backward", "register"))


def _done(word: str) -> str:
    if word.startswith("backward of "):
        return f"computes a gradient by hand ({word.removeprefix('backward of ')}.backward)"
    return "changes a gradient (register_hook)" if word == "register_hook" else f"stops a gradient ({word})"


def _tail(by_hand: ByHand) -> str:
    """What both sides do by hand, for a cause that its numbers show."""
    told = [f"{side} {_in_words(by_hand[side])}" for side in SIDES if by_hand[side]]
    return f". {'; '.join(told)}" if told else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _factors(found: Gradients) -> dict[str, float]:
    """By array what PyTorch's gradient is multiplied by to give Keras's; none where one is no multiple."""
    factors = {}
    for name, one, other in found.pairs():
        one, other = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
        own = float(other @ other)
        factor = float(other @ one) / own if own > 0 else 0.0
        if not factor or np.linalg.norm(factor * other - one) > SAME * np.linalg.norm(one):
            return {}
        factors[name] = factor
    return factors


def _same(one: float, other: float | None) -> bool:
    return other is not None and math.isclose(one, other, rel_tol=SAME)


POWERS: Mapping[float, tuple[str, Callable[[float], float]]] = {
    1.0: ("{} times the number of values", lambda c: c),
    -1.0: ("{} divided by the number of values", lambda c: c),
    0.5: ("the square root of {} times the number of values", lambda c: c * c),
    -0.5: ("the square root of {} divided by the number of values", lambda c: c * c),
}


def _by_size(factors: Mapping[str, float], sizes: Mapping[str, int]) -> str:
    """What the factors of several arrays count, where they go with a number of values."""
    if len(set(sizes.values())) < 2:
        return ""
    for power, (words, told) in POWERS.items():
        left = [factor / sizes[name] ** power for name, factor in factors.items()]
        if all(_same(each, left[0]) for each in left):
            numbers = ", ".join(str(sizes[name]) for name in list(factors)[:4])
            number = words.format(f"{told(left[0]):.4g}")
            return f"; each is {number} of the largest array of its layer ({numbers})"
    return ""
