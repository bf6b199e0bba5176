"""Which arrays of a Keras model are which of a PyTorch model: by names, shapes and place in the flow of data.

What this finds is a guess until both models have run with it: `Pairing.alternatives` gives the others that fit.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from compare.verify.flow import Place, places
from compare.verify.parts import Part, View, of_keras, of_torch
from twin.bridge import Arrays, Leaf
from twin.errors import TwinError
from twin.trace import Trace

NEEDED = {
    "dense",
    "conv",
    "conv_transpose",
    "table",
    "lstm",
    "gru",
    "rnn",
}  # kinds that are nothing without the main array
RECURRENT = {"lstm", "gru", "rnn"}
NOWHERE = Place(10**6, 0, frozenset(), frozenset(), ())
SAME_WORD = {
    "weight": "kernel", "weights": "kernel", "w": "kernel", "gamma": "scale", "beta": "shift", "b": "bias",
    "var": "variance", "ih": "kernel", "hh": "recurrent", "h2h": "recurrent", "x2h": "kernel", "q": "query", "k": "key",
    "v": "value", "o": "output", "out": "output", "proj": "output", "emb": "embedding", "embed": "embedding",
    "embeddings": "embedding", "fc": "dense", "linear": "dense", "lin": "dense", "bn": "norm", "ln": "norm",
    "batchnorm": "norm", "layernorm": "norm", "pos": "position", "positions": "position", "tok": "token",
    "cls": "class", "attn": "attention", "enc": "encoder", "dec": "decoder", "normalization": "norm", "std": "variance",
}  # fmt: skip
EMPTY_WORDS = {"layer", "layers", "model", "net", "module", "module_list", "self", "running", "moving", "array"}
RANKS = {
    "q": 0, "query": 0, "k": 1, "key": 1, "v": 2, "value": 2, "i": 0, "input": 0, "f": 1, "forget": 1, "c": 2, "g": 2,
    "cell": 2, "o": 3, "output": 3, "z": 0, "update": 0, "r": 1, "reset": 1, "h": 2, "n": 2, "new": 2,
}  # fmt: skip


class Unpaired(TwinError):
    """Some layers have no partner."""


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
    """

    keras: tuple[Part, ...]
    torch: tuple[Part, ...]
    links: tuple[Link, ...]
    sure: bool = True


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
        out: Arrays = _Over(torch)
        for link in self.links:
            link.torch.put(out, link.keras.get(keras))
        return dict(out)

    def to_keras(self, torch: Mapping[str, np.ndarray], keras: Mapping[str, np.ndarray]) -> Arrays:
        """The other way round."""
        out: Arrays = _Over(keras)
        for link in self.links:
            link.keras.put(out, link.torch.get(torch))
        return dict(out)

    def alternatives(self) -> Iterator["Pairing"]:
        """Other pairings that fit as well: two partners exchanged, pieces or gates in another order, transposed."""
        single = [i for i, m in enumerate(self.matches) if len(m.keras) == len(m.torch) == 1]
        for place, match in enumerate(self.matches):
            for links in _rearranged(match):
                yield self.exchanged({place: replace(match, links=links)})
        for i, j in itertools.combinations(single, 2):
            one, other = self.matches[i], self.matches[j]
            if one.sure and other.sure:
                same = one.torch[0].signature == other.torch[0].signature
                if same and one.keras[0].signature == other.keras[0].signature:
                    yield self.exchanged(
                        {i: _match(one.keras[0], other.torch[0]), j: _match(other.keras[0], one.torch[0])}
                    )
            elif _exchangeable(one, other):
                yield self.exchanged({i: _exchanged(one, other), j: _exchanged(other, one)})

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


class _Over(dict[str, np.ndarray]):
    """Arrays on top of others, which are read where there is none yet."""

    def __init__(self, below: Mapping[str, np.ndarray]):
        super().__init__()
        self.below = below

    def __missing__(self, name: str) -> np.ndarray:
        return self.below[name]


@dataclass
class _Side:
    """One model's parts and where they are used."""

    name: str
    parts: list[Part]
    places: Mapping[str, Place]
    left: list[Part] = field(init=False)

    def __post_init__(self) -> None:
        ranked = sorted(range(len(self.parts)), key=lambda i: (self.place(self.parts[i]).order, i))
        self.left = [self.parts[i] for i in ranked]

    def place(self, part: Part) -> Place:
        return self.places.get(part.leaf.path, NOWHERE)

    def take(self, *parts: Part) -> None:
        gone = set(map(id, parts))
        self.left = [part for part in self.left if id(part) not in gone]


