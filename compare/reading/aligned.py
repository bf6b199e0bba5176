"""The two files of a twin, side by side: which line of Keras stands beside which of PyTorch, and why where none does.

Definitions are paired by name, statements within them by what they assign and by how alike they read, and the lines of
one statement likewise. Where statements have no counterpart there is a gap, and a side that has lines in a gap says why
in a `# differs:` tag on one of them. `loose` lists what breaks that rule.
"""

import ast
import copy
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import TypeVar

from twin.paths import source
from twin.spec import Twin

SIDES = ("keras", "torch")
TAG = re.compile(r"# differs: (?P<why>.*)")
LIBRARY = re.compile(r"\b(keras\.ops|keras\.random|keras\.layers|keras|layers|ops|torch\.nn\.functional|torch|nn|F)\.")
TOKEN = re.compile(r"\w+|[^\w\s]")
NAME = re.compile(r"return \w+$")
ELSE = re.compile(r"\s*(else|finally)\s*:")
T = TypeVar("T")
ALIKE = 0.45  # the least likeness of two statements that assign nothing of the same name


@dataclass(frozen=True)
class Unit:
    """A statement, or the head of a compound one with the statements it holds.

    Args:
        kind: of statement: the name of its node, or 'docstring', 'import', 'else'.
        names: what it defines or assigns.
        text: without comments and line breaks, for comparing.
        start, first, end: line numbers: of the comments before it, of the statement, and its last (of a compound
            statement: of its head).
        held: the statements within.
    """

    kind: str
    names: tuple[str, ...]
    text: str
    start: int
    first: int
    end: int
    held: tuple["Unit", ...] = ()


@dataclass(frozen=True)
class Row:
    """A line on either side, or on one.

    Args:
        keras, torch: line numbers from 1; None where that side has no such line.
        pair: a number that the lines of one pair of statements share.
        role: 'statement', 'import', 'blank', 'docstring', or 'continued' for a further line of a statement that the
            other side writes in one.
        where: the classes and functions around it, such as 'LeNet.call'.
        why: the words of the tag that explains it, if one does.
    """

    keras: int | None
    torch: int | None
    pair: int
    role: str
    where: str = ""
    why: str = ""


@dataclass(frozen=True)
class Reading:
    """A twin's two files, and their rows from top to bottom."""

    keras: tuple[str, ...]
    torch: tuple[str, ...]
    rows: tuple[Row, ...]

    def text(self, row: Row, side: str) -> str:
        """The line of that side; empty where it has none."""
        number = getattr(row, side)
        return getattr(self, side)[number - 1] if number else ""

    def loose(self) -> list[Row]:
        """The rows that are neither aligned nor explained: none, in a finished twin."""
        return [
            row
            for row in self.rows
            if (row.keras is None or row.torch is None) and row.role == "statement" and not row.why
        ]


def read(twin: Twin) -> Reading:
    """A twin's two files, aligned."""
    return align(source("keras", twin), source("torch", twin))


@functools.cache
def align(keras: str, torch: str) -> Reading:
    """Two files, aligned.

    Args:
        keras, torch: their texts.

    Raises:
        SyntaxError: when one is no Python.
    """
    lines = (tuple(keras.splitlines()), tuple(torch.splitlines()))
    rows = _Rows(lines)
    rows.bodies(units(keras), units(torch))
    return Reading(*lines, tuple(rows.found))


def units(text: str) -> tuple[Unit, ...]:
    """The statements of a file."""
    return _body(ast.parse(text).body, 0, text.splitlines())


def _body(body: Sequence[ast.stmt], before: int, lines: list[str]) -> tuple[Unit, ...]:
    """The statements of a body; `before` is the last line that belongs to what precedes it.

    What a `with` holds stands beside it, since the other framework may do the same without one (`torch.no_grad`).
    """
    found = []
    for number, node in enumerate(body):
        unit = _unit(node, before, lines, number == 0)
        inside, unit = (unit.held, replace(unit, held=())) if unit.kind == "With" else ((), unit)
        found += [unit, *inside]
        before = node.end_lineno or before
    return tuple(found)


