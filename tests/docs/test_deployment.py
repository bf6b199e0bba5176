"""docs/deployment.md: its figures are those of the record docs/exports.json."""

import runpy

import pytest

from compare.export import formats
from compare.record.measurement import exports_of
from compare.record.record import read_record
from twin.catalogue import TWINS
from twin.paths import ROOT

PAGE = (ROOT / "docs" / "deployment.md").read_text()
CELLS = exports_of(read_record(ROOT / "docs" / "exports.json").measurements)


SCRIPT = runpy.run_path(str(ROOT / "docs" / "deployment.py"))


@pytest.mark.docs
def test_the_figures_are_those_of_the_record():
    assert SCRIPT["rewritten"](PAGE) == PAGE, "run: make docs"


def test_the_record_has_every_cell_of_its_twins_once_and_all_have_an_answer():
    found = [(each.twin, each.engine, each.format) for each in CELLS]
    twins, engines, names = ({cell[place] for cell in found} for place in range(3))
    assert len(found) == len(set(found)) == len(twins) * len(engines) * len(names)
    assert "not_run" not in {each.status for each in CELLS}
    assert twins <= set(TWINS)


def test_what_works_is_within_the_limit_and_what_does_not_says_why():
    for each in CELLS:
        if each.status == "ok":
            assert each.result.worst <= 1e-5, each.key
        else:
            assert len(each.reason) > 20, each.key


def test_every_format_is_explained():
    for name in formats.names():
        assert f"| `{name}` |" in PAGE
