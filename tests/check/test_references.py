"""References that an engine is behind with lie in files: an engine that is far ahead fills no memory with them."""

import gc
import threading
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from compare.check import climb, ladder, reference
from compare.check import run as check
from compare.check.reference import SNAPSHOTS, Reference
from compare.engines import guard
from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from compare.record.measurement import CheckMeasurement
from compare.record.record import RunRecord
from twin import batches, data
from twin.catalogue import TWINS, find


class Computed(check.References):
    """References that cost nothing to compute: of ones, or a failure."""

    def _compute(self, measurement):
        if measurement.twin == "broken":
            return WorkerFailed("crashed", "no")
        if measurement.twin == "lenet":
            return Reference([], set(), {}, {}, {}, folder=guard.folder())
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


@pytest.mark.parametrize("times", [1, 2])
def test_what_a_reference_keeps_in_files_goes_with_it(references, times):
    references.uses["lenet", 0, "small"] = times
    folder = references.get(measurement(0, "lenet")).folder
    for _ in range(times):
        assert folder.exists()
        references.release(measurement(0, "lenet"))
    assert not folder.exists()


def test_engines_that_try_again_share_the_second_reference_too(references, monkeypatch):
    computed, compute = [], references._compute
    monkeypatch.setattr(references, "_compute", lambda each: computed.append(each.seed) or compute(each))
    status = {0: "failed", check.SECOND_TRY: "ok"}
    monkeypatch.setattr(check, "climb", lambda _, __, each, ___: [ladder.Rung("trajectory", status[each.seed])])
    hello = SimpleNamespace(versions={}, device="cpu")
    started = SimpleNamespace(closed=False, hello=hello, close=lambda: None)
    monkeypatch.setattr(references.pool, "start", lambda *_: started)
    both = check.plan([find("mlp")], [ENGINES["torch"], ENGINES["keras-torch"]], "cpu", 0, "small")
    record = RunRecord("test", both, None)
    for each in both:
        check.EngineChecks(ENGINES[each.engine], [each], record, references, references.pool, lambda *_: None).run()
        assert bool(references.computed) is (each is not both[-1])  # kept for who may need it, and no longer
    assert [(each.status, each.result.repeated_with_seed) for each in both] == 2 * [("ok", check.SECOND_TRY)]
    assert computed == [0, check.SECOND_TRY]


def test_an_engine_gets_what_is_computed_while_another_reference_is_computed(references, monkeypatch):
    compute, begun, go_on = references._compute, threading.Event(), threading.Event()

    def slowly(each):
        begun.set()
        assert go_on.wait(60)
        return compute(each)

    references.get(measurement(0))
    monkeypatch.setattr(references, "_compute", slowly)
    other = threading.Thread(target=references.get, args=(measurement(1),))
    other.start()
    assert begun.wait(60)
    ahead = threading.Thread(target=lambda: (references.get(measurement(0)), references.release(measurement(0))))
    ahead.start()
    ahead.join(30)
    waited = ahead.is_alive()
    go_on.set()
    other.join()
    ahead.join()
    assert not waited


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
    known = Reference([], set(), {}, {}, {})
    found = climb._with_first_difference(failed, None, known, ladder.Limits(False, {}), find("mlp"))  # no model
    assert found is failed


@pytest.fixture
def session():
    """With a worker that takes transfer_learning for one Linear layer."""
    pool = Pool(Settings())
    yield pool.start(replace(ENGINES["torch"], packages=(), module="tests.helpers.fake_model"), "cpu")
    pool.close()


def test_batches_of_a_worker_are_those_that_its_generator_would_draw_here(session):
    """Also where it draws again, and after those of another twin."""
    here, there = np.random.default_rng(3), np.random.default_rng(3)
    for twin in map(find, ("transfer_learning", "transfer_learning", "mlp", "transfer_learning")):
        wanted = batches.make_batches(twin, twin.ladder_arguments("small"), "small", here)
        found = session.make_batches(twin.name, "small", there)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array, strict=True)
    assert here.random() == there.random()
    found = session.exercise_inputs("pooling")
    for name, array in batches.exercise_inputs(find("pooling")).items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_a_reference_holds_no_data_and_no_weights_that_no_rung_compares(session, monkeypatch):
    """What is made of a data set and thrown away, and four of five snapshots, were most of the memory of a check."""

    def loaded(*_):
        raise AssertionError("data was loaded in this process")

    monkeypatch.setattr(data, "load", loaded)
    found = reference.of_model(session, find("transfer_learning"), "small", 0, with_steps=True)
    last = reference.comparable_step(found)
    kept = {f"weights/{step}" for step in (SNAPSHOTS[0], last)}
    assert {part for part in found.values if part.startswith("weights/")} == kept
    assert {part for part in found.noise if part.startswith("weights/")} == kept
    assert last == max(SNAPSHOTS)
    assert sorted(file.name for file in found.folder.iterdir()) == ["inference", "training"]
    failed = ladder.broken("forward", "outputs differ")
    (found.folder / "inference").unlink()
    assert climb._with_first_difference(failed, None, found, ladder.Limits(False, {}), find("mlp")) is failed


@pytest.mark.parametrize(
    ("twins", "workers"),
    [
        (check.MANY - 1, [("torch", {"float32"}), ("keras-tensorflow", {"float32", "float64"})]),
        (check.MANY, [("torch", {"float32"}), ("keras-tensorflow", {"float32"}), ("keras-tensorflow", {"float64"})]),
    ],
)
def test_float64_has_a_worker_of_its_own_where_many_twins_are_checked(twins, workers, monkeypatch):
    made = []

    class Noted(check.EngineChecks):
        def run(self):
            made.append((self.engine.name, {each.dtype for each in self.measurements}))

    monkeypatch.setattr(check, "EngineChecks", Noted)
    engines = [ENGINES[name] for name in ("torch", "keras-tensorflow")]
    planned = check.plan(list(TWINS.values())[:twins], engines, "cpu", 0, "small")
    check.run(RunRecord("check", planned, None), engines, Settings(), lambda measurement, word: None)
    assert sorted(made, key=str) == sorted(workers, key=str)
