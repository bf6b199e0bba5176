"""Learning by porting: skeletons that cannot drift, checks that name the right method, a learner's mistakes told."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest

from compare.cli import main as cli
from compare.engines import engine as engines
from compare.engines.pool import Pool, Settings
from compare.port import check as port_check
from compare.port import folder as porting
from compare.port import skeleton
from tests.helpers.wrong_ports import KINDS, disguised, emptied, wrong_ports
from twin.catalogue import TWINS
from twin.errors import TwinError
from twin.paths import ROOT

SIDES = ("torch", "keras")
CHECKED = [("mlp", "torch"), ("vit", "torch"), ("pooling", "torch"), ("rbm", "torch"), ("pooling", "keras")]
MLP = porting.source(TWINS["mlp"], "torch")


# The skeletons, of every twin.


def test_a_skeleton_filled_with_the_twins_own_bodies_is_the_twins_own_file(twin):
    for side in SIDES:
        own, bare = (ast.parse(text) for text in (porting.source(twin, side), _skeleton(twin, side)))
        names = skeleton.units(own)
        assert names.keys() == skeleton.units(bare).keys()
        skeleton.graft(bare, own, names)
        assert ast.dump(bare) == ast.dump(own)


def test_a_skeleton_leaves_every_body_and_no_hint(twin):
    for side in SIDES:
        text = _skeleton(twin, side)
        for name, node in skeleton.units(ast.parse(text)).items():
            assert ast.unparse(node.body[-1]) == f"raise NotImplementedError('write {name}')"
            assert len(node.body) <= 4  # the docstring, a refusal of sizes, the base class's constructor
        assert "# differs" not in text


def test_files_put_together_of_the_same_are_the_same(twin):
    for side in SIDES:
        own = porting.source(twin, side)
        names = skeleton.units(ast.parse(own))
        whole = _unwatched(skeleton.put_together(own, own, None, []))
        assert whole == ast.dump(ast.parse(own))
        assert _unwatched(skeleton.put_together(own, disguised(own), [], [])) == whole
        assert _unwatched(skeleton.put_together(own, own, names, [])) == whole


def test_a_method_has_three_hints_and_a_solution(twin):
    for side in SIDES:
        names = list(skeleton.units(ast.parse(porting.source(twin, side))))
        for name in {*names[:1], *names[-1:]}:
            hints = [porting.hint(twin, side, name, level) for level in (1, 2, 3)]
            assert all(lines and all(lines) for lines in hints)
            assert porting.solution(twin, side, name).lstrip().startswith(("def ", "@"))


def _skeleton(twin, side):
    return skeleton.skeleton(porting.source(twin, side))


def _unwatched(tree):
    """The tree's dump without the notes of which methods were called."""
    for node in skeleton.functions(tree).values():
        node.body = [each for each in node.body if skeleton.RAN not in ast.unparse(each)]
    return ast.dump(tree)


# The checks, with one worker for many.


@pytest.fixture(scope="module")
def checkers():
    """A checker per twin and side, made when it is first asked for."""
    pool = Pool(Settings(jobs=1))
    found, workers = {}, {}

    def get(name, side):
        if engines.ENGINES[port_check.ENGINE[side]].missing() or engines.ENGINES["torch"].missing():
            pytest.skip("needs PyTorch, and Keras for its side")
        if (name, side) not in found:
            found[name, side] = port_check.Checker(TWINS[name], side, 60, pool, workers)
        return found[name, side]

    yield get
    for checker in found.values():
        checker.close()
    pool.run([])


def _states(verdicts):
    return {verdict.unit: verdict.state for verdict in verdicts}


@pytest.mark.parametrize(("name", "side"), CHECKED)
def test_a_filled_skeleton_passes_and_each_empty_body_is_named(name, side, checkers):
    checker = checkers(name, side)
    plain = disguised(checker.own_text)
    assert set(_states(checker.check(plain)).values()) == {"right"}
    for unit in checker.own:
        assert _states(checker.check(_empty_in_own(checker, unit))) == {
            each: "empty" if each == unit else "right" for each in checker.own
        }


def _empty_in_own(checker, unit):
    tree = ast.parse(checker.own_text)
    skeleton.graft(tree, ast.parse(emptied(checker.own_text, unit)), [unit])
    return ast.unparse(tree)


def test_methods_are_checked_while_others_are_still_empty(checkers):
    checker = checkers("mlp", "torch")
    states = _states(checker.check(emptied(checker.own_text, "MLP.forward")))
    assert states == {"MLP.__init__": "right", "MLP.forward": "empty"}
    wrong = emptied(
        checker.own_text.replace("nn.Linear(num_features, hidden", "nn.Linear(num_features, 3 + hidden"), "MLP.forward"
    )
    first, second = checker.check(wrong)
    assert (first.state, second.state) == ("differs", "empty")
    assert first.message == "dense1.weight has shape (67, 64); expected (64, 64)"


