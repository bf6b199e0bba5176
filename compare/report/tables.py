"""Tables for people, from records only: nothing here measures."""

import math
from collections.abc import Iterable, Sequence

from compare.record.measurement import (
    CheckMeasurement,
    TrainMeasurement,
    benches_of,
    checks_of,
    exports_of,
    trainings_of,
)
from compare.record.record import Record
from compare.record.results import RungName, WorstError
from compare.report import exports
from compare.report.answers import answers
from compare.report.figures import Source
from compare.report.learned import comparisons
from compare.report.phrases import not_measured, provenances, troubles
from compare.report.speed_tables import bench_summary, bench_tables
from twin.table import ROOMY, WIDEST, columns, filled, fitted, hanging

MEASURED_RUNGS: tuple[RungName, ...] = ("forward", "gradients", "optimizer")


def of_sources(sources: Sequence[Source], explain: bool = False) -> str:
    """Several records one below the other, each under its name and its machine: nothing is mixed."""
    if len(sources) == 1:
        return of_record(sources[0].record, explain)
    return "\n\n\n".join(f"{_heading(source)}\n\n{of_record(source.record, explain)}" for source in sources)


def of_record(record: Record, explain: bool = False) -> str:
    """What a record answers, then everything that it holds: the ladder, the speed, the training, and what failed.

    Args:
        record: of one run.
        explain: whether to say what the columns mean.
    """
    measurements = record.measurements
    checks, benches, trainings = checks_of(measurements), benches_of(measurements), trainings_of(measurements)
    if record.command == "line":
        return "\n\n".join([line_table(trainings), line_summary(trainings), *map(hanging, troubles(measurements))])
    compared = comparisons(measurements)
    parts = ["\n".join(hanging(str(each)) for each in answers(measurements, compared, record.settings))]
    if files := exports_of(measurements):
        return "\n\n".join([*parts, exports.text(files, explain)])
    parts.append("\n".join(map(hanging, record.disturbances)))
    if checks:
        parts += [check_table(checks), *([check_summary()] if explain else [])]
    if benches:
        parts += [*bench_tables(benches), *(["\n".join(map(filled, bench_summary(benches)))] if explain else [])]
    if trainings:
        data = "\n".join(filled(f"data of {twin}: {provenance}") for twin, provenance in provenances(trainings).items())
        if len({each.seed for each in trainings}) > 1:
            from compare.report import seeds_tables  # here: it needs NumPy, for which `twin list` does not wait

            parts += [seeds_tables.seeds_table(trainings), data, *seeds_tables.comparison(compared, explain)]
        else:
            parts += [train_table(trainings), data, train_summary(trainings)]
    parts.append("\n".join(not_measured(measurements)))
    return "\n\n".join(part for part in [*parts, *map(hanging, troubles(measurements))] if part)


def check_table(measurements: Iterable[CheckMeasurement]) -> str:
    """One row per measurement: how far the worst tensor of each rung is from the float64 reference."""
    rows = []
    for each in measurements:
        worst = each.result.worst if each.result else {}
        noise = each.result.noise_ratio if each.result else None
        rows.append(
            [
                each.twin,
                each.engine if each.dtype == "float32" else f"{each.engine}, {each.dtype}",
                each.status_word,
                *(_error(worst.get(rung)) for rung in MEASURED_RUNGS),
                "" if noise is None else f"{noise:.1f}" if noise < 1000 else f"{noise:.0e}",
            ]
        )
    heads = ["twin", "engine", "result", "forward", "gradient", "steps", "error / rounding"]
    return fitted(rows, heads, ("left",) * 3 + ("right",) * 4, nest=True)


def check_summary() -> str:
    """What the table's figures are."""
    return "\n".join(
        map(
            filled,
            [
                "forward, gradient, steps: relative L2 distance from native PyTorch in float64; steps: of an update, "
                "of Adam's moments or of the weights, whichever is closest to its limit. An engine computes in float32 "
                "where nothing else is said.",
                "error / rounding: the largest of these errors, divided by the rounding error of native PyTorch in "
                "float32.",
            ],
        )
    )


