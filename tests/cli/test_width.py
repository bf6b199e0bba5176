"""No line that a command prints is wider than its terminal, but for a command to copy, which stays one line."""

import ast
from pathlib import Path

import pytest
from typer.testing import CliRunner

from compare.cli.app import app
from compare.cli.streams import say
from compare.engines import doctor
from compare.port.check import Verdict
from compare.port.text import checked, hinted
from compare.verify.text import text as verify_text
from compare.verify.verdict import Finding
from compare.verify.verdict import Verdict as PairVerdict
from tests.helpers import synthetic
from twin.catalogue import find
from twin.table import code, filled, fitted, length

COMMANDS = [
    "list",
    "path",
    "glossary",
    "glossary state_dict dense",
    "differences",
    "differences sgd_momentum_rate adam_epsilon",
    "report old.json --explain",
    "report old.json new.json",
    "diff old.json new.json --all",
    "show lenet",
    "show vit --only call --torch",
    "port lenet --hint",
    "port lenet --solution __init__",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two records that differ in speed, code and versions, and a port that was begun."""
    folder = tmp_path_factory.mktemp("run")
    engines = ("torch", "keras-jax", "keras-tensorflow")
    old = synthetic.record(3, engines, 3)
    new = synthetic.record(3, engines, 3, slowness={**synthetic.SLOWNESS, "keras-jax": 1.4}, seed=3)
    new.versions["torch"]["torch"] = "9.9.9+a_long_local_version_of_it"
    (folder / "old.json").write_text(old.to_text())
    (folder / "new.json").write_text(new.to_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert CliRunner().invoke(app, ["port", "lenet", "--to", "torch"]).exit_code == 0
    return folder


def widest(text):
    return max((length(line), line) for line in text.splitlines() if not line.startswith("next: "))


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_wider_than_the_terminal(command, columns, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", str(columns))
    answer = CliRunner().invoke(app, command.split())
    assert isinstance(answer.exception, SystemExit | None), answer.exception
    assert len(answer.stdout.splitlines()) > 1
    assert widest(answer.output)[0] <= columns, widest(answer.output)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_what_a_check_of_a_port_says_fits(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    verdicts = [
        Verdict("LeNet.__init__", "right", notes=("what a long note says " * 8,)),
        Verdict("LeNet.forward", "differs", "the outputs are far off, as a long message says " * 4),
    ]
    text = checked(find("lenet"), "torch", Path("port/lenet-torch/lenet.py"), verdicts)
    text += "\n" + hinted("LeNet.forward", 1, ["a hint of many words " * 9])
    assert widest(text)[0] <= columns, widest(text)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_what_the_doctor_says_fits(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    works = {"works": True, "device": "cpu", "versions": {"keras": "3.15.0", "tensorflow": "2.21.0", "numpy": "2.4.6"}}
    fails = {"works": False, "reason": "keras and jax not installed; try: pip install 'twin-suite[keras-jax]'"}
    host = {"processor": "A processor of sixteen cores " * 3, "cores": 16, "memory_gib": 62.8, "python": "3.11.9"}
    text = doctor.table({"machine": host, "engines": {"keras-tensorflow": works, "keras-jax": fails}})
    assert widest(text)[0] <= columns, widest(text)
    assert "tensorflow" in text


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_what_verify_says_fits(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    what = "one side drops values, the other does not, and more of the kind " * 3
    finding = Finding(
        "forward", "blocks_0_attention", "encoder.layers.0.self_attn", what, samples={"input": [0.1] * 30}
    )
    pairs = {"a_layer_with_a_long_name" * 2: "encoder.layers.0.self_attn" * 2, "b": "c"}
    verdict = PairVerdict("differ", pairs, (finding,), {"weights": 0.0, "forward": 1e-6}, ("a note " * 30,))
    text = verify_text(verdict)
    assert widest(text)[0] <= columns, widest(text)


def test_sentences_keep_their_commands_and_code_goes_on_further_in(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    command = "`twin bench lenet --engine torch`"
    assert command in filled(f"Words before it, so many of them that it does not fit, {command}.")
    lines = code("    x = keras.ops.reshape(keras.ops.transpose(first, (0, 2, 1)), (-1, 4))").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(" " * 12)
    assert "".join(lines).replace(" ", "") == "x=keras.ops.reshape(keras.ops.transpose(first,(0,2,1)),(-1,4))"


def test_what_goes_to_stderr_is_folded_where_a_terminal_is_known(monkeypatch, capsys):
    line = "twin: interrupted; 3 of 4 measurements are in runs/a.json; go on with --resume runs/a.json"
    monkeypatch.setenv("COLUMNS", "60")
    say(line)
    folded = capsys.readouterr().err
    assert max(map(len, folded.splitlines())) <= 60
    assert " ".join(folded.split()) == line
    monkeypatch.delenv("COLUMNS")
    say(line)  # under pytest stderr is no terminal
    assert capsys.readouterr().err == f"{line}\n"


def test_code_whose_lines_are_folded_can_still_be_read_as_code(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    line = "x = pool(torch.tanh(conv(x)))  # (B, 6, 14, 14), " + "and a word " * 9 + "x" * 70
    lines = code(line).splitlines()
    assert len(lines) > 3
    assert ast.dump(ast.parse(line)) == ast.dump(ast.parse("\n".join(lines).replace("    ", "")))


def test_names_of_frameworks_are_not_folded(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = fitted([["PyTorch and TensorFlow, BatchNormalization " * 9]] * 2, ["a"], ("left",))
    assert text.count("PyTorch") == text.count("TensorFlow") == 18


def test_korean_letters_take_two_columns():
    assert length("층 layer") == 8
    assert max(map(length, fitted([["합성곱 층과 완전 연결층"] * 5], list("abcde"), ("left",) * 5).splitlines())) <= 80
