"""The notebooks: what is in them, and that they run."""

import ast
import json

import pytest

from tests.helpers.command import environment, twin
from twin.catalogue import TWINS

nbformat = pytest.importorskip("nbformat")
SOME = ("lenet", "tensors", "har_lstm")  # a picture's model, an exercise, a sequence's model


@pytest.mark.parametrize("name", TWINS)
def test_a_notebook_has_both_files_and_its_code_can_be_read(name):
    from compare.reading import notebook

    book = notebook.make(TWINS[name])
    nbformat.validate(book)
    code = [cell.source for cell in book.cells if cell.cell_type == "code"]
    for text in code:
        ast.parse(text)
    assert any(text.startswith("import keras") or "from keras" in text for text in code[1:])
    assert any("torch" in text for text in code[2:])
    assert TWINS[name].title in book.cells[0].source
    assert f"twin port {name} --to torch" in book.cells[-1].source
    assert notebook.text(TWINS[name]) == notebook.text(TWINS[name])


def test_the_command_writes_the_file_and_the_place_to_install_from(tmp_path):
    answer = twin("notebook", "lenet", "--repository", "https://example.org/twins.git", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "lenet.ipynb\n"
    cells = json.loads((tmp_path / "lenet.ipynb").read_text())["cells"]
    assert "twin-suite[keras-torch] @ git+https://example.org/twins.git" in "".join(cells[1]["source"])


def run(name, tmp_path, monkeypatch):
    """Every cell, in a kernel of its own; a cell that fails raises."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    from compare.reading import notebook

    for variable, value in environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("MPLBACKEND", "agg")
    book = nbclient.NotebookClient(notebook.make(TWINS[name]), timeout=300, resources={"metadata": {"path": tmp_path}})
    return book.execute()


@pytest.mark.framework
@pytest.mark.parametrize("name", SOME)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    run(name, tmp_path, monkeypatch)


@pytest.mark.framework
@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in TWINS if name not in SOME])
def test_every_notebook_runs(name, tmp_path, monkeypatch):
    run(name, tmp_path, monkeypatch)
