"""Where in the flow of data a model uses each layer: in which order, after which layers, and into what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twin.trace import Event, Trace

TURNING = {
    "dense", "linear", "matmul", "einsum", "dot", "tensordot", "bmm", "mm", "addmm", "mv", "bilinear", "inner",
    "transpose", "permute", "t", "T", "mT", "swapaxes", "moveaxis", "movedim", "__rmatmul__", "outer", "kron",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A layer's place.

    Args:
        order: the number of its first call; the trace's length where it is not called.
        calls: how often it is called.
        before: the nearest layers with weights upstream, and the model's inputs as `input 0`.
        after: the nearest layers downstream, and the outputs as `output y`.
        role: what comes right before, and what its output goes into, at which place.
        joined: the first concatenation or stack downstream, and at which place its output goes into it; "" for none.
        ends: the outputs that it has a part in: of branches that lead to outputs of their own.
        steps: strides and dilation of a convolution: branches beside each other differ by them.
    """

    order: int
    calls: int
    before: frozenset[str]
    after: frozenset[str]
    role: tuple[str, ...]
    joined: str = ""
    ends: frozenset[str] = frozenset()
    steps: tuple[object, ...] = ()


def places(trace: Trace, inputs: int, leaves: Sequence[str] = ()) -> dict[str, Place]:
    """The place of each layer that is called and whose result reaches an output, by path.

    Args:
        trace: the model's calls.
        inputs: how many inputs it takes.
        leaves: all paths: those inside a layer that is one call, such as an RNN's cell, have that call's place.
    """
    reaching = _reaching(trace)
    found = _places(trace, inputs, reaching)
    for event in trace.events:
        inside = [leaf for leaf in leaves if event.path and leaf.startswith(f"{event.path}.") and leaf not in found]
        if event.own and inside and not event.leaf and event.index in reaching:
            found |= dict.fromkeys(inside, Place(event.index, 1, frozenset(), frozenset(), ()))
    return found


def _reaching(trace: Trace) -> set[int]:
    """The calls whose results reach an output; all where the model stopped on the way."""
    if trace.stopped or not trace.outputs:
        return {event.index for event in trace.events}
    wanted = set(trace.outputs.values())
    found = set()
    for event in reversed(trace.events):
        if wanted & set(event.outputs):
            found.add(event.index)
            wanted |= set(event.inputs)
    return found


def _places(trace: Trace, inputs: int, reaching: set[int]) -> dict[str, Place]:
    first: dict[str, Event] = {}
    calls: dict[str, int] = {}
    for event in trace.events:
        if event.leaf and event.index in reaching:
            first.setdefault(event.leaf, event)
            calls[event.leaf] = calls.get(event.leaf, 0) + 1
    sources, ends = _sources(trace, inputs), _ends(trace)
    before = {leaf: set[str]() for leaf in first}
    after = {leaf: set[str]() for leaf in first}
    for event in trace.events:
        if event.leaf not in first:
            continue
        for number in event.inputs:
            for source in sources.get(number, ()):
                if source != event.leaf:
                    before[event.leaf].add(source)
                    if source in after:
                        after[source].add(event.leaf)
    for name, number in trace.outputs.items():
        for source in sources.get(number, ()):
            if source in after:
                after[source].add(f"output {name}")
    return {
        leaf: Place(
            event.index,
            calls[leaf],
            frozenset(before[leaf]),
            frozenset(after[leaf]),
            role(trace, event),
            joined(trace, event),
            ends[event.outputs[0]],
            tuple(tuple(event.settings[name]) for name in ("strides", "dilation") if name in event.settings),
        )
        for leaf, event in first.items()
    }


def _ends(trace: Trace) -> dict[int, frozenset[str]]:
    """For each value the outputs that are made of it."""
    found = {number: frozenset[str]() for event in trace.events for number in (*event.inputs, *event.outputs)}
    for name, number in trace.outputs.items():
        found[number] = found.get(number, frozenset()) | {name}
    for event in reversed(trace.events):
        whole = frozenset[str]().union(*(found[number] for number in event.outputs))
        for number in event.inputs:
            found[number] |= whole
    return found


def _sources(trace: Trace, inputs: int) -> Mapping[int, frozenset[str]]:
    """For each value the layers that it comes from, with no other layer between."""
    found: dict[int, frozenset[str]] = {number: frozenset({f"input {number}"}) for number in range(inputs)}
    for event in trace.events:
        whole = frozenset({event.leaf}) if event.leaf else frozenset()
        for number in event.inputs if not event.leaf else ():
            whole |= found.get(number, frozenset())
        for number in event.outputs:
            found[number] = whole
    return found


def joined(trace: Trace, event: Event) -> str:
    """Where a call's output is put beside others: the number of that call among its kind, and the place in it."""
    joins = [e.index for e in trace.events if e.settings.get("name") in ("concatenate", "stack") and len(e.inputs) > 1]
    value = event.outputs[0]
    for _ in range(12):
        consumer = next((e for e in trace.events if value in e.inputs and e.index > event.index), None)
        if consumer is None or not consumer.outputs:
            return ""
        if consumer.index in joins:
            return f"{joins.index(consumer.index)}:{consumer.inputs.index(value)}"
        value = consumer.outputs[0]
    return ""


def role(trace: Trace, event: Event) -> tuple[str, ...]:
    """What comes before a call, and what its output goes into, at which place."""
    before = [trace.producers[i].family for i in event.inputs if i in trace.producers]
    found: list[str] = [",".join(before)]
    value = event.outputs[0]
    for _ in range(8):
        consumer = next((e for e in trace.events if value in e.inputs and e.index > event.index), None)
        if consumer is None or not consumer.outputs:
            break
        if consumer.family != "shape":
            found.append(f"{consumer.settings.get('name', consumer.family)}:{consumer.inputs.index(value)}")
            if len(found) == 3:
                break
        value = consumer.outputs[0]
    return tuple(found)


def added(traces: Sequence[Trace]) -> set[str]:
    """Paths of the arrays that a trace shows, and never as a factor of a product or turned."""
    names: dict[str, set[str]] = {}
    for event in (event for trace in traces for event in trace.events if event.leaf):
        names.setdefault(event.leaf, set()).add(event.name if event.family in ("op", "shape") else event.family)
    return {path for path, found in names.items() if not found & TURNING}


def entering(trace: Trace) -> dict[str, tuple[int, ...]]:
    """How many numbers enter each layer in each of its calls: branches over bins of 1, 2 and 3 places tell apart."""
    found: dict[str, tuple[int, ...]] = {}
    for event in trace.events:
        value = trace.values.get(event.inputs[0]) if event.leaf and event.inputs else None
        if value is not None:
            found[event.leaf] = (*found.get(event.leaf, ()), value.size)
    return found
