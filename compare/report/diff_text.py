"""What `twin diff` prints and writes, from a finished comparison only."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from compare.record.record import Record
from compare.report.diff import Diff, Surrounding
from compare.report.diff_figure import FigureChange, Outcome
from compare.report.phrases import joined
from twin.table import filled, fitted, table

TITLES: dict[Outcome, str] = {
    "regression": "Regressions",
    "improvement": "Improvements",
    "moved": "Moved, for better or worse",
    "no verdict": "No verdict: no finite value, too few process runs or seeds, no noise band, or no steady state",
    "inconclusive": "Inconclusive: the interval is too wide to tell",
    "same": "Did not move",
}
MOVED: tuple[Outcome, ...] = ("regression", "improvement", "moved")
OPEN: tuple[Outcome, ...] = ("no verdict", "inconclusive")
LISTED = 8  # lines of one kind in the terminal
FOOT = (
    "change: new / old for times, memory and errors; new - old for what was learned, with the 95% interval. A ratio is "
    "the time over the reference's, in the same process runs."
)


def text(diff: Diff, paths: Sequence[Any], records: Sequence[Record], everything: bool) -> str:
    """For a terminal.

    Args:
        diff: the comparison.
        paths, records: the old and the new.
        everything: also what did not move.
    """
    parts = [
        filled(answer(diff), further="  "),
        "\n".join(filled(line, further="  ") for line in _heads(paths, records)),
        _surroundings(diff.changed, "simple"),
    ]
    for title, lines in _notes(diff):
        more = [f"... and {len(lines) - LISTED} more"] if len(lines) > LISTED and not everything else []
        shown = [*(lines if everything else lines[:LISTED]), *more]
        parts.append("\n".join([title, *(filled(line, "  ", "    ") for line in shown)]))
    for outcome, figures in _sections(diff, everything):
        parts += [filled(f"{TITLES[outcome]} ({len(figures)})"), _table(figures)]
        if whys := [f"{_subject(f)}, {_words(f)}: {f.why}" for f in figures if f.why]:
            parts.append("\n".join(filled(line, further="  ") for line in whys))
    if any(figure.change is not None for _, figures in _sections(diff, everything) for figure in figures):
        parts.append(filled(FOOT))
    return "\n\n".join(part for part in parts if part)


def markdown(diff: Diff, paths: Sequence[Any], records: Sequence[Record], everything: bool) -> str:
    """The same as a Markdown page."""
    parts = ["# What changed", answer(diff), "\n".join(f"- {line}" for line in _heads(paths, records))]
    parts += [_surroundings(diff.changed, "github")]
    for title, lines in _notes(diff):
        parts.append("\n".join([f"{title}:\n", *(f"- {line}" for line in lines)]))
    for outcome, figures in _sections(diff, everything):
        rows = [[f.twin, _engine(f), *_row(f), f.why.replace("|", "\\|")] for f in figures]
        heads = ["twin", "engine", "figure", "old", "new", "change", "why"]
        parts.append(f"## {TITLES[outcome]} ({len(figures)})")
        parts.append(table(rows, heads, style="github"))
    return "\n\n".join(part for part in [*parts, FOOT] if part) + "\n"


def answer(diff: Diff) -> str:
    """Whether something became worse, on which engines and twins, and how many figures moved."""
    if not diff.figures:
        return summary(diff)
    worse = [figure for figure in diff.figures if figure.outcome == "regression"]
    said = "No" if all(figure.outcome not in OPEN for figure in diff.figures) else "Not shown"
    if worse:
        engines, twins = (list(dict.fromkeys(getattr(f, name) for f in worse)) for name in ("engine", "twin"))
        more = [f"{len(twins) - LISTED} more"] if len(twins) > LISTED else []
        said = f"Yes, on {joined(engines)}: {joined([*twins[:LISTED], *more])}"
    return f"Did anything become worse? {said}. {summary(diff)}"


def summary(diff: Diff) -> str:
    """One paragraph: how many figures moved, and how many did not."""
    count = Counter(figure.outcome for figure in diff.figures)
    if not diff.figures:
        return "Nothing could be compared: the records have no measured figure in common."
    parts = []
    for outcome, one, many in (
        ("regression", "1 regression", "{} regressions"),
        ("improvement", "1 improvement", "{} improvements"),
        ("moved", "1 figure moved", "{} figures moved"),
    ):
        if number := count[outcome]:  # type: ignore[index]
            parts.append(one if number == 1 else many.format(number))
    said = (
        f"{', '.join(parts)}; {count['same']} figures did not move"
        if parts
        else f"None of {count['same']} figures moved"
    )
    if count["inconclusive"]:
        said += f"; of {count['inconclusive']} the interval is too wide to tell"
    if count["no verdict"]:
        why = "for want of finite values, process runs, seeds, a noise band or a steady state"
        said += f"; {count['no verdict']} have no verdict, {why}"
    return said + "."


def _heads(paths: Sequence[Any], records: Sequence[Record]) -> list[str]:
    return [
        f"{name}: {path}, {record.command}, {len(record.measurements)} measurements, {record.started or 'no date'}"
        for name, path, record in zip(("OLD", "NEW"), paths, records, strict=True)
    ]


def _surroundings(changes: Sequence[Surrounding], style: str) -> str:
    if not changes:
        return "Same versions, machine, settings and code."
    rows = [[each.what, each.old, each.new, ", ".join(each.engines)] for each in changes]
    heads = ["changed", "old", "new", "on"]
    return fitted(rows, heads, ("left",) * 4) if style == "simple" else table(rows, heads, style=style)


def _notes(diff: Diff) -> list[tuple[str, list[str]]]:
    notes = (("Not compared", diff.not_compared), ("Only in OLD", diff.only_old), ("Only in NEW", diff.only_new))
    return [(title, lines) for title, lines in notes if lines]


def _sections(diff: Diff, everything: bool) -> list[tuple[Outcome, list[FigureChange]]]:
    """The figures by outcome; without `everything`, those that moved, and what was learned without a verdict."""
    out = []
    for outcome in TITLES:
        figures = [f for f in diff.figures if f.outcome == outcome]
        if not everything and outcome not in MOVED:
            figures = [f for f in figures if outcome == "no verdict" and f.measure == "train"]
        if figures:
            out.append((outcome, figures))
    return out


def _table(figures: Sequence[FigureChange]) -> str:
    rows = [[f.twin, _engine(f), *_row(f)] for f in sorted(figures, key=lambda f: f.twin)]
    heads = ["twin", "engine", "figure", "old", "new", "change"]
    return fitted(rows, heads, ("left", "left", "left", "right", "right", "left"), nest=True)


def _words(figure: FigureChange) -> str:
    """The figure's name, which programs read too, for a reader."""
    return figure.name.replace("_", " ")


