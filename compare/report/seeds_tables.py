"""Tables of what engines learned over several seeds, and whether it is equal; from records only."""

import math
import re
import statistics
import textwrap
from collections.abc import Iterable

from tabulate import tabulate

from compare.record.cell import Cell
from compare.stats import seeds as accuracy


def seeds_table(cells: Iterable[Cell]) -> str:
    """One row per twin and engine: what was learned, over all seeds."""
    together: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        together.setdefault((cell.twin, cell.engine), []).append(cell)
    rows = []
    for (twin, engine), group in together.items():
        values = [value for value in map(accuracy.value_of, group) if value is not None]
        result = next((cell.result for cell in group if cell.result), {})
        rows.append(
            [
                twin,
                engine,
                result.get("metric", group[0].status.replace("_", " ")),
                f"{accuracy.centre(result['metric'], values):.4g}" if values else "",
                f"{statistics.stdev(values):.2g}" if len(values) > 1 else "",
                f"{result['goal']:g}" if result else "",
                f"{len(values)}" if result else "",
            ]
        )
    heads = ["twin", "engine", "metric", "mean", "sd", "goal", "seeds"]
    return _folded(rows, heads, ("left", "left", "left", *("right",) * 4))


def comparison(cells: Iterable[Cell]) -> list[str]:
    """The comparison over seeds: its table, what it means, and what a verdict would still take."""
    found = accuracy.compare_all(cells)
    if not found:
        return ["One engine, or no seed that two were trained from: nothing to compare."]
    return [comparison_table(found), comparison_summary(found)]


def comparison_table(found: Iterable[accuracy.Comparison]) -> str:
    """One row per twin and engine: how far it is from the reference, and whether that is equal."""
    rows = []
    for each in found:
        form = f"+z.{max(0, math.ceil(-math.log10(each.margin)) + 1)}f"  # two digits of the margin
        interval = "" if each.low is None else f"{each.low:{form}} to {each.high:{form}}"
        rows.append([each.twin, each.engine, f"{each.mean:{form}}", interval, f"{each.margin:g}", each.verdict])
    heads = ["twin", "engine", "differs", "90% interval", "margin", "verdict"]
    return _folded(rows, heads, ("left", "left", "right", "right", "right", "left"))


def comparison_summary(found: list[accuracy.Comparison]) -> str:
    """What the columns mean, and what a verdict still takes."""
    judged = sum(each.p is not None for each in found)
    against = " or ".join(dict.fromkeys(each.against for each in found))
    holm = f", Holm's correction for {judged} comparisons" if judged > 1 else ""
    lines = [f"differs: engine minus {against}, paired by seed; equal: shown to be within the margin (TOST, 5%{holm})."]
    if any(each.metric in accuracy.RETURNS for each in found):
        lines.append("Of returns, the interquartile mean, with a bootstrap interval.")
    if unjudged := [len(each.seeds) for each in found if each.verdict == "none"]:
        few = "1 seed gives" if min(unjudged) == 1 else f"{min(unjudged)} seeds give"
        lines.append(f"{few} no verdict: that takes {accuracy.ENOUGH}.")
    wanting = sorted((each for each in found if each.more_seeds), key=lambda each: -(each.more_seeds or 0))
    if wanting:
        named = ", ".join(f"{each.more_seeds} for {each.twin} on {each.engine}" for each in wanting[:3])
        others = f", at most that for {len(wanting) - 3} more" if len(wanting) > 3 else ""
        lines.append(f"More seeds that a verdict takes, as they differ here: {named}{others}.")
    if beyond := [each for each in found if each.more_seeds is None and each.low is not None]:
        names = ", ".join(f"{each.twin} on {each.engine}" for each in beyond)
        lines.append(f"Too near the margin for a verdict from {accuracy.MOST:,} seeds: {names}.")
    return "\n".join(textwrap.fill(line, 80, break_on_hyphens=False) for line in lines)


def _folded(rows: list[list[str]], heads: list[str], align: tuple[str, ...]) -> str:
    """A table in which names take two lines, column after column, until it fits 80 columns."""
    column = 0
    while True:
        table = tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=align)
        if max(map(len, table.splitlines())) <= 80 or align[column] != "left":
            return table
        rows = [[*row[:column], re.sub("([_-])", r"\1\n", row[column], count=1), *row[column + 1 :]] for row in rows]
        column += 1
