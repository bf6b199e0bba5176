"""`twin diff`: what changed between two records: which figures moved beyond noise, which agreements were lost.

Pure arithmetic on what the records hold. A figure is matched by what it is of: measure, twin, engine, device, dtype and
size; seeds are pooled. Speed is compared between runs on the same machine only (docs/method.md). The figures of each
measure have a module of their own: diff_check.py, diff_speed.py, diff_training.py and diff_export.py.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from compare.record.measurement import Measurement
from compare.record.record import Record
from compare.report import diff_check, diff_export, diff_speed, diff_training
from compare.report.diff_figure import FigureChange, Group, Key, key_words
from twin.errors import AGREE, DIFFER, USAGE
from twin.files import finite


@dataclass(frozen=True)
class Surrounding:
    """Something around the figures that is not the same: a version, a setting, the machine."""

    what: str
    old: str
    new: str
    engines: list[str]


@dataclass
class Diff:
    """Two records, compared.

    Args:
        changed: what is not the same around the figures, versions first.
        figures: all that both records hold.
        only_old, only_new: what one of them alone has, a line each.
        not_compared: why figures that both hold were left alone, a line each.
    """

    changed: list[Surrounding] = field(default_factory=list)
    figures: list[FigureChange] = field(default_factory=list)
    only_old: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)

    def exit_code(self) -> int:
        """1 for a regression, 0 without, 2 when nothing could be compared."""
        if not self.figures:
            return USAGE
        return DIFFER if any(figure.outcome == "regression" for figure in self.figures) else AGREE

    def to_json(self) -> dict[str, Any]:
        counts = dict(Counter(figure.outcome for figure in self.figures))
        return {**finite(asdict(self)), "counts": counts, "exit_code": self.exit_code()}


def compare(old: Record, new: Record) -> Diff:
    """Compare two records."""
    before, after = _groups(old), _groups(new)
    out = Diff(changed=surroundings(old, new), only_old=_only(before, after), only_new=_only(after, before))
    groups = [Group(key, before[key], after[key], out.not_compared) for key in before if key in after]
    groups = [group for group in groups if group.measured()]
    timed = []
    for group in groups:
        if group.measure == "check":
            out.figures += diff_check.figures(group)
        elif group.measure == "train":
            out.figures += diff_training.figures(group)
        elif group.measure == "export":
            out.figures += diff_export.figures(group)
        else:
            timing = diff_speed.Timing(group, old.machine, new.machine)
            out.figures += timing.figures()
            timed.append(timing)
    for timing in timed:  # once all times are judged, the references' among them
        out.figures += timing.ratios(timed)
    out.not_compared = [
        line if number == 1 else f"{line} ({number} times)" for line, number in Counter(out.not_compared).items()
    ]
    return out


def surroundings(old: Record, new: Record) -> list[Surrounding]:
    """What is not the same around the figures: versions by package, then machine, settings, precision and code."""
    packages: dict[tuple[str, str, str], list[str]] = {}
    for engine in [engine for engine in old.versions if engine in new.versions]:
        was, now = old.versions[engine], new.versions[engine]
        for package in sorted(was.keys() | now.keys(), key=_by_weight):
            if was.get(package) != now.get(package):
                change = package, str(was.get(package, "none")), str(now.get(package, "none"))
                packages.setdefault(change, []).append(engine)
    changes = [
        Surrounding(*key, engines) for key, engines in sorted(packages.items(), key=lambda e: _by_weight(e[0][0]))
    ]
    for before, after, prefix, absent in (
        (asdict(old.machine), asdict(new.machine), "", "unknown"),
        (old.settings, new.settings, "settings: ", "not set"),
        (old.precision, new.precision, "precision: ", "unknown"),
    ):
        for name in {**before, **after}:
            if before.get(name) != after.get(name):
                words = _word(before.get(name), absent), _word(after.get(name), absent)
                changes.append(Surrounding(f"{prefix}{name}", *words, []))
    if old.code != new.code:
        changes.append(Surrounding("twin-suite's code", old.code, new.code, []))
    return changes


def _groups(record: Record) -> dict[Key, list[Measurement]]:
    out: dict[Key, list[Measurement]] = {}
    for each in record.measurements:
        out.setdefault((each.measure, each.twin, each.subject, each.device, each.dtype, each.size), []).append(each)
    return out


def _only(these: Iterable[Key], those: Iterable[Key]) -> list[str]:
    """What the first has and the second has not: whole twins and engines by name, then single measurements."""
    there = list(those)
    twins, engines = {key[1] for key in there}, {key[2] for key in there}
    lines = [key for key in these if key not in there]
    out = []
    for what, place, known in (("twin", 1, twins), ("engine", 2, engines)):
        names = dict.fromkeys(key[place] for key in lines if key[place] not in known)
        out += [f"{what} {name}" for name in names]
        lines = [key for key in lines if key[place] in known]
    return out + [key_words(key) for key in lines]


def _by_weight(package: str) -> tuple[int, str]:
    """Frameworks first."""
    order = ("keras", "torch", "tensorflow", "jax")
    return (order.index(package) if package in order else len(order)), package


def _word(value: Any, absent: str) -> str:
    if isinstance(value, dict):
        return ", ".join(_word(each, absent) for each in value.values())
    return absent if value is None else str(value)
