"""Tables of speed: how long each engine takes beside the reference, and what it costs; from records only."""

import statistics
from collections.abc import Iterable, Sequence

from compare.record.measurement import BenchMeasurement
from compare.record.results import ProcessRun, Quantity
from compare.report.phrases import (
    PRECISION,
    beside_reference,
    by_pair,
    joined,
    mode,
    plural,
    ratio_of,
    speed_word,
)
from twin.table import ROOMY, columns, filled, fitted


def bench_tables(measurements: Iterable[BenchMeasurement]) -> list[str]:
    """Per twin: how long each engine takes beside the reference, and what it costs."""
    parts = []
    for group in by_pair(measurements):
        sentences = "\n".join(map(filled, noise_sentences(group)))
        parts.append(f"{group[0].twin}: {title(group)}\n\n{ratio_table(group)}\n\n{cost_table(group)}\n\n{sentences}")
    return parts


def title(group: Sequence[BenchMeasurement]) -> str:
    """What a group's engines have in common: size, batch, precision and device."""
    first = group[0]
    batch = next((each.result.batch_size for each in group if each.result and each.result.batch_size), None)
    return f"{first.size} size{f', batch {batch}' if batch else ''}, {first.dtype}, on {first.device}"


def ratio_table(measurements: Iterable[BenchMeasurement]) -> str:
    """One row per engine of one twin: its time as a multiple of the reference's, and the verdict."""
    wide = columns() >= ROOMY  # where it is narrower, a sentence below the tables says what is compiled
    rows = [
        [
            each.engine,
            *([mode(each)] if wide else []),
            speed_word(each),
            beside_reference(ratio_of(each, "step"), with_interval=True),
            *(beside_reference(ratio_of(each, quantity)) for quantity in ("loop", "batch_inference")),
        ]
        for each in measurements
    ]
    heads = [
        "engine",
        *(["mode"] if wide else []),
        "training step",
        "step ratio [95%]",
        "loop ratio",
        "inference ratio",
    ]
    return fitted(rows, heads, ("left",) * (len(heads) - 3) + ("right",) * 3)


def cost_table(measurements: Iterable[BenchMeasurement]) -> str:
    """One row per engine of one twin that was timed: medians over process runs."""
    rows = []
    for each in measurements:
        if not each.result or not each.result.speed:
            continue
        costs = Costs(each)
        numbers = [
            (costs.times["step"], 1000, ".3g"),
            (costs.times["latency"], 1000, ".3g"),
            (costs.rows_per_second, 1, ",.0f"),
            (costs.first_step, 1, ".3g"),
            (costs.second_step, 1, ".3g"),
            (costs.peak_memory_mib, 1, ",.0f"),
        ]
        rows.append(
            [each.engine, *("" if value is None else f"{value * scale:{form}}" for value, scale, form in numbers)]
        )
    heads = ["engine", "step, ms", "one row, ms", "rows/s", "1st step, s", "2nd step, s", "memory, MiB"]
    return fitted(rows, heads, ("left",) + ("right",) * 6)


class Costs:
    """Medians over the process runs of a bench; None for what was not measured.

    Args:
        measurement: the bench.
    """

    def __init__(self, measurement: BenchMeasurement):
        result = measurement.result
        self.runs: list[ProcessRun] = result.process_runs if result else []
        self.times: dict[Quantity, float | None] = {
            quantity: self._median(
                [statistics.median(run.times[quantity]) for run in self.runs if run.times.get(quantity)]
            )
            for quantity in ("step", "loop", "batch_inference", "latency")
        }
        self.first_step = self._median([run.first_step for run in self.runs])
        self.second_step = self._median([run.second_step for run in self.runs])
        self.import_seconds = self._median([run.import_seconds for run in self.runs])
        self.peak_memory_mib = self._median([run.peak_memory_mib for run in self.runs])
        batch, rows = self.times["batch_inference"], result.batch_size if result else None
        self.rows_per_second = rows / batch if rows and batch else None

    @staticmethod
    def _median(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None


def noise_sentences(measurements: Iterable[BenchMeasurement]) -> list[str]:
    """How far the same code is from itself, over how many process runs, and what is not like for like."""
    from compare.stats.ratios import EQUAL  # here: it needs NumPy, for which `twin list` does not wait

    timed = [(each, each.result) for each in measurements if each.result and each.result.speed]
    native = next(
        ((each, result) for each, result in timed if any(s.verdict == "reference" for s in result.speed.values())), None
    )
    if native is None:
        return ["No speed: the reference was not timed."]
    reference, result = native
    known = {quantity: r.noise_band for quantity, r in result.speed.items() if r.noise_band is not None}
    bands = ", ".join(
        f"{quantity.replace('_', ' ')} {band:{'.0%' if band >= 0.1 else '.1%'}}" for quantity, band in known.items()
    )
    count, threads = len(result.process_runs), plural(result.threads or 1, "thread")
    lines = [
        f"Noise band, by how much {reference.engine} differs from itself at most (A/A runs): {bands}. A ratio within "
        f"it is neither faster nor slower. Equal: the whole interval is within {EQUAL:.0%}. "
        if known
        else "No interval and no noise band: those take 2 process runs. "
    ]
    lines[0] += f"{plural(count, 'process run')} of each engine, {threads} each."
    unlike = [each.engine for each, _ in timed if mode(each) != mode(reference)]
    if unlike:
        other = {"compiled": "eager", "eager": "compiled"}[mode(reference)]
        are = "is" if len(unlike) == 1 else "are"
        lines.append(f"Not like for like: {reference.engine} is {mode(reference)}, {joined(unlike)} {are} {other}.")
    return lines


def bench_summary(measurements: Iterable[BenchMeasurement]) -> list[str]:
    """What the tables' figures mean, and what was held equal: a sentence or two each."""
    references = list(
        dict.fromkeys(each.result.reference for each in measurements if each.result and each.result.reference)
    )
    whose = joined(references) if references else "the reference"
    return [
        f"Ratio: an engine's time divided by that of {whose}; above 1 is slower, below 1 is faster. Training step: one "
        "step on a batch that is on the device already, with the verdict. Loop: the training loop as users write it. "
        "Inference: one batch forward. One row: one row forward.",
        "1st step, 2nd step: the first training steps, in which compilers compile. Memory: the peak of the process, on "
        "a GPU that of the device. Times are medians over process runs; only ratios have an interval.",
        f"{PRECISION}. A pair that does not agree has no speed.",
    ]