def _unit(node: ast.stmt, before: int, lines: list[str], is_first: bool) -> Unit:
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    parts = [getattr(node, name) for name in ("body", "orelse", "finalbody") if getattr(node, name, None)]
    if not parts:
        kind, names = _kind(node, is_first)
        return Unit(kind, names, ast.unparse(node), before + 1, first, node.end_lineno or first)
    head_end = _head_end(node, lines)
    held = list(_body(parts[0], head_end, lines))
    for handler in getattr(node, "handlers", []):
        inside = _body(handler.body, handler.lineno, lines)
        held.append(Unit("except", (), _head(handler), held[-1].end + 1, handler.lineno, handler.lineno, inside))
    for part in parts[1:]:
        previous = _last(held[-1])
        if part[0].lineno - 1 == previous or lines[part[0].lineno - 1].lstrip().startswith("elif"):
            held.append(_unit(part[0], previous, lines, False))
            continue
        at = next(n for n in range(previous + 1, part[0].lineno + 1) if ELSE.match(lines[n - 1]))
        held.append(Unit("else", (), lines[at - 1].split(":")[0].strip(), previous + 1, at, at, _body(part, at, lines)))
    kind, names = _kind(node, is_first)
    return Unit(kind, names, _head(node), before + 1, first, head_end, tuple(held))


def _last(unit: Unit) -> int:
    return _last(unit.held[-1]) if unit.held else unit.end


def _head_end(node: ast.AST, lines: list[str]) -> int:
    """The last line of a compound statement's head."""
    at: int = node.body[0].lineno - 1  # type: ignore[attr-defined]
    decorated = getattr(node.body[0], "decorator_list", [])  # type: ignore[attr-defined]
    at = min([at, *(each.lineno - 1 for each in decorated)])
    while not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return at


def _head(node: ast.AST) -> str:
    """A compound statement without what it holds."""
    bare = copy.copy(node)
    bare.body = [ast.Pass()]  # type: ignore[attr-defined]  # written out, a class costs as much as all its methods
    return ast.unparse(bare).split(":\n")[0]


def _kind(node: ast.stmt, is_first: bool) -> tuple[str, tuple[str, ...]]:
    """What sort of statement it is, and the names that it defines or assigns."""
    if is_first and isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str):
        return "docstring", ()
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "import", ()
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return type(node).__name__, ("call" if node.name == "forward" else node.name,)
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    names = [each for target in targets if target is not None for each in _names(target)]
    return {"AnnAssign": "Assign", "AugAssign": "Assign"}.get(type(node).__name__, type(node).__name__), tuple(names)


def _names(target: ast.expr) -> list[str]:
    if isinstance(target, ast.Tuple | ast.List):
        return [name for each in target.elts for name in _names(each)]
    return [ast.unparse(target)]


@functools.cache
def _tokens(text: str) -> tuple[str, ...]:
    """The words of a line, without the names of the libraries and as one spells them alike."""
    plain = LIBRARY.sub("", text).replace("forward", "call").lower()
    return tuple(TOKEN.findall(plain))


@functools.cache
def _likeness(one: str, other: str, words: bool = False) -> float:
    """The share of their tokens that two lines have in common, in order; or of their words only."""
    ours, theirs = ([t for t in _tokens(text) if not words or t[0].isidentifier()] for text in (one, other))
    return SequenceMatcher(None, ours, theirs, autojunk=False).ratio()


def _score(one: Unit, other: Unit) -> float:
    """How well two statements match; 0 where they cannot be a pair."""
    kinds = {one.kind, other.kind}
    if len(kinds) == 2 and kinds not in ({"Assign", "Expr"}, {"Assign", "Return"}):
        return 0.0
    if one.kind in ("docstring", "import", "else"):
        return 1 + _likeness(one.text, other.text)
    if one.kind in ("FunctionDef", "ClassDef"):
        return 3.0 if one.names == other.names else 0.0
    alike = _likeness(one.text, other.text, words=True)
    shared = set(one.names) & set(other.names)
    if kinds == {"Assign", "Return"}:  # what one side returns at once, the other may still work on
        return 0.1 + alike if alike >= ALIKE - 0.1 else 0.0
    if kinds == {"Return"}:
        return alike + (0.5 if bool(NAME.match(one.text)) == bool(NAME.match(other.text)) else 0.2)
    if kinds == {"For"} or (shared and kinds == {"Assign"}):
        return (1 if shared else 0.5) + alike
    if one.kind == other.kind == "Expr":  # a call for its effect: best of the same object
        alike += 0.15 + 0.1 * (_tokens(one.text)[0] == _tokens(other.text)[0])
    return alike if alike >= ALIKE else 0.0


