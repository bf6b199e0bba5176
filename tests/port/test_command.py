"""`twin port` and `twin path` as a learner meets them."""

import ast
import json
import re
import sys

import pytest

from compare.cli import main as cli
from compare.port import folder as porting
from compare.port import skeleton
from tests.helpers.command import twin
from twin.catalogue import TWINS
from twin.paths import source

MLP = source("torch", TWINS["mlp"])


def main(arguments, capsys):
    """The same in this process, for what needs no framework: exit code, output, complaints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["twin", *arguments])
        code = cli.run()
    return code, *capsys.readouterr()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A folder with the port of mlp to PyTorch, filled with what a test gives."""
    porting.write(TWINS["mlp"], "torch", tmp_path / "port" / "mlp-torch", False)
    monkeypatch.chdir(tmp_path)

    def fill(text):
        (tmp_path / "port" / "mlp-torch" / "mlp_torch.py").write_text(text)
        return tmp_path

    return fill


@pytest.mark.framework
def test_a_port_from_its_folder_to_the_course_done(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["port", "mlp", "--to", "torch"], capsys)[0] == 0
    folder = tmp_path / "port" / "mlp-torch"
    assert {each.name for each in folder.iterdir()} == {"mlp_keras.py", "mlp_torch.py", "START.md", "progress.json"}
    assert (folder / "mlp_keras.py").read_text() == source("keras", TWINS["mlp"])
    code, out, _ = main(["port", "mlp", "--check"], capsys)
    assert code == 1
    assert "MLP.__init__ is still to be written" in out
    (folder / "mlp_torch.py").write_text(
        MLP.replace("        return", "        print('seen', x.shape)\n        return")
    )
    answer = twin("port", "mlp", "--check", "--json", "-", cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert {each["state"] for each in json.loads(answer.stdout)["methods"]} == {"right"}
    _, course, following = main(["path"], capsys)
    assert re.search(r"mlp +Multi-layer perceptron +done +-", course)
    assert f"1 of {len(TWINS) - 1} twins ported" in course
    assert following == "next: twin port tensors --to torch\n"
    assert max(map(len, course.splitlines())) <= 80


def test_hints_come_in_steps_and_the_solution_on_request(written, capsys):
    written(skeleton.skeleton(MLP))
    said = [main(["port", "mlp", "--hint"], capsys)[1] for _ in range(3)]
    assert [each.splitlines()[0] for each in said] == [f"MLP.__init__, hint {n} of 3" for n in (1, 2, 3)]
    assert "nn.Linear" not in said[0]
    assert "PyTorch calls: " in said[1]
    assert "nn.Linear(" in said[2]
    assert "self.dense1 = nn.Linear(" in main(["port", "mlp", "--solution", "__init__"], capsys)[1]
    assert main(["port", "mlp", "--solution", "backward"], capsys)[0] == 2


def test_a_method_that_was_right_and_has_changed_is_noticed_by_the_hint(written, capsys):
    file = written(skeleton.skeleton(MLP)) / "port" / "mlp-torch" / "mlp_torch.py"
    progress = porting.read_progress(file.parent)
    methods = skeleton.functions(ast.parse(MLP))
    progress.states["MLP.__init__"] = "right"
    progress.checked["MLP.__init__"] = porting.digest(methods["MLP.__init__"])
    porting.save_progress(file.parent, progress)
    started = skeleton.skeleton(MLP)
    bare, finished = ast.parse(started), ast.parse(MLP)
    skeleton.graft(bare, finished, ["MLP.__init__"])
    file.write_text(ast.unparse(bare))
    assert "MLP.forward, hint 1" in main(["port", "mlp", "--hint"], capsys)[1]
    file.write_text(ast.unparse(bare).replace("nn.Linear(hidden_dim", "nn.Linear(num_features"))
    code, _, said = main(["port", "mlp", "--hint"], capsys)
    assert code == 2
    assert "MLP.__init__ was right when it was checked, and has changed since" in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("def forward(self, x):", "def forward(self, x:"), "mlp_torch.py:32: '(' was never closed"),
        (("class MLP", "class Mlp"), "class MLP is missing; was it renamed to Mlp?"),
        (("def forward", "def call"), "method MLP.forward is missing; was it renamed to MLP.call?"),
        (("def forward", "def _hidden_forward"), "method MLP.forward is missing"),
        (("def __init__(self, ", "def __init__(self, first, "), "its arguments come by name"),
    ],
    ids=["syntax", "class", "method", "hidden", "arguments"],
)
def test_a_file_that_cannot_be_checked_is_one_line_with_its_place(change, says, written, capsys):
    assert MLP.replace(*change) != MLP
    written(MLP.replace(*change))
    assert main(["port", "mlp", "--check"], capsys)[0] == 2
    code, _, said = main(["port", "mlp", "--check", "port/mlp-torch/mlp_torch.py"], capsys)
    assert code == 2
    assert re.search(r"mlp_torch\.py:\d+: ", said)
    assert says in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["port", "mlpp", "--to", "torch"], "unknown twin 'mlpp'"),
        (["port", "mlp"], "give --to torch"),
        (["port", "mlp", "--to", "jax"], "--to"),
        (["port", "mlp", "--to", "torch"], "is there already, and is yours"),
        (["port", "mlp", "--check", "--hint"], "one at a time"),
        (["port", "mlp", "--check", "nowhere"], "no file nowhere"),
        (["port", "lenet", "--check"], "no folder port/lenet-torch"),
        (["port", "lenet", "--check", "port/mlp-torch"], "no lenet_torch.py or lenet_keras.py in port/mlp-torch"),
        (["port", "mlp", "--to", "keras", "--out", "/dev/null/x"], "cannot write /dev/null/x"),
        (["port", "mlp", "--check", "--timeout", "0"], "--timeout"),
        (["path", "--in", "port/mlp-torch/mlp_torch.py"], "this is no folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_on_the_command_line_is_one_line(arguments, says, written, capsys):
    folder = written(MLP)
    code, _, said = main(arguments, capsys)
    assert says in said
    assert code == 2
    assert len(said.strip().splitlines()) == 1
    assert (folder / "port" / "mlp-torch" / "mlp_torch.py").read_text() == MLP


def test_a_twin_of_constants_alone_is_no_port_and_no_step(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, said = main(["port", "resnet50", "--to", "torch"], capsys)
    assert code == 2
    assert "resnet50 has no method to write" in said
    assert "resnet50" not in main(["path"], capsys)[1]


def test_force_begins_again(written, capsys):
    folder = written(MLP)
    assert main(["port", "mlp", "--to", "torch", "--force"], capsys)[0] == 0
    assert (folder / "port" / "mlp-torch" / "mlp_torch.py").read_text() == skeleton.skeleton(MLP)


def test_the_page_of_a_port_names_the_program_as_it_was_called(tmp_path):
    porting.write(TWINS["mlp"], "torch", tmp_path / "mine", False, "/elsewhere/bin/twin")
    page = (tmp_path / "mine" / "START.md").read_text()
    assert page.count("`/elsewhere/bin/twin ") == 4
    assert "`twin " not in page
