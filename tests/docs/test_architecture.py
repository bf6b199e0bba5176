"""The packages of compare/ import only what they may: arrows point one way."""

import ast
import re
from graphlib import TopologicalSorter

import pytest

import compare
from twin.paths import ROOT

# Package -> the packages that it may import. No exceptions.
MAY_IMPORT = {
    "cli": {
        "bench",
        "check",
        "engines",
        "export",
        "port",
        "reading",
        "record",
        "report",
        "train",
        "verify",
        "weights",
    },
    "worker": {"export", "port"},
    "weights": {"verify", "engines"},
    "export": {"check", "engines", "record"},
    "port": {"check", "engines", "record"},
    "verify": {"engines"},
    "reading": {"engines", "record"},
    "report": {"stats", "engines", "record"},
    "check": {"engines", "record"},
    "bench": {"engines", "record", "stats"},
    "train": {"engines", "record"},
    "engines": {"record"},
    "stats": set(),
    "record": set(),
}
FOLDERS = {path.parent.name for path in (ROOT / "compare").glob("*/__init__.py")}


def imported(package: str) -> set[str]:
    """The other packages of compare/ that a package's files import, at the top or within functions."""
    found = set()
    for path in (ROOT / "compare" / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("compare."):
                found.add(node.module.split(".")[1])
            elif isinstance(node, ast.ImportFrom) and node.module == "compare":
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("compare.")}
    return found - {package}


def test_every_package_has_its_line():
    assert set(MAY_IMPORT) == FOLDERS


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_imports_what_it_may_and_nothing_else(package):
    assert imported(package) == MAY_IMPORT[package]


def test_arrows_are_few_and_make_no_circle():
    TopologicalSorter(MAY_IMPORT).prepare()  # raises CycleError
    assert sum(map(len, MAY_IMPORT.values())) <= 35


def test_no_module_lies_outside_of_the_packages():
    assert [path.name for path in (ROOT / "compare").glob("*.py")] == ["__init__.py"]
    assert compare.__doc__


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_says_what_it_is_for_what_it_may_import_and_where_to_begin(package):
    text = ast.get_docstring(ast.parse((ROOT / "compare" / package / "__init__.py").read_text()))
    what, _, may, begin = text.splitlines()
    assert what.endswith(".")
    assert may.startswith("May import: ")
    assert begin.startswith("Begin with: ")
    named = set(re.findall(r"\w+", may)) & FOLDERS
    assert (FOLDERS - named - {package} if "every package but" in may else named) == MAY_IMPORT[package]
