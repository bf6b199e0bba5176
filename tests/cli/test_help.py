"""The help as a newcomer reads it: whole sentences, examples that run, one spelling, and lines that fit."""

import re
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from compare.cli import commands
from compare.cli.app import app
from compare.engines.engine import ENGINES, MODES, OTHER_NAMES, Engine, everything, named
from tests.helpers import synthetic
from tests.helpers.command import TWIN, twin
from twin.errors import TwinError

COMMANDS = {each.name: each for each in commands.all_of()}
LONG = "twin site pages --record runs/check.json"  # as the site of tests/reading is written, in 12 s
EXAMPLES = [
    pytest.param(example, marks=[pytest.mark.long] if example == LONG else [])
    for each in COMMANDS.values()
    for example in each.examples
]


WHOLE = get_command(app)


def asked(*arguments):
    """What the program answers in this process."""
    return CliRunner().invoke(app, list(arguments), prog_name="twin")


def test_twin_alone_is_help_and_no_failure():
    answer = twin()
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == twin("--help").stdout == twin("-h").stdout


def test_the_version_is_that_of_the_package():
    assert twin("--version").stdout.startswith("twin 0.")


def test_every_command_stands_under_a_heading_in_a_whole_sentence():
    said = " ".join(asked("--help").stdout.split())
    for each in COMMANDS.values():
        assert each.group in commands.GROUPS
        sentence = " ".join(each.function.__doc__.split())
        assert sentence[0].isupper()
        assert sentence[-1] in ".?"
        assert f"{each.name} {sentence}" in said


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_no_line_of_the_help_is_wider_than_the_terminal(name, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    whole = WHOLE.context_class(WHOLE, info_name="twin")
    command = WHOLE.commands[name] if name else None
    said = (command.context_class(command, whole, name) if command else whole).get_help()
    assert max(map(len, said.splitlines())) <= columns
    if command:
        assert said.rstrip().endswith("\n".join(f"  {example}" for example in COMMANDS[name].examples))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_mistake_is_folded_at_words_and_says_where_to_read_on(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    answer = twin("check", "lenet", "--size", "huge")
    assert answer.returncode == 2
    assert max(map(len, answer.stderr.splitlines())) <= columns
    assert " ".join(answer.stderr.split()).endswith("see twin check --help")


def test_every_mistake_leads_to_the_help_of_its_command():
    for arguments, says in (
        (["check", "lenet", "--seed"], "; see twin check --help"),
        (["chek"], "Did you mean 'check'? See twin --help"),
    ):
        assert twin(*arguments).stderr.strip().endswith(says)


def test_what_comes_next_stands_below_the_answer():
    answer = subprocess.run([*TWIN, "list"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    assert answer.stdout.splitlines()[-1].startswith("next: ")


def test_a_single_option_that_is_given_twice_is_refused():
    answer = twin("check", "lenet", "--seed", "1", "--seed=2")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "--seed is given 2 times, and takes one value" in answer.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_one_thing_has_one_spelling(name):
    """An option means the same wherever it is, so its value is called the same."""
    said = asked(name, "--help").stdout
    for option, metavar in (("--engine", "ENGINE"), ("--json", "FILE|-"), ("--md", "FILE|-"), ("--out", "FOLDER")):
        lines = [line for line in said.splitlines() if line.split()[:1] == [option]]
        assert all(line.split()[1] == metavar for line in lines), lines


@pytest.mark.parametrize("name", COMMANDS)
def test_values_have_names_and_not_the_types_of_python(name):
    said = asked(name, "--help").stdout
    usage = said.splitlines()[0].partition("[OPTIONS]")[2]
    assert usage == usage.upper()
    for word in ("{", "list[", "<path>", "range>", "<str", "Required.  [default"):
        assert word not in said.replace("[default: {}]", ""), word
    assert not re.search("[<>]=", said), "limits of a number are said in words"


def test_what_people_call_an_engine_is_understood():
    for other, name in OTHER_NAMES.items():
        assert other not in everything()
        assert named(other.upper()) == name
        for mode in MODES.get(name, ()):
            assert named(f"{other}:{mode}") == f"{name}:{mode}"
    assert {named(each) for each in ("tf", "jax", "pytorch", "keras-torch")} == set(ENGINES)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_runs(example, tmp_path, monkeypatch):
    """From its words to its answer, but for the workers: these end as soon as they are started."""
    if "notebook" in example:
        pytest.importorskip("nbformat")
    monkeypatch.setattr(Engine, "command", lambda self: [sys.executable, "-c", "raise SystemExit(7)"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    text = synthetic.record(2, ("torch", "keras-jax"), 2).to_text()
    for name in ("old.json", "new.json", "runs/check.json"):
        (tmp_path / name).write_text(text)
    for name in ("mine.py", "theirs.py", "theirs.pt", "a.pt", "inputs.npz"):
        (tmp_path / name).write_text("")
    if "--check" in example:
        asked("port", "lenet", "--to", "torch")
    program, *arguments = shlex.split(example.replace("runs/*.json", "runs/check.json"))
    answer = asked(*arguments)
    assert program == "twin"
    assert "Usage" not in answer.output
    said = str(answer.exception) if isinstance(answer.exception, TwinError) else ""
    ended = "exit code 7" in said or "nothing to export: not installed: " in said
    assert ended or isinstance(answer.exception, SystemExit | None), (answer.output, answer.exception)
    assert ended or answer.exit_code in (0, 1, 3), answer.output
