"""`--on ray`: the measurements of a run on the nodes of a Ray cluster, a twin at a time.

A twin with all its engines is the unit: one task, which holds one GPU or as many processor cores as an engine has
threads (see `needs`), on one node. So the process runs of a speed comparison never mix machines, and a reference is
computed once. The task makes a record of its own, with the function that would measure it here; what that record saves
comes back at once.
"""

import contextlib
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from compare.engines.pool import Progress
from compare.record.machine import Machine, code_version
from compare.record.measurement import Measurement, Node
from compare.record.record import RunRecord
from compare.record.schema import dump, dump_measurement, load, load_measurement
from twin.errors import TwinError
from twin.paths import ROOT

Measure = Callable[[RunRecord, Progress], None]


def run(record: RunRecord, measure: Measure, on_progress: Progress) -> None:
    """Measure every measurement of the record that has not been, on the cluster that Ray finds, or on one started here.

    Ray looks at RAY_ADDRESS, then for a cluster that runs on this machine. Every node needs this version of the suite
    and the engines, in the same places.

    Args:
        record: planned measurements; saved whenever something comes back.
        measure: measures the measurements of a record; picklable.
        on_progress: called with a measurement when its status is known.

    Raises:
        TwinError: when Ray is not installed, cannot be reached, or has no node that could run a unit.
        KeyboardInterrupt: after cancelling what runs; what came back is in the record.
    """
    units: dict[str, list[Measurement]] = {}
    for measurement in record.measurements:
        if measurement.status == "not_run":
            units[measurement.twin] = [
                each for each in record.measurements if each.twin == measurement.twin
            ]  # speed asks for the checks
    if not units:
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # Ray prints there when a node dies
        _spread(_connect(), units, record, measure, on_progress)


def _spread(
    ray: Any, units: dict[str, list[Measurement]], record: RunRecord, measure: Measure, on_progress: Progress
) -> None:
    """Send the units out, put into the record what comes back, and leave the cluster."""
    waiting: dict[Any, list[Measurement]] = {}
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        for measurements in units.values():
            task = ray.remote(**needs(measurements, record.settings["threads"], nodes), max_retries=0)(_unit)
            plan = [dump_measurement(measurement) for measurement in measurements]
            stream = task.remote(measure, record.command, plan, record.settings, record.code, record.path)
            waiting[stream] = measurements
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            if not _take(ray, ready, waiting[ready], record, on_progress):
                del waiting[ready]
    finally:
        for stream in waiting:  # when interrupted, or at a mistake
            ray.cancel(stream)
        if waiting:
            ray.wait([stream.completed() for stream in waiting], num_returns=len(waiting), timeout=5)
        ray.shutdown()


