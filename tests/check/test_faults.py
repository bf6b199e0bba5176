"""The harness survives its workers: a dead one costs one cell, and the status and exit code say how it died."""

import json
from dataclasses import replace

import numpy as np
import pytest

from compare.check import run as check
from compare.engines.engine import ENGINES, choose, parse_pythons
from compare.engines.pool import Pool, Settings
from compare.engines.process import Worker, WorkerFailed
from compare.record.cell import Cell, exit_code
from compare.record.files import write_json
from compare.record.record import Record, read_record
from tests.helpers.faulty_worker import BROKEN
from twin import arrays, data
from twin.catalogue import find
from twin.errors import DIFFER, INCOMPLETE, TwinError

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
def references(tmp_path_factory):
    """Those of both twins, computed once: every fault uses them."""
    uses = check.Counter(len(STATUS) * [check._reference_key(cell) for cell in cells_of_both()])
    pool = Pool(Settings(timeout=60))
    found = check.References(pool, ENGINES["torch"], tmp_path_factory.mktemp("references"), uses)
    for cell in cells_of_both():
        found.get(cell)
    return found


@pytest.mark.parametrize("fault", STATUS)
def test_a_broken_worker_costs_one_cell(fault, references, monkeypatch, tmp_path):
    monkeypatch.setenv("TWIN_FAULT", fault)
    cells = cells_of_both()
    record = Record("check", cells, tmp_path / "record.json")
    pool = Pool(Settings(timeout=8 if fault == "hang" else 60))
    climber = check._Climber(faulty, cells, record, references, pool, lambda cell, word: None)
    pool.run([climber.run])

    status, reason = STATUS[fault]
    kept = [Cell.from_json(fields) for fields in read_record(tmp_path / "record.json")["cells"]]
    assert [cell.status for cell in kept] == [status, "ok"]
    assert reason in kept[0].reason
    assert record.exit_code() == (DIFFER if fault == "exception" else INCOMPLETE)


def test_killing_a_worker_ends_its_whole_group():
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.faulty_worker"))
    worker.kill()
    worker.close()
    worker.close()
    assert worker.process.returncode is not None


def test_a_workers_temporary_files_go_with_it_and_no_compiler_finds_its_earlier_work(monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.faulty_worker"))
    said = worker.ask("surroundings", 60)
    assert said == {"temporary": str(worker.folder), "caches": []}
    assert worker.log.parent == worker.folder
    assert worker.folder.is_dir()
    worker.close()
    assert not worker.folder.exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_tells_what_leaves_each_layer(engine, tmp_path):
    """What locates a first difference, and shows where a transformer looks; the last layer gives the model's answer."""
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    twin, out = find("mlp"), str(tmp_path / "out")
    rows = data.load(twin.data, twin.data_options).test["x"][:4]
    arrays.write(tmp_path / "batch", {"x": rows})
    worker = Worker(ENGINES[engine])
    try:
        worker.ask("hello", 60, device="cpu")
        worker.ask("build", 60, twin=twin.name, arguments=dict(twin.small.arguments), dtype="float32", seed=0)
        answer = worker.ask("activations", 60, batch=str(tmp_path / "batch"), training=False, out=out)
        inside = arrays.read(out)
        worker.ask("forward", 60, batch=str(tmp_path / "batch"), training=False, out=out)
        assert len(answer["order"]) > 1
        # The same float32 arithmetic on logits of about 1, which a compiled forward rounds otherwise: a few ulps, 1e-7.
        np.testing.assert_allclose(inside[f"{answer['order'][-1]}/out"], arrays.read(out)["y"], rtol=1e-5, atol=1e-6)
    finally:
        worker.close()


def test_a_worker_that_cannot_start_says_so():
    worker = Worker(replace(ENGINES["torch"], module="tests.helpers.no_such_module"))
    with pytest.raises(WorkerFailed, match=r"exit code 1.*no_such_module"):
        worker.ask("hello", 30, device="cpu")


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["ok"], 0),
        (["ok", "skipped"], 0),
        (["ok", "failed"], 1),
        (["failed", "crashed"], 1),
        (["ok", "timeout"], 3),
        (["ok", "not_run"], 3),
        (["skipped"], 3),
        ([], 3),
    ],
)
def test_exit_code(statuses, code):
    assert exit_code(Cell("check", "t", "e", "cpu", "float32", 0, "small", status=s) for s in statuses) == code


def test_resume_takes_over_what_is_finished_and_refuses_another_run(tmp_path):
    cells = cells_of_both()
    first = Record("check", cells, tmp_path / "record.json")
    cells[0].status, cells[0].result = "ok", {"rungs": []}
    cells[1].status = "crashed"
    first.save()
    fresh = cells_of_both()
    again = Record("check", fresh, None)
    assert again.adopt(tmp_path / "record.json") == 1
    assert [cell.status for cell in again.cells] == ["ok", "not_run"]

    for what in ("machine", "code", "settings"):
        other = json.loads((tmp_path / "record.json").read_text()) | {what: "another" if what == "code" else {"a": 1}}
        write_json(tmp_path / "other.json", other)
        with pytest.raises(TwinError, match=f"that run's {what}"):
            again.adopt(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "cut off"), ("[]", "no record"), ('{"schema": 99, "cells": []}', "upgrade"), (None, "cannot read")],
)
def test_a_bad_record_is_one_clear_line(content, says, tmp_path):
    if content is not None:
        (tmp_path / "r.json").write_text(content)
    with pytest.raises(TwinError, match=says):
        read_record(tmp_path / "r.json")


def test_engines_are_chosen_by_name_and_interpreter(tmp_path):
    with pytest.raises(TwinError, match="did you mean keras-jax"):
        choose(["keras-jaxx"])
    with pytest.raises(TwinError, match="ENGINE=PATH"):
        parse_pythons(["keras-jax"])
    with pytest.raises(TwinError, match="no program"):
        parse_pythons([f"keras-jax={tmp_path}"])
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\nshift 2\nfor p; do echo "$p"; done\n')
    bare.chmod(0o755)
    with pytest.raises(TwinError, match="'keras-jax' needs keras and jax"):
        choose(["keras-jax"], {"keras-jax": str(bare)})
