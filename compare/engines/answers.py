"""What a worker's lines of JSON may be: one declaration, against which every line is checked on receipt.

A line is an event on the way, the result of a request, or the reason why there is none. Seconds are wall-clock time.
Losses may be infinite or no number: a training that diverges says so.
"""

import functools
import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError

from compare.record.results import Quantity
from twin.bridge import Leaf

T = TypeVar("T")
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Losses = dict[str, float]


@dataclass(frozen=True)
class Epoch:
    """An event of `fit`: an epoch, counted from one, has ended."""

    event: Literal["epoch"]
    epoch: Count
    epochs: Count
    losses: Losses


@dataclass(frozen=True)
class Result(Generic[T]):
    """A request's result."""

    ok: Literal[True]
    result: T


@dataclass(frozen=True)
class Place:
    """Where code that a user wrote stopped.

    Args:
        unit: the method; "" where that is not known.
        line: of the user's file.
        error: its type and its words.
        overtime: whether it was interrupted because it had no end.
        layer: the attribute whose call did not come to its end, as `dense1`; "" outside of layers.
    """

    unit: str = ""
    line: int | None = None
    error: str = ""
    overtime: bool = False
    layer: str = ""


@dataclass(frozen=True)
class Refusal:
    """Why a request has no result; the worker itself goes on."""

    ok: Literal[False]
    status: Literal["failed", "crashed", "oom_host", "oom_device", "unsupported"]
    reason: str
    partial: Place = Place()


@dataclass(frozen=True)
class Nothing:
    """The result of a request that only does something, or whose results are arrays."""


@dataclass(frozen=True)
class Hello:
    """What is installed, by package, and the name of the device."""

    versions: dict[str, str]
    device: str


@dataclass(frozen=True)
class Built:
    """The layers of a model that own weights."""

    leaves: list[Leaf]


@dataclass(frozen=True)
class Drawn:
    """The state of a random generator after it was drawn from, as NumPy has it."""

    generator: dict[str, Any]


@dataclass(frozen=True)
class Order:
    """Paths of the layers in the order of execution."""

    order: list[str]


@dataclass(frozen=True)
class LayerShapes:
    """The layers of a model, as they ran.

    Args:
        sizes: path -> type and number of parameters; the model itself is "".
        ran: path, shape in and shape out, in the order of execution.
        outputs: name -> shape.
    """

    sizes: dict[str, tuple[str, Count]]
    ran: list[tuple[str, list[int], list[int]]]
    outputs: dict[str, list[int]]

    def __post_init__(self) -> None:
        _no_fewer({"", *(path for path, _, _ in self.ran)}, self.sizes, "sizes")


@dataclass(frozen=True)
class Calls:
    """The calls of a forward pass.

    Args:
        calls: the layer's path, whether the layer is this very call, what it does (`twin.trace`), a function's name,
            the shapes of what comes out in the framework's own order, the numbers of the values that go in, and of
            those that come out.
        stopped: the error that ended the pass early; "" when it went through.
    """

    calls: list[tuple[str, bool, str, str, list[list[int]], list[int], list[int]]]
    stopped: str


@dataclass(frozen=True)
class PhaseLosses:
    """The loss of every phase of a step."""

    losses: Losses


@dataclass(frozen=True)
class Curve:
    """The losses of every step."""

    curve: list[Losses]


@dataclass(frozen=True)
class Warm:
    """How the first steps of a run went, and how it is to be timed.

    Args:
        first_step, second_step: seconds.
        unsteady: quantities whose time still changed when the warm-up ended.
        repetitions: quantity -> how often a timed loop repeats it.
    """

    first_step: Positive
    second_step: Positive
    unsteady: list[Quantity]
    repetitions: dict[Quantity, Annotated[int, Field(ge=1)]]


@dataclass(frozen=True)
class Seconds:
    """Seconds of one repetition."""

    seconds: Positive


@dataclass(frozen=True)
class Wrote:
    """What writing or loading an exported file took, and the versions of what did it."""

    seconds: Positive
    tools: dict[str, str]


@dataclass(frozen=True)
class Activations:
    """The activations of a forward pass, in their order."""

    activations: list[str]


@dataclass(frozen=True)
class PeakMemory:
    """MiB: the device's, on a CPU the process's."""

    peak_memory_mib: Positive


@dataclass(frozen=True)
class MultiplyAdds:
    """What one picture costs a model."""

    multiply_adds: Count


@dataclass(frozen=True)
class Trained:
    """What a training reached.

    Args:
        losses: name -> after each epoch.
        provenance: where the data came from.
        rows: of an epoch.
        seconds: of the training alone.
        epoch_seconds: of each epoch.
        value: of the metric on the test part; None where the training was stopped.
        stopped: why it was stopped, if it was.
        shown: pictures of what was learned, where they were asked for.
    """

    losses: dict[str, list[float]]
    provenance: str
    rows: Count
    seconds: Positive
    epoch_seconds: list[float]
    value: float | None = None
    stopped: str | None = None
    shown: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None) == (self.stopped is None):
            raise ValueError("a training has either a value or the reason why it was stopped")
        if self.value is not None and not self.rows:
            raise ValueError("nothing is learned from no rows")
        if not all(math.isfinite(seconds) for seconds in self.epoch_seconds):
            raise ValueError("the seconds of an epoch are finite")


@dataclass(frozen=True)
class Ran:
    """Which methods of a learner's file were called."""

    ran: list[str]


@dataclass(frozen=True)
class Default:
    """A function's default for a keyword, as Python writes it; "" where it does not say."""

    default: str


@dataclass(frozen=True)
class Value:
    """The value of a loss, and what it is in words."""

    value: float
    text: str


@dataclass(frozen=True)
class Found(Generic[T]):
    """What a method of a user's own model returns where it is no arrays."""

    found: T


Line = Epoch | Result[T] | Refusal


class Malformed(Exception):
    """A line that is no answer; the message says what is wrong with it."""


def parse(line: bytes, kind: type[T]) -> Line[T]:
    """A worker's line as the dataclass that it is.

    Args:
        line: JSON.
        kind: of the result that the request should have.

    Raises:
        Malformed: when it is none of what a worker may write.
    """
    try:
        adapter: TypeAdapter = _lines(kind)  # type: ignore[arg-type]
        return adapter.validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"][1:]))
        raise Malformed(f"{place}: {first['msg']}" if place else first["msg"]) from error


@functools.cache
def _lines(kind: Any) -> TypeAdapter:
    return TypeAdapter(
        Annotated[
            Annotated[Epoch, Tag("event")]
            | Annotated[Result[kind], Tag("result")]
            | Annotated[Refusal, Tag("refusal")],
            Discriminator(_meant),
        ]
    )


def _meant(line: Any) -> str:
    """Which of the three a line is meant to be, so that what is told of it is about that one."""
    if not isinstance(line, dict):
        return "result"
    return "event" if "event" in line else "refusal" if line.get("ok") is False else "result"


def _no_fewer(wanted: set[str], named: dict[str, Any], what: str) -> None:
    if missing := wanted - named.keys():
        raise ValueError(f"{what} lacks {', '.join(sorted(missing))}")
