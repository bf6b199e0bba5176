"""Tables for people, from records only: nothing here measures."""

import statistics
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from tabulate import tabulate

from compare.cells import Cell, Record
from twin.catalogue import CHAPTERS
from twin.spec import Twin

WORDS = {
    "ok": "agrees",
    "failed": "DIFFERS",
    "skipped": "skipped",
    "not_run": "not run",
    "oom_host": "no memory",
    "oom_device": "no memory",
}


def of_record(record: Record) -> str:
    """Everything that a record holds: the ladder, the training, and what failed."""
    parts = []
    checks = [cell for cell in record.cells if cell.measure == "check"]
    trains = [cell for cell in record.cells if cell.measure == "train"]
    if record.command == "line":
        return "\n\n".join([line_table(trains), line_summary(trains), *_troubles(record.cells)])
    if checks:
        parts += [check_table(checks), check_summary(checks)]
    if trains:
        if len({cell.seed for cell in trains}) > 1:
            from compare import accuracy_report  # here: it needs NumPy, for which `twin list` does not wait

            found = accuracy_report.comparison(trains)
            parts += [accuracy_report.seeds_table(trains), *provenances(trains), *found]
        else:
            parts += [train_table(trains), *provenances(trains), train_summary(trains)]
    return "\n\n".join([*parts, *_troubles(record.cells)])


def check_table(cells: Iterable[Cell]) -> str:
    """One row per cell: how far the worst tensor of each rung is from the float64 reference."""
    rows = []
    for cell in cells:
        far = {rung["rung"]: rung["worst"] for rung in cell.result.get("rungs", [])}
        ratios = [each["noise_ratio"] for each in far.values() if each and each["noise_ratio"] is not None]
        rows.append(
            [
                cell.twin,
                cell.engine,
                cell.dtype.removeprefix("float"),
                WORDS.get(cell.status, cell.status),
                *(_short(far.get(name)) for name in ("forward", "gradients", "optimizer")),
                f"{max(ratios):.1f}" if ratios else "",
            ]
        )
    heads = ["twin", "engine", "bits", "result", "forward", "gradient", "steps", "noise"]
    return tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=("left",) * 4 + ("right",) * 4)


def check_summary(cells: list[Cell]) -> str:
    """What the table's figures are, and how many cells agree."""
    counted = [cell for cell in cells if cell.status != "skipped"]
    agree = sum(cell.status == "ok" for cell in counted)
    return (
        "forward, gradient, steps: relative L2 distance from native PyTorch in float64;\n"
        "steps: of an update, of Adam's moments or of the weights, whichever is closest\n"
        "to its limit. noise: the error in units of native float32's rounding.\n"
        f"{agree} of {len(counted)} cells agree on every rung."
    )


def train_table(cells: Iterable[Cell]) -> str:
    """One row per cell: what was learned, and how fast."""
    rows = []
    for cell in cells:
        result = cell.result
        loss: list[float] = next(iter(result.get("loss", {}).values()), [])
        value = result.get("value")
        rows.append(
            [
                cell.twin,
                cell.engine,
                result.get("metric", cell.status),
                "" if value is None else f"{value:.4g}",
                f"{result['goal']:g}" if result else "",
                f"{result['chance']:.3g}" if result else "",
                f"{loss[0]:.3g} > {loss[-1]:.3g}" if loss else "",
                f"{result['seconds']:.1f}" if result else "",
            ]
        )
    heads = ["twin", "engine", "metric", "value", "goal", "chance", "loss", "s"]
    align = ("left", "left", "left", *("right",) * 5)
    return tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=align)


def train_summary(cells: list[Cell]) -> str:
    """How far apart the engines ended, which one seed cannot judge."""
    lines = []
    for name in dict.fromkeys(cell.twin for cell in cells):
        values = [c.result["value"] for c in cells if c.twin == name and c.result.get("value") is not None]
        if len(values) > 1:
            metric = next(c.result["metric"] for c in cells if c.twin == name and c.result)
            lines.append(f"{name}: {metric} from {min(values):.4g} to {max(values):.4g} over {len(values)} engines")
    return "\n".join([*lines, "One seed: no verdict on which learns better, and seconds of one run are no speed."])


