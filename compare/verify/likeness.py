"""How much speaks for two layers being each other's partner: names, order, and where the flow of data uses them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from compare.verify.flow import Place
from compare.verify.names import alike
from compare.verify.parts import Part

NOWHERE = Place(10**6, 0, frozenset(), frozenset(), ())


@dataclass
class Side:
    """One model's parts and where they are used."""

    name: str
    parts: list[Part]
    places: Mapping[str, Place]
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # of what enters each layer, call by call
    left: list[Part] = field(init=False)
    norms: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.norms = {part.leaf.path for part in self.parts if part.kind == "norm"}
        ranked = sorted(range(len(self.parts)), key=lambda i: (self.place(self.parts[i]).order, i))
        self.left = [self.parts[i] for i in ranked]

    def place(self, part: Part) -> Place:
        """Where a part is used: an attention's output comes behind its other projections."""
        found, path = self.places.get(part.leaf.path, NOWHERE), part.leaf.path
        if part.path == f"{path}.attention_output":
            return replace(found, before=frozenset({path}))
        if part.path in (f"{path}.query", f"{path}.key", f"{path}.value"):
            return replace(found, after=frozenset({path}))
        return found

    def after(self, part: Part) -> frozenset[str]:
        """What comes after a part, behind its norms: a norm belongs to the layer that it follows, and tells nothing."""
        found = self.place(part).after
        if part.kind == "norm":
            return found
        norms = {name for name in found if name in self.norms and name in self.places}
        return (found - norms).union(*(self.places[name].after for name in norms))

    def take(self, *parts: Part) -> None:
        gone = set(map(id, parts))
        self.left = [part for part in self.left if id(part) not in gone]


@dataclass(frozen=True)
class Weights:
    """How much each sign counts when parts are paired."""

    name: float = 1.0
    flow: float = 1.0
    order: float = 1.0


def ranks_of(side: Side) -> dict[int, float]:
    """Each part's place among those of its kind and shape, from 0 to 1."""
    out: dict[int, float] = {}
    for signature in {part.signature for part in side.left}:
        same = [part for part in side.left if part.signature == signature]
        out |= {id(part): place / len(same) for place, part in enumerate(same)}
    return out


def score(
    sides: tuple[Side, Side],
    one: Part,
    other: Part,
    known: Mapping[str, str],
    weights: Weights,
    ranks: Sequence[Mapping[int, float]],
) -> float:
    """How much speaks for two parts being the same."""
    mine, native = sides[0].place(one), sides[1].place(other)
    sizes = sides[0].sizes.get(one.leaf.path), sides[1].sizes.get(other.leaf.path)
    gap = abs(ranks[0][id(one)] - ranks[1][id(other)])
    # Convex, so that two in a row stay in their order where both stand before their partners.
    known_sizes = sizes[0] is not None or bool(mine.calls and native.calls)  # none enters a layer of constants
    total = 1.0 + 1.5 * (sizes[0] == sizes[1] and known_sizes) - weights.order * (gap + 0.2 * gap**2)
    total += weights.name * alike((one.path, one.leaf.kind), (other.path, other.leaf.kind))
    total += 0.7 * (mine.role == native.role) * (weights.flow > 0)
    total += 0.7 * (mine.joined == native.joined != "") * (weights.flow > 0)
    total += 0.7 * (mine.steps == native.steps != ()) * (weights.flow > 0)
    total += weights.flow * (mine.ends == native.ends)
    total += weights.flow * _overlap(mine.before, native.before, known)
    total += weights.flow * _overlap(sides[0].after(one), sides[1].after(other), known)
    total += 1.0 * (one.path.removeprefix(one.leaf.path) == other.path.removeprefix(other.leaf.path) != "")
    return total - 2.0 * (bool(mine.calls) != bool(native.calls))


def _overlap(one: frozenset[str], other: frozenset[str], known: Mapping[str, str]) -> float:
    """How much of two neighbourhoods is each other's partner."""
    mapped = {known.get(name, name) for name in one}
    return len(mapped & other) / max(len(mapped | other), 1)