WRONG = [
    (name, side, wrong)
    for name, side in CHECKED
    for kind in KINDS
    for wrong in [w for w in wrong_ports(porting.source(TWINS[name], side)) if w.kind == kind][:1]
]


@pytest.mark.parametrize(
    ("name", "side", "wrong"), WRONG, ids=[f"{n}-{s}-{w.unit}-{w.kind.replace(' ', '_')}-{w.line}" for n, s, w in WRONG]
)
def test_a_wrong_body_is_reported_at_its_method(name, side, wrong, checkers):
    checker = checkers(name, side)
    states = _states(checker.check(wrong.text))
    differs = [unit for unit, state in states.items() if state != "right"]
    if differs:
        assert differs == [wrong.unit]
    else:  # it changes nothing that is computed, to the last bit
        assert checker.outcome(wrong.text, None).figures == checker.outcome(checker.own_text, None).figures


def test_all_five_kinds_are_among_the_wrong_bodies_that_are_found(checkers):
    assert {wrong.kind for _, _, wrong in WRONG} == set(KINDS)


def test_a_default_left_in_force_is_named_with_both_values(checkers):
    checker = checkers("vit", "torch")
    text = checker.own_text.replace("self.norm2 = nn.LayerNorm(width, eps=1e-6)", "self.norm2 = nn.LayerNorm(width)")
    assert text != checker.own_text
    (wrong,) = [verdict for verdict in checker.check(text) if verdict.state != "right"]
    assert wrong.unit == "EncoderBlock.__init__"
    assert "first layer that differs: blocks.0.norm2" in wrong.message
    assert re.fullmatch(
        r"line \d+, nn.LayerNorm: the twin spells out eps=1e-06; PyTorch's default is 1e-05", wrong.notes[0]
    )


@pytest.mark.parametrize(
    ("change", "unit", "says"),
    [
        (("self.dense2 =", "self.dens2 ="), "MLP.__init__", "self.dense2, which has weights, is never assigned"),
        (("self.dense2(", "self.dens2("), "MLP.forward", "AttributeError"),
        (("return self.dense3(x)", "return x"), "MLP.forward", "outputs of other names or shapes"),
        (
            ("        return self.", "        while True:\n            pass\n        return self."),
            "MLP.forward",
            "no end",
        ),
        (
            ("        return self.", "        import sys\n        sys.exit(3)\n        return self."),
            "MLP.forward",
            "Exit",
        ),
        (("        return self.", "        input()\n        return self."), "MLP.forward", "EOFError"),
        (("        return self.", "        raise KeyError('x')\n        return self."), "MLP.forward", "KeyError"),
        (
            ("        return self.", "        import os\n        os._exit(3)\n        return self."),
            "MLP.forward",
            "exit code 3",
        ),
    ],
    ids=["attribute", "typo", "output", "endless", "exit", "input", "exception", "crash"],
)
def test_what_goes_wrong_in_a_learners_method_is_told_with_its_line(change, unit, says, checkers):
    checker = checkers("mlp", "torch")
    text = MLP.replace(*change)
    assert text != MLP
    checker.timeout = 3 if says == "no end" else 60
    try:
        verdicts = checker.check(text)
    finally:
        checker.timeout = 60
    (wrong,) = [verdict for verdict in verdicts if verdict.state != "right"]
    assert wrong.unit == unit
    assert says in wrong.message
    assert port_check.exit_code(verdicts) == (3 if says in ("no end", "exit code 3") else 1)
    if "Error" in says or says == "no end":
        line = int(re.match(r"line (\d+): ", wrong.message)[1])
        added = [number for number, each in enumerate(text.splitlines(), 1) if each not in MLP.splitlines()]
        assert line in added


def test_a_file_with_attributes_and_helpers_of_its_own_is_right(checkers):
    checker = checkers("mlp", "torch")
    text = MLP.replace("torch.relu(", "self.act(").replace(
        "        super().__init__()\n", "        super().__init__()\n        self.act = rectified\n"
    )
    text = text.replace("import torch\n", "import torch\nfrom torch.nn import functional as F\n", 1)
    text = text.replace("\n\nclass MLP", "\n\ndef rectified(x):\n    return F.relu(x)\n\n\nclass MLP")
    assert set(_states(checker.check(text)).values()) == {"right"}
    wrong = text.replace("return self.dense3(x)", "return self.act(self.dense3(x))")
    assert _states(checker.check(wrong)) == {"MLP.__init__": "right", "MLP.forward": "differs"}


def test_a_keras_model_that_never_saw_a_shape_is_told_so(checkers):
    checker = checkers("mlp", "keras")
    text = re.sub(r"        self\(keras.Input.*\n", "", checker.own_text)
    assert text != checker.own_text
    (wrong,) = [verdict for verdict in checker.check(text) if verdict.state != "right"]
    assert wrong.unit == "MLP.__init__"
    assert "self(keras.Input(...))" in wrong.message


