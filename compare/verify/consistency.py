"""Pairs of arrays by themselves made to fit each other: one layer's arrays go to one layer, and are turned alike."""

from collections.abc import Sequence
from dataclasses import replace

from compare.verify.pairing import Match, with_array_of
from compare.verify.shapes import ways


def consistent(matches: Sequence[Match]) -> list[Match]:
    """The matches, with biases beside their kernels and square matrices turned as those whose shapes tell it."""
    return _turned_alike(_beside_their_kernels(list(matches)))


def _beside_their_kernels(matches: list[Match]) -> list[Match]:
    """Vectors of one shape exchanged where the larger arrays of their layers tell whose they are."""
    alone = [place for place, match in enumerate(matches) if _are_arrays(match)]
    owners: dict[str, str] = {}
    for place in sorted(alone, key=lambda place: matches[place].links[0].keras.size):  # the largest has the last word
        match = matches[place]
        if len(match.links[0].keras.own_shape) > 1:
            owners[match.keras[0].holder] = match.torch[0].holder
    vectors = [place for place in alone if len(matches[place].links[0].keras.own_shape) == 1]
    for place in vectors:
        wanted = owners.get(matches[place].keras[0].holder)
        if wanted is None or wanted == matches[place].torch[0].holder:
            continue
        for other in vectors:
            one, two = matches[place], matches[other]
            same = one.links[0].torch.own_shape == two.links[0].torch.own_shape
            if same and two.torch[0].holder == wanted:
                matches[place], matches[other] = with_array_of(one, two), with_array_of(two, one)
                break
    return matches


def _turned_alike(matches: list[Match]) -> list[Match]:
    """Square matrices turned where all others of their names are: of those alone, shapes say it."""
    turned: dict[tuple[str, str], set[bool]] = {}
    for match in matches:
        if _are_arrays(match) and len(match.links[0].keras.own_shape) == 2:
            link = match.links[0]
            rows, columns = link.keras.own_shape
            if rows != columns:
                turned.setdefault(_names(match), set()).add(link.torch.order == (1, 0))
    out = []
    for match in matches:
        shape = match.links[0].keras.own_shape if _are_arrays(match) else ()
        square = len(shape) == 2 and shape[0] == shape[1]
        if square and match.turns and turned.get(_names(match)) == {True} and not match.links[0].torch.order:
            link = match.links[0]
            view = next((way for way in ways(link.torch, shape) if way.order == (1, 0)), link.torch)
            match = replace(match, links=(replace(link, torch=view),))
        out.append(match)
    return out


def _are_arrays(match: Match) -> bool:
    """Whether a match is of two arrays, of which one at least stands by itself."""
    parts = (*match.keras, *match.torch)
    return len(parts) == 2 and len(match.links) == 1 and any(part.kind == "array" for part in parts)


def _names(match: Match) -> tuple[str, str]:
    """The arrays' own names, which stand for what their layers do with them."""
    link = match.links[0]
    return link.keras.name.rpartition(".")[2], link.torch.name.rpartition(".")[2]
