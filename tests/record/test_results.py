"""Results are objects: who reads them asks for attributes, and what a field is called is declared once."""

import ast
from dataclasses import fields, is_dataclass

import pytest

from compare.record import machine, measurement, record, results
from twin.paths import ROOT

DECLARED = {
    field.name
    for module in (machine, measurement, record, results)
    for kind in vars(module).values()
    if isinstance(kind, type) and is_dataclass(kind)
    for field in fields(kind)
} | {"cells", "rounds", "speed", "copy", "goal", "shown", "band"}  # what older schemas called them
READERS = [
    *sorted((ROOT / "compare" / "report").glob("*.py")),
    *sorted((ROOT / "compare" / "stats").glob("*.py")),
    *sorted((ROOT / "compare" / "cli").rglob("*.py")),
    ROOT / "compare" / "reading" / "site.py",
]


def subscripts(code: str) -> list[str]:
    """The expressions that take a field of a record out of a dictionary, by subscript or by `get`."""
    found = []
    for node in ast.walk(ast.parse(code)):
        names = [node.slice] if isinstance(node, ast.Subscript) else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            names = node.args[:1]
        found += [ast.unparse(node) for name in names if isinstance(name, ast.Constant) and name.value in DECLARED]
    return found


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.relative_to(ROOT / "compare").as_posix())
def test_who_reads_results_subscripts_no_dictionaries(path):
    assert subscripts(path.read_text()) == []


def test_a_subscript_would_be_found():
    assert subscripts('cell.result["rungs"][0].get("worst", {})["name"]') == [
        "cell.result['rungs'][0].get('worst', {})['name']",
        "cell.result['rungs'][0].get('worst', {})",
        "cell.result['rungs']",
    ]
