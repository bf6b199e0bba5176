"""The calls of both sides between values that both have and a value that differs, as two graphs, and the cheapest way
from one to the other: Zhang and Shasha's distance of trees (1989), on graphs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.situation import Situation
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
    "dot": "matmul", "tensordot": "matmul", "logical_not": "not",
    "expand": "repeat", "tile": "repeat", "repeat_interleave": "repeat", "broadcast_to": "repeat",
    "expand_as": "repeat",
}  # fmt: skip
EITHER_WAY = {"add", "multiply", "maximum", "minimum"}
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


class Change(NamedTuple):
    """One step from Keras's formula to PyTorch's.

    Args:
        kind: missing, extra, other, operand, order, arguments or whole.
        keras, torch: numbers of the two values that are then each other's.
        events: Keras's call and PyTorch's, where the step is of one.
        top: whether nothing after it differs: Keras's value put here makes what follows equal.
        consumer: PyTorch's call that takes the value, and at which place; None for the formula as a whole.
    """

    kind: str
    keras: int
    torch: int
    events: tuple[Event | None, Event | None]
    top: bool = True
    consumer: tuple[Event, int] | None = None


Way = tuple[float, tuple[Change, ...]]


@dataclass
class Side:
    """One side's calls that part."""

    values: Mapping[int, np.ndarray]
    makers: Mapping[int, Event]
    names: Mapping[int, str]
    constants: Mapping[int, list[np.ndarray]]

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
        return event.family == "shape" or event.settings.get("name") in SILENT or (
            event.family == "dropout" and not event.settings.get("active")
        )  # fmt: skip

    def attended(self, event: Event) -> list[tuple[Event, int]]:
        """Query, key and value of attention, each the call that takes it and its place; none where it is another."""
        if event.family == "attention":
            return [(event, place) for place in range(3)] if len(event.inputs) > 2 else []
        if kind(event) not in ("matmul", "einsum") or len(event.inputs) != 2:
            return []
        number, after = event.inputs[0], False
        for _ in range(8):
            maker = self.makers.get(self.behind(number))
            if maker is None or not maker.inputs:
                return []
            if after and kind(maker) in ("matmul", "einsum") and len(maker.inputs) == 2:
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

    def size(self, number: int, seen: set[int] | None = None) -> int:
        """How many calls of its own a value is made by."""
        seen = set() if seen is None else seen
        event = self.makers.get(self.behind(number))
        if event is None or event.index in seen:
            return 0
        seen.add(event.index)
        return 1 + sum(self.size(each, seen) for each in event.inputs)

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

    def written(self, number: int, deep: int = DEEP) -> str:
        """A value as a formula of values that have a name."""
        number = self.behind(number)
        event = self.makers.get(number)
        if event is None:
            return self.names.get(number, f"value {number}")
        if deep < 1:
            return "..."
        given = [self.written(each, deep - 1) for each in event.inputs]
        name = kind(event)
        if name in SIGNS:
            own = self.number(event)
            given += [f"{own:g}"] if own is not None else []
            given += [_array(each) for each in self.constants.get(event.index, [])]
            if own is not None and self._turned(event):
                given.reverse()
            if len(given) == 2:
                return "(" + f" {SIGNS[name]} ".join(given) + ")"
        else:
            given += [_array(each) for each in self.constants.get(event.index, [])]
        arguments = event.text.partition("(")[2].removesuffix(")") if event.text.endswith(")") else ""
        which = f"[{event.outputs.index(number)}]" if len(event.outputs) > 1 else ""
        return f"{name}({', '.join([*given, *([arguments] if arguments else [])])}){which}"

    def _turned(self, event: Event) -> bool:
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
    name = str(event.settings.get("name", event.family))
    if event.family == "pool":
        return f"{event.settings.get('kind')}_pool"
    return ALIKE.get(name, name)


