"""The bench on workers that misbehave: process runs, resumed runs, and what is withheld.

No test here depends on how fast anything is.
"""

from dataclasses import replace

import numpy as np
import pytest

from compare.bench import run as bench
from compare.engines import pool
from compare.engines.engine import ENGINES
from compare.engines.pool import Settings
from compare.record.record import RunRecord, read_record
from compare.record.results import BenchResult, CheckResult, ProcessRun, RungResult, SpeedRatio
from compare.stats import ratios as speed
from compare.worker.stopwatch import is_steady
from tests.helpers.in_process import in_process
from tests.helpers.quick_worker import Quick
from twin.catalogue import find
from twin.errors import INCOMPLETE, TwinError

TORCH = ENGINES["torch"]


def plan(*engines, twin="mlp", reference="torch"):
    return bench.plan([find(twin)], engines, "cpu", 0, "small", reference)


def test_a_reference_that_is_not_timed_is_refused():
    with pytest.raises(TwinError, match="--reference torch: not one of the engines"):
        plan(ENGINES["keras-jax"])


def test_an_exercise_has_no_speed():
    (measurement,) = plan(TORCH, twin="pooling")
    assert measurement.status == "skipped"


def quick(mode=""):
    """Native PyTorch's place, taken by a worker without a framework."""
    return replace(TORCH, name=f"torch:{mode}" if mode else "torch", module="tests.helpers.quick_worker", mode=mode)


def run(measurements, engines, tmp_path, **options):
    """The bench on planned measurements, with their checks; returns the record and what was said of the progress."""
    record = RunRecord("bench", measurements, tmp_path / "record.json")
    given = bench.Options(**{"timed_loops": 2, "process_runs": 1, **options})
    words = []
    bench.run(record, engines, Settings(jobs=1, timeout=60), given, lambda measurement, word: words.append(word))
    return record, words


@pytest.mark.parametrize("status", ["failed", "timeout", "not_run"])
def test_the_speed_of_what_does_not_agree_is_withheld(status, tmp_path):
    engines = quick(), quick("slow")
    native, other = measurements = plan(*engines)
    checks = bench.gates(measurements)
    checks[0].status = "ok"
    checks[1].status, checks[1].reason = status, "forward: dense1 is off"
    run([*checks, *measurements], engines, tmp_path)
    assert (native.status, other.status) == ("ok", status), native.reason
    assert "forward: dense1 is off" in other.reason
    assert other.result.ratios == {}


def agreed(measurements):
    checks = bench.gates(measurements)
    for each in checks:
        each.status, each.result = "ok", CheckResult([RungResult("structure", "ok"), RungResult("forward", "ok")])
    return [*checks, *measurements]


@pytest.mark.parametrize("engine", ["torch", pytest.param("keras-torch", marks=pytest.mark.long)])
@pytest.mark.framework
def test_a_process_run_keeps_raw_times_also_of_the_a_a_run(engine, tmp_path):
    (measurement,) = measurements = plan(ENGINES[engine], reference=engine)
    record, _ = run(agreed(measurements), [ENGINES[engine]], tmp_path, reference=engine)
    assert (measurement.status, record.exit_code()) == ("ok", 0)
    for each in (*measurement.result.process_runs, *measurement.result.aa_runs):
        assert all(len(each.times[quantity]) == 2 and min(each.times[quantity]) > 0 for quantity in bench.QUANTITIES)
        assert min(each.import_seconds, each.first_step, each.second_step, each.peak_memory_mib) > 0
    assert measurement.result.ratios["step"].verdict == "reference"
    assert read_record(record.path).measurements[-1].result == measurement.result


