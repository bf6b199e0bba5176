"""Equal sums that both sides divide by other counts: a mean over all values, and one over those that count."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate
from compare.verify.causes.graph import LARGEST, Side
from compare.verify.causes.graphs import Graphs
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import place
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event

ADDING = ("sum", "matmul", "cumsum", "index_add", "scatter_add", "segment_sum")


class Quotient(NamedTuple):
    """A sum over a count, as one call of a mean or as a division.

    Args:
        event: the call that gives it.
        total: the sum.
        divisor: what the sum is divided by.
        words: the divisor in words.
    """

    event: Event
    total: np.ndarray
    divisor: np.ndarray
    words: str


def of_divisors(at: Situation) -> Iterator[Candidate]:
    """All quotients of equal sums made Keras's at once: a loss may divide several sums by one count."""
    if not all(at.unlike):
        return
    both = Graphs(at)
    mine, theirs = (
        [found for event in events if (found := _quotient(side, event)) is not None]
        for side, events in zip((both.keras, both.torch), at.unlike, strict=True)
    )
    edits: list[Edit] = []
    arrays: dict[str, np.ndarray] = {}
    told: list[str] = []
    for other in theirs:
        partner = next((each for each in mine if _same(each.total, other.total)), None)
        if partner is None or _same(partner.divisor, other.divisor):
            continue
        value = both.as_torch(partner.event.outputs[0], other.event.outputs[0])
        if value is None:
            continue
        edits.append({"event": other.event.index, "do": "output"})
        arrays[f"{other.event.index}/output/0"] = value
        told.append(
            f"Keras divides the sum by {partner.words}{place(partner.event)}, "
            f"PyTorch by {other.words}{place(other.event)}"
        )
    if edits:
        says = f"Both average the same values over other counts: {told[0]}"
        yield Candidate("mean_count", says, edits, arrays)


def _quotient(side: Side, event: Event) -> Quotient | None:
    """A call as a sum over a count; None where it is none."""
    made = side.values.get(event.outputs[0]) if event.outputs else None
    given = [side.values.get(number) for number in event.inputs]
    if made is None or made.dtype.kind != "f" or not made.size or not given or given[0] is None:
        return None
    name, first = side.kind(event), given[0]
    if name == "mean" and len(given) == 1 and first.size > made.size and first.size <= LARGEST:
        count = first.size // made.size
        return Quotient(
            event, made.astype(np.float64) * count, np.array(float(count)), f"{count}, the number of all values,"
        )
    maker = side.makers.get(side.behind(event.inputs[0]))
    if name == "divide" and made.size > 1 and (maker is None or side.kind(maker) not in ADDING):
        return None  # a value that is normalized, and no mean
    if name == "divide" and len(given) == 2 and given[1] is not None and given[1].dtype.kind == "f":
        by = given[1]
        one = f"{float(by.ravel()[0]):.5g}" if np.ptp(by) == 0 else f"{by.min():.4g} to {by.max():.4g}"
        return Quotient(event, first, by, f"{one}, which is {side.written(event.inputs[1])},")
    number = side.number(event)
    if name == "divide" and number and not side.turned(event):
        return Quotient(event, first, np.array(number), f"{number:g}")
    return None


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.size != other.size:
        return False
    if one.size == 1:
        a, b = float(one.ravel()[0]), float(other.ravel()[0])
        return abs(a - b) <= LIMIT * max(abs(a), abs(b))
    return alignment.distance(one, other)[0] <= LIMIT
