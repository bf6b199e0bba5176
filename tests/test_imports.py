"""Frameworks live in workers: the core and the harness import none, and the two sides never see each other."""

import re
import subprocess
import sys

from twin.catalogue import TWINS
from twin.paths import ROOT

BLOCKED = """
import sys, pkgutil, importlib
for name in ("keras", "torch", "tensorflow", "jax"):
    sys.modules[name] = None
import twin
import compare
for package in (twin, compare):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def test_core_and_harness_import_no_framework():
    answer = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr


def test_the_command_line_starts_without_numpy_and_records():
    """`twin list`, help and what is typed wrongly are answered at once."""
    block = "import sys; sys.modules |= dict.fromkeys(['numpy', 'compare.record'])"
    answer = subprocess.run(
        [sys.executable, "-c", f"{block}; import compare.cli.streams, compare.cli.app"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr


def test_implementations_never_import_each_other():
    for side, other in (("keras", "torch"), ("torch", "keras")):
        paths = sorted((ROOT / f"{side}_impl").rglob("*.py"))
        assert len(paths) > len(TWINS)
        for path in paths:
            assert not re.search(rf"(from|import) {other}_impl\b", path.read_text()), path
