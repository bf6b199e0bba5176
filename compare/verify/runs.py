"""A layer that runs several times, as in the stages of a solver, and takes in one run what it should in another."""

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate
from compare.verify.causes.words import place, written
from compare.verify.replay import Replay
from compare.verify.segments import Anchor
from compare.verify.verdict import LIMIT
from compare.verify.ways import root
from compare.verify.wiring import Ends
from twin.trace import Event, Trace

DEEP = 6  # calls of one line that are followed back
FEW = 4  # numbers from which a value is not another's by chance


def of_another_run(replay: Replay, anchor: Anchor | None, ends: Ends) -> list[Candidate]:
    """What PyTorch's layer takes, where Keras's takes just that in another run; nothing is left of it to compare."""
    if anchor is None or not anchor.keras.leaf or not ends.keras or not ends.torch:
        return []
    mine, native = replay.mine, replay.theirs.values.get(ends.torch[0])
    if native is None or native.dtype.kind != "f" or native.size < FEW:
        return []
    runs = [event for event in mine.events if event.leaf == anchor.keras.leaf and event.inputs]
    now = next((place_of for place_of, event in enumerate(runs, 1) if event.index == anchor.keras.index), 0)
    for before, event in enumerate(runs, 1):
        taken = event.inputs[0]
        far = alignment.distance(mine.values[taken], native)[0] if taken in mine.values else float("inf")
        if event.index == anchor.keras.index or far > LIMIT:
            continue
        says = (
            f"PyTorch's {anchor.torch.leaf} takes in run {now} what Keras's {anchor.keras.leaf} takes in run {before}"
        )
        maker = root(replay, ends.torch[0])
        says += f" ({written(maker)}{place(maker)})" if maker is not None else ""
        told = [f"Keras computes it of {_named(mine, one)}, PyTorch of {_named(mine, other)}, in Keras's words"
                for one, other in _parting(mine, ends.keras[0], taken)]  # fmt: skip
        return [Candidate("input_wiring", ": ".join([says, *told[:1]]), measured=far)]
    return []


def _parting(trace: Trace, one: int, other: int) -> list[tuple[int, int]]:
    """The values of which one line makes another thing in each of two runs."""
    where = {maker.where for maker in map(trace.producers.get, (one, other)) if maker is not None}
    pairs = [(one, other)] if len(where) == 1 else []
    for _ in range(DEEP):
        found: list[tuple[int, int]] = []
        for a, b in pairs:
            makers = trace.producers.get(a), trace.producers.get(b)
            if any(maker is None or {maker.where} != where or maker.leaf for maker in makers):
                found.append((a, b))
                continue
            inputs = [maker.inputs for maker in makers if maker is not None]
            found += [pair for pair in zip(*inputs, strict=False) if pair[0] != pair[1]]
        pairs = found
    return pairs


def _named(trace: Trace, number: int) -> str:
    """What gives a value, and in which of its runs."""
    maker = trace.producers.get(number)
    if maker is None:
        return f"input {number}"
    same = [event for event in trace.events if _line(event) == _line(maker)]
    run = 1 + [event.index for event in same].index(maker.index)
    return f"what {maker.label} gives in run {run}" if len(same) > 1 else f"what {maker.label} gives"


def _line(event: Event) -> tuple[str, ...]:
    return (event.leaf, event.call) if event.leaf else (event.where, event.call, event.path)
