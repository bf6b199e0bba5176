"""A twin's two files in the terminal: side by side, stacked where it is narrow, or one of them."""

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from compare.reading import shapes, syntax
from compare.reading.aligned import SIDES, Reading, Row, read
from compare.reading.shapes import Layer, Measured
from compare.reading.syntax import Piece
from twin.catalogue import chapter_of
from twin.errors import unknown
from twin.paths import path_of
from twin.spec import Twin

WIDE = 100  # columns that two files beside each other take
MOST = 244  # columns beyond which nothing is gained: two lines of the longest length
ASSIGNED = re.compile(r"\s*self\.(\w+)(?:: [^=]+)? = ")
COLOURS = {
    "keyword": "35",
    "string": "32",
    "number": "36",
    "comment": "90",
    "tag": "1;33",
    "name": "1;34",
    "self": "90",
    "shape": "36",
    "head": "1",
}


def page(twin: Twin, sides: Sequence[str] = SIDES, only: str = "", columns: int = 80, colour: bool = False) -> str:
    """What `twin show` prints.

    Args:
        twin: whose files.
        sides: 'keras', 'torch' or both.
        only: a class or method; empty for all.
        columns: of the terminal.
        colour: whether it takes escape codes.

    Raises:
        TwinError: when the twin has no class, method or function of the name `only`.
    """
    reading = read(twin)
    rows = chosen(reading, only)
    writer = _Writer(twin, reading, shapes.of(twin), min(columns, MOST), colour)
    parts = [] if only else [*writer.head(sides), ""]
    if len(sides) == 1:
        parts += writer.one(rows, sides[0])
    elif columns < WIDE:
        parts += writer.stacked(rows)
    else:
        parts += writer.beside(rows)
    return "\n".join(parts).rstrip() + "\n"


def document(reading: Reading) -> str:
    """What the module's docstring says, the same on both sides."""
    return ast.get_docstring(ast.parse("\n".join(reading.keras))) or ""


def chosen(reading: Reading, only: str) -> list[Row]:
    """The rows of a class, method or function; without `only`, all but the module's docstring.

    Raises:
        TwinError: when there is none of that name.
    """
    if not only:
        first = next(n for n, row in enumerate(reading.rows) if row.role not in ("docstring", "blank"))
        return list(reading.rows[first:])
    wanted = tuple("call" if part == "forward" else part for part in only.split("."))
    known = dict.fromkeys(row.where for row in reading.rows if row.where)
    found = {where for where in known if _holds(tuple(where.split(".")), wanted)}
    if not found:
        raise unknown("class or method", only, dict.fromkeys(part for where in known for part in where.split(".")))
    rows = [row for row in reading.rows if row.where in found]
    while rows and rows[0].role == "blank":
        del rows[0]
    return rows


def note(reading: Reading, row: Row, side: str, measured: Measured | None) -> str:
    """What a line that makes layers is told of them: the shape that leaves, and how many parameters."""
    made = ASSIGNED.match(reading.text(row, side))
    if not made or not measured or not row.where.endswith(".__init__"):
        return ""
    return of_layers(measured.of(row.where.split(".")[-2], made[1]))


def of_layers(layers: Sequence[Layer]) -> str:
    """The shapes and parameters of the layers that one line makes, in a few words."""
    if not layers:
        return ""
    outputs = list(dict.fromkeys(shapes.short(layer.output) for layer in layers if layer.output))
    counts = {layer.parameters for layer in layers}
    total = sum(layer.parameters for layer in layers)
    times = f"{len(layers)} x " if len(layers) > 1 and len(outputs) == 1 else ""
    words = [times + " ... ".join(outputs if len(outputs) < 2 else (outputs[0], outputs[-1]))] if outputs else []
    words += [f"{max(counts):,} each" if len(counts) == 1 and len(layers) > 1 else f"{total:,}"] if total else []
    return ", ".join(words)


