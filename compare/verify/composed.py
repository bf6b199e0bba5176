"""Arrays that hold several of the other side: projections side by side, tables, layers along one more axis."""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from compare.verify.flow import Place
from compare.verify.names import alike
from compare.verify.pairing import Link, Match, composition, composition_of_rows
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
    def place(self, part: Part) -> Place: ...


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
            by_hand = [] if fitting else _as_kernels(whole, small.left)
            own = {id(made): part for part, made in by_hand}
            fitting = fitting or [made for _, made in by_hand]
            by_leaf: dict[str, list[Part]] = {}
            by_source: dict[frozenset[str], list[Part]] = {}
            for part in fitting:
                by_leaf.setdefault(part.leaf.path, []).append(part)
                by_source.setdefault(small.place(part).before, []).append(part)
            # What one layer has belongs together: an attention's output is not the next one's query. So does what
            # takes the same values: Keras calls the skips of all blocks after the blocks.
            for rows in (*([parts] for parts in by_leaf.values()), list(by_source.values()), [fitting]):
                group = group or _side_by_side(rows, whole, shape[-1])
            if len(group) > 1:
                group = sorted(group, key=_gate)
                matches.append(composition(whole, group, big is keras))
                big.take(whole)
                small.take(*(own.get(id(part), part) for part in group))
    return matches


def in_one_row(keras: Side, torch: Side) -> list[Match]:
    """Layers of one side whose results are added: one layer of the other side takes in one row what they take."""
    matches = []
    for big, small in ((keras, torch), (torch, keras)):
        for whole in [part for part in big.left if part.kind in ("dense", "conv") and "kernel" in part.views]:
            shape = whole.views["kernel"].own_shape
            fitting = [part for part in small.left if part.kind == whole.kind and _is_row_of(part, shape)]
            group = max(_in_rows(fitting, shape[-2]), key=lambda row: _together(row, whole, small), default=[])
            if group:
                matches.append(composition_of_rows(whole, group, big is keras))
                big.take(whole)
                small.take(*group)
    return matches


def _is_row_of(part: Part, shape: tuple[int, ...]) -> bool:
    """Whether a layer's kernel is as another but for fewer values that enter."""
    own = part.views["kernel"].own_shape if "kernel" in part.views else ()
    return len(own) == len(shape) and own[:-2] == shape[:-2] and own[-1] == shape[-1] and own[-2] < shape[-2]


def _in_rows(parts: Sequence[Part], entering: int) -> list[list[Part]]:
    """Two or three layers that take so many values together, of which at most two have a bias."""
    found = []
    for count in (2, 3):
        for row in itertools.combinations(parts, count):
            biases = sum("bias" in part.views for part in row)
            if sum(part.views["kernel"].own_shape[-2] for part in row) == entering and biases < 3:
                found.append(list(row))
    return found


def _together(row: Sequence[Part], whole: Part, side: Side) -> float:
    """How much speaks for several layers being added: what comes after them, and their names."""
    after = [side.place(part).after for part in row]
    named = (whole.path, whole.leaf.kind)
    same = sum(alike(named, (part.path, part.leaf.kind)) for part in row) / len(row)
    return 2.0 * all(each == after[0] for each in after) + same


def _as_kernels(whole: Part, parts: Sequence[Part]) -> list[tuple[Part, Part]]:
    """Arrays by themselves that may be pieces of a kernel without bias, such as (in, heads, size), each also as one."""
    found = []
    for part in parts if whole.kind == "dense" and "bias" not in whole.views else ():
        shape = part.views["array"].own_shape if part.kind == "array" and part.trainable else ()
        width = math.prod(shape[1:])
        if len(shape) > 1 and shape[0] == whole.views[whole.main].own_shape[0] and part.views["array"].columns is None:
            view = replace(part.views["array"], shape=(shape[0], width))
            plain = not part.views["array"].order and width < whole.views[whole.main].own_shape[-1]
            found += [(part, replace(part, kind="dense", views={"kernel": view}))] if plain else []
    return found


def _side_by_side(groups: Sequence[list[Part]], whole: Part, width: int) -> list[Part]:
    """Parts in a row that are so wide together: those whose names say most of the whole's, or else the first."""
    rows: list[list[Part]] = []
    for parts in groups:
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
                group = _numbered(same, whole, count) or same[:count]
                return group, [Link(role, column.piece(i, i + 1), p.views[role]) for i, p in enumerate(group)]
    return None


def beside(keras: Side, torch: Side, matches: Sequence[Match]) -> list[Match]:
    """Arrays by themselves that are what a paired layer has and its partner has not: a bias that a wrapper adds."""
    found = []
    for match in [each for each in matches if len(each.keras) == len(each.torch) == 1]:
        one, other = match.keras[0], match.torch[0]
        for side, own, partner in ((keras, one, other), (torch, other, one)):
            for role in sorted(set(partner.views) - set(own.views)):
                near = [part for part in side.left if _may_be(part, own, partner, role)]
                if near:
                    side.take(near[0])
                    ends = (near[0], near[0].views["array"]), (partner, partner.views[role])
                    (mine, view), (theirs, native) = ends if side is keras else ends[::-1]
                    found.append(Match((mine,), (theirs,), (Link(role, view, native),), sure=False))
    return found


def _may_be(part: Part, own: Part, partner: Part, role: str) -> bool:
    """Whether an array by itself, in a layer or right around it, is what the layer's partner has."""
    owner = part.path.rpartition(".")[0]
    fits = part.kind == "array" and part.views["array"].own_shape == partner.views[role].own_shape
    return fits and part.trainable and owner in (own.path, own.path.rpartition(".")[0])


def _numbered(parts: Sequence[Part], whole: Part, count: int) -> list[Part]:
    """As many parts as `count` whose paths differ by one number alone: those whose names say most of the whole's.

    Two kernels of each expert have one shape, and run one after the other.
    """
    rows: dict[str, list[tuple[int, Part]]] = {}
    for part in parts:
        for number in re.finditer(r"\d+", part.path):
            others = f"{part.path[: number.start()]}*{part.path[number.end() :]}"
            rows.setdefault(others, []).append((int(number[0]), part))
    fitting = {path: row for path, row in rows.items() if len(row) == count}
    if not fitting:
        return []
    best = max(fitting, key=lambda path: alike((whole.path, whole.leaf.kind), (path, parts[0].leaf.kind)))
    return [part for _, part in sorted(fitting[best], key=lambda each: each[0])]


def _gate(part: Part) -> int:
    """The usual place of a piece by its name: query, key, value; input, forget, cell, output."""
    last = re.findall(r"[a-z]+", part.path.lower())
    return next((RANKS[word] for word in reversed(last) if word in RANKS), 0)
