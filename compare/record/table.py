"""How every table is printed: as narrow as its words, and folded where the terminal is narrower."""

import re
import shutil
from collections.abc import Sequence
from typing import Any

import tabulate

NARROWEST, WIDEST = 60, 120
ROOMY = 72  # columns; tables leave out what can be read elsewhere where there are fewer
INDENT = "  "
BREAKS = re.compile(
    r"(?<=[^,] )|(?<=, )(?=[A-Za-z])|(?<=[_:/])(?=\w)|(?<=[a-z]-)(?=[a-z])"
)  # where a cell may go on in a new line


def columns() -> int:
    """How wide a table may be: the terminal, within 60 and 120 columns; 80 where there is none."""
    return min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)


def table(
    rows: Sequence[Sequence[Any]],
    heads: Sequence[str],
    align: Sequence[str] | None = None,
    style: str = "simple",
    **options: Any,
) -> str:
    """Rows under their heads.

    Args:
        rows: cells as text.
        heads: of the columns.
        align: 'left' or 'right', per column; left without.
        style, options: of the library tabulate.
    """
    padding = tabulate.MIN_PADDING
    tabulate.MIN_PADDING = 0  # two more columns for every head are ten too many in 80; an argument for it there is not
    try:
        return tabulate.tabulate(rows, heads, tablefmt=style, disable_numparse=True, colalign=align, **options)
    finally:
        tabulate.MIN_PADDING = padding


def fitted(rows: Sequence[Sequence[str]], heads: Sequence[str], align: Sequence[str], nest: bool = False) -> str:
    """A table that fits the terminal: where it would be wider, its widest columns go on in a second line.

    Args:
        rows, heads, align: as for `table`.
        nest: whether a table that is too wide first gives each value of its first column, a twin, a line of its own
            above the rows that have it.
    """
    if nest and _width(_columns(rows, [_folded(head, 1) for head in heads])) > columns():
        nested: list[list[str]] = []
        above = None
        for first, second, *rest in rows:
            if first != above:
                nested.append([first, *[""] * len(rest)])
            nested.append([INDENT + second, *rest])
            above = first
        rows, heads, align = nested, heads[1:], align[1:]
    whole = _columns(rows, heads)
    cells = [list(column) for column in whole]
    while _width(cells) > columns() and (at := _to_fold(cells, whole)) is not None:
        narrower = _longest(cells[at]) - 1
        cells[at] = [_folded(text, narrower) for text in whole[at]]
    heads, *rows = zip(*cells, strict=True)
    return table(rows, heads, align, preserve_whitespace=True)


def _to_fold(cells: Sequence[Sequence[str]], whole: Sequence[Sequence[str]]) -> int | None:
    """The column to fold next: the head that stands out most, else the widest; None where none can be folded."""

    def order(at: int) -> tuple[int, int]:
        return -max(_longest(cells[at][:1]) - _longest(cells[at][1:] or [""]), 0), -_longest(cells[at])

    for at in sorted(range(len(cells)), key=order):
        width = _longest(cells[at])
        if _longest([_folded(text, width - 1) for text in whole[at]]) < width:
            return at
    return None


def _columns(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> list[list[str]]:
    return [list(column) for column in zip(heads, *rows, strict=True)]


def _width(cells: Sequence[Sequence[str]]) -> int:
    return sum(map(_longest, cells)) + 2 * (len(cells) - 1)


def _longest(texts: Sequence[str]) -> int:
    return max(len(line) for text in texts for line in text.split("\n"))


def _folded(text: str, width: int) -> str:
    """The text in lines of that width where its breaks allow it; lines that follow keep its indent."""
    indent = text[: len(text) - len(text.lstrip())]
    lines = [indent]
    for piece in BREAKS.split(text.strip()):
        if len((lines[-1] + piece).rstrip()) > width and lines[-1].strip():
            lines.append(indent)
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
