"""Two numbers, or two values, of PyTorch's that stand in each other's place, in calls that need not be the first."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from compare.verify.axes import relative
from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.graph import SIGNS, Side, kind
from compare.verify.causes.graphs import Graphs
from compare.verify.causes.numbers import plain
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import place, written
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event

MOST = 40  # pairs that are tried
NEAR = 24  # calls that are looked at


def of_exchanged_numbers(at: Situation) -> Iterator[Candidate]:
    """Two calls of one kind with two numbers: alpha for one part and 1 - alpha for the other."""
    if not all(at.unlike):
        return
    side = Graphs(at).torch
    numbers = plain(side, at.unlike[1][:NEAR])
    for (one, first), (other, second) in combinations(numbers, 2):
        if kind(one) != kind(other) or abs(first - second) <= 1e-4 * abs(first):
            continue
        fixes = [InTorch.of([_line(side, call, number)], call) for call, number in ((one, second), (other, first))]
        says = f"PyTorch's numbers {first:.6g}{place(one)} and {second:.6g}{place(other)} stand in each other's place"
        edits = [edit for fix in fixes for edit in fix.edits]
        yield Candidate("exchanged_numbers", says, edits, torch=InTorch("exchange the two numbers", edits))


def _line(side: Side, call: Event, number: float) -> str:
    return f"{number!r} {SIGNS[kind(call)]} x" if side.turned(call) else f"x {SIGNS[kind(call)]} {number!r}"


def of_exchanged_values(at: Situation) -> Iterator[Candidate]:
    """Two calls of which each takes the value that belongs into the other: the weights of two terms."""
    values, events = at.values[1], at.unlike[1][:NEAR]
    makers = {number: event for event in at.unlike[1] for number in event.outputs}
    slots = [
        (event, slot, number)
        for event in events
        for slot, number in enumerate(event.inputs)
        if number in values and values[number].dtype.kind == "f" and event.family != "shape"
    ]
    tried = 0
    for (one, slot, first), (other, place_of, second) in sorted(combinations(slots, 2), key=_apart):
        if one is other or first == second or tried >= MOST or values[first].shape != values[second].shape:
            continue
        early = min(one.index, other.index)
        if any(_made_after(number, early, makers) for number in (first, second)):
            continue
        if relative(values[first], values[second]) <= LIMIT:
            continue
        tried += 1
        arrays = {
            f"{one.index}/input/{slot}": values[second],
            f"{other.index}/input/{place_of}": values[first],
        }
        edits: list[Edit] = [{"event": event.index, "do": "input"} for event in (one, other)]
        names = [at.names[1].get(number, "a value") for number in (first, second)]
        says = f"PyTorch's {written(one)}{place(one)} takes {names[0]}, and {written(other)}{place(other)} {names[1]}"
        yield Candidate("exchanged_values", f"{says}: each belongs into the other's place", edits, arrays)


def _apart(pair: Sequence[tuple[Event, int, int]]) -> int:
    """How many calls lie between two: those of one expression come first."""
    return abs(pair[0][0].index - pair[1][0].index)


def _made_after(number: int, index: int, makers: Mapping[int, Event]) -> bool:
    """Whether a value may be made of what a call gives: its maker comes at or behind the call."""
    maker = makers.get(number)
    return maker is not None and maker.index >= index
