"""The corpus of planted defects: what is detected, located and explained."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from compare.engines.engine import ROOT
from twin.differences import ROWS

pytestmark = [pytest.mark.framework, pytest.mark.long]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Every pair, examined in one process on Keras's torch backend."""
    out = tmp_path_factory.mktemp("pairs") / "pairs.json"
    command = [sys.executable, "tests/helpers/pairs.py", "--seeds", "4", "--json", str(out), "--quiet"]
    env = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=900)
    assert answer.returncode == 0, answer.stderr
    return json.loads(out.read_text())


def test_there_are_at_least_120_pairs_of_30_kinds(corpus):
    assert len(corpus["pairs"]) >= 120
    assert len({name.split("-", 1)[1] for name in corpus["pairs"]}) >= 30
    assert {row["style"] for row in corpus["pairs"].values()} == {"functional", "sequential", "subclassed"}


def test_rates_of_the_planted_defects(corpus):
    detected, located, explained = np.array([row["marks"] for row in corpus["pairs"].values()]).mean(0)
    missed = [name for name, row in corpus["pairs"].items() if not all(row["marks"])]
    assert (detected >= 0.99, located >= 0.95, explained >= 0.9) == (True, True, True), missed


def test_equal_pairs_raise_no_alarm(corpus):
    assert corpus["equal"] == 16
    assert corpus["alarms"] == []


def test_a_cause_is_a_measurement(corpus):
    for name, row in corpus["pairs"].items():
        after = row["evidence"]["after"]
        assert after is None or after <= 1e-5 or row["rung"] == "statistics", name


def test_a_cause_that_is_catalogued_points_to_the_catalogue(corpus):
    causes = {row["cause"] for row in corpus["pairs"].values()}
    assert len(causes & set(ROWS)) >= 10
