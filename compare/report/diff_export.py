"""What changed in the exported files of two records: which work no longer, and which have moved."""

from compare.record.measurement import ExportMeasurement
from compare.report.diff_figure import FigureChange, Group, better_or_worse

ERROR_FACTOR = 10.0  # errors are rounding noise: less than this says nothing
SIZE_FACTOR = 1.1
WORKS = {"any": "works", "fixed": "works, batch fixed"}


def figures(group: Group) -> list[FigureChange]:
    """Whether the file works, and of one that works in both records its distance from the model and its size."""
    was, now = group.old[0], group.new[0]
    outcome = better_or_worse(_worth(was), _worth(now))
    why = now.reason if outcome == "regression" else ""
    out = [group.figure("export", _word(was), _word(now), outcome=outcome, why=why)]
    before, after = was.result, now.result
    if was.status == now.status == "ok" and before and after:
        if before.worst and after.worst:
            factor = after.worst / before.worst
            limit = max(error.limit for error in after.errors) / 10
            grown = factor > ERROR_FACTOR and after.worst > limit
            shrunk = factor < 1 / ERROR_FACTOR and before.worst > limit
            moved = "moved" if grown or shrunk else "same"
            out.append(group.figure("distance from the model", before.worst, after.worst, change=factor, outcome=moved))
        if before.bytes and after.bytes:
            factor = after.bytes / before.bytes
            moved = "same" if 1 / SIZE_FACTOR < factor < SIZE_FACTOR else "moved"
            sizes = before.bytes / 2**20, after.bytes / 2**20
            out.append(group.figure("size", *sizes, unit="MiB", change=factor, outcome=moved))
    return out


def _worth(each: ExportMeasurement) -> int:
    """A file for any batch is worth more than one for each size, and that more than none."""
    if each.status != "ok" or each.result is None:
        return 0
    return 2 if each.result.batch == "any" else 1


def _word(each: ExportMeasurement) -> str:
    if each.status == "ok" and each.result:
        return WORKS[each.result.batch]
    return "wrong" if each.status == "failed" else each.status.replace("_", " ")