@dataclass(frozen=True)
class Weights:
    """How much each sign counts when parts are paired."""

    name: float = 1.0
    flow: float = 1.0
    order: float = 1.0


GUESSES = (Weights(), Weights(0.0, 0.0, 1.0), Weights(0.0, 2.0, 1.0), Weights(3.0, 0.0, 0.1))


def pair(
    keras: Sequence[Leaf],
    torch: Sequence[Leaf],
    traces: tuple[Trace, Trace],
    inputs: int,
    given: Mapping[str, str],
    weights: Weights = GUESSES[0],
) -> Pairing:
    """The likeliest pairing.

    Args:
        keras: the layers that own arrays.
        torch: the same of the other side.
        traces: both models' calls, for the order of execution and the flow of data.
        inputs: how many inputs the models take.
        given: pairs of layers or of their parts that the user names.
        weights: how much names, flow and order count.

    Raises:
        Unpaired: when the user names what is not there.
    """
    sides = (
        _Side(
            "Keras",
            [part for leaf in keras for part in of_keras(leaf)],
            places(traces[0], inputs, [leaf.path for leaf in keras]),
        ),
        _Side(
            "PyTorch",
            [part for leaf in torch for part in of_torch(leaf)],
            places(traces[1], inputs, [leaf.path for leaf in torch]),
        ),
    )
    matches = _given(sides, given)
    known = {match.keras[0].leaf.path: match.torch[0].leaf.path for match in matches}
    for fits in (_equal, _alike):
        matches += _assigned(sides, known, fits, weights)
    matches += _composed(sides) + _arrays(sides, known, weights)
    misfits = [
        (match.keras[0], match.torch[0]) for match in _assigned(sides, known, lambda a, b: a.kind == b.kind, weights)
        if all(side.place(part).calls for side, part in zip(sides, (match.keras[0], match.torch[0]), strict=True))
    ]  # fmt: skip
    shared = _shared(sides, matches)
    alone = [Alone(side.name, part, role) for side in sides for part in side.left for role in part.views]
    for match in matches:
        for side, parts in zip(sides, (match.keras, match.torch), strict=True):
            linked = {(link.keras if side is sides[0] else link.torch).name for link in match.links}
            alone += [
                Alone(side.name, part, role)
                for part in parts
                for role, view in part.views.items()
                if view.name not in linked and len(match.links) and not _split(part, matches)
            ]
    return Pairing(tuple(matches), tuple(alone), tuple(misfits), tuple(shared))


def unpaired(pairing: Pairing, used: Mapping[str, set[str]]) -> str:
    """The message for arrays without partner, with the option to paste; "" where there are none that count."""
    alone: dict[str, list[Part]] = {"Keras": [], "PyTorch": []}
    matched = {id(part) for match in pairing.matches for part in (*match.keras, *match.torch)}
    for each in pairing.alone:
        lone = id(each.part) not in matched or (each.role == each.part.main and each.part.kind in NEEDED)
        counts = lone and each.part.leaf.path in used[each.side] and each.part.trainable
        if counts and each.part not in alone[each.side]:
            alone[each.side].append(each.part)
    if not any(alone.values()):
        return ""
    told = "; ".join(
        f"only in {side}: " + ", ".join(f"{part.path} ({part.leaf.kind})" for part in parts)
        for side, parts in alone.items()
        if parts
    )
    paste = " ".join(f"--map {a.path}={b.path}" for a, b in zip(*alone.values(), strict=False))
    hint = f"if these belong together, add {paste}" if paste else "one model has more layers than the other"
    return f"the models' layers do not pair up; {told}; {hint}"


def _given(sides: tuple[_Side, _Side], given: Mapping[str, str]) -> list[Match]:
    """The pairs that the user names, by layer or by part."""
    matches = []
    for name, path in given.items():
        found = []
        for side, at in zip(sides, (name, path), strict=True):
            parts = [part for part in side.left if at in (part.path, part.leaf.path)]
            if not parts:
                raise Unpaired(f"--map {name}={path}: the {side.name} model has no layer {at!r} with weights")
            found.append(parts)
        for one, other in zip(*found, strict=False):
            matches.append(_match(one, other))
            sides[0].take(one)
            sides[1].take(other)
    return matches


