"""The data flow of a model as a picture: boxes for its layers and functions, arrows for what flows between them.

The calls of a forward pass (`twin.trace`) become boxes in four steps. A layer takes what only follows it (batch
normalization, an activation, a reshape) into its box. Blocks that repeat are drawn once. What is still too much for a
picture is drawn one level less deep, and then the functions between two layers as one. An arrow says the shape of what
flows along it. dataflow_places.py gives each box a place, which flows.json keeps, and dataflow_svg.py draws them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

BOXES = 26  # more would not be a picture
FOLLOWERS = {"activation", "batch_norm", "dropout", "shape"}  # families of calls that join the box before them
UNARY = {"getitem", "negative", "softmax", "mean", "max", "norm"}  # names of functions that do
CASTS = {"to", "type_as"}  # names of functions that keep the shape
# Families of calls in which PyTorch's second axis is the channels', and of those that leave the order of axes.
CHANNELS_FIRST = {"conv", "conv_transpose", "pool", "resize", "batch_norm", "group_norm"}
SAME_AXES = {"activation", "dropout", "op"}
WIDTH, LINE, GAP, ACROSS = 244, 16, 52, 26  # pixels: of a box, of a line in it, between boxes above and beside

Shape = tuple[int | str, ...]  # in the order of the data's axes, the batch as "B"; empty where it is no array


@dataclass(frozen=True)
class Call:
    """A call of a forward pass.

    Args:
        path: of the layer that makes the call or is the call.
        own: whether the layer at `path` is this very call.
        family: what it does, in the words of `twin.trace`.
        name: of a function.
        shapes: of each value that comes out.
        inputs, outputs: numbers of the values that go in and come out.
    """

    path: str
    own: bool
    family: str
    name: str
    shapes: tuple[Shape, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def shape(self) -> Shape:
        """Of the first value that comes out."""
        return self.shapes[0] if self.shapes else ()

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
        carried: for each source, the shapes of what flows from it.
        ways: for each source, the places (x, y) in pixels that the arrow goes through, the ends apart.
        times: how often its block stands one after the other.
        left, top: its place in pixels.
    """

    path: str
    functions: list[str]
    shape: Shape
    sources: list[int]
    carried: list[list[Shape]] = field(default_factory=list)
    times: int = 1
    left: float = 0
    top: float = 0
    ways: list[list[tuple[float, float]]] = field(default_factory=list)

    @property
    def sign(self) -> tuple[Any, ...]:
        """Two boxes of one sign do the same on the same shapes, in blocks of other numbers."""
        parts = ["*" if part.isdigit() else part for part in self.path.split(".")]
        return (tuple(parts), tuple(self.functions), self.shape)

    def take(self, source: int, shapes: Iterable[Shape]) -> None:
        """Let what has these shapes flow in from a box, beside what does already."""
        if source not in self.sources:
            self.sources.append(source)
            self.carried.append([])
        known = self.carried[self.sources.index(source)]
        known += [shape for shape in dict.fromkeys(shapes) if shape and shape not in known]

    def with_sources(self, moved: Mapping[int, int]) -> "Box":
        """The box, taking from those that the boxes it took from became."""
        box = replace(self, sources=[], carried=[])
        for source, shapes in zip(self.sources, self.carried, strict=True):
            box.take(moved.get(source, source), shapes)
        return box


def boxes(calls: Sequence[Call], inputs: Sequence[Shape] = ((),)) -> list[Box]:
    """The calls as at most so many boxes as there is room for, if that can be had; without places.

    Args:
        calls: of a forward pass.
        inputs: shapes of the model's inputs; their values have the numbers from 0 on.
    """
    used = _reached(calls, len(inputs))
    deepest = max((depth(call.module) for call in used), default=0)
    for level in range(deepest, -1, -1):
        found = _folded(_joined(used, level, inputs))
        if len(found) <= BOXES:
            break
    return found if len(found) <= 2 * BOXES else _gathered(found)


def channels_last(calls: Sequence[Call], inputs: Sequence[Shape]) -> list[Call]:
    """PyTorch's calls with the shapes of what has channels as the data has it, channels last; other shapes as they are.

    What a convolution, pooling or the like takes and gives has its channels second, and so has what elementwise
    functions join with it. The queries of an attention, which have as many axes, are not among them.

    Args:
        calls: of a forward pass, with shapes in PyTorch's order.
        inputs: shapes of the model's inputs.
    """
    axes = {number: len(shape) for number, shape in enumerate(inputs)}
    for call in calls:
        axes |= {number: len(shape) for number, shape in _shapes(call).items()}
    joined = [
        {number for number in (*call.inputs, *call.outputs) if axes.get(number) == len(call.shape)}
        for call in calls
        if len(call.shape) > 2 and call.family in CHANNELS_FIRST | SAME_AXES
    ]
    found = {
        number
        for call in calls
        if call.family in CHANNELS_FIRST
        for number in (*call.inputs, *call.outputs)
        if axes.get(number, 0) > 2
    }
    size = 0
    while len(found) > size:
        size = len(found)
        found |= {number for values in joined if values & found for number in values}

    def moved(number: int, shape: Shape) -> Shape:
        return (shape[0], *shape[2:], shape[1]) if number in found else shape

    return [replace(call, shapes=tuple(moved(*each) for each in _shapes(call).items())) for call in calls]