def provenances(cells: Iterable[Cell]) -> list[str]:
    """Where the data came from, once per twin."""
    found = {cell.twin: cell.result["provenance"] for cell in cells if cell.result.get("provenance")}
    return ["\n".join(f"data of {twin}: {provenance}" for twin, provenance in found.items())] if found else []


def line_table(cells: Iterable[Cell]) -> str:
    """One row per twin and engine of the line of progress: what it costs, how fast it learns, and how well."""
    rows = []
    for cell in cells:
        result = cell.result
        value, speed = result.get("value"), pictures_per_second(result)
        rows.append(
            [
                cell.twin,
                cell.engine,
                *(f"{result[name]:,}" if name in result else "" for name in ("parameters", "multiply_adds")),
                "" if speed is None else f"{speed:,.0f}",
                cell.status.replace("_", " ") if value is None else f"{value:.4f}",
            ]
        )
    heads = ["twin", "engine", "parameters", "mult-adds", "pics/s", "accuracy"]
    return tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=("left", "left", *("right",) * 4))


def line_summary(cells: list[Cell]) -> str:
    """Where the pictures came from, what the columns mean, and what they do not."""
    provenances = dict.fromkeys(cell.result["provenance"] for cell in cells if cell.result)
    lines = [
        *(f"Pictures: {provenance}; brought to 32x32 pixels." for provenance in provenances),
        "mult-adds: multiply-adds of one picture, in convolutions and matrix products.",
        "pics/s: pictures learned from, in the median epoch after the first, in which Keras compiles.",
        "One seed, one process at a time, one machine: no verdict on which framework is faster or learns better.",
    ]
    return "\n".join(textwrap.fill(line, 80) for line in lines)


def pictures_per_second(result: Mapping[str, Any]) -> float | None:
    """The speed of training in the median epoch; None where only the first was run, which also compiles."""
    after_the_first = result.get("epoch_seconds", [])[1:]
    return result["rows"] / statistics.median(after_the_first) if after_the_first else None


def catalogue_rows() -> list[dict[str, Any]]:
    """The catalogue as `twin list --json` gives it."""
    return [_row(chapter.number, twin) for chapter, twins in CHAPTERS.items() for twin in twins]


def catalogue_table(columns: int) -> str:
    """The catalogue for a terminal of so many columns; a narrow one goes without titles."""
    names = ["chapter", "name", "kind", "small", "paper", "deck"]
    if columns >= 120:
        names.insert(2, "title")
    rows = [{**row, "small": _count(row, "small"), "paper": _count(row, "paper")} for row in catalogue_rows()]
    align = ["right" if name in ("chapter", "small", "paper") else "left" for name in names]
    cells = [[row[name] for name in names] for row in rows]
    heads = ["ch" if name == "chapter" else name for name in names]
    return tabulate(cells, heads, tablefmt="simple", disable_numparse=True, colalign=align)


def _row(chapter: int, twin: Twin) -> dict[str, Any]:
    return {
        "name": twin.name,
        "title": twin.title,
        "chapter": chapter,
        "kind": twin.kind,
        "parameters": {
            "small": twin.small.parameters,
            "paper": twin.paper_size.parameters if twin.paper_size else None,
        },
        "deck": twin.deck,
        "paper": twin.paper,
    }


def _troubles(cells: Iterable[Cell]) -> list[str]:
    """A line for each cell that was to be measured and was not, or is not as it should be."""
    return [
        f"{c.twin} on {c.engine} ({c.dtype}): {c.status.replace('_', ' ')}. {c.reason}"
        for c in cells
        if c.status not in ("ok", "skipped", "not_run")
    ]


def _count(row: dict[str, Any], size: str) -> str:
    number = row["parameters"][size]
    return f"{number:,}" if number else ""


def _short(far: dict[str, Any] | None) -> str:
    return f"{far['rel_l2']:.1e}" if far else ""
