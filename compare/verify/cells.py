"""Recurrent layers of one side that the other side writes by hand, with projections for one gate or several.

A cell multiplies what enters and its state with a matrix for each gate. By hand these are any number of projections,
for one gate or for several, of the input, of the state, or of both in one row.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from compare.verify.composed import RANKS, Side
from compare.verify.names import alike
from compare.verify.pairing import Link, Match, Pairing, of_pieces
from compare.verify.parts import Part
from compare.verify.shapes import as_shape
from compare.verify.views import View

GATES = ("lstm", "gru", "rnn")
PLACES = RANKS | {"candidate": 2, "cand": 2, "hidden": 2}
# What multiplies the state, by its name without the gate: `U` of `U_z`, `W_h` of `W_hf`, `h2` of `h2h`.
OF_STATE = re.compile(r"(^|_)(u|h|h2|hh|rec[a-z]*|hidden|state)$")


@dataclass(frozen=True)
class Projection:
    """A matrix of a cell.

    Args:
        part: which has it.
        kernel: where it lies, as (rows, gates).
        of: "kernel" where it multiplies what enters, "recurrent" for the state; both where these stand in one row.
    """

    part: Part
    kernel: View
    of: tuple[str, ...]

    @property
    def width(self) -> int:
        return self.kernel.own_shape[-1]


def cells(keras: Side, torch: Side) -> list[Match]:
    """The recurrent layers that the other side writes by hand, each with what makes it up."""
    matches = []
    for big, small in ((keras, torch), (torch, keras)):
        native = {part.signature for part in small.left if part.kind in GATES}
        for whole in [part for part in big.left if part.kind in GATES and part.signature not in native]:
            # From the outermost modules on: the last that fit hold nothing else.
            fitting = [(owner, cell) for owner, parts in _owners(small.left) if (cell := _cell(whole, parts, small))]
            depth = max((owner.count(".") for owner, _ in fitting), default=0)
            inner = [each for each in fitting if each[0].count(".") == depth]
            if inner:
                named = (whole.path, whole.leaf.kind)
                _, (parts, links) = max(inner, key=lambda each: alike(named, (each[0], whole.leaf.kind)))
                big.take(whole)
                small.take(*parts)
                matches.append(of_pieces(whole, parts, links, big is keras))
    return matches


def _owners(parts: Sequence[Part]) -> list[tuple[str, list[Part]]]:
    """Every module by its path with a dot behind it, and the projections and arrays inside."""
    owners: dict[str, list[Part]] = {}
    for part in parts:
        if part.kind == "dense" or (part.kind == "array" and part.trainable):
            for place in [0, *(match.end() for match in re.finditer(r"\.", part.path))]:
                owners.setdefault(part.path[:place], []).append(part)
    return list(owners.items())


def _cell(whole: Part, parts: Sequence[Part], side: Side) -> tuple[tuple[Part, ...], list[Link]] | None:
    """The parts that make up a recurrent layer, and which piece of it is which array of theirs."""
    units, total = whole.views["recurrent"].own_shape
    entering = whole.views["kernel"].own_shape[0]
    found = _projections(parts, entering, units, side)
    links: list[Link] = []
    for role in ("kernel", "recurrent"):
        start = 0
        for each in [one for one in found if role in one.of]:
            first = 0 if role == "kernel" else entering
            lines = (first, first + (entering if role == "kernel" else units)) if len(each.of) > 1 else None
            piece = whole.views[role].piece(start, start + each.width)
            links.append(Link(role, piece, replace(each.kernel, lines=lines)))
            start += each.width
        if start != total:
            return None
    biases = _biases(whole, found, parts, units)
    owners = [each.part for each in found]
    told = {name for link in biases for name in (link.torch.name, link.torch.plus)}
    alone = [part for part in parts if part.kind == "array" and part.views["array"].name in told]
    return (*owners, *alone), links + biases


def _projections(parts: Sequence[Part], entering: int, units: int, side: Side) -> list[Projection]:
    """The matrices that may be a cell's, in the usual order of gates."""
    found = []
    for part in parts:
        for role in ("kernel", "array"):
            shape = part.views[role].own_shape if role in part.views else ()
            ways = [shape] if role == "kernel" or len(set(shape)) == 1 else [shape, shape[::-1]]
            for rows, width in ways if len(shape) == 2 else ():
                if rows in (entering, units, entering + units) and width % units == 0:
                    of = ("kernel", "recurrent") if rows == entering + units else ("recurrent",)
                    of = ("kernel",) if rows == entering else of
                    found.append(Projection(part, as_shape(part.views[role], (rows, width)), of))
                    break
    if entering == units:
        found = _told_apart(found, side)
    return sorted(found, key=lambda each: (-each.width, _place(each.part)))