def _row(figure: FigureChange) -> list[str]:
    return [_words(figure), _value(figure.old, figure), _value(figure.new, figure), _change(figure)]


def _engine(figure: FigureChange) -> str:
    """The engine, with what is unusual about the measurement."""
    usual = ((figure.dtype.removeprefix("float"), "32"), (figure.size, "small"), (figure.device, "cpu"))
    return " ".join([figure.engine, *(word for word, ordinary in usual if word != ordinary)])


def _subject(figure: FigureChange) -> str:
    return f"{figure.twin} on {_engine(figure)}"


def _value(value: float | str, figure: FigureChange) -> str:
    if isinstance(value, str):
        return "DIFFERS" if value.startswith("broke at") else value
    if figure.unit == "s":
        scale, unit = (1, "s") if value >= 1 else (1e3, "ms") if value >= 1e-3 else (1e6, "µs")
        return f"{value * scale:.3g} {unit}"
    if figure.unit == "MiB":
        return f"{value:.0f} MiB" if value < 1000 else f"{value / 1024:.2f} GiB"
    return f"{value:.1e}" if figure.measure == "check" else f"{value:.4g}"


def _change(figure: FigureChange) -> str:
    if isinstance(figure.new, str):
        return figure.new.removeprefix("broke ") if figure.new.startswith("broke at") else ""
    if figure.change is None:
        return ""
    if figure.measure == "check":
        return f"{figure.change:.2g}x" if math.isfinite(figure.change) else "from zero"
    if figure.measure == "train":
        if figure.low is None or figure.high is None:
            return f"{figure.change:+.3g}"
        return f"{figure.change:+.3g} ±{(figure.high - figure.low) / 2:.2g}"
    if figure.low is None or figure.high is None:
        return f"{_times(figure.change)}, no interval (1 run)"
    return f"{_times(figure.change)} [{_times(figure.low)}, {_times(figure.high)}]"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
