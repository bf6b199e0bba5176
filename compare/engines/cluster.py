"""`--on ray`: the cells of a run on the nodes of a Ray cluster, a twin at a time.

A twin with all its engines is the unit: one task, which holds one GPU or as many processor cores as an engine has
threads (see `needs`), on one node. So the rounds of a speed comparison never mix machines, and a reference is computed
once. The task measures a record of its own, with the function that would measure it here; what that record saves comes
back at once.
"""

import contextlib
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from compare.record.cell import Cell
from compare.record.machine import code_version
from compare.record.record import Record
from twin.errors import TwinError
from twin.paths import ROOT

Tell = Callable[[Cell, str], None]
Measure = Callable[[Record, Tell], None]


def run(record: Record, measure: Measure, tell: Tell) -> None:
    """Measure every cell of the record that has not been, on the cluster that Ray finds, or on one started here.

    Ray looks at RAY_ADDRESS, then for a cluster that runs on this machine. Every node needs this version of the suite
    and the engines, in the same places.

    Args:
        record: planned cells; saved whenever something comes back.
        measure: measures the cells of a record; picklable.
        tell: called with a cell when its status is known.

    Raises:
        TwinError: when Ray is not installed, cannot be reached, or has no node that could run a unit.
        KeyboardInterrupt: after cancelling what runs; what came back is in the record.
    """
    units: dict[str, list[Cell]] = {}
    for cell in record.cells:
        if cell.status == "not_run":
            units[cell.twin] = [each for each in record.cells if each.twin == cell.twin]  # speed asks for the checks
    if not units:
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # Ray prints there when a node dies
        _spread(_connect(), units, record, measure, tell)


def _spread(ray: Any, units: dict[str, list[Cell]], record: Record, measure: Measure, tell: Tell) -> None:
    """Send the units out, put into the record what comes back, and leave the cluster."""
    waiting: dict[Any, list[Cell]] = {}
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        for cells in units.values():
            task = ray.remote(**needs(cells, record.settings["threads"], nodes), max_retries=0)(_unit)
            plan = [cell.to_json() for cell in cells]
            stream = task.remote(measure, record.command, plan, record.settings, record.code, record.path)
            waiting[stream] = cells
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            if not _take(ray, ready, waiting[ready], record, tell):
                del waiting[ready]
    finally:
        for stream in waiting:  # when interrupted, or at a mistake
            ray.cancel(stream)
        if waiting:
            ray.wait([stream.completed() for stream in waiting], num_returns=len(waiting), timeout=5)
        ray.shutdown()


def needs(cells: list[Cell], threads: int, nodes: list[dict[str, float]]) -> dict[str, int]:
    """What a unit holds while it runs.

    One that is timed on the processor asks for more than half of the cores of the largest node: no node takes two of
    those, and what runs beside it otherwise is a matter of `--threads`.

    Args:
        cells: of one twin.
        threads: of each engine.
        nodes: what each node has.

    Raises:
        TwinError: when no node has so much, and the unit would wait for ever.
    """
    cores, cards = threads, int(cells[0].device == "cuda")
    if not cards and any(cell.measure == "bench" for cell in cells):
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


def _take(ray: Any, stream: Any, cells: list[Cell], record: Record, tell: Tell) -> bool:
    """Put what a unit has sent into the record; return whether more may come.

    Raises:
        TwinError: for what would be a mistake without the cluster too.
    """
    unfinished = [cell for cell in cells if cell.status == "not_run"]
    try:
        found = ray.get(next(stream))
        for engine, versions in found["versions"].items():
            record.heard(engine, {"versions": versions, "device": "cpu"})
    except StopIteration:
        return False
    except (ray.exceptions.RayError, TwinError) as error:
        if isinstance(cause := getattr(error, "cause", None), TwinError):
            raise cause from None
        ray.cancel(stream)
        reason = ". ".join(" ".join(str(error).split()).split(". ")[:2])[:300]  # Ray goes on with its own advice
        for cell in unfinished:
            cell.status, cell.reason = "crashed", f"lost on the cluster: {reason}"
        going_on = False
    else:
        node = _elsewhere(found, record)
        sent = {cell.key: cell for cell in map(Cell.from_json, found["cells"])}
        for cell in unfinished:
            new = sent[cell.key]
            cell.status, cell.reason, cell.result = new.status, new.reason, new.result | node
        going_on = True
    record.save()
    for cell in unfinished:
        if cell.status != "not_run":
            tell(cell, cell.status)
    return going_on


def _elsewhere(found: dict[str, Any], record: Record) -> dict[str, Any]:
    """The node, for cells that were measured on a machine unlike the record's own."""
    theirs = found["machine"]
    same = theirs | {"gpu": None} == record.machine | {"gpu": None}
    if same and "gpu" in theirs:
        same = record.machine.setdefault("gpu", theirs["gpu"]) == theirs["gpu"]
    return {} if same else {"node": {"name": found["name"], **theirs}}


class _Sent(Record):
    """A record whose saves go to the one who asked."""

    outbox: "queue.SimpleQueue[dict[str, Any] | None]"

    def save(self) -> None:
        self.outbox.put(
            {
                "name": socket.gethostname(),
                "machine": self.machine,
                "versions": self.versions,
                "cells": [cell.to_json() for cell in self.cells],
            }
        )


def _unit(
    measure: Measure, command: str, plan: list[dict[str, Any]], settings: dict[str, Any], code: str, path: Path | None
) -> Iterator[dict[str, Any]]:
    """Measure one twin on this node; yield what is known after each cell.

    Raises:
        TwinError: when the node has another version of the suite, and what measuring raises.
    """
    if code_version() != code:
        raise TwinError(f"--on ray: {socket.gethostname()} has other code; install the same twin-suite on every node")
    record = _Sent(command, [Cell.from_json(fields) for fields in plan], None, settings)
    record.outbox, record.path = queue.SimpleQueue(), path  # the path names logs; this record writes none
    failures: list[BaseException] = []

    def work() -> None:
        try:
            measure(record, lambda cell, word: None)
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
