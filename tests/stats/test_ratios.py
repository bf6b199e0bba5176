"""Speed as ratios: the arithmetic, and how often its verdicts are right."""

import math

import numpy as np
import pytest

from compare.stats import ratios as speed


def times(rng, factor, runs=10, loops=8, between=0.03, within=0.02):
    """Seconds by process run and loop: a factor, a share that each process has for life, and noise between loops."""
    lives = np.exp(between * rng.standard_normal((runs, 1)))
    return (factor * lives * np.exp(within * rng.standard_normal((runs, loops)))).tolist()


def test_a_ratio_is_the_mean_over_process_runs_of_the_median_log_ratio():
    ours = [[2.0, 2.0, 200.0], [8.0, 8.0, 8.0]]
    found = speed.ratio(ours, [[1.0, 1.0, 1.0]] * 2)
    assert found.estimate == pytest.approx(4.0)  # sqrt(2 * 8): the outlier of a loop does not count
    assert found.low < 4.0 < found.high
    assert found.process_runs == 2


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    ratios = [speed.ratio(times(rng, 1.2), times(rng, 1.0), seed) for seed in range(200)]
    covered = sum(found.low <= 1.2 <= found.high for found in ratios)
    assert 0.91 <= covered / 200 <= 0.99


def test_one_process_run_has_no_interval_and_no_verdict():
    found = speed.ratio([[1.0, 1.1]], [[1.0, 1.0]])
    assert (found.low, found.high) == (None, None)
    assert speed.noise_band(found) is None
    assert speed.judge(found, 0.03) == "none"


def test_times_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="same process runs and timed loops"):
        speed.ratio([[1.0, 1.0]], [[1.0]])
    with pytest.raises(ValueError, match="at least one"):
        speed.ratio([], [])


@pytest.mark.parametrize(
    ("low", "high", "band", "runs", "steady", "verdict"),
    [
        (1.05, 1.15, 0.03, 10, 1.0, "slower"),
        (0.85, 0.95, 0.03, 10, 1.0, "faster"),
        (0.98, 1.02, 0.03, 10, 1.0, "equal"),
        (1.05, 1.15, 0.08, 10, 1.0, "inconclusive"),  # the same code has been as far from itself
        (0.90, 1.30, 0.60, 10, 1.0, "inconclusive"),  # no band is so wide that this would be equal
        (1.05, 1.15, 0.03, 9, 1.0, "none"),
        (1.05, 1.15, 0.03, 10, 0.4, "unstable"),
    ],
)
def test_verdict(low, high, band, runs, steady, verdict):
    found = speed.Ratio(math.sqrt(low * high), low, high, runs)
    assert speed.judge(found, band, steady) == verdict


@pytest.mark.slow  # simulates
def test_the_same_code_is_seldom_called_different_and_a_tenth_is_called():
    rng = np.random.default_rng(1)
    verdicts = {"same": [], "slower": []}
    for seed in range(100):
        native, again = times(rng, 1.0), times(rng, 1.0)
        band = speed.noise_band(speed.ratio(again, native, seed))
        for kind, factor in (("same", 1.0), ("slower", 1.1)):
            verdicts[kind].append(speed.judge(speed.ratio(times(rng, factor), native, seed), band))
    assert sum(each in ("faster", "slower") for each in verdicts["same"]) <= 5
    assert verdicts["slower"].count("slower") >= 70
    assert "faster" not in verdicts["slower"]
