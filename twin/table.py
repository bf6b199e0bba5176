"""How tables, sentences and code are printed: as narrow as their words, and folded where the terminal is narrower."""

import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import tabulate

NARROWEST, WIDEST = 60, 120
ROOMY = 72  # columns; tables leave out what can be read elsewhere where there are fewer
INDENT = "  "
COMMENT = "#"
READABLE = 80  # columns of a paragraph, however wide the terminal
SPACES = re.compile(r"(?<=[^,] )|(?<=, )(?=[^\W\d])")  # where a cell goes on in a new line
BREAKS = re.compile(  # where a word does that fits no line
    r"(?<=[_:/])(?=\w)|(?<=[a-z]-)(?=[a-z])|(?<=[a-z)]\.)(?=[A-Za-z])|(?<=\()(?=[a-z])"
    r"|(?<=[a-z])(?<!\bPy)(?=[A-Z][a-z])(?!Flow\b)|(?<=[a-z]=)(?=[\w\"])"
)


def columns() -> int:
    """How wide a table may be: the terminal, within 60 and 120 columns; 80 where there is none."""
    return min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)


def length(line: str) -> int:
    """How many columns a line takes: Korean letters take two."""
    wide = 0 if line.isascii() else sum(unicodedata.east_asian_width(letter) in "WF" for letter in line)
    return len(line) + wide


def filled(text: str, indent: str = "", further: str | None = None, most: int = READABLE) -> str:
    """A sentence in lines that fit, broken at spaces only: a path or a name stays whole, and so do `commands` that fit.

    Args:
        text: without line breaks.
        indent: before the first line; `further` before the others, where it is another.
        most: columns.
    """
    width = min(columns(), most)
    further = indent if further is None else further
    lines = [indent]
    for word in _words(text, width - 5):
        if lines[-1].strip() and length(f"{lines[-1]}{word}") > width:
            lines[-1] = lines[-1].rstrip()
            lines.append(further)
        lines[-1] += f"{word} "
    return "\n".join(lines).rstrip()


def _words(text: str, room: int) -> Iterator[str]:
    """The words between spaces; a command between backticks, with what touches it, is one where there is room."""
    word = ""
    for each in text.split():
        word = f"{word} {each}" if word else each
        if word.count("`") % 2 == 0:
            yield from [word] if length(word) <= room else word.split()
            word = ""
    yield from word.split()


def hanging(sentence: str) -> str:
    """A sentence in lines of the terminal's width, those that follow indented."""
    return filled(sentence, further=INDENT, most=WIDEST)


def code(text: str, indent: str = "    ") -> str:
    """Code that is indented; a line that does not fit goes on, further in, after a space or a bracket."""
    out = []
    for line in text.splitlines():
        start, room = indent, columns() - len(indent)
        inner = " " * (len(line) - len(line.lstrip()) + 4)
        while len(line) > room:
            at = max(line.rfind(" ", len(inner) + 1, room + 1), line.rfind("(", len(inner) + 1, room) + 1)
            if at <= 0:
                break
            out.append(start + line[:at].rstrip())
            if COMMENT in line[:at] and COMMENT not in inner:
                inner += f"{COMMENT} "
            line = inner + line[at:].lstrip()
        out.append((start + line).rstrip())
    return "\n".join(out)


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
    padding, wide = tabulate.MIN_PADDING, tabulate.WIDE_CHARS_MODE
    tabulate.MIN_PADDING = 0  # two more columns for every head are ten too many in 80; an argument for it there is not
    tabulate.WIDE_CHARS_MODE = False  # else a page depends on whether the library wcwidth happens to be installed
    try:
        return tabulate.tabulate(rows, heads, tablefmt=style, disable_numparse=True, colalign=align, **options)
    finally:
        tabulate.MIN_PADDING, tabulate.WIDE_CHARS_MODE = padding, wide


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
    return max(map(length, "\n".join(texts).split("\n")))


def _folded(text: str, width: int) -> str:
    """The text in lines of that width where its breaks allow it; lines that follow keep its indent."""
    indent = text[: len(text) - len(text.lstrip())]
    lines = [indent]
    for word in SPACES.split(text.strip()):
        whole = length(indent + word.rstrip()) <= width  # a word that fits a line is not broken for the sake of another
        for piece in [word] if whole else BREAKS.split(word):
            if length((lines[-1] + piece).rstrip()) > width and lines[-1].strip():
                lines.append(indent)
            lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
