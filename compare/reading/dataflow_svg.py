"""The boxes of a data flow and their arrows, with the shapes of what flows along them, as SVG."""

import html
from collections.abc import Mapping, Sequence

from compare.reading.dataflow import ACROSS, GAP, LINE, WIDTH, Box, Shape, height, lines, short

ROOM, PATH, TIMES = 36, 31, 5  # letters in a line, in one of a layer's path, and of these for how often it stands
MARGIN, ABOVE, BELOW, BEND = 8, 48, 34, 18  # pixels: around the picture, for its inputs and outputs, and of a bend
STUB = GAP - 34  # pixels that an arrow goes straight down, beside its shape


def drawn(found: Sequence[Box], types: Mapping[str, str], inputs: Sequence[str], title: str) -> str:
    """The picture as SVG.

    Args:
        found: with places.
        types: path -> what the frameworks call the layer.
        inputs: their names.
        title: what a screen reader says of it.
    """
    right = max(x for box in found for x, _ in [(box.left, 0), *(place for way in box.ways for place in way)])
    bottom = max(box.top + height(box) for box in found)
    leaving = _leaving(found)
    parts, shapes = [], []
    for number, box in enumerate(found):
        ways = box.ways or [[] for _ in box.sources]
        for source, carried, way in zip(box.sources, box.carried, ways, strict=True):
            if source < 0:
                x, y = _entrance(box, source)
                parts.append(f'<path d="M{x:g} {y + 5:g}V{box.top - 3:g}" marker-end="url(#head)"/>')
                shapes.append(label(x, y, f"{inputs[-1 - source]} {_words(carried)}".strip(), "shape middle"))
                continue
            path, (x, y) = _arrow(found[source], box, way)
            parts.append(path)
            if len(leaving[source]) > 1:  # each arrow has a shape of its own
                shapes.append(_label_at_the_end(found[source], box, way, _words(carried)))
            elif leaving[source]:
                shapes.append(label(x, y, _words(carried), "shape start"))
        if number not in leaving:
            path, (x, y) = _exit(box, found)
            parts.append(path)
            shapes.append(label(x, y, short(box.shape), "shape start"))
    for box in found:
        parts.append(f'<rect x="{box.left:g}" y="{box.top:g}" width="{WIDTH}" height="{height(box):g}" rx="5"/>')
        if box.times > 1:
            parts.append(label(box.left + WIDTH - 8, box.top + LINE, f"× {box.times}", "end"))
        for row, (text, kind) in enumerate(lines(box, types), start=1):
            parts.append(label(box.left + 8, box.top + LINE * row, _fitting(text, kind, box.times), kind))
    width, tall = right + WIDTH + 2 * MARGIN, bottom + ABOVE + BELOW
    return (
        f'<svg viewBox="{-MARGIN} {-ABOVE} {width:g} {tall:g}" width="{width:g}" role="img" '
        f'aria-label="{html.escape(title)}" class="flow"><defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{''.join(parts)}{''.join(dict.fromkeys(shapes))}</svg>"
    )


def _fitting(text: str, kind: str, times: int) -> str:
    """A line of a box, cut to its width: of a layer's path the end stays, which says what it is."""
    if "path" in kind:
        room = PATH - (TIMES if times > 1 else 0)
        return text if len(text) <= room else f"…{text[1 - room :]}"
    return text if len(text) <= ROOM else f"{text[: ROOM - 1]}…"


def _leaving(found: Sequence[Box]) -> dict[int, set[tuple[Shape, ...]]]:
    """Box from which others take -> the different shapes of what they take."""
    leaving: dict[int, set[tuple[Shape, ...]]] = {}
    for box in found:
        for source, carried in zip(box.sources, box.carried, strict=True):
            leaving.setdefault(source, set()).update([tuple(carried)] if carried else [])
    return leaving