def _equal(one: Part, other: Part) -> bool:
    return one.signature == other.signature


def _alike(one: Part, other: Part) -> bool:
    """Whether all that both have fits, and both have the main array."""
    if one.kind != other.kind or one.kind == "array":
        return False
    common = set(one.views) & set(other.views)
    fits = all(one.views[role].own_shape == other.views[role].own_shape for role in common)
    return fits and (one.main in common or (one.kind == "norm" and bool(common)))


def _assigned(sides: tuple[_Side, _Side], known: dict[str, str], fits: object, weights: Weights) -> list[Match]:
    """Pair what is left where it fits, as the signs tell; the flow of data counts once partners are known."""
    ours, theirs = sides[0].left, sides[1].left
    if not ours or not theirs:
        return []
    ranks = [_ranks(side) for side in sides]
    possible = np.array([[bool(fits(a, b)) for b in theirs] for a in ours])  # type: ignore[operator]
    chosen: list[tuple[int, int]] = []
    for _ in range(4):
        scores = np.full(possible.shape, -100.0)
        for i, j in zip(*np.nonzero(possible), strict=True):
            scores[i, j] = _score(sides, ours[i], theirs[j], known, weights, ranks)
        rows, columns = linear_sum_assignment(scores, maximize=True)
        now = [(i, j) for i, j in zip(rows, columns, strict=True) if possible[i, j]]
        known |= {ours[i].leaf.path: theirs[j].leaf.path for i, j in now}
        if now == chosen:
            break
        chosen = now
    matches = [_match(ours[i], theirs[j]) for i, j in chosen]
    sides[0].take(*(ours[i] for i, _ in chosen))
    sides[1].take(*(theirs[j] for _, j in chosen))
    return matches


def _ranks(side: _Side) -> dict[int, float]:
    """Each part's place among those of its kind and shape, from 0 to 1."""
    out: dict[int, float] = {}
    for signature in {part.signature for part in side.left}:
        same = [part for part in side.left if part.signature == signature]
        out |= {id(part): place / len(same) for place, part in enumerate(same)}
    return out


def _score(
    sides: tuple[_Side, _Side],
    one: Part,
    other: Part,
    known: Mapping[str, str],
    weights: Weights,
    ranks: Sequence[Mapping[int, float]],
) -> float:
    """How much speaks for two parts being the same."""
    mine, native = sides[0].place(one), sides[1].place(other)
    score = 1.0 - weights.order * abs(ranks[0][id(one)] - ranks[1][id(other)])
    score += weights.name * alike(one, other)
    score += 0.7 * (mine.role == native.role) * (weights.flow > 0)
    score += weights.flow * (_overlap(mine.before, native.before, known) + _overlap(mine.after, native.after, known))
    score += 1.0 * (one.path.removeprefix(one.leaf.path) == other.path.removeprefix(other.leaf.path) != "")
    return score - 2.0 * (bool(mine.calls) != bool(native.calls))


def _overlap(one: frozenset[str], other: frozenset[str], known: Mapping[str, str]) -> float:
    """How much of two neighbourhoods is each other's partner."""
    mapped = {known.get(name, name) for name in one}
    return len(mapped & other) / max(len(mapped | other), 1)


def alike(one: Part, other: Part) -> float:
    """How much two names say the same, between 0 and 2."""
    mine, theirs = words(one.path, one.leaf.kind), words(other.path, other.leaf.kind)
    if mine and _plain(one.path) == _plain(other.path):
        return 2.0
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else 0.0


