"""A twin's file taken apart: its methods, the skeleton without their bodies, and files put together of two.

Pure work on source text and syntax trees; compare.porting asks, compare.stand_in runs what was put together.
"""

import ast
import copy
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DIFFERS = re.compile(r"\s*# differs:.*$")
OWN_LINES = (
    1_000_000  # added to the line numbers of the twin's own code, so that a learner's line is known by its number
)
RAN = "__ran__"  # the name under which a file that was put together keeps which of its methods were called
SHAPE = re.compile(r"\((B,[^()]*)\)")
Function = ast.FunctionDef


@dataclass(frozen=True)
class Omission:
    """A keyword that the twin spells out and the learner leaves to its default.

    Args:
        callee: what is called, as it is written: `nn.BatchNorm2d`.
        keyword: the argument's name.
        value: the twin's, as it is written.
        line: of the learner's call.
    """

    callee: str
    keyword: str
    value: str
    line: int


def units(tree: ast.Module) -> dict[str, Function]:
    """What is to be written, by name and in the file's order: `LeNet.__init__`, `LeNet.call`, `fit`.

    A body that is only a docstring, or only calls the base class, leaves nothing to write.
    """
    found = {}
    for node in tree.body:
        if isinstance(node, Function):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}": each for each in node.body if isinstance(each, Function)}
    return {name: node for name, node in found.items() if len(node.body) > _kept(node)}


def skeleton(text: str) -> str:
    """The file with every body left to write, and without the hints of its `# differs:` tags.

    What comes before the base class's constructor, and its call, stays.
    """
    lines = text.splitlines()
    for name, node in reversed(units(ast.parse(text)).items()):
        kept = _kept(node)
        start = node.body[kept - 1].end_lineno if kept else _head_end(node, lines)
        end = node.end_lineno
        assert start is not None
        assert end is not None
        while end < len(lines) and lines[end].startswith(" " * (node.col_offset + 1)):  # a comment at the end
            end += 1
        indent = " " * node.body[0].col_offset
        lines[start:end] = [f'{indent}raise NotImplementedError("write {name}")']
    return "\n".join(DIFFERS.sub("", line) for line in lines) + "\n"


def to_write(node: Function) -> ast.Module:
    """The part of a method that the skeleton leaves out."""
    return ast.Module(node.body[_kept(node) :], [])


def is_empty(node: Function) -> bool:
    """Whether a body is still to be written: the skeleton's line is in it."""
    return any(_is_marker(statement) for statement in node.body)


def same_code(one: ast.AST, other: ast.AST) -> bool:
    """Whether two pieces of code are the same but for layout and comments."""
    return ast.dump(one) == ast.dump(other)


def functions(tree: ast.Module) -> dict[str, Function]:
    """Every function and method of a file by name, those without a body to write included."""
    return dict(_functions(tree))


def shapes_in(node: Function, sizes: Mapping[str, Any], rows: int) -> list[tuple[int, ...]]:
    """The shapes of a method's arguments as its docstring says them: `(B, visible) and (B, hidden) states to ...`.

    Args:
        node: the method.
        sizes: what the names of axes stand for, besides B.
        rows: B.
    """
    said = (ast.get_docstring(node) or "").partition(" to ")[0]
    found = [[axis.strip() for axis in shape.split(",") if axis.strip()] for shape in SHAPE.findall(said)]
    known = {**sizes, "B": rows}
    if len(found) != len(node.args.args) - 1 or not all(isinstance(known.get(a), int) for axes in found for a in axes):
        return []
    return [tuple(known[axis] for axis in axes) for axes in found]


def attributes_read(node: ast.AST) -> list[str]:
    """The attributes of `self` that a method reads, in the order in which they are written."""
    found = [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "self"
    ]
    found.sort(key=lambda each: (each.lineno, each.col_offset))
    return list(dict.fromkeys(each.attr for each in found if isinstance(each.ctx, ast.Load)))


def attributes(node: ast.AST) -> list[str]:
    """The attributes that a method assigns, in order."""
    found = [name for statement in ast.walk(node) for name in _assigned(statement)]
    return list(dict.fromkeys(found))


