"""Rotary positions: which two features of a head turn together, seen from the lengths that a rotation keeps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate
from compare.verify.causes.words import place
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event

WORDS = {"halves": "the first half of the features with the second", "neighbours": "each feature with its neighbour"}


class Turned(NamedTuple):
    """A value that is another one, turned.

    Args:
        event: the call that gives it.
        source, value: before and after.
        way: what turns together.
    """

    event: Event
    source: np.ndarray
    value: np.ndarray
    way: str


def turned(events: Sequence[Event], values: Mapping[int, np.ndarray]) -> list[Turned]:
    """The rotations among some calls."""
    made = {number for event in events for number in event.outputs}
    sources = {number: values[number] for event in events for number in event.inputs
               if number in values and number not in made}  # fmt: skip
    found = []
    for event in events:
        value = values.get(event.outputs[0]) if event.outputs else None
        for source in sources.values():
            if value is None:
                break
            way = _way(source, value)
            if way:
                found.append(Turned(event, source, value, way))
                break
    return found


def of_rotation(keras: Sequence[Turned], torch: Sequence[Turned]) -> Iterator[Candidate]:
    """Rotations of other features than Keras's, all of them made Keras's."""
    edits: list[Edit] = []
    arrays: dict[str, np.ndarray] = {}
    unlike = None
    for theirs in torch:
        for mine in keras:
            far, order = alignment.distance(mine.source, theirs.source)
            if far > LIMIT or order is None or len(order) != mine.value.ndim or mine.way == theirs.way:
                continue
            unlike = unlike or (mine, theirs)
            edits.append({"event": theirs.event.index, "do": "output"})
            value = np.ascontiguousarray(mine.value.transpose(np.argsort(order)))
            arrays[f"{theirs.event.index}/output/0"] = value
            break
    if unlike is not None:
        says = f"Keras turns {WORDS[unlike[0].way]}, PyTorch {WORDS[unlike[1].way]}{place(unlike[1].event)}"
        yield Candidate("rotary_pairs", says, edits, arrays)


def _way(source: np.ndarray, value: np.ndarray) -> str:
    """What turns together from one value to the other; "" where nothing does."""
    if source.shape != value.shape or source.ndim < 3 or source.dtype.kind + value.dtype.kind != "ff":
        return ""
    width = source.shape[-1]
    if width < 4 or width % 2 or alignment.relative(value, source) < 1e-3:
        return ""
    found = []
    for way in WORDS:
        lengths = []
        for each in (source, value):
            shape = (*each.shape[:-1], 2, width // 2) if way == "halves" else (*each.shape[:-1], width // 2, 2)
            lengths.append(np.square(each.astype(np.float64).reshape(shape)).sum(-2 if way == "halves" else -1))
        if alignment.relative(lengths[1], lengths[0]) <= 1e-4:
            found.append(way)
    return found[0] if len(found) == 1 else ""
