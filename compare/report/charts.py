"""Pictures of figures as small SVG: scales, axes, and the four charts of a report.

Matplotlib takes 50 ms for a figure and fixes its colours; a report has hundreds, and they follow the reader's light or
dark page through the classes that templates/report.html styles. One unit is one CSS pixel of a 340 pixels wide chart.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from compare.engines.engine import ENGINES, base_of
from compare.record.results import Boxes
from twin.strips import GAP

WIDTH = 340
NARROW = 264  # four beside each other on a wide page
LABELS = 142  # units that the longest name of an engine takes
Interval = tuple[float, float | None, float | None]  # estimate, low, high


@dataclass(frozen=True)
class Scale:
    """From values to units: a line, or a logarithm's.

    Args:
        low, high: values at the two ends.
        start, stop: units at the two ends.
        log: whether equal ratios are equally long.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; what lies outside, or is no number, sits at the nearer end (no number: at the high)."""
        if math.isnan(value):
            return self.stop
        value = min(max(value, self.low), self.high)
        share = (self._of(value) - self._of(self.low)) / (self._of(self.high) - self._of(self.low))
        return round(self.start + share * (self.stop - self.start), 1)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the scale, `most` of them or a few less; on a logarithm whole decades where they fit."""
        if not self.log:
            return _linear_ticks(self.low, self.high, most)
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        if last - first >= 2:
            step = math.ceil((last - first + 1) / most)
            return [10.0**power for power in range(first, last + 1, step)]
        for steps in ((1, 1.2, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3)):
            found = [m * 10.0**p for p in range(first - 1, last + 1) for m in steps if self._holds(m * 10.0**p)]
            if 2 <= len(found) <= most:
                return found
        return _linear_ticks(self.low, self.high, most)

    def _holds(self, value: float) -> bool:
        return self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)

    def _of(self, value: float) -> float:
        return math.log10(value) if self.log else value


def log_scale(values: Iterable[float], start: float, stop: float, room: float = 1.0, decades: bool = False) -> Scale:
    """A logarithmic scale that holds the positive, finite values.

    Args:
        values: what is to be seen.
        start, stop: units at the ends.
        room: the factor left free on both sides.
        decades: whether it begins and ends with whole ones.
    """
    seen = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    low, high = min(seen) / room, max(seen) * room
    if decades:
        low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
    return Scale(low, high if high > low else low * 10, start, stop, log=True)


def linear_scale(values: Iterable[float], start: float, stop: float, room: float = 0.06) -> Scale:
    """A linear scale that holds the finite values, with a share of `room` on both sides."""
    seen = [value for value in values if math.isfinite(value)] or [0.0]
    span = (max(seen) - min(seen)) or abs(seen[0]) or 1.0
    return Scale(min(seen) - room * span, max(seen) + room * span, start, stop)


def markers() -> str:
    """The marker of every engine, once per page; a mode of an engine has its shape hollow, channels-last a cross.

    The names are also classes of the paths that bear them, which takes fewer bytes a path than three attributes.
    """
    made = []
    for name, engine in ENGINES.items():
        made.append(_marker(f"{name}", f"full {name}", engine.marker))
        made.append(_marker(f"{name}-mode", f"hollow {name}", engine.marker))
        made.append(_marker(f"{name}-cross", f"hollow {name}", '<path d="M1 1l6 6m0-6l-6 6"/>'))
    made.append(_marker("other", "full other", '<path d="M0 3h3v-3h2v3h3v2h-3v3h-2v-3h-3z"/>'))
    made.append(_marker("failed", "hollow failed", '<circle cx="4" cy="4" r="3.4"/>', 13))
    names = re.findall(r'<marker id="([^"]+)"', "".join(made))
    style = "".join(f".{name}{{marker:url(#{name})}}" for name in names)
    return (
        f'<svg class="defs" width="0" height="0" aria-hidden="true"><style>{style}</style>'
        f"<defs>{''.join(made)}</defs></svg>"
    )


def marker_of(engine: str) -> str:
    """The class, and the name, of an engine's marker."""
    base, _, mode = engine.partition(":")
    if base not in ENGINES:
        return "m-other"
    return f"m-{base}{'' if not mode else '-cross' if mode == 'channels-last' else '-mode'}"


