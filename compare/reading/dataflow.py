"""The data flow of a model as a picture: boxes for its layers and functions, arrows for what flows between them.

The calls of a forward pass (`twin.trace`) become boxes in four steps. A layer takes what only follows it (batch
normalization, an activation, a reshape) into its box. Blocks that repeat are drawn once. What is still too much for a
picture is drawn one level less deep, and then the functions between two layers as one. Then each box gets a place: an
encoder and decoder gets the shape of a U, its boxes at the height of their resolution; any other model is laid out in
ranks, after Sugiyama, by the library fast-sugiyama. The places are kept in flows.json, so that only those who measure
need that library; dataflow_svg.py draws them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from twin.errors import TwinError

BOXES = 26  # more would not be a picture
FOLLOWERS = {"activation", "batch_norm", "dropout", "shape"}  # families of calls that join the box before them
UNARY = {"getitem", "negative", "softmax", "mean", "max", "norm"}  # names of functions that do
CASTS = {"to", "type_as"}  # names of functions that keep the shape
WIDTH, LINE, GAP, ACROSS = 244, 16, 34, 26  # pixels: of a box, of a line in it, between boxes above and beside


@dataclass(frozen=True)
class Call:
    """A call of a forward pass.

    Args:
        path: of the layer that makes the call or is the call.
        own: whether the layer at `path` is this very call.
        family: what it does, in the words of `twin.trace`.
        name: of a function.
        shape: what comes out, in the order of the data's axes, the batch as "B"; empty where it is no array.
        inputs, outputs: numbers of the values that go in and come out.
    """

    path: str
    own: bool
    family: str
    name: str
    shape: tuple[int | str, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def module(self) -> str:
        """The layer within which the call is made."""
        return self.path.rpartition(".")[0] if self.own else self.path


@dataclass
class Box:
    """A box of the picture.

    Args:
        path: of its first layer; "" for a function of the model itself.
        functions: what it does beside that layer, in order: names of functions and further layers.
        shape: what leaves it.
        sources: numbers of the boxes that it takes from; -1 is the model's first input, -2 its second.
        ways: for each source, the places (x, y) in pixels that the arrow goes through, the ends apart.
        times: how often its block stands one after the other.
        left, top: its place in pixels.
    """

    path: str
    functions: list[str]
    shape: tuple[int | str, ...]
    sources: list[int]
    times: int = 1
    left: float = 0
    top: float = 0
    ways: list[list[tuple[float, float]]] = field(default_factory=list)

    @property
    def sign(self) -> tuple[Any, ...]:
        """Two boxes of one sign do the same on the same shapes, in blocks of other numbers."""
        parts = ["*" if part.isdigit() else part for part in self.path.split(".")]
        return (tuple(parts), tuple(self.functions), self.shape)


def boxes(calls: Sequence[Call], inputs: int = 1) -> list[Box]:
    """The calls as at most so many boxes as there is room for, if that can be had; without places.

    Args:
        calls: of a forward pass.
        inputs: how many the model has; their values have the numbers from 0 on.
    """
    used = _reached(calls, inputs)
    deepest = max((depth(call.module) for call in used), default=0)
    for level in range(deepest, -1, -1):
        found = _folded(_joined(used, level))
        if len(found) <= BOXES:
            break
    return found if len(found) <= 2 * BOXES else _gathered(found)


def depth(path: str) -> int:
    """Parts of a path that are no index."""
    return sum(not part.isdigit() for part in path.split(".") if part)


def _reached(calls: Sequence[Call], inputs: int) -> list[Call]:
    """Those that the inputs flow into, with what flows; no positions, masks or states that the model makes up itself.

    A cast to another tensor's type takes nothing of that one's values, which shows in the shape.
    """
    reached: dict[int, tuple[int | str, ...]] = dict.fromkeys(range(inputs), ())
    used = []
    for call in calls:
        taken = tuple(number for number in call.inputs if number in reached)
        foreign = call.name in CASTS and taken and reached[taken[0]] not in ((), call.shape)
        if taken and not foreign:
            reached |= dict.fromkeys(call.outputs, call.shape)
            used.append(replace(call, inputs=taken))
    return used


def _joined(calls: Sequence[Call], level: int) -> list[Box]:
    """Boxes of calls: those within one layer at that depth, and those that only follow the box before them."""
    consumers: dict[int, int] = {}
    for call in calls:
        for number in set(call.inputs):
            consumers[number] = consumers.get(number, 0) + 1
    found: list[Box] = []
    made = {number for call in calls for number in call.outputs}
    given = sorted({number for call in calls for number in call.inputs} - made)
    maker = {number: -1 - number for number in given}  # value -> box
    last = ""
    for call in calls:
        sources = list(dict.fromkeys(maker[number] for number in call.inputs))
        within = _cut(call.module, level)
        small = call.family in FOLLOWERS or (call.family == "op" and call.name in UNARY)
        follows = small and len(call.inputs) == 1 and consumers[call.inputs[0]] == 1 and sources[0] >= 0
        if within and within == last:
            place = len(found) - 1
            found[place].sources += [number for number in sources if number not in (*found[place].sources, place)]
            found[place].shape = call.shape or found[place].shape
        elif follows and not within:
            place = sources[0]
            if call.family != "shape":
                found[place].functions.append(call.path.rpartition(".")[2] if call.own else call.name or call.family)
            found[place].shape = call.shape or found[place].shape
        else:
            path = within or (call.path if call.own else "")
            functions = [] if path else [call.name or call.family]
            found.append(Box(path, functions, call.shape, sources))
            place = len(found) - 1
        last = within
        maker |= dict.fromkeys(call.outputs, place)
    return found


def _cut(path: str, level: int) -> str:
    """The layer of that depth, an index behind it included, that holds the path; "" where the path is less deep."""
    parts, kept = path.split(".") if path else [], 0
    for number, part in enumerate(parts):
        kept += not part.isdigit()
        after = parts[number + 1] if number + 1 < len(parts) else ""
        if kept > level and not after.isdigit():
            return ".".join(parts[: number + 1])
    return ""


def _folded(found: list[Box]) -> list[Box]:
    """Blocks that stand several times one after the other, on the same shapes, once."""
    place = 0
    while place < len(found):
        length, times = _repeated(found, place)
        if times > 1:
            gone = range(place + length, place + length * times)
            for box in found[place : place + length]:
                box.times *= times
            moved = {old: place + (old - place) % length for old in gone}
            moved |= {old: old - len(gone) for old in range(gone.stop, len(found))}
            kept = [box for number, box in enumerate(found) if number not in gone]
            for box in kept:
                box.sources = list(dict.fromkeys(moved.get(number, number) for number in box.sources))
            found = kept
        place += max(length, 1)
    return found


def _gathered(found: Sequence[Box]) -> list[Box]:
    """The functions between two layers as one box, which says how many: a detector decodes and sorts in hundreds."""
    out: list[Box] = []
    moved: dict[int, int] = {number: number for box in found for number in box.sources if number < 0}
    counts: dict[int, int] = {}  # box of functions -> how many
    for number, box in enumerate(found):
        sources = [moved[source] for source in box.sources]
        if box.path or not out or out[-1].path:
            out.append(replace(box, sources=list(dict.fromkeys(sources))))
        else:
            joined = dict.fromkeys([*out[-1].sources, *(source for source in sources if source != len(out) - 1)])
            out[-1] = replace(out[-1], shape=box.shape or out[-1].shape, sources=list(joined))
        moved[number] = len(out) - 1
        counts[len(out) - 1] = counts.get(len(out) - 1, 0) + len(box.functions) * box.times
    for number, count in counts.items():
        if count > 1 and not out[number].path:
            out[number] = replace(out[number], functions=[f"{count} functions"], times=1)
    return out


def _repeated(found: Sequence[Box], place: int) -> tuple[int, int]:
    """Length of the block that begins at a place and how often it stands there, where that saves most boxes."""

    def signs(start: int, length: int) -> list[tuple[Any, ...]]:
        block = found[start : start + length]
        inner = [tuple(n - start if n >= start else "before" for n in box.sources) for box in block]
        return [(box.sign, sources) for box, sources in zip(block, inner, strict=True)]

    best = (1, 1)
    for length in range(1, (len(found) - place) // 2 + 1):
        times, first = 1, signs(place, length)
        while signs(place + times * length, length) == first and place + (times + 1) * length <= len(found):
            times += 1
        if (times - 1) * length > (best[1] - 1) * best[0] and (length > 1 or times > 2):
            best = (length, times)
    return best


def placed(found: Sequence[Box]) -> list[Box]:
    """The boxes with places."""
    return _as_u(found) or _in_ranks(found)


def side(box: Box) -> int:
    """Height of what leaves the box, where that is a picture (B, H, W, C); else 0."""
    return int(box.shape[1]) if len(box.shape) == 4 else 0


def _as_u(found: Sequence[Box]) -> list[Box]:
    """An encoder's boxes go down on the left, the decoder's up on the right; nothing where the model is none."""
    sides = [side(box) for box in found]
    least = min(sides, default=0)
    first, last = sides.index(least), len(sides) - 1 - sides[::-1].index(least)
    if not found or min(max(sides[:first], default=0), sides[-1]) < max(2 * least, 2) or sides[0] < 2 * least:
        return []
    columns = [0 if number < first else 2 if number > last else 1 for number in range(len(found))]
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


def height(box: Box) -> float:
    """Of a box, in pixels: a line for each of its texts."""
    return LINE * len(lines(box, {})) + 10


def lines(box: Box, types: Mapping[str, str]) -> list[tuple[str, str]]:
    """What stands in a box, and how: its layer with its types, its functions, and the shape of what leaves it."""
    functions = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in box.functions))
    shape = f"({', '.join(map(str, box.shape))})"
    if not box.path:
        return [(functions, "path start"), (shape, "shape start")]
    more = [(f"+ {functions}", "start")] if functions else []
    return [(box.path, "path start"), (types.get(box.path, ""), "start"), *more, (shape, "shape start")]


def kept(found: Iterable[Box]) -> list[dict[str, Any]]:
    """The boxes as flows.json has them."""
    names = ("path", "functions", "shape", "sources", "times", "left", "top", "ways")
    return [{name: getattr(box, name) for name in names} for box in found]


def read(boxes: Iterable[Mapping[str, Any]]) -> list[Box]:
    """The inverse of `kept`."""
    return [Box(**{**fields, "shape": tuple(fields["shape"])}) for fields in boxes]