@pytest.mark.slow  # resamples what forty process runs would have measured, and starts no process for them
@pytest.mark.parametrize("slower", ["1.1", "0.9", "1.0"])
def test_a_tenth_is_called_and_nothing_is_not(slower, tmp_path, monkeypatch):
    monkeypatch.setenv("TWIN_SLOWER", slower)
    monkeypatch.setattr(pool, "Worker", in_process(Quick))
    engines = quick(), quick("slow")
    measurements = plan(*engines)
    _, words = run(agreed(measurements), engines, tmp_path, process_runs=None, timed_loops=4, budget=60)
    assert measurements[1].result.ratios["step"].process_runs == speed.PROCESS_RUNS
    verdicts = {ratio.verdict for ratio in measurements[1].result.ratios.values()}
    assert verdicts == {{"1.1": "slower", "0.9": "faster", "1.0": "equal"}[slower]}
    assert any(word.startswith("process run 2, training step") and "min left" in word for word in words)


def test_what_has_no_steady_state_has_no_verdict(tmp_path):
    engines = quick(), quick("restless")
    native, other = measurements = plan(*engines)
    record, _ = run(agreed(measurements), engines, tmp_path)
    assert (native.status, other.status, other.reason) == (
        "ok",
        "unstable",
        "no steady state in most process runs: loop",
    )
    assert other.result.ratios["step"].verdict != "unstable"
    assert record.exit_code() == INCOMPLETE


@pytest.mark.parametrize("when", ["start", "timed_loop"])
def test_an_engine_that_dies_costs_its_own_cell_only(when, tmp_path):
    broken = quick("dying") if when == "timed_loop" else replace(quick("slow"), module="tests.helpers.no_such_module")
    engines = quick(), broken
    native, other = measurements = plan(*engines)
    record, _ = run(agreed(measurements), engines, tmp_path, process_runs=2)
    assert (native.status, other.status) == ("ok", "crashed")
    assert len(native.result.process_runs) == 1  # nobody is left to compare with
    assert record.exit_code() == INCOMPLETE


def test_without_the_reference_nothing_is_timed(tmp_path):
    engines = replace(quick(), module="tests.helpers.no_such_module"), quick("slow")
    measurements = plan(*engines)
    record, _ = run(agreed(measurements), engines, tmp_path)
    assert [measurement.status for measurement in measurements] == ["crashed", "not_run"]
    assert "nothing to compare with" in measurements[1].reason
    assert record.exit_code() == INCOMPLETE


def test_process_runs_end_with_the_budget_and_with_the_precision():
    measurements = plan(TORCH, replace(TORCH, name="torch:compile"))
    timed = bench.Bench(
        find("mlp"),
        measurements,
        {},
        RunRecord("bench", measurements, None),
        Settings(),
        bench.Options(budget=60),
        print,
    )
    timed.lengths = [20.0]

    def goes_on(runs, elapsed, half_width=0.05):
        for measurement in measurements:
            ratio = SpeedRatio(1.0, 1 / (1 + half_width), 1 + half_width, runs, 0.03, "none")
            measurement.result = BenchResult(process_runs=[ProcessRun()] * runs, ratios={"step": ratio})
        return timed._goes_on(measurements[0], elapsed)

    assert goes_on(0, 1000)  # one process run there is always
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
        (["not_run", "not_run"], [2, 2]),  # interrupted: the process runs go on
        (["ok", "ok"], [2, 2]),
        (
            ["ok", "crashed"],
            [None, None],
        ),  # the crashed engine's process runs would be paired with others of the reference
    ],
)
def test_a_resumed_bench_goes_on_with_process_runs_that_belong_together(statuses, kept, tmp_path):
    engines = quick(), quick("slow")
    before = plan(*engines)
    for measurement, status in zip(before, statuses, strict=True):
        measurement.status = status
        measurement.result = BenchResult(agrees=True, process_runs=[ProcessRun(), ProcessRun()])
    RunRecord("bench", before, tmp_path / "record.json")
    again = RunRecord("bench", plan(*engines), None)
    again.resume_from(tmp_path / "record.json")
    assert [len(each.result.process_runs) if each.result else None for each in again.measurements] == kept


def test_steady_is_what_no_longer_falls():
    rng = np.random.default_rng(2)
    flat = 1 + 0.01 * rng.standard_normal(20)
    assert is_steady(flat)
    assert not is_steady(flat * np.linspace(2, 1, 20))
    assert not is_steady([5.0, *flat[1:]])
    assert not is_steady([*flat[:10], *(0.7 * flat[10:])])
