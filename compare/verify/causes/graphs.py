"""The calls of both sides between values that both have and a value that differs, as two graphs, and the cheapest way
from one to the other: Zhang and Shasha's distance of trees (1989), on graphs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.graph import CHAINS, EITHER_WAY, LARGEST, SIGNS, Side, kind
from compare.verify.causes.situation import Situation
from compare.verify.verdict import LIMIT
from twin.trace import Event


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


# Long: every way from one value to another, which share what was found of the values on them.
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
            made = self.at.constants[side]
            fixed = {each.event.inputs[int(each.slot[6:])] for each in made if each.slot.startswith("input")}
            sides.append(Side(self.at.values[side], makers, self.at.names[side], constants, fixed))
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
                sums = [self.keras.total(one), self.torch.total(other)]
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
            options += self._chains(one, other, mine, theirs)
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
        names = self.keras.kind(mine), self.torch.kind(theirs)
        alike = names[0] == names[1]
        if names == ("square", "square") and 2 in (len(mine.inputs), len(theirs.inputs)):
            yield self._squares(mine, theirs)
            return
        if len(mine.inputs) != len(theirs.inputs):
            yield from self._numbers(one, other, mine, theirs) if alike else ()
            if alike and names[0] not in SIGNS:
                yield 1.0, (Change("arguments", one, other, (mine, theirs)),)
            return
        if set(names) in ({"multiply", "divide"}, {"add", "subtract"}):
            yield from self._inverse(mine, theirs)
        count = len(mine.inputs)
        orders = list(permutations(range(count))) if count <= 4 else [tuple(range(count))]
        for order in orders:
            turned = order != tuple(range(count))
            if turned and not alike:
                continue
            cost = 0.0
            steps: list[Change] = []
            for slot, place_of_other in enumerate(order):
                more, found = self._taken(mine.inputs[slot], theirs, place_of_other)
                cost += more
                steps += found
            if turned and names[0] not in EITHER_WAY:
                cost, steps = cost + 0.9, _behind(Change("order", one, other, (mine, theirs)), steps)
            if not alike:
                cost, steps = cost + 1.2, _behind(Change("other", one, other, (mine, theirs)), steps)
            elif not steps:
                cost, steps = 1.0, [Change("arguments", one, other, (mine, theirs))]
            elif not turned and self._other_arguments(mine, theirs):
                cost, steps = cost + 1.0, _behind(Change("arguments", one, other, (mine, theirs)), steps)
            yield cost, tuple(steps)

    def _squares(self, mine: Event, theirs: Event) -> Way:
        """Two squares, of which one is written as a product of a value with itself."""
        cost, steps = self._entering(mine.inputs[0], theirs)
        both = len(theirs.inputs) == 2  # of one value, which is then changed where it is made
        return cost, tuple(s._replace(consumer=None) if both and s.consumer == (theirs, 0) else s for s in steps)

    def _numbers(self, one: int, other: int, mine: Event, theirs: Event) -> Iterator[Way]:
        """A plain number in one side's call, and one that is made of constants in the other's."""
        own, others = self.keras.scalar(mine), self.torch.scalar(theirs)
        if own is None or others is None:
            return
        (number, source), (native, taken) = own, others
        cost, steps = self._taken(source, theirs, theirs.inputs.index(taken))
        if abs(number - native) > 1e-4 * max(abs(number), abs(native)):
            cost, steps = cost + 1.0, tuple(_behind(Change("arguments", one, other, (mine, theirs)), steps))
        yield cost, steps

    def _chains(self, one: int, other: int, mine: Event, theirs: Event) -> Iterator[Way]:
        """One function on one side, and on the other the calls that it is made of."""
        for names in CHAINS.get(self.keras.kind(mine), ()):
            found = self.torch.chain(other, names) if len(mine.inputs) == 1 else None
            if found is not None:
                yield self._entering(mine.inputs[0], found[0])
        for names in CHAINS.get(self.torch.kind(theirs), ()):
            found = self.keras.chain(one, names) if len(theirs.inputs) == 1 else None
            if found is not None:
                yield self._entering(found[1], theirs)

    def _entering(self, one: int, theirs: Event) -> Way:
        """The way between what enters two calls that do the same."""
        cost, steps = self._taken(one, theirs, 0)
        return 0.1 + cost, steps

    def _taken(self, one: int, event: Event, slot: int) -> Way:
        """The way between a value of Keras's and what a call of PyTorch's takes at a place."""
        cost, steps = self.way(one, event.inputs[slot])
        own = [step.consumer is None and step.torch == event.inputs[slot] for step in steps]
        pairs = zip(steps, own, strict=True)
        return cost, tuple(step._replace(consumer=(event, slot)) if lone else step for step, lone in pairs)

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
                cost, steps = self._taken(mine.inputs[1 - slot], theirs, 1 - other)
                yield 0.1 + cost, steps

    def _attentions(self, one: int, other: int, mine: Event, theirs: Event) -> Iterator[Way]:
        """Attention as one function on one side and by hand on the other: query, key and value of each."""
        if (mine.family == "attention") == (theirs.family == "attention"):
            return
        parts = self.keras.attended(mine), self.torch.attended(theirs)
        if not all(parts):
            return
        for order in ((0, 1, 2), (1, 0, 2)):  # weights of query and key may have crossed either way
            cost = 0.1 + 0.2 * (order[0] == 1)
            steps: list[Change] = []
            for place_of_role, (event, slot) in zip(order, parts[1], strict=True):
                maker, place_of_mine = parts[0][place_of_role]
                more, found = self._taken(maker.inputs[place_of_mine], event, slot)
                cost += more
                steps += found
            yield (cost, tuple(steps)) if steps else (1.0, (Change("arguments", one, other, (mine, theirs)),))

    def _other_arguments(self, mine: Event, theirs: Event) -> bool:
        """Whether two calls of one kind have other numbers."""
        one, other = self.keras.number(mine), self.torch.number(theirs)
        return one is not None and other is not None and abs(one - other) > 1e-3 * abs(one)


def _behind(change: Change, steps: Sequence[Change]) -> list[Change]:
    """A change, and the steps before it, behind which something differs then."""
    return [change, *(step._replace(top=False) for step in steps)]