def _told_apart(found: Sequence[Projection], side: Side) -> list[Projection]:
    """Half of those that could multiply the input or the state: by what they take, by their names, or the second."""
    single = [each for each in found if len(each.of) == 1]
    width = sum(each.width for each in single)
    inside = {each.part.leaf.path for each in found}
    named: dict[str, list[Projection]] = {}
    for each in single:
        named.setdefault(re.sub(r"_?[a-z]$", "", each.part.path.rpartition(".")[2].lower()), []).append(each)
    rows = sorted(named.values(), key=lambda row: sum("bias" in each.part.views for each in row))
    halves = [
        [each for each in single if side.place(each.part).before & inside],
        *(row for name, row in named.items() if OF_STATE.search(name)),
        *rows[:1],
    ]
    half = next((row for row in halves if 2 * sum(each.width for each in row) == width), single[len(single) // 2 :])
    return [replace(each, of=("recurrent",)) if any(each is one for one in half) else each for each in found]


def _biases(whole: Part, found: Sequence[Projection], parts: Sequence[Part], units: int) -> list[Link]:
    """A bias of the input's projections, of the state's, or of both, and vectors by themselves."""
    if "bias" not in whole.views:
        return []
    own = {
        role: [(each.part.views.get("bias"), each.width) for each in found if each.of[0] == role]
        for role in ("kernel", "recurrent")
    }
    if not any(view for views in own.values() for view, _ in views):
        vectors = [part for part in parts if part.kind == "array" and len(part.views["array"].own_shape) == 1]
        vectors = sorted((p for p in vectors if p.views["array"].size % units == 0), key=_place)
        own = {"kernel": [(part.views["array"], part.views["array"].size) for part in vectors], "recurrent": []}
    links: dict[tuple[str, int], Link] = {}
    for role, views in own.items():
        start = 0
        name = "recurrent_bias" if role == "recurrent" and "recurrent_bias" in whole.views else "bias"
        for view, width in views:
            at = (name, start)
            if view is not None and at in links and links[at].torch.size == view.size:  # both are added
                links[at] = replace(links[at], torch=replace(links[at].torch, plus=view.name))
            elif view is not None and start + width <= whole.views[name].size:
                links[at] = Link(name, whole.views[name].piece(start, start + width), view)
            start += width
    return list(links.values())


def _place(part: Part) -> int:
    """The usual place of a gate by the last name of its projection: input, forget, cell, output; update, reset, new."""
    last = part.path.rpartition(".")[2] if re.search(r"\D", part.path.rpartition(".")[2]) else part.path
    said = re.findall(r"[a-z]+", last.lower())
    letters = [said[-1][-1]] if said else []
    return next((PLACES[word] for word in (*reversed(said), *letters) if word in PLACES), 0)


def without_partner(pairing: Pairing, side: str) -> Iterator[View]:
    """The biases of recurrent layers, gate by gate, that the other side's cell by hand has not."""
    for match in [each for each in pairing.matches if not each.sure]:
        for part in match.keras if side == "Keras" else match.torch:
            for role in {"bias", "recurrent_bias"} & set(part.views) if part.kind in GATES else ():
                view = part.views[role]
                ends = [link.keras if side == "Keras" else link.torch for link in match.links if link.role == role]
                done = [each.columns or (0, view.size) for each in ends]
                edges = sorted({0, view.size, *(edge for columns in done for edge in columns)})
                for start, end in itertools.pairwise(edges):
                    if not any(first <= start and end <= last for first, last in done):
                        yield view.piece(start, end)


def rewritten(pairing: Pairing) -> Iterator[Pairing]:
    """All recurrent layers that one side writes by hand, with gates in another order or the state first in a row."""
    tried: set[tuple[object, ...]] = set()
    for first, count in itertools.product((False, True), (4, 3, 2)):
        for gates in itertools.permutations(range(count)):
            changed = {}
            for place, match in enumerate(pairing.matches):
                links = tuple(_otherwise(match, link, gates, first) for link in match.links)
                if any(one is not other for one, other in zip(links, match.links, strict=True)):
                    changed[place] = replace(match, links=links)
            views = [view for match in changed.values() for link in match.links for view in (link.keras, link.torch)]
            key = tuple((view.gates, view.lines) for view in views)
            if changed and key not in tried:
                tried.add(key)
                yield pairing.exchanged(changed)


def _otherwise(match: Match, link: Link, gates: Sequence[int], state_first: bool) -> Link:
    """A link of a recurrent layer by hand, otherwise; the same where nothing of it can be."""
    whole = next((part for part in (*match.keras, *match.torch) if part.kind in GATES), None)
    if whole is None or match.sure:
        return link
    in_torch = any(part is whole for part in match.keras)
    view = link.torch if in_torch else link.keras
    units = whole.views["recurrent"].own_shape[0]
    changed = view
    if view.shape[-1] == len(gates) * units and tuple(gates) != tuple(range(len(gates))):
        changed = replace(changed, gates=tuple(gates))
    if state_first and view.lines:
        rows = view.lines[1] - view.lines[0]
        changed = replace(changed, lines=(0, rows) if view.lines[0] else (view.shape[0] - rows, view.shape[0]))
    if changed is view:
        return link
    return replace(link, torch=changed) if in_torch else replace(link, keras=changed)
