"""`twin show`: fits its terminal and loses no word."""

import os
import pty
import re
import select
import subprocess

import pytest

from compare.reading import show as showing
from compare.reading import syntax
from tests.helpers.command import TWIN, environment
from twin.catalogue import TWINS
from twin.paths import source

ESCAPE = re.compile(r"\x1b\[[\d;]*m")


def show(*arguments, columns=80):
    command = [*TWIN, "show", *arguments]
    env = environment() | {"COLUMNS": str(columns)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)


@pytest.mark.parametrize("columns", [80, 99, 100, 120, 160])
def test_show_fits_its_terminal(columns):
    page = show("lenet", columns=columns).stdout
    assert "\x1b" not in page
    assert max(map(len, page.splitlines())) <= columns
    for said in (
        "LeNet-5: the first convolutional network",
        "-> (B, 28, 28, 6), 156",
        "61,706 parameters",
        "# differs:",
    ):
        assert said in page
    beside = [line for line in page.splitlines() if "self.pool1 = layers" in line and "self.pool1 = nn" in line]
    assert bool(beside) == (columns >= 100)
    if columns >= 100:
        places = {line.index(" | ") for line in page.splitlines() if "self.pool" in line and " | " in line}
        assert len(places) == 1


def test_show_loses_no_word_of_the_code():
    for twin in (TWINS["vit"], TWINS["train_loop"]):
        for columns in (80, 120):
            page = "".join(showing.page(twin, ["torch"], columns=columns).split())
            for line in source("torch", twin).splitlines()[20:]:
                assert all("".join(word.split()) in page for word in line.split())


def test_show_of_a_method_shows_nothing_else():
    page = show("lenet", "--only", "call", columns=120).stdout
    assert "def call(self, x)" in page
    assert "def forward(self, x)" in page
    assert "__init__" not in page
    assert showing.page(TWINS["vit"], only="Attention.forward").count("def ") == 2
    assert "class EncoderBlock" in showing.page(TWINS["vit"], only="EncoderBlock")


def test_show_of_one_side_shows_only_that():
    assert "nn.Conv2d" not in show("lenet", "--keras").stdout
    assert "layers.Conv2D" not in show("lenet", "--torch").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lenett"], "unknown twin 'lenett'; did you mean lenet"),
        (["lenet", "--only", "cal"], "unknown class or method 'cal'; did you mean call?"),
        ([], "which twin?"),
    ],
)
def test_a_name_that_is_none_is_one_line(arguments, says):
    answer = show(*arguments)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert (answer.stdout, len(answer.stderr.splitlines())) == ("", 1)


def in_a_terminal(*arguments):
    """What the command writes where it has a terminal before it."""
    main, other = pty.openpty()
    env = environment() | {"PAGER": "sed s/^/PAGED:/", "TERM": "xterm"}
    env.pop("NO_COLOR", None)
    command = [*TWIN, "show", *arguments]
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=env) as process:
        os.close(other)
        text = b""
        while select.select([main], [], [], 30)[0]:
            try:
                text += os.read(main, 4096)
            except OSError:  # Linux says so of a terminal that nobody writes to any more
                break
    os.close(main)
    assert process.returncode == 0
    return text.decode()


def test_a_terminal_gets_colours_and_the_pager():
    paged, plain = (in_a_terminal("mlp", "--keras", option) for option in ("--pager", "--no-pager"))
    assert ESCAPE.search(plain)
    assert "PAGED:" in paged
    assert "PAGED:" not in plain


def test_colours_change_no_letter():
    plain, coloured = (showing.page(TWINS["gan"], columns=120, colour=each) for each in (False, True))
    assert coloured != plain
    assert ESCAPE.sub("", coloured) == plain


def test_pieces_put_together_are_the_file(twin):
    for side in ("keras", "torch"):
        text = source(side, twin)
        assert "\n".join("".join(part for _, part in line) for line in syntax.pieces(text)) == text
