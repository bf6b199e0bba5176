"""Which value a call or a layer takes: another one than Keras's, two that are taken for each other."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.attention import of_roles
from compare.verify.causes.candidate import Candidate
from compare.verify.causes.words import place as place_of
from compare.verify.causes.words import written
from compare.verify.replay import Replay
from compare.verify.segments import Anchor
from compare.verify.verdict import LIMIT
from compare.verify.ways import by_path, root
from twin.trace import Edit, Event, Trace

MOVING = ("roll", "flip")
SEARCHED = 12  # values that are tried for one input of a call


class Ends(NamedTuple):
    """Numbers of the values that enter the next layer, or that the model returns."""

    keras: Sequence[int]
    torch: Sequence[int]


def exchanged(replay: Replay, keras: Event | None, torch: Event | None) -> list[Candidate]:
    """Two values that PyTorch takes for each other, wherever they are used."""
    if keras is None or torch is None:
        return []
    theirs = replay.theirs
    made = {*torch.outputs}  # of the call: no value of these can enter it
    for event in theirs.events[torch.index + 1 :]:
        made |= set(event.outputs) if made & set(event.inputs) else set()
    wanted = [_same(replay, replay.mine.values[number], len(theirs.events)) for number in keras.inputs]
    missing = [number for number in wanted if number is not None and number not in torch.inputs and number not in made]
    spare = [number for number in torch.inputs if number not in wanted]
    found = []
    for one in spare:
        for other in (_shaped(replay, number, one) for number in missing):
            if theirs.values[one].shape != theirs.values[other].shape or theirs.values[one].dtype.kind != "f":
                continue
            if equal(theirs.values[one], theirs.values[other]):
                continue
            names = giver(replay, one), giver(replay, other)
            says = f"{written(torch)}{place_of(torch)} takes {names[0]}, Keras's call what is {names[1]} in PyTorch"
            alone = {f"{torch.index}/input/{torch.inputs.index(one)}": theirs.values[other]}
            found.append(Candidate(by_path(replay, one, other), says, [{"event": torch.index, "do": "input"}], alone))
            edits, arrays = _swapped(replay, one, other)
            says = f"PyTorch takes {names[0]} and {names[1]} for each other{place_of(torch)}"
            pieces = [theirs.producers.get(number) for number in (one, other)]
            cut = all(each is not None and each.settings.get("name") in ("chunk", "split", "getitem", "unbind")
                      for each in pieces)  # fmt: skip
            cut = cut and len({each.inputs[:1] for each in pieces if each is not None}) == 1
            found.append(Candidate("split_order" if cut else "operand_order", says, edits, arrays))
    return found


def _shaped(replay: Replay, number: int, like: int) -> int:
    """The number of a value in the shape of another, where PyTorch has it in that shape too."""
    values = replay.theirs.values
    alike = (
        n for n, value in values.items() if value.shape == values[like].shape and value.size == values[number].size
    )
    return next((n for n in alike if equal(values[n], values[number].reshape(values[like].shape))), number)


def _swapped(replay: Replay, one: int, other: int) -> tuple[list[Edit], dict[str, np.ndarray]]:
    """What gives every call that takes either value the other one."""
    theirs = replay.theirs
    edits: list[Edit] = []
    arrays: dict[str, np.ndarray] = {}
    makers = _before(replay, one, 20) | _before(replay, other, 20) | {one, other}
    for event in theirs.events:
        if not {one, other} & set(event.inputs) or makers & set(event.outputs):
            continue
        edits.append({"event": event.index, "do": "input"})
        for place, number in enumerate(event.inputs):
            if number in (one, other):
                arrays[f"{event.index}/input/{place}"] = theirs.values[other if number == one else one]
    return edits, arrays


def searched(replay: Replay, torch: Event | None) -> list[Candidate]:
    """Another value for an input of PyTorch's call, of the same shape and computed before it: the nearest first."""
    if torch is None or torch.family == "shape":
        return []
    theirs = replay.theirs
    found = []
    for place, number in enumerate(torch.inputs):
        own = theirs.values.get(number)
        if own is None or own.dtype.kind != "f":
            continue
        options = []
        taken = {*torch.inputs, *_before(replay, number, 4)}  # of what gives the input: that is then a call too many
        for other, value in theirs.values.items():
            producer = theirs.producers.get(other)
            early = producer is None or producer.index < torch.index
            if early and other not in taken and value.shape == own.shape and value.dtype.kind == "f":
                options.append(other)
        for other in options[::-1][:SEARCHED]:
            names = giver(replay, number), giver(replay, other)
            says = f"{written(torch)}{place_of(torch)} takes {names[0]}; with {names[1]} in its place both agree"
            arrays = {f"{torch.index}/input/{place}": theirs.values[other]}
            found.append(Candidate("input_wiring", says, [{"event": torch.index, "do": "input"}], arrays))
    return found