def _words(shapes: Sequence[Shape]) -> str:
    """The shapes of an arrow: one or two, or the first and how many more there are."""
    return ", ".join(map(short, shapes)) if len(shapes) < 3 else f"{short(shapes[0])} (+{len(shapes) - 1})"


def _entrance(box: Box, source: int) -> tuple[float, float]:
    """Where an input's name stands, its arrow below: several beside each other, and left of arrows from other boxes."""
    given = [each for each in box.sources if each < 0]
    place = given.index(source)
    if len(given) < len(box.sources):
        return box.left + WIDTH / 2 - 60 * (place + 1), box.top - 22 - 14 * place
    return box.left + WIDTH / 2 + 60 * place, box.top - 22 - 14 * place


def _exit(box: Box, found: Sequence[Box]) -> tuple[str, tuple[float, float]]:
    """The arrow of an output, and where its shape stands: up where a decoder's last box takes from one below it."""
    x, below = box.left + WIDTH / 2, box.top + height(box)
    if any(source >= 0 and found[source].top > box.top for source in box.sources):
        return f'<path d="M{x:g} {box.top:g}V{box.top - STUB - 4:g}" marker-end="url(#head)"/>', (x + 6, box.top - 7)
    return f'<path d="M{x:g} {below:g}V{below + STUB + 4:g}" marker-end="url(#head)"/>', (x + 6, below + 14)


def _arrow(source: Box, box: Box, way: Sequence[tuple[float, float]]) -> tuple[str, tuple[float, float]]:
    """From one box to another, and where its shape stands: down, by way of places between them; across; or up."""
    x, y = source.left + WIDTH / 2, source.top + height(source)
    end_x, end_y = box.left + WIDTH / 2, box.top - 3
    right, middle = box.left - source.left, y - height(source) / 2
    label_at = (x + 6, y + 14)
    if not box.ways and (right > WIDTH + ACROSS or (right > 0 and box.top < y < box.top + height(box))):
        path = f"M{source.left + WIDTH:g} {middle:g}L{box.left - 3:g} {box.top + height(box) / 2:g}"
        label_at = (source.left + WIDTH + 10, middle + 16)
    elif box.top + height(box) <= source.top:
        start = f"M{source.left + WIDTH:g} {middle:g}H{end_x:g}" if box.left > source.left else ""
        path = f"{start or f'M{x:g} {source.top:g}'}V{box.top + height(box) + 3:g}"
        label_at = (source.left + WIDTH + 10, middle - 6) if start else (x + 6, source.top - 7)
    else:
        path, end = f"M{x:g} {y:g}", (end_x, end_y)
        y = max(y, (way[0][1] if way else box.top) - GAP + STUB)  # straight past the higher boxes of its rank
        path += f"V{y:g}"
        for left, top in way:  # straight past the boxes of that rank
            path += f"C{x:g} {y + BEND:g} {left + WIDTH / 2:g} {top - BEND:g} {left + WIDTH / 2:g} {top:g}"
            x, y = left + WIDTH / 2, top + LINE * 3
            path += f"V{y:g}"
        path += f"C{x:g} {y + BEND:g} {end[0]:g} {end[1] - BEND:g} {end[0]:g} {end[1]:g}"
    return f'<path d="{path}" marker-end="url(#head)"/>', label_at


def _label_at_the_end(source: Box, box: Box, way: Sequence[tuple[float, float]], text: str) -> str:
    """A shape that only this arrow of its box has: beside its straight part, or where it ends, on the other side."""
    if way:
        left, top = way[0]
        return label(left + WIDTH / 2 + 6, top + LINE, text, "shape start")
    x, y, from_right = box.left + WIDTH / 2, box.top - 8, source.left > box.left
    return label(x - 8 if from_right else x + 8, y, text, "shape end" if from_right else "shape start")


def label(x: float, y: float, text: str, kind: str) -> str:
    """A text of an SVG; `kind` is its class."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{html.escape(text)}</text>'
