"""`--on ray`: the same record and exit code, from a cluster that is started for the run."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from compare.engines import cluster
from compare.record.machine import Machine
from compare.record.measurement import BenchMeasurement, CheckMeasurement
from compare.record.record import RunRecord
from compare.record.schema import dump, dump_measurement, to_plain
from tests.helpers.command import TWIN
from twin.errors import TwinError
from twin.paths import ROOT

TWINS = ["conv2d_by_hand", "pooling"]


@pytest.mark.skipif(find_spec("ray") is None, reason="the extra is not installed")
@pytest.mark.long
@pytest.mark.framework
def test_a_run_on_ray_gives_what_a_run_here_gives(tmp_path):
    """That both twins agree without Ray is shown by test_ladder.py."""
    command = [*TWIN, "check", *TWINS, "--engine", "torch", "--json", "-", "--on", "ray"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": "local"}
    answer = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=tmp_path, env=env)
    assert answer.returncode == 0, answer.stderr
    said = [line.partition(":")[0] for line in answer.stderr.splitlines() if "so far)" not in line]
    assert said == ["record", "what the columns mean", "next"], answer.stderr  # and nothing of Ray's
    found = json.loads(answer.stdout)
    assert [(c["twin"], c["engine"], c["status"]) for c in found["measurements"]] == [(t, "torch", "ok") for t in TWINS]
    for each in found["measurements"]:
        assert ([rung["rung"] for rung in each["result"]["rungs"]], each["node"]) == (["forward"], None)
    assert found["machine"] == to_plain(Machine.here())
    assert "torch" in found["versions"]["torch"]
    (record,) = (tmp_path / "runs").glob("check-*.json")
    assert json.loads(record.read_text()) == found


def planned():
    return [CheckMeasurement("pooling", engine, "cpu", "float32", 0, "small") for engine in ("torch", "keras-jax")]


class Node:
    """Ray as far as one unit's answers go: the messages of a stream, the last of which may be an error."""

    class exceptions:
        class RayError(Exception):
            pass

    def __init__(self):
        self.cancelled = []

    def get(self, message):
        if isinstance(message, Exception):
            raise message
        return message

    def cancel(self, stream):
        self.cancelled.append(stream)


def message(measured, **changes):
    found = {"name": "far", "machine": dump(Machine.here()), "versions": {"torch": {"torch": "2.13.0"}}}
    return found | {"measurements": list(map(dump_measurement, measured))} | changes


def taken(*messages):
    """A record after these messages."""
    record, told, node, stream = RunRecord("check", planned(), None), [], Node(), iter(messages)
    while cluster._take(
        node, stream, record.measurements, record, lambda measurement, word: told.append((measurement.engine, word))
    ):
        pass
    return record, told, node


def test_a_node_that_dies_costs_what_it_had_not_sent():
    half = planned()
    half[0].status = "ok"
    record, told, node = taken(message(half), Node.exceptions.RayError("the node died\nfor want of power"))
    assert [measurement.status for measurement in record.measurements] == ["ok", "crashed"]
    assert record.measurements[1].reason == "lost on the cluster: the node died for want of power"
    assert told == [("torch", "ok"), ("keras-jax", "crashed")]
    assert record.exit_code() == 3
    assert node.cancelled


def test_cells_say_which_machine_measured_them_when_it_is_another():
    done = planned()
    for measurement in done:
        measurement.status = "ok"
    record, _, _ = taken(message(done))
    assert record.measurements[0].node is None
    record, _, _ = taken(message(done, machine=dump(replace(Machine.here(), cores=96))))
    assert record.measurements[0].node.name == "far"
    assert record.measurements[0].node.machine.cores == 96


def test_a_node_with_other_versions_is_not_mixed_in():
    half = planned()
    half[0].status = "ok"
    record, _, _ = taken(message(half), message(half, versions={"torch": {"torch": "2.14.0"}}))
    assert [measurement.status for measurement in record.measurements] == ["ok", "crashed"]
    assert "torch has versions 2.14.0" in record.measurements[1].reason


def test_a_unit_refuses_other_code():
    with pytest.raises(TwinError, match="has other code"):
        next(cluster._unit(lambda record, tell: None, "check", [], {}, "another", None))


def test_a_unit_holds_its_threads_or_a_gpu_or_while_it_is_timed_most_of_a_node():
    nodes = [{"CPU": 2.0}, {"CPU": 16.0, "GPU": 8.0}]
    check = planned()
    assert cluster.needs(check, 4, nodes) == {"num_cpus": 4, "num_gpus": 0}
    timed = [*check, BenchMeasurement("pooling", "torch", "cpu", "float32", 0, "small")]
    assert cluster.needs(timed, 4, nodes) == {"num_cpus": 9, "num_gpus": 0}
    assert cluster.needs(timed, 12, nodes) == {"num_cpus": 12, "num_gpus": 0}
    on_card = [replace(measurement, device="cuda") for measurement in timed]
    assert cluster.needs(on_card, 1, nodes) == {"num_cpus": 1, "num_gpus": 1}
    for cells_, threads, there in ((check, 17, nodes), (on_card, 1, nodes[:1]), (check, 1, [])):
        with pytest.raises(TwinError, match=f"none of {len(there)} nodes has {threads} processor cores"):
            cluster.needs(cells_, threads, there)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(TwinError, match=r"pip install 'twin-suite\[ray\]'"):
        cluster.run(RunRecord("check", planned(), None), lambda record, tell: None, lambda measurement, word: None)


@pytest.mark.skipif(find_spec("ray") is None, reason="the extra is not installed")
def test_a_cluster_that_is_not_there_is_one_line(tmp_path):
    """In a process of its own: importing Ray here would slow the other tests down."""
    command = [*TWIN, "check", "pooling", "--engine", "torch", "--on", "ray"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": "127.0.0.1:1"}
    answer = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path, env=env)
    assert answer.returncode == 2
    (line,) = [line for line in answer.stderr.splitlines() if "so far)" not in line]  # progress, on a slow machine
    assert line.startswith("twin: --on ray: no connection (RAY_ADDRESS=127.0.0.1:1): ")
