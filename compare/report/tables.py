"""Tables for people, from records only: nothing here measures."""

import math
import statistics
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tabulate as tabulating
from tabulate import tabulate

from compare.engines.engine import everything
from compare.record.cell import Cell
from compare.report.figures import Source, farthest, has_speed, typical
from twin.catalogue import CHAPTERS
from twin.spec import Twin

tabulating.MIN_PADDING = 0  # two more columns for every head are ten too many in 80
COLUMNS = 80
INDENT = "~~"  # tabulate strips spaces
WORDS = {
    "ok": "agrees",
    "failed": "DIFFERS",
    "skipped": "skipped",
    "not_run": "not run",
    "oom_host": "no memory",
    "oom_device": "no memory",
}


MEASURED = ("forward", "gradients", "optimizer")
SPEED_WORDS = {"none": "no verdict"}
PRECISION = "TF32 off: no engine rounds its matrix products more coarsely than it says"


def of_sources(sources: Sequence[Source]) -> str:
    """Several records one below the other, each under its name and its machine: nothing is mixed."""
    if len(sources) == 1:
        return of_record(sources[0].content)
    return "\n\n\n".join(f"{_heading(source)}\n\n{of_record(source.content)}" for source in sources)


def of_record(content: Mapping[str, Any]) -> str:
    """Everything that a record holds: the ladder, the speed, the training, and what failed.

    Args:
        content: the record's JSON.
    """
    parts = []
    cells = [Cell.from_json(fields) for fields in content["cells"]]
    checks, benches, trains = ([c for c in cells if c.measure == each] for each in ("check", "bench", "train"))
    if content["command"] == "line":
        return "\n\n".join([line_table(trains), line_summary(trains), *troubles(cells)])
    if checks:
        parts += [check_table(checks), check_summary(checks)]
    if benches:
        parts += [*bench_tables(benches), bench_summary(benches)]
    if trains:
        if len({cell.seed for cell in trains}) > 1:
            from compare.report import (
                seeds_tables as accuracy_report,  # here: it needs NumPy, for which `twin list` does not wait
            )

            found = accuracy_report.comparison(trains)
            parts += [accuracy_report.seeds_table(trains), *provenances(trains), *found]
        else:
            parts += [train_table(trains), *provenances(trains), train_summary(trains)]
    if missing := not_measured(cells):
        parts.append(missing)
    return "\n\n".join([*parts, *troubles(cells)])


def check_table(cells: Iterable[Cell]) -> str:
    """One row per cell: how far the worst tensor of each rung is from the float64 reference."""
    rows = []
    for cell in cells:
        far, noise = farthest(cell)
        rows.append(
            [
                cell.twin,
                cell.engine,
                cell.dtype.removeprefix("float"),
                WORDS.get(cell.status, cell.status),
                *(_short(far.get(name)) for name in MEASURED),
                "" if noise is None else _noises(noise),
            ]
        )
    heads = ["twin", "engine", "bits", "result", "forward", "gradient", "steps", "noise"]
    return fitting(rows, heads, ("left",) * 4 + ("right",) * 4)


def fitting(rows: Sequence[Sequence[str]], heads: Sequence[str], align: Sequence[str]) -> str:
    """A table of 80 columns: where it would be wider, each twin gets a line of its own above its engines.

    Args:
        rows: twin, engine, and the rest.
        heads, align: of the columns.
    """
    table = tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=align)
    if len(table.partition("\n")[0]) <= COLUMNS:
        return table
    nested, above = [], None
    for twin, engine, *rest in rows:
        if twin != above:
            nested.append([twin, *[""] * len(rest)])
        nested.append([f"{INDENT}{engine}", *rest])
        above = twin
    for separator in ("", "_", " > "):  # names of metrics, then losses, take two lines
        if separator:
            nested = [
                [first, *(text.replace(separator, f"{separator.rstrip()}\n", 1) for text in rest)]
                for first, *rest in nested
            ]
        table = tabulate(nested, heads[1:], tablefmt="simple", disable_numparse=True, colalign=align[1:])
        if len(table.partition("\n")[0]) <= COLUMNS:
            break
    return table.replace(INDENT, " " * len(INDENT))


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


