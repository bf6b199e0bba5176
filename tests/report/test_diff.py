"""Two records compared: what was planted is found, what is noise is not; the records are made here."""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from compare.cli.app import app
from compare.record.machine import Machine
from compare.record.measurement import BenchMeasurement, CheckMeasurement, Node, TrainMeasurement
from compare.record.record import SCHEMA, Record
from compare.record.results import (
    QUANTITIES,
    RUNGS,
    BenchResult,
    CheckResult,
    ProcessRun,
    RungResult,
    SpeedRatio,
    TrainResult,
    WorstError,
)
from compare.record.schema import to_plain
from compare.report import diff
from compare.report import diff_text as diff_report
from compare.stats import ratios as speed

ENGINES = ("torch", "keras-jax")
SPREAD = 0.07  # between processes that run the same code, with passive waiting (docs/method.md)


def of(kind, engine, seed=0, result=None):
    return kind("lenet", engine, "cpu", "float32", seed, "small", "ok", result=result)


def rungs(error=3e-7, noise=1.1):
    far = WorstError("dense1", error, 1e-5, noise, 10.0, 1.0, [0])
    return [RungResult(name, "ok", far if name in ("forward", "gradients") else None) for name in RUNGS]


def checked():
    return [of(CheckMeasurement, engine, result=CheckResult(rungs())) for engine in ENGINES]


def process_runs(rng, count, spread, scale=1.0):
    """Process runs in which each process has a speed of its own."""
    out = []
    for _ in range(count):
        process = math.exp(rng.normal(0, spread))
        times = {q: list(scale * 0.01 * process * np.exp(rng.normal(0, 0.01, 8))) for q in QUANTITIES}
        out.append(ProcessRun(times, 3 * process, 2 * process, 0.02 * process, 800 + rng.normal(0, 5)))
    return out


def benched(rng, spread=0.01, count=10, band=0.03):
    out = []
    for engine in ENGINES:
        ratios = {quantity: SpeedRatio(1.0, 0.99, 1.01, count, band, "equal") for quantity in QUANTITIES}
        result = BenchResult(True, 32, "torch", 1, False, process_runs(rng, count, spread), ratios=ratios)
        out.append(of(BenchMeasurement, engine, result=result))
    return out


def trained(rng, seeds=8, margin=0.02):
    def result():
        value = 0.97 + rng.normal(0, 0.004)
        return TrainResult("accuracy", value, 0.95, 0.1, 1.0, {"loss": [2.0, 0.5]}, margin, 3, "shared")

    return [of(TrainMeasurement, e, s, result()) for e in ENGINES for s in range(seeds)]


def record(*parts):
    return Record(
        schema=SCHEMA,
        command="compare",
        started="2026-01-01T00:00:00+00:00",
        machine=Machine("Linux", "EPYC", 2, 8.0, "3.11.9"),
        precision={},
        versions={e: {"keras": "3.15.0", "torch": "2.13.0", "python": "3.11.9"} for e in ENGINES},
        settings={"threads": 1},
        code="0" * 16,
        measurements=[each for part in parts for each in part],
    )


@pytest.fixture
def old():
    rng = np.random.default_rng(1)
    return record(checked(), benched(rng), trained(rng))


def find(record, measure, engine="keras-jax"):
    return [each for each in record.measurements if (each.measure, each.engine) == (measure, engine)]


def outcomes(found, *wanted):
    return {(f.engine, f.name) for f in found.figures if f.outcome in wanted}


def test_a_record_did_not_move_against_itself(old):
    found = diff.compare(old, copy.deepcopy(old))
    assert {f.outcome for f in found.figures} == {"same"}
    assert len(found.figures) == 2 * (1 + 2) + 2 * (1 + 4 + 4) + 4 + 2
    assert (found.changed, found.not_compared, found.only_old, found.only_new) == ([], [], [], [])
    assert found.exit_code() == 0