def key(engine: str) -> str:
    """An engine's marker for a legend or a table."""
    return f'<svg class="key" aria-hidden="true">{_points(engine, [(6, 6)])}</svg>'


def profile(
    errors: Mapping[str, Sequence[tuple[int, float]]],
    limit: Sequence[float],
    noise: Sequence[tuple[float, float] | None],
    failed: Sequence[tuple[int, float]],
    label: str,
    steps: str,
) -> str:
    """The error of every tensor, in the order of the model, against its limit and its noise.

    Args:
        errors: engine -> number of the tensor, and its error.
        limit: per tensor, the largest error allowed.
        noise: per tensor, the error of rounding alone, and the largest multiple of it that is allowed.
        failed: number and error of those that are too far off.
        label: the text alternative.
        steps: what the horizontal axis counts.
    """
    height, left, right, bottom = 190, 38, NARROW - 4, 160
    flat = [far for points in errors.values() for _, far in points]
    bounds = [*limit, *(edge for pair in noise if pair for edge in pair)]
    y = log_scale([*(f for f in flat if f > 1e-18), *bounds], bottom, 10, decades=True)
    x = Scale(-0.5, max(len(limit), 2) - 0.5, left, right)
    parts = [_left_axis(y, left, right)]
    known = [(x(at), y(pair[0]), y(pair[1])) for at, pair in enumerate(noise) if pair]
    if known:
        if len(known) == 1:
            known = [(known[0][0] - 8, *known[0][1:]), (known[0][0] + 8, *known[0][1:])]
        parts.append(f'<path class="band" d="{_area(known)}"/>')
    ends = [(x(at), y(far)) for at, far in enumerate(limit)]
    ends = [(left, ends[0][1]), *ends, (right, ends[-1][1])]
    parts.append(f'<path class="limit" d="{_path(ends)}"/>')
    parts += [_points(engine, [(x(at), y(far)) for at, far in points]) for engine, points in errors.items() if points]
    if failed:
        parts.append(_marked("m-failed", [(x(at), y(far)) for at, far in failed]))
    parts.append(_text(steps, (left + right) / 2, height - 8, "middle"))
    return _svg(height, label, parts, NARROW)


def forest(
    rows: Mapping[str, Interval | str],
    label: str,
    band: tuple[float, float] | None,
    centre: float,
    log: bool,
    ends: tuple[str, str],
) -> str:
    """One line per engine: an estimate with its interval, beside a band in which two are equal.

    Args:
        rows: engine -> estimate, low and high (None: there is no interval), or words for why there is none.
        label: the text alternative.
        band: its two edges.
        centre: where the reference is.
        log: whether the scale is one of ratios.
        ends: what lies to the left and to the right of the centre.
    """
    left, top, step = LABELS, 8, 20
    bottom = top + step * len(rows)
    given = [v for row in rows.values() if not isinstance(row, str) for v in row if v is not None]
    given += [centre, *(band or ())]
    ends_at = left, WIDTH - 12
    scale = log_scale([*given, 0.9, 1.1], *ends_at, 1.04) if log else linear_scale(given, *ends_at)
    parts = [_bottom_axis(scale, top, bottom, "{:.3g}" if log else "{:+.3g}")]
    if band and all(map(math.isfinite, band)):
        at, to = scale(band[0]), scale(band[1])
        parts.append(f'<rect class="band" x="{at}" y="{top}" width="{round(to - at, 1)}" height="{bottom - top}"/>')
    parts.append(f'<path class="centre" d="M{scale(centre)} {top}V{bottom}"/>')
    for number, (engine, row) in enumerate(rows.items()):
        y = top + step * number + step // 2
        parts.append(_text(engine, left - 8, y + 4, "end"))
        if isinstance(row, str):
            parts.append(_text(row, scale(centre) + 6 if scale(centre) < 230 else left + 4, y + 4, "start", "said"))
            continue
        estimate, low, high = row
        if low is not None and high is not None:
            parts.append(f'<path class="span {_class(engine)}" d="{_span(scale(low), scale(high), y)}"/>')
        parts.append(_points(engine, [(scale(estimate), y)]))
    parts.append(_text(f"\N{LEFTWARDS ARROW} {ends[0]}", left, bottom + 34, "start"))
    parts.append(_text(f"{ends[1]} \N{RIGHTWARDS ARROW}", WIDTH - 6, bottom + 34, "end"))
    return _svg(bottom + 40, label, parts)


