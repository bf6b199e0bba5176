"""The boxes of a data flow and their arrows as SVG."""

import html
from collections.abc import Mapping, Sequence

from compare.reading.dataflow import ACROSS, LINE, WIDTH, Box, height, lines

ROOM = 36  # letters in a line
MARGIN, ABOVE, BEND = 8, 42, 18  # pixels: around the picture, above it for its inputs, and of a bend


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
    parts = []
    for box in found:
        ways = box.ways or [[] for _ in box.sources]
        for source, way in zip(box.sources, ways, strict=True):
            if source < 0:
                parts += _entrance(
                    box, inputs[-1 - source], sum(each < 0 for each in box.sources[: box.sources.index(source)])
                )
            else:
                parts.append(_arrow(found[source], box, way))
    for box in found:
        parts.append(f'<rect x="{box.left:g}" y="{box.top:g}" width="{WIDTH}" height="{height(box):g}" rx="5"/>')
        if box.times > 1:
            parts.append(label(box.left + WIDTH - 8, box.top + LINE, f"× {box.times}", "end"))
        for row, (text, kind) in enumerate(lines(box, types), start=1):
            shown = text if len(text) <= ROOM else f"{text[: ROOM - 1]}…"
            parts.append(label(box.left + 8, box.top + LINE * row, shown, kind))
    width, tall = right + WIDTH + 2 * MARGIN, bottom + ABOVE + MARGIN
    return (
        f'<svg viewBox="{-MARGIN} {-ABOVE} {width:g} {tall:g}" width="{width:g}" role="img" '
        f'aria-label="{html.escape(title)}" class="flow"><defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _entrance(box: Box, name: str, number: int) -> list[str]:
    """An input's name above a box, and its arrow; several beside each other."""
    x, y = box.left + WIDTH / 2 + 60 * number, box.top
    return [label(x, y - 22, name, "middle"), f'<path d="M{x:g} {y - 17:g}V{y - 3:g}" marker-end="url(#head)"/>']


def _arrow(source: Box, box: Box, way: Sequence[tuple[float, float]]) -> str:
    """From one box to another: down, by way of places between them; across; or up, in a decoder."""
    x, y = source.left + WIDTH / 2, source.top + height(source)
    end_x, end_y = box.left + WIDTH / 2, box.top - 3
    right = box.left - source.left
    if not box.ways and (right > WIDTH + ACROSS or (right > 0 and box.top < y < box.top + height(box))):
        path = f"M{source.left + WIDTH:g} {y - height(source) / 2:g}L{box.left - 3:g} {box.top + height(box) / 2:g}"
    elif box.top + height(box) <= source.top:
        start = f"M{source.left + WIDTH:g} {y - height(source) / 2:g}H{end_x:g}" if box.left > source.left else ""
        path = f"{start or f'M{x:g} {source.top:g}'}V{box.top + height(box) + 3:g}"
    else:
        path, end = f"M{x:g} {y:g}", (end_x, end_y)
        for left, top in way:  # straight past the boxes of that rank
            path += f"C{x:g} {y + BEND:g} {left + WIDTH / 2:g} {top - BEND:g} {left + WIDTH / 2:g} {top:g}"
            x, y = left + WIDTH / 2, top + LINE * 3
            path += f"V{y:g}"
        path += f"C{x:g} {y + BEND:g} {end[0]:g} {end[1] - BEND:g} {end[0]:g} {end[1]:g}"
    return f'<path d="{path}" marker-end="url(#head)"/>'


def label(x: float, y: float, text: str, kind: str) -> str:
    """A text of an SVG; `kind` is its class."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{html.escape(text)}</text>'
