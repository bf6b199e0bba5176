"""What each side drops: the rates, and how many numbers each draws for its mask."""

from collections.abc import Mapping, Sequence
from typing import Any

from compare.verify.verdict import Finding
from twin.trace import Event

Drop = tuple[float, int]  # the rate, and the number of draws


def drops(found: Sequence[Mapping[str, Any]]) -> list[Drop]:
    """Each dropout's rate and number of draws, to compare."""
    return [(round(float(each["rate"]), 6), int(each["draws"])) for each in found]


def active(events: Sequence[Event]) -> list[Event]:
    """The calls that drop values."""
    return [e for e in events if e.family == "dropout" and e.settings.get("active") and e.settings.get("rate")]


def in_inference(counts: tuple[int, int]) -> Finding:
    """Dropout that one side applies in inference mode; `counts` are Keras's and PyTorch's."""
    side, other = ("PyTorch", "Keras") if counts[1] > counts[0] else ("Keras", "PyTorch")
    fix = {
        "torch": "torch.nn.functional.dropout(x, p, training=self.training)",
        "keras": "hand `training` on to the Dropout layer",
    }
    what = f"{side} drops values in inference mode, {other} does not"
    return Finding("forward", "dropout", "dropout", what, "dropout_mode", says=what, fix=fix)


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
    verbs = ("add", "take out") if side == "Keras" else ("take out", "add")
    fix = {
        "torch": f"{verbs[0]} torch.nn.Dropout({each[0]:g})",
        "keras": f"{verbs[1]} keras.layers.Dropout({each[0]:g})",
    }
    return Finding("training", names[0], names[1], "one side drops values, the other not", cause, says=says, fix=fix)


def _unlike(mine: Drop, theirs: Drop, names: tuple[str, str]) -> Finding:
    if mine[1] == theirs[1]:
        says = f"Keras drops {mine[0]:g} of the values, PyTorch {theirs[0]:g}"
        fix = {"torch": f"torch.nn.Dropout({mine[0]:g})", "keras": f"keras.layers.Dropout({theirs[0]:g})"}
        what = "the dropout rates are not equal"
        return Finding("training", names[0], names[1], what, "dropout_rate", says=says, fix=fix)
    says = (
        f"Keras draws {mine[1]} numbers for its mask, PyTorch {theirs[1]}: one drops whole channels or steps where the "
        "other drops single values"
    )
    fix = {
        "torch": "torch.nn.Dropout drops single values; Dropout1d and Dropout2d drop whole channels of (B, C, ...)",
        "keras": "keras.layers.Dropout drops single values; SpatialDropout1D and SpatialDropout2D whole channels",
    }
    what = "the dropout masks have other shapes"
    return Finding("training", names[0], names[1], what, "spatial_dropout", says=says, fix=fix)