def bars(rows: Mapping[str, float], label: str, unit: str, log: bool) -> str:
    """One line per engine with its value written out; on a logarithmic scale a line to a marker, else a bar from 0.

    Args:
        rows: engine -> value, positive.
        label: the text alternative.
        unit: of the values.
        log: whether they differ by orders of magnitude.
    """
    left, right, top, step = LABELS, WIDTH - 62, 4, 20
    scale = log_scale(rows.values(), left, right, 1.5) if log else Scale(0, max(rows.values()) or 1.0, left, right)
    parts = [f'<path class="axis" d="M{left} {top}V{top + step * len(rows)}"/>']
    for number, (engine, value) in enumerate(rows.items()):
        y = top + step * number + step // 2
        parts.append(_text(engine, left - 8, y + 4, "end"))
        parts.append(f'<path class="bar {_class(engine)}" d="M{left} {y}H{scale(value)}"/>')
        parts.append(_points(engine, [(scale(value), y)]))
        parts.append(_text(f"{short(value)} {unit}", scale(value) + 8, y + 4))
    return _svg(top + step * len(rows) + 6, label, parts)


def curves(
    engine: str,
    ours: Sequence[tuple[float, float, float]],
    theirs: Sequence[tuple[float, float, float]],
    bounds: tuple[float, float],
    label: str,
) -> str:
    """A learning curve over epochs, with its band over seeds, on that of the reference.

    Args:
        engine: whose.
        ours: per epoch the mean, the least and the largest over seeds.
        theirs: the same of the reference; empty where there is none.
        bounds: values that the vertical axis holds.
        label: the text alternative.
    """
    width, height, left, bottom = NARROW, 132, 38, 106
    log = bounds[0] > 0 and bounds[1] / bounds[0] > 10
    y = log_scale(bounds, bottom, 8, 1.1) if log else linear_scale(bounds, bottom, 8)
    count = max(len(ours), len(theirs), 2)
    x = Scale(1, count, left, width - 6)
    parts = [_left_axis(y, left, width - 6, 4)]
    for who, curve in (("reference", theirs), (_class(engine), ours)):
        if not curve:
            continue
        places = [(x(at), y(mean), y(low), y(high)) for at, (mean, low, high) in enumerate(curve, 1)]
        parts.append(f'<path class="spread {who}" d="{_area([(a, low, high) for a, _, low, high in places])}"/>')
        parts.append(f'<path class="curve {who}" d="{_path([(a, mean) for a, mean, _, _ in places])}"/>')
        if who != "reference":
            parts.append(_points(engine, [places[-1][:2]]))
    parts += [_text("1", left, height - 10, "middle"), _text(f"{count}", width - 6, height - 10, "end")]
    parts.append(_text("epoch", (left + width) / 2, height - 10, "middle"))
    return _svg(height, label, parts, width)


def history(engine: str, ratios: Sequence[Interval | None], bounds: Sequence[float], label: str) -> str:
    """An engine's ratio in one record after the other, with its interval.

    Args:
        engine: whose.
        ratios: estimate, low and high (None: there is no interval); None for a record that has none.
        bounds: values that the vertical axis holds, beside 1, where the reference is.
        label: the text alternative.
    """
    width, height, left, bottom = NARROW, 132, 38, 106
    y = log_scale([*bounds, 0.9, 1.1], bottom, 8, 1.04)
    x = Scale(0.5, len(ratios) + 0.5, left, width - 6)
    parts = [_left_axis(y, left, width - 6, 4), f'<path class="centre" d="M{left} {y(1)}H{width - 6}"/>']
    known = [(x(at), each) for at, each in enumerate(ratios, 1) if each]
    for place, (_, low, high) in known:
        if low is not None and high is not None:
            parts.append(f'<path class="span {_class(engine)}" d="M{place} {y(low)}V{y(high)}"/>')
    places = [(place, y(estimate)) for place, (estimate, _, _) in known]
    parts.append(f'<path class="curve {_class(engine)}" d="{_path(places)}"/>')
    parts.append(_points(engine, places))
    parts += [_text("1", x(1), height - 10, "middle"), _text(f"{len(ratios)}", x(len(ratios)), height - 10, "middle")]
    parts.append(_text("record", (left + width) / 2, height - 10, "middle"))
    return _svg(height, label, parts, width)