def bench_tables(cells: Iterable[Cell]) -> list[str]:
    """Per twin: how long each engine takes beside the reference, and what it costs."""
    parts = []
    for group in by_pair(cells).values():
        if all(cell.status in ("skipped", "not_run") for cell in group):
            continue
        first = next((cell for cell in group if cell.result.get("reference")), group[0])
        batch = f", batch {first.result['batch_size']}" if first.result.get("batch_size") else ""
        parts.append(f"{first.twin}: {first.size} size{batch}, {first.dtype}, on {first.device}")
        parts[-1] += f"\n\n{ratio_table(group)}\n\n{cost_table(group)}\n\n" + "\n".join(map(_fill, band_words(group)))
    return parts


def ratio_table(cells: Iterable[Cell]) -> str:
    """One row per engine of one twin: its time as a multiple of the reference's, and what that is worth."""
    rows = []
    for cell in cells:
        speed = cell.result.get("speed", {}) if has_speed(cell) else {}
        step = speed.get("step")
        is_reference = step is not None and step["verdict"] == "reference"
        rows.append(
            [
                cell.engine,
                how(cell),
                speed_word(cell),
                interval(step) if step and not is_reference else "1" if step else "",
                *("1" if is_reference and q in speed else _ratio(speed.get(q)) for q in ("loop", "throughput")),
            ]
        )
    heads = ["engine", "run", "step is", "step [95%]", "loop", "infer"]
    return tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=("left",) * 3 + ("right",) * 3)


def cost_table(cells: Iterable[Cell]) -> str:
    """One row per engine of one twin that was timed: medians over rounds."""
    rows = []
    for cell in cells:
        if not has_speed(cell):
            continue
        step, latency, batch = typical(cell, "step"), typical(cell, "latency"), typical(cell, "throughput")
        first, second, memory = (typical(cell, each) for each in ("first_step", "second_step", "peak_memory_mib"))
        rows.append(
            [
                cell.engine,
                *("" if each is None else f"{each * 1000:.3g}" for each in (step, latency)),
                "" if not batch or not cell.result.get("batch_size") else f"{cell.result['batch_size'] / batch:,.0f}",
                *("" if each is None else f"{each:.3g}" for each in (first, second)),
                "" if memory is None else f"{memory:,.0f}",
            ]
        )
    heads = ["engine", "step ms", "1 row ms", "rows/s", "1st s", "2nd s", "MiB"]
    return tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=("left",) + ("right",) * 6)


def band_words(cells: Iterable[Cell]) -> list[str]:
    """Sentences on how far the same code is from itself, over how many rounds, and on what is not like for like."""
    from compare.stats.ratios import EQUAL  # here: it needs NumPy, for which `twin list` does not wait

    cells = [cell for cell in cells if has_speed(cell)]
    native = next((c for c in cells if any(s["verdict"] == "reference" for s in c.result["speed"].values())), None)
    if native is None:
        return ["No speed: the reference was not timed."]
    speed = native.result["speed"]
    bands = ", ".join(f"{quantity} {_percent(each['band'])}" for quantity, each in speed.items())
    rounds, threads = len(native.result.get("rounds", [])), native.result.get("threads", 1)
    lines = [
        f"{native.engine} against a copy of itself is within {bands}: nothing inside that band is faster or slower. "
        f"Equal: the whole interval is within {EQUAL:.0%}. "
        f"{rounds} round{'s' * (rounds != 1)} of fresh processes, {threads} thread{'s' * (threads != 1)} each."
    ]
    unlike = [cell.engine for cell in cells if how(cell) != how(native)]
    if unlike:
        lines.append(f"Not like for like: {native.engine} runs {how(native)}, {_and(unlike)} {_other(how(native))}.")
    return lines


def bench_summary(cells: list[Cell]) -> str:
    """What the tables' figures mean, and what was held equal."""
    references = list(dict.fromkeys(c.result["reference"] for c in cells if c.result.get("reference")))
    whose = _and(references) if references else "the reference"
    lines = [
        f"Ratios are an engine's time over that of {whose}: above 1 is slower, below 1 faster. The verdict is on the "
        "training step on a batch that is already there; loop: training as users write it; infer: a batch forward.",
        "1st s, 2nd s: the first steps, in which compilers compile. MiB: peak memory of the process, on a GPU the "
        "device's. Times are medians over rounds and only the ratios have an interval.",
        f"{PRECISION}. A pair that does not agree has no speed.",
    ]
    return "\n".join(_fill(line) for line in lines)


