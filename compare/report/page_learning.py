"""The page's learning of a twin: curves, differences between engines, and what the trained models do."""

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from compare.record.measurement import TrainMeasurement
from compare.record.results import Boxes
from compare.report import charts
from compare.report.learned import Learned
from compare.report.order import keras_first, side
from compare.report.page_overview import learning_verdict


class Strip(NamedTuple):
    """The picture that boxes are drawn on: its id on the page, and its size."""

    id: str
    width: int
    height: int


def learning(engines: Sequence[Learned], compared: list[Any]) -> dict[str, Any] | None:
    """What the page shows of one twin's trainings; None without any."""
    if not engines:
        return None
    engines = sorted(engines, key=lambda each: side(each.engine) == "torch")
    against = compared[0].against if compared else next((e.engine for e in engines if e.engine == "torch"), "")
    versus = {each.engine: each for each in compared}
    first = engines[0]
    metric = first.metric.replace("_", " ")
    return {
        "metric": metric,
        "target": first.target,
        "chance": first.chance,
        "better": "higher" if first.target > first.chance else "lower",
        "against": against,
        "margin": compared[0].margin if compared else None,
        "rows": [_row(each, versus.get(each.engine), against) for each in engines],
        "compared": bool(compared),
        "difference": _difference(compared, metric, against) if compared else "",
        "curves": _curves(engines, against),
        "seeds": max(len(each.values) for each in engines),
    }


def _row(each: Learned, versus: Any, against: str) -> dict[str, Any]:
    row = {
        "engine": each.engine,
        "mean": f"{each.mean:.4f}",
        "deviation": "" if each.deviation is None else f"{each.deviation:.4f}",
        "seeds": len(each.values),
    }
    if versus is None:
        rest = dict.fromkeys(("difference", "interval", "p", "verdict", "more"), "")
        return row | rest | {"difference": "reference" if each.engine == against else ""}
    return row | {
        "difference": f"{versus.mean:+.4f}",
        "interval": "" if versus.low is None else f"[{versus.low:+.4f}, {versus.high:+.4f}]",
        "p": "" if versus.p is None else f"{versus.p:.3f}",
        "verdict": learning_verdict(versus.verdict),
        "more": versus.more_seeds or "",
    }


def _difference(compared: list[Any], metric: str, against: str) -> str:
    """The chart of the differences from the reference."""
    margin = compared[0].margin
    intervals = {each.engine: (each.mean, each.low, each.high) for each in compared}
    intervals = {engine: intervals[engine] for engine in keras_first(intervals)}
    words = "; ".join(f"{each.engine} {each.mean:+.4f}, {learning_verdict(each.verdict)}" for each in compared)
    label = f"Difference in {metric} from {against}, with 90% intervals; margin {margin:g}. {words}."
    return charts.forest(intervals, label, (-margin, margin), 0.0, False, ("lower", "higher"))


def _curves(engines: Sequence[Learned], against: str) -> list[dict[str, Any]]:
    """Per loss: a small chart for every engine, with the reference's behind it."""
    out = []
    for loss in dict.fromkeys(name for each in engines for result in each.results for name in result.loss):
        bands = {each.engine: _band([result.loss.get(loss, []) for result in each.results]) for each in engines}
        values = [value for band in bands.values() for point in band for value in point]
        if not values:
            continue
        bounds = min(values), max(values)
        panels = []
        for engine, band in bands.items():
            if band:
                behind = bands.get(against, []) if engine != against else []
                label = f"{loss} of {engine} from {band[0][0]:.3g} to {band[-1][0]:.3g} over {len(band)} epochs"
                panels.append((engine, charts.curves(engine, band, behind, bounds, label)))
        out.append({"loss": loss, "panels": panels})
    return out


def _band(curves: list[list[float]]) -> list[tuple[float, float, float]]:
    """Per epoch the mean, the least and the largest of the seeds that got there."""
    out = []
    for at in range(max(map(len, curves), default=0)):
        values = [curve[at] for curve in curves if len(curve) > at and math.isfinite(curve[at])]
        if values:
            out.append((statistics.fmean(values), min(values), max(values)))
    return out


def predictions(anchor: str, measurements: Sequence[TrainMeasurement]) -> dict[str, Any] | None:
    """Pictures that all engines have in common once, the others side by side, and the labels as a table."""
    by_engine = {each.engine: each.result.predictions for each in measurements if each.result}
    shown = {engine: found for engine, found in by_engine.items() if found and found.pictures}
    if not shown:
        return None
    data, own = (
        {engine: [(p.caption, p.png) for p in each.pictures if p.of == of] for engine, each in shown.items()}
        for of in ("data", "model")
    )
    common = list(dict.fromkeys(pair for pictures in data.values() for pair in pictures))
    first = next(iter(shown.values()))
    boxes = {engine: each.boxes for engine, each in shown.items() if each.boxes}
    placed: dict[str, str] = {}
    if len(first.tile) == 2 and common:
        placed = {e: charts.boxes(each, first.tile, f"{anchor}-strip", f"boxes of {e}") for e, each in boxes.items()}
    labels = {engine: each.labels for engine, each in shown.items() if each.labels}
    true = next((each.true for each in labels.values()), [])
    return {
        "common": common,
        "sides": [
            (title, [(e, placed.get(e), own[e]) for e in own if (own[e] or e in placed) and side(e) == of])
            for title, of in (("Keras", "keras"), ("PyTorch", "torch"))
        ],
        "own": bool(placed) or any(own.values()),
        "strip": _strip(anchor, next(iter(boxes.values())), first.tile) if placed else None,
        "true": true,
        "predicted": [
            (engine, [(label, label == right) for label, right in zip(each.predicted, true, strict=False)])
            for engine, each in labels.items()
        ],
        "count": len(true) if first.rows is None else first.rows,
    }


def _strip(anchor: str, boxes: Boxes, tile: Sequence[int]) -> Strip:
    return Strip(f"{anchor}-strip", *charts.strip_size(boxes, tile))
