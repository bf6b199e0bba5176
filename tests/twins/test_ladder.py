"""Every twin on every engine, up the whole ladder; and every model learns."""

from compare.record.results import RUNGS
from twin.catalogue import find


def test_ladder(checked):
    assert checked.status == "ok", checked.reason
    climbed = [rung.rung for rung in checked.result.rungs]
    assert climbed == (["forward"] if find(checked.twin).kind == "exercise" else list(RUNGS))


def test_learns(trained):
    assert trained.status == "ok", trained.reason
    metric = find(trained.twin).metric
    assert metric.reached(trained.result.value)