def speed_word(cell: Cell) -> str:
    """The verdict on an engine's step, or why there is none."""
    if cell.result.get("agrees") is False:
        return "does not agree"
    if has_speed(cell) and "step" in cell.result["speed"]:
        verdict = cell.result["speed"]["step"]["verdict"]
        return SPEED_WORDS.get(verdict, verdict)
    return {"failed": "failed", "ok": "not timed"}.get(cell.status) or WORDS.get(cell.status, cell.status)


def how(cell: Cell) -> str:
    """Whether a cell's step runs compiled or eager."""
    engine = everything().get(cell.engine)
    compiled = cell.result.get("compiled", engine.compiled if engine else False)
    return "compiled" if compiled else "eager"


def interval(speed: Mapping[str, Any]) -> str:
    """A ratio with its 95% interval, such as '1.21 [1.17, 1.26]'; of one round, which has none, the ratio alone."""
    if speed["rounds"] < 2:
        return _ratio(speed)
    return f"{_ratio(speed)} [{_three(speed['low'])}, {_three(speed['high'])}]"


def not_measured(cells: Iterable[Cell]) -> str:
    """How many cells were planned and have no result, by why."""
    counted = Counter(cell.status for cell in cells if cell.status in ("not_run", "skipped"))
    if not counted:
        return ""
    told = {"not_run": "not run: the run ended before them", "skipped": "skipped: they have nothing to measure"}
    return "\n".join(f"{count} cell{'s' * (count != 1)} {told[status]}." for status, count in counted.items())


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
    return fitting(rows, heads, ("left", "left", "left", *("right",) * 5))


def train_summary(cells: list[Cell]) -> str:
    """How far apart the engines ended, which one seed cannot judge."""
    lines = []
    for name in dict.fromkeys(cell.twin for cell in cells):
        values = [c.result["value"] for c in cells if c.twin == name and c.result.get("value") is not None]
        if len(values) > 1:
            metric = next(c.result["metric"] for c in cells if c.twin == name and c.result)
            lines.append(f"{name}: {metric} from {min(values):.4g} to {max(values):.4g} over {len(values)} engines")
    lines.append("One seed: no verdict on which learns better, and seconds of one run are no speed.")
    return "\n".join(map(_fill, lines))


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
    return "\n".join(_fill(line) for line in lines)


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


def troubles(cells: Iterable[Cell]) -> list[str]:
    """A line for what was to be measured and was not, or is not as it should be; seeds with the same trouble in one."""
    found: dict[tuple[str, ...], list[int]] = {}
    for c in cells:
        if c.status not in ("ok", "skipped", "not_run"):
            found.setdefault((c.measure, c.twin, c.engine, c.dtype, c.status, c.reason), []).append(c.seed)
    lines = []
    for (_, twin, engine, dtype, status, reason), seeds in found.items():
        over = f", seeds {', '.join(map(str, sorted(seeds)))}" if len(seeds) > 1 else ""
        lines.append(f"{twin} on {engine} ({dtype}{over}): {status.replace('_', ' ')}. {reason}")
    return lines


def _count(row: dict[str, Any], size: str) -> str:
    number = row["parameters"][size]
    return f"{number:,}" if number else ""


def by_pair(cells: Iterable[Cell]) -> dict[tuple[str, ...], list[Cell]]:
    """Bench cells that may be compared: one twin, device, precision and size."""
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.twin, cell.device, cell.dtype, cell.size), []).append(cell)
    return groups


def _heading(source: Source) -> str:
    machine, date = source.content["machine"], source.content.get("started") or "date not recorded"
    title = f"{source.name}: {source.content['command']}, {date}"
    return f"{title}\n{'=' * len(title)}\n{machine.get('processor', 'unknown processor')}, {machine.get('cores')} cores"


def _ratio(speed: Mapping[str, Any] | None) -> str:
    return _three(speed["estimate"]) if speed else ""


def _three(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.3g}"


def _noises(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 1000 else f"{ratio:.0e}"


def _fill(line: str) -> str:
    return textwrap.fill(line, COLUMNS, break_on_hyphens=False)


def _percent(band: float) -> str:
    return f"{band:.1%}" if math.isfinite(band) else "unknown (one round)"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _other(way: str) -> str:
    return "eager" if way == "compiled" else "compiled"


def _short(far: dict[str, Any] | None) -> str:
    return f"{far['rel_l2']:.1e}" if far else ""