def needs(measurements: list[Measurement], threads: int, nodes: list[dict[str, float]]) -> dict[str, int]:
    """What a unit holds while it runs.

    One that is timed on the processor asks for more than half of the cores of the largest node: no node takes two of
    those, and what runs beside it otherwise is a matter of `--threads`.

    Args:
        measurements: of one twin.
        threads: of each engine.
        nodes: what each node has.

    Raises:
        TwinError: when no node has so much, and the unit would wait for ever.
    """
    cores, cards = threads, int(measurements[0].device == "cuda")
    if not cards and any(measurement.measure == "bench" for measurement in measurements):
        cores = max(threads, int(max((node.get("CPU", 0) for node in nodes), default=0) // 2) + 1)
    if not any(node.get("CPU", 0) >= cores and node.get("GPU", 0) >= cards for node in nodes):
        wanted = f"{cores} processor cores" + (" and a GPU" if cards else "")
        raise TwinError(f"--on ray: none of {len(nodes)} nodes has {wanted}; use fewer --threads or another --device")
    return {"num_cpus": cores, "num_gpus": cards}


def _connect() -> Any:
    """Ray, connected, and quiet.

    Raises:
        TwinError: when it is not installed or cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray warns of this default's coming change
    try:
        import ray
    except ImportError as error:
        raise TwinError("--on ray needs Ray; try: pip install 'twin-suite[ray]'") from error
    address = os.environ.get("RAY_ADDRESS", "")
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        host, colon, port = address.removeprefix("ray://").rpartition(":")
        if colon and port.isdigit():  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {"PYTHONPATH": path}},
        )
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TwinError(f"--on ray: no connection (RAY_ADDRESS={address}): {reason}; is the cluster up?") from error
    return ray


def _take(ray: Any, stream: Any, measurements: list[Measurement], record: RunRecord, on_progress: Progress) -> bool:
    """Put what a unit has sent into the record; return whether more may come.

    Raises:
        TwinError: for what would be a mistake without the cluster too.
    """
    unfinished = [measurement for measurement in measurements if measurement.status == "not_run"]
    try:
        found = ray.get(next(stream))
        for engine, versions in found["versions"].items():
            record.register_engine(engine, versions, "cpu")
    except StopIteration:
        return False
    except (ray.exceptions.RayError, TwinError) as error:
        if isinstance(cause := getattr(error, "cause", None), TwinError):
            raise cause from None
        ray.cancel(stream)
        reason = ". ".join(" ".join(str(error).split()).split(". ")[:2])[:300]  # Ray goes on with its own advice
        for measurement in unfinished:
            measurement.status, measurement.reason = "crashed", f"lost on the cluster: {reason}"
        going_on = False
    else:
        node = _elsewhere(found, record)
        sent = {each.key: each for each in map(load_measurement, found["measurements"])}
        for measurement in unfinished:
            new = sent[measurement.key]
            measurement.status, measurement.reason, measurement.result = new.status, new.reason, new.result
            measurement.node = node
        going_on = True
    record.save()
    for measurement in unfinished:
        if measurement.status != "not_run":
            on_progress(measurement, measurement.status)
    return going_on


def _elsewhere(found: dict[str, Any], record: RunRecord) -> Node | None:
    """The node, for measurements of a machine unlike the record's own."""
    machine: Machine = load(Machine, found["machine"])
    if replace(machine, gpu=None) != replace(record.machine, gpu=None):
        return Node(found["name"], machine)
    if machine.gpu is not None and record.machine.gpu is None:
        record.machine.gpu = machine.gpu
    return None if machine.gpu is None or machine.gpu == record.machine.gpu else Node(found["name"], machine)


class _Sent(RunRecord):
    """A record whose saves go to the one who asked."""

    outbox: "queue.SimpleQueue[dict[str, Any] | None]"

    def save(self) -> None:
        self.outbox.put(
            {
                "name": socket.gethostname(),
                "machine": dump(self.machine),
                "versions": self.versions,
                "measurements": [dump_measurement(each) for each in self.measurements],
            }
        )


def _unit(
    measure: Measure, command: str, plan: list[str], settings: dict[str, Any], code: str, path: Path | None
) -> Iterator[dict[str, Any]]:
    """Measure one twin on this node; yield what is known after each measurement.

    Raises:
        TwinError: when the node has another version of the suite, and what measuring raises.
    """
    if code_version() != code:
        raise TwinError(f"--on ray: {socket.gethostname()} has other code; install the same twin-suite on every node")
    record = _Sent(command, list(map(load_measurement, plan)), None, settings)
    record.outbox, record.path = queue.SimpleQueue(), path  # the path names logs; this record writes none
    failures: list[BaseException] = []

    def work() -> None:
        try:
            measure(record, lambda measurement, word: None)
            record.save()
        except BaseException as error:
            failures.append(error)
        finally:
            record.outbox.put(None)

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            try:
                found = record.outbox.get(timeout=0.2)  # a cancellation is seen between two waits
            except queue.Empty:
                continue
            if found is None:
                break
            yield found
    finally:
        for child in psutil.Process().children(recursive=True):  # the engines of a unit that was cancelled
            child.kill()
    if failures:
        raise failures[0]
