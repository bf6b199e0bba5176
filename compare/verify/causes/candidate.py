"""A possible cause: what it changes on PyTorch's pass, and what to write instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.words import assigned, name_of
from twin.trace import Edit, Event


@dataclass(frozen=True)
class InTorch:
    """What to write in PyTorch, and the edits that carry out just that on its pass.

    Args:
        text: what is printed.
        edits: what is run.
        arrays: values that the edits need.
    """

    text: str
    edits: Sequence[Edit]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    @staticmethod
    def of(lines: Sequence[str], at: Event, without: Sequence[Event] = (), behind: bool = False) -> "InTorch":
        """Lines of code in place of a call, or behind it; each takes what the one before gives as `x`.

        Args:
            lines: of code, which is run as it is printed.
            at: the call.
            without: calls that are left out.
            behind: whether the lines come behind the call.
        """
        more = {"after": True} if behind else {}
        skipped: list[Edit] = [{"event": event.index, "do": "skip"} for event in without]
        verb = "after it, " if behind else ""
        text = verb + ", then ".join(lines)
        return InTorch(text, [*skipped, {"event": at.index, "do": "code", "code": list(lines), **more}])

    @staticmethod
    def otherwise(at: Event, expressions: Mapping[str, str]) -> "InTorch":
        """A call with other arguments: code for each, in which the call's own arguments are known by their names."""
        edits: list[Edit] = [{"event": at.index, "do": "arguments", "expressions": dict(expressions)}]
        return InTorch(f"{assigned(expressions)} in {name_of(at)}", edits)


@dataclass(frozen=True)
class InKeras:
    """What to write in Keras: code that is run on Keras's values, which must give what PyTorch has.

    Args:
        lines: of code; each takes what the one before gives as `x`.
        given: the values that enter; those that enter Keras's call where it is empty.
        goal: what PyTorch has; what PyTorch's call gives where it is None.
        words: what is printed in place of the lines.
    """

    lines: Sequence[str]
    given: Sequence[np.ndarray] = ()
    goal: np.ndarray | None = None
    words: str = ""

    @property
    def text(self) -> str:
        """What is printed."""
        return self.words or ", then ".join(self.lines)


@dataclass(frozen=True)
class Candidate:
    """A possible cause.

    Args:
        cause: its name.
        says: in words, with both sides' values.
        edits: what makes PyTorch do as Keras does; none where that cannot be tried.
        arrays: values that the edits need.
        torch, keras: what to write instead on either side; printed if it was run and both agree with it.
        measured: how far apart both are with it, where that needs no pass; None, without edits, for a cause that the
            values show and that nothing was measured with.
    """

    cause: str
    says: str
    edits: Sequence[Edit] = ()
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    torch: InTorch | None = None
    keras: InKeras | None = None
    measured: float | None = None


def only_named(cause: str | None) -> bool:
    """Whether a cause names kinds of calls, as `missing_tanh` or `mean_for_max`, and not what is meant."""
    return cause is None or cause.startswith(("missing_", "extra_", "other_")) or "_for_" in cause


def neutral(event: Event) -> bool:
    """Whether a call leaves every value as it is, or only frames them with zeros for the next call."""
    if event.family == "dropout":
        return not event.settings["active"]
    return event.family == "shape" or event.settings.get("name") == "pad"


def multiple(got: np.ndarray, wanted: np.ndarray) -> float | None:
    """c with wanted = c * got, if there is one."""
    if got.shape != wanted.shape or got.size < 2:  # any number is a multiple of any other
        return None
    own = float(np.vdot(got.astype(np.float64), got))
    factor = float(np.vdot(got.astype(np.float64), wanted)) / own if own > 0 else 0.0
    return factor if factor and alignment.relative(got * factor, wanted) <= 1e-5 else None
