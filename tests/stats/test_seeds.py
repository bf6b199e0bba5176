"""Accuracy over seeds: the arithmetic of its verdicts."""

import math

import numpy as np
import pytest
from scipy import stats

from compare.report.learned import comparisons
from compare.stats import seeds as accuracy
from compare.stats.seeds import interquartile, paired, power, seeds_needed
from tests.helpers.seeds import around, compared, trained
from twin.catalogue import TWINS, find

MODELS = [twin for twin in TWINS.values() if twin.kind == "model"]
SIMULATED = 4000


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
    measurements, raw = [], {}
    for number, name in enumerate(("lenet", "mlp", "vgg", "vit")):
        theirs = np.full(12, 0.95)
        ours = theirs + around(0.0, 0.012 * (1 + 0.3 * number), 12, seed=number)
        raw[name] = paired(ours, theirs, 0.012).p
        measurements += [*trained(name, "keras-jax", ours, margin=0.012), *trained(name, "torch", theirs, margin=0.012)]
    measurements += [
        *trained("unet", "keras-jax", [0.7] * 4),
        *trained("unet", "torch", [0.71] * 4),
    ]  # too few: not counted
    found = {each.twin: each for each in comparisons(measurements)}
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


@pytest.mark.slow  # simulates
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
    theirs = np.full(11, metric.target)
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
    (found,) = comparisons(both)
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
    measurements = [*trained("lenet", "keras-jax", ours), *trained("lenet", "torch", theirs)]
    (found,) = comparisons(reversed(measurements))
    assert found.seeds == [0, 1, 2]
    assert found.differences == pytest.approx([0.01, -0.01, -0.02])
    assert (found.engine, found.against) == ("keras-jax", "torch")
    without = [measurement for measurement in measurements if measurement.engine != "torch"] + trained(
        "lenet", "keras-torch", theirs
    )
    (found,) = comparisons(without)
    assert (found.engine, found.against) == ("keras-torch", "keras-jax")
    assert comparisons(measurements[:4]) == []
    assert comparisons([]) == []


def test_a_training_that_diverged_counts_as_chance_and_one_that_was_not_measured_not_at_all():
    values = [0.95] * 11
    ours = trained("lenet", "keras-jax", values)
    ours[3].status, ours[3].result.value = "failed", math.inf
    ours[4].result.value = math.nan
    ours[5].status, ours[5].result = "crashed", None
    (found,) = comparisons([*ours, *trained("lenet", "torch", values)])
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


@pytest.mark.slow  # simulates
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
