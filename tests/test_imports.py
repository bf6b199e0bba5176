"""Frameworks live in workers: the core and the harness import none, and the two sides never see each other."""

import subprocess
import sys
from pathlib import Path

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


def test_implementations_never_import_each_other():
    root = Path(__file__).parents[2]
    for side, other in (("keras", "torch"), ("torch", "keras")):
        for path in (root / f"{side}_impl").rglob("*.py"):
            assert f"{other}_impl import" not in path.read_text()
            assert f"import {other}_impl" not in path.read_text()