def train_table(measurements: Iterable[TrainMeasurement]) -> str:
    """One row per measurement: what was learned, and how fast."""
    rows = []
    for each in measurements:
        row = [each.twin, each.engine, each.status_word, *[""] * 5]
        if result := each.result:
            loss: list[float] = next(iter(result.loss.values()), [])
            row[2:] = [
                result.metric,
                f"{result.value:.4g}" if math.isfinite(result.value) else "diverged",
                f"{result.target:g}",
                f"{result.chance:.3g}",
                f"{loss[0]:.3g} to {loss[-1]:.3g}" if loss else "",
                f"{result.seconds:.1f}",
            ]
        rows.append(row)
    heads = ["twin", "engine", "metric", "value", "target", "chance", "loss, first to last epoch", "time, s"]
    if columns() < ROOMY:
        at = heads.index("chance")
        rows, heads = [[*row[:at], *row[at + 1 :]] for row in rows], [*heads[:at], *heads[at + 1 :]]
    return fitted(rows, heads, ("left", "left", "left", *("right",) * (len(heads) - 3)), nest=True)


def train_summary(measurements: Sequence[TrainMeasurement]) -> str:
    """How far apart the engines ended, which one seed cannot judge."""
    lines = []
    for twin in dict.fromkeys(each.twin for each in measurements):
        results = [each.result for each in measurements if each.twin == twin and each.result]
        values = [result.value for result in results if math.isfinite(result.value)]
        if len(values) > 1:
            low, high = f"{min(values):.4g}", f"{max(values):.4g}"
            span = f"{low} on each of" if low == high else f"from {low} to {high} over"
            lines.append(f"{twin}: {results[0].metric} {span} {len(values)} engines")
    lines.append("The seconds of one training are no measure of speed; that is `twin bench`.")
    return "\n".join(map(filled, lines))


def line_table(measurements: Iterable[TrainMeasurement]) -> str:
    """One row per twin and engine of the line of progress: what it costs, how fast it learns, and how well."""
    rows = []
    for each in measurements:
        row = [each.twin, each.engine, "", "", "", each.status.replace("_", " ")]
        if result := each.result:
            speed = result.rows_per_second
            row[2:5] = [
                "" if result.parameters is None else f"{result.parameters:,}",
                "" if result.multiply_adds is None else f"{result.multiply_adds:,}",
                "" if speed is None else f"{speed:,.0f}",
            ]
            if math.isfinite(result.value):
                row[5] = f"{result.value:.4f}"
        rows.append(row)
    heads = ["twin", "engine", "parameters", "multiply-adds", "pictures/s", "accuracy"]
    return fitted(rows, heads, ("left", "left", *("right",) * 4), nest=True)


def line_summary(measurements: Iterable[TrainMeasurement]) -> str:
    """Where the pictures came from, what the columns mean, and what they do not."""
    lines = [
        *(f"Pictures: {each}; resized to 32x32 pixels." for each in dict.fromkeys(provenances(measurements).values())),
        "multiply-adds: of one picture, in convolutions and matrix products.",
        "pictures/s: pictures trained on, in the median epoch after the first, in which Keras compiles.",
        "One seed, one process at a time, one machine: no verdict on which framework is faster or learns better.",
    ]
    return "\n".join(map(filled, lines))


def _heading(source: Source) -> str:
    machine, date = source.record.machine, source.record.started or "date not recorded"
    title = filled(f"{source.name}: {source.record.command}, {date}", most=WIDEST)
    line = "=" * max(map(len, title.splitlines()))
    where = filled(f"{machine.processor or 'unknown processor'}, {machine.cores} cores")
    return f"{title}\n{line}\n{where}"


def _error(worst: WorstError | None) -> str:
    return f"{worst.rel_l2:.1e}" if worst else ""
