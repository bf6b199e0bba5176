"""What records of runs add to the site: of each twin what was timed and learned, and the page of exported files."""

import html
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from compare.reading.dataflow_svg import label
from compare.record import exports
from compare.record.measurement import (
    UNMEASURED,
    ExportMeasurement,
    Measurement,
    TrainMeasurement,
    benches_of,
    trainings_of,
)
from compare.record.record import read_record
from compare.record.results import QUANTITY_NAMES

CURVES = "Training loss by epoch of %(engines)s"


def newest(records: Iterable[Path]) -> list[Measurement]:
    """The measurements of some records; of two results of the same one, that of the newer file."""
    found: dict[tuple[str, ...], Measurement] = {}
    read_all = [(path, read_record(path)) for path in records]
    for _, record in sorted(read_all, key=lambda each: each[0].stat().st_mtime):
        found |= {each.key: each for each in record.measurements if each.status not in UNMEASURED}
    return list(found.values())


def speeds(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """What was timed of each engine: a ratio to the reference with its interval, and the verdict."""
    return [
        {"engine": each.engine, "quantity": QUANTITY_NAMES[quantity], "ratio": ratio}
        for each in benches_of(measurements)
        for quantity, ratio in (each.result.ratios.items() if each.result else ())
        if ratio.verdict != "reference"
    ]


def trained(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """What each engine learned, over its seeds."""
    by_engine: dict[str, list[TrainMeasurement]] = {}
    for each in trainings_of(measurements):
        if each.result and math.isfinite(each.result.value):
            by_engine.setdefault(each.engine, []).append(each)
    out = []
    for engine, group in by_engine.items():
        results = [each.result for each in group if each.result]
        values = [result.value for result in results]
        spread = {"value": statistics.fmean(values), "low": min(values), "high": max(values), "seeds": len(values)}
        out.append({"engine": engine, "first": results[0], **spread})
    return out


def curves(measurements: Iterable[Measurement], title: str = CURVES) -> str:
    """The training loss of every engine and seed, epoch by epoch, on a logarithmic scale where all are positive.

    Args:
        measurements: of a twin.
        title: what a screen reader says of the picture, with a place for the engines.
    """
    drawn: list[tuple[str, list[float]]] = [
        (each.engine, next(iter(each.result.loss.values())))
        for each in trainings_of(measurements)
        if each.result and each.result.loss
    ]
    every = [value for _, values in drawn for value in values]
    if not every or max(map(len, (values for _, values in drawn))) < 2:
        return ""
    scale = math.log10 if min(every) > 0 else float
    low, high = scale(min(every)), scale(max(every))
    width, height, left = 560, 220, 60
    epochs = max(len(values) for _, values in drawn)

    def place(epoch: int, value: float) -> str:
        x = left + (width - left - 10) * epoch / (epochs - 1)
        y = 10 + (height - 40) * (high - scale(value)) / ((high - low) or 1)
        return f"{x:.1f},{y:.1f}"

    parts = []
    for engine, values in drawn:
        points = " ".join(map(place, range(epochs), values))
        parts.append(f'<polyline class="{html.escape(engine.partition(":")[0])}" points="{points}"/>')
    parts += [
        label(left - 6, 16, f"{max(every):.3g}", "end"),
        label(left - 6, height - 26, f"{min(every):.3g}", "end"),
        label(left, height - 6, "epoch 1", "start"),
        label(width - 10, height - 6, f"epoch {epochs}", "end"),
    ]
    said = title % {"engines": ", ".join(dict.fromkeys(engine for engine, _ in drawn))}
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" class="curves" '
        f'aria-label="{html.escape(said)}">{"".join(parts)}</svg>'
    )


def exports_page(files: Sequence[ExportMeasurement]) -> dict[str, Any]:
    """What the page of exported files shows."""
    heads, rows = exports.matrix(files)
    offered = [each for each in files if each.status != "not_offered"]
    return {
        "formats": heads[2:],
        "rows": rows,
        "works": sum(each.status == "ok" for each in offered),
        "offered": len(offered),
        "reasons": exports.reasons(offered),
    }
