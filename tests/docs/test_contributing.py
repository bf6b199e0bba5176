"""CONTRIBUTING.md's worked example, followed literally; and what other pages promise about the tree."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from compare.engines.engine import ENGINES
from twin.paths import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
BLOCK = re.compile(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"The tests find the new twin in the catalogue:\n\n```sh\n(.*?)```", re.DOTALL)
PROGRAMS = {
    ".venv/bin/pytest": [sys.executable, "-m", "pytest"],
    ".venv/bin/twin": [sys.executable, "tests/helpers/forking_twin.py"],
}


def blocks() -> dict[Path, str]:
    """Path -> the code that the page puts there."""
    return {Path(path): code for path, code in BLOCK.findall(PAGE)}


def commands() -> list[list[str]]:
    """What the page then runs, with this interpreter."""
    lines = [shlex.split(line) for line in COMMANDS.search(PAGE)[1].splitlines()]
    return [[*PROGRAMS[program], *arguments] for program, *arguments in lines]


def follow(tree: Path, changed: tuple[str, str] = ("", "")) -> list[subprocess.CompletedProcess]:
    """Do what the page says in a copy of the source, up to a failure; `changed` spoils a line of the PyTorch file."""
    for folder in ("twin", "keras_impl", "torch_impl", "compare"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "tests" / "twins").mkdir(parents=True)
    shutil.copytree(ROOT / "tests" / "helpers", tree / "tests" / "helpers")
    for file in ("tests/conftest.py", "tests/twins/test_structure.py", "pyproject.toml"):
        shutil.copy(ROOT / file, tree / file)
    for path, code in blocks().items():
        if path.parts[0] == "twin":
            before = (tree / path).read_text()
            assert before.endswith("    ),\n)\n"), f"{path} does not end with its last entry"
            code = before.removesuffix(")\n") + textwrap.indent(code.rstrip() + ",\n", "    ") + ")\n"
        elif path.parts[0] == "torch_impl":
            assert changed[0] in code
            code = code.replace(*changed) if changed[0] else code
        (tree / path).write_text(code)
    ran = []
    for command in commands():
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ran.append(subprocess.run(command, capture_output=True, text=True, cwd=tree, env=env, timeout=240))
        if ran[-1].returncode:
            break
    return ran


@pytest.fixture(autouse=True)
def _both_frameworks():
    if ENGINES["keras-torch"].missing():
        pytest.skip("the example runs on PyTorch and on Keras on PyTorch")


def test_the_page_has_the_whole_example():
    assert [path.parts[0] for path in blocks()] == ["keras_impl", "torch_impl", "twin"]
    twin = PROGRAMS[".venv/bin/twin"][1]
    assert [command[1] for command in commands()] == ["-m", twin, twin]
    assert PAGE.count("- [ ]") == 5


@pytest.mark.framework
def test_who_follows_the_page_literally_has_a_twin_that_agrees_and_learns(tmp_path):
    structure, check, train = follow(tmp_path)
    assert structure.returncode == 0, structure.stdout
    assert re.search(r"^4 passed", structure.stdout, re.MULTILINE)
    assert check.returncode == 0, check.stdout + check.stderr
    assert len(re.findall(r"^maxout .* agrees ", check.stdout, re.MULTILINE)) == 2
    assert train.returncode == 0, train.stdout + train.stderr
    accuracy, goal = re.search(r"^maxout +torch +accuracy +(\S+) +(\S+)", train.stdout, re.MULTILINE).groups()
    assert float(accuracy) >= float(goal) == 0.95


@pytest.mark.slow  # a process of tests
def test_a_file_that_departs_from_its_twin_is_stopped_at_the_first_command(tmp_path):
    (structure,) = follow(tmp_path, ("self.dense2 = nn", "self.out = nn"))
    assert structure.returncode == 1
    assert "dense2" in structure.stdout
    assert "'out'" in structure.stdout