def changed_constants(own: ast.Module, learner: ast.Module) -> list[str]:
    """Names that both files assign outside of their methods, to different values."""
    mine, theirs = (
        {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for tree in (learner, own)
    )
    return [name for name in theirs if name in mine and not same_code(mine[name], theirs[name])]


def put_together(own_text: str, text: str, names: Collection[str] | None, owned: Collection[str]) -> ast.Module:
    """The twin's own file with some of the learner's methods in it, or the whole learner's file.

    What else the learner's file has (imports, helpers, methods of its own) comes along. A constructor of one side
    and a method of the other may not know each other's attributes: those without weights are taken over.

    Args:
        own_text: the twin's own file.
        text: the learner's.
        names: which methods are the learner's; None for the whole file.
        owned: attributes that hold weights, which must be the constructor's own.
    """
    own, learner = ast.parse(own_text), ast.parse(text)
    if names is None:
        return _watched(learner, units(own))
    wanted = units(own)
    ast.increment_lineno(own, OWN_LINES)
    _take_extras(own, learner)
    for name in names:
        _complete(own, learner, name, owned)
    graft(own, learner, names)
    return _watched(own, wanted)


def graft(into: ast.Module, source: ast.Module, names: Collection[str]) -> None:
    """Replace methods of one file by those of the other."""
    given = functions(source)
    owners: list[ast.Module | ast.ClassDef] = [into, *_classes(into).values()]
    for owner in owners:
        prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
        owner.body = [
            given.get(prefix + node.name, node) if isinstance(node, Function) and prefix + node.name in names else node
            for node in owner.body
        ]


def omissions(own: Function, learner: Function) -> list[Omission]:
    """Keywords that the twin's calls spell out and the learner's calls of the same functions leave out."""
    found = []
    theirs = list(calls(learner))
    for call in calls(own):
        name = _last_name(call)
        counterpart = next((each for each in theirs if _last_name(each) == name), None)
        if counterpart is None:
            continue
        theirs.remove(counterpart)
        given = {keyword.arg for keyword in counterpart.keywords}
        missing = [keyword for keyword in call.keywords if keyword.arg and keyword.arg not in given]
        # A value may as well stand by its place.
        missing = missing[len(counterpart.args) - len(call.args) :] if counterpart.args else missing
        found += [
            Omission(ast.unparse(call.func), str(each.arg), ast.unparse(each.value), counterpart.lineno)
            for each in missing
        ]
    return found


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Every call of a name, in the order in which it is written."""
    found = [each for each in ast.walk(node) if isinstance(each, ast.Call) and _last_name(each)]
    yield from sorted(found, key=lambda each: (each.lineno, each.col_offset))


def _kept(node: Function) -> int:
    """How many statements of a body the skeleton keeps: the docstring, and what goes up to the base class's call."""
    kept = 1 if ast.get_docstring(node) is not None else 0
    for number, statement in enumerate(node.body, start=1):
        is_expression = isinstance(statement, ast.Expr)  # to write out what is none takes long
        if is_expression and ast.unparse(statement) == "super().__init__()":  # one with arguments is there to write
            kept = number
    return kept


def _head_end(node: Function, lines: list[str]) -> int:
    """The last line of a signature."""
    ends = [each.end_lineno or 0 for each in (node.args.args + node.args.kwonlyargs) if each.end_lineno]
    number = max([node.lineno, *ends])
    while not lines[number - 1].split("#")[0].rstrip().endswith(":"):
        number += 1
    return number


def _is_marker(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Raise) and ast.unparse(statement).startswith("raise NotImplementedError('write ")


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{each.name}", each) for each in node.body if isinstance(each, Function))


def _classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _assigned(statement: ast.AST) -> list[str]:
    """The attributes of `self` that a single statement assigns."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    flat = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [
        each.attr
        for each in flat
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "self"
    ]


def _last_name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _names(node: ast.stmt) -> set[str]:
    """What a statement of a module defines."""
    if isinstance(node, Function | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def _take_extras(own: ast.Module, learner: ast.Module) -> None:
    """Bring along what only the learner's file has: imports, helpers, constants, methods."""
    imports = (ast.Import, ast.ImportFrom)
    there = {ast.dump(node) for node in own.body if isinstance(node, imports)}
    defined = {name for node in own.body for name in _names(node)}
    new_imports = [node for node in learner.body if isinstance(node, imports) and ast.dump(node) not in there]
    helpers = [node for node in learner.body if (names := _names(node)) and not names & defined]
    after = max((number for number, node in enumerate(own.body, start=1) if isinstance(node, imports)), default=0)
    own.body[after:after] = [*new_imports, *helpers]
    theirs = _classes(learner)
    for name, node in _classes(own).items():
        if name in theirs:
            known = {each.name for each in node.body if isinstance(each, Function)}
            node.body += [e for e in theirs[name].body if isinstance(e, Function) and e.name not in known]


def _complete(own: ast.Module, learner: ast.Module, name: str, owned: Collection[str]) -> None:
    """Give the constructor that a method will meet the attributes that only the other side's constructor sets."""
    owner, _, method = name.rpartition(".")
    theirs, mine = (dict(_functions(tree)).get(f"{owner}.__init__") for tree in (own, learner))
    if not owner or theirs is None or mine is None or is_empty(mine):
        return
    target, source = (mine, theirs) if method == "__init__" else (theirs, mine)
    there = set(attributes(target))
    missing = [
        copy.deepcopy(statement)
        for statement in source.body
        if (assigned := _assigned(statement)) and not set(assigned) & (there | set(owned))
    ]
    last = target.body[-1]
    builds = isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and ast.unparse(last.value.func) == "self"
    at = len(target.body) - builds
    target.body[at:at] = missing


def _watched(tree: ast.Module, names: Collection[str]) -> ast.Module:
    """The same file, which writes down which of its methods are called."""
    for name, node in _functions(tree):
        if name in names:
            at = 1 if ast.get_docstring(node) is not None else 0
            note = ast.parse(f"{RAN}.add({name!r})").body[0]
            for each in ast.walk(note):
                ast.copy_location(each, node.body[at] if at < len(node.body) else node)
            node.body.insert(at, note)
    return ast.fix_missing_locations(tree)
