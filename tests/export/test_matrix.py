"""Which cells of the matrix of exports are measured next."""

from itertools import product

from benchmarks.export_matrix import following
from compare.engines.engine import ENGINES

TWINS, NAMES = ["small", "middle", "large"], ["onnx", "orbax"]


def test_twins_and_engines_that_lack_the_same_formats_are_measured_together():
    done = {("small", engine, name) for engine, name in product(ENGINES, NAMES)} - {("small", "torch", "orbax")}
    assert following(TWINS, NAMES, done, set()) == (["small"], ["torch"], ["orbax"])
    done.add(("small", "torch", "orbax"))
    assert following(TWINS, NAMES, done, set()) == (["middle", "large"], list(ENGINES), NAMES)
    assert following(TWINS, NAMES, set(product(TWINS, ENGINES, NAMES)), set()) == ([], [], [])


def test_every_twin_has_its_turn_where_a_tool_stays_away():
    """The first one's cells are still missing after its turn, and those of the others are the same."""
    done = {cell for cell in product(TWINS, ENGINES, NAMES) if cell[2] != "orbax"}
    tried, turns = set(), []
    while (next_ones := following(TWINS, NAMES, done, tried))[0]:
        turns.append(next_ones[0][0])
        tried |= set(product(turns[-1:], next_ones[1]))
    assert turns == TWINS
