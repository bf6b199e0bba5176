"""Below its answer every command says what to type now, and that command works as it is printed."""

import shlex
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from compare.cli import carry_out, commands, main
from compare.cli.app import app
from compare.engines.engine import Engine
from compare.port import text as port_text
from compare.reading import site
from compare.verify import run as examination
from compare.verify.verdict import Finding
from compare.verify.verdict import Verdict as PairVerdict
from compare.weights import run as crossing
from tests.helpers import synthetic
from twin.catalogue import find
from twin.errors import TwinError

COMMANDS = [
    "list",
    "availability",
    "path",
    "glossary",
    "glossary state_dict",
    "glossary numpy",
    "glossary padding",
    "glossary flatten",
    "differences",
    "differences adam_epsilon",
    "show lenet",
    "show mlp",
    "show tensors",
    "notebook lenet",
    "site pages",
    "report old.json",
    "report old.json --html report.html",
    "report old.json new.json --html report.html",
    "diff old.json new.json",
    "port mlp --to torch",
    "port lenet --hint",
    "port lenet --solution __init__",
    "port mlp --solution __init__ --to keras",
    "bench lenet --engine torch",
]
MEASURED = {"check", "bench", "train", "compare", "line", "export"}  # they all end in `measure`


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two records and a port that was begun; workers end as soon as they are started, and the site has one twin."""
    build = site.build
    monkeypatch.setattr(site, "build", lambda out, records, **more: build(out, records, [find("lenet")], **more))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["twin"])  # or the program is what runs the tests
    monkeypatch.setattr(Engine, "command", lambda self: [sys.executable, "-c", "raise SystemExit(7)"])
    for name, seed in (("old.json", 2), ("new.json", 3)):
        Path(name).write_text(synthetic.record(2, ("torch", "keras-jax"), 2, seed=seed).to_text())
    assert said("port lenet --to torch")
    return tmp_path


def said(command):
    """What a command says is to type now, without the name of the program."""
    answer = CliRunner().invoke(app, shlex.split(command))
    assert isinstance(answer.exception, SystemExit | None), answer.exception
    *_, last = answer.stderr.splitlines()
    assert last.startswith("next: twin "), answer.output
    return last.removeprefix("next: twin ")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_next_command_works_as_it_is_printed(command, folder):
    words = shlex.split(said(command))
    assert words != shlex.split(command)
    answer = CliRunner().invoke(app, words)
    started = isinstance(answer.exception, TwinError) and "exit code 7" in str(answer.exception)
    assert started or isinstance(answer.exception, SystemExit | None), (words, answer.exception)
    assert started or answer.exit_code in (0, 1, 3), (words, answer.output)


def test_a_last_hint_leads_to_the_solution(folder):
    assert [said("port lenet --hint").split()[2] for _ in range(3)] == ["--check", "--check", "--solution"]


def test_the_course_goes_on_where_it_was_left_and_ends(tmp_path):
    course = port_text.steps(tmp_path)
    words = lambda steps: " ".join(port_text.next_command(steps, Path("port")))
    assert words(course) == f"port {course[0].twin} --to torch"
    begun = [port_text.Step(1, "", "mlp", "", "", "1 of 2")]
    assert words([*course, *begun]) == "port mlp --check port/mlp-keras"
    assert words([port_text.Step(1, "", "mlp", "", "done", "")]) == ""


PAIR = ["mine.py:make", "theirs.py:Net", "--input", "32,32,3"]
CAUSE = Finding("forward", "norm", "norm", "far", cause="batchnorm_epsilon")
UNKNOWN = Finding("forward", "norm", "norm", "far")


@pytest.mark.parametrize(
    ("verdict", "options", "following"),
    [
        (PairVerdict("differ", findings=(CAUSE,)), [], ["differences", "batchnorm_epsilon"]),
        (PairVerdict("differ", findings=(UNKNOWN,)), [], ["verify", *PAIR, "--html", "verify.html"]),
        (PairVerdict("agree"), [], ["verify", *PAIR, "--initial"]),
        (PairVerdict("agree"), ["--initial"], ["verify", *PAIR, "--initial", "--html", "verify.html"]),
        (PairVerdict("agree"), ["--initial", "--html", "page.html"], ["differences"]),
    ],
)
def test_verify_goes_on_from_its_verdict(verdict, options, following, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(examination, "verify", lambda *_: verdict)
    monkeypatch.setattr(Engine, "missing", lambda engine: ())
    monkeypatch.setattr(sys, "argv", ["twin", "verify", *PAIR, *options])
    main.run()
    assert shlex.split(capsys.readouterr().err.splitlines()[-1]) == ["next:", "twin", *following]


@pytest.mark.parametrize(
    ("asked", "far", "following"),
    [
        (["lenet", "--size", "small"], 0.0, ["show", "lenet"]),
        (["lenet", "--size", "small"], 1.0, ["check", "lenet", "--size", "small"]),
        (
            ["--keras", "a.py:f", "--torch", "b.py:g", "--input", "3"],
            0.0,
            ["verify", "a.py:f", "b.py:g", "--input", "3"],
        ),
    ],
)
def test_weights_go_on_from_their_verdict(asked, far, following, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.pt").write_text("")
    found = crossing.Crossing(Path("a.pt"), Path("b.pt"), ("a", "b"), far, 0.1)
    monkeypatch.setattr(crossing, "of_twin", lambda *_: found)
    monkeypatch.setattr(crossing, "of_pair", lambda *_: found)
    monkeypatch.setattr(Engine, "missing", lambda engine: ())
    monkeypatch.setattr(sys, "argv", ["twin", "weights", *asked, "--from", "a.pt", "--to", "b.pt"])
    assert main.run() == (1 if far else 0)
    weights = ["--weights", "b.pt"] if following[0] == "verify" else []
    assert shlex.split(capsys.readouterr().err.splitlines()[-1]) == ["next:", "twin", *following, *weights]


def test_every_command_has_a_next_one():
    tried = {command.split()[0] for command in COMMANDS} | {"verify", "weights"}
    others = {each.name for each in commands.all_of()} - tried - MEASURED
    assert others == {"doctor", "pictures"}  # these start workers; their next command stands in their file
    for name in others:
        assert "say_next(" in (Path(commands.__file__).parent / f"{name}.py").read_text()
    for name in MEASURED:
        assert "measure(" in (Path(commands.__file__).parent / f"{name}.py").read_text()


@pytest.mark.parametrize(
    ("program", "found", "typed"),
    [
        ("/usr/bin/twin", "/usr/bin/twin", "twin"),
        (".venv/bin/twin", None, ".venv/bin/twin"),
        ("/home/a b/.venv/bin/twin", "/usr/bin/twin", "'/home/a b/.venv/bin/twin'"),
        ("/src/compare/cli/__main__.py", None, f"{sys.executable} -m compare.cli"),
        ("/src/compare/cli/__main__.py", "/usr/bin/twin", "twin"),
    ],
)
def test_the_program_is_called_as_it_was(program, found, typed, monkeypatch):
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setattr(shutil, "which", lambda name: found)
    assert carry_out.typed() == typed
