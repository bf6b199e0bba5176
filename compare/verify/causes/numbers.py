"""Plain numbers: two calls of one kind that multiply with, divide by or add another one."""

from collections.abc import Iterator, Sequence
from itertools import product

from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.graph import SIGNS, Side, kind
from compare.verify.causes.graphs import Graphs
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import place, written
from twin.trace import Event

TRIED = 12  # pairs of numbers
DONE = {"add": "adds", "subtract": "subtracts", "multiply": "multiplies by", "divide": "divides by"}


def of_numbers(at: Situation) -> Iterator[Candidate]:
    """Keras's number in a call of PyTorch's, wherever that call is: layouts and what is around it say nothing."""
    if not all(at.unlike):
        return
    both = Graphs(at)
    sides = (both.keras, both.torch)
    keras, torch = (plain(side, events) for side, events in zip(sides, at.unlike, strict=True))
    scores = [event.index for event in at.unlike[1] if event.settings.get("name") == "softmax"]
    tried = 0
    for (mine, number), (theirs, other) in product(keras, torch):
        own = SIGNS[kind(theirs)]
        if kind(mine) != kind(theirs) or abs(number - other) <= 1e-4 * abs(number) or tried >= TRIED:
            continue
        tried += 1
        line = f"{number:.6g} {own} x" if both.torch.turned(theirs) else f"x {own} {number:.6g}"
        fix = InTorch.of([line], theirs)
        fix = InTorch(f"{line} in place of {written(theirs)}{place(theirs)}", fix.edits)
        says = f"Keras {DONE[kind(mine)]} {_root(number, at.lengths())}{place(mine)}, "
        says += f"PyTorch {DONE[kind(theirs)]} {_root(other, at.lengths())}{place(theirs)}"
        scaled = own in "*/" and any(index > theirs.index for index in scores)
        yield Candidate("attention_scale" if scaled else f"{kind(theirs)}_constant", says, fix.edits, torch=fix)


def plain(side: Side, events: Sequence[Event]) -> list[tuple[Event, float]]:
    """The calls that take a plain number beside a value, once for each line, with the number."""
    found: dict[tuple[str, str, float], tuple[Event, float]] = {}
    for event in events:
        number = side.number(event) if kind(event) in DONE else None
        if number:
            found.setdefault((event.where, kind(event), number), (event, number))
    return list(found.values())


def _root(number: float, lengths: Sequence[int]) -> str:
    """A number, and of which axis's length it is the root, where it is one."""
    length = next((each for each in lengths if each > 1 and abs(number - each**0.5) <= 1e-4 * number), None)
    return f"{number:.6g}" + (f", the root of {length}" if length and length != number else "")