def _holds(where: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether a place is in what is wanted: 'LeNet.call' is in 'call', in 'LeNet' and in 'LeNet.call'."""
    return any(where[n : n + len(wanted)] == wanted for n in range(len(where)))


class _Writer:
    """Writes rows for one twin and one terminal."""

    def __init__(
        self, twin: Twin, reading: Reading, measured: dict[str, Measured] | None, columns: int, colour: bool
    ) -> None:
        self.twin, self.reading, self.columns, self.colour = twin, reading, columns, colour
        self.measured = measured or {}
        self.pieces = {side: self.pieces_of(getattr(reading, side)) for side in SIDES}

    def pieces_of(self, lines: Sequence[str]) -> list[list[Piece]]:
        """The pieces of each line; where there are no colours, a line is one."""
        return syntax.pieces("\n".join(lines)) if self.colour else [[("", line)] for line in lines]

    def head(self, sides: Sequence[str]) -> Iterator[str]:
        """The twin, its docstring, and what the marks mean."""
        twin, chapter = self.twin, chapter_of(self.twin.name)
        yield self.paint("head", f"{twin.name}: {twin.title}")
        facts = [f"Chapter {chapter.number}, {chapter.title}. Slides: deck {twin.deck}, {twin.topic}", twin.paper]
        for fact in facts:
            yield from textwrap.wrap(fact, self.columns)
        yield ""
        for paragraph in document(self.reading).split("\n\n"):
            yield from [*textwrap.wrap(paragraph, min(self.columns, 110)), ""]
        if self.measured and self.measured["torch"].layers:
            size = ", ".join(f"{name}={value}" for name, value in twin.small.arguments.items())
            count = self.measured["torch"].parameters
            yield from textwrap.wrap(
                f"-> what leaves a layer, and its parameters, measured at {size}: {count:,} parameters.", self.columns
            )
        if len(sides) == 2 and self.columns >= WIDE:
            yield "| beside each other, < Keras only, > PyTorch only, ! a difference that the frameworks force"
        elif len(sides) == 2:
            marks = "K Keras, T PyTorch, neither: the same in both; ! a difference that the frameworks force"
            yield from textwrap.wrap(marks, self.columns)

    def one(self, rows: Iterable[Row], side: str) -> Iterator[str]:
        """One file."""
        yield self.paint("head", path_of(side, self.twin))
        for row in rows:
            if getattr(row, side):
                yield from (line.rstrip() for line in self.cell(row, side, self.columns))

    def stacked(self, rows: Sequence[Row]) -> Iterator[str]:
        """One below the other: runs of lines that differ, Keras's first, between the lines that are the same."""
        run: list[Row] = []
        for row in rows:
            if row.keras and row.torch and self.text(row, "keras") == self.text(row, "torch"):
                yield from self.run(run)
                run = []
                yield from self.prefixed(" ", row, "keras")
            else:
                run.append(row)
        yield from self.run(run)

    def run(self, rows: Sequence[Row]) -> Iterator[str]:
        """Rows that differ: all of Keras's, then all of PyTorch's."""
        for mark, side in (("K", "keras"), ("T", "torch")):
            for row in rows:
                if getattr(row, side):
                    yield from self.prefixed(mark if row.role != "blank" else " ", row, side)

    def prefixed(self, mark: str, row: Row, side: str) -> Iterator[str]:
        for line in self.cell(row, side, self.columns - 3):
            tag = "!" if syntax.TAG in self.text(row, side) else " "
            yield f"{mark}{self.paint('tag', tag)} {line}".rstrip()

    def beside(self, rows: Iterable[Row]) -> Iterator[str]:
        """Beside each other."""
        width = (self.columns - 3) // 2
        left, right = (path_of(side, self.twin)[:width] for side in SIDES)
        yield self.paint("head", left) + " " * (width - len(left) + 3) + self.paint("head", right)
        for row in rows:
            cells = [self.cell(row, side, width) for side in SIDES]
            height = max(map(len, cells))
            ours, theirs = (cell + [" " * width] * (height - len(cell)) for cell in cells)
            for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                yield f"{one} {self.mark(row) if number == 0 else self.paint('comment', '|')} {other}".rstrip()

    def mark(self, row: Row) -> str:
        """The sign between the two sides."""
        if row.role == "blank":
            return self.paint("comment", "|")
        if any(syntax.TAG in self.text(row, side) for side in SIDES):
            return self.paint("tag", "!")
        return self.paint("comment", "|" if row.keras and row.torch else "<" if row.keras else ">")

    def text(self, row: Row, side: str) -> str:
        return self.reading.text(row, side)

    def cell(self, row: Row, side: str, width: int) -> list[str]:
        """A line in so many columns, wrapped, with what is to be noted of it at the right."""
        number = getattr(row, side)
        if not number:
            return [" " * width]
        indent = len(self.text(row, side)) - len(self.text(row, side).lstrip())
        further = indent if row.role == "docstring" else min(indent + 4, width // 2)
        lines = wrapped(self.pieces[side][number - 1], width, further)
        said = note(self.reading, row, side, self.measured.get(side))
        tail = f"-> {said}"[:width] if said else ""
        if tail and _length(lines[-1]) + 2 + len(tail) > width:
            lines.append([])
        out = []
        for at, line in enumerate(lines):
            is_noted = tail if at == len(lines) - 1 else ""
            space = " " * (width - _length(line) - len(is_noted))
            out.append("".join(self.paint(*piece) for piece in line) + space + self.paint("shape", is_noted))
        return out

    def paint(self, kind: str, text: str) -> str:
        if not self.colour or not text.strip() or kind not in COLOURS:
            return text
        return f"\x1b[{COLOURS[kind]}m{text}\x1b[0m"


def wrapped(line: Sequence[Piece], width: int, indent: int) -> list[list[Piece]]:
    """A line in lines of so many columns, broken at spaces where there are any; further ones are indented."""
    text = "".join(part for _, part in line)
    kinds = [kind for kind, part in line for _ in part]
    out: list[list[Piece]] = []
    start, room = 0, width
    while True:
        end = len(text)
        if end - start > room:
            space = text.rfind(" ", start + room // 3, start + room + 1)
            if text[space - 1] == "#":  # a comment's mark stays with its first word
                space = text.rfind(" ", start, space)
            bracket = text.rfind("(", start + room // 3, start + room) + 1
            end = max(space, bracket) if max(space, bracket) > start else start + room
        first = [("", " " * indent)] if out else []
        out.append([*first, *_spans(text, kinds, start, end)])
        while end < len(text) and text[end] == " ":
            end += 1
        if end >= len(text):
            return out
        start, room = end, width - indent


def _spans(text: str, kinds: Sequence[str], start: int, end: int) -> Iterator[Piece]:
    """The pieces of a part of a line."""
    at = start
    for n in range(start + 1, end + 1):
        if n == end or kinds[n] != kinds[at]:
            if at < n:
                yield kinds[at], text[at:n]
            at = n


def _length(line: Iterable[Piece]) -> int:
    return sum(len(text) for _, text in line)