def _pairs(ours: Sequence[T], theirs: Sequence[T], score: Callable[[T, T], float]) -> list[tuple[T | None, T | None]]:
    """The two sequences in order, matched so that the scores add up to the most (Needleman and Wunsch, 1970)."""
    scores = [[score(one, other) for other in theirs] for one in ours]
    best = [[0.0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in reversed(range(len(ours))):
        for j in reversed(range(len(theirs))):
            match = scores[i][j] + best[i + 1][j + 1] if scores[i][j] > 0 else 0.0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], match)
    found: list[tuple[T | None, T | None]] = []
    i = j = 0
    while i < len(ours) or j < len(theirs):
        both = i < len(ours) and j < len(theirs)
        if both and scores[i][j] > 0 and best[i][j] == scores[i][j] + best[i + 1][j + 1]:
            found.append((ours[i], theirs[j]))
            i, j = i + 1, j + 1
        elif i < len(ours) and (j == len(theirs) or best[i][j] == best[i + 1][j]):
            found.append((ours[i], None))
            i += 1
        else:
            found.append((None, theirs[j]))
            j += 1
    return found


@dataclass
class _Rows:
    """The rows so far, and how far either file has been read."""

    lines: tuple[tuple[str, ...], tuple[str, ...]]
    found: list[Row] = field(default_factory=list)
    at: list[int] = field(default_factory=lambda: [0, 0])
    pair: int = 0

    def bodies(self, ours: Sequence[Unit], theirs: Sequence[Unit], where: str = "", why: str = "") -> None:
        """The rows of two bodies; `why` explains all of them, where a definition without a counterpart holds them."""
        pairs = _pairs(ours, theirs, _score)
        for number, (one, other) in enumerate(pairs):
            self.unit(one, other, where, why if one and other else why or self.of_gap(pairs, number))

    def unit(self, one: Unit | None, other: Unit | None, where: str, why: str) -> None:
        """The rows of a pair of statements, or of one that has no counterpart."""
        self.pair += 1
        either = one or other
        assert either is not None
        if either.kind in ("FunctionDef", "ClassDef"):
            where = f"{where}.{either.names[0]}".lstrip(".")
        ahead = [self.ahead(unit, side) for side, unit in enumerate((one, other))]
        own = [self.own(unit, side) for side, unit in enumerate((one, other))]
        tag = next((found for side in (0, 1) for n in ahead[side] + own[side] if (found := self.tag(side, n))), why)
        is_pair = one is not None and other is not None
        for ours, theirs in [pair for mine, yours in (ahead, own) for pair in _pairs(mine, yours, self.alike)]:
            role = either.kind if either.kind in ("docstring", "import") else "statement"
            if not any(self.lines[side][n - 1].strip() for side, n in ((0, ours), (1, theirs)) if n):
                role = "blank"
            elif role == "statement" and is_pair and None in (ours, theirs) and self.is_wrapping(own, ours, theirs):
                role = "continued"
            self.found.append(Row(ours, theirs, self.pair, role, where, tag))
        self.bodies(one.held if one else (), other.held if other else (), where, "" if is_pair else tag)

    def is_wrapping(self, own: Sequence[Sequence[int]], ours: int | None, theirs: int | None) -> bool:
        """Whether a line has no counterpart only because one side's statement is written in fewer lines."""
        text = self.lines[0][ours - 1] if ours else self.lines[1][(theirs or 1) - 1]
        other = 1 if ours else 0
        whole = " ".join(self.lines[other][number - 1] for number in own[other])
        return len(own[other]) == 1 or not any(map(str.isalnum, text)) or text.strip().rstrip(",") in whole

    def of_gap(self, pairs: Sequence[tuple[Unit | None, Unit | None]], number: int) -> str:
        """The words of the first tag of the gap, on the same side, in which that statement stands."""
        side = 0 if pairs[number][0] else 1
        start = end = number
        while start and None in pairs[start - 1]:
            start -= 1
        while end + 1 < len(pairs) and None in pairs[end + 1]:
            end += 1
        gap = [pair[side] for pair in pairs[start : end + 1]]
        spans = [range(unit.start, _last(unit) + 1) for unit in gap if unit]
        return next((found for span in spans for n in span if (found := self.tag(side, n))), "")

    def ahead(self, unit: Unit | None, side: int) -> list[int]:
        """The lines before a statement that are not read yet: blank ones and comments."""
        return list(range(self.at[side] + 1, unit.first)) if unit else []

    def own(self, unit: Unit | None, side: int) -> list[int]:
        """A statement's own lines, which are then read."""
        if not unit:
            return []
        self.at[side] = unit.end
        return list(range(unit.first, unit.end + 1))

    def tag(self, side: int, number: int) -> str:
        """The words of the tag on that line."""
        found = TAG.search(self.lines[side][number - 1])
        return found["why"] if found else ""

    def alike(self, ours: int, theirs: int) -> float:
        """How well two lines match; a blank one only matches a blank one."""
        one, other = self.lines[0][ours - 1].strip(), self.lines[1][theirs - 1].strip()
        if not one or not other:
            return 0.0 if one or other else 1.0
        return 0.2 + _likeness(one, other)