def test_a_slowdown_of_a_tenth_is_a_regression_of_that_engine_alone(old):
    new = record(checked(), benched(np.random.default_rng(2)))
    (slow,) = find(new, "bench")
    for run in slow.result.process_runs:
        run.times["step"] = [1.1 * seconds for seconds in run.times["step"]]
    found = diff.compare(old, new)
    assert outcomes(found, "regression") == {("keras-jax", "step"), ("keras-jax", "step ratio")}
    assert found.exit_code() == 1
    figure = next(f for f in found.figures if (f.engine, f.name) == ("keras-jax", "step"))
    assert figure.low < 1.1 < figure.high
    assert outcomes(diff.compare(new, old), "improvement") == {("keras-jax", "step"), ("keras-jax", "step ratio")}


def test_the_answer_stands_first_and_names_where_it_became_worse(old):
    new = record(checked(), benched(np.random.default_rng(2)))
    for run in find(new, "bench")[0].result.process_runs:
        run.times["step"] = [1.1 * seconds for seconds in run.times["step"]]
    question = "Did anything become worse?"
    worse = diff.compare(old, new)
    twin = worse.figures[0].twin
    assert diff_report.answer(worse).startswith(f"{question} Yes, on keras-jax: {twin}. 2 regressions")
    assert diff_report.text(worse, ("a", "b"), (old, new), False).startswith(f"{question} Yes, on keras-jax")
    assert diff_report.markdown(worse, ("a", "b"), (old, new), False).splitlines()[2].startswith(f"{question} Yes")
    same = diff.compare(old, copy.deepcopy(old))
    assert diff_report.answer(same).startswith(f"{question} No. None of")
    same.figures[0] = replace(same.figures[0], outcome="inconclusive")
    assert diff_report.answer(same).startswith(f"{question} Not shown. None of")


def test_a_faster_reference_is_no_regression_of_the_others(old):
    new = copy.deepcopy(old)
    for run in find(new, "bench", "torch")[0].result.process_runs:
        run.times["loop"] = [0.7 * seconds for seconds in run.times["loop"]]
    found = diff.compare(old, new)
    assert outcomes(found, "improvement") == {("torch", "loop")}
    assert outcomes(found, "moved") == {("keras-jax", "loop ratio")}
    assert found.exit_code() == 0


def test_a_lost_agreement_is_a_regression_with_its_rung_and_reason(old):
    new = copy.deepcopy(old)
    (lost,) = find(new, "check")
    lost.result.rungs = [*rungs()[:3], RungResult("gradients", "failed", message="conv1")]
    lost.status, lost.reason = "failed", "gradients: conv1.kernel is off"
    found = diff.compare(old, new)
    (figure,) = (f for f in found.figures if f.outcome == "regression")
    assert (figure.engine, figure.new, figure.why) == ("keras-jax", "broke at gradients", lost.reason)
    assert outcomes(diff.compare(new, old), "improvement") == {("keras-jax", "agreement")}

    lower = copy.deepcopy(new)
    find(lower, "check")[0].result.rungs = [RungResult("structure", "failed")]
    assert outcomes(diff.compare(new, lower), "regression") == {("keras-jax", "agreement")}
    find(lower, "check")[0].status, find(lower, "check")[0].result = "crashed", None
    assert outcomes(diff.compare(old, lower), "regression") == {("keras-jax", "agreement")}


@pytest.mark.parametrize(("error", "noise", "moved"), [(6e-6, 5.0, True), (6e-6, 0.5, False), (2.9e-6, 5.0, False)])
def test_an_error_moves_when_it_grows_tenfold_above_the_noise(old, error, noise, moved):
    new = copy.deepcopy(old)
    find(new, "check")[0].result.rungs = rungs(error, noise)
    found = diff.compare(old, new)
    both = {("keras-jax", "forward error"), ("keras-jax", "gradients error")}
    assert outcomes(found, "moved") == (both if moved else set())
    assert found.exit_code() == 0


