"""The figures of records, for every report: read once, then one row per figure."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from compare.record.measurement import (
    BenchMeasurement,
    CheckMeasurement,
    ExportMeasurement,
    Measurement,
    TrainMeasurement,
)
from compare.record.record import Record, read_record
from compare.record.results import QUANTITIES
from compare.report.learned import comparisons
from compare.report.speed_tables import Costs


@dataclass(frozen=True)
class Source:
    """A record with a name for people: the file's, without its ending, or its path where two files have the same."""

    name: str
    record: Record


@dataclass(frozen=True)
class Figure:
    """One number of a record, or one measurement that has none.

    Args:
        record: the name of its source.
        twin, engine, device, dtype, seed, size, measure: its measurement; the seed is None for a figure over all seeds.
        quantity: what the number is.
        value: None where nothing was measured.
        low, high: its interval.
        unit: 's', 'MiB', 'ratio' and such; for a metric its name.
        verdict: what the harness says of it.
        status, reason: the measurement's.
    """

    record: str
    twin: str
    engine: str
    device: str
    dtype: str
    seed: int | None
    size: str
    measure: str
    quantity: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    verdict: str = ""
    status: str = ""
    reason: str = ""


def read(paths: Sequence[Path]) -> list[Source]:
    """Records from files.

    Raises:
        TwinError: when one is missing, cut off, of a newer schema, without measurements, or no record at all.
    """
    stems = [path.stem for path in paths]
    return [
        Source(path.stem if stems.count(path.stem) == 1 else str(path), read_record(path))
        for path in dict.fromkeys(paths)
    ]


def figures(sources: Iterable[Source]) -> list[Figure]:
    """Every figure of these records, measurement by measurement, then the comparisons over seeds."""
    out = []
    for source in sources:
        measurements = source.record.measurements
        for each in measurements:
            out += _of_measurement(source.name, each) or [_figure(source.name, each, getattr(each, "format", ""), None)]
        for found in comparisons(measurements):
            first = next(
                m for m in measurements if (m.measure, m.twin, m.engine) == ("train", found.twin, found.engine)
            )
            difference = f"{found.metric} minus that of {found.against}"
            out.append(
                Figure(
                    source.name,
                    found.twin,
                    found.engine,
                    first.device,
                    first.dtype,
                    None,
                    first.size,
                    "train",
                    difference,
                    found.mean,
                    found.low,
                    found.high,
                    found.metric,
                    found.verdict,
                )
            )
    return out


def to_csv(figures: Iterable[Figure]) -> str:
    """The figures as CSV with a head; what there is not is empty.

    A text that begins as a formula gets an apostrophe: a spreadsheet would compute it.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(field.name for field in fields(Figure))
    for figure in figures:
        writer.writerow(_as_text(value) if isinstance(value, str) else value for value in astuple(figure))
    return file.getvalue()


def _as_text(words: str) -> str:
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t")) else words


def _figure(record: str, measurement: Measurement, quantity: str, value: float | None, **more: Any) -> Figure:
    of: dict[str, Any] = {
        name: getattr(measurement, name) for name in ("twin", "engine", "device", "dtype", "seed", "size", "measure")
    }
    of |= {"status": measurement.status, "reason": measurement.reason}
    return Figure(record=record, **of, quantity=quantity, value=value, **more)


def _of_measurement(record: str, measurement: Measurement) -> list[Figure]:
    if isinstance(measurement, CheckMeasurement):
        return _of_check(record, measurement)
    if isinstance(measurement, BenchMeasurement):
        return _of_bench(record, measurement)
    if isinstance(measurement, ExportMeasurement):
        return _of_export(record, measurement)
    assert isinstance(measurement, TrainMeasurement)
    return _of_training(record, measurement)


def _of_check(record: str, measurement: CheckMeasurement) -> list[Figure]:
    out = []
    for rung in measurement.result.rungs if measurement.result else []:
        if far := rung.worst:
            out += [
                _figure(record, measurement, f"{rung.rung}: relative L2", far.rel_l2, verdict=rung.status),
                _figure(record, measurement, f"{rung.rung}: limit", far.limit),
                _figure(record, measurement, f"{rung.rung}: error / rounding error", far.noise_ratio),
            ]
    return out


def _of_bench(record: str, measurement: BenchMeasurement) -> list[Figure]:
    if not measurement.result or not measurement.result.speed:
        return []
    out = []
    for quantity, ratio in measurement.result.speed.items():
        against = f"{quantity}: time over that of {measurement.result.reference}"
        if ratio.verdict == "reference":
            against = f"{quantity}: time of A/A runs over its own"
        more = {"low": ratio.low, "high": ratio.high, "unit": "ratio", "verdict": ratio.verdict}
        out.append(_figure(record, measurement, against, ratio.estimate, **more))
    costs = Costs(measurement)
    times: dict[str, float | None] = {quantity: costs.times[quantity] for quantity in QUANTITIES}
    times |= {"first_step": costs.first_step, "second_step": costs.second_step, "import": costs.import_seconds}
    for name, seconds in times.items():
        if seconds is not None:
            out.append(_figure(record, measurement, f"{name}: time", seconds, unit="s"))
    if costs.peak_memory_mib is not None:
        out.append(_figure(record, measurement, "peak memory", costs.peak_memory_mib, unit="MiB"))
    return out


def _of_export(record: str, measurement: ExportMeasurement) -> list[Figure]:
    if not (result := measurement.result):
        return []
    out = [
        _figure(record, measurement, f"{measurement.format}, {error.rows} rows: relative L2 {what}", value)
        for error in result.errors
        for what, value in (("from the model", error.from_model), ("from the reference", error.from_reference))
    ]
    if result.bytes is not None:
        out.append(_figure(record, measurement, f"{measurement.format}: size", result.bytes / 2**20, unit="MiB"))
    times = {
        "export": result.export_seconds,
        "load": result.load_seconds,
        "one row": result.latency_seconds,
        "one row in the framework": result.own_latency_seconds,
    }
    for name, seconds in times.items():
        if seconds is not None:
            out.append(_figure(record, measurement, f"{measurement.format}, {name}: time", seconds, unit="s"))
    return out


def _of_training(record: str, measurement: TrainMeasurement) -> list[Figure]:
    if not (result := measurement.result):
        return []
    curves = {name: curve for name, curve in result.loss.items() if curve}
    return [
        _figure(record, measurement, result.metric, result.value, unit=result.metric),
        *(_figure(record, measurement, f"{name} after the last epoch", curve[-1]) for name, curve in curves.items()),
        _figure(record, measurement, "training: time", result.seconds, unit="s"),
    ]