@dataclass
class Graphs:
    """Both sides, and the cheapest ways from values of one to values of the other."""

    at: Situation
    keras: Side = field(init=False)
    torch: Side = field(init=False)
    ways: dict[tuple[int, int], Way] = field(default_factory=dict)
    same: dict[tuple[int, int], bool] = field(default_factory=dict)
    orders: list[tuple[int, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sides = []
        for side in (0, 1):
            makers = {number: event for event in self.at.unlike[side] for number in event.outputs}
            constants: dict[int, list[np.ndarray]] = {}
            for each in self.at.constants[side]:
                if each.slot.startswith("constant"):
                    constants.setdefault(each.event.index, []).append(each.array)
            sides.append(Side(self.at.values[side], makers, self.at.names[side], constants))
        self.keras, self.torch = sides

    def silent(self, side: int, event: Event) -> bool:
        """Whether a call only arranges its value."""
        return (self.keras, self.torch)[side].silent(event) if len(event.inputs) == 1 else False

    def equal(self, one: int, other: int) -> bool:
        """Whether two values are the same, in whatever order of axes."""
        if (one, other) not in self.same:
            a, b = self.keras.values.get(one), self.torch.values.get(other)
            far, order = (float("inf"), None)
            if a is not None and b is not None and a.size == b.size and a.dtype.kind in "fiub" and b.dtype.kind != "c":
                sums = [float(np.abs(each.astype(np.float64)).sum()) for each in (a, b)]
                if abs(sums[0] - sums[1]) <= 1e-2 * (1e-6 + sums[0]) or not np.isfinite(sums).all():
                    far, order = alignment.distance(a, b)
                if far > LIMIT and self._patches(one, other) and a.size < LARGEST:
                    far = alignment.relative(np.sort(a, axis=None), np.sort(b, axis=None))
            self.same[one, other] = far <= LIMIT
            if far <= LIMIT and order is not None and a is not None and len(order) == a.ndim > 1 and a.size > 3:
                self.orders.append(order)
        return self.same[one, other]

    def _patches(self, one: int, other: int) -> bool:
        """Whether both values are patches of an image, which each framework gives in an order of its own."""
        makers = self.keras.makers.get(one), self.torch.makers.get(other)
        return all(maker is not None and kind(maker) in ("extract_patches", "unfold") for maker in makers)

    def as_torch(self, one: int, other: int) -> np.ndarray | None:
        """Keras's value in the layout of PyTorch's: in that of values that both have, where it fits."""
        value, native = self.keras.values.get(one), self.torch.values.get(other)
        if value is None or native is None or value.size != native.size:
            return None
        fits = alignment.arrangements(native.shape, value.shape) if value.ndim == native.ndim else []
        known = [order for order in self.orders if order in fits]
        if known:
            order = max(set(known), key=known.count)
            return np.ascontiguousarray(value.transpose(np.argsort(order)))
        if fits:
            order = alignment.distance(value, native)[1] or fits[0]
            return np.ascontiguousarray(value.transpose(np.argsort(order)))
        plain = [n for n in native.shape if n != 1] == [n for n in value.shape if n != 1]
        return value.reshape(native.shape) if plain else None

    def way(self, one: int, other: int) -> Way:
        """The cheapest way from Keras's value to PyTorch's."""
        key = (one, other)
        if key not in self.ways:
            self.ways[key] = (float("inf"), ())  # no way leads through itself
            self.ways[key] = self._way(one, other)
        return self.ways[key]

    def _way(self, one: int, other: int) -> Way:
        a, b = self.keras.behind(one), self.torch.behind(other)
        if self.equal(a, b):
            return 0.0, ()
        mine, theirs = self.keras.makers.get(a), self.torch.makers.get(b)
        if mine is None and theirs is None:
            return 1.0, (Change("operand", one, other, (None, None)),)
        sizes = self.keras.size(a), self.torch.size(b)
        options: list[Way] = [
            (1.5 + 0.5 * sum(sizes), (Change("whole", one, other, (mine, theirs)),)),
            *(self._missing(one, other, mine) if mine is not None else ()),
            *(self._extra(one, other, theirs) if theirs is not None else ()),
        ]
        if mine is not None and theirs is not None and mine.inputs and theirs.inputs:
            options += self._both_calls(one, other, mine, theirs)
            options += self._attentions(one, other, mine, theirs)
        return min(options, key=lambda each: each[0])

    def _missing(self, one: int, other: int, mine: Event) -> Iterator[Way]:
        """Keras's call made on top of what is PyTorch's."""
        for place_of_main, number in enumerate(mine.inputs):
            beside = sum(self.keras.size(n) for i, n in enumerate(mine.inputs) if i != place_of_main)
            cost, steps = self.way(number, other)
            change = Change("missing", one, other, (mine, None))
            yield 1.0 + 0.5 * beside + cost, (change, *(step._replace(top=False) for step in steps))

    def _extra(self, one: int, other: int, theirs: Event) -> Iterator[Way]:
        """PyTorch's call made on top of what is Keras's."""
        for place_of_main, number in enumerate(theirs.inputs):
            beside = sum(self.torch.size(n) for i, n in enumerate(theirs.inputs) if i != place_of_main)
            cost, steps = self.way(one, number)
            change = Change("extra", one, other, (None, theirs))
            yield 1.0 + 0.5 * beside + cost, (change, *(step._replace(top=False) for step in steps))

    def _both_calls(self, one: int, other: int, mine: Event, theirs: Event) -> Iterator[Way]:
        """One call of each side, operand by operand."""
        alike = kind(mine) == kind(theirs)
        if len(mine.inputs) != len(theirs.inputs):
            if alike and kind(mine) not in SIGNS:
                yield 1.0, (Change("arguments", one, other, (mine, theirs)),)
            return
        if {kind(mine), kind(theirs)} in ({"multiply", "divide"}, {"add", "subtract"}):
            yield from self._inverse(mine, theirs)
        count = len(mine.inputs)
        orders = list(permutations(range(count))) if count <= 4 else [tuple(range(count))]
        for order in orders:
            turned = order != tuple(range(count))
            if turned and not alike:
                continue
            cost, steps = 0.0, []
            for slot, place_of_other in enumerate(order):
                more, found = self.way(mine.inputs[slot], theirs.inputs[place_of_other])
                cost += more
                for step in found:
                    own = step.consumer is None and step.torch == theirs.inputs[place_of_other]
                    steps.append(step._replace(consumer=(theirs, place_of_other)) if own else step)
            if turned and kind(mine) not in EITHER_WAY:
                cost += 0.9
                steps = [Change("order", one, other, (mine, theirs)), *(step._replace(top=False) for step in steps)]
            if not alike:
                cost += 1.2
                steps = [Change("other", one, other, (mine, theirs)), *(step._replace(top=False) for step in steps)]
            elif not steps:
                cost, steps = 1.0, [Change("arguments", one, other, (mine, theirs))]
            elif not turned and self._other_arguments(mine, theirs):
                cost += 1.0
                steps = [Change("arguments", one, other, (mine, theirs)), *(step._replace(top=False) for step in steps)]
            yield cost, tuple(steps)

    def _inverse(self, mine: Event, theirs: Event) -> Iterator[Way]:
        """A product with the reciprocal for a quotient, or a sum with the negative for a difference."""
        product = kind(mine) in ("multiply", "divide")
        for slot in range(len(mine.inputs)) if kind(mine) in EITHER_WAY else (1,):
            for other in range(len(theirs.inputs)) if kind(theirs) in EITHER_WAY else (1,):
                if len(mine.inputs) != 2 or len(theirs.inputs) != 2:
                    continue
                value, native = self.as_torch(mine.inputs[slot], theirs.inputs[other]), None
                if value is not None:
                    native = self.torch.values[theirs.inputs[other]].astype(np.float64)
                with np.errstate(all="ignore"):
                    turned = None if value is None else 1 / value if product else -value
                if native is None or turned is None or alignment.relative(turned, native) > LIMIT:
                    continue
                number = theirs.inputs[1 - other]
                cost, steps = self.way(mine.inputs[1 - slot], number)
                own = [step.consumer is None and step.torch == number for step in steps]
                yield (
                    0.1 + cost,
                    tuple(
                        step._replace(consumer=(theirs, 1 - other)) if lone else step
                        for step, lone in zip(steps, own, strict=True)
                    ),
                )

    def _attentions(self, one: int, other: int, mine: Event, theirs: Event) -> Iterator[Way]:
        """Attention as one function on one side and by hand on the other: query, key and value of each."""
        if (mine.family == "attention") == (theirs.family == "attention"):
            return
        parts = self.keras.attended(mine), self.torch.attended(theirs)
        if not all(parts):
            return
        for order in ((0, 1, 2), (1, 0, 2)):  # weights of query and key may have crossed either way
            cost, steps = 0.1 + 0.2 * (order[0] == 1), []
            for place_of_role, (event, slot) in zip(order, parts[1], strict=True):
                maker, place_of_mine = parts[0][place_of_role]
                more, found = self.way(maker.inputs[place_of_mine], event.inputs[slot])
                cost += more
                for step in found:
                    own = step.consumer is None and step.torch == event.inputs[slot]
                    steps.append(step._replace(consumer=(event, slot)) if own else step)
            yield (cost, tuple(steps)) if steps else (1.0, (Change("arguments", one, other, (mine, theirs)),))

    def weighted(self, one: int, other: int) -> tuple[str, str] | None:
        """The cause and the words of two sums over an axis of one value with other numbers, as of a grey image."""
        goal = self.keras.values.get(one)
        turned = self.as_torch(one, other)
        if goal is None or turned is None or goal.dtype.kind != "f":
            return None
        native = self.torch.values[other]
        for number in {n: None for event in self.at.unlike[1] for n in event.inputs if n not in self.torch.makers}:
            source = self.torch.values.get(number)
            if source is None or source.dtype.kind != "f":
                continue
            for axis in range(1, source.ndim):
                count = source.shape[axis]
                if not 1 < count < 9 or source.size != native.size * count or native.size < 4 * count:
                    continue
                rows = np.moveaxis(source, axis, -1).reshape(-1, count).astype(np.float64)
                goals = [each.astype(np.float64).ravel() for each in (turned, native)]
                found = [np.linalg.lstsq(rows, each, rcond=None)[0] for each in goals]
                apart = [alignment.relative(rows @ w, each) for w, each in zip(found, goals, strict=True)]
                if max(apart) > LIMIT or np.allclose(found[0], found[1], atol=1e-5):
                    continue
                places = [np.flatnonzero(abs(each) > 1e-5) for each in found]
                if all(len(each) == 1 for each in places):
                    told = [f"place {each[0]}" for each in places]
                    return "selected_places", f"Keras takes {told[0]} of axis {axis}, PyTorch {told[1]}"
                told = [", ".join(f"{weight:.4g}" for weight in each) for each in found]
                return "sum_constants", f"Keras weighs axis {axis} by {told[0]}, PyTorch by {told[1]}"
        return None

    def arranged(self, mine: Event, theirs: Event) -> bool:
        """Whether two calls take the same values, but in other arrangements, as after a reshape."""
        given = [number for number in theirs.inputs if number in self.torch.values]
        for one in mine.inputs:
            behind = self.keras.behind(one)
            partner = next((n for n in given if self.equal(behind, self.torch.behind(n))), None)
            if partner is not None and not self.equal(one, partner):
                return True
        return False

    def turned(self, mine: Event, theirs: Event) -> tuple[int, int] | None:
        """The two axes that are exchanged between what enters two calls of one value, where all axes are as long."""
        for one, other in zip(mine.inputs, theirs.inputs, strict=False):
            a, b = self.keras.values.get(one), self.torch.values.get(other)
            if a is None or b is None or a.shape != b.shape or not self.equal(one, other):
                continue
            order = alignment.distance(a, b)[1]
            moved = [axis for axis, place in enumerate(order or ()) if axis != place]
            if len(moved) == 2 and alignment.relative(a, b) > LIMIT:
                return moved[0], moved[1]
        return None

    def _other_arguments(self, mine: Event, theirs: Event) -> bool:
        """Whether two calls of one kind have other numbers."""
        one, other = self.keras.number(mine), self.torch.number(theirs)
        return one is not None and other is not None and abs(one - other) > 1e-3 * abs(one)
