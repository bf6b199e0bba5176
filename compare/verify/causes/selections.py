"""Which channels of one projection each side takes: by heads first or by roles first, halves or every second one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate
from compare.verify.causes.graph import Side
from compare.verify.causes.graphs import Graphs
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import place
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event

MOST = 65536  # numbers of one example that are looked up
RANGES = 4  # that are told
DEEP = 12  # calls back to what is selected from


class Selection(NamedTuple):
    """What a call takes of a value that both sides have, and puts together in no new way.

    Args:
        event, output: the call that gives it, and which of its results.
        source: number of the value that it is taken from.
    """

    event: Event
    output: int
    source: int


def of_selections(at: Situation) -> Iterator[Candidate]:
    """All selections of one value made Keras's at once, where both sides select other channels of it."""
    if not all(at.unlike):
        return
    both = Graphs(at)
    mine, theirs = (
        list(_selections(side, events)) for side, events in zip((both.keras, both.torch), at.unlike, strict=True)
    )
    sources = {(one.source, other.source): None for one in mine for other in theirs}
    for pair in sources:
        given = _in_one_shape(both.keras.values[pair[0]], both.torch.values[pair[1]])
        if given is None:
            continue
        taken = [
            [
                (each, channels)
                for each in found
                if each.source == number and (channels := _channels(source, side, each))
            ]
            for side, found, number, source in zip((both.keras, both.torch), (mine, theirs), pair, given, strict=True)
        ]
        edits: list[Edit] = []
        arrays: dict[str, np.ndarray] = {}
        told = []
        for (one, own), (other, native) in zip(*taken, strict=False):
            value = both.keras.values[one.event.outputs[one.output]]
            got = _arranged(value, both.torch.values[other.event.outputs[other.output]])
            if own == native or got is None:
                break  # what follows is made of these
            edits += [{"event": other.event.index, "do": "output"}] if not other.output else []
            arrays[f"{other.event.index}/output/{other.output}"] = got
            told.append(
                f"Keras takes the channels {_ranges(own)}{place(one.event)}, "
                f"PyTorch {_ranges(native)}{place(other.event)}"
            )
        if edits:
            says = f"Both split {both.torch.written(pair[1])}, each in another way: {told[0]}"
            yield Candidate("split_order", says, edits, arrays)


def _selections(side: Side, events: Sequence[Event]) -> Iterator[Selection]:
    """Results of calls that are smaller than a value that both sides have and that they are made of."""
    for event in events:
        source = _source(side, event)
        given = side.values.get(source)
        for output, number in enumerate(event.outputs):
            made = side.values.get(number)
            if made is None or given is None or made.dtype.kind != "f" or given.dtype.kind != "f":
                continue
            if 8 <= made.size < given.size and made.shape[0] == given.shape[0] and given[0].size <= MOST:
                yield Selection(event, output, source)


def _in_one_shape(own: np.ndarray, native: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Keras's value and PyTorch's with channels last in one shape, where they are the same; else None."""
    if own.size != native.size:
        return None
    if own.ndim >= native.ndim and alignment.relative(own.reshape(native.shape), native) <= LIMIT:
        return own.reshape(native.shape), native
    far, order = alignment.distance(own, native)
    return (own, native.transpose(order)) if far <= LIMIT and order is not None else None


def _source(side: Side, event: Event) -> int:
    """The value that both sides have and that a call's first input is made of."""
    number = event.inputs[0] if event.inputs else -1
    for _ in range(DEEP):
        maker = side.makers.get(number)
        if maker is None or not maker.inputs:
            break
        number = maker.inputs[0]
    return number


def _channels(source: np.ndarray, side: Side, selection: Selection) -> tuple[int, ...]:
    """The channels (last axis) that a selection takes of the first example; none where it is made otherwise."""
    made = side.values[selection.event.outputs[selection.output]][0].ravel()
    flat = source[0].ravel()
    ranks = np.argsort(flat, kind="stable")
    at = np.searchsorted(flat, made, sorter=ranks)
    if (at >= flat.size).any() or (flat[ranks[at]] != made).any():
        return ()
    return tuple(int(each) for each in np.unique(ranks[at] % source.shape[-1]))


def _arranged(value: np.ndarray, native: np.ndarray) -> np.ndarray | None:
    """Keras's selection in the shape of PyTorch's, which may have heads and their features in one axis."""
    if value.size != native.size:
        return None
    if value.shape == native.shape:
        return value
    if value.ndim == native.ndim:
        order = next(iter(alignment.arrangements(native.shape, value.shape)), None)
        return None if order is None else np.ascontiguousarray(value.transpose(np.argsort(order)))
    return value.reshape(native.shape)


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers as ranges: 0-7, 24-31."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    told = [f"{one}-{other}" if one < other else str(one) for one, other in found[:RANGES]]
    return ", ".join(told) + (", ..." if len(found) > RANGES else "")
