"""The commands that measure again what a report shows, with the options that were not left at their defaults."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from compare.engines.engine import ENGINES
from compare.record.measurement import ExportMeasurement, Measurement

# What the commands take when nothing is said; the record's settings name what was asked.
DEFAULTS = {"precision": "2%", "budget": "10m", "threads": 1, "reference": "torch", "init": "shared"}


def check(measurements: Sequence[Measurement]) -> str:
    """Of checks that share device, size and seed."""
    first = measurements[0]
    return _command("check", measurements, {"size": first.size, "seed": first.seed})


def bench(measurements: Sequence[Measurement], settings: Mapping[str, Any]) -> str:
    """Of the speeds of one twin; `settings` are their record's."""
    first = measurements[0]
    flags = ["--quick"] if settings.get("quick") else []
    asked = {name: settings.get(name) for name in ("precision", "budget", "threads", "reference")}
    return " ".join([_command("bench", measurements, {"size": first.size, "seed": first.seed} | asked), *flags])


def train(measurements: Sequence[Measurement], settings: Mapping[str, Any]) -> str:
    """Of the trainings of one twin, over their seeds; `settings` are their record's."""
    seeds = sorted({each.seed for each in measurements})
    asked: dict[str, Any] = {"seed": seeds[0]}
    if len(seeds) > 1:
        counted = seeds == list(range(len(seeds)))
        asked = {"seeds": len(seeds) if counted else ",".join(map(str, seeds))}
    asked |= {name: settings.get(name) for name in ("epochs", "init", "weights", "threads")}
    return _command("train", measurements, asked)


def export(measurements: Sequence[ExportMeasurement]) -> str:
    """Of exported files."""
    formats = list(dict.fromkeys(each.format for each in measurements))
    return _command("export", measurements, {"to": formats})


def engine_options(names: Sequence[str]) -> str:
    """The options that choose these engines again; none for all of them."""
    return "" if set(names) == set(ENGINES) else "".join(f" --engine {shlex.quote(name)}" for name in names)


def _command(command: str, measurements: Sequence[Measurement], asked: Mapping[str, Any]) -> str:
    twins = " ".join(map(shlex.quote, dict.fromkeys(each.twin for each in measurements)))
    options = {"device": measurements[0].device} | dict(asked)
    plain = {"device": "cpu", "size": "small", "seed": 0} | DEFAULTS
    said = ""
    for name, value in options.items():
        if value is None or value == plain.get(name):
            continue
        said += "".join(
            f" --{name} {shlex.quote(str(each))}" for each in (value if isinstance(value, list) else [value])
        )
    return f"twin {command} {twins}{engine_options(list(dict.fromkeys(each.engine for each in measurements)))}{said}"
