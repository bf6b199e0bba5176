"""The likeliest pairing of a Keras model's arrays with a PyTorch model's: by names, shapes and the flow of data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from compare.verify.cells import cells
from compare.verify.composed import beside, composed, in_one_row, stacked
from compare.verify.consistency import consistent
from compare.verify.flow import added, entering, places
from compare.verify.likeness import Side, Weights, ranks_of, score
from compare.verify.names import opposed, role_of, words
from compare.verify.pairing import Alone, Link, Match, Pairing, Unpaired, of_parts
from compare.verify.parts import Part, of_keras, of_torch
from compare.verify.shapes import as_shape, fit, fit_merged
from twin.bridge import Leaf
from twin.trace import Trace

RECURRENT = {"lstm", "gru", "rnn"}
ROLE_WORDS = {"scale": {"kernel", "scale", "gain"}, "shift": {"bias", "shift"}}


GUESSES = (
    Weights(), Weights(0.0, 0.0, 1.0), Weights(0.0, 2.0, 1.0), Weights(3.0, 0.0, 0.1), Weights(8.0, 0.0, 0.1)
)  # fmt: skip


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
        Side(
            "Keras",
            [part for leaf in keras for part in of_keras(leaf)],
            places(traces[0], inputs, [leaf.path for leaf in keras]),
            entering(traces[0]),
        ),
        Side(
            "PyTorch",
            [part for leaf in torch for part in of_torch(leaf)],
            places(traces[1], inputs, [leaf.path for leaf in torch]),
            entering(traces[1]),
        ),
    )
    matches = _given(sides, given)
    matches += cells(*sides)
    known = {match.keras[0].leaf.path: match.torch[0].leaf.path for match in matches}
    counts = [
        [sum(_counts(part) == kind for part in side.left) for kind in ("norm", "vector", "row")] for side in sides
    ]
    for fits in (_equal if counts[0] == counts[1] else _equal_layers, _alike, _thin):
        matches += _assigned(sides, known, fits, weights)
    matches += beside(*sides, matches)
    matches += composed(*sides, strict=True) + stacked(*sides) + composed(*sides, strict=False) + in_one_row(*sides)
    matches += _by_array(sides, known, weights)
    misfits = [
        (match.keras[0], match.torch[0]) for match in _assigned(sides, known, lambda a, b: a.kind == b.kind, weights)
        if all(side.place(part).calls for side, part in zip(sides, (match.keras[0], match.torch[0]), strict=True))
    ]  # fmt: skip
    shared = _shared(sides, matches)
    shown_added = added(traces)
    matches = consistent([replace(match, turns=not _bare(match, shown_added)) for match in matches])
    return Pairing(tuple(matches), tuple(_alone(sides, matches)), tuple(misfits), tuple(shared))


def _alone(sides: tuple[Side, Side], matches: Sequence[Match]) -> list[Alone]:
    """The arrays without partner, in parts that have one and in those that have none."""
    alone = [
        Alone(side.name, part, role)
        for side in sides
        for part in side.left
        for role in part.views
        if part.trainable or part.kind != "array" or part.path == part.leaf.path  # a mask in a Linear needs no partner
    ]
    for match in matches:
        for side, parts in zip(sides, (match.keras, match.torch), strict=True):
            views = [link.keras if side is sides[0] else link.torch for link in match.links]
            linked = {name for view in views for name in (view.name, view.plus)}
            alone += [
                Alone(side.name, part, role)
                for part in parts
                for role, view in part.views.items()
                if view.name not in linked and len(match.links) and not _split(part, matches)
            ]
    return alone


def _bare(match: Match, paths: set[str]) -> bool:
    """Whether a match is of two matrices by themselves that neither side multiplies with."""
    parts = (*match.keras, *match.torch)
    return all(part.kind == "array" and part.path in paths for part in parts)


def _given(sides: tuple[Side, Side], given: Mapping[str, str]) -> list[Match]:
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
            matches.append(of_parts(one, other))
            sides[0].take(one)
            sides[1].take(other)
    return matches


def _equal(one: Part, other: Part) -> bool:
    """Whether two parts are of one kind and shape; of arrays by themselves neither or both must be trained."""
    return one.signature == other.signature and (one.kind != "array" or one.trainable == other.trainable)


def _equal_layers(one: Part, other: Part) -> bool:
    """As `_equal`, but for vectors that stand alone: one side writes a layer by hand, and any may be that layer's."""
    return _equal(one, other) and _counts(one) not in ("vector", "row")


