"""Where pairs of layers are in a trace, and what lies between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin.trace import Event, Trace


@dataclass(frozen=True)
class Anchor:
    """A call of a Keras layer with weights and the call of its PyTorch partner."""

    path: str
    keras: Event
    torch: Event
    end: Event  # the PyTorch call that gives what Keras's layer gives: the layer's own, or the one that crops it


def cropped(trace: Trace, event: Event, wanted: np.ndarray) -> Event:
    """The call that cuts a layer's output to the wanted size, or the layer's own."""
    value = trace.values.get(event.outputs[0])
    if event.family in ("conv", "conv_transpose") and value is not None and value.size != wanted.size:
        for later in trace.events[event.index + 1 :]:
            cut = trace.values.get(later.outputs[0])
            if later.inputs[:1] == event.outputs[:1] and cut is not None and cut.size == wanted.size:
                return later
    return event


def dropout_pairs(mine: Trace, theirs: Trace, anchors: Sequence[Anchor]) -> list[tuple[Event, Event]]:
    """Dropout calls that belong together: those that follow the same pair of layers, in order."""
    out = []
    for side, trace in ((0, mine), (1, theirs)):
        places = {(a.keras if side == 0 else a.torch).index: number for number, a in enumerate(anchors)}
        found: dict[tuple[int, int], Event] = {}
        last = -1
        for event in trace.events:
            last = places.get(event.index, last)
            if event.family == "dropout":
                found[last, sum(key[0] == last for key in found)] = event
        out.append(found)
    return [(event, out[1][key]) for key, event in out[0].items() if key in out[1]]


def segment(trace: Trace, ends: Sequence[int], stops: set[int]) -> list[Event]:
    """The calls between the values `ends` and the nearest paired layers, in the order of execution."""
    found: dict[int, Event] = {}
    todo = list(ends)
    while todo:
        number = todo.pop()
        event = trace.producers.get(number)
        if event is None or number in stops or event.index in found:
            continue
        found[event.index] = event
        todo += event.inputs
    return [found[index] for index in sorted(found)]


def before_flatten(trace: Trace, number: int) -> np.ndarray | None:
    """The value that a row of features was flattened from, if it had axes of space."""
    for _ in range(len(trace.events)):
        event = trace.producers.get(number)
        if event is None or event.family not in ("shape", "activation", "dropout") or not event.inputs:
            return None
        source = trace.values.get(event.inputs[0])
        if event.family == "shape" and source is not None and source.ndim > 2 and trace.values[number].ndim == 2:
            return source if trace.values[number].shape[0] == source.shape[0] else None
        number = event.inputs[0]
    return None


def before_padding(trace: Trace, number: int) -> np.ndarray | None:
    """What a padded value was before."""
    event = trace.producers.get(number)
    if event is not None and event.settings.get("name") == "pad" and event.inputs:
        return trace.values.get(event.inputs[0])
    return None
