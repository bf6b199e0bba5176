"""Two sums as terms: which term of a long sum is another one, or counts otherwise, in whatever order both add up.

A sum of many terms has as many formulas as there are orders to add in, and each may take a common factor before or
after. Both are therefore followed down through all that is linear (sums, differences, plain factors) to their terms,
each with its factor; terms that both have with the same factor are struck out, and the rest is the difference.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from compare.verify.causes.candidate import Candidate
from compare.verify.causes.formulas import told
from compare.verify.causes.graph import LARGEST, Side, kind
from compare.verify.causes.graphs import Graphs
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import place
from twin.trace import Edit, Event

MOST = 80  # calls of either side
ROOTS = 8  # sums of either side that are looked at
DEEP = 24  # calls from a sum down to its terms
FEWEST = 3  # terms from which a sum is long
SAME = 1e-4  # how near two factors are that are one
NEAR = 2e-3  # how near to a whole number a factor is that is one: the sums are of float32
MOST_TIMES = 1e5


class Term(NamedTuple):
    """A term of a sum.

    Args:
        number: of its value; -1 for a plain number.
        factor: how often it counts, or the plain number itself.
        taken: the call that takes it, and at which place.
    """

    number: int
    factor: float
    taken: tuple[Event, int]


class Rest(NamedTuple):
    """What is left of two sums once the terms that both have are struck out; and how many were.

    Terms of which each is one number, plain or made of weights, are by themselves: a side may add them up first.
    """

    keras: list[Term]
    torch: list[Term]
    struck: int
    numbers: tuple[list[Term], list[Term]] = ([], [])


def of_totals(at: Situation) -> Iterator[Candidate]:
    """The term that differs between two sums, carried out with Keras's in its place."""
    if not all(at.unlike) or max(map(len, at.unlike)) > MOST:
        return
    both = Graphs(at)
    found: list[tuple[int, Rest]] = []
    roots = [_roots(side, events) for side, events in zip((both.keras, both.torch), at.unlike, strict=True)]
    for mine in roots[0]:
        own = _terms(both.keras, mine)
        for theirs in roots[1]:
            rest = _rest(both, own, _terms(both.torch, theirs))
            sides = len(rest.keras), len(rest.torch)
            if rest.struck and not any(sides) and any(rest.numbers):
                yield from _of_numbers(both, rest)
                return
            if rest.struck and rest.struck + max(sides) >= FEWEST and 0 < max(sides) <= 2:
                found.append((sum(sides), rest))
    for _, rest in sorted(found, key=lambda each: each[0])[:ROOTS]:
        yield from _of_rest(both, rest)


def _roots(side: Side, events: Sequence[Event]) -> list[Event]:
    """The last calls of chains of sums: those behind which a value is no term any more come first."""
    sums = [event for event in events if side.kind(event) in ("add", "subtract") and len(event.inputs) == 2]
    linear = [event for event in events if event in sums or side.number(event) is not None]
    return linear[::-1][:ROOTS]


def _terms(side: Side, root: Event) -> list[Term]:
    """The terms of a sum, each with its factor."""
    found: list[Term] = []

    def follow(number: int, factor: float, taken: tuple[Event, int], deep: int) -> None:
        event = side.makers.get(number)
        value = side.values.get(number)
        lone = number in side.fixed and value is not None and value.size == 1  # one number, whatever it is made of
        parts = None if event is None or lone or deep < 1 else _parts(side, event)
        if event is None or parts is None:
            found.append(Term(number, factor, taken))
            return
        for slot, times in parts:
            if slot < 0:
                found.append(Term(-1, factor * times, (event, slot)))
            else:
                follow(event.inputs[slot], factor * times, (event, slot), deep - 1)

    follow(root.outputs[0], 1.0, (root, 0), DEEP)
    return found


def _parts(side: Side, event: Event) -> list[tuple[int, float]] | None:
    """The places of what a linear call takes with their factors, at place -1 a plain number; None where it is none."""
    name = side.kind(event)
    if len(event.inputs) == 1 and side.silent(event):
        given, made = (side.values[numbers[0]] for numbers in (event.inputs, event.outputs))
        return [(0, 1.0)] if np.array_equal(given.ravel(), made.ravel()) else None  # what turns axes may be the term
    if name == "negative" and len(event.inputs) == 1:
        return [(0, -1.0)]
    if len(event.inputs) == 2 and name in ("add", "subtract"):
        return [(0, 1.0), (1, -1.0 if name == "subtract" else 1.0)]
    own = side.number(event)
    if own is None or name not in ("add", "subtract", "multiply", "divide"):
        return None
    turned = side.turned(event)
    if name in ("add", "subtract"):
        sign = -1.0 if name == "subtract" else 1.0
        return [(0, sign if turned else 1.0), (-1, own * (1.0 if turned else sign))]
    return None if turned or not own else [(0, own if name == "multiply" else 1 / own)]


def _rest(both: Graphs, keras: Sequence[Term], torch: Sequence[Term]) -> Rest:
    """The terms that only one side has, or with another factor."""
    numbers = [[term for term in terms if _number(side, term) is not None]
               for side, terms in ((both.keras, keras), (both.torch, torch))]  # fmt: skip
    left, struck, mine = [term for term in torch if term not in numbers[1]], 0, []
    for term in (each for each in keras if each not in numbers[0]):
        fitting = [each for each in left if abs(each.factor - term.factor) <= SAME * abs(term.factor)]
        partner = next((each for each in fitting if _same(both, term, each)), None)
        if partner is None:
            mine.append(term)
            continue
        left.remove(partner)
        struck += 1
    mine, left = ([each for each in terms if not _nothing(side, each)]
                  for side, terms in ((both.keras, mine), (both.torch, left)))  # fmt: skip
    return Rest(mine, left, struck, (numbers[0], numbers[1]))


