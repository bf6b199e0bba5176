"""What a record says of exported files: which of twin, engine and format work, what each costs, why others do not."""

from collections.abc import Iterable, Sequence

from compare.record.measurement import ExportMeasurement

WORDS = {"not_offered": "", "unsupported": "no", "skipped": "-", "failed": "WRONG", "refused": "refused", "not_run": ""}
SHOWN = 6  # twins that a reason names; it counts the rest


def formats_of(measurements: Iterable[ExportMeasurement]) -> list[str]:
    """The formats, in the order of the record."""
    return list(dict.fromkeys(each.format for each in measurements))


def is_refused(measurement: ExportMeasurement) -> bool:
    """Whether there is a file, and its runtime does not take it; one with other outputs was run."""
    said = ("the runtime does not run it", "damaged")
    if measurement.status != "failed" or not measurement.reason.startswith(said):
        return False
    return "the file returns" not in measurement.reason  # another number of outputs, as older records say it


def _became(measurement: ExportMeasurement) -> str:
    """The status of a cell; "refused" of a failed one whose file the runtime does not take."""
    return "refused" if is_refused(measurement) else measurement.status


def word(measurement: ExportMeasurement | None) -> str:
    """What a cell of the matrix says: the distance from the model of a file that agrees, else why there is none."""
    if measurement is None:
        return ""
    result = measurement.result
    if measurement.status != "ok" or result is None or result.worst is None:
        return WORDS.get(_became(measurement), measurement.status_word)
    fixed = " fixed" if result.batch == "fixed" else ""
    return ("exact" if result.worst == 0 else f"{result.worst:.0e}") + fixed


def matrix(measurements: Sequence[ExportMeasurement]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: a row for each twin and engine, a column for each format."""
    formats = formats_of(measurements)
    cells = {(each.twin, each.engine, each.format): each for each in measurements}
    pairs = dict.fromkeys((each.twin, each.engine) for each in measurements)
    rows = [[twin, engine, *(word(cells.get((twin, engine, f))) for f in formats)] for twin, engine in pairs]
    return ["twin", "engine", *formats], rows


def costs(measurements: Iterable[ExportMeasurement]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: size, time to load and latency of each file that agrees, beside the framework's own latency."""
    rows = []
    for each in measurements:
        if each.status == "ok" and (result := each.result):
            size = "" if result.bytes is None else f"{result.bytes / 1024:,.0f}"
            times = (result.load_seconds, result.latency_seconds, result.own_latency_seconds)
            rows.append(
                [
                    each.twin,
                    each.engine,
                    each.format,
                    size,
                    *("" if seconds is None else f"{seconds * 1000:.3g}" for seconds in times),
                ]
            )
    return ["twin", "engine", "format", "KiB", "load, ms", "one row, ms", "framework, ms"], rows


def reasons(measurements: Iterable[ExportMeasurement]) -> list[str]:
    """A line for each reason why files are missing or wrong, with the twins that have it."""
    alike: dict[tuple[str, str, str, str], list[str]] = {}
    for each in measurements:
        if each.status not in ("ok", "not_run"):
            alike.setdefault((each.format, each.engine, each.status, each.reason), []).append(each.twin)
    lines = []
    for (format, engine, status, reason), twins in alike.items():
        more = f" and {len(twins) - SHOWN} more" if len(twins) > SHOWN else ""
        said = "" if status in ("skipped", "not_offered", "unsupported") else f"{status.replace('_', ' ')}. "
        lines.append(f"{format} from {engine} ({', '.join(twins[:SHOWN])}{more}): {said}{reason}")
    return lines


def counted(measurements: Iterable[ExportMeasurement]) -> str:
    """How many models, each in each format, were exported to files that answer as they do."""
    every = [_became(each) for each in measurements]
    offered = [status for status in every if status != "not_offered"]
    counts = {
        "the exporter refuses": offered.count("unsupported"),
        "left out, see below": offered.count("skipped"),
        "the runtime refuses the file": offered.count("refused"),
        "other outputs than the model's": offered.count("failed"),
        "not run": offered.count("not_run"),
    }
    works = offered.count("ok")
    counts["without an answer"] = len(offered) - works - sum(counts.values())
    rest = "".join(f"; {words}: {number}" for words, number in counts.items() if number)
    others = len(every) - len(offered)
    return f"Files that answer as their models: {works} of {len(offered)}{rest}." + (
        f" Not counted: {others} whose format belongs to the other framework." if others else ""
    )
