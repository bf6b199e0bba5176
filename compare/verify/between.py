"""What lies between two pairs of layers where both sides part: the first calls that differ, found by their values."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes import calls
from compare.verify.causes.candidate import Candidate, neutral
from compare.verify.replay import Replay
from compare.verify.segments import Anchor, before_padding, segment
from compare.verify.verdict import LIMIT
from twin.trace import Event


class Ends(NamedTuple):
    """Numbers of the values that enter the next layer, or that the model returns."""

    keras: Sequence[int]
    torch: Sequence[int]


def situation(replay: Replay, anchor: Anchor | None) -> tuple[calls.Situation, list[Candidate]]:
    """What lies before a layer, or before the outputs where there is none; and the cause of another order."""
    mine, theirs = replay.mine, replay.theirs
    ends = Ends(anchor.keras.inputs, anchor.torch.inputs) if anchor else Ends(
        replay.output_numbers(), list(theirs.outputs.values())
    )  # fmt: skip
    a = segment(mine, ends.keras, _anchored(replay, 0))
    b = segment(theirs, ends.torch, _anchored(replay, 1))
    values = list(theirs.values.values())
    known = [mine.values[n] for e in a for n in (*e.outputs, *e.inputs)] + [mine.values[n] for n in ends.keras]
    first = next((e for e in a if not neutral(e) and not _found(mine.values[e.outputs[0]], values)), None)
    other = next((e for e in b if not neutral(e) and not _found(theirs.values[e.outputs[0]], known)), None)
    source = theirs.values.get(other.inputs[0]) if other is not None and other.inputs else None
    end = _end(replay, theirs.producers.get(next(iter(ends.torch), -1)) if b else None, ends)
    found = calls.Situation(
        first,
        other,
        source,
        anchor.torch if anchor else None,
        _follows(replay, anchor, other),
        _replacements(replay, first, other, anchor),
        end,
        next((e for e in reversed(b) if e.family == "shape"), None),
        _after_sequence(replay, other),
        _rearranged(replay, first),
        (mine.values.get(next(iter(ends.keras), -1)), theirs.values.get(next(iter(ends.torch), -1))),
    )
    return found, _turned(replay, ends, end)


def _turned(replay: Replay, ends: Ends, end: calls.Replacement | None) -> list[Candidate]:
    """The cause of the same values in another order."""
    native = replay.theirs.values.get(next(iter(ends.torch), -1))
    if native is None or end is None or end.value.shape != native.shape or native.dtype.kind != "f":
        return []
    mine, theirs = np.sort(end.value, axis=None), np.sort(native, axis=None)
    if alignment.relative(theirs, mine) > LIMIT or native.size < 4:
        return []
    says = f"{end.event.text or end.event.call} gives the values of Keras's arrangement in another order"
    return [Candidate("arrangement", says, *end.edits())]


def _anchored(replay: Replay, side: int) -> set[int]:
    """Numbers of the values that come out of paired layers."""
    events = [anchor.keras if side == 0 else anchor.end for anchor in replay.anchors]
    return {number for event in events for number in event.outputs}


def _found(value: np.ndarray, values: Sequence[np.ndarray]) -> bool:
    return any(alignment.distance(value, other)[0] <= LIMIT for other in values if other.size == value.size)


def _replacements(
    replay: Replay, first: Event | None, other: Event | None, anchor: Anchor | None
) -> list[calls.Replacement]:
    """PyTorch's calls whose output could become what Keras's call gives: its counterpart, and those before it."""
    if first is None:
        return []
    wanted = replay.mine.values[first.outputs[0]]
    found = []
    if other is not None:
        native = replay.theirs.values.get(other.outputs[0])
        found.append(calls.Replacement(other, alignment.to_torch(wanted, native, replay.origin(other)), instead=True))
    sources = [replay.mine.values[number] for number in first.inputs]
    for event in reversed(replay.theirs.events):
        native = replay.theirs.values.get(event.outputs[0])
        if native is None or (anchor is not None and event.index >= anchor.torch.index):
            continue
        if any(s.size == native.size and alignment.distance(s, native)[0] <= LIMIT for s in sources):
            value = alignment.to_torch(wanted, native, replay.origin(event))
            found.append(calls.Replacement(event, value, instead=False))
    return found


def _end(replay: Replay, event: Event | None, ends: Ends) -> calls.Replacement | None:
    """PyTorch's call made to give what enters Keras's next layer."""
    if event is None:
        return None
    native = replay.theirs.values.get(event.outputs[0])
    wanted = [replay.mine.values[number] for number in ends.keras]
    wanted += [before for number in ends.keras if (before := before_padding(replay.mine, number)) is not None]
    fitting = [value for value in wanted if native is not None and value.size == native.size]
    if not fitting:
        return None
    return calls.Replacement(event, alignment.to_torch(fitting[0], native, replay.origin(event)), instead=True)


def _rearranged(replay: Replay, event: Event | None) -> tuple[int, ...] | None:
    """The shape in which Keras's call takes a value that PyTorch has, but in no such arrangement."""
    values = list(replay.theirs.values.values())
    for number in event.inputs if event is not None else ():
        producer = replay.mine.producers.get(number)
        if producer is None or producer.family != "shape" or _found(replay.mine.values[number], values):
            continue
        source = replay.mine.values[producer.inputs[0]] if producer.inputs else None
        while producer is not None and producer.family == "shape" and producer.inputs:
            source = replay.mine.values[producer.inputs[0]]
            producer = replay.mine.producers.get(producer.inputs[0])
        if source is not None and _found(source, values):
            return replay.mine.values[number].shape
    return None


def _after_sequence(replay: Replay, event: Event | None) -> bool:
    """Whether a PyTorch call picks from a recurrent layer of which Keras passes on the last step."""
    if event is None or not event.inputs:
        return False
    source = replay.theirs.producers.get(event.inputs[0])
    keras = next((a.keras for a in replay.anchors if source is not None and a.torch.index == source.index), None)
    return keras is not None and keras.family in ("lstm", "gru", "rnn") and not keras.settings["sequences"]


def _follows(replay: Replay, anchor: Anchor | None, other: Event | None) -> bool:
    """Whether Keras makes right after the layer the call that PyTorch makes right before it."""
    if anchor is None or other is None:
        return False
    after = [e for e in replay.mine.events if anchor.keras.outputs[0] in e.inputs]
    return any(e.family == other.family and e.settings.get("name") == other.settings.get("name") for e in after)
