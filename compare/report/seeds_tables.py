"""Tables of what engines learned over several seeds, and whether it is equal; from records only."""

import math
from collections.abc import Iterable, Sequence

from compare.record.measurement import TrainMeasurement
from compare.report.learned import learned
from compare.report.phrases import joined, plural
from compare.stats import seeds
from twin.table import filled, fitted


def seeds_table(measurements: Sequence[TrainMeasurement]) -> str:
    """One row per twin and engine: what was learned, over all seeds."""
    known = {(each.twin, each.engine): each for each in learned(measurements)}
    rows = []
    for (twin, engine), status in {(each.twin, each.engine): each.status_word for each in measurements}.items():
        each = known.get((twin, engine))
        if each is None:
            rows.append([twin, engine, status, *[""] * 4])
            continue
        deviation = "" if each.deviation is None else f"{each.deviation:.2g}"
        numbers = [f"{each.mean:.4g}", deviation, f"{each.target:g}", f"{len(each.values)}"]
        rows.append([each.twin, each.engine, each.metric, *numbers])
    heads = ["twin", "engine", "metric", "mean", "deviation", "target", "seeds"]
    return fitted(rows, heads, ("left", "left", "left", *("right",) * 4), nest=True)


def comparison(found: Sequence[seeds.Comparison], explain: bool = True) -> list[str]:
    """The comparison over seeds: its table, what it means, and what a verdict would still take."""
    if not found:
        return ["One engine, or no seed that two were trained from: nothing to compare."]
    return [comparison_table(found), *filter(None, [comparison_summary(found, explain)])]


def comparison_table(comparisons: Iterable[seeds.Comparison]) -> str:
    """One row per twin and engine: how far it is from the reference, and whether that is equal."""
    rows = []
    for each in comparisons:
        form = f"+z.{max(0, math.ceil(-math.log10(each.margin)) + 1)}f"  # two digits of the margin
        interval = "" if each.low is None else f"{each.low:{form}} to {each.high:{form}}"
        rows.append([each.twin, each.engine, f"{each.mean:{form}}", interval, f"{each.margin:g}", each.verdict])
    heads = ["twin", "engine", "difference", "90% interval", "margin", "verdict"]
    return fitted(rows, heads, ("left", "left", "right", "right", "right", "left"), nest=True)


def comparison_summary(comparisons: Sequence[seeds.Comparison], explain: bool = True) -> str:
    """What the columns mean where that is asked for, and what a verdict still takes."""
    judged = sum(each.p is not None for each in comparisons)
    against = " or ".join(dict.fromkeys(each.against for each in comparisons))
    holm = f", Holm's correction for {judged} comparisons" if judged > 1 else ""
    lines = []
    if explain:
        lines.append(
            f"difference: engine minus {against}, paired by seed. equal: shown to be within the margin "
            f"(TOST, 5%{holm})."
        )
    if explain and any(each.metric in seeds.RETURNS for each in comparisons):
        lines.append("Of returns, the interquartile mean, with a bootstrap interval.")
    if unjudged := [len(each.seeds) for each in comparisons if each.verdict == "none"]:
        gives = "gives" if min(unjudged) == 1 else "give"
        lines.append(f"{plural(min(unjudged), 'seed')} {gives} no verdict: that takes {seeds.ENOUGH}.")
    wanting = sorted((each for each in comparisons if each.more_seeds), key=lambda each: -(each.more_seeds or 0))
    if wanting:
        named = ", ".join(f"{each.more_seeds} more for {each.twin} on {each.engine}" for each in wanting[:3])
        others = f", at most that for {len(wanting) - 3} others" if len(wanting) > 3 else ""
        lines.append(f"A verdict takes more seeds, if they differ as these do: {named}{others}.")
    if beyond := [each for each in comparisons if each.more_seeds is None and each.low is not None]:
        names = joined([f"{each.twin} on {each.engine}" for each in beyond])
        lines.append(f"Too near the margin for a verdict from {seeds.MOST:,} seeds: {names}.")
    return "\n".join(map(filled, lines))
