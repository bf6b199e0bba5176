"""The two files of a twin beside each other: every row is aligned or says why not."""

import re

import pytest

from compare.reading import counterparts
from compare.reading import show as showing
from compare.reading.aligned import align, read
from twin.catalogue import TWINS
from twin.differences import ROWS
from twin.errors import TwinError
from twin.paths import source


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
    explained = dict.fromkeys(row.why for row in read(TWINS["lenet"]).rows if row.why)
    saved = "a .keras file holds the constructor's arguments beside the weights"
    assert list(explained) == [saved, tag.removeprefix("  # differs: ")]


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


def test_a_pair_of_names_exists_only_once_in_the_counterparts():
    name_of = counterparts.name_of
    named = [(name_of(each.keras), name_of(each.torch)) for each in counterparts.COUNTERPARTS if name_of(each.keras)]
    assert len(named) == len(set(named))


def test_of_several_counterparts_a_twin_has_those_that_it_uses():
    names = {counterparts.name_of(use.counterpart.torch) for use in counterparts.uses(read(TWINS["resnet_style"]))}
    assert "torch.nn.BatchNorm2d" in names
    assert "torch.nn.BatchNorm3d" not in names


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