def boxes(found: Boxes, tile: Sequence[int], image: str, label: str) -> str:
    """A strip of pictures with a box in each: the true one in a whole line, the predicted one in a broken line.

    Args:
        found: true and predicted ones.
        tile: height and width of one picture, in pixels.
        image: the id of the strip on the page.
        label: the text alternative.
    """
    height, width = tile
    drawn = []
    for which, places in (("true", found.true), ("predicted", found.predicted)):
        path = ""
        for number, box in enumerate(places):
            left, right = (number * (width + GAP) + min(max(box[at], 0), 1) * width for at in (0, 2))
            top, bottom = (min(max(box[at], 0), 1) * height for at in (1, 3))
            path += f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}z"
        drawn.append(f'<path class="box {which}" d="{path}"/>')
    size = strip_size(found, tile)
    return (
        f'<svg class="boxes" viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="{escape(label)}">'
        f'<use href="#{escape(image)}"/>{"".join(drawn)}</svg>'
    )


def strip_size(found: Boxes, tile: Sequence[int]) -> tuple[int, int]:
    """Width and height of the strip that the boxes belong to."""
    return len(found.true) * (tile[1] + GAP) - GAP, tile[0]


def short(value: float) -> str:
    """Three digits, without an exponent where a reader can do without."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _left_axis(scale: Scale, left: float, right: float, most: int = 5) -> str:
    lines = "".join(f"M{left} {scale(tick)}H{right}" for tick in scale.ticks(most))
    words = [_text(_tick(tick), left - 5, scale(tick) + 4, "end") for tick in scale.ticks(most)]
    return f'<path class="grid" d="{lines}"/>{"".join(words)}'


def _bottom_axis(scale: Scale, top: float, bottom: float, form: str) -> str:
    ticks = scale.ticks(5 if scale.log else 4)
    lines = "".join(f"M{scale(tick)} {top}V{bottom}" for tick in ticks)
    words = [_text(form.format(tick + 0.0), scale(tick), bottom + 15, "middle") for tick in ticks]
    return f'<path class="grid" d="{lines}"/>{"".join(words)}'


def _tick(value: float) -> str:
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.3g}"


def _points(engine: str, places: Iterable[tuple[float, float]]) -> str:
    return _marked(marker_of(engine), places)


def _marked(marker: str, places: Iterable[tuple[float, float]]) -> str:
    """A marker at every corner of a line that is not drawn: a few bytes a point."""
    return f'<path class="at {marker}" d="{_path(places)}"/>'


def _path(places: Iterable[tuple[float, float]]) -> str:
    points = [f"{x:g} {y:g}" for x, y in places]
    return "M" + " ".join(points if len(points) > 1 else points * 2)


def _area(places: Sequence[tuple[float, float, float]]) -> str:
    """Between two edges: (x, one edge, the other)."""
    return _path([*((x, a) for x, a, _ in places), *((x, b) for x, _, b in reversed(places))]) + "z"


def _span(low: float, high: float, y: float) -> str:
    if high - low < 16:  # the caps would lie under the marker
        return f"M{low:g} {y}H{high:g}"
    return f"M{low:g} {y - 4}v8m0-4H{high:g}m0-4v8"


def _text(words: str, x: float, y: float, anchor: str = "start", look: str = "") -> str:
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    style = f' class="{look}"' if look else ""
    return f'<text x="{x:g}" y="{y:g}"{where}{style}>{escape(words)}</text>'


def _class(engine: str) -> str:
    base = base_of(engine)
    return base if base in ENGINES else "other"


def _marker(name: str, look: str, shape: str, size: int = 9) -> str:
    return (
        f'<marker id="m-{name}" class="{look}" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="{size}" '
        f'markerHeight="{size}" markerUnits="userSpaceOnUse">{shape}</marker>'
    )


def _svg(height: float, label: str, parts: Iterable[str], width: int = WIDTH) -> str:
    size = f'viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}"'
    return f'<svg {size} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
