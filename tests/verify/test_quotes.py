"""Lines of code beside what is said of a difference."""

import pytest

from compare.verify.quotes import line_at, quoted
from compare.verify.verdict import Finding, Remedy, Verdict


@pytest.fixture
def files(tmp_path):
    (tmp_path / "k.py").write_text("import keras\ny = ops.tanh(x)\n")
    (tmp_path / "t.py").write_text("import torch\n    y = torch.sin(x)\n")
    return f"{tmp_path}/k.py:model", f"{tmp_path}/t.py:model"


def _of(finding, files):
    return quoted(Verdict("differ", findings=(finding,)), files).findings[0].says


def test_both_lines_are_shown_where_no_fix_is(files):
    finding = Finding(
        "forward", "tanh (k.py:2) before out", "sin (t.py:2 in f) before out", "", "sin_for_tanh", says="No."
    )
    assert _of(finding, files) == (
        "No. Keras's line is `y = ops.tanh(x)` (k.py:2). PyTorch's line is `y = torch.sin(x)` (t.py:2)"
    )


def test_what_a_fix_shows_or_the_words_have_is_not_said_twice(files):
    told = Finding("forward", "tanh (k.py:2)", "", "", says="`y = ops.tanh(x)`")
    assert _of(told, files) == "`y = ops.tanh(x)`"
    fixed = Finding("forward", "tanh (k.py:2)", "", "", says="a", fix={"torch": Remedy("b", 0.0)})
    assert _of(fixed, files) == "a"


@pytest.mark.parametrize("where", ["", "k.py:99", "other.py:1", "layer"])
def test_there_may_be_no_line(files, where):
    assert line_at(files[0].rpartition(":")[0], where) == ""
