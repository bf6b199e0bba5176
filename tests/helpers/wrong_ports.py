"""Plausible wrong ports: a twin's own file with one thing wrong in one method, of five kinds."""

import ast
import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compare.port import skeleton

ACTIVATIONS = {"relu", "tanh", "sigmoid", "gelu", "silu", "leaky_relu", "softmax", "log_softmax", "logsigmoid"}
ACTIVATIONS |= {"log_sigmoid", "hard_sigmoid", "elu", "relu6"}
ACTIVATION_LAYERS = {"ReLU", "SiLU", "GELU", "Tanh", "Sigmoid", "LeakyReLU", "Activation", "Softmax"}
EPSILONS = {"eps", "epsilon"}
KINDS = ("no activation", "wrong axis", "wrong padding", "wrong order", "default eps")
Edit = Callable[[], None]


@dataclass(frozen=True)
class Wrong:
    """A file with one thing wrong.

    Args:
        kind: one of KINDS.
        unit: the method in which it is.
        line: of the twin's own file.
        text: the file.
    """

    kind: str
    unit: str
    line: int
    text: str


def wrong_ports(text: str) -> Iterator[Wrong]:
    """Every file that differs from this one by one defect."""
    for unit in skeleton.units(ast.parse(text)):
        number = 0
        while True:  # edits are found anew in a fresh tree, because each spoils its own
            tree = ast.parse(text)
            edits = list(_edits(skeleton.functions(tree)[unit]))
            if number >= len(edits):
                break
            kind, line, edit = edits[number]
            edit()
            yield Wrong(kind, unit, line, disguised(ast.unparse(ast.fix_missing_locations(tree))))
            number += 1


def emptied(text: str, unit: str) -> str:
    """The file with one body left to write."""
    tree, bare = ast.parse(text), ast.parse(skeleton.skeleton(text))
    skeleton.graft(tree, bare, [unit])
    return disguised(ast.unparse(tree))


def disguised(text: str) -> str:
    """The same file in other words, so that no method is known to be right by its looks."""
    tree = ast.parse(text)
    for node in skeleton.functions(tree).values():
        if not skeleton.is_empty(node):
            node.body.insert(1 if ast.get_docstring(node) is not None else 0, ast.Pass())
    return ast.unparse(ast.fix_missing_locations(tree))


def _edits(function: ast.FunctionDef) -> Iterator[tuple[str, int, Edit]]:
    for parent in ast.walk(function):
        for name, value in ast.iter_fields(parent):
            children = value if isinstance(value, list) else [value]
            for place, child in enumerate(children):
                if isinstance(child, ast.Call):
                    yield from _of_call(child, _setter(parent, name, value, place))
        for name in ("body", "orelse"):
            yield from _swaps(getattr(parent, name, None))


def _setter(parent: ast.AST, name: str, value: object, place: int) -> Callable[[ast.AST], None]:
    def put(new: ast.AST) -> None:
        if isinstance(value, list):
            value[place] = new
        else:
            setattr(parent, name, new)

    return put


def _of_call(call: ast.Call, put: Callable[[ast.AST], None]) -> Iterator[tuple[str, int, Edit]]:
    called = ast.unparse(call.func).rpartition(".")[2]
    if called in ACTIVATIONS and call.args:
        yield "no activation", call.lineno, lambda: put(call.args[0])
    if called in ACTIVATION_LAYERS and isinstance(call.func, ast.Attribute):
        identity = copy.deepcopy(call)
        identity.func.attr, identity.args, identity.keywords = "Identity", [], []  # type: ignore[attr-defined]
        yield "no activation", call.lineno, lambda: put(identity)
    for keyword in call.keywords:
        if keyword.arg == "activation":
            yield "no activation", call.lineno, lambda each=keyword: call.keywords.remove(each)  # type: ignore[misc]
        if keyword.arg in ("axis", "dim") and (new := _other_axis(keyword.value)) is not None:
            yield "wrong axis", call.lineno, _replacing(keyword, new)
        if keyword.arg == "padding" and (new := _other_padding(keyword.value)) is not None:
            yield "wrong padding", call.lineno, _replacing(keyword, new)
        if keyword.arg in EPSILONS:
            yield "default eps", call.lineno, lambda each=keyword: call.keywords.remove(each)  # type: ignore[misc]


def _replacing(keyword: ast.keyword, new: ast.expr) -> Edit:
    return lambda: setattr(keyword, "value", new)


def _swaps(body: object) -> Iterator[tuple[str, int, Edit]]:
    """Two statements in a row, in the other order."""
    if not isinstance(body, list):
        return
    for place, (one, other) in enumerate(itertools.pairwise(body)):
        plain = all(isinstance(each, ast.Assign | ast.AugAssign | ast.Expr) for each in (one, other))
        if plain and not any(isinstance(getattr(each, "value", None), ast.Constant) for each in (one, other)):
            if "super()" in ast.unparse(one) or "super()" in ast.unparse(other):
                continue

            def swap(at: int = place) -> None:
                body[at], body[at + 1] = body[at + 1], body[at]

            yield "wrong order", one.lineno, swap


def _other_axis(value: ast.expr) -> ast.expr | None:
    try:
        axis = ast.literal_eval(value)
    except ValueError:
        return None
    if isinstance(axis, tuple):
        return ast.Constant(axis[-1])
    return ast.Constant(1 if axis in (-1, 0) else 0) if isinstance(axis, int) else None


def _other_padding(value: ast.expr) -> ast.expr | None:
    if not isinstance(value, ast.Constant):
        return None
    return ast.Constant({"same": "valid", "valid": "same", 0: 1}.get(value.value, 0))
