"""References that an engine is behind with lie in files: an engine that is far ahead fills no memory with them."""

import gc
from collections import Counter

import numpy as np
import pytest

from compare.check import climb, ladder
from compare.check import run as check
from compare.check.reference import Reference
from compare.engines import guard
from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from compare.record.measurement import CheckMeasurement
from twin.catalogue import find


class Computed(check.References):
    """References that cost nothing to compute: of ones, or a failure."""

    def _compute(self, measurement):
        if measurement.twin == "broken":
            return WorkerFailed("crashed", "no")
        return Reference([], set(), {"w": np.full(1000, measurement.seed, np.float32)}, {}, {})


def measurement(seed, twin="mlp"):
    return CheckMeasurement(twin, "torch", "cpu", "float32", seed, "small")


@pytest.fixture
def references():
    uses = Counter({("mlp", seed, "small"): 2 for seed in range(30)} | {("broken", 0, "small"): 2})
    yield Computed(Pool(Settings()), ENGINES["torch"], uses)
    guard.end()


def test_an_engine_that_is_far_ahead_leaves_its_references_to_others_in_files(references):
    for seed in range(30):
        assert references.get(measurement(seed)).weights["w"][0] == seed
        references.release(measurement(seed))
    gc.collect()
    assert len(references.in_use) == 0
    files = list(references.computed.values())  # not all of the folder: another run of this process has its own there
    assert len(files) == 30
    assert all(file.exists() for file in files)
    for seed in range(30):
        found = references.get(measurement(seed))
        assert references.get(measurement(seed)) is found, "engines that are beside each other share one"
        np.testing.assert_array_equal(found.weights["w"], np.full(1000, seed, np.float32))
        references.release(measurement(seed))
    assert not any(file.exists() for file in files)


def test_a_reference_that_cannot_be_put_aside_stays_in_memory(references, monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(guard, "folder", full)
    references.get(measurement(3))
    gc.collect()
    assert references.get(measurement(3)).weights["w"][0] == 3


def test_a_reference_that_failed_is_no_ones_to_compare_with(references):
    for _ in range(2):
        with pytest.raises(WorkerFailed, match="the reference: no"):
            references.get(measurement(0, "broken"))


def test_layers_that_the_reference_did_not_keep_are_not_asked_for():
    """At the published size all layers' values are gigabytes, and nothing is there to compare them with."""
    failed = ladder.broken("forward", "outputs differ")
    reference = Reference([], set(), {}, {}, {})
    found = climb._with_first_difference(failed, None, reference, ladder.Limits(False, {}), find("mlp"))  # no model
    assert found is failed
