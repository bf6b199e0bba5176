"""What a report says of trainings over seeds. The records are made up."""

import numpy as np
import pytest

from compare.record.record import RunRecord
from compare.report import tables as report
from compare.report.learned import comparisons
from tests.helpers.seeds import around, trained
from twin.catalogue import TWINS, find


def of_seeds(twins, count, engines=("torch", "keras-tensorflow", "keras-jax")):
    rng = np.random.default_rng(8)
    more = {"provenance": "made here", "loss": {"loss": [1.0, 0.5]}}
    return [
        measurement
        for name in twins
        for engine in engines
        for measurement in trained(name, engine, find(name).metric.target + rng.normal(0, 1e-3, count), **more)
    ]


@pytest.mark.parametrize("count", [2, 11])
def test_the_report_over_seeds_fits_eighty_columns(count):
    names = [twin.name for twin in TWINS.values() if twin.kind == "model"]
    said = report.of_record(RunRecord("train", of_seeds(names, count), None))
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
    said = report.of_record(RunRecord("train", lenet, None), explain=True)
    rows = [line.split() for line in said.splitlines() if line.startswith("lenet")]
    assert rows[0] == ["lenet", "torch", "accuracy", "0.95", "0", "0.95", "11"]
    assert rows[1] == ["lenet", "keras-jax", "accuracy", "0.954", "0.004", "0.95", "11"]
    assert rows[3] == ["lenet", "keras-jax", "+0.004", "+0.002", "to", "+0.006", "0.012", "equal"]
    assert rows[4] == ["lenet", "keras-torch", "+0.000", "-0.022", "to", "+0.022", "0.012", "inconclusive"]
    assert "Holm's correction for 2 comparisons" in said
    more = comparisons(lenet)[1].more_seeds
    assert f"if they differ as these do: {more} more for lenet on\nkeras-torch." in said


def test_one_seed_is_reported_as_ever():
    said = report.of_record(RunRecord("train", of_seeds(["lenet"], 1), None))
    assert "No verdict: 1 seed, and a verdict takes 11" in " ".join(said.split())
    assert "90% interval" not in said