def test_memory_that_grows_is_a_regression_and_a_first_step_only_moves(old):
    new = copy.deepcopy(old)
    for run in find(new, "bench")[0].result.process_runs:
        run.peak_memory_mib *= 1.3
        run.first_step *= 1.5
        run.import_seconds *= 1.15
    found = diff.compare(old, new)
    assert outcomes(found, "regression") == {("keras-jax", "memory")}
    assert outcomes(found, "moved") == {("keras-jax", "first step")}
    for scattered, run in zip(np.geomspace(0.1, 30, 10), find(new, "bench")[0].result.process_runs, strict=True):
        run.peak_memory_mib = 800 * scattered
    assert outcomes(diff.compare(old, new), "regression") == set()


@pytest.mark.parametrize("seeds", [range(8), range(100, 108)], ids=["paired", "unpaired"])
def test_an_accuracy_that_drops_by_more_than_the_margin_is_a_regression(old, seeds):
    new = copy.deepcopy(old)
    for each, seed in zip(find(new, "train"), seeds, strict=True):
        each.result.value, each.seed = each.result.value - 0.03, seed
    found = diff.compare(old, new)
    assert outcomes(found, "regression") == {("keras-jax", "accuracy")}
    assert outcomes(diff.compare(new, old), "improvement") == {("keras-jax", "accuracy")}
    for each in find(new, "train"):
        each.result.value += 0.015  # what is left is within the margin
    assert outcomes(diff.compare(old, new), "regression", "improvement") == set()


def test_a_lower_error_is_better_where_the_target_is_below_chance(old):
    new = copy.deepcopy(old)
    for each in [*find(old, "train"), *find(new, "train")]:
        each.result.target, each.result.chance = 0.04, 1.0
    for each in find(new, "train"):
        each.result.value -= 0.03
    assert outcomes(diff.compare(old, new), "improvement") == {("keras-jax", "accuracy")}


def test_few_seeds_are_shown_without_a_verdict(old):
    new = copy.deepcopy(old)
    for each in (old, new):
        each.measurements = [m for m in each.measurements if m.measure == "train" and m.seed < 4]
    for each in find(new, "train"):
        each.result.value -= 0.5
    found = diff.compare(old, new)
    assert outcomes(found, "no verdict") == {("keras-jax", "accuracy")}
    assert found.exit_code() == 0
    assert "No verdict" in diff_report.text(found, ("a", "b"), (old, new), False)


def test_a_seed_that_no_longer_trains_is_a_regression(old):
    new = copy.deepcopy(old)
    lost = find(new, "train")[0]
    lost.result.value, lost.status, lost.reason = math.nan, "failed", "loss became nan"
    found = diff.compare(old, new)
    assert outcomes(found, "regression") == {("keras-jax", "seeds that fail")}


@pytest.mark.parametrize("change", [{"cores": 4}, {"memory_gib": 16.0}, {"processor": "Xeon"}])
def test_speed_is_not_compared_across_machines_and_agreement_is(old, change):
    new = copy.deepcopy(old)
    new.machine = replace(new.machine, **change)
    for run in find(new, "bench")[0].result.process_runs:
        run.times["step"] = [2 * seconds for seconds in run.times["step"]]
    find(new, "check")[0].status, find(new, "check")[0].result = "failed", CheckResult()
    found = diff.compare(old, new)
    assert [line for line in found.not_compared if "two machines" in line] == found.not_compared
    assert len(found.not_compared) == 1
    assert not [f for f in found.figures if f.unit]
    assert outcomes(found, "regression") == {("keras-jax", "agreement")}


def test_what_was_measured_on_another_node_is_not_timed_against_it(old):
    new = copy.deepcopy(old)
    find(new, "bench")[0].node = Node("far", Machine(processor="Xeon", cores=64, memory_gib=256.0))
    found = diff.compare(old, new)
    assert {f.engine for f in found.figures if f.unit} == {"torch"}
    assert "EPYC and Xeon" in found.not_compared[0]


