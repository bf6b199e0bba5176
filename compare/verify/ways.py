"""From one of PyTorch's values to another: the calls between both, and where a value comes from."""

from compare.verify.causes.words import kind_of
from compare.verify.replay import Replay
from twin.trace import Event


def by_path(replay: Replay, given: int, wanted: int | None) -> str:
    """The cause where a call takes another value than Keras's: calls too many or missing, if those are between both."""
    for ends, kind in (((wanted, given), "extra"), ((given, wanted), "missing")):
        path = path_between(replay, *ends)
        if path:
            return f"{kind}_{'_'.join(dict.fromkeys(kind_of(event) for event in path))}"
    return "input_wiring"


def path_between(replay: Replay, start: int | None, end: int | None, calls: int = 3) -> list[Event]:
    """PyTorch's calls of one input that make a value of another; none where more is needed."""
    found: list[Event] = []
    while end is not None and end != start and len(found) < calls:
        event = replay.theirs.producers.get(end)
        if event is None or len(event.inputs) != 1 or event.family not in ("op", "activation"):
            return []
        found.insert(0, event)
        end = event.inputs[0]
    return found if end == start else []


def root(replay: Replay, number: int) -> Event | None:
    """The call that gives a value, which calls that only rearrange or pick may have passed on."""
    for _ in range(8):
        event = replay.theirs.producers.get(number)
        if event is None or not (event.family == "shape" or event.settings.get("name") == "getitem"):
            return event
        if not event.inputs:
            return None
        number = event.inputs[0]
    return None
