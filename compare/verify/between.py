"""What lies between two pairs of layers where both sides part: the first calls that differ, found by their values."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from compare.verify import axes as alignment
from compare.verify.arrangement import found as is_found
from compare.verify.arrangement import rearranged, turned
from compare.verify.causes.candidate import Candidate, neutral
from compare.verify.causes.constants import constants
from compare.verify.causes.situation import Replacement, Situation
from compare.verify.causes.words import place as place_of
from compare.verify.loops import in_every_run
from compare.verify.replay import Replay
from compare.verify.runs import of_another_run
from compare.verify.segments import Anchor, before_padding, segment
from compare.verify.verdict import LIMIT
from compare.verify.wiring import (
    MOVING,
    Ends,
    anchored,
    backwards,
    called,
    equal,
    exchanged,
    giver,
    searched,
    wired_call,
    wired_layer,
    wired_roles,
)
from twin.trace import Event, Trace


def situation(replay: Replay, anchor: Anchor | None, output: int = 0) -> tuple[Situation, list[Candidate]]:
    """What lies before a layer, or before an output where there is none; and causes in what takes which value."""
    mine, theirs = replay.mine, replay.theirs
    ends = Ends(anchor.keras.inputs, anchor.torch.inputs) if anchor else _output(replay, output)
    a = segment(mine, ends.keras, anchored(replay, 0))
    b = segment(theirs, ends.torch, anchored(replay, 1))
    moved = _moved(a, b), _moved(b, a)
    unlike = _parting(mine, ends.keras, a, theirs, moved[0]), _parting(theirs, ends.torch, b, mine, moved[1])
    first, other = (next((e for e in events if not neutral(e)), None) for events in unlike)
    source = theirs.values.get(other.inputs[0]) if other is not None and other.inputs else None
    end = _end(replay, theirs.producers.get(next(iter(ends.torch), -1)) if b else None, ends)
    found = Situation(
        first,
        other,
        source,
        anchor.torch if anchor else None,
        _follows(replay, anchor, other),
        _replacements(replay, first, other, anchor),
        end,
        next((e for e in reversed(b) if e.family == "shape"), None),
        _after_sequence(replay, other),
        rearranged(replay, first),
        (mine.values.get(next(iter(ends.keras), -1)), theirs.values.get(next(iter(ends.torch), -1))),
        unlike,
        (mine.values, theirs.values),
        {number: giver(replay, number) for number in theirs.values},
        theirs.events[: (other.index if other is not None else len(theirs.events))],
        (
            constants(mine, unlike[0], len(replay.torch_inputs)),
            constants(theirs, unlike[1], len(replay.torch_inputs)),
        ),
    )
    taken = exchanged(replay, first, other)
    miswired = next(((each.cause, each.says) for each in reversed(taken)), ("", ""))
    found = dataclasses.replace(
        found,
        ends=(ends.keras, ends.torch),
        names=(_names(mine, unlike[0]), _names(theirs, unlike[1])),
        miswired=miswired[0],
        miswired_in_words=miswired[1],
        precedes=_precedes(replay, anchor, first),
        turned=turned(replay, next(iter(ends.torch), -1), end),
    )
    wired = [
        *backwards(replay),
        *wired_call(replay, first, other),
        *wired_roles(replay, anchor),
        *wired_layer(replay, anchor, ends),
        *taken,
        *searched(replay, other),
        *in_every_run(replay, unlike[1]),
        *(of_another_run(replay, anchor, ends) if other is None else ()),
    ]
    return found, wired


def _moved(events: Sequence[Event], others: Sequence[Event]) -> set[int]:
    """Values that are made of what is rolled or turned round, where the other side does that less often.

    All their numbers may be the other side's, which says nothing of where they are.
    """
    count, other = (sum(event.name in MOVING for event in each) for each in (events, others))
    moved: set[int] = set()
    for event in events if count > other else ():
        if event.name in MOVING or moved & set(event.inputs):
            moved |= set(event.outputs)
    return moved


def _parting(
    trace: Trace, ends: Sequence[int], events: Sequence[Event], other: Trace, moved: Collection[int]
) -> list[Event]:
    """The calls, of those before some values, whose results the other side has nowhere: back to what it has.

    A call whose result is nowhere, but whose pieces the other side has, such as the one projection that another
    side computes as three, is none of them.
    """
    inside = {event.index for event in events}
    values = [part for value in other.values.values() for part in _real(value) if part.dtype.kind in "fiub"]
    found: dict[int, Event] = {}
    todo = list(ends)
    seen: set[int] = set()
    while todo:
        number = todo.pop()
        event = trace.producers.get(number)
        if number in seen or event is None or event.index not in inside:
            continue
        seen.add(number)
        value = trace.values.get(number)
        if value is None or value.dtype.kind not in "fiucb" or (value.dtype.kind in "iub" and value.size < 2):
            continue
        if all(is_found(part, values, event.name not in MOVING and number not in moved) for part in _real(value)):
            todo += _of_no_effect(trace, event, value)
            continue
        found[event.index] = event
        todo += event.inputs
    return [found[index] for index in sorted(found)]


def _real(value: np.ndarray) -> tuple[np.ndarray, ...]:
    """A value as one side has it that knows no complex numbers: real and imaginary parts, each by itself."""
    return (value.real, value.imag) if value.dtype.kind == "c" else (value,)


def _of_no_effect(trace: Trace, event: Event, value: np.ndarray) -> list[int]:
    """What a product takes beside the value that it leaves as it is, such as the softmax of a single score."""
    given = [trace.values.get(number) for number in event.inputs]
    if len(given) != 2 or not any(each is not None and equal(value, each) for each in given):
        return []
    makers = {number: trace.producers.get(number) for number in event.inputs}
    return [number for number, maker in makers.items() if maker is not None and maker.family == "activation"]


def _output(replay: Replay, place: int) -> Ends:
    """The numbers of one output."""
    return Ends(replay.output_numbers()[place : place + 1], list(replay.theirs.outputs.values())[place : place + 1])


def _names(trace: Trace, events: Sequence[Event]) -> dict[int, str]:
    """What a message calls the values that enter some calls."""
    found = {}
    for number in (number for event in events for number in event.inputs):
        producer = trace.producers.get(number)
        if producer is None:
            found[number] = f"input {number}"
            continue
        name = producer.label if producer.leaf else f"{called(producer)}{place_of(producer)}"
        found[number] = f"result {producer.outputs.index(number)} of {name}" if len(producer.outputs) > 1 else name
    return found


def _replacements(replay: Replay, first: Event | None, other: Event | None, anchor: Anchor | None) -> list[Replacement]:
    """PyTorch's calls whose output could become what Keras's call gives: its counterpart, and those before it."""
    if first is None:
        return []
    wanted = replay.mine.values[first.outputs[0]]
    found = []
    if other is not None:
        native = replay.theirs.values.get(other.outputs[0])
        found.append(Replacement(other, alignment.to_torch(wanted, native, replay.origin(other)), instead=True))
    sources = [replay.mine.values[number] for number in first.inputs]
    for event in reversed(replay.theirs.events):
        native = replay.theirs.values.get(event.outputs[0])
        if native is None or (anchor is not None and event.index >= anchor.torch.index):
            continue
        for source in sources:
            far, order = alignment.distance(source, native)
            if far <= LIMIT:
                found.append(
                    Replacement(event, _like(wanted, source, native, order, replay.origin(event)), instead=False)
                )
                break
    return found


def _like(
    wanted: np.ndarray, source: np.ndarray, native: np.ndarray, order: Sequence[int] | None, family: str
) -> np.ndarray:
    """Keras's value in PyTorch's layout: in that of the value it is made of, where it has its axes."""
    if order is not None and wanted.ndim == source.ndim == native.ndim and wanted.shape != source.shape:
        moved = [axis for axis in range(wanted.ndim) if wanted.shape[axis] == source.shape[axis]]
        if 0 in moved and len(moved) > 1:
            return np.ascontiguousarray(wanted.transpose(np.argsort(order)))
    return alignment.to_torch(wanted, native, family)


def _end(replay: Replay, event: Event | None, ends: Ends) -> Replacement | None:
    """PyTorch's call made to give what enters Keras's next layer."""
    if event is None:
        return None
    native = replay.theirs.values.get(event.outputs[0])
    wanted = [replay.mine.values[number] for number in ends.keras]
    wanted += [before for number in ends.keras if (before := before_padding(replay.mine, number)) is not None]
    fitting = [value for value in wanted if native is not None and value.size == native.size]
    if not fitting:
        return None
    return Replacement(event, alignment.to_torch(fitting[0], native, replay.origin(event)), instead=True)


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
    after = [e for e in replay.mine.events if anchor.keras.outputs[0] in e.inputs and _lone(replay, 0, e)]
    return any(e.family == other.family and e.settings.get("name") == other.settings.get("name") for e in after)


def _precedes(replay: Replay, anchor: Anchor | None, first: Event | None) -> bool:
    """Whether PyTorch makes right after the layer the call that Keras makes right before it, and Keras not after it."""
    if anchor is None or first is None:
        return False
    after = [e for e in replay.theirs.events if anchor.end.outputs[0] in e.inputs]
    own = [e for e in replay.mine.events if anchor.keras.outputs[0] in e.inputs]
    after = [e for e in after if _lone(replay, 1, e)]
    same = [[(e.family, e.settings.get("name")) for e in events] for events in (after, own)]
    kind = (first.family, first.settings.get("name"))
    return kind in same[0] and kind not in same[1]


def _lone(replay: Replay, side: int, event: Event) -> bool:
    """Whether what a call gives is a value that the other side has nowhere."""
    trace, other = (replay.mine, replay.theirs) if side == 0 else (replay.theirs, replay.mine)
    value = trace.values.get(event.outputs[0]) if event.outputs else None
    return value is not None and not is_found(value, list(other.values.values()))