def test_versions_come_first_and_then_what_else_changed(old):
    new = copy.deepcopy(old)
    new.versions["keras-jax"] |= {"keras": "3.15.1", "python": "3.12.1"}
    new.versions["torch"] |= {"torch": "2.14.0", "keras": "3.15.1"}
    new.machine.governor = "powersave"
    new.settings |= {"threads": 2, "epochs": 3}
    new.code = "1" * 16
    changed = diff.compare(old, new).changed
    assert [(c.what, c.old, c.new) for c in changed] == [
        ("keras", "3.15.0", "3.15.1"),
        ("torch", "2.13.0", "2.14.0"),
        ("python", "3.11.9", "3.12.1"),
        ("governor", "unknown", "powersave"),
        ("settings: threads", "1", "2"),
        ("settings: epochs", "not set", "3"),
        ("twin-suite's code", "0" * 16, "1" * 16),
    ]
    assert changed[0].engines == ["torch", "keras-jax"]


def test_what_only_one_record_has_is_listed(old):
    new = copy.deepcopy(old)
    for each in new.measurements:
        if each.engine == "keras-jax":
            each.engine = "keras-torch"
        if each.measure == "train":
            each.twin = "vit"
    found = diff.compare(old, new)
    assert found.only_old == ["engine keras-jax", "train of lenet on torch"]
    assert found.only_new == ["twin vit", "engine keras-torch"]


def test_what_was_measured_once_only_is_told_and_nothing_in_common_is_exit_code_2(old):
    new = copy.deepcopy(old)
    for each in new.measurements:
        each.status, each.result = "not_run", None
    found = diff.compare(old, new)
    assert found.exit_code() == 2
    assert "check of lenet on torch: not run in NEW" in found.not_compared
    assert "Nothing could be compared" in diff_report.text(found, ("a", "b"), (old, new), False)


def test_what_neither_record_has_an_answer_for_is_not_the_same(old):
    for each in old.measurements:
        each.status, each.result = "crashed", None
    new = copy.deepcopy(old)
    for each in new.measurements:
        each.status = "timeout"
    found = diff.compare(old, new)
    assert found.figures == []
    assert found.exit_code() == 2
    assert "train of lenet on torch: crashed in OLD, timeout in NEW" in found.not_compared


@pytest.mark.parametrize("lose", ["ratios", "process runs", "steady"])
def test_times_without_a_noise_band_with_few_process_runs_or_no_steady_state_have_no_verdict(old, lose):
    new = copy.deepcopy(old)
    for each in find(new, "bench"):
        each.result.ratios = {} if lose == "ratios" else each.result.ratios
        each.result.process_runs = each.result.process_runs[: 3 if lose == "process runs" else 10]
        for run in each.result.process_runs:
            run.unsteady = ["step"] if lose == "steady" else []
            run.times["step"] = [3 * seconds for seconds in run.times["step"]]
    found = diff.compare(old, new)
    assert ("keras-jax", "step") in outcomes(found, "no verdict")
    assert outcomes(found, "regression") == set()


@pytest.mark.slow  # simulates many pairs of records
def test_noise_moves_at_most_one_figure_in_twenty():
    """200 pairs of records of the same code: 10 fresh processes each, which differ by 7%."""
    rng = np.random.default_rng(0)
    tally: dict[str, list[bool]] = {}
    for _ in range(200):
        found = diff.compare(record(benched(rng, SPREAD)), record(benched(rng, SPREAD)))
        for figure in found.figures:
            tally.setdefault(figure.name, []).append(figure.outcome == "regression")
    rates = {name: float(np.mean(each)) for name, each in tally.items()}
    assert len(tally) == 1 + 4 + 4 + 4
    assert max(rates.values()) <= 0.05, rates


