"""The two files of a twin beside each other: every row is aligned or says why not, and `twin show` prints them so."""

import os
import pty
import re
import select
import subprocess
import sys

import pytest

from compare.reading import counterparts, shapes, syntax
from compare.reading import show as showing
from compare.reading.aligned import align, read, source
from twin.catalogue import TWINS, find
from twin.differences import ROWS
from twin.errors import TwinError
from twin.paths import ROOT

ESCAPE = re.compile(r"\x1b\[[\d;]*m")


def show(*arguments, columns=80):
    command = [sys.executable, "-m", "compare.cli", "show", *arguments]
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT), "COLUMNS": str(columns)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def planted(change, side="torch"):
    """LeNet with a change of one of its files."""
    text = {each: source(each, TWINS["lenet"]) for each in ("keras", "torch")}
    assert text[side].count(change[0]) == 1
    return align(**{**text, side: text[side].replace(*change)})


def test_every_row_is_aligned_or_says_why_not(twin):
    reading = read(twin)
    assert [f"{row.where}: {reading.text(row, 'keras')}{reading.text(row, 'torch')}" for row in reading.loose()] == []


def test_every_line_stands_in_one_row_and_in_order(twin):
    reading = read(twin)
    for side in ("keras", "torch"):
        numbers = [getattr(row, side) for row in reading.rows if getattr(row, side)]
        assert numbers == list(range(1, len(getattr(reading, side)) + 1))


def test_definitions_and_attributes_stand_beside_their_own(twin):
    reading = read(twin)
    for row in reading.rows:
        if row.keras and row.torch and row.role == "statement":
            for pattern in (r"class (\w+)", r"def (\w+)", r"self\.(\w+) = "):
                ours, theirs = (re.match(rf"\s*{pattern}", reading.text(row, side)) for side in ("keras", "torch"))
                if ours and theirs:
                    assert ours[1].replace("forward", "call") == theirs[1].replace("forward", "call")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("        x = torch.tanh(self.conv3(x))  # (B, 120, 1, 1)\n", ""), "x = keras.ops.tanh(self.conv3(x))"),
        (("        return self.dense2(x)", "        print(x)\n        return self.dense2(x)"), "print(x)"),
        (("self.pool1 = nn.AvgPool2d(2)", "self.first_pool = nn.AvgPool2d(2)"), "self.first_pool = nn.AvgPool2d(2)"),
        (("    def forward(self, x):", "    def apply(self, x):"), "def apply(self, x):"),
        (("        super().__init__()\n", ""), "super().__init__()"),
        (
            ("        x = torch.tanh(self.dense1", "        if True:\n            x = torch.tanh(self.dense1"),
            "if True:",
        ),
    ],
)
def test_a_planted_row_without_a_counterpart_is_found(change, line):
    reading = planted(change)
    found = [reading.text(row, "keras") + reading.text(row, "torch") for row in reading.loose()]
    assert any(line in each for each in found)


def test_two_statements_in_another_order_are_found():
    swap = ("        self.pool1 = nn.AvgPool2d(2)\n        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)\n",)
    lines = swap[0].splitlines(keepends=True)
    assert planted((swap[0], lines[1] + lines[0])).loose()


def test_without_its_tag_a_line_is_loose_and_a_tag_explains_it():
    tag = "  # differs: Keras creates its weights when it first sees a shape"
    reading = planted((tag, ""), side="keras")
    assert [reading.text(row, "keras").strip() for row in reading.loose()] == ["self(keras.Input(image_shape))"]
    explained = [row.why for row in read(TWINS["lenet"]).rows if row.why]
    assert explained == [tag.removeprefix("  # differs: ")]


def test_a_layer_too_many_in_a_stack_is_found_and_line_breaks_alone_are_none():
    keras = "m = Sequential(\n    [\n        Dense(10),\n        Dense(5),\n    ]\n)\n"
    assert not align(keras, "m = Sequential(\n    Dense(10),\n    Dense(5),\n)\n").loose()
    assert not align(keras, "m = Sequential(Dense(10), Dense(5))\n").loose()
    reading = align(keras, "m = Sequential(\n    Dense(10),\n    Tanh(),\n    Dense(5),\n)\n")
    assert [reading.text(row, "torch").strip() for row in reading.loose()] == ["Tanh(),"]


def test_a_tag_on_one_side_of_a_gap_does_not_speak_for_the_other():
    reading = align("a = f(1)\nb = 2  # differs: Keras has a b of its own\n", "a = f(1)\nc = other()\n")
    assert [reading.text(row, "torch") for row in reading.loose()] == ["c = other()"]


def test_a_tag_on_a_definition_without_a_counterpart_speaks_for_its_body():
    reading = align("class A:  # differs: PyTorch has it ready-made\n    def f(self):\n        return 1\n", "x = 1\n")
    assert [reading.text(row, "torch") for row in reading.loose()] == ["x = 1"]