def wired_call(replay: Replay, keras: Event | None, torch: Event | None) -> list[Candidate]:
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
    unlike = [place for place, pair in enumerate(zip(given, values, strict=True)) if not equal(*pair)]
    if not unlike:
        return []
    one_of = [any(equal(value, each) for each in given) for value in values]
    cause = "operand_order" if all(one_of) else "input_wiring"
    if len(unlike) == 1 and cause == "input_wiring":
        cause = by_path(replay, torch.inputs[unlike[0]], wanted[unlike[0]])
        if cause == "input_wiring" and torch.settings.get("name") == "add":
            cause = _of_residual(replay, torch.inputs[unlike[0]], wanted[unlike[0]]) or cause
    names = [giver(replay, number) for number in wanted if number is not None]
    says = f"{written(torch)}{place_of(torch)} takes {', '.join(giver(replay, n) for n in torch.inputs)}"
    says = f"PyTorch's {says}; Keras's takes what is there {', '.join(names)}"
    arrays = {f"{torch.index}/input/{place}": value for place, value in enumerate(values)}
    return [Candidate(cause, says, [{"event": torch.index, "do": "input"}], arrays)]


def _of_residual(replay: Replay, given: int, wanted: int | None) -> str:
    """The cause where a residual is taken behind a norm or an activation, and on the other side before it."""
    for ends, way in (((wanted, given), "after"), ((given, wanted), "before")):
        maker = replay.theirs.producers.get(ends[1] if ends[1] is not None else -1)
        if maker is not None and ends[0] in maker.inputs:
            kind = "norm" if maker.family.endswith("norm") else maker.family
            return f"residual_{way}_{kind}"
    return ""


def wired_layer(replay: Replay, anchor: Anchor | None, ends: Ends) -> list[Candidate]:
    """A layer that takes another value than Keras's, which PyTorch has elsewhere."""
    if anchor is None or not ends.keras or not ends.torch:
        return []
    value = replay.mine.values[ends.keras[0]]
    number = _same(replay, value, len(replay.theirs.events))
    if number is None or number == ends.torch[0] or value.dtype.kind != "f":
        return []
    after = alignment.distance(value, replay.theirs.values[number])[0]
    producer = replay.theirs.producers.get(number)
    wanted = giver(replay, number)
    if producer is not None and producer.index > anchor.torch.index:
        says = f"Keras applies {producer.label} before {anchor.path}, PyTorch after it"
        return [Candidate(f"{producer.family}_order", says, measured=after)]
    taken = replay.theirs.producers.get(ends.torch[0])
    layers = anchored(replay, 1)
    before = () if ends.torch[0] in layers else _before(replay, ends.torch[0], stops=layers)
    if any(_equal_in_size(value, replay.theirs.values.get(each)) for each in before):
        return []  # what lies between are calls too many, which says more than another wiring
    says = (
        f"Keras's {anchor.path} takes what is {wanted} in PyTorch, and PyTorch's takes {giver(replay, ends.torch[0])}"
    )
    cause = "norm_input_wiring" if anchor.torch.family.endswith("norm") else "input_wiring"
    if taken is not None and taken.settings.get("name") in ("getitem", "gather", "select", "index_select"):
        cause = "sequence_step"
    if taken is not None and taken is producer and taken.settings.get("name") in ("chunk", "split", "unbind"):
        cause = "split_order"
    if taken is not None and taken.inputs and taken.settings.get("name") in ("mean", "max", "sum"):
        pooled = root(replay, taken.inputs[0])
        if pooled is not None and pooled is producer and pooled.family in ("lstm", "gru", "rnn"):
            cause = "sequence_step"  # all steps in place of the last
    roots = [root(replay, each) for each in (number, ends.torch[0])]
    if (
        cause == "input_wiring"
        and roots[0] is not None
        and roots[0] is roots[1]
        and roots[0].family in ("lstm", "gru", "rnn")
    ):
        cause = "recurrent_state"  # another of its results: the cell for the hidden state, a state for the sequence
    return [Candidate(cause, says, measured=after)]