def _number(side: Side, term: Term) -> float | None:
    """What a term adds to each value, where that is one number."""
    if term.number < 0:
        return term.factor
    value = side.values.get(term.number)
    lone = value is not None and value.size == 1 and term.number in side.fixed
    return term.factor * float(value.ravel()[0]) if lone and value is not None else None


def _of_numbers(both: Graphs, rest: Rest) -> Iterator[Candidate]:
    """PyTorch's numbers of one line that count so many times in Keras, or a part of: a whole number says that."""
    added = [[_number(side, term) or 0.0 for term in terms]
             for side, terms in zip((both.keras, both.torch), rest.numbers, strict=True)]  # fmt: skip
    apart = sum(added[0]) - sum(added[1])
    if abs(apart) <= SAME * max(map(abs, (*added[0], *added[1])), default=0.0):
        return
    lines: dict[str, list[int]] = {}
    for slot, term in enumerate(rest.numbers[1]):
        if term.number >= 0:
            lines.setdefault(term.taken[0].where, []).append(slot)
    for slots in lines.values():
        share = sum(added[1][slot] for slot in slots)
        times = 1 + apart / share if share else 0.0
        whole = abs(times) if abs(times) >= 1 else 1 / abs(times) if times else 0.0
        if whole < 1 or whole > MOST_TIMES or abs(whole - round(whole)) > NEAR * whole:
            continue
        edits: list[Edit] = []
        arrays: dict[str, np.ndarray] = {}
        for term in (rest.numbers[1][slot] for slot in slots):
            native = both.torch.values[term.number]
            edits.append({"event": term.taken[0].index, "do": "input"})
            arrays[f"{term.taken[0].index}/input/{term.taken[1]}"] = np.asarray(native * times, native.dtype)
        term = rest.numbers[1][slots[0]]
        cause, says = _counted(both, term._replace(factor=term.factor * times), term)
        yield Candidate(cause, f"{says}; the other terms of the sum are the same", edits, arrays)


def _same(both: Graphs, one: Term, other: Term) -> bool:
    """Whether two terms have one value."""
    return both.equal(one.number, other.number) or both.equal(
        both.keras.behind(one.number), both.torch.behind(other.number)
    )


def _nothing(side: Side, term: Term) -> bool:
    """Whether a term adds nothing: a plain zero, or zeros with which a sum begins."""
    value = side.values.get(term.number)
    return term.factor == 0 or (value is not None and not value.any())


def _of_rest(both: Graphs, rest: Rest) -> Iterator[Candidate]:
    """The cause of the terms that are left."""
    if len(rest.keras) != len(rest.torch):
        return
    left = list(rest.torch)
    pairs: list[tuple[Term, Term]] = []
    for one in rest.keras:
        other = next((each for each in left if _same(both, one, each)), left[0])
        left.remove(other)
        pairs.append((one, other))
    counted = [_same(both, one, other) for one, other in pairs]
    if not all(counted) and len(pairs) > 1:
        return
    edits: list[Edit] = []
    arrays: dict[str, np.ndarray] = {}
    for one, other in pairs:
        value = _put(both, one, other)
        if value is None:
            return
        event, slot = other.taken
        edits.append({"event": event.index, "do": "input"})
        arrays[f"{event.index}/input/{slot}"] = value
    one, other = pairs[0]
    cause, says = _counted(both, one, other) if all(counted) else _unlike(both, one, other)
    yield Candidate(cause, f"{says}; the other terms of the sum are the same", edits, arrays)


def _put(both: Graphs, one: Term, other: Term) -> np.ndarray | None:
    """What PyTorch's sum must take for its term to be Keras's."""
    native = both.torch.values.get(other.number)
    if native is None or native.size > LARGEST or not other.factor:
        return None
    if _same(both, one, other):
        return np.asarray(native * (one.factor / other.factor), native.dtype)
    value = both.as_torch(one.number, other.number)
    return None if value is None else np.asarray(value * (one.factor / other.factor), native.dtype)


def _counted(both: Graphs, one: Term, other: Term) -> tuple[str, str]:
    """One term that counts otherwise."""
    times = one.factor / other.factor
    maker = both.torch.makers.get(other.number)
    lone = both.torch.values[other.number].size == 1 and maker is not None  # written as the number that it is
    what = f"{kind(maker)}{place(maker)}" if lone and maker is not None else both.torch.written(other.number)
    what = what if what.endswith(place(other.taken[0])) else f"{what}{place(other.taken[0])}"
    if abs(times + 1) <= SAME:
        return "sign", f"PyTorch adds with the opposite sign: {what}"
    told_in = f"{times:.5g} times" if abs(times) >= 1 else f"1/{1 / times:.5g} of"
    counts = {each for value in both.torch.values.values() for each in (value.size // max(value.shape[:1], default=1),)}
    why = ""
    for ratio, side in ((times, "PyTorch"), (1 / times, "Keras")):
        if abs(ratio - round(ratio)) <= SAME * abs(ratio) and round(ratio) > 1:
            why = f" ({side}'s lacks a factor of {round(ratio)}, a number of places)" if round(ratio) in counts else why
    return "term_scale", f"Keras adds {told_in} what PyTorch does of one term, {what}{why}"


def _unlike(both: Graphs, one: Term, other: Term) -> tuple[str, str]:
    """One term of which each side computes something else."""
    _, steps = both.way(one.number, other.number)
    if not steps:
        return "term", "One term of a sum differs"
    cause, says = told(both, steps)
    return cause, f"One term of a sum differs{place(other.taken[0])}: {says}"
