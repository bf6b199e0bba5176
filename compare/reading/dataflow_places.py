"""Where the boxes of a data flow stand.

An encoder and decoder that skips join gets the shape of a U, its boxes at the height of their resolution; any other
model is laid out in ranks, after Sugiyama, by the library fast-sugiyama. Only those who measure need that library.
"""

from collections.abc import Sequence
from dataclasses import replace

from compare.reading.dataflow import ACROSS, GAP, WIDTH, Box, height
from twin.errors import TwinError


def placed(found: Sequence[Box]) -> list[Box]:
    """The boxes with places."""
    return _as_u(found) or _in_ranks(found)


def side(box: Box) -> int:
    """Height of what leaves the box, where that is a picture (B, H, W, C); else 0."""
    return int(box.shape[1]) if len(box.shape) == 4 else 0


def _as_u(found: Sequence[Box]) -> list[Box]:
    """An encoder's boxes go down on the left, the decoder's up on the right; nothing where no skips join them."""
    sides = [side(box) for box in found]
    least = min(sides, default=0)
    first, last = sides.index(least), len(sides) - 1 - sides[::-1].index(least)
    if not found or min(max(sides[:first], default=0), sides[-1]) < max(2 * least, 2) or sides[0] < 2 * least:
        return []
    columns = [0 if number < first else 2 if number > last else 1 for number in range(len(found))]
    arrows = [(source, number) for number, box in enumerate(found) for source in box.sources if source >= 0]
    if not any(columns[source] == 0 and columns[number] == 2 for source, number in arrows):
        return []  # without a skip from the way down to the way up
    out, top = list(found), 0.0
    for level in sorted({*sides}, reverse=True):
        mine = [number for number in range(len(found)) if sides[number] == level or first <= number <= last]
        mine = [n for n in mine if (columns[n] == 1) == (level == least)]
        stacks = [[n for n in mine if columns[n] == column] for column in range(3)]
        stacks[2].reverse()  # the way up
        heights = []
        for column, stack in enumerate(stacks):
            y = top
            for number in stack:
                out[number] = replace(found[number], left=column * (WIDTH + ACROSS), top=y)
                y += height(found[number]) + GAP
            heights.append(y - top)
        shift = top + max(heights)
        for column in (0, 2):  # both rest on the level's bottom, where a skip leaves the one and reaches the other
            for number in stacks[column]:
                out[number].top += max(heights) - heights[column]
        top = shift
    return out


def _in_ranks(found: Sequence[Box]) -> list[Box]:
    """Boxes in ranks, each below all that it takes from; arrows go where no box stands."""
    try:
        from fast_sugiyama import from_edges
    except ImportError as error:
        raise TwinError(
            "the picture of a data flow is laid out by fast-sugiyama; try: pip install fast-sugiyama"
        ) from error

    arrows = [(source, number) for number, box in enumerate(found) for source in box.sources]
    first = min(0, *(source for source, _ in arrows))  # the library's vertices are numbered from 0
    places: dict[int, tuple[float, float]] = {}
    after: dict[int, list[int]] = {}
    shifted = [(source - first, number - first) for source, number in arrows]
    for vertices, _, _, edges in from_edges(shifted, vertex_spacing=1, dummy_vertices=True, check_layout=False):
        places |= {int(vertex) + first: place for vertex, place in vertices}
        for start, end in edges or ():
            after.setdefault(int(start) + first, []).append(int(end) + first)

    def way(start: int, end: int) -> list[int]:
        """The vertices without a box between two boxes."""
        for following in after[start]:
            passed = [following]
            while passed[-1] >= len(found):
                passed += after[passed[-1]]
            if passed[-1] == end:
                return passed[:-1]
        return []

    ranks = sorted({-y for _, y in places.values()})
    tops, top = {}, 0.0
    for rank in ranks:
        tops[rank] = top
        members = [found[vertex] for vertex, (_, y) in places.items() if -y == rank and 0 <= vertex < len(found)]
        top += max((height(box) + GAP for box in members), default=0)
    least = min(x for vertex, (x, _) in places.items() if vertex >= 0)

    def at(vertex: int) -> tuple[float, float]:
        x, y = places[vertex]
        return round((x - least) * (WIDTH + ACROSS)), tops[-y]

    return [
        replace(
            box,
            left=at(number)[0],
            top=at(number)[1],
            ways=[[at(vertex) for vertex in way(source, number)] for source in box.sources],
        )
        for number, box in enumerate(found)
    ]
