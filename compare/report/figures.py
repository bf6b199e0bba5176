"""The figures of records, for every report: read and looked over once, then one row per figure."""

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from compare.record.cell import Cell
from compare.record.record import read_record
from compare.record.schema import QUANTITIES


@dataclass(frozen=True)
class Source:
    """A record with a name for people.

    Args:
        name: the file's, without its ending, or its whole path where two files have the same.
        content: the record's JSON.
        cells: those of the content.
    """

    name: str
    content: dict[str, Any]
    cells: list[Cell]

    @staticmethod
    def of(content: dict[str, Any], name: str = "") -> "Source":
        return Source(name, content, [Cell.from_json(fields) for fields in content["cells"]])


@dataclass(frozen=True)
class Figure:
    """One number of a record, or one cell that has none.

    Args:
        record: the name of its source.
        twin, engine, device, dtype, seed, size, measure: its cell; the seed is None for a figure over all seeds.
        quantity: what the number is.
        value: None where nothing was measured.
        low, high: its interval.
        unit: 's', 'MiB', 'ratio' and such; for a metric its name.
        verdict: what the harness says of it.
        status, reason: the cell's.
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


@dataclass(frozen=True)
class Learned:
    """What one engine learned of one twin, over seeds, in the order of the seeds."""

    twin: str
    engine: str
    metric: str
    goal: float
    chance: float
    values: list[float]
    cells: list[Cell]

    @property
    def mean(self) -> float | None:
        """Of the values over seeds; of returns the interquartile mean."""
        from compare.stats.seeds import centre

        return centre(self.metric, self.values) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over seeds; None for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def read(paths: Sequence[Path]) -> list[Source]:
    """Records from files.

    Raises:
        TwinError: when one is missing, cut off, of a newer schema, without cells, or no record at all.
    """
    stems = [path.stem for path in paths]
    found = []
    for path in dict.fromkeys(paths):
        content = read_record(path)
        found.append(Source.of(content, path.stem if stems.count(path.stem) == 1 else str(path)))
    return found


def figures(sources: Iterable[Source]) -> list[Figure]:
    """Every figure of these records, cell by cell, then the comparisons over seeds."""
    out = []
    for source in sources:
        for cell in source.cells:
            out += _of_cell(source.name, cell)
        for each in comparisons(source.cells):
            cell = next(c for c in source.cells if (c.measure, c.twin, c.engine) == ("train", each.twin, each.engine))
            out.append(
                Figure(
                    source.name,
                    each.twin,
                    each.engine,
                    cell.device,
                    cell.dtype,
                    None,
                    cell.size,
                    "train",
                    f"{each.metric} minus that of {each.against}",
                    each.mean,
                    each.low,
                    each.high,
                    each.metric,
                    each.verdict,
                )
            )
    return out


def to_csv(found: Iterable[Figure]) -> str:
    """The figures as CSV with a head; what there is not is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(field.name for field in fields(Figure))
    writer.writerows(map(astuple, found))
    return file.getvalue()


def comparisons(cells: Iterable[Cell]) -> list[Any]:
    """What the trainings of these cells say of the engines, paired by seed."""
    trained = [cell for cell in cells if cell.measure == "train"]
    if not trained:
        return []
    from compare.stats.seeds import compare_all  # here, because statsmodels takes a second to import

    return compare_all(trained)


def learned(cells: Iterable[Cell]) -> list[Learned]:
    """The trainings of these cells that came to a result, over seeds: by twin and engine, in the record's order."""
    from compare.stats.seeds import value_of

    grouped: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell.measure == "train" and "metric" in cell.result:
            grouped.setdefault((cell.twin, cell.engine), []).append(cell)
    out = []
    for (twin, engine), group in grouped.items():
        group = sorted(group, key=lambda cell: cell.seed)
        first = group[0].result
        values = [value for value in map(value_of, group) if value is not None]
        out.append(Learned(twin, engine, first["metric"], first["goal"], first["chance"], values, group))
    return out


def farthest(cell: Cell) -> tuple[dict[str, Any], float | None]:
    """Of a check: the worst distance by rung, where one was measured, and the largest error in rounding noises."""
    far = {rung["rung"]: rung["worst"] for rung in cell.result.get("rungs", []) if rung.get("worst")}
    return far, max((d["noise_ratio"] for d in far.values() if d["noise_ratio"] is not None), default=None)


def has_speed(cell: Cell) -> bool:
    """Whether a bench cell has a speed that may be told: one of a pair that agrees."""
    return bool(cell.result.get("agrees")) and bool(cell.result.get("speed"))


def typical(cell: Cell, quantity: str) -> float | None:
    """The median over rounds of a bench cell's quantity; of what has passes, of each round's median."""
    values = [each[quantity] for each in cell.result.get("rounds", []) if each.get(quantity) not in (None, [])]
    if not values:
        return None
    return statistics.median(statistics.median(v) if isinstance(v, list) else v for v in values)


def _of_cell(record: str, cell: Cell) -> list[Figure]:
    common = {name: getattr(cell, name) for name in ("twin", "engine", "device", "dtype", "seed", "size", "measure")}
    common |= {"record": record, "status": cell.status, "reason": cell.reason}

    def figure(quantity: str, value: float | None, unit: str = "", **more: Any) -> Figure:
        return Figure(**common, quantity=quantity, value=value, unit=unit, **more)

    found = []
    for rung in cell.result.get("rungs", []):
        if far := rung.get("worst"):
            found += [
                figure(f"{rung['rung']}: relative L2", far["rel_l2"], verdict=rung["status"]),
                figure(f"{rung['rung']}: limit", far["limit"]),
                figure(f"{rung['rung']}: rounding noises", far.get("noise_ratio")),
            ]
    if has_speed(cell):
        for quantity, speed in cell.result["speed"].items():
            interval = {"low": speed["low"], "high": speed["high"]}
            against = f"{quantity}: time over that of {cell.result.get('reference', '')}"
            if speed["verdict"] == "reference":
                against = f"{quantity}: time of a copy over its own"
            found.append(figure(against, speed["estimate"], "ratio", verdict=speed["verdict"], **interval))
        for quantity in (*QUANTITIES, "first_step", "second_step", "import_seconds"):
            if (seconds := typical(cell, quantity)) is not None:
                found.append(figure(f"{quantity.removesuffix('_seconds')}: time", seconds, "s"))
        if (memory := typical(cell, "peak_memory_mib")) is not None:
            found.append(figure("peak memory", memory, "MiB"))
    if cell.result.get("value") is not None and "metric" in cell.result:
        found.append(figure(cell.result["metric"], cell.result["value"], cell.result["metric"]))
    for name, curve in (cell.result.get("loss") or {}).items():
        if curve:
            found.append(figure(f"{name} after the last epoch", curve[-1]))
    if cell.measure == "train" and cell.result.get("seconds") is not None:
        found.append(figure("training: time", cell.result["seconds"], "s"))
    return found or [figure("", None)]
