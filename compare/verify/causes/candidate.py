"""A possible cause: what it changes on PyTorch's pass, and what to write instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compare.verify import axes as alignment
from twin.trace import Edit, Event


@dataclass(frozen=True)
class Candidate:
    """A possible cause.

    Args:
        cause: its name.
        says: in words, with both sides' values.
        fix: what to write instead, for either side.
        edits: what makes PyTorch do as Keras does; none where that cannot be tried.
        arrays: values that the edits need.
    """

    cause: str
    says: str
    fix: Mapping[str, str]
    edits: Sequence[Edit] = ()
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def neutral(event: Event) -> bool:
    """Whether a call leaves every value as it is, or only frames them with zeros for the next call."""
    if event.family == "dropout":
        return not event.settings["active"]
    return event.family == "shape" or event.settings.get("name") == "pad"


def multiple(got: np.ndarray, wanted: np.ndarray) -> float | None:
    """c with wanted = c * got, if there is one."""
    if got.shape != wanted.shape:
        return None
    own = float(np.vdot(got.astype(np.float64), got))
    factor = float(np.vdot(got.astype(np.float64), wanted)) / own if own > 0 else 0.0
    return factor if factor and alignment.relative(got * factor, wanted) <= 1e-5 else None
