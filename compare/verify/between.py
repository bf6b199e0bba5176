"""What lies between two pairs of layers where both sides part: the first calls that differ, found by their values."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes import calls
from compare.verify.causes.candidate import Candidate, neutral
from compare.verify.causes.words import place as place_of
from compare.verify.causes.words import written
from compare.verify.replay import Replay
from compare.verify.segments import Anchor, before_padding, segment
from compare.verify.verdict import LIMIT
from twin.trace import Event


class Ends(NamedTuple):
    """Numbers of the values that enter the next layer, or that the model returns."""

    keras: Sequence[int]
    torch: Sequence[int]


def situation(replay: Replay, anchor: Anchor | None, output: int = 0) -> tuple[calls.Situation, list[Candidate]]:
    """What lies before a layer, or before an output where there is none; and the cause of another order."""
    mine, theirs = replay.mine, replay.theirs
    ends = Ends(anchor.keras.inputs, anchor.torch.inputs) if anchor else _output(replay, output)
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
    return found, [*_wired_call(replay, first, other), *_wired_layer(replay, anchor, ends), *_turned(replay, ends, end)]


def _output(replay: Replay, place: int) -> Ends:
    """The numbers of one output."""
    return Ends(replay.output_numbers()[place : place + 1], list(replay.theirs.outputs.values())[place : place + 1])


def _wired_call(replay: Replay, keras: Event | None, torch: Event | None) -> list[Candidate]:
    """Two calls of one kind of which PyTorch's takes other values than Keras's, or the same in another order."""
    if keras is None or torch is None or keras.settings.get("name", "") != torch.settings.get("name"):
        return []
    theirs = replay.theirs.values
    given = [theirs[number] for number in torch.inputs if number in theirs]
    wanted = [_same(replay, replay.mine.values[number], torch.index) for number in keras.inputs]
    if len(given) != len(wanted) or len(wanted) < 2 or any(number is None for number in wanted):
        return []
    values = [theirs[number] for number in wanted if number is not None]
    if any(one.shape != other.shape for one, other in zip(given, values, strict=True)) and keras.settings[
        "name"
    ] not in ("concatenate", "stack"):
        return []
    unlike = [place for place, pair in enumerate(zip(given, values, strict=True)) if not _equal(*pair)]
    if not unlike:
        return []
    one_of = [any(_equal(value, each) for each in given) for value in values]
    cause = "operand_order" if all(one_of) else "input_wiring"
    names = [_giver(replay, number) for number in wanted if number is not None]
    says = f"{written(torch)}{place_of(torch)} takes {', '.join(_giver(replay, n) for n in torch.inputs)}"
    says = f"PyTorch's {says}; Keras's takes what is there {', '.join(names)}"
    arrays = {f"{torch.index}/input/{place}": value for place, value in enumerate(values)}
    return [Candidate(cause, says, [{"event": torch.index, "do": "input"}], arrays)]


def _wired_layer(replay: Replay, anchor: Anchor | None, ends: Ends) -> list[Candidate]:
    """A layer that takes another value than Keras's, which PyTorch has elsewhere."""
    if anchor is None or not ends.keras or not ends.torch:
        return []
    value = replay.mine.values[ends.keras[0]]
    number = _same(replay, value, len(replay.theirs.events))
    if number is None or number == ends.torch[0] or value.dtype.kind != "f":
        return []
    after = alignment.distance(value, replay.theirs.values[number])[0]
    producer = replay.theirs.producers.get(number)
    given, wanted = _giver(replay, ends.torch[0]), _giver(replay, number)
    if producer is not None and producer.index > anchor.torch.index:
        says = f"Keras applies {producer.label} before {anchor.path}, PyTorch after it"
        return [Candidate(f"{producer.family}_order", says, measured=after)]
    says = f"Keras's {anchor.path} takes what is {wanted} in PyTorch, and PyTorch's takes {given}"
    cause = "norm_input_wiring" if anchor.torch.family.endswith("norm") else "input_wiring"
    return [Candidate(cause, says, measured=after)]


def _same(replay: Replay, value: np.ndarray, before: int) -> int | None:
    """The number of PyTorch's value that is Keras's, the earliest one; None where there is none."""
    for number, other in replay.theirs.values.items():
        producer = replay.theirs.producers.get(number)
        late = producer is not None and producer.index >= before
        if not late and other.size == value.size and alignment.distance(value, other)[0] <= LIMIT:
            return number
    return None


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and alignment.relative(one, other) <= LIMIT


def _giver(replay: Replay, number: int) -> str:
    """What gives a value of PyTorch's, in words."""
    producer = replay.theirs.producers.get(number)
    return f"input {number}" if producer is None else producer.label


def _turned(replay: Replay, ends: Ends, end: calls.Replacement | None) -> list[Candidate]:
    """The cause of the same values in another order."""
    native = replay.theirs.values.get(next(iter(ends.torch), -1))
    if native is None or end is None or end.value.shape != native.shape or native.dtype.kind != "f":
        return []
    mine, theirs = np.sort(end.value, axis=None), np.sort(native, axis=None)
    if alignment.relative(theirs, mine) > LIMIT or native.size < 4:
        return []
    says = f"{end.event.text or end.event.call} gives the values of Keras's arrangement in another order"
    joined = end.event.settings.get("name") in ("concatenate", "stack")
    return [Candidate("operand_order" if joined else "arrangement_order", says, *end.edits())]


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
        if not producer.inputs or replay.mine.values[producer.inputs[0]].size != replay.mine.values[number].size:
            continue  # a piece is no arrangement
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
