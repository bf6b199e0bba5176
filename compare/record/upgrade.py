"""Records of older schemas, brought to the newest; nobody else knows the older names.

Schema 1 had no `started` and no `precision`, settings without threads, and a machine without usable cores and governor.
Schema 2 kept a measurement's result among its own fields, seconds per batch as `throughput`, and Infinity in its JSON.
"""

import math
from typing import Any

from compare.record.machine import PRECISION

Json = dict[str, Any]
RENAMED_QUANTITIES = {"throughput": "batch_inference"}
OLD_QUANTITIES = ("step", "loop", "throughput", "latency")
IDENTITY = ("measure", "twin", "engine", "device", "dtype", "seed", "size", "status", "reason")
RUN_FIELDS = ("import_seconds", "first_step", "second_step", "peak_memory_mib", "gpu")


def upgraded(record: Json) -> Json:
    """A record's JSON with the names of the newest schema; what nobody wrote down is None.

    What is not as an older schema says is handed on as it is, for the newest schema to complain of.
    """
    if record["schema"] == 1:
        record = _from_1(record)
    if record["schema"] == 2:
        record = _from_2(record)
    return record


def _from_1(record: Json) -> Json:
    settings = record.get("settings")
    if isinstance(settings, dict):
        settings = {"threads": 1, **settings}
    return {"started": None, "precision": dict(PRECISION)} | record | {"schema": 2, "settings": settings}


def _from_2(record: Json) -> Json:
    record = {"started": None, "precision": {}} | record
    cells: Any = record.pop("cells", None)
    measurements = [_measurement(cell) for cell in cells] if isinstance(cells, list) else cells
    return record | {"schema": 3, "measurements": measurements}


def _measurement(cell: Any) -> Any:
    if not isinstance(cell, dict):
        return cell
    out = {name: cell[name] for name in IDENTITY if name in cell}
    if isinstance(node := cell.get("node"), dict):
        out["node"] = {"name": node.get("name"), "machine": {n: v for n, v in node.items() if n != "name"}}
    measure = cell.get("measure")
    if measure == "check" and "rungs" in cell:
        out["result"] = {"rungs": cell["rungs"], "repeated_with_seed": cell.get("second_try")}
    elif measure == "bench" and cell.keys() - out.keys() - {"node"}:
        out["result"] = _bench(cell)
    elif measure == "train" and "metric" in cell:
        out["result"] = _train(cell)
    return out


def _bench(cell: Json) -> Json:
    out: Json = {
        name: cell[name] for name in ("agrees", "batch_size", "reference", "threads", "compiled") if name in cell
    }
    for old, new in (("rounds", "process_runs"), ("copy", "aa_runs")):
        if old in cell:
            runs = cell[old]
            out[new] = [_process_run(run) for run in runs] if isinstance(runs, list) else runs
    if "speed" in cell:
        out["ratios"] = _by_quantity(cell["speed"], _ratio)
    return out


def _process_run(run: Any) -> Any:
    if not isinstance(run, dict):
        return run
    out = {name: run[name] for name in RUN_FIELDS if name in run}
    out["times"] = _by_quantity({name: run[name] for name in OLD_QUANTITIES if name in run})
    out["repetitions"] = _by_quantity(run.get("repetitions", {}))
    unsteady = run.get("unsteady", [])
    out["unsteady"] = [RENAMED_QUANTITIES.get(n, n) for n in unsteady] if isinstance(unsteady, list) else unsteady
    return out


def _ratio(speed: Any) -> Any:
    if not isinstance(speed, dict):
        return speed
    out = {name: speed[name] for name in ("estimate", "low", "high", "verdict") if name in speed}
    out |= {new: speed[old] for old, new in (("rounds", "process_runs"), ("band", "noise_band")) if old in speed}
    if out.get("process_runs") == 1:  # an interval from 0 to infinity stood for none
        out |= {"low": None, "high": None}
    if isinstance(band := out.get("noise_band"), float) and not math.isfinite(band):
        out["noise_band"] = None
    return out


def _train(cell: Json) -> Json:
    out = {name: value for name, value in cell.items() if name not in (*IDENTITY, "node", "goal", "shown")}
    if "goal" in cell:
        out["target"] = cell["goal"]
    if cell.get("shown"):
        out["predictions"] = cell["shown"]
    return {"value": None} | out


def _by_quantity(named: Any, change: Any = lambda value: value) -> Any:
    if not isinstance(named, dict):
        return named
    return {RENAMED_QUANTITIES.get(name, name): change(value) for name, value in named.items()}
