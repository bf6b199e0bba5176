"""Margins of the line of progress: no finer than the noise of the test part."""

import math

import pytest

from twin import data
from twin.catalogue.line import QUICK_EPOCHS, TRAININGS, variants


@pytest.mark.parametrize("name", TRAININGS)
def test_the_lines_margin_is_no_finer_than_the_noise(name):
    training = TRAININGS[name]
    smallest = training.quick_options.get("test_count") or len(data.load(name, training.options).test["y"])
    assert QUICK_EPOCHS
    for twin in variants(name, quick=True):
        metric = twin.metric
        assert metric.margin >= math.sqrt(metric.target * (1 - metric.target) / smallest), twin.name
