"""Where two passes part between two pairs of layers, as the causes see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twin.trace import Edit, Event


@dataclass(frozen=True)
class Replacement:
    """A PyTorch call made to give another value.

    Args:
        event: the call.
        value: in PyTorch's layout.
        instead: whether the call is the counterpart of Keras's, and not one before it.
    """

    event: Event
    value: np.ndarray
    instead: bool

    def edits(self) -> tuple[list[Edit], dict[str, np.ndarray]]:
        """What carries it out."""
        return [{"event": self.event.index, "do": "output"}], {f"{self.event.index}/output/0": self.value}


@dataclass(frozen=True)
class Situation:
    """What lies between two pairs of layers where both sides part.

    Args:
        keras: the first call of Keras's whose result PyTorch has nowhere; None where there is none.
        torch: the first of PyTorch's whose result Keras has nowhere.
        source: what enters PyTorch's call.
        layer: the next layer's call in PyTorch; None before the output.
        follows: whether Keras makes PyTorch's call too, but after the next layer.
        replacements: PyTorch's calls that could be made to give the result of Keras's.
        end: PyTorch's call made to give what enters Keras's next layer.
        arranged: PyTorch's last call that only rearranges values.
        picks: whether PyTorch's call picks from a sequence of which Keras passes on the last step.
        rearranged: the shape in which Keras's call takes a value that PyTorch has in no such arrangement.
        entering: what enters the next layer, Keras's value and PyTorch's.
        unlike: the calls whose results the other side has nowhere, Keras's and PyTorch's.
        values: all values, Keras's and PyTorch's.
        givers: what gives each of PyTorch's values, in words.
        before: PyTorch's calls up to where both part.
        miswired: the cause where PyTorch's call takes another value than Keras's, which PyTorch has elsewhere.
    """

    keras: Event | None
    torch: Event | None
    source: np.ndarray | None
    layer: Event | None
    follows: bool
    replacements: Sequence[Replacement]
    end: Replacement | None
    arranged: Event | None
    picks: bool
    rearranged: tuple[int, ...] | None
    entering: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    unlike: tuple[Sequence[Event], Sequence[Event]] = ((), ())
    values: tuple[Mapping[int, np.ndarray], Mapping[int, np.ndarray]] = field(default_factory=lambda: ({}, {}))
    givers: Mapping[int, str] = field(default_factory=dict)
    before: Sequence[Event] = ()
    miswired: str = ""
