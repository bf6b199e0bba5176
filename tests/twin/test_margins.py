"""Margins of the catalogue: no finer than the noise of the test part."""

import math

import pytest

from twin import data
from twin.catalogue import TWINS
from twin.catalogue.line import QUICK_EPOCHS, TRAININGS, variants

SHARES = (
    "accuracy",
    "localization_accuracy",
    "mean_mask_iou",
)  # of the test rows; a mean of at most 1 has no more noise


def test_no_margin_is_finer_than_the_noise_of_the_test_part_or_coarser_than_what_is_learned():
    rows = {}
    for twin in TWINS.values():
        if twin.kind != "model":
            continue
        metric, key = twin.metric, (twin.data, str(twin.data_options))
        if key not in rows:
            rows[key] = len(next(iter(data.load(twin.data, twin.data_options).test.values())))
        if metric.name in SHARES:
            assert metric.margin >= math.sqrt(metric.target * (1 - metric.target) / rows[key]), twin.name
        else:
            assert metric.margin == pytest.approx(metric.target / 10), twin.name
        assert metric.margin < abs(metric.target - metric.chance) / 5, twin.name


@pytest.mark.parametrize("name", TRAININGS)
def test_the_lines_margin_is_no_finer_than_the_noise(name):
    training = TRAININGS[name]
    smallest = training.quick_options.get("test_count") or len(data.load(name, training.options).test["y"])
    assert QUICK_EPOCHS
    for twin in variants(name, quick=True):
        metric = twin.metric
        assert metric.margin >= math.sqrt(metric.target * (1 - metric.target) / smallest), twin.name
