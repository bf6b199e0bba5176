"""Another value for what a line takes in all its runs: the first for the current one, new for old state."""

from collections.abc import Iterator, Sequence

from compare.verify.causes.candidate import Candidate
from compare.verify.causes.words import place, written
from compare.verify.replay import Replay
from compare.verify.wiring import giver
from twin.trace import Edit, Event

LINES = 6  # of PyTorch's that are tried
SOURCES = 16  # lines whose values are tried, for each of these
MOST_RUNS = 64
CALLS = ((1, 0), (2, 0), (2, 1))  # so many calls of one kind in a line, and which of them


def in_every_run(replay: Replay, parting: Sequence[Event]) -> Iterator[Candidate]:
    """One value for another in each run of a line, as it is in that run: what comes later is computed anew.

    Args:
        replay: both passes.
        parting: PyTorch's calls whose results Keras has nowhere.
    """
    runs: dict[tuple[str, ...], list[Event]] = {}
    for event in replay.theirs.events:
        runs.setdefault(_line(event), []).append(event)
    # What the first of them is made of in its line may be a value that Keras has too: that of the step before.
    calls = [event for event in parting if event.family not in ("shape", "dense", "conv")]
    near = [event for event in replay.theirs.events if calls and event.where == calls[0].where]
    lines = dict.fromkeys(_line(event) for event in (*near, *calls) if event.family not in ("shape", "dense", "conv"))
    for line in [each for each in lines if 1 < len(runs[each]) <= MOST_RUNS][:LINES]:
        for count, first in CALLS:  # of one kind in the line, which nothing else tells apart
            events = runs[line][first::count] if len(runs[line]) % count == 0 else []
            for slot in range(min((len(event.inputs) for event in events), default=0) if len(events) > 1 else 0):
                yield from _for_slot(replay, events, slot, runs)


def _for_slot(
    replay: Replay, events: Sequence[Event], slot: int, runs: dict[tuple[str, ...], list[Event]]
) -> Iterator[Candidate]:
    """Other values for one input of a line that runs several times, the nearest first."""
    values, last = replay.theirs.values, events[-1]
    own = values.get(last.inputs[slot])
    if own is None or own.dtype.kind != "f":
        return
    tried: set[tuple[int, ...]] = {tuple(event.inputs[slot] for event in events)}
    for number in [n for n in reversed(list(values)) if values[n].shape == own.shape and values[n].dtype.kind == "f"]:
        maker = replay.theirs.producers.get(number)
        if (maker is not None and maker.index >= last.index) or len(tried) > SOURCES:
            continue
        sources = [_latest(runs[_line(maker)], event, number, maker) if maker else number for event in events]
        if None in sources or tuple(map(int, filter(None, sources))) in tried:
            continue
        tried.add(tuple(int(each) for each in sources if each is not None))
        pairs = zip(events, sources, strict=True)
        edits: list[Edit] = [{"event": e.index, "do": "wire", "slot": slot, "from": n} for e, n in pairs]
        names = giver(replay, last.inputs[slot]), giver(replay, number)
        says = f"In each of its {len(events)} runs PyTorch's {written(last)}{place(last)} takes {names[0]}"
        same = names[0] == names[1]
        says += " of the run before; with that of the same run" if same else f"; with {names[1]}"
        yield Candidate("input_wiring", f"{says} in its place both agree", edits)


def _line(event: Event) -> tuple[str, ...]:
    return event.where, event.call, event.text, event.leaf


def _latest(made: Sequence[Event], taken: Event, number: int, maker: Event) -> int | None:
    """What a line gave last before a call; its only value where it runs once."""
    output = maker.outputs.index(number)
    before = [event for event in made if event.index < taken.index and len(event.outputs) > output]
    return before[-1].outputs[output] if before else None
