"""The same speeds in several records of one machine, in the order of time: a ratio with its interval at each.

The records may be of different versions or code: what changed from one to the next stands beside it. No verdict is
drawn from them, since what else the machine did on another day is not known; each ratio was measured within its own
record.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from compare.record.machine import Machine
from compare.record.measurement import benches_of
from compare.record.record import Record
from compare.record.results import QUANTITY_NAMES, Quantity, SpeedRatio
from compare.report import charts
from compare.report.figures import Source
from compare.report.order import keras_first
from compare.report.phrases import interval, ratio_of

QUANTITY: Quantity = "step"  # the figure that verdicts are about


@dataclass
class History:
    """Of one twin on one machine.

    Args:
        of: twin, device, precision and size.
        against: the reference that every ratio is of.
        sources: those that measured it, the oldest first.
        ratios: engine -> one ratio for each source, None where it has none.
    """

    of: tuple[str, str, str, str]
    against: str
    sources: list[Source] = field(default_factory=list)
    ratios: dict[str, list[SpeedRatio | None]] = field(default_factory=dict)


def histories(sources: Iterable[Source]) -> list[History]:
    """What at least two of the records timed on machines of the same kind."""
    found: dict[tuple[Any, ...], History] = {}
    for source in sorted(sources, key=lambda each: each.record.started or ""):
        for bench in benches_of(source.record.measurements):
            ratio = ratio_of(bench, QUANTITY)
            if ratio is None or ratio.verdict == "reference" or not bench.result:
                continue
            of = (bench.twin, bench.device, bench.dtype, bench.size)
            machine = _kind(bench.node.machine if bench.node else source.record.machine)
            history = found.setdefault((machine, of, bench.result.reference), History(of, bench.result.reference))
            if source not in history.sources:
                history.sources.append(source)
            line = history.ratios.setdefault(bench.engine, [])
            line += [None] * (len(history.sources) - 1 - len(line))
            line.append(ratio)
    for history in found.values():
        for line in history.ratios.values():
            line += [None] * (len(history.sources) - len(line))
        history.ratios = {engine: history.ratios[engine] for engine in keras_first(history.ratios)}
    return [each for each in found.values() if len(each.sources) > 1]


def for_page(history: History) -> dict[str, Any]:
    """What the page shows: a chart for each engine, and a table with a row for each record."""
    twin, device, dtype, size = history.of
    known = [ratio for line in history.ratios.values() for ratio in line if ratio]
    bounds = [end for each in known for end in (each.estimate, each.low, each.high) if end]
    panels = []
    for engine, line in history.ratios.items():
        if sum(ratio is not None for ratio in line) > 1:
            values = [(each.estimate, each.low, each.high) if each else None for each in line]
            words = ", ".join(f"{each.estimate:.2f}" if each else "none" for each in line)
            label = f"{QUANTITY_NAMES[QUANTITY].capitalize()} of {engine} as a multiple of {history.against}'s: {words}"
            panels.append((engine, charts.history(engine, values, bounds, label)))
    return {
        "what": f"{twin}, {size} size on {device}, {dtype}",
        "against": history.against,
        "engines": list(history.ratios),
        "panels": panels,
        "rows": [
            {
                "number": number + 1,
                "name": source.name,
                "date": source.record.started or "not recorded",
                "ratios": [interval(line[number]) if line[number] else "" for line in history.ratios.values()],  # type: ignore[arg-type]
                "changed": "; ".join(_changes(history.sources[number - 1].record, source.record)) if number else "",
            }
            for number, source in enumerate(history.sources)
        ],
    }


def _changes(old: Record, new: Record) -> Sequence[str]:
    """What was otherwise than in the record before: packages with their versions, the suite's code, the system."""
    said: list[str] = []
    for engine in keras_first(old.versions.keys() & new.versions.keys()):
        was, now = old.versions[engine], new.versions[engine]
        said += [
            f"{package} {was.get(package, 'none')} to {now.get(package, 'none')}"
            for package in sorted(was.keys() | now.keys())
            if was.get(package) != now.get(package)
        ]
    for name in ("system", "python", "governor"):
        was_value, now_value = getattr(old.machine, name), getattr(new.machine, name)
        if was_value != now_value:
            said.append(f"{name} {was_value or 'unknown'} to {now_value or 'unknown'}")
    if old.code != new.code:
        said.append("code of the suite")
    return list(dict.fromkeys(said)) or ["nothing"]


def _kind(machine: Machine) -> tuple[Any, ...]:
    """What makes speeds of two days comparable: the processor and its cores, and the card."""
    return (machine.processor, machine.cores, machine.usable_cores, machine.gpu.name if machine.gpu else None)
