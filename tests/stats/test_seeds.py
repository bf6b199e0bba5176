"""Accuracy over seeds: the arithmetic of its verdicts, the catalogue's margins, the command line, the logs."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from compare.cli.arguments import seeds
from compare.engines.engine import ENGINES
from compare.record.cell import Cell
from compare.record.record import Record
from compare.report import tables as report
from compare.stats import seeds as accuracy
from compare.stats.seeds import interquartile, paired, power, seeds_needed
from compare.train import logs
from compare.train import run as training
from compare.worker.serve import Worker
from twin import data
from twin.catalogue import TWINS, find
from twin.catalogue.line import QUICK_EPOCHS, TRAININGS, variants
from twin.errors import TwinError
from twin.paths import ROOT

MODELS = [twin for twin in TWINS.values() if twin.kind == "model"]
SHARES = (
    "accuracy",
    "localization_accuracy",
    "mean_mask_iou",
)  # of the test rows; a mean of at most 1 has no more noise
SIMULATED = 4000


def trained(twin, engine, values, **changes):
    """Cells of `twin train` with those values, seed by seed."""
    metric = find(twin).metric
    result = {"metric": metric.name, "goal": metric.goal, "chance": metric.chance, "margin": metric.margin}
    return [
        Cell("train", twin, engine, "cpu", "float32", seed, "small", "ok", "", {**result, "value": value, **changes})
        for seed, value in enumerate(values)
    ]


def compared(ours, theirs, twin="lenet", engine="keras-jax"):
    """The comparison of such values of one engine against native PyTorch's."""
    (found,) = accuracy.compare_all([*trained(twin, engine, ours), *trained(twin, "torch", theirs)])
    return found


def around(mean, deviation, count, seed=0):
    """That many numbers whose mean and standard deviation are exactly these."""
    x = np.random.default_rng(seed).normal(size=count)
    return (mean + deviation * (x - x.mean()) / x.std(ddof=1)).tolist()


