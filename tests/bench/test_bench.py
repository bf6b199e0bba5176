"""The bench on workers that misbehave: rounds, resumed runs, and what is withheld.

No test here depends on how fast anything is.
"""

from dataclasses import replace

import pytest

from compare.bench import run as bench
from compare.engines.engine import ENGINES
from compare.engines.pool import Settings
from compare.record.cell import Cell
from compare.record.record import Record
from compare.stats import ratios as speed
from twin.catalogue import find
from twin.errors import INCOMPLETE, TwinError

TORCH = ENGINES["torch"]


def plan(*engines, twin="mlp", reference="torch"):
    return bench.plan([find(twin)], engines, "cpu", 0, "small", reference)


def test_a_reference_that_is_not_timed_is_refused():
    with pytest.raises(TwinError, match="--reference torch: not one of the engines"):
        plan(ENGINES["keras-jax"])


def test_an_exercise_has_no_speed():
    (cell,) = plan(TORCH, twin="pooling")
    assert cell.status == "skipped"


def quick(mode=""):
    """Native PyTorch's place, taken by a worker without a framework."""
    return replace(TORCH, name=f"torch:{mode}" if mode else "torch", module="tests.helpers.quick_worker", mode=mode)


def run(cells, engines, tmp_path, **options):
    """The bench on planned cells, with their checks; returns the record and what was said of the progress."""
    record = Record("bench", cells, tmp_path / "record.json")
    given = bench.Options(**{"passes": 2, "rounds": 1, **options})
    words = []
    bench.run(record, engines, Settings(jobs=1, timeout=60), given, lambda cell, word: words.append(word))
    return record, words


@pytest.mark.parametrize("status", ["failed", "timeout", "not_run"])
def test_the_speed_of_what_does_not_agree_is_withheld(status, tmp_path):
    engines = quick(), quick("slow")
    native, other = cells = plan(*engines)
    checks = bench.gates(cells)
    checks[0].status = "ok"
    checks[1].status, checks[1].reason = status, "forward: dense1 is off"
    run([*checks, *cells], engines, tmp_path)
    assert (native.status, other.status) == ("ok", status), native.reason
    assert "forward: dense1 is off" in other.reason
    assert "speed" not in other.result


def agreed(cells):
    checks = bench.gates(cells)
    for each in checks:
        each.status = "ok"
    return [*checks, *cells]


@pytest.mark.parametrize("engine", ["torch", "keras-torch"])
@pytest.mark.framework
def test_a_round_keeps_raw_times_of_both_copies(engine, tmp_path):
    (cell,) = cells = plan(ENGINES[engine], reference=engine)
    record, _ = run(agreed(cells), [ENGINES[engine]], tmp_path, reference=engine)
    assert (cell.status, record.exit_code()) == ("ok", 0)
    for each in (*cell.result["rounds"], *cell.result["copy"]):
        assert all(len(each[quantity]) == 2 and min(each[quantity]) > 0 for quantity in bench.QUANTITIES)
        assert each.keys() >= {"import_seconds", "first_step", "second_step", "unsteady", "peak_memory_mib"}
    assert cell.result["speed"]["step"]["verdict"] == "reference"


@pytest.mark.parametrize("slower", ["1.1", "0.9", "1.0"])
def test_a_tenth_is_called_and_nothing_is_not(slower, tmp_path, monkeypatch):
    monkeypatch.setenv("TWIN_SLOWER", slower)
    engines = quick(), quick("slow")
    cells = plan(*engines)
    _, words = run(agreed(cells), engines, tmp_path, rounds=None, passes=4, budget=60)
    assert cells[1].result["speed"]["step"]["rounds"] == speed.ROUNDS
    verdicts = {found["verdict"] for found in cells[1].result["speed"].values()}
    assert verdicts == {{"1.1": "slower", "0.9": "faster", "1.0": "equal"}[slower]}
    assert any(word.startswith("round 2, step") and "min left" in word for word in words)


def test_what_has_no_steady_state_has_no_verdict(tmp_path):
    engines = quick(), quick("restless")
    native, other = cells = plan(*engines)
    record, _ = run(agreed(cells), engines, tmp_path)
    assert (native.status, other.status, other.reason) == ("ok", "unstable", "no steady state in most rounds: loop")
    assert other.result["speed"]["step"]["verdict"] != "unstable"
    assert record.exit_code() == INCOMPLETE


@pytest.mark.parametrize("when", ["start", "chunk"])
def test_an_engine_that_dies_costs_its_own_cell_only(when, tmp_path):
    broken = quick("dying") if when == "chunk" else replace(quick("slow"), module="tests.helpers.no_such_module")
    engines = quick(), broken
    native, other = cells = plan(*engines)
    record, _ = run(agreed(cells), engines, tmp_path, rounds=2)
    assert (native.status, other.status) == ("ok", "crashed")
    assert len(native.result["rounds"]) == 1  # nobody is left to compare with
    assert record.exit_code() == INCOMPLETE


def test_without_the_reference_nothing_is_timed(tmp_path):
    engines = replace(quick(), module="tests.helpers.no_such_module"), quick("slow")
    cells = plan(*engines)
    record, _ = run(agreed(cells), engines, tmp_path)
    assert [cell.status for cell in cells] == ["crashed", "not_run"]
    assert "nothing to compare with" in cells[1].reason
    assert record.exit_code() == INCOMPLETE


def test_rounds_end_with_the_budget_and_with_the_precision():
    cells = plan(TORCH, replace(TORCH, name="torch:compile"))
    timed = bench.Bench(
        find("mlp"), cells, {}, Record("bench", cells, None), Settings(), bench.Options(budget=60), print
    )
    timed.lengths = [20.0]

    def goes_on(rounds, elapsed, half_width=0.05):
        for cell in cells:
            cell.result["rounds"] = [{}] * rounds
            cell.result["speed"] = {"step": {"low": 1 / (1 + half_width), "high": 1 + half_width}}
        return timed._goes_on(cells[0], elapsed)

    assert goes_on(0, 1000)  # one round there is always
    assert goes_on(1, 39)
    assert not goes_on(1, 41)
    timed.options = bench.Options(budget=1e9, precision=0.02)
    assert goes_on(9, 0, half_width=0.001)
    assert goes_on(10, 0)
    assert not goes_on(10, 0, half_width=0.01)
    timed.options = bench.Options(quick=True)
    assert goes_on(2, 0)
    assert not goes_on(3, 0)


@pytest.mark.parametrize(
    ("statuses", "kept"),
    [
        (["not_run", "not_run"], [2, 2]),  # interrupted: the rounds go on
        (["ok", "ok"], [2, 2]),
        (["ok", "crashed"], [None, None]),  # the crashed engine's rounds would be paired with others of the reference
    ],
)
def test_a_resumed_bench_goes_on_with_rounds_that_belong_together(statuses, kept, tmp_path):
    engines = quick(), quick("slow")
    before = plan(*engines)
    for cell, status in zip(before, statuses, strict=True):
        cell.status, cell.result = status, {"rounds": [{}, {}]}
    Record("bench", before, tmp_path / "record.json")
    again = Record("bench", plan(*engines), None)
    again.adopt(tmp_path / "record.json")
    assert [len(cell.result["rounds"]) if cell.result else None for cell in again.cells] == kept


def test_cells_of_the_bench_survive_the_record(tmp_path):
    cells = plan(TORCH)
    cells[0].result["rounds"] = [{"step": [1.0]}]
    record = Record("bench", cells, tmp_path / "record.json")
    assert Cell.from_json(record.to_json()["cells"][0]).result == cells[0].result
