"""What each side drops: the rates, and how many numbers each draws for its mask."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compare.verify import axes
from compare.verify.verdict import LIMIT, Finding
from twin.trace import Event, Trace

Drop = tuple[float, int]  # the rate, and the number of draws


def drops(found: Sequence[Mapping[str, Any]]) -> list[Drop]:
    """Each dropout's rate and number of draws, to compare."""
    return [(round(float(each["rate"]), 6), int(each["draws"])) for each in found]


def active(events: Sequence[Event]) -> list[Event]:
    """The calls that drop values."""
    return [e for e in events if e.family == "dropout" and e.settings.get("active") and e.settings.get("rate")]


def unlike(keras: Event, torch: Event) -> bool:
    """Whether two calls that drop values do it at other rates."""
    mine, theirs = keras.settings, torch.settings
    return bool(mine["active"] and theirs["active"] and mine["rate"] != theirs["rate"])


def rates(rung: str, keras: Event, torch: Event) -> Finding:
    """Two calls with other rates."""
    says = f"Keras drops {keras.settings['rate']:g} of the values, PyTorch {torch.settings['rate']:g}"
    return Finding(rung, keras.label, torch.label, "The dropout rates are not equal", "dropout_rate", says=says)


def misplaced(keras: Trace, torch: Trace) -> Finding | None:
    """Two dropouts of one rate that drop other values, such as one before and one after a sum; None where none do.

    Args:
        keras, torch: both passes in training mode, in which dropout passed everything on.
    """
    left = active(torch.events)
    alone = []
    for event in active(keras.events):
        value = keras.values[event.inputs[0]]
        same = next((e for e in left if _rate(e) == _rate(event) and _distance(value, torch, e) <= LIMIT), None)
        if same is None:
            alone.append(event)
        else:
            left.remove(same)
    for event in alone:
        value = keras.values[event.inputs[0]]
        for other in left:
            native = torch.values.get(other.inputs[0])
            if native is None or native.size != value.size or _rate(event) != _rate(other):
                continue
            if _commutes(value, native):
                continue
            says = (
                f"Keras drops values of what enters {event.label}, PyTorch of what enters {other.label}: another value"
            )
            what = "The same rate is applied to other values"
            return Finding("training", event.label, other.label, what, "dropout_position", says=says)
    return None


def _rate(event: Event) -> float:
    return round(float(event.settings["rate"]), 6)


def _distance(value: np.ndarray, torch: Trace, event: Event) -> float:
    native = torch.values.get(event.inputs[0])
    return float("inf") if native is None else axes.distance(value, native)[0]


def _commutes(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether one value is the other after what dropout may come before or behind: a ReLU, or a factor."""
    for source, value in ((one, other), (other, one)):
        if axes.distance(np.maximum(source, 0), value)[0] <= LIMIT:
            return True
        factor = float(np.linalg.norm(value)) / max(float(np.linalg.norm(source)), 1e-30)
        if axes.distance(source * factor, value)[0] <= LIMIT:
            return True
    return False


def in_inference(counts: tuple[int, int], pairs: Sequence[tuple[Event, Event]]) -> Finding:
    """Dropout that one side applies in inference mode.

    Args:
        counts: how many drop, Keras's and PyTorch's.
        pairs: calls of dropout that belong together.
    """
    unequal = [pair for pair in pairs if pair[0].settings["active"] != pair[1].settings["active"]]
    names = (unequal[0][0].label, unequal[0][1].label) if unequal else ("dropout", "dropout")
    side, other = ("PyTorch", "Keras") if counts[1] > counts[0] else ("Keras", "PyTorch")
    what = f"{side} drops values in inference mode, {other} does not"
    return Finding("forward", *names, what, "dropout_mode", says=what)


def difference(keras: list[Drop], torch: list[Drop], events: tuple[Sequence[Event], Sequence[Event]]) -> Finding | None:
    """The first dropout without counterpart of the same rate and mask; None where all have one.

    Args:
        keras, torch: what each side would drop, in the order of execution.
        events: the calls that drop, where they are known.
    """
    for place, each in enumerate(keras):
        if torch.count(each) >= keras.count(each):
            continue
        rest = [i for i, other in enumerate(torch) if keras.count(other) < torch.count(other)]
        native = min(rest, key=lambda i, place=place: abs(i - place), default=None)  # type: ignore[misc]
        names = _name(events[0], place), _name(events[1], native)
        return _without(each, "Keras", names) if native is None else _unlike(each, torch[native], names)
    for place, each in enumerate(torch):
        if torch.count(each) > keras.count(each):
            return _without(each, "PyTorch", ("dropout", _name(events[1], place)))
    return None


def _name(events: Sequence[Event], place: int | None) -> str:
    return events[place].label if place is not None and place < len(events) else "dropout"


def _without(each: Drop, side: str, names: tuple[str, str]) -> Finding:
    other = "PyTorch" if side == "Keras" else "Keras"
    cause = "missing_dropout" if side == "Keras" else "extra_dropout"
    says = f"{side} drops {each[0]:g} of the values here, {other} has no such dropout"
    return Finding("training", *names, "One side drops values, the other does not", cause, says=says)


def _unlike(mine: Drop, theirs: Drop, names: tuple[str, str]) -> Finding:
    if mine[1] == theirs[1]:
        says = f"Keras drops {mine[0]:g} of the values, PyTorch {theirs[0]:g}"
        return Finding("training", *names, "The dropout rates are not equal", "dropout_rate", says=says)
    says = (
        f"Keras draws {mine[1]} numbers for its mask, PyTorch {theirs[1]}: one drops whole channels or steps, as "
        "SpatialDropout2D and torch.nn.Dropout2d do, where the other drops single values"
    )
    return Finding("training", *names, "The dropout masks have other shapes", "spatial_dropout", says=says)