def test_the_unpaired_interval_holds_what_it_says():
    """95% of the intervals hold the truth, for process runs of unequal number and spread."""
    rng = np.random.default_rng(3)
    hits = [
        (found := speed.unpaired(rng.normal(0.1, 0.07, 10), rng.normal(0, 0.03, 14))).low <= math.exp(0.1) <= found.high
        for _ in range(600)
    ]
    assert 0.92 <= np.mean(hits) <= 0.98
    assert speed.unpaired([0.1], [0.0]).high is None
    assert speed.unpaired([0.1, 0.1], [0.0, 0.0]).low == pytest.approx(math.exp(0.1))


def run(tmp_path, old, new, *options):
    for name, content in (("old.json", old), ("new.json", new)):
        (tmp_path / name).write_text(content if isinstance(content, str) else content.to_text())
    there = "" if Path.cwd() == tmp_path else f"{tmp_path}/"  # a path has no words to fold it at
    return CliRunner().invoke(app, ["diff", f"{there}old.json", f"{there}new.json", *options])


def test_the_command_prints_what_moved_in_eighty_columns(old, tmp_path, monkeypatch):
    new = copy.deepcopy(old)
    new.versions["keras-jax"]["keras"] = "3.16.0"
    for timed in find(new, "bench")[0].result.process_runs:
        timed.times["latency"] = [1.2 * seconds for seconds in timed.times["latency"]]
    lost = find(new, "check")[0]
    lost.status, lost.reason, lost.result = "failed", "forward: " + "conv1 is off " * 20, None
    for each in [*old.measurements, *new.measurements]:
        each.twin = "denoising_autoencoder"
        if each.engine == "keras-jax":
            each.engine = "keras-tensorflow:eager"
    monkeypatch.chdir(tmp_path)
    answer = run(tmp_path, old, new, "--md", "found.md")
    assert answer.exit_code == 1
    assert max(map(len, answer.stdout.splitlines()[3:])) <= 80
    assert "Regressions (3)" in answer.stdout
    assert "3 regressions; 25 figures did not move." in " ".join(answer.stdout.split())
    assert answer.stdout.index("3.16.0") < answer.stdout.index("Regressions")
    assert "| keras-tensorflow:eager | latency " in (tmp_path / "found.md").read_text()
    everything = run(tmp_path, old, new, "--all").stdout
    assert "Did not move (25)" in everything
    assert max(map(len, everything.splitlines()[3:])) <= 80

    found = json.loads(run(tmp_path, old, new, "--json", "-").stdout)
    assert found["counts"] == {"same": 25, "regression": 3}
    assert found["exit_code"] == 1
    assert found["figures"][0].keys() >= {"twin", "engine", "name", "old", "new", "change", "low", "high", "outcome"}
    assert found["changed"][0]["what"] == "keras"


def test_nothing_moved_is_exit_code_0_and_a_bad_record_2(old, tmp_path):
    answer = run(tmp_path, old, old)
    assert answer.exit_code == 0
    assert "None of 30 figures moved." in answer.stdout
    answer = run(tmp_path, old, json.dumps(to_plain(old) | {"schema": SCHEMA + 1}))
    assert answer.exception.exit_code == 2
    assert "upgrade twin-suite" in str(answer.exception)
    answer = run(tmp_path, old, old, "--md", "/dev/null/x.md")
    assert answer.exception.exit_code == 2


@pytest.mark.parametrize("times", [[], [0.0] * 8, [-1.0] * 8])
def test_times_that_are_none_are_left_out(old, times):
    new = copy.deepcopy(old)
    find(new, "bench")[0].result.process_runs[0].times["step"] = times
    found = diff.compare(old, new)
    assert ("keras-jax", "step") not in {(f.engine, f.name) for f in found.figures}
    assert ("torch", "step") in outcomes(found, "same")
