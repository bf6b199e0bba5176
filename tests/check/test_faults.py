"""The harness survives its workers: a dead one costs one measurement, and its status says how it died."""

from dataclasses import replace

import pytest

from compare.check import run as check
from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from compare.record.record import RunRecord, read_record
from tests.helpers.faulty_worker import BROKEN
from twin.catalogue import find
from twin.errors import DIFFER, INCOMPLETE

pytestmark = pytest.mark.framework

SOUND = "autograd_polynomial"
STATUS = {
    "segfault": ("crashed", "SIGSEGV"),
    "hang": ("timeout", "no answer within"),
    "killed": ("crashed", "SIGKILL"),
    "memory": ("oom_host", "Unable to allocate"),
    "half-a-line": ("crashed", "in the middle of a line"),
    "nonsense": ("crashed", "no answer: b'not json'"),
    "exit": ("crashed", "exit code 7"),
    "exception": ("failed", "no such key"),
}
faulty = replace(ENGINES["torch"], name="torch", module="tests.helpers.faulty_worker")


def cells_of_both():
    return check.plan([find(BROKEN), find(SOUND)], [ENGINES["torch"]], "cpu", 0, "small")


@pytest.fixture(scope="module")
def references():
    """Those of both twins, computed once: every fault uses them."""
    uses = check.Counter(len(STATUS) * [check.reference_key(measurement) for measurement in cells_of_both()])
    pool = Pool(Settings(timeout=60))
    found = check.References(pool, ENGINES["torch"], uses)
    for measurement in cells_of_both():
        found.get(measurement)
    return found


def test_the_reference_computes_on_the_device_of_the_measurement(monkeypatch):
    asked = []
    pool = Pool(Settings(timeout=60))
    monkeypatch.setattr(pool, "start", lambda engine, device: asked.append((engine.name, device)) or pool_stops())
    (planned,) = check.plan([find(SOUND)], [ENGINES["keras-torch"]], "cuda", 0, "small")
    with pytest.raises(WorkerFailed):
        check.References(pool, ENGINES["torch"], check.Counter([check.reference_key(planned)])).get(planned)
    assert asked == [("torch", "cuda")]


def pool_stops():
    raise WorkerFailed("failed", "stopped")


@pytest.mark.parametrize("fault", STATUS)
def test_a_broken_worker_costs_one_cell(fault, references, monkeypatch, tmp_path):
    monkeypatch.setenv("TWIN_FAULT", fault)
    measurements = cells_of_both()
    record = RunRecord("check", measurements, tmp_path / "record.json")
    pool = Pool(Settings(timeout=8 if fault == "hang" else 60))
    checks = check.EngineChecks(faulty, measurements, record, references, pool, lambda measurement, word: None)
    pool.run([checks.run])

    status, reason = STATUS[fault]
    kept = read_record(tmp_path / "record.json").measurements
    assert [measurement.status for measurement in kept] == [status, "ok"]
    assert reason in kept[0].reason
    assert record.exit_code() == (DIFFER if fault == "exception" else INCOMPLETE)