def test_branches_and_blocks_are_aligned_statement_by_statement():
    keras = (
        "if a:\n    x = 1\nelif b:\n    x = 2\nelse:\n    x = 3\ntry:\n    y = f()\nexcept E:\n    y = 0\nz = g(y)\n"
    )
    torch = keras.replace("z = g(y)", "with no_grad():  # differs: torch records\n    z = g(y)")
    reading = align(keras, torch)
    assert not reading.loose()
    aligned = [(row.keras, row.torch) for row in reading.rows]
    assert aligned == [*((n, n) for n in range(1, 11)), (None, 11), (11, 12)]


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
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT), "PAGER": "sed s/^/PAGED:/", "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "compare.cli", "show", *arguments]
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment) as process:
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


def test_shapes_belong_to_the_code_that_is_here(twin):
    assert shapes.of(twin), f"measure them anew: twin show {twin.name} --measure"


def second_biases(measured):
    """How many parameters PyTorch's LSTMs have that Keras's do not: a second bias for each of the four gates."""
    return sum(4 * layer.output[-1] for layer in measured.layers if layer.type == "LSTM")


def test_measured_parameters_are_those_of_the_catalogue(twin):
    keras, torch = (shapes.of(twin)[side] for side in ("keras", "torch"))
    assert torch.parameters == keras.parameters + second_biases(torch)
    if twin.name not in ("transfer_learning", "ensemble", "dqn"):  # whose catalogue counts what is not frozen
        assert keras.parameters == twin.small.parameters


def test_both_sides_ran_the_same_layers_with_as_many_parameters(twin):
    keras, torch = (shapes.of(twin)[side] for side in ("keras", "torch"))
    counted = {layer.path: layer.parameters for layer in torch.layers if layer.type != "LSTM"}
    shared = {layer.path: layer.parameters for layer in keras.layers if layer.path in counted}
    assert len(shared) >= 0.8 * len(keras.layers) or twin.name == "har_lstm"
    assert shared == {path: counted[path] for path in shared}


def test_measuring_finds_what_is_kept(tmp_path, monkeypatch):
    twins = [find(name) for name in ("mlp", "pooling")]
    kept = [shapes.of(twin) for twin in twins]
    monkeypatch.setattr(shapes, "FILE", tmp_path / "shapes.json")
    shapes._kept.cache_clear()
    try:
        assert shapes.of(twins[0]) is None
        shapes.measure(twins)
        assert [shapes.of(twin) for twin in twins] == kept
    finally:
        shapes._kept.cache_clear()


def test_shapes_of_other_code_are_not_shown(monkeypatch):
    monkeypatch.setattr(shapes, "digest", lambda twin: "of other code")
    assert shapes.of(TWINS["lenet"]) is None
    assert "->" not in showing.page(TWINS["lenet"])


def test_every_layer_loss_and_optimizer_that_a_twin_uses_has_a_counterpart(twin):
    wanted = {
        "keras": r"keras\.(layers|losses|metrics|optimizers|callbacks)\.\w+|keras\.[A-Z]\w+",
        "torch": r"torch\.nn\.[A-Z]\w+|torch\.nn\.init\.\w+_|torch\.optim\.\w+",
    }
    for side, pattern in wanted.items():
        used = [name for name in counterparts.references(source(side, twin)) if re.fullmatch(pattern, name)]
        assert [name for name in used if name not in counterparts.BY_NAME[side]] == []


def test_counterparts_lead_to_rows_that_exist_and_say_something():
    for each in counterparts.COUNTERPARTS:
        assert set(each.rows) <= set(ROWS)
        assert each.changes
        assert each.keras or each.torch
    assert len({(each.keras, each.torch) for each in counterparts.COUNTERPARTS}) == len(counterparts.COUNTERPARTS)


def test_a_name_of_keras_exists_only_once_in_the_counterparts():
    named = [counterparts.name_of(each.keras) for each in counterparts.COUNTERPARTS if counterparts.name_of(each.keras)]
    assert len(named) == len(set(named))


def test_uses_name_the_lines_on_both_sides():
    found = {use.counterpart.keras: use for use in counterparts.uses(read(TWINS["lenet"]))}
    dense = found["keras.layers.Dense(units)"]
    lines = {side: source(side, TWINS["lenet"]).splitlines() for side in ("keras", "torch")}
    assert ["layers.Dense" in lines["keras"][number - 1] for number in dense.keras] == [True, True]
    assert ["nn.Linear" in lines["torch"][number - 1] for number in dense.torch] == [True, True]


def test_a_missing_twin_side_is_an_error_of_the_alignment():
    with pytest.raises(SyntaxError):
        align("x = (", "x = 1")
    with pytest.raises(TwinError, match="unknown class or method 'nothing'"):
        showing.chosen(read(TWINS["mlp"]), "nothing")
