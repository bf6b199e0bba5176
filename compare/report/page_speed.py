"""The page's speed of a twin: charts of ratios and costs, and a table of all of them."""

import math
from collections.abc import Sequence
from typing import Any

from compare.record.measurement import BenchMeasurement
from compare.record.results import QUANTITIES, QUANTITY_NAMES, Quantity
from compare.report import charts
from compare.report.phrases import WITHHELD, beside_reference, mode, ratio_of, speed_word
from compare.report.speed_tables import Costs, noise_sentences, title


def speed(measurements: Sequence[BenchMeasurement]) -> dict[str, Any]:
    """What the page shows of one twin's engines."""
    results = [each.result for each in measurements if each.result]
    against = next((result.reference for result in results if result.reference), "the reference")
    native = next((each for each in measurements if each.engine == against and each.result and each.result.speed), None)
    panels = [(_capital(quantity), svg) for quantity in QUANTITIES if (svg := _forest(quantity, measurements, against))]
    return {
        "what": title(measurements),
        "against": against,
        "panels": panels,
        "costs": _costs(measurements),
        "band": noise_sentences(measurements),
        "heads": [f"{QUANTITY_NAMES[quantity]}, ratio" for quantity in QUANTITIES],
        "rows": [_row(each) for each in measurements],
        "reference_runs": mode(native) if native else "",
    }


def _forest(quantity: Quantity, measurements: Sequence[BenchMeasurement], against: str) -> str:
    """The chart of one quantity's ratios; "" where no engine has one."""
    rows: dict[str, Any] = {}
    band = None
    for each in measurements:
        ratio = ratio_of(each, quantity)
        if ratio is None:
            rows[each.engine] = speed_word(each)
        elif ratio.verdict == "reference":
            d = ratio.noise_band
            band = (1 / (1 + d), 1 + d) if d is not None else None
            rows[each.engine] = (1.0, None, None)
        else:
            rows[each.engine] = (ratio.estimate, ratio.low, ratio.high)
    if all(isinstance(row, str) for row in rows.values()):
        return ""
    values = "; ".join(f"{engine} {row if isinstance(row, str) else f'{row[0]:.2f}'}" for engine, row in rows.items())
    label = f"{_capital(quantity)}: time as a multiple of {against}'s, with 95% intervals. {values}."
    return charts.forest(rows, label, band, 1.0, True, ("faster", "slower"))


def _costs(measurements: Sequence[BenchMeasurement]) -> list[tuple[str, str]]:
    costs = {each.engine: Costs(each) for each in measurements if each.result and each.result.speed}
    first_steps = {engine: each.first_step for engine, each in costs.items()}
    memory = {engine: each.peak_memory_mib for engine, each in costs.items()}
    charted = []
    for values, name, unit, log in (
        (first_steps, "First step, which compiles", "s", True),
        (memory, "Peak memory", "MiB", False),
    ):
        known = {engine: value for engine, value in values.items() if value and math.isfinite(value)}
        if known:
            words = ", ".join(f"{engine} {charts.short(value)} {unit}" for engine, value in known.items())
            heading = name + (" (logarithmic)" if log else "")
            charted.append((heading, charts.bars(known, f"{name}: {words}.", unit, log)))
    return charted


def _row(measurement: BenchMeasurement) -> dict[str, Any]:
    word = speed_word(measurement)
    row = {
        "engine": measurement.engine,
        "run": mode(measurement),
        "verdict": word,
        "look": "bad" if word == WITHHELD else "",
        "ratios": [beside_reference(ratio_of(measurement, each), with_interval=True) for each in QUANTITIES],
    }
    if not measurement.result or not measurement.result.speed:
        return row | dict.fromkeys(("step", "latency", "rows", "first", "second", "memory"), "")
    costs = Costs(measurement)
    step, latency = (None if (t := costs.times[q]) is None else t * 1000 for q in ("step", "latency"))
    numbers = {
        "step": step,
        "latency": latency,
        "rows": costs.rows_per_second,
        "first": costs.first_step,
        "second": costs.second_step,
        "memory": costs.peak_memory_mib,
    }
    return row | {name: "" if value is None else charts.short(value) for name, value in numbers.items()}


def _capital(quantity: Quantity) -> str:
    return QUANTITY_NAMES[quantity].capitalize()
