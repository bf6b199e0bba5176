"""Where two passes part between two pairs of layers, as the causes see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compare.verify.causes.candidate import Candidate
from compare.verify.causes.constants import Constant
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
        precedes: whether PyTorch makes Keras's call too, but after the next layer.
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
        constants: of Keras's and PyTorch's calls that part.
        turned: the cause where the values of what enters the next layer are Keras's in another order.
        arrays: of Keras's recurrent layers among the calls that part, by the layer's path and the array's name.
        weights: PyTorch's in the calls that part, by name.
        ends: numbers of what enters the next layer, Keras's and PyTorch's.
        names: what a message calls each value, Keras's and PyTorch's.
        miswired: the cause where PyTorch's call takes another value than Keras's, which PyTorch has elsewhere.
        miswired_in_words: what is said of it.
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
    constants: tuple[Sequence[Constant], Sequence[Constant]] = ((), ())
    ends: tuple[Sequence[int], Sequence[int]] = ((), ())
    names: tuple[Mapping[int, str], Mapping[int, str]] = field(default_factory=lambda: ({}, {}))
    miswired: str = ""
    miswired_in_words: str = ""
    precedes: bool = False
    turned: Sequence[Candidate] = ()
    arrays: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)

    def lengths(self) -> list[int]:
        """The lengths of the axes of what enters the calls that part, without the batch's, each once."""
        found: dict[int, None] = {}
        for events, values in zip(self.unlike, self.values, strict=True):
            for number in (number for event in events for number in event.inputs if number in values):
                found |= dict.fromkeys(values[number].shape[1:])
        return list(found)
