"""Modules, classes and functions of compare/ are short, unless a comment says why they are not."""

import ast

import pytest

from twin.paths import ROOT

MODULE, CLASS, FUNCTION = 400, 200, 60  # lines
REASON = "# Long: "  # in a module's first lines, or above a class or function, with why it is one idea
FILES = sorted((ROOT / "compare").rglob("*.py"))


def too_long(text: str) -> list[str]:
    """What has more lines than it may, and gives no reason."""
    lines = text.splitlines()
    found = []
    if len(lines) > MODULE and not any(line.startswith(REASON) for line in lines[:20]):
        found.append(f"the module has {len(lines)} lines")
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        length = node.end_lineno - node.lineno + 1
        most = CLASS if isinstance(node, ast.ClassDef) else FUNCTION
        if length > most and REASON not in lines[first - 2]:
            found.append(f"{node.name} has {length} lines")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT / "compare")))
def test_what_is_long_says_why(file):
    assert too_long(file.read_text()) == []


def test_what_is_too_long_is_found_and_a_reason_is_heard():
    body = "    x = 1\n" * FUNCTION
    assert too_long(f"def f():\n{body}") == [f"f has {FUNCTION + 1} lines"]
    assert too_long(f"# Long: one table.\ndef f():\n{body}") == []
    methods = "    x = 1\n" * CLASS
    assert too_long(f"class C:\n{methods}") == [f"C has {CLASS + 1} lines"]
    module = "x = 1\n" * (MODULE + 1)
    assert too_long(module) == [f"the module has {MODULE + 1} lines"]
    assert too_long(f"# Long: one table.\n{module}") == []