def twin(*arguments, cwd):
    command = [sys.executable, "-m", "compare.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=cwd, env=environment())


def environment():
    return os.environ | {"PYTHONPATH": os.fspath(ROOT)}


# The arithmetic


@pytest.mark.parametrize(("mean", "deviation", "count"), [(0.2, 1.0, 12), (-0.9, 0.3, 5), (1.5, 2.0, 30)])
def test_the_paired_tost_is_two_t_tests_of_the_differences(mean, deviation, count):
    theirs = np.random.default_rng(1).normal(0.9, 5, count)
    found = paired(theirs + around(mean, deviation, count), theirs, margin=1.0)
    error = deviation / math.sqrt(count)
    above = stats.t.sf((mean + 1.0) / error, count - 1)
    below = stats.t.cdf((mean - 1.0) / error, count - 1)
    assert found.p == pytest.approx(max(above, below))
    assert (found.mean, found.deviation) == pytest.approx((mean, deviation))
    reach = stats.t.ppf(0.95, count - 1) * error
    assert (found.low, found.high) == pytest.approx((mean - reach, mean + reach))


def test_the_tost_and_its_interval_say_the_same():
    for seed in range(200):
        found = paired(np.random.default_rng(seed).normal(0.3, 1.0, 11), np.zeros(11), margin=1.0)
        assert (found.p < 0.05) == (found.low > -1.0 and found.high < 1.0)


def test_holm_corrects_over_the_comparisons_that_get_a_verdict():
    cells, raw = [], {}
    for number, name in enumerate(("lenet", "mlp", "vgg", "vit")):
        theirs = np.full(12, 0.95)
        ours = theirs + around(0.0, 0.012 * (1 + 0.3 * number), 12, seed=number)
        raw[name] = paired(ours, theirs, 0.012).p
        cells += [*trained(name, "keras-jax", ours, margin=0.012), *trained(name, "torch", theirs, margin=0.012)]
    cells += [*trained("unet", "keras-jax", [0.7] * 4), *trained("unet", "torch", [0.71] * 4)]  # too few: not counted
    found = {each.twin: each for each in accuracy.compare_all(cells)}
    expected, last = {}, 0.0
    for rank, name in enumerate(sorted(raw, key=raw.get)):
        expected[name] = last = max(last, min(1.0, raw[name] * (len(raw) - rank)))
    assert {name: found[name].p for name in raw} == pytest.approx(expected)
    assert found["unet"].p is None
    uncorrected = {name for name in raw if raw[name] <= 0.05}
    corrected = {name for name in raw if found[name].verdict == "equal"}
    assert corrected == {name for name in raw if expected[name] <= 0.05}
    assert corrected < uncorrected  # an interval within the margin is not enough for every one of four


@pytest.mark.parametrize(("deviation", "count"), [(0.5, 4), (1.0, 11), (2.0, 36)])
def test_the_powers_of_the_method_are_reached(deviation, count):
    assert seeds_needed(deviation, 0.0, margin=1.0) == count
    assert power(count - 1, deviation, 0.0, 1.0) < 0.8 <= power(count, deviation, 0.0, 1.0)


@pytest.mark.parametrize(("count", "deviation", "difference"), [(4, 0.5, 0.0), (11, 1.0, 0.3), (15, 0.6, 1.4)])
def test_the_power_is_the_share_of_simulated_experiments_with_a_verdict(count, deviation, difference):
    x = np.random.default_rng(2).normal(difference, deviation, (count, 40_000))
    reach = stats.t.ppf(0.95, count - 1) * x.std(0, ddof=1) / math.sqrt(count)
    equal, parted = abs(x.mean(0)) + reach < 1, abs(x.mean(0)) - reach > 1
    assert power(count, deviation, difference, 1.0) == pytest.approx((equal | parted).mean(), abs=0.01)


def test_a_difference_at_the_margin_needs_more_seeds_than_there_are():
    assert seeds_needed(1.0, 1.0, margin=1.0) is None
    assert seeds_needed(0.0, 1.0, margin=1.0) is None
    assert seeds_needed(0.0, 0.9, margin=1.0) == 2


@pytest.mark.parametrize("true", [0.012, -0.012])
def test_at_most_one_in_twenty_is_called_equal_at_the_margin(true):
    """A true difference of exactly the margin is the hardest that is not equal; 4000 simulated experiments."""
    theirs = np.random.default_rng(3).normal(0.95, 0.01, (SIMULATED, 11))
    ours = theirs + np.random.default_rng(4).normal(true, 0.006, theirs.shape)
    found = [paired(*pair, margin=0.012) for pair in zip(ours, theirs, strict=True)]
    chance = 2.33 * math.sqrt(0.05 * 0.95 / SIMULATED)
    assert np.mean([each.p <= 0.05 for each in found]) <= 0.05 + chance
    assert np.mean([each.low > 0.012 or each.high < -0.012 for each in found]) <= 0.05 + chance
    assert np.mean([each.p <= 0.05 for each in found]) >= 0.03  # and not for want of trying


def test_verdicts_on_simulated_trainings():
    """Through the whole of compare_all: what is equal is found to be, and what is as far as the margin is not."""
    rng = np.random.default_rng(5)
    margin = find("lenet").metric.margin
    said = {0.0: [], 1.0: [], 2.5: []}
    for true, verdicts in said.items():
        for _ in range(300):
            theirs = rng.normal(0.95, 0.01, 11)
            verdicts.append(compared(theirs + margin * rng.normal(true, 0.85, 11), theirs).verdict)
    assert np.mean([verdict == "equal" for verdict in said[0.0]]) > 0.85
    assert np.mean([verdict == "equal" for verdict in said[1.0]]) <= 0.05 + 2.33 * math.sqrt(0.05 * 0.95 / 300)
    assert np.mean([verdict == "better" for verdict in said[2.5]]) > 0.95
    assert not {"worse", "none"} & {verdict for verdicts in said.values() for verdict in verdicts}


@pytest.mark.parametrize(
    ("name", "sign", "verdict"),
    [("lenet", 1, "better"), ("lenet", -1, "worse"), ("gan", 1, "worse"), ("gan", -1, "better")],
)
def test_better_and_worse_mind_which_way_the_metric_goes(name, sign, verdict):
    metric = find(name).metric
    theirs = np.full(11, metric.goal)
    found = compared(theirs + around(sign * 2 * metric.margin, 0.5 * metric.margin, 11), theirs, name)
    assert found.verdict == verdict
    assert found.more_seeds == 0
    assert (found.mean > 0) == (sign > 0)


def test_the_tiers():
    margin = find("lenet").metric.margin
    theirs = np.full(12, 0.95)
    ours = theirs + around(0.0, 0.4 * margin, 12)
    one = compared(ours[:1], theirs[:1])
    assert (one.verdict, one.low, one.high, one.p, one.more_seeds) == ("none", None, None, None, None)
    assert one.differences == [one.mean]
    for count in (2, 5, 10):
        few = compared(ours[:count], theirs[:count])
        assert (few.verdict, few.p) == ("none", None)
        assert few.low < few.mean < few.high
        assert few.more_seeds >= 11 - count
    for count in (11, 12):
        enough = compared(ours[:count], theirs[:count])
        assert (enough.verdict, enough.more_seeds) == ("equal", 0)
        assert enough.p < 0.05


def test_an_open_verdict_says_how_many_seeds_it_takes_and_they_are_enough():
    margin = find("lenet").metric.margin
    theirs = np.full(11, 0.95)
    found = compared(theirs + around(0.3 * margin, 1.5 * margin, 11), theirs)
    assert found.verdict == "inconclusive"
    assert 1 < found.more_seeds < 100
    enough = 11 + found.more_seeds
    assert power(enough - 1, 1.5 * margin, 0.3 * margin, margin) < 0.8
    assert power(enough, 1.5 * margin, 0.3 * margin, margin) >= 0.8
    at_the_margin = compared(theirs + around(margin, margin, 11), theirs)
    assert (at_the_margin.verdict, at_the_margin.more_seeds) == ("inconclusive", None)


@pytest.mark.parametrize("name", ["lenet", "dqn"])
@pytest.mark.parametrize(
    ("difference", "verdict"), [(0.0, "equal"), (0.5, "equal"), (-2.0, "worse"), (1.0, "inconclusive")]
)
def test_differences_without_any_spread(name, difference, verdict):
    """Warnings are errors here: nothing may divide by the spread."""
    metric = find(name).metric
    theirs = np.full(11, 256.0 if name == "dqn" else 0.5)  # with margins of 30 and 2**-6 the differences are exact
    margin = metric.margin if name == "dqn" else 2**-6
    both = [
        *trained(name, "keras-jax", theirs + difference * margin, margin=margin),
        *trained(name, "torch", theirs, margin=margin),
    ]
    (found,) = accuracy.compare_all(both)
    assert found.verdict == verdict
    assert found.low == found.mean == found.high == difference * margin
    assert not math.isnan(found.p)
    assert found.more_seeds == (None if verdict == "inconclusive" else 0)


def test_differences_that_are_equal_but_for_their_last_bit():
    theirs = np.linspace(0.9, 0.99, 11)
    found = compared(theirs + 1 / 359, theirs)
    assert found.verdict == "equal"
    assert found.low == pytest.approx(1 / 359)


def test_seeds_are_paired_whatever_their_order_and_only_those_of_both_count():
    ours, theirs = [0.96, 0.91, 0.95, 0.99], [0.95, 0.92, 0.97]
    cells = [*trained("lenet", "keras-jax", ours), *trained("lenet", "torch", theirs)]
    (found,) = accuracy.compare_all(reversed(cells))
    assert found.seeds == [0, 1, 2]
    assert found.differences == pytest.approx([0.01, -0.01, -0.02])
    assert (found.engine, found.against) == ("keras-jax", "torch")
    without = [cell for cell in cells if cell.engine != "torch"] + trained("lenet", "keras-torch", theirs)
    (found,) = accuracy.compare_all(without)
    assert (found.engine, found.against) == ("keras-torch", "keras-jax")
    assert accuracy.compare_all(cells[:4]) == []
    assert accuracy.compare_all([]) == []


def test_a_training_that_diverged_counts_as_chance_and_one_that_was_not_measured_not_at_all():
    values = [0.95] * 11
    ours = trained("lenet", "keras-jax", values)
    ours[3].status, ours[3].result["value"] = "failed", None
    ours[4].result["value"] = math.nan
    ours[5].status, ours[5].result = "crashed", {}
    (found,) = accuracy.compare_all([*ours, *trained("lenet", "torch", values)])
    assert found.seeds == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert found.differences[3] == found.differences[4] == pytest.approx(0.1 - 0.95)
    assert found.verdict == "none"


def test_returns_are_compared_by_their_interquartile_mean():
    rng = np.random.default_rng(6)
    theirs = rng.normal(300, 10, 12)
    ours = theirs + rng.normal(0, 3, 12)
    ours[0] = 20.0  # one run that failed
    found = compared(ours, theirs, "dqn")
    middle = [np.sort(side)[3:9].mean() for side in (ours, theirs)]
    assert found.mean == pytest.approx(middle[0] - middle[1])
    assert found.verdict == "equal"
    assert paired(ours, theirs, 30.0).p > 0.05  # which the mean would not show
    assert accuracy.centre("mean_return", ours) == pytest.approx(middle[0])
    assert accuracy.centre("accuracy", ours) == pytest.approx(np.mean(ours))
    assert interquartile(ours, theirs, 30.0) == interquartile(ours, theirs, 30.0)


def test_the_interval_of_returns_is_scipys_percentile_bootstrap_stretched_for_few_runs():
    rng = np.random.default_rng(9)
    theirs, ours = rng.gamma(2, 15, 12), rng.gamma(2, 15, 12)
    difference = lambda a, b, axis: stats.trim_mean(a, 0.25, axis) - stats.trim_mean(b, 0.25, axis)
    drawn = {"n_resamples": 9999, "confidence_level": 0.9, "method": "percentile", "random_state": 1}
    plain = stats.bootstrap((ours, theirs), difference, paired=True, **drawn).confidence_interval
    found = interquartile(ours, theirs, 30.0)
    stretch = math.sqrt(12 / 11) * stats.t.ppf(0.95, 11) / stats.norm.ppf(0.95)  # 1.14
    assert found.high - found.low == pytest.approx(stretch * (plain.high - plain.low), rel=0.06)


@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_interquartile_means_that_differ_by_the_margin_are_seldom_called_equal(shape):
    rng = np.random.default_rng(7)
    draw = (lambda: rng.normal(0, 20, 11)) if shape == "normal" else (lambda: rng.gamma(2, 15, 11))
    found = [interquartile(300 + draw() + 30, 300 + draw(), 30.0) for _ in range(400)]
    bound = 0.05 + 2.33 * math.sqrt(0.05 * 0.95 / 400)
    assert np.mean([each.p <= 0.05 for each in found]) <= bound
    assert np.mean([each.low > 30 for each in found]) <= bound
    assert np.mean([each.low <= 30 <= each.high for each in found]) >= 0.9 - 2.33 * math.sqrt(0.09 / 400)
    for each in found:
        assert (each.p <= 0.05) == (each.low > -30 and each.high < 30)


# What the catalogue declares


def test_no_margin_is_finer_than_the_noise_of_the_test_part_or_coarser_than_what_is_learned():
    rows = {}
    for twin in MODELS:
        metric, key = twin.metric, (twin.data, str(twin.data_options))
        if key not in rows:
            rows[key] = len(next(iter(data.load(twin.data, twin.data_options).test.values())))
        if metric.name in SHARES:
            assert metric.margin >= math.sqrt(metric.goal * (1 - metric.goal) / rows[key]), twin.name
        else:
            assert metric.margin == pytest.approx(metric.goal / 10), twin.name
        assert metric.margin < abs(metric.goal - metric.chance) / 5, twin.name


@pytest.mark.parametrize("name", TRAININGS)
def test_the_lines_margin_is_no_finer_than_the_noise(name):
    training = TRAININGS[name]
    smallest = training.quick_options.get("test_count") or len(data.load(name, training.options).test["y"])
    assert QUICK_EPOCHS
    for twin in variants(name, quick=True):
        metric = twin.metric
        assert metric.margin >= math.sqrt(metric.goal * (1 - metric.goal) / smallest), twin.name


# Planning and pairing


def test_a_plan_has_a_cell_per_twin_engine_and_seed_and_keeps_pairs_together():
    engines = [ENGINES["torch"], ENGINES["keras-jax"]]
    cells = training.plan([find("mlp"), find("pooling")], engines, "cpu", [3, 5])
    assert [(c.twin, c.seed, c.engine, c.status) for c in cells] == [
        ("mlp", 3, "torch", "not_run"),
        ("mlp", 3, "keras-jax", "not_run"),
        ("mlp", 5, "torch", "not_run"),
        ("mlp", 5, "keras-jax", "not_run"),
        ("pooling", 3, "torch", "skipped"),
        ("pooling", 3, "keras-jax", "skipped"),
    ]
    assert len({cell.key for cell in cells}) == len(cells)


def test_the_order_of_the_batches_is_the_seeds_alone():
    def orders(seed):
        kept = []
        worker = Worker.__new__(Worker)  # but for the framework
        worker.run, worker.send = SimpleNamespace(twin=find("mlp"), seed=seed), lambda message: None
        worker.train = SimpleNamespace(
            prepare=lambda run, steps: None,
            fit=lambda run, train, orders, report: kept.extend(orders),
            synchronize=lambda: None,
            predict=lambda run, x: {"y": np.zeros((len(x), 10))},
        )
        rows = worker.fit(2, "digits", {"flat": True})["rows"]
        assert [sorted(order) for order in kept] == [list(range(rows))] * 2
        return np.array(kept)

    np.testing.assert_array_equal(orders(3), orders(3))
    assert (orders(3) != orders(4)).any()


@pytest.mark.parametrize(
    ("first", "text", "expected"),
    [(None, "1", [0]), (7, "1", [7]), (7, "3", [7, 8, 9]), (None, "3,5,8", [3, 5, 8]), (None, " 8, 3 ", [8, 3])],
)
def test_seeds_are_a_number_or_a_list(first, text, expected):
    assert seeds(first, text) == expected


@pytest.mark.parametrize(
    ("first", "text", "says"),
    [
        (None, "0", "--seeds 0: expected 1 to 1000 seeds"),
        (None, "1001", "expected 1 to 1000 seeds"),
        (None, "-3", "--seeds '-3': expected a number of seeds"),
        (None, "2.5", "--seeds '2.5': expected a number of seeds"),
        (None, "", "--seeds '': expected a number of seeds"),
        (None, "3,", "--seeds '3,': expected a number of seeds"),
        (None, "²", "expected a number of seeds"),
        (None, "3,5,5", "--seeds 3,5,5: 5 is named twice"),
        (0, "3,5", "--seed 0 and --seeds 3,5 clash"),
        (2**32 - 1, "2", "seed 4294967296 is too large"),
    ],
)
def test_seeds_that_clash_or_are_none_are_refused_in_one_line(first, text, says):
    with pytest.raises(TwinError, match=re.escape(says)) as refused:
        seeds(first, text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "mlp", "--seeds", "3,5,5"], "5 is named twice"),
        (["compare", "mlp", "--seed", "0", "--seeds", "3,5"], "clash"),
        (["train", "mlp", "--log", "mlflow"], "--log"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, says, tmp_path):
    answer = twin(*arguments, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert says in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


# Reports


def of_seeds(twins, count, engines=("torch", "keras-tensorflow", "keras-jax")):
    rng = np.random.default_rng(8)
    more = {"provenance": "made here", "loss": {"loss": [1.0, 0.5]}, "seconds": 1.0}
    return [
        cell
        for name in twins
        for engine in engines
        for cell in trained(name, engine, find(name).metric.goal + rng.normal(0, 1e-3, count), **more)
    ]


@pytest.mark.parametrize("count", [2, 11])
def test_the_report_over_seeds_fits_eighty_columns(count):
    names = [twin.name for twin in MODELS]
    said = report.of_record(Record("train", of_seeds(names, count), None).to_json())
    assert max(map(len, said.splitlines())) <= 80
    assert ("verdict: that takes 11" in said) == (count == 2)
    assert (" equal\n" in said) == (count == 11)
    assert "seconds of one run" not in said


def test_the_report_over_seeds_gives_mean_spread_interval_and_verdict():
    theirs = np.full(11, 0.95)
    lenet = [
        *trained("lenet", "torch", theirs),
        *trained("lenet", "keras-jax", theirs + around(0.004, 0.004, 11)),
        *trained("lenet", "keras-torch", theirs + around(-0.0001, 0.04, 11)),
    ]
    said = report.of_record(Record("train", lenet, None).to_json())
    rows = [line.split() for line in said.splitlines() if line.startswith("lenet")]
    assert rows[0] == ["lenet", "torch", "accuracy", "0.95", "0", "0.95", "11"]
    assert rows[1] == ["lenet", "keras-jax", "accuracy", "0.954", "0.004", "0.95", "11"]
    assert rows[3] == ["lenet", "keras-jax", "+0.004", "+0.002", "to", "+0.006", "0.012", "equal"]
    assert rows[4] == ["lenet", "keras-torch", "+0.000", "-0.022", "to", "+0.022", "0.012", "inconclusive"]
    assert "Holm's correction for 2 comparisons" in said
    more = accuracy.compare_all(lenet)[1].more_seeds
    assert f"as they differ here: {more} for lenet on\nkeras-torch." in said


def test_one_seed_is_reported_as_ever():
    said = report.of_record(Record("train", of_seeds(["lenet"], 1), None).to_json())
    assert "One seed: no verdict" in said
    assert "verdict " not in said.replace("no verdict", "")


# Whole runs


def test_two_seeds_are_paired_logged_saved_and_taken_over(tmp_path):
    command = "train", "mlp", "--engine", "torch", "--engine", "keras-torch", "--epochs", "1"
    answer = twin(*command, "--seeds", "2", "--log", "tensorboard", "--save", "saved", "--json", "f.json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "2 seeds give no verdict" in answer.stdout
    found = json.loads((tmp_path / "f.json").read_text())["cells"]
    assert [(cell["seed"], cell["engine"]) for cell in found] == [
        (seed, engine) for seed in (0, 1) for engine in ("torch", "keras-torch")
    ]
    losses = {(cell["seed"], cell["engine"]): cell["loss"]["loss"][0] for cell in found}
    for seed in (0, 1):  # the same weights, the same batches
        assert losses[seed, "torch"] == pytest.approx(losses[seed, "keras-torch"], rel=1e-4)
    assert losses[0, "torch"] != pytest.approx(losses[1, "torch"], rel=1e-3)
    assert {cell["margin"] for cell in found} == {find("mlp").metric.margin}
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {
        f"mlp-{engine}-seed{seed}.safetensors" for engine in ("torch", "keras-torch") for seed in (0, 1)
    }

    (record,) = (tmp_path / "runs").glob("train-*.json")
    logged = tmp_path / "runs" / "tensorboard" / record.stem / "mlp"
    scalars = read_back(*(logged / cell["engine"] / f"seed{cell['seed']}" for cell in found))
    for cell, curves in zip(found, scalars, strict=True):
        assert curves == {
            "loss/loss": [(1, pytest.approx(cell["loss"]["loss"][0]))],
            "accuracy": [(1, pytest.approx(cell["value"]))],
        }

    again = twin(*command, "--seeds", "2", "--resume", str(record), cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "4 of 4 cells taken over" in again.stderr
    assert again.stdout == answer.stdout
    fewer = twin(*command, "--resume", str(record), cwd=tmp_path)
    assert fewer.returncode == 2
    assert "with seed 1 is in it and not in this run" in fewer.stderr
    assert json.loads(record.read_text())["cells"] == found


def read_back(*places: Path) -> list[dict[str, list[tuple[int, float]]]]:
    """Per folder tag -> step and value, as TensorBoard itself reads the folder's one event file."""
    script = (
        "import json, sys, tensorboard.compat\n"
        "sys.modules['tensorboard.compat.notf'] = tensorboard.compat  # its own way to do without TensorFlow\n"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "every = [EventAccumulator(place).Reload() for place in sys.argv[1:]]\n"
        "curve = lambda events, tag: [(each.step, each.value) for each in events.Scalars(tag)]\n"
        "print(json.dumps([{tag: curve(one, tag) for tag in one.Tags()['scalars']} for one in every]))"
    )
    command = [sys.executable, "-c", script, *places]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return [{tag: [tuple(pair) for pair in pairs] for tag, pairs in one.items()} for one in json.loads(said)]


def test_an_interrupted_training_keeps_its_finished_seeds(tmp_path):
    command = [sys.executable, "-m", "compare.cli", "train", "mlp", "--engine", "torch", "--epochs", "1"]
    process = subprocess.Popen(
        [*command, "--seeds", "1000"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        records = list((tmp_path / "runs").glob("train-*.json"))
        if records and '"ok"' in records[0].read_text():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    table, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert b"go on with --resume" in said
    assert b"Traceback" not in said
    assert b"0.95" in table
    statuses = [cell["status"] for cell in json.loads(records[0].read_text())["cells"]]
    done = statuses.count("ok")
    assert done >= 1
    assert statuses == ["ok"] * done + ["not_run"] * (1000 - done)


def test_nothing_trained_is_exit_code_3_over_seeds_too(tmp_path):
    assert twin("train", "pooling", "--engine", "torch", "--seeds", "3", cwd=tmp_path).returncode == 3


# Logs


def test_a_log_for_wandb_is_written_offline_and_none_imports_a_framework(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    script = (
        "import sys, pathlib\n"
        "from compare.train import logs\n"
        "from compare.record.cell import Cell\n"
        "cell = Cell('train', 'mlp', 'keras-torch:compile', 'cpu', 'float32', 3, 'small')\n"
        "for kind in ('wandb', 'tensorboard'):\n"
        "    with logs.Log(kind, pathlib.Path('there')).open(cell) as write:\n"
        "        write({'loss/loss': 0.25}, 1)\n"
        "        write({'accuracy': 0.5}, 1)\n"
        "assert not {'torch', 'tensorflow', 'keras', 'jax'} & sys.modules.keys()"
    )
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == ""
    (file,) = (tmp_path / "there").rglob("offline-run-*/run-*.wandb")
    content = file.read_bytes()
    assert b"mlp-keras-torch:compile-seed3" in content
    assert b"loss/loss" in content
    assert b"accuracy" in content


def test_a_log_for_tensorboard_is_there_before_the_training_ends(tmp_path):
    cell = Cell("train", "mlp", "keras-torch:compile", "cpu", "float32", 3, "small")
    with logs.Log("tensorboard", tmp_path).open(cell) as write:
        write({"loss/generator": 2.0, "loss/discriminator": 0.5}, 1)
        scalars = read_back(tmp_path / "mlp" / "keras-torch-compile" / "seed3")
    assert scalars == [{"loss/generator": [(1, 2.0)], "loss/discriminator": [(1, 0.5)]}]


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_a_missing_extra_is_named(kind, monkeypatch):
    logs.require(kind)
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(TwinError, match=re.escape(f"pip install 'twin-suite[{kind}]'")):
        logs.require(kind)


def test_a_log_that_cannot_be_written_is_one_line():
    cell = Cell("train", "mlp", "torch", "cpu", "float32", 0, "small")
    with (
        pytest.raises(TwinError, match=r"--log tensorboard: cannot write to /dev/null\S*: Not a directory; .*--out"),
        logs.Log("tensorboard", Path("/dev/null/there")).open(cell),
    ):
        pass
