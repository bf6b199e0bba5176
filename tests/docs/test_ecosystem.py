"""docs/ecosystem.md: every need has lines on both sides, and they run."""

import re
from importlib.util import find_spec

import pytest

from tests.helpers import aside
from twin.paths import ROOT

PAGE = (ROOT / "docs" / "ecosystem.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCK = re.compile(r"^```python (keras|torch)(?: needs=(\S+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)


def program(side: str) -> str:
    """The lines of one side, but for blocks that need what is not installed."""
    blocks = [(needs, code) for each, needs, code in BLOCK.findall(PAGE) if each == side]
    return "\n".join(code for needs, code in blocks if not needs or find_spec(needs))


@pytest.mark.parametrize("need", SECTIONS)
def test_a_need_has_lines_on_both_sides_and_says_what_changes(need):
    assert [side for side, _, _ in BLOCK.findall(SECTIONS[need])] == ["keras", "torch"]
    assert re.search(r"^When you move: .{40}", SECTIONS[need], re.MULTILINE)


def test_the_needs_of_the_slides_are_there():
    for need in (
        "Data loading",
        "Training loop",
        "Monitoring",
        "Tuning",
        "Preprocessing",
        "Deployment",
        "Several devices",
    ):
        assert need in SECTIONS


@pytest.mark.framework
@pytest.mark.parametrize("engine", ["keras-jax", "torch"])
def test_the_lines_run(engine, tmp_path):
    file = tmp_path / "lines.py"
    file.write_text(f"import os\n\nos.chdir({str(tmp_path)!r})\n{program(engine.partition('-')[0])}\nprint('done')\n")
    assert aside.run(engine, str(file)).splitlines()[-1] == "done"