def wired_roles(replay: Replay, anchor: Anchor | None) -> list[Candidate]:
    """Attention whose query, key or value is another value than Keras's, which PyTorch has elsewhere."""
    if anchor is None:
        return []
    found = []
    for each in of_roles(anchor.keras, anchor.torch, replay.mine, replay.theirs):
        given = {f"{anchor.torch.index}/input/{slot}": n for slot, n in enumerate(anchor.torch.inputs)}
        unlike = [value for name, value in each.arrays.items() if not equal(value, replay.theirs.values[given[name]])]
        if all(_same(replay, value, anchor.torch.index) is not None for value in unlike):
            # The replay gives the call what Keras's takes: what it gives then is the trial.
            found.append(replace(each, edits=(), arrays={}, measured=replay.leaving(anchor, replay.theirs)))
    return found


def _same(replay: Replay, value: np.ndarray, before: int) -> int | None:
    """The number of PyTorch's value that is Keras's, the earliest one; None where there is none."""
    for number, other in replay.theirs.values.items():
        producer = replay.theirs.producers.get(number)
        late = producer is not None and producer.index >= before
        if not late and _equal_in_size(value, other):
            return number
    return None


def _before(replay: Replay, number: int, calls: int = 5, stops: Collection[int] = ()) -> set[int]:
    """The values from which one is made, in so many calls; what makes those of `stops` is not followed."""
    found: set[int] = set()
    todo = {number}
    for _ in range(calls):
        makers = [replay.theirs.producers.get(each) for each in todo if each not in stops]
        todo = {each for maker in makers if maker is not None for each in maker.inputs}
        found |= todo
    return found


def _equal_in_size(value: np.ndarray, other: np.ndarray | None) -> bool:
    """Whether both hold the same values, in whatever order of axes."""
    return other is not None and other.size == value.size and alignment.distance(value, other)[0] <= LIMIT


def equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and alignment.relative(one, other) <= LIMIT


def giver(replay: Replay, number: int, deep: int = 3) -> str:
    """What gives a value of PyTorch's, in words."""
    producer = replay.theirs.producers.get(number)
    if producer is None:
        return f"input {number}"
    name = f"{called(producer)}{place_of(producer)}" if producer.family == "shape" else producer.label
    if producer.name in MOVING:  # two of one line have nothing else to tell them apart
        return f"{written(producer)}{place_of(producer)}"
    if producer.family == "shape" and len(producer.inputs) == 1 and len(producer.outputs) == 1 and deep:
        return f"{called(producer)} of {giver(replay, producer.inputs[0], deep - 1)}"
    return name if len(producer.outputs) < 2 else f"result {producer.outputs.index(number)} of {name}"


def called(event: Event) -> str:
    """A call by its function or by the layer's path."""
    return event.path if event.own and event.path else written(event).partition("(")[0]


def anchored(replay: Replay, side: int) -> set[int]:
    """Numbers of the values that come out of paired layers."""
    events = [anchor.keras if side == 0 else anchor.end for anchor in replay.anchors]
    return {number for event in events for number in event.outputs}


def backwards(replay: Replay) -> list[Candidate]:
    """A loop over the pieces of a value that goes from the last to the first, and on the other side the other way."""
    found = []
    loops = _loops(replay.mine), _loops(replay.theirs)
    for one, other in itertools.product(*loops):
        mine, theirs = loops[0][one], loops[1][other]
        if len(mine) != len(theirs) or not equal(replay.mine.values[one], replay.theirs.values[other]):
            continue
        values = [replay.mine.values[event.outputs[0]] for event in mine]
        native = [replay.theirs.values[event.outputs[0]] for event in theirs]
        turned = all(equal(a, b) for a, b in zip(values, native[::-1], strict=True))
        if turned and not equal(values[0], native[0]):
            says = f"PyTorch goes through the pieces of a value from the other end{place_of(theirs[0])}"
            edits: list[Edit] = [{"event": event.index, "do": "output"} for event in theirs]
            arrays = {f"{e.index}/output/0": value for e, value in zip(theirs, values, strict=True)}
            found.append(Candidate("reversed_steps", says, edits, arrays))
    return found


def _loops(trace: Trace) -> dict[int, list[Event]]:
    """The pieces that are cut out of one value, one after the other, by the value's number."""
    found: dict[int, list[Event]] = {}
    for event in trace.events:
        if _piece(event) and event.inputs[0] in trace.values:
            found.setdefault(event.inputs[0], []).append(event)
    return {number: events for number, events in found.items() if 2 < len(events) <= 64}


def _piece(event: Event) -> bool:
    return len(event.inputs) == 1 == len(event.outputs) and event.name in ("getitem", "select", "take", "narrow")
