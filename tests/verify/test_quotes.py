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


def test_the_lines_that_the_words_name_come_first(files):
    told = Finding("forward", "tanh (k.py:2)", "sin (t.py:2)", "", says="No (t.py:1)")
    assert _of(told, files) == (
        "No (t.py:1). Keras's line is `y = ops.tanh(x)` (k.py:2). PyTorch's line is `import torch` (t.py:1)"
    )


def test_a_statement_over_several_lines_is_shown_as_one(tmp_path):
    (tmp_path / "k.py").write_text("if True:\n    y = f(\n        x,\n        2,\n    )\n    z = 1\n")
    assert line_at(tmp_path / "k.py", "k.py:3") == "y = f(x, 2,)"
    assert line_at(tmp_path / "k.py", "k.py:1") == "if True:"


@pytest.mark.parametrize("where", ["", "k.py:99", "other.py:1", "layer"])
def test_there_may_be_no_line(files, where):
    assert line_at(files[0].rpartition(":")[0], where) == ""
