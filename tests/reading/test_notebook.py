"""The notebooks: what is in them, and that they run."""

import ast
import json

import pytest

from tests.helpers.command import environment, twin
from twin.catalogue import TWINS

nbformat = pytest.importorskip("nbformat")
ALONE = "lenet"  # in a kernel of its own; what imports a framework anew takes 8 s of processor time
SOME = ("tensors", "har_lstm")  # an exercise, a sequence's model; the others are left to `make test-long`


@pytest.mark.parametrize("name", TWINS)
def test_a_notebook_has_both_files_and_its_code_can_be_read(name):
    from compare.reading import notebook

    book = notebook.make(TWINS[name])
    nbformat.validate(book)
    code = [cell.source for cell in book.cells if cell.cell_type == "code"]
    for text in code:
        ast.parse("\n".join(line for line in text.splitlines() if not line.startswith("%")))
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


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """The folder that notebooks run in, and the environment of a user's shell."""
    folder = tmp_path_factory.mktemp("notebooks")
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment().items():
            patch.setenv(variable, value)
        patch.setenv("MPLBACKEND", "agg")
        yield folder


@pytest.fixture(scope="module")
def kernels(surroundings):
    """A function that returns the kernel that notebooks share: a new one where the last notebook took it with it."""
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    running = []

    def kernel():
        if not running or not running[-1].is_alive():
            running.append(manager.KernelManager())
            running[-1].start_kernel(cwd=str(surroundings))
        return running[-1]

    yield kernel
    for each in running:
        each.shutdown_kernel(now=True)


def client(name, surroundings, **options):
    """What executes a notebook; a cell that fails raises."""
    nbclient = pytest.importorskip("nbclient")
    from compare.reading import notebook

    place = {"metadata": {"path": surroundings}}
    return nbclient.NotebookClient(notebook.make(TWINS[name]), timeout=300, resources=place, **options)


def execute(notebook):
    """Every cell, in a kernel that lives on."""
    try:
        notebook.execute()
    finally:
        if notebook.kc is not None:
            notebook.kc.stop_channels()


@pytest.mark.framework
def test_a_notebook_runs_in_a_kernel_of_its_own(surroundings):
    client(ALONE, surroundings).execute()


@pytest.mark.framework
def test_what_a_reader_changes_in_a_file_is_what_the_cells_below_compare(surroundings, kernels):
    exceptions = pytest.importorskip("nbclient.exceptions")
    book = client(ALONE, surroundings, km=kernels())
    (cell,) = [cell for cell in book.nb.cells if cell.source.startswith("%%writefile torch_")]
    assert "nn.AvgPool2d(2)" in cell.source
    cell.source = cell.source.replace("nn.AvgPool2d(2)", "nn.MaxPool2d(2)", 1)
    with pytest.raises(exceptions.CellExecutionError, match="y differs: what did you change"):
        execute(book)


@pytest.mark.framework
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in SOME else [pytest.mark.long]) for n in TWINS if n != ALONE]
)
def test_every_notebook_runs(name, surroundings, kernels):
    """One after the other in one kernel, without the names of the one before: frameworks are imported once."""
    notebook = client(name, surroundings, km=kernels())
    notebook.nb.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    execute(notebook)


@pytest.mark.framework
def test_a_notebook_that_fails_is_seen_and_the_next_one_runs(surroundings, kernels):
    nbclient = pytest.importorskip("nbclient")
    broken = client("tensors", surroundings, km=kernels())
    broken.nb.cells[-1:] = [nbformat.v4.new_code_cell("left = 1\nraise ValueError('planted')")]
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="planted"):
        execute(broken)
    after = client("tensors", surroundings, km=kernels())
    after.nb.cells = [nbformat.v4.new_code_cell(text) for text in ("%reset -f", "assert 'left' not in globals()")]
    execute(after)