def words(path: str, kind: str) -> set[str]:
    """The words and numbers of a path; a name that Keras made up (`dense_3`) says nothing."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    found: set[str] = set()
    for piece in path.split("."):
        if re.fullmatch(
            rf"({snake}|conv\dd|dense|batch_normalization|layer_normalization|embedding|lstm|gru)_\d+", piece
        ):
            continue
        for word in re.findall(r"[A-Za-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", piece)):
            word = SAME_WORD.get(word.lower(), word.lower())
            if word not in EMPTY_WORDS:
                found.add(word)
    return found


def _plain(path: str) -> str:
    return path.lower().replace("_", "").removeprefix("module.")


def _match(one: Part, other: Part) -> Match:
    roles = [role for role in one.views if role in other.views]
    return Match((one,), (other,), tuple(Link(role, one.views[role], other.views[role]) for role in roles))


def _composed(sides: tuple[_Side, _Side]) -> list[Match]:
    """Several projections of one side that lie side by side in one of the other, such as query, key and value."""
    matches = []
    for big, small in (sides, sides[::-1]):
        for whole in [part for part in big.left if part.kind in ("dense", "conv") and "kernel" in part.views]:
            shape = whole.views["kernel"].own_shape
            group: list[Part] = []
            fitting = [
                part for part in small.left
                if part.kind == whole.kind and "kernel" in part.views
                and part.views["kernel"].own_shape[:-1] == shape[:-1]
                and part.views["kernel"].own_shape[-1] < shape[-1]
            ]  # fmt: skip
            for start in range(len(fitting)):
                total = 0
                for end in range(start, len(fitting)):
                    total += fitting[end].views["kernel"].own_shape[-1]
                    if total == shape[-1]:
                        group = fitting[start : end + 1]
                        break
                if group:
                    break
            if len(group) > 1:
                group = sorted(group, key=_gate)
                matches.append(_composition(whole, group, big is sides[0]))
                big.take(whole)
                small.take(*group)
    return matches


def _composition(whole: Part, group: Sequence[Part], keras_is_whole: bool) -> Match:
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


def _exchangeable(one: Match, other: Match) -> bool:
    """Whether two matches are of single arrays of one shape."""
    if len(one.links) != 1 or len(other.links) != 1:
        return False
    shapes = [(match.links[0].keras.own_shape, match.links[0].torch.shape) for match in (one, other)]
    return shapes[0] == shapes[1]


def _exchanged(one: Match, other: Match) -> Match:
    """A match of single arrays with the PyTorch array of another."""
    return replace(one, torch=other.torch, links=(replace(one.links[0], torch=other.links[0].torch),))


def _gate(part: Part) -> int:
    """The usual place of a piece by its name: query, key, value; input, forget, cell, output."""
    last = re.findall(r"[a-z]+", part.path.lower())
    return next((RANKS[word] for word in reversed(last) if word in RANKS), 0)


def _arrays(sides: tuple[_Side, _Side], known: Mapping[str, str], weights: Weights) -> list[Match]:
    """Array by array, what is left: of layers that one side writes by hand."""
    atoms = [
        [(part, role) for part in side.left for role in part.views if side.place(part).calls or part.kind != "array"]
        for side in sides
    ]
    ranks = [{id(part): place / max(len(side.left), 1) for place, part in enumerate(side.left)} for side in sides]
    if not all(atoms):
        return []
    scores = np.full((len(atoms[0]), len(atoms[1])), -100.0)
    for i, (one, role) in enumerate(atoms[0]):
        for j, (other, native) in enumerate(atoms[1]):
            fit = _by_hand(one, other) and _shape_fit(one.views[role].own_shape, other.views[native].own_shape)
            if fit:
                score = _score(sides, one, other, known, weights, ranks) + fit + (role == native)
                named = words(f"{one.path}.{role}", one.leaf.kind), words(f"{other.path}.{native}", other.leaf.kind)
                score += len(named[0] & named[1]) / max(len(named[0] | named[1]), 1)
                scores[i, j] = score - (one.trainable != other.trainable)
    rows, columns = linear_sum_assignment(scores, maximize=True)
    matches = []
    for i, j in zip(rows, columns, strict=True):
        if scores[i, j] > -50:
            (one, role), (other, native) = atoms[0][i], atoms[1][j]
            link = Link(role, one.views[role], _as(other.views[native], one.views[role].own_shape))
            matches.append(Match((one,), (other,), (link,), sure=False))
    for place in (0, 1):
        done = [match.keras[0] if place == 0 else match.torch[0] for match in matches]
        sides[place].take(*done)
    return matches


def _by_hand(one: Part, other: Part) -> bool:
    """Whether one of two parts may be the other, or a piece of it, written by hand."""
    kinds = {one.kind, other.kind}
    return "array" in kinds or (bool(kinds & RECURRENT) and bool(kinds & {"dense"}))


def _shape_fit(one: Sequence[int], other: Sequence[int]) -> float:
    """2 where two shapes are the same but for axes of length 1, 1 where one is the other turned, else 0."""
    thin = [tuple(side for side in shape if side != 1) for shape in (one, other)]
    if thin[0] == thin[1]:
        return 2.0
    return 1.0 if sorted(thin[0]) == sorted(thin[1]) else 0.0


def _as(view: View, shape: Sequence[int]) -> View:
    """A view of an array in another shape: without axes of length 1, or turned."""
    if view.columns is not None or view.own_shape == tuple(shape):
        return view
    thin = tuple(side for side in view.shape if side != 1), tuple(side for side in shape if side != 1)
    if thin[0] == thin[1] or view.order:
        return replace(view, shape=tuple(shape))
    orders = [
        o for o in itertools.permutations(range(len(view.shape))) if tuple(view.shape[a] for a in o) == tuple(shape)
    ]
    first = (*range(1, len(view.shape)), 0)
    order = first if first in orders else orders[0] if orders else ()
    turned = tuple(view.shape[axis] for axis in order)
    return replace(view, order=order, turned=turned, shape=tuple(shape))


def _rearranged(match: Match) -> Iterator[tuple[Link, ...]]:
    """The links of a match that is not sure, otherwise: pieces or gates in another order, square arrays transposed."""
    if match.sure:
        return
    pieces = max(len(match.keras), len(match.torch))
    if 1 < pieces <= 4:
        whole = match.keras if len(match.keras) == 1 else match.torch
        group = match.torch if len(match.keras) == 1 else match.keras
        for order in itertools.permutations(group):
            if order != group:
                yield _composition(whole[0], order, len(match.keras) == 1).links
    for place, link in enumerate(match.links):
        shape = link.torch.own_shape
        changed = []
        if len(shape) == 2 and shape[0] == shape[1] and not link.torch.gates and link.torch.columns is None:
            turn = (1, 0) if not link.torch.order else ()
            changed.append(replace(link.torch, order=turn, turned=shape if turn else ()))
        yield from ((*match.links[:place], replace(link, torch=each), *match.links[place + 1 :]) for each in changed)


def gates_rearranged(pairing: Pairing) -> Iterator[Pairing]:
    """All arrays of hand-written recurrent layers with their gates in another order, at once."""
    for count in (4, 3):
        unsure = {place: match for place, match in enumerate(pairing.matches) if _gated(match, count)}
        for gates in itertools.permutations(range(count)) if unsure else ():
            if gates != tuple(range(count)):
                changed = {}
                for place, match in unsure.items():
                    link = match.links[0]
                    turned = replace(link, torch=replace(link.torch, gates=gates))
                    changed[place] = replace(match, links=(turned,))
                yield pairing.exchanged(changed)


def _gated(match: Match, count: int) -> bool:
    """Whether a match is of one array of a recurrent layer with so many gates that one side writes by hand."""
    recurrent = match.keras[0].kind in ("lstm", "gru") or match.torch[0].kind in ("lstm", "gru")
    return not match.sure and recurrent and len(match.links) == 1 and match.links[0].torch.own_shape[-1] % count == 0


def _placed(link: Link, axes: Mapping[int, np.ndarray]) -> Link:
    fitting = {axis: places for axis, places in axes.items() if link.torch.shape[axis] == len(places)}
    if -1 in fitting and len(link.torch.shape) == 1:
        fitting = {-1: fitting[-1]}
    elif len(link.torch.shape) == 1:
        fitting = {}
    return replace(link, torch=replace(link.torch, places=fitting)) if fitting else link


def _split(part: Part, matches: Sequence[Match]) -> bool:
    """Whether a part's arrays are paired one by one, in several matches."""
    return sum(any(part is each for each in (*match.keras, *match.torch)) for match in matches) > 1


def _shared(sides: tuple[_Side, _Side], matches: Sequence[Match]) -> list[tuple[str, Part, Part]]:
    """Parts without partner that do what a part of the other side does in a second call."""
    found = []
    for place, side in enumerate(sides):
        other = sides[1 - place]
        for part in list(side.left):
            if not side.place(part).calls:
                continue
            for match in matches:
                mine, theirs = (match.keras[0], match.torch[0]) if place == 0 else (match.torch[0], match.keras[0])
                if mine.signature == part.signature and other.place(theirs).calls > side.place(mine).calls:
                    found.append((side.name, part, mine))
                    side.take(part)
                    break
    return found