def depth(path: str) -> int:
    """Parts of a path that are no index."""
    return sum(not part.isdigit() for part in path.split(".") if part)


def _reached(calls: Sequence[Call], inputs: int) -> list[Call]:
    """Those that the inputs flow into, with what flows; no positions, masks or states that the model makes up itself.

    A cast to another tensor's type takes nothing of that one's values, which shows in the shape.
    """
    reached: dict[int, Shape] = dict.fromkeys(range(inputs), ())
    used = []
    for call in calls:
        taken = tuple(number for number in call.inputs if number in reached)
        foreign = call.name in CASTS and taken and reached[taken[0]] not in ((), call.shape)
        if taken and not foreign:
            reached |= dict.fromkeys(call.outputs, ()) | _shapes(call)
            used.append(replace(call, inputs=taken))
    return used


def _shapes(call: Call) -> dict[int, Shape]:
    """Value that comes out -> its shape."""
    return dict(zip(call.outputs, call.shapes, strict=True))


def _joined(calls: Sequence[Call], level: int, inputs: Sequence[Shape]) -> list[Box]:
    """Boxes of calls: those within one layer at that depth, and those that only follow the box before them."""
    consumers: dict[int, int] = {}
    for call in calls:
        for number in set(call.inputs):
            consumers[number] = consumers.get(number, 0) + 1
    found: list[Box] = []
    made = {number for call in calls for number in call.outputs}
    given = sorted({number for call in calls for number in call.inputs} - made)
    maker = {number: -1 - number for number in given}  # value -> box
    shapes = dict(enumerate(inputs))  # value -> its shape
    last = ""
    for call in calls:
        sources = [maker[number] for number in call.inputs]
        within = _cut(call.module, level)
        small = call.family in FOLLOWERS or (call.family == "op" and call.name in UNARY)
        follows = small and len(call.inputs) == 1 and consumers[call.inputs[0]] == 1 and sources[0] >= 0
        if within and within == last:
            place = len(found) - 1
            found[place].shape = call.shape or found[place].shape
        elif follows and not within:
            place = sources[0]
            if call.family != "shape":
                found[place].functions.append(_name(call))
            found[place].shape = call.shape or found[place].shape
        else:
            path = within or (call.path if call.own else "")
            functions = [] if path else [_name(call)]
            found.append(Box(path, functions, call.shape, []))
            place = len(found) - 1
        for number, source in zip(call.inputs, sources, strict=True):
            if source != place:
                found[place].take(source, [shapes.get(number, ())])
        last = within
        maker |= dict.fromkeys(call.outputs, place)
        shapes |= _shapes(call)
    return found


def _name(call: Call) -> str:
    """What a box says of a call: the attribute that the layer is, with its index; or the function's name."""
    if not (call.own and call.path):
        return call.name.strip("_") or call.family
    parts = call.path.split(".")
    attribute = max((place for place, part in enumerate(parts) if not part.isdigit()), default=0)
    return ".".join(parts[attribute:])


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
            found = [box.with_sources(moved) for number, box in enumerate(found) if number not in gone]
        place += max(length, 1)
    return found


def _gathered(found: Sequence[Box]) -> list[Box]:
    """The functions between two layers as one box, which says how many: a detector decodes and sorts in hundreds."""
    out: list[Box] = []
    moved: dict[int, int] = {number: number for box in found for number in box.sources if number < 0}
    counts: dict[int, int] = {}  # box of functions -> how many
    for number, box in enumerate(found):
        box = box.with_sources(moved)
        if box.path or not out or out[-1].path:
            out.append(box)
        else:
            out[-1].shape = box.shape or out[-1].shape
            for source, shapes in zip(box.sources, box.carried, strict=True):
                if source != len(out) - 1:
                    out[-1].take(source, shapes)
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


def height(box: Box) -> float:
    """Of a box, in pixels: a line for each of its texts."""
    return LINE * len(lines(box, {})) + 10


def lines(box: Box, types: Mapping[str, str]) -> list[tuple[str, str]]:
    """What stands in a box, and how: its layer with its types, and its functions."""
    functions = ", ".join(dict.fromkeys(box.functions))
    if not box.path:
        return [(functions, "path start")]
    more = [(f"+ {functions}", "start")] if functions else []
    return [(box.path, "path start"), (types.get(box.path, ""), "start"), *more]


def short(shape: Shape) -> str:
    """A shape as an arrow has it: 28×28×6, without the batch; (B) where an example is one number."""
    sizes = shape[1:] if shape[:1] == ("B",) else shape
    return "×".join(map(str, sizes)) if sizes else "(B)" if shape else ""


def kept(found: Iterable[Box]) -> list[dict[str, Any]]:
    """The boxes as flows.json has them."""
    names = ("path", "functions", "shape", "sources", "carried", "times", "left", "top", "ways")
    return [{name: getattr(box, name) for name in names} for box in found]


def read(boxes: Iterable[Mapping[str, Any]]) -> list[Box]:
    """The inverse of `kept`."""
    return [
        Box(
            **{
                **fields,
                "shape": tuple(fields["shape"]),
                "carried": [[tuple(shape) for shape in shapes] for shapes in fields["carried"]],
            }
        )
        for fields in boxes
    ]
