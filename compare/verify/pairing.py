"""Which arrays of a Keras model are which of a PyTorch model, and how values cross between them.

compare.verify.matching makes the guess, `Pairing.alternatives` gives the others that fit, and compare.verify.crossing
proves one by running it.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.verify.names import told
from compare.verify.parts import Part
from compare.verify.shapes import MOST_WAYS, same, ways
from compare.verify.views import View
from twin.bridge import Arrays
from twin.errors import TwinError

MOST_HEADS, MOST_PIECES = 16, 4
SIDE_BY_SIDE = ("dense", "conv", "table")  # of which one may be several, one after the other in its columns

# Kinds that are nothing without the main array.
NEEDED = {"dense", "conv", "conv_transpose", "table", "lstm", "gru", "rnn"}


class Unpaired(TwinError):
    """Some layers have no partner.

    Args:
        message: for a person.
        lone: the layers of the side that has more, where the other side has all of its own paired: (side, path, type).
    """

    def __init__(self, message: str, lone: Sequence[tuple[str, str, str]] = ()):
        super().__init__(message)
        self.lone = lone


@dataclass(frozen=True)
class Link:
    """Two arrays that hold the same values."""

    role: str
    keras: View
    torch: View


@dataclass(frozen=True)
class Match:
    """Parts that belong together: one of each side, or several of one that make up one of the other.

    Args:
        keras, torch: the parts.
        links: array by array.
        sure: whether the parts are of one kind; else the gates or pieces may stand in another order.
        turns: whether a bare matrix may be the other's transposed: not one that both sides add to values, or look up.
    """

    keras: tuple[Part, ...]
    torch: tuple[Part, ...]
    links: tuple[Link, ...]
    sure: bool = True
    turns: bool = True


@dataclass(frozen=True)
class Alone:
    """An array without partner, in a part that has one or in a part that has none."""

    side: str
    part: Part
    role: str


@dataclass(frozen=True)
class Pairing:
    """Which arrays are which.

    Args:
        matches: the parts that belong together.
        alone: arrays without partner.
        misfits: parts that belong together by name or order and whose arrays do not fit.
        shared: PyTorch parts (or Keras's) that one part of the other side serves beside its partner: (served, by).
    """

    matches: tuple[Match, ...]
    alone: tuple[Alone, ...] = ()
    misfits: tuple[tuple[Part, Part], ...] = ()
    shared: tuple[tuple[str, Part, Part], ...] = ()

    @property
    def links(self) -> list[Link]:
        return [link for match in self.matches for link in match.links]

    @property
    def layers(self) -> dict[str, str]:
        """The layers that are each other's only partner: Keras path -> PyTorch path."""
        partners: tuple[dict[str, set[str]], dict[str, set[str]]] = {}, {}
        for match in self.matches:
            for one, other in itertools.product(match.keras, match.torch):
                partners[0].setdefault(one.leaf.path, set()).add(other.leaf.path)
                partners[1].setdefault(other.leaf.path, set()).add(one.leaf.path)
        for one, other in self.misfits:
            partners[0].setdefault(one.leaf.path, set()).add(other.leaf.path)
            partners[1].setdefault(other.leaf.path, set()).add(one.leaf.path)
        single = {path: next(iter(others)) for path, others in partners[0].items() if len(others) == 1}
        return {path: native for path, native in single.items() if partners[1][native] == {path}}

    @property
    def against_names(self) -> bool:
        """Whether two layers have each other's partners, as their names tell."""
        single = [each for each in self.matches if len(each.keras) == len(each.torch) == 1]
        return any(
            one.torch[0].signature == other.torch[0].signature
            and _told(replace(one, torch=other.torch), replace(other, torch=one.torch))
            for one, other in itertools.combinations(single, 2)
        )

    @property
    def shown(self) -> dict[str, str]:
        """What a person is told: layer by layer where that is all, else part by part."""
        whole = self.layers
        out = dict(whole)
        for match in self.matches:
            if match.keras[0].leaf.path not in whole:
                out[" + ".join(part.path for part in match.keras)] = " + ".join(part.path for part in match.torch)
        return out

    def to_torch(self, keras: Mapping[str, np.ndarray], torch: Mapping[str, np.ndarray]) -> Arrays:
        """PyTorch's arrays with Keras's values, on top of `torch`; only those that change."""
        out: Arrays = Over(torch)
        for link in self.links:
            link.torch.put(out, link.keras.get(keras))
        return dict(out)

    def to_keras(self, torch: Mapping[str, np.ndarray], keras: Mapping[str, np.ndarray]) -> Arrays:
        """The other way round."""
        out: Arrays = Over(keras)
        for link in self.links:
            link.keras.put(out, link.torch.get(torch))
        return dict(out)

    def alternatives(self) -> Iterator["Pairing"]:
        """Other pairings that fit as well: two partners exchanged, pieces or gates in another order, transposed."""
        single = [i for i, m in enumerate(self.matches) if len(m.keras) == len(m.torch) == 1]
        yield from self.at_once()
        together = self._of_one_layer()
        for place, match in enumerate(self.matches):
            for links in _rearranged(match):
                yield self.exchanged({place: replace(match, links=links)})
        for i, j in itertools.combinations(single, 2):
            one, other = self.matches[i], self.matches[j]
            if _told(one, other):
                continue
            if one.sure and other.sure:
                yield from self._traded(i, j, together)
            elif _exchangeable(one, other):
                yield self.exchanged({i: with_array_of(one, other), j: with_array_of(other, one)})
        yield from self._pieces_exchanged(single)

    def _of_one_layer(self) -> dict[int, list[int]]:
        """By match, all matches of the same two layers, where these are each other's only partners."""
        whole = self.layers
        groups: dict[str, list[int]] = {}
        for place, match in enumerate(self.matches):
            if match.keras[0].leaf.path in whole:
                groups.setdefault(match.keras[0].leaf.path, []).append(place)
        return {place: places for places in groups.values() for place in places}

    def _traded(self, i: int, j: int, together: Mapping[int, list[int]]) -> Iterator["Pairing"]:
        """Two matches with each other's partners, and with them the rest of their layers.

        An attention's key without its query is nobody's: such a pairing has fewer layers that could differ.
        """
        rest = [together.get(place, [place]) for place in (i, j)]
        if rest[0] is rest[1]:
            rest = [[i], [j]]
        if len(rest[0]) != len(rest[1]):
            return
        pairs = [(self.matches[a], self.matches[b]) for a, b in zip(*rest, strict=True)]
        same = all(
            one.torch[0].signature == other.torch[0].signature and one.keras[0].signature == other.keras[0].signature
            for one, other in pairs
        )
        if same and (i, j) == (rest[0][0], rest[1][0]):
            changed = {
                place: of_parts(mine.keras[0], theirs.torch[0])
                for places, both in zip(rest, (pairs, [pair[::-1] for pair in pairs]), strict=True)
                for place, (mine, theirs) in zip(places, both, strict=True)
            }
            yield self.exchanged(changed)

    def turned(self) -> Iterator[tuple[str, str, "Pairing"]]:
        """With one matrix that nothing is multiplied with transposed: its names, and the pairing."""
        for place, match in enumerate(self.matches):
            for links in _rearranged(replace(match, turns=True)) if not match.turns else ():
                names = match.keras[0].path, match.torch[0].path
                yield *names, self.exchanged({place: replace(match, links=links)})

    def _pieces_exchanged(self, single: Sequence[int]) -> Iterator["Pairing"]:
        """With a piece of a composition in place of a layer of its kind that has a partner by itself."""
        for i, match in enumerate(self.matches):
            in_keras = len(match.torch) == 1
            group, whole = (match.keras, match.torch[0]) if in_keras else (match.torch, match.keras[0])
            if match.sure or len(group) < 2 or whole.kind not in SIDE_BY_SIDE or not _beside(match):
                continue
            for j, place in itertools.product(single, range(len(group))):
                pair = self.matches[j].keras[0], self.matches[j].torch[0]
                own, partner = pair if in_keras else pair[::-1]
                if own.signature == group[place].signature and self.matches[j].sure:
                    new = composition(whole, (*group[:place], own, *group[place + 1 :]), not in_keras)
                    ends = (group[place], partner) if in_keras else (partner, group[place])
                    yield self.exchanged({i: new, j: of_parts(*ends)})

    def at_once(self) -> Iterator["Pairing"]:
        """One rearrangement of all matches that allow it: a user writes all layers of a kind alike.

        Then pieces alone in another order, and those of one shape: where gates lie the other way round, residuals
        beside skips need not.
        """
        every = {place: list(_rearranged(match)) for place, match in enumerate(self.matches)}
        orders = {place: list(_in_other_order(match)) for place, match in enumerate(self.matches)}
        shapes = [tuple(part.signature for part in (*match.keras, *match.torch)) for match in self.matches]
        tried: set[tuple[int, ...]] = set()
        for options, kind in ((every, lambda _: ()), (orders, lambda _: ()), (every, shapes.__getitem__)):
            alike: dict[tuple[object, ...], list[int]] = {}
            for place, each in options.items():
                alike.setdefault((len(each), kind(place)), []).append(place)
            fresh = [places for places in alike.values() if len(places) > 1 and tuple(places) not in tried]
            tried |= set(map(tuple, fresh))
            for places in fresh:
                for choice in range(len(options[places[0]])):
                    yield self.exchanged({i: replace(self.matches[i], links=options[i][choice]) for i in places})

    def reordered(self, axes: Mapping[str, Mapping[int, np.ndarray]]) -> "Pairing":
        """With the positions of some axes of PyTorch's arrays in Keras's order: array -> axis -> places."""
        changed = {}
        for place, match in enumerate(self.matches):
            links = tuple(_placed(link, axes.get(link.torch.name, {})) for link in match.links)
            changed[place] = replace(match, links=links)
        return self.exchanged(changed)

    def plain(self) -> "Pairing":
        """With every axis in the order in which it lies."""
        return self.exchanged({
            place: replace(match, links=tuple(replace(li, torch=replace(li.torch, places={})) for li in match.links))
            for place, match in enumerate(self.matches)
        })  # fmt: skip

    def exchanged(self, changed: Mapping[int, Match]) -> "Pairing":
        return replace(self, matches=tuple(changed.get(i, match) for i, match in enumerate(self.matches)))


def unpaired(pairing: Pairing, used: Mapping[str, set[str]]) -> Unpaired | None:
    """What to raise for arrays without partner, with the option to paste; None where there are none that count."""
    alone: dict[str, list[Part]] = {"Keras": [], "PyTorch": []}
    matched = {id(part) for match in pairing.matches for part in (*match.keras, *match.torch)}
    for each in pairing.alone:
        lone = id(each.part) not in matched or (each.role == each.part.main and each.part.kind in NEEDED)
        counts = lone and each.part.leaf.path in used[each.side] and each.part.trainable
        if counts and each.part not in alone[each.side]:
            alone[each.side].append(each.part)
    if not any(alone.values()):
        return None
    told = "; ".join(
        f"only in {side}: " + ", ".join(f"{part.path} ({part.leaf.kind})" for part in parts)
        for side, parts in alone.items()
        if parts
    )
    paste = " ".join(f"--map {a.path}={b.path}" for a, b in zip(*alone.values(), strict=False))
    hint = f"if these belong together, add {paste}" if paste else "one model has more layers than the other"
    single = [(side, part.leaf.path, part.leaf.kind) for side, parts in alone.items() for part in parts]
    whole = not all(alone.values()) and all(match.sure for match in pairing.matches) and not pairing.misfits
    return Unpaired(f"the models' layers do not pair up; {told}; {hint}", single if whole else ())


class Over(dict[str, np.ndarray]):
    """Arrays on top of others, which are read where there is none yet."""

    def __init__(self, below: Mapping[str, np.ndarray]):
        super().__init__()
        self.below = below

    def __missing__(self, name: str) -> np.ndarray:
        return self.below[name]


def of_parts(one: Part, other: Part) -> Match:
    roles = [role for role in one.views if role in other.views]
    return Match((one,), (other,), tuple(Link(role, one.views[role], other.views[role]) for role in roles))


def composition(whole: Part, group: Sequence[Part], keras_is_whole: bool) -> Match:
    links = []
    for role in whole.views:
        start = 0
        for part in group:
            width = part.views[part.main].own_shape[-1]
            if role in part.views:
                piece = whole.views[role].piece(start, start + width)
                links.append(Link(role, *((piece, part.views[role]) if keras_is_whole else (part.views[role], piece))))
            start += width
    mine, theirs = ((whole,), tuple(group)) if keras_is_whole else (tuple(group), (whole,))
    return Match(mine, theirs, tuple(links), sure=False)


def composition_of_rows(whole: Part, group: Sequence[Part], keras_is_whole: bool) -> Match:
    """Layers whose results are added, as one that takes in one row what they take."""
    links: list[tuple[str, View, View]] = []
    start, bias = 0, None
    for part in group:
        view = part.views["kernel"]
        links.append(("kernel", replace(whole.views["kernel"], lines=(start, start + view.own_shape[-2])), view))
        start += view.own_shape[-2]
        if "bias" in part.views and "bias" in whole.views:
            bias = replace(part.views["bias"], plus=bias.name if bias else "")
    links += [("bias", whole.views["bias"], bias)] if bias else []
    return of_pieces(whole, group, [Link(*each) for each in links], keras_is_whole)


def of_pieces(whole: Part, group: Sequence[Part], links: Sequence[Link], keras_is_whole: bool) -> Match:
    """A part and those that make it up; the links are written as if the whole were Keras's."""
    if keras_is_whole:
        return Match((whole,), tuple(group), tuple(links), sure=False)
    return Match(tuple(group), (whole,), tuple(Link(li.role, li.torch, li.keras) for li in links), sure=False)


def _told(one: Match, other: Match) -> bool:
    """Whether the names of two matches say that the partners are not each other's."""
    names = [[(each.path, each.leaf.kind) for each in (m.keras[0], m.torch[0])] for m in (one, other)]
    return told(*names)


def _exchangeable(one: Match, other: Match) -> bool:
    """Whether two matches are of single arrays of one shape."""
    if len(one.links) != 1 or len(other.links) != 1:
        return False
    shapes = [(match.links[0].keras.own_shape, match.links[0].torch.shape) for match in (one, other)]
    return shapes[0] == shapes[1]


def with_array_of(one: Match, other: Match) -> Match:
    """A match of single arrays with the PyTorch array of another."""
    return replace(one, torch=other.torch, links=(replace(one.links[0], torch=other.links[0].torch),))


def _rearranged(match: Match) -> Iterator[tuple[Link, ...]]:
    """The links of a match that is not sure, otherwise: pieces or gates in another order, axes of arrays too."""
    if match.sure and {part.kind for part in (*match.keras, *match.torch)} != {"array"}:
        return
    yield from _in_other_order(match)
    whole, group = _composed(match)
    pieces = len(group)
    beside = 1 < pieces <= MOST_PIECES and whole.kind in SIDE_BY_SIDE and _beside(match)
    even = beside and len({part.views[part.main].own_shape[-1] for part in group}) == 1
    for heads in range(2, MOST_HEADS + 1) if even else ():
        if interleaved := _by_head(whole, pieces, heads):
            yield composition(interleaved, group, len(match.keras) == 1).links
    for place, link in enumerate(match.links):
        others = ways(link.torch, link.keras.own_shape) if match.turns and len(link.torch.own_shape) > 1 else []
        for view in [each for each in others if not same(each, link.torch)][:MOST_WAYS]:
            yield (*match.links[:place], replace(link, torch=view), *match.links[place + 1 :])


def _in_other_order(match: Match) -> Iterator[tuple[Link, ...]]:
    """The links of a composition with its pieces in every other order."""
    whole, group = _composed(match)
    pieces = 1 < len(group) <= MOST_PIECES and not match.sure and whole.kind in SIDE_BY_SIDE
    made = composition if _beside(match) else composition_of_rows
    for order in itertools.permutations(group) if pieces else ():
        if order != group:
            yield made(whole, order, len(match.keras) == 1).links


def _beside(match: Match) -> bool:
    """Whether the pieces lie side by side in columns, and not one below the other."""
    return not any(link.keras.lines or link.torch.lines for link in match.links)


def _composed(match: Match) -> tuple[Part, tuple[Part, ...]]:
    """The part that holds the others, and these."""
    return (match.keras[0], match.torch) if len(match.keras) == 1 else (match.torch[0], match.keras)


def _by_head(whole: Part, pieces: int, heads: int) -> Part | None:
    """A part in which each head's pieces lie side by side, as one that has all of a piece's heads side by side."""
    if any(view.own_shape[-1] % (pieces * heads) or view.gates or view.columns for view in whole.views.values()):
        return None
    gates = tuple(head * pieces + piece for piece in range(pieces) for head in range(heads))
    return replace(whole, views={role: replace(view, gates=gates) for role, view in whole.views.items()})


def _placed(link: Link, axes: Mapping[int, np.ndarray]) -> Link:
    fitting = {axis: places for axis, places in axes.items() if link.torch.shape[axis] == len(places)}
    if -1 in fitting and len(link.torch.shape) == 1:
        fitting = {-1: fitting[-1]}
    elif len(link.torch.shape) == 1:
        fitting = {}
    return replace(link, torch=replace(link.torch, places=fitting)) if fitting else link