def test_two_wrong_methods_are_both_named(checkers):
    checker = checkers("rbm", "torch")
    text = checker.own_text.replace("hidden @ self.coupling.T", "-hidden @ self.coupling.T")
    text = text.replace("agreement = torch.sum(", "agreement = 2 * torch.sum(")
    differs = [unit for unit, state in _states(checker.check(text)).items() if state != "right"]
    assert differs == ["RBM.down", "RBM.energy"]


def test_a_constant_that_was_changed_is_named(checkers):
    checker = checkers("rbm", "torch")
    text = checker.own_text.replace('PHASES = (Phase(trains="",', 'PHASES = () and (Phase(trains="",')
    (wrong,) = [verdict for verdict in checker.check(text) if verdict.state != "right"]
    assert wrong.unit == ""
    assert wrong.message.startswith("PHASES: not the twin's value")


def test_rounding_in_float32_is_no_mistake(checkers):
    checker = checkers("mlp", "torch")
    text = re.sub(r"return (self\.\w+\(.*\))", r"return \1.float().to(x.dtype)", MLP)
    assert text != MLP
    assert set(_states(checker.check(text)).values()) == {"right"}


# The command line.


def twin(*arguments, cwd, timeout=240):
    command = [sys.executable, "-m", "compare.cli", *arguments]
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=environment)


def main(arguments, capsys):
    """The same in this process, for what needs no framework: exit code, output, complaints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["twin", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return ended.value.code or 0, *capsys.readouterr()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A folder with the port of mlp to PyTorch, filled with what a test gives."""
    porting.write(TWINS["mlp"], "torch", tmp_path / "port" / "mlp-torch", False)
    monkeypatch.chdir(tmp_path)

    def fill(text):
        (tmp_path / "port" / "mlp-torch" / "mlp_torch.py").write_text(text)
        return tmp_path

    return fill


def test_a_port_from_its_folder_to_the_course_done(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["port", "mlp", "--to", "torch"], capsys)[0] == 0
    folder = tmp_path / "port" / "mlp-torch"
    assert {each.name for each in folder.iterdir()} == {"mlp_keras.py", "mlp_torch.py", "START.md", "progress.json"}
    assert (folder / "mlp_keras.py").read_text() == porting.source(TWINS["mlp"], "keras")
    code, out, _ = main(["port", "mlp", "--check"], capsys)
    assert code == 1
    assert "MLP.__init__ is still to be written" in out
    (folder / "mlp_torch.py").write_text(
        MLP.replace("        return", "        print('seen', x.shape)\n        return")
    )
    answer = twin("port", "mlp", "--check", "--json", "-", cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert {each["state"] for each in json.loads(answer.stdout)["methods"]} == {"right"}
    course = main(["path"], capsys)[1]
    assert re.search(r"mlp +done +-", course)
    assert f"1 of {len(TWINS) - 1} twins ported" in course
    assert "twin port tensors --to torch" in course
    assert max(map(len, course.splitlines())) <= 80


def test_hints_come_in_steps_and_the_solution_on_request(written, capsys):
    written(_skeleton(TWINS["mlp"], "torch"))
    said = [main(["port", "mlp", "--hint"], capsys)[1] for _ in range(3)]
    assert [each.splitlines()[0] for each in said] == [f"MLP.__init__, hint {n} of 3" for n in (1, 2, 3)]
    assert "nn.Linear" not in said[0]
    assert "PyTorch calls: " in said[1]
    assert "nn.Linear(" in said[2]
    assert "self.dense1 = nn.Linear(" in main(["port", "mlp", "--solution", "__init__"], capsys)[1]
    assert main(["port", "mlp", "--solution", "backward"], capsys)[0] == 2


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
        (["path", "--in", "port/mlp-torch/mlp_torch.py"], "0 of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_on_the_command_line_is_one_line(arguments, says, written, capsys):
    folder = written(MLP)
    code, out, said = main(arguments, capsys)
    assert says in said + out
    assert code == (0 if arguments[0] == "path" else 2)
    assert arguments[0] == "path" or len(said.strip().splitlines()) == 1
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
    assert (folder / "port" / "mlp-torch" / "mlp_torch.py").read_text() == _skeleton(TWINS["mlp"], "torch")


def test_a_missing_engine_is_incomplete(monkeypatch):
    monkeypatch.setattr(engines.Engine, "missing", lambda self: ("torch",))
    pool = Pool(Settings(jobs=1))
    with pytest.raises(TwinError, match="the check needs torch") as told:
        port_check.Checker(TWINS["mlp"], "torch", 60, pool)
    assert told.value.exit_code == 3
