"""What a model does to one input, call by call: the common form in which both sides write it down.

A trace lists the calls of a forward pass in the order of execution: layers, and the functions between them. Each
call has a family and settings in the words of the table below, so that the two frameworks can be compared, and the
numbers of the values that go in and come out. Values 0, 1, ... are the model's inputs.

| family | settings |
|---|---|
| conv | strides, pads [[before, after] per axis], dilation, groups |
| conv_transpose | strides, crop [[before, after] per axis], dilation, groups |
| batch_norm | epsilon, keep (the share of the running statistics that a step keeps), training |
| layer_norm, group_norm, rms_norm | epsilon, groups |
| activation | name, and slope, alpha, approximate or axis where it has one |
| pool | kind (max or mean), window, strides, pads, counts_pads, ceil |
| resize | mode, align_corners |
| dropout | rate, active |
| lstm, gru, rnn | reverse, bidirectional, sequences, activation, recurrent_activation, reset_after |
| attention | heads, scale |
| shape | name: the values stay, only their arrangement changes |
| dense, embedding, op | name |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

Edit = dict[str, Any]
LARGEST_CONSTANT = 1_000_000  # values of a constant that is kept


def by_name(returned: Any, is_tensor: Callable[[Any], bool]) -> dict[str, Any]:
    """A model's outputs by name: a single one is `y`, several in a row go by number, those of a dictionary by key.

    What lies in lists or dictionaries within a dictionary goes by `KEY/NUMBER`. What is no tensor (None, a text) is
    left out.

    Raises:
        ValueError: when there is no tensor.
    """

    def leaves(value: Any) -> list[Any]:
        if isinstance(value, Mapping):
            value = list(value.values())
        return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list | tuple) else [value]

    found: dict[str, Any] = {}
    for key, value in returned.items() if isinstance(returned, Mapping) else [("", returned)]:
        tensors = [leaf for leaf in leaves(value) if is_tensor(leaf)]
        if len(tensors) == 1:
            found[str(key) or "y"] = tensors[0]
        else:
            found |= {f"{key}/{place}".lstrip("/"): tensor for place, tensor in enumerate(tensors)}
    if not found:
        raise ValueError(f"the model returns no tensor: {type(returned).__name__}")
    if kinds := {name for name, tensor in found.items() if "complex" in str(tensor.dtype)}:
        raise ValueError(f"output {min(kinds)} is complex, and only real numbers are compared; return its real part")
    return found


@dataclass(frozen=True)
class Event:
    """One call of a forward pass.

    Args:
        index: its place in the order of execution.
        family: what it does, in the words of the table above.
        settings: how.
        call: what the framework calls it, such as `torch.nn.functional.relu` or `keras.layers.Dense`.
        path: attribute path of the layer that makes the call; "" for the model itself.
        where: file and line in the user's code, where there is one, and its function.
        leaf: path of the layer whose weights it uses; "" for a call without weights.
        inputs: numbers of the values that go in.
        outputs: numbers of the values that come out.
        text: the layer or function with its arguments, as one would write it.
        own: whether the layer at `path` is this very call, and not a larger one that makes it.
        constants: numbers of the arrays that go in and are neither weights nor made of the model's inputs.
    """

    index: int
    family: str
    settings: Mapping[str, Any]
    call: str
    path: str
    where: str
    leaf: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    text: str = ""
    own: bool = False
    constants: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The function's, where one word has it on both sides; else the family."""
        return str(self.settings.get("name", self.family))

    @property
    def label(self) -> str:
        """How a message calls it: the layer's path, or function and line."""
        owner = self.path or self.leaf
        if owner and (self.own or (self.leaf and self.family not in ("op", "shape"))):
            return owner
        name = self.name if self.family in ("op", "activation") else self.family
        inside = ".".join(part for part in (self.path, name) if part)
        return f"{inside} ({self.where})" if self.where else inside

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> "Event":
        numbers = {"inputs": tuple(fields["inputs"]), "outputs": tuple(fields["outputs"])}
        return Event(**{**fields, **numbers, "constants": tuple(fields.get("constants", ()))})


class Cut(NamedTuple):
    """What stops a gradient in a pass, or computes one by hand.

    Args:
        word: what it is, such as `detach` or `backward of NAME`.
        where: file and line in the user's code; "" where a model was assembled beforehand.
    """

    word: str
    where: str


def in_words(frame: FrameType) -> str:
    """File and line of a call, and the function in which it is, unless that is just the model's or a layer's own."""
    code = frame.f_code
    place = f"{Path(code.co_filename).name}:{frame.f_lineno}"
    usual = ("forward", "call", "__call__", "build", "<module>", "<lambda>", "<listcomp>", "<genexpr>")
    return place if code.co_name in usual else f"{place} in {code.co_name}"


@dataclass(frozen=True)
class Trace:
    """The calls of one forward pass and their values.

    Args:
        events: in the order of execution.
        values: number -> array, in the framework's own layout; what flowed on.
        outputs: numbers of what the model returns, by name; a single output is called `y`.
        stopped: the error that ended the pass early, in one line; "" when it went through.
        computed: number -> what the call itself computed, where another value was made to flow on.
        constants: number -> an array that goes into a call; numbers of their own.
        written: name of an array that the pass itself changes -> where that is done.
    """

    events: tuple[Event, ...]
    values: Mapping[int, np.ndarray]
    outputs: Mapping[str, int]
    stopped: str = ""
    computed: Mapping[int, np.ndarray] = field(default_factory=dict)
    constants: Mapping[int, np.ndarray] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    producers: Mapping[int, Event] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "producers", {number: e for e in self.events for number in e.outputs})

    def pack(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The calls in JSON's types, and the arrays under their numbers."""
        fields = {"events": [vars(e) for e in self.events], "outputs": dict(self.outputs), "stopped": self.stopped}
        fields["written"] = dict(self.written)
        named = {f"value/{number}": array for number, array in self.values.items()}
        for kind, arrays in (("computed", self.computed), ("constant", self.constants)):
            named |= {f"{kind}/{number}": array for number, array in arrays.items()}
        return fields, named

    @staticmethod
    def unpack(fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "Trace":
        """The inverse of `pack`."""
        events = tuple(Event.from_json(each) for each in fields["events"])
        by_kind: dict[str, dict[int, np.ndarray]] = {"value": {}, "computed": {}, "constant": {}}
        for name, array in arrays.items():
            kind, number = name.split("/")
            by_kind[kind][int(number)] = array
        return Trace(
            events,
            by_kind["value"],
            fields["outputs"],
            fields["stopped"],
            by_kind["computed"],
            by_kind["constant"],
            fields["written"],
        )
