"""Arrays that hold several of the other side: projections side by side, tables, layers along one more axis."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from compare.verify.names import alike
from compare.verify.pairing import Link, Match, composition
from compare.verify.parts import Part

RANKS = {
    "q": 0, "query": 0, "k": 1, "key": 1, "v": 2, "value": 2, "i": 0, "input": 0, "f": 1, "forget": 1, "c": 2, "g": 2,
    "gamma": 0, "scale": 0, "beta": 1, "shift": 1, "cell": 2, "o": 3, "output": 3,
    "z": 0, "update": 0, "r": 1, "reset": 1, "h": 2, "n": 2, "new": 2,
}  # fmt: skip


class Side(Protocol):
    """The parts of one model that have no partner yet."""

    left: list[Part]

    def take(self, *parts: Part) -> None: ...


def composed(keras: Side, torch: Side, strict: bool) -> list[Match]:
    """Several projections or tables of one side that lie side by side in one of the other, such as query and key.

    Args:
        keras, torch: what is left.
        strict: whether both must have a bias, or neither.
    """
    matches = []
    for big, small in ((keras, torch), (torch, keras)):
        for whole in [part for part in big.left if part.kind in ("dense", "conv", "table") and part.main in part.views]:
            main = whole.main
            shape = whole.views[main].own_shape
            group: list[Part] = []
            fitting = [
                part for part in small.left
                if part.kind == whole.kind and main in part.views
                and part.views[main].own_shape[:-1] == shape[:-1]
                and part.views[main].own_shape[-1] < shape[-1]
                and not (strict and ("bias" in part.views) != ("bias" in whole.views))
            ]  # fmt: skip
            by_leaf: dict[str, list[Part]] = {}
            for part in fitting:
                by_leaf.setdefault(part.leaf.path, []).append(part)
            # What one layer has belongs together: an attention's output is not the next one's query.
            for parts in (*by_leaf.values(), fitting):
                group = group or _side_by_side(parts, whole, shape[-1])
            if len(group) > 1:
                group = sorted(group, key=_gate)
                matches.append(composition(whole, group, big is keras))
                big.take(whole)
                small.take(*group)
    return matches


def _side_by_side(parts: list[Part], whole: Part, width: int) -> list[Part]:
    """Parts in a row that are so wide together: those whose names say most of the whole's, or else the first."""
    rows: list[list[Part]] = []
    for start in range(len(parts)):
        total = 0
        for end in range(start, len(parts)):
            total += parts[end].views[whole.main].own_shape[-1]
            if total == width:
                rows.append(parts[start : end + 1])
    named = (whole.path, whole.leaf.kind)
    return max(
        rows, key=lambda row: sum(alike(named, (part.path, part.leaf.kind)) for part in row) / len(row), default=[]
    )


def stacked(keras: Side, torch: Side) -> list[Match]:
    """Arrays of one side with one more axis, along which the other side has so many layers, such as experts."""
    matches: list[Match] = []
    for big, small in ((keras, torch), (torch, keras)):
        done: list[Part] = []
        arrays = [part for part in big.left if part.kind == "array" and len(part.views["array"].own_shape) > 1]
        for whole in sorted(arrays, key=lambda part: -len(part.views["array"].own_shape)):  # kernels before biases
            found = _layers_of(whole, small, done)
            if found:
                group, links = found
                if big is keras:
                    matches.append(Match((whole,), tuple(group), tuple(links)))
                else:
                    turned = tuple(Link(link.role, link.torch, link.keras) for link in links)
                    matches.append(Match(tuple(group), (whole,), turned))
                big.take(whole)
                done += group
        small.take(*done)
    return matches


def _layers_of(whole: Part, small: Side, done: Sequence[Part]) -> tuple[list[Part], list[Link]] | None:
    """The layers that one array holds along one axis, and which piece of it is which array of theirs.

    Biases side by side belong to layers whose kernels are side by side too, which are `done`: six biases of six
    values look like any matrix of that size.
    """
    view = whole.views["array"]
    for axis in (0, *range(len(view.shape) - 1, 0, -1)):
        count = view.shape[axis]
        rest = tuple(length for place, length in enumerate(view.shape) if place != axis)
        if not 2 <= count <= 64 or view.order or view.rows:
            continue
        for role in ("kernel", "bias", "table"):
            for turned in (False, True) if len(rest) == 2 else (False,):
                goal = rest[::-1] if turned else rest
                fitting = [p for p in small.left if role in p.views and p.views[role].own_shape == goal]
                if role == "bias":
                    fitting = [p for p in fitting if p.main == role or any(p is each for each in done)]
                groups = {tuple(sorted(p.views)): p for p in fitting}
                same = [p for p in fitting if groups and p.kind == fitting[0].kind]
                if len(same) < count or count < 2:
                    continue
                order = (*(place for place in range(len(view.shape)) if place != axis), axis)
                if turned:
                    order = (order[1], order[0], order[2])
                shape = (*goal, count)
                column = replace(view, order=order, turned=shape, shape=shape)
                group = same[:count]
                return group, [Link(role, column.piece(i, i + 1), p.views[role]) for i, p in enumerate(group)]
    return None


def _gate(part: Part) -> int:
    """The usual place of a piece by its name: query, key, value; input, forget, cell, output."""
    last = re.findall(r"[a-z]+", part.path.lower())
    return next((RANKS[word] for word in reversed(last) if word in RANKS), 0)