def _counts(part: Part) -> str:
    """The part's kind, where a vector that stands alone is one of its own, and a row such as (1, 1, width) another."""
    shape = part.views["array"].own_shape if part.kind == "array" else ()
    if sum(side != 1 for side in shape) != 1:
        return part.kind
    return "vector" if len(shape) == 1 else "row"


def _alike(one: Part, other: Part) -> bool:
    """Whether all that both have fits, and both have the main array."""
    if one.kind != other.kind or one.kind == "array":
        return False
    common = set(one.views) & set(other.views)
    fits = all(one.views[role].own_shape == other.views[role].own_shape for role in common)
    return fits and (one.main in common or (one.kind == "norm" and bool(common)))


def _thin(one: Part, other: Part) -> bool:
    """Whether two parts fit but for the order of axes or those of length 1.

    So do convolutions, one over steps and one as wide as its only channel, and norms over steps and channels, of which
    PyTorch's has its channels first.
    """
    least = {"conv": 2.0, "norm": 1.0}.get(one.kind, float("inf"))
    if one.kind != other.kind or set(one.views) != set(other.views):
        return False
    return all(fit(view.own_shape, other.views[role].own_shape) >= least for role, view in one.views.items())


def _in_shape(match: Match) -> Match:
    """The match with PyTorch's arrays in Keras's shapes."""
    links = [
        replace(link, torch=as_shape(link.torch, link.keras.own_shape))
        if fit(link.keras.own_shape, link.torch.own_shape)
        else link
        for link in match.links
    ]
    return replace(match, links=tuple(links))


def _assigned(sides: tuple[Side, Side], known: dict[str, str], fits: object, weights: Weights) -> list[Match]:
    """Pair what is left where it fits, as the signs tell; the flow of data counts once partners are known."""
    ours, theirs = sides[0].left, sides[1].left
    if not ours or not theirs:
        return []
    ranks = [ranks_of(side) for side in sides]
    possible = np.array([[bool(fits(a, b)) for b in theirs] for a in ours])  # type: ignore[operator]
    chosen: list[tuple[int, int]] = []
    for turn in range(4):
        scores = np.full(possible.shape, -100.0)
        for i, j in zip(*np.nonzero(possible), strict=True):
            scores[i, j] = score(sides, ours[i], theirs[j], known, weights, ranks)
        rows, columns = linear_sum_assignment(scores, maximize=True)
        now = [(i, j) for i, j in zip(rows, columns, strict=True) if possible[i, j]]
        # A norm belongs to the layer that it follows, which is paired before it tells anything itself.
        telling = [(i, j) for i, j in now if turn > 0 or ours[i].kind != "norm"]
        before = dict(known)
        known |= {ours[i].leaf.path: theirs[j].leaf.path for i, j in telling}
        if now == chosen and known == before:
            break
        chosen = now
    matches = [_in_shape(of_parts(ours[i], theirs[j])) for i, j in chosen]
    sides[0].take(*(ours[i] for i, _ in chosen))
    sides[1].take(*(theirs[j] for _, j in chosen))
    return matches


def _by_array(sides: tuple[Side, Side], known: dict[str, str], weights: Weights) -> list[Match]:
    """Array by array, what is left: of layers that one side writes by hand."""
    linked: set[tuple[int, str]] = set()
    matches: list[Match] = []
    for fits in (fit, fit_merged):
        # A trace does not see every use of an array: those that it shows come first.
        for seen in ("called", "trained", "state"):
            matches += _arrays(sides, known, weights, seen, fits, linked)
    for place in (0, 1):
        sides[place].take(*(match.keras[0] if place == 0 else match.torch[0] for match in matches))
    return matches


