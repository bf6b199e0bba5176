"""One side's calls between values that both sides have and one that differs, as a graph and as a formula."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from compare.verify import axes as alignment
from compare.verify.verdict import LIMIT
from twin.trace import Event

MOST = 40  # calls of either side
LARGEST = 1_000_000  # numbers of a value that are sorted
DEEP = 4  # calls within each other that are written
SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "power": "**"}
ALIKE = {
    "__rsub__": "subtract", "true_divide": "divide", "__rtruediv__": "divide", "bmm": "matmul", "mm": "matmul",
    "concat": "concatenate", "cat": "concatenate", "amax": "max", "amin": "min", "absolute": "abs", "clamp": "clip",
    "neg": "negative", "pow": "power", "float_power": "power", "cast": "float", "permute": "transpose",
    "dot": "matmul", "tensordot": "matmul", "einsum": "matmul", "logical_not": "not", "baddbmm": "matmul",
    "sub": "subtract", "mul": "multiply", "div": "divide", "rsub": "subtract", "_softmax": "softmax",
    "var_mean": "var", "std_mean": "std", "swish": "silu", "special_expm1": "expm1", "linalg_norm": "norm",
    "vector_norm": "norm", "matrix_norm": "norm", "masked_fill": "where", "chunk": "split", "unbind": "unstack",
    "tensor_split": "split", "index_select": "take", "gather": "take_along_axis",
    "expand": "repeat", "tile": "repeat", "repeat_interleave": "repeat", "broadcast_to": "repeat",
    "expand_as": "repeat",
}  # fmt: skip
POWERS = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal", -0.5: "rsqrt", 3.0: "cube"}
# One function of one value as several, the last first.
CHAINS = {
    "rsqrt": (("reciprocal", "sqrt"),), "norm": (("sqrt", "sum", "square"),), "std": (("sqrt", "var"),),
    "log_softmax": (("log", "softmax"),), "mean": (("divide", "sum"), ("multiply", "sum")),
    "softmax": (("exp", "log_softmax"),), "reciprocal": (("exp", "negative", "log"),),
    "log_sigmoid": (("log", "sigmoid"), ("negative", "softplus", "negative")), "log1p": (("log", "add"),),
    "dense": (("add", "matmul"), ("matmul",)), "expm1": (("subtract", "exp"),), "logsumexp": (("log", "sum", "exp"),),
    "cube": (("power",),),
}  # fmt: skip
EITHER_WAY = {"add", "multiply", "maximum", "minimum"}
MASKED = -50.0  # of which, and of less, a softmax leaves nothing
SILENT = {
    "float",
    "contiguous",
    "identity",
    "stop_gradient",
    "detach",
    "clone",
    "to",
    "type",
    "convert_to_tensor",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
}


@dataclass
class Side:
    """One side's calls that part."""

    values: Mapping[int, np.ndarray]
    makers: Mapping[int, Event]
    names: Mapping[int, str]
    constants: Mapping[int, list[np.ndarray]]
    fixed: Collection[int] = ()  # values that are made of no input
    kinds: dict[int, str] = field(default_factory=dict)
    totals: dict[int, float] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)

    def kind(self, event: Event) -> str:
        """What a call does, in the same word on both sides, also where each writes it otherwise."""
        if event.index not in self.kinds:
            self.kinds[event.index] = self._kind(event)
        return self.kinds[event.index]

    def _kind(self, event: Event) -> str:
        name = kind(event)
        if name == "multiply" and len(event.inputs) == 2 and len(set(map(self.behind, event.inputs))) == 1:
            return "square"
        if name == "dense" and len(event.inputs) == 2:  # by a matrix that is no weight by itself
            return "matmul"
        if name == "power":
            return POWERS.get(self.number(event) or 0.0, name)
        if name == "divide" and self.number(event) == 1.0 and self.turned(event):
            return "reciprocal"
        if name in ("clip", "maximum") and len(event.inputs) == 1 and not self.constants.get(event.index):
            x, y = (self.values.get(numbers[0]) for numbers in (event.inputs, event.outputs))
            if x is not None and y is not None and x.shape == y.shape and np.array_equal(np.maximum(x, 0), y):
                return "relu"
        return name

    def chain(self, number: int, names: tuple[str, ...]) -> tuple[Event, int] | None:
        """The last of some calls in a row that make a value, and what enters it; None where others make it."""
        event = None
        for name in names:
            event = self.makers.get(self.behind(number))
            if event is None or self.kind(event) != name or len(event.inputs) != 1:
                return None
            number = event.inputs[0]
        return (event, number) if event is not None else None

    def behind(self, number: int) -> int:
        """The value without the calls that only arrange it or hand it on."""
        for _ in range(MOST):
            event = self.makers.get(number)
            if event is None or len(event.inputs) != 1 or not self.silent(event):
                break
            number = event.inputs[0]
        return number

    def silent(self, event: Event) -> bool:
        given, made = (self.values.get(numbers[0]) for numbers in (event.inputs, event.outputs))
        if given is None or made is None or given.size != made.size:
            return False
        if event.name == "getitem" and np.array_equal(given.ravel(), made.ravel()):
            return True  # it adds axes of length 1
        return event.family == "shape" or event.settings.get("name") in SILENT or (
            event.family == "dropout" and not event.settings.get("active")
        )  # fmt: skip

    def attended(self, event: Event) -> list[tuple[Event, int]]:
        """Query, key and value of attention, each the call that takes it and its place; none where it is another."""
        if event.family == "attention":
            return [(event, place) for place in range(3)] if len(event.inputs) > 2 else []
        if kind(event) != "matmul" or len(event.inputs) != 2:
            return []
        number, after = event.inputs[0], False
        for _ in range(8):
            maker = self.makers.get(self.behind(number))
            if maker is None or not maker.inputs:
                return []
            if after and kind(maker) == "matmul" and len(maker.inputs) == 2:
                return [self._unscaled(maker, 0), self._unscaled(maker, 1), (event, 1)]
            after = after or kind(maker) == "softmax"
            number = maker.inputs[0]
        return []

    def _unscaled(self, event: Event, place_of: int) -> tuple[Event, int]:
        """The call that takes a value before it is multiplied by a plain number."""
        maker = self.makers.get(self.behind(event.inputs[place_of]))
        if maker is not None and kind(maker) in ("multiply", "divide") and self.number(maker) is not None:
            return maker, 0
        return event, place_of

    def total(self, number: int) -> float:
        """The sum of a value's absolute numbers, which two equal values share."""
        if number not in self.totals:
            self.totals[number] = float(np.abs(self.values[number].astype(np.float64)).sum())
        return self.totals[number]

    def size(self, number: int) -> int:
        """How many calls of its own a value is made by."""
        number = self.behind(number)
        if number not in self.sizes:
            todo, seen = [number], set()
            while todo:
                event = self.makers.get(self.behind(todo.pop()))
                if event is not None and event.index not in seen:
                    seen.add(event.index)
                    todo += event.inputs
            self.sizes[number] = len(seen)
        return self.sizes[number]

    def arrangement(self, event: Event) -> str:
        """The calls that arrange what enters a call, and the shape that they give."""
        told = []
        for number in event.inputs:
            steps = []
            end = self.behind(number)
            shape = tuple(self.values[number].shape)
            while number != end and (maker := self.makers.get(number)) is not None:
                steps.append(maker.text or kind(maker))
                number = maker.inputs[0]
            told += [f"{', '.join(reversed(steps))} gives {shape}"] if steps else []
        return "; ".join(told) or "nothing"

    def number(self, event: Event) -> float | None:
        """The plain number of a call such as x * 2, read off its values; None where there is none."""
        if len(event.inputs) != 1 or self.constants.get(event.index) or kind(event) not in SIGNS:
            return None
        x, y = (self.values.get(numbers[0]) for numbers in (event.inputs, event.outputs))
        if x is None or y is None or x.shape != y.shape or x.dtype.kind != "f" or not x.size:
            return None
        with np.errstate(all="ignore"):
            x, y = x.astype(np.float64).ravel(), y.astype(np.float64).ravel()
            left = {"add": y - x, "subtract": x - y, "multiply": y / x, "divide": x / y,
                    "power": np.log(y) / np.log(np.abs(x)), "matmul": np.array([])}[kind(event)]  # fmt: skip
            left = left[np.isfinite(left)]
            if kind(event) == "subtract" and left.size and np.ptp(left) > 1e-3 * (1 + abs(left).max()):
                left = x + y  # a number less x
            if kind(event) == "divide" and left.size and np.ptp(left) > 1e-3 * abs(left).max():
                left = (x * y)[np.isfinite(x * y)]  # a number over x
        if not left.size:
            return None
        middle = float(np.median(left))
        return float(f"{middle:.5g}") if np.median(abs(left - middle)) <= 1e-3 * abs(middle) + 1e-6 else None

    def scalar(self, event: Event) -> tuple[float, int] | None:
        """The one number that a call takes beside a value, plain or made of constants; and the value."""
        if len(event.inputs) == 1:
            number = self.number(event)
            return None if number is None or self.turned(event) else (number, event.inputs[0])
        if len(event.inputs) != 2 or kind(event) not in SIGNS:
            return None
        places = [
            place for place, each in enumerate(event.inputs) if each in self.fixed and self.values[each].size == 1
        ]
        if len(places) != 1 or (places == [0] and kind(event) not in EITHER_WAY):
            return None
        return float(self.values[event.inputs[places[0]]].ravel()[0]), event.inputs[1 - places[0]]

    def written(self, number: int, deep: int = DEEP) -> str:
        """A value as a formula of values that have a name."""
        if number in self.fixed and self.values[number].size == 1:
            return f"{float(self.values[number].ravel()[0]):.5g}"
        number = self.behind(number)
        event = self.makers.get(number)
        if event is None:
            return self.names.get(number, f"value {number}")
        if deep < 1:
            return "..."
        given = [self.written(each, deep - 1) for each in event.inputs]
        name = self.kind(event)
        if name in SIGNS:
            own = self.number(event)
            given += [f"{own:g}"] if own is not None else []
            given += [_array(each) for each in self.constants.get(event.index, [])]
            if own is not None and self.turned(event):
                given.reverse()
            given += ["a weight"] if len(given) == 1 and name != "power" else []  # what else no trace writes down
            if len(given) == 2:
                return "(" + f" {SIGNS[name]} ".join(given) + ")"
        else:
            given += [_array(each) for each in self.constants.get(event.index, [])]
        arguments = event.text.partition("(")[2].removesuffix(")") if event.text.endswith(")") else ""
        which = f"[{event.outputs.index(number)}]" if len(event.outputs) > 1 else ""
        return f"{name}({', '.join([*given, *([arguments] if arguments else [])])}){which}"

    def masks(self, event: Event) -> bool:
        """Whether a call makes some values so small that a softmax leaves nothing of them."""
        x, y = (self.values.get(next(iter(numbers), -1)) for numbers in (event.inputs, event.outputs))
        if kind(event) in ("pad", "dense", "conv", "matmul"):  # before a pooling by maximum; values of any size
            return False
        if x is None or y is None or x.dtype.kind != "f" or y.dtype.kind != "f" or not x.size:
            return False
        return bool((y <= MASKED).any() and (y > MASKED).any() and (x > MASKED).all())

    def turned(self, event: Event) -> bool:
        """Whether the number of a difference or a quotient stands first."""
        x, y = (self.values[numbers[0]].astype(np.float64) for numbers in (event.inputs, event.outputs))
        number = self.number(event)
        if number is None or kind(event) not in ("subtract", "divide"):
            return False
        with np.errstate(all="ignore"):
            plain = x - number if kind(event) == "subtract" else x / number
        return alignment.relative(plain, y) > LIMIT


def _array(array: np.ndarray) -> str:
    return f"{float(array.ravel()[0]):g}" if array.size == 1 else f"an array {tuple(array.shape)}"


def kind(event: Event) -> str:
    """What a call does, in the same word on both sides."""
    if event.family == "pool":
        return f"{event.settings.get('kind')}_pool"
    return ALIKE.get(event.name, event.name)
