"""The form of a record's JSON: what it must hold, and of which types, for those who read it."""

from typing import Any

QUANTITIES = ("step", "loop", "throughput", "latency")  # that the bench times in passes
NUMBER = (int, float)
# What a record's parts look like to those who read them: a name with a question mark may be missing or null, and an
# asterisk is any name. What is not here is passed over.
IDENTITY = dict.fromkeys(("measure", "twin", "engine", "device", "dtype", "size", "status", "reason"), str)
TENSOR = {"name": str, "rel_l2": NUMBER, "limit": NUMBER, "noise_ratio": (*NUMBER, type(None))}
ROUND = {
    **{f"{name}?": NUMBER for name in ("import_seconds", "first_step", "second_step", "peak_memory_mib")},
    **{f"{name}?": [NUMBER] for name in QUANTITIES},
    "unsteady?": [str],
}
CELL = {
    **IDENTITY,
    "seed": int,
    "rungs?": [{"rung": str, "status": str, "message?": str, "worst?": TENSOR, "tensors?": [TENSOR]}],
    "rounds?": [ROUND],
    "copy?": [ROUND],
    "reference?": str,
    "threads?": int,
    "batch_size?": int,
    "speed?": {
        "*": {**dict.fromkeys(("estimate", "low", "high", "band"), NUMBER), "rounds": int, "verdict": str},
    },
    **{f"{name}?": NUMBER for name in ("value", "goal", "chance", "margin", "epochs", "seconds", "parameters")},
    **{f"{name}?": str for name in ("metric", "provenance", "init")},
    "loss?": {"*": [NUMBER]},
    "epoch_seconds?": [NUMBER],
    "node?": dict,
    "shown?": {
        "pictures?": [{"caption": str, "of": str, "png": str}],
        "tile?": [int],
        "boxes?": {"true": [[NUMBER]], "predicted": [[NUMBER]]},
        "rows?": int,
        "labels?": {"true": [int], "predicted": [int]},
    },
}
TRAINED = {"metric": str, "goal": NUMBER, "chance": NUMBER, "seconds": NUMBER, "loss": {"*": [NUMBER]}}
RECORD = {
    "command": str,
    "machine": dict,
    "versions": {"*": {"*": str}},
    "settings": dict,
    "started?": str,
    "precision?": dict,
    "code": str,
    "cells": list,
}


def misfit(record: Any) -> str:
    """What of a record has not its form, with where it is; "" when all has."""
    told = _misfit(record, RECORD) or next(filter(None, map(_misfit_cell, record["cells"])), "")
    return told.lstrip(" .")


def _misfit_cell(cell: Any) -> str:
    trained = isinstance(cell, dict) and cell.get("measure") == "train" and "metric" in cell
    told = _misfit(cell, CELL | TRAINED if trained else CELL)
    return told and f"a cell{told}"


def _misfit(value: Any, shape: Any) -> str:
    """What of `value` is not of that shape, with where it is; "" if all is."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f" is {_excerpt(value)}, no list"
        for at, each in enumerate(value):
            if told := _misfit(each, shape[0]):
                return f"[{at}]{told}"
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            return f" is {_excerpt(value)}, no object"
        for name, inner in shape.items():
            if name == "*":
                inside = value
            elif name[-1] == "?":
                inside = {name[:-1]: value[name[:-1]]} if value.get(name[:-1]) is not None else {}
            elif name in value:
                inside = {name: value[name]}
            else:
                return f" has no {name!r}"
            for key, each in inside.items():
                if told := _misfit(each, inner):
                    return f".{key}{told}"
    elif not isinstance(value, shape) or isinstance(value, bool):
        return f" is {_excerpt(value)}"
    return ""


def _excerpt(value: Any) -> str:
    return repr(value)[:40]