def _arrays(
    sides: tuple[Side, Side],
    known: dict[str, str],
    weights: Weights,
    seen: str,
    fits: Callable[[Sequence[int], Sequence[int]], float],
    linked: set[tuple[int, str]],
) -> list[Match]:
    """Arrays of which one may be the other written by hand.

    Args:
        sides, known, weights: as in `_assigned`.
        seen: those that a trace shows ("called"), also those that are "trained", or what is not trained ("state").
        fits: how well two shapes do.
        linked: the arrays that have a partner; those found here are added.
    """
    # A kernel that is made another before it enters a call shows in no trace, but the bias beside it does.
    shown = [{_owner(part) for part in side.left if side.place(part).calls} - {""} for side in sides]
    atoms = [
        [
            (part, role)
            for part in side.left
            for role in part.views
            if (id(part), role) not in linked
            and (
                part.kind != "array"
                or side.place(part).calls
                or (part.trainable and (seen == "trained" or _owner(part) in owners))
                if seen != "state"
                else not part.trainable
            )
        ]
        for side, owners in zip(sides, shown, strict=True)
    ]
    if not all(atoms):
        return []
    scores = _array_scores(sides, atoms, known, weights, fits)
    rows, columns = linear_sum_assignment(scores, maximize=True)
    # What one layer has goes to one layer: a bias to where its kernel goes, of which fewer have the shape; and a kernel
    # that a trace does not show to where the bias beside it goes.
    found = [(i, j) for i, j in zip(rows, columns, strict=True) if scores[i, j] > -50]
    found = [(i, j) for i, j in found if sides[0].place(atoms[0][i][0]).calls and sides[1].place(atoms[1][j][0]).calls]
    found.sort(key=lambda pair: atoms[0][pair[0]][0].views[atoms[0][pair[0]][1]].size)
    owners = {atoms[0][i][0].holder: atoms[1][j][0].holder for i, j in found}
    for i, (one, _) in enumerate(atoms[0]):
        for j, (other, _) in enumerate(atoms[1]):
            hidden = not sides[0].place(one).calls or not sides[1].place(other).calls
            scores[i, j] += (3.0 if hidden else 1.0) * (owners.get(one.holder, "") == other.holder != "")
    rows, columns = linear_sum_assignment(scores, maximize=True)
    matches = []
    for i, j in zip(rows, columns, strict=True):
        if scores[i, j] > -50:
            (one, role), (other, native) = atoms[0][i], atoms[1][j]
            link = Link(role, one.views[role], as_shape(other.views[native], one.views[role].own_shape))
            matches.append(Match((one,), (other,), (link,), sure=False))
            linked |= {(id(one), role), (id(other), native)}
    return matches


def _array_scores(
    sides: tuple[Side, Side],
    atoms: Sequence[Sequence[tuple[Part, str]]],
    known: Mapping[str, str],
    weights: Weights,
    fits: Callable[[Sequence[int], Sequence[int]], float],
) -> np.ndarray:
    """How much speaks for each pair of arrays; -100 where they do not fit."""
    ranks = [{id(part): place / max(len(side.left), 1) for place, part in enumerate(side.left)} for side in sides]
    scores = np.full((len(atoms[0]), len(atoms[1])), -100.0)
    for i, (one, role) in enumerate(atoms[0]):
        for j, (other, native) in enumerate(atoms[1]):
            close = _by_hand(one, other) and fits(one.views[role].own_shape, other.views[native].own_shape)
            if close:
                total = (
                    score(sides, one, other, known, weights, ranks)
                    + 0.5 * close  # a matrix by hand may stand either way round
                    + (role_of(one.path, role) == role_of(other.path, native))
                )
                total -= 2.0 * opposed(role_of(one.path, role), role_of(other.path, native))
                named = words(f"{one.path}.{role}", one.leaf.kind), words(f"{other.path}.{native}", other.leaf.kind)
                total += len(named[0] & named[1]) / max(len(named[0] | named[1]), 1)
                total += 0.6 * bool(ROLE_WORDS.get(role, set()) & named[1])  # a norm's scale is a `weight` by hand
                total += 0.6 * bool(ROLE_WORDS.get(native, set()) & named[0])
                total += 0.3 * (one.path[-1] == other.path[-1])  # a gate's letter: peep_i and w_ci
                scores[i, j] = total - (one.trainable != other.trainable)
    return scores


def _owner(part: Part) -> str:
    """The path of the layer that owns an array by itself."""
    return part.path.rpartition(".")[0]


def _by_hand(one: Part, other: Part) -> bool:
    """Whether one of two parts may be the other, or a piece of it, written by hand."""
    kinds = {one.kind, other.kind}
    return "array" in kinds or (bool(kinds & RECURRENT) and bool(kinds & {"dense"}))


def _split(part: Part, matches: Sequence[Match]) -> bool:
    """Whether a part's arrays are paired one by one, in several matches."""
    return sum(any(part is each for each in (*match.keras, *match.torch)) for match in matches) > 1


def _shared(sides: tuple[Side, Side], matches: Sequence[Match]) -> list[tuple[str, Part, Part]]:
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
