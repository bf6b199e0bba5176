"""Records as Markdown: the same figures as in the terminal, in tables that a pull request or a wiki shows."""

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from compare.record.cell import Cell
from compare.report import tables as report
from compare.report.figures import Learned, Source, comparisons, farthest, has_speed, learned, typical


def of_sources(sources: Sequence[Source]) -> str:
    """One page: a part per record, with its machine and versions."""
    return "\n\n".join(["# What was compared", *map(_of_source, sources)]) + "\n"


def _of_source(source: Source) -> str:
    content, machine = source.content, source.content["machine"]
    memory = f", {machine['memory_gib']} GiB" if machine.get("memory_gib") else ""
    parts = [
        f"## {_text(source.name)}",
        f"`twin {_text(content['command'])}`, {_text(content.get('started') or 'date not recorded')}, "
        f"{_text(machine.get('processor', 'unknown processor'))}, {machine.get('cores')} cores{memory}, "
        f"{_text(machine.get('system', ''))}. {report.PRECISION}.",
    ]
    parts += [_section("Agreement", _checks(source.cells)), _section("Speed", _benches(source.cells))]
    parts += [_section("Learning", _trains(source.cells)), _section("What was not measured, or failed", _rest(source))]
    if content["versions"]:
        packages = list(dict.fromkeys(name for each in content["versions"].values() for name in each))
        rows = [[engine, *(each.get(p, "") for p in packages)] for engine, each in content["versions"].items()]
        parts.append(_section("Versions", _table(rows, ["engine", *packages], 1 + len(packages))))
    return "\n\n".join(filter(None, parts))


def _section(title: str, text: str) -> str:
    return f"### {title}\n\n{text}" if text else ""


def _checks(cells: Iterable[Cell]) -> str:
    rows = []
    for cell in cells:
        if cell.measure == "check":
            far, noise = farthest(cell)
            told = [f"{far[rung]['rel_l2']:.1e}" if rung in far else "" for rung in report.MEASURED]
            told.append("" if noise is None else f"{noise:.1f}")
            rows.append([cell.twin, cell.engine, cell.dtype, report.WORDS.get(cell.status, cell.status), *told])
    if not rows:
        return ""
    heads = ["twin", "engine", "dtype", "result", *report.MEASURED, "rounding noises"]
    return (
        f"{_table(rows, heads, 4)}\n\nRelative L2 distance of the worst tensor from native PyTorch in float64, and the "
        "largest error in units of native float32's rounding."
    )


def _benches(cells: Iterable[Cell]) -> str:
    parts = []
    benches = [cell for cell in cells if cell.measure == "bench"]
    for group in report.by_pair(benches).values():
        if all(cell.status in ("skipped", "not_run") for cell in group):
            continue
        rows = []
        for cell in group:
            speed = cell.result.get("speed", {}) if has_speed(cell) else {}
            times = [typical(cell, each) if speed else None for each in ("step", "latency", "first_step")]
            memory = typical(cell, "peak_memory_mib") if speed else None
            rows.append(
                [
                    cell.engine,
                    report.how(cell),
                    report.speed_word(cell),
                    *(_ratio(speed.get(each)) for each in ("step", "loop", "throughput", "latency")),
                    *("" if each is None else f"{each * 1000:.3g}" for each in times),
                    "" if memory is None else f"{memory:,.0f}",
                ]
            )
        heads = ["engine", "run", "step is", "step", "loop", "infer", "1 row", "step ms", "1 row ms", "1st ms", "MiB"]
        first = group[0]
        title = f"**{_text(first.twin)}**, {first.size} size, {first.dtype}, on {first.device}"
        told = " ".join(report.band_words(group))
        parts.append(f"{title}\n\n{_table(rows, heads, 3)}\n\n{_text(told)}")
    return "\n\n".join([*parts, _text(report.bench_summary(benches)).replace("\n", " ")]) if parts else ""


def _trains(cells: Sequence[Cell]) -> str:
    compared = {(each.twin, each.engine): each for each in comparisons(cells)}
    rows = []
    for each in learned(cells):
        versus = compared.get((each.twin, each.engine))
        apart = ["", "", "", ""]
        if versus:
            span = "" if versus.low is None or versus.high is None else f"[{versus.low:+.4f}, {versus.high:+.4f}]"
            more = f"{versus.more_seeds} more" if versus.more_seeds else ""
            apart = [f"{versus.mean:+.4f} {span}".strip(), f"{versus.margin:g}", versus.verdict, more]
        rows.append([each.twin, each.engine, each.metric, *_over_seeds(each), f"{each.goal:g}", *apart])
    if not rows:
        return ""
    heads = ["twin", "engine", "metric", "mean", "deviation", "seeds", "goal", "against the reference [90%]"]
    data = "\n".join(f"- data of {_text(line.removeprefix('data of '))}" for line in _provenances(cells))
    table = _table(rows, [*heads, "margin", "verdict", "seeds to a verdict"], 3)
    return "\n\n".join(filter(None, [table, data]))


def _over_seeds(each: Learned) -> list[str]:
    mean, deviation = each.mean, each.deviation
    return ["" if v is None else f"{v:.4f}" for v in (mean, deviation)] + [str(len(each.values))]


def _provenances(cells: Iterable[Cell]) -> list[str]:
    return [line for text in report.provenances(cells) for line in text.splitlines()]


def _rest(source: Source) -> str:
    lines = [*report.not_measured(source.cells).splitlines(), *report.troubles(source.cells)]
    return "\n".join(f"- {_text(line)}" for line in lines)


def _ratio(speed: dict | None) -> str:
    return "" if not speed else "1" if speed["verdict"] == "reference" else report.interval(speed)


def _table(rows: Iterable[Sequence[str]], heads: Sequence[str], left: int) -> str:
    cells = [[_text(str(each)) for each in row] for row in rows]
    align = ["left"] * left + ["right"] * (len(heads) - left)
    return tabulate(cells, heads, tablefmt="github", disable_numparse=True, colalign=align)


def _text(words: str) -> str:
    """Words of a record so that Markdown shows them as they are."""
    return re.sub(r"([\\`*_<>|]|(?<=\])\()", r"\\\1", " ".join(words.split()))
