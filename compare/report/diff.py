"""`twin diff`: what changed between two records: which figures moved beyond noise, which agreements were lost.

Pure arithmetic on what the records hold. A figure is matched by what it is of: measure, twin, engine, device, dtype and
size; seeds are pooled. Speed is compared between runs on the same machine only (docs/method.md).
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from compare.check.ladder import RUNGS
from compare.record.cell import Cell
from compare.record.schema import QUANTITIES
from compare.stats import ratios as speed
from compare.stats.seeds import value_of
from twin.errors import AGREE, DIFFER, INCOMPLETE

Outcome = Literal["regression", "improvement", "moved", "same", "inconclusive", "no verdict"]
Key = tuple[str, str, str, str, str, str]  # measure, twin, engine, device, dtype, size
BROKEN = ("timeout", "crashed", "oom_host", "oom_device")
ERROR_FACTOR = 10.0  # errors are rounding noise of a chaotic kind: less than this says nothing
SCALAR_FACTOR = 1.2  # of what is measured once a round
SCALARS = {"first_step": "first step", "second_step": "second step", "import_seconds": "import"}
MEMORY = "peak_memory_mib"
SEEDS = 5  # fewer give no verdict on what was learned


@dataclass(frozen=True)
class Figure:
    """One figure in both records, and what became of it.

    Args:
        measure, twin, engine, device, dtype, size: of what.
        name: which figure, such as 'agreement', 'step' or 'accuracy'.
        old, new: its values; words for an agreement.
        unit: 's', 'MiB' or '' for a number without.
        change: new divided by old; for what was learned, new minus old.
        low, high: the change's 95% interval.
        outcome: what is said of it. Only a 'regression' fails the command.
        why: one line, where the outcome needs one.
    """

    measure: str
    twin: str
    engine: str
    device: str
    dtype: str
    size: str
    name: str
    old: float | str
    new: float | str
    unit: str = ""
    change: float | None = None
    low: float | None = None
    high: float | None = None
    outcome: Outcome = "same"
    why: str = ""


@dataclass(frozen=True)
class Change:
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

    changed: list[Change] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    only_old: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)

    def exit_code(self) -> int:
        """1 for a regression, 0 without, 3 when nothing could be compared."""
        if not self.figures:
            return INCOMPLETE
        return DIFFER if any(figure.outcome == "regression" for figure in self.figures) else AGREE

    def to_json(self) -> dict[str, Any]:
        figures = [{n: _plain(v) for n, v in asdict(figure).items()} for figure in self.figures]
        counts = dict(Counter(figure.outcome for figure in self.figures))
        return {**asdict(self), "figures": figures, "counts": counts, "exit_code": self.exit_code()}


def compare(old: dict[str, Any], new: dict[str, Any]) -> Diff:
    """Compare two records.

    Args:
        old, new: as `cells.read_record` gives them.
    """
    out = Diff(changed=surroundings(old, new))
    before, after = _groups(old), _groups(new)
    out.only_old, out.only_new = _only(before, after), _only(after, before)
    timed = []
    for key in [key for key in before if key in after]:
        group = _Group(key, before[key], after[key], out)
        if group.measured():
            if key[0] == "check":
                group.check()
            elif key[0] == "train":
                group.train()
            elif key[0] == "bench" and group.bench(_machine_of(old, before[key][0]), _machine_of(new, after[key][0])):
                timed.append(group)
    for group in timed:  # once all times are judged, the references' among them
        group.ratios(before, after)
    out.not_compared = [
        line if number == 1 else f"{line} ({number} times)" for line, number in Counter(out.not_compared).items()
    ]
    return out


def surroundings(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """What is not the same around the figures: versions by package, then machine, settings, precision and code."""
    packages: dict[tuple[str, str, str], list[str]] = {}
    for engine in [engine for engine in old["versions"] if engine in new["versions"]]:
        theirs, ours = old["versions"][engine], new["versions"][engine]
        for package in sorted(theirs.keys() | ours.keys(), key=_by_weight):
            if theirs.get(package) != ours.get(package):
                change = package, str(theirs.get(package, "none")), str(ours.get(package, "none"))
                packages.setdefault(change, []).append(engine)
    changes = [Change(*key, engines) for key, engines in sorted(packages.items(), key=lambda e: _by_weight(e[0][0]))]
    for what in ("machine", "settings", "precision"):
        for name in {**old[what], **new[what]}:
            if old[what].get(name) != new[what].get(name):
                said = name if what == "machine" else f"{what}: {name}"
                changes.append(Change(said, _word(old[what].get(name)), _word(new[what].get(name)), []))
    if old["code"] != new["code"]:
        changes.append(Change("twin-suite's code", old["code"], new["code"], []))
    return changes


@dataclass
class _Group:
    """The cells of one key in both records; its methods append what they find to the diff."""

    key: Key
    old: list[Cell]
    new: list[Cell]
    out: Diff

    def add(self, name: str, old: float | str, new: float | str, **fields: Any) -> None:
        self.out.figures.append(Figure(*self.key, name, old, new, **fields))

    def leave(self, why: str) -> None:
        self.out.not_compared.append(why)

    def measured(self) -> bool:
        """Whether both sides were; if one alone was, it is told."""
        known = ("ok", "failed", "unstable", *BROKEN)
        sides = [any(c.status in known or c.result.get("rounds") for c in side) for side in (self.old, self.new)]
        if sides[0] != sides[1]:
            side, other = ("NEW", self.new) if sides[0] else ("OLD", self.old)
            self.leave(f"{_said(self.key)}: {other[0].status.replace('_', ' ')} in {side}")
        return all(sides)

    def check(self) -> None:
        """Agreement, by how high the ladder was climbed, and the error of each rung that both reached."""
        theirs, ours = (min(side, key=_height) for side in (self.old, self.new))
        was, now = _height(theirs), _height(ours)
        outcome: Outcome = "regression" if now < was else "improvement" if now > was else "same"
        self.add(
            "agreement", _agreement(theirs), _agreement(ours), outcome=outcome, why=ours.reason if now < was else ""
        )
        before, after = _worst(self.old), _worst(self.new)
        for rung in [rung for rung in before if rung in after]:
            old, new = before[rung], after[rung]
            factor = new["rel_l2"] / old["rel_l2"] if old["rel_l2"] else math.inf if new["rel_l2"] else 1.0
            grown = factor > ERROR_FACTOR and _above_noise(new)
            shrunk = factor < 1 / ERROR_FACTOR and _above_noise(old)
            self.add(
                f"{rung} error",
                old["rel_l2"],
                new["rel_l2"],
                change=factor,
                outcome="moved" if grown or shrunk else "same",
            )

    def bench(self, theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
        """Whether it runs; on the same machine also times and memory. Return whether times were compared."""
        old, new = self.old[0], self.new[0]
        was, now = (cell.status in ("ok", "unstable", "not_run") for cell in (old, new))
        outcome: Outcome = "regression" if was and not now else "improvement" if now and not was else "same"
        self.add("timing", old.status, new.status, outcome=outcome, why=new.reason if was and not now else "")
        before, after = old.result.get("rounds", []), new.result.get("rounds", [])
        if not before or not after:
            return False
        if theirs != ours:
            parts = [
                f"{name} {_word(theirs[name])} and {_word(ours[name])}" for name in ours if theirs[name] != ours[name]
            ]
            self.leave(f"speed and memory, measured on two machines: {'; '.join(parts)}")
            return False
        if old.result.get("batch_size") != new.result.get("batch_size"):
            sizes = f"{old.result.get('batch_size')} and {new.result.get('batch_size')}"
            self.leave(f"speed of {self.key[1]}: its batch sizes are {sizes}")
            return False
        for quantity in QUANTITIES:
            times = [_in_every(rounds, quantity, list) for rounds in (before, after)]
            if all(times) and min(min(passes, default=0) for side in times for passes in side) > 0:
                self._judge(quantity, quantity, [speed.medians(each) for each in times], "s")
        for name, said in {**SCALARS, MEMORY: "memory"}.items():
            values = [_in_every(rounds, name, int | float) for rounds in (before, after)]
            if all(values) and min(map(min, values)) > 0:
                self._scalar(name, said, values)
        return True

    def _judge(self, quantity: str, name: str, sides: list[list[float]], unit: str, excuse: str = "") -> None:
        """A figure of speed, from the log values of both sides' rounds."""
        ratio = speed.unpaired(sides[1], sides[0])
        band = max(_band(side[0], quantity) for side in (self.old, self.new))
        steady = min(_steady(side[0], quantity) for side in (self.old, self.new))
        verdict = speed.judge(ratio, band, steady) if math.isfinite(band) else "none"
        outcomes: dict[str, Outcome] = {"slower": "regression", "faster": "improvement", "equal": "same"}
        outcomes |= {"inconclusive": "inconclusive", "none": "no verdict", "unstable": "no verdict"}
        outcome = outcomes[verdict]
        if outcome == "regression" and excuse:
            outcome = "moved"
        self.add(
            name,
            *(math.exp(statistics.fmean(side)) for side in sides),
            unit=unit,
            change=ratio.estimate,
            low=ratio.low,
            high=ratio.high,
            outcome=outcome,
            why=excuse if outcome == "moved" else "",
        )

    def _scalar(self, name: str, said: str, sides: list[list[float]]) -> None:
        """What is measured once a round: moved beyond a fifth, and beyond what rounds differ by."""
        before, after = ([math.log(value) for value in side] for side in sides)
        ratio = speed.unpaired(after, before)
        beyond = not 1 / SCALAR_FACTOR <= ratio.estimate <= SCALAR_FACTOR and not ratio.low <= 1 <= ratio.high
        outcome: Outcome = "moved" if beyond else "same"
        if beyond and name == MEMORY:
            outcome = "regression" if ratio.estimate > 1 else "improvement"
        self.add(
            said,
            *(statistics.median(side) for side in sides),
            unit="MiB" if name == MEMORY else "s",
            change=ratio.estimate,
            low=ratio.low,
            high=ratio.high,
            outcome=outcome,
        )

    def ratios(self, before: dict[Key, list[Cell]], after: dict[Key, list[Cell]]) -> None:
        """The ratio to the reference in the same rounds, which a machine that slows as a whole leaves as it was.

        Args:
            before, after: all cells of either record.
        """
        was, reference = (str(side[0].result.get("reference")) for side in (self.old, self.new))
        if was != reference:
            self.leave(f"ratios of {self.key[1]}: the reference was {was} and is {reference}")
            return
        against = (*self.key[:2], reference, *self.key[3:])
        if against == self.key or against not in before or against not in after:
            return
        theirs, ours = before[against], after[against]
        for quantity in QUANTITIES:
            sides = []
            for mine, native in ((self.old, theirs), (self.new, ours)):
                rounds, natives = mine[0].result["rounds"], native[0].result.get("rounds", [])
                pairs = [
                    (a[quantity], b[quantity])
                    for a, b in zip(rounds, natives, strict=False)
                    if len(a.get(quantity, [])) == len(b.get(quantity, [])) > 0 and min(*a[quantity], *b[quantity]) > 0
                ]
                sides.append(speed.medians([a for a, _ in pairs], [b for _, b in pairs]))
            if all(sides):
                own, its = (self._outcome(engine, quantity) for engine in (self.key[2], reference))
                excused = its == "improvement" and own != "regression"
                self._judge(quantity, f"{quantity} ratio", sides, "", f"{reference} became faster" if excused else "")

    def _outcome(self, engine: str, name: str) -> str:
        key = (*self.key[:2], engine, *self.key[3:])
        found = (f.outcome for f in self.out.figures if f.name == name and _key_of(f) == key)
        return next(found, "")

    def train(self) -> None:
        """What was learned: paired by seed where that can be, and against the margin that the twin declares."""
        before, after = (
            {c.seed: value for c in side if "metric" in c.result and (value := value_of(c)) is not None}
            for side in (self.old, self.new)
        )
        broken = [[c for c in side if not _finite(c.result.get("value"))] for side in (self.old, self.new)]
        if broken[0] or broken[1]:
            was, now = (f"{len(b)} of {len(side)}" for b, side in zip(broken, (self.old, self.new), strict=True))
            outcome: Outcome = "improvement" if not broken[1] else "same" if broken[0] else "regression"
            why = broken[1][0].reason if outcome == "regression" else ""
            self.add("seeds that fail", was, now, outcome=outcome, why=why)
        if not before or not after:
            return
        first, last = self.old[0].result, self.new[0].result
        for what in ("metric", "epochs", "init"):
            if first.get(what) != last.get(what):
                self.leave(f"accuracy of {self.key[1]}: {what} {first.get(what)} and {last.get(what)}")
                return
        margin = float(last.get("margin") or first.get("margin") or 0.0)
        mean, half, count = difference(before, after)
        better = mean > 0 if last.get("goal", 1) > last.get("chance", 0) else mean < 0
        if count < SEEDS:
            verdict: Outcome = "no verdict" if abs(mean) > margin else "same"
        elif abs(mean) > half and abs(mean) > margin:
            verdict = "improvement" if better else "regression"
        else:
            verdict = "inconclusive" if abs(mean) + half > margin and half else "same"
        known = math.isfinite(half)
        self.add(
            str(last.get("metric", "value")).replace("_", " "),
            statistics.fmean(before.values()),
            statistics.fmean(after.values()),
            change=mean,
            low=mean - half if known else None,
            high=mean + half if known else None,
            outcome=verdict,
            why=f"{count} seeds" if verdict == "no verdict" and count > 1 else "",
        )


def difference(old: dict[int, float], new: dict[int, float]) -> tuple[float, float, int]:
    """The mean of new minus old, half of its 95% interval, and how many seeds stand behind it.

    Paired where both have the same seeds, or five in common; else Welch's interval for two samples.

    Args:
        old, new: seed -> value.
    """
    from scipy import stats

    common = old.keys() & new.keys()
    if common == old.keys() == new.keys() or len(common) >= SEEDS:
        apart = [new[seed] - old[seed] for seed in common]
        mean, count = statistics.fmean(apart), len(apart)
        if count == 1:
            return mean, math.inf, 1
        return mean, float(stats.t.ppf(0.975, count - 1)) * statistics.stdev(apart) / math.sqrt(count), count
    sides = [list(old.values()), list(new.values())]
    mean, count = statistics.fmean(sides[1]) - statistics.fmean(sides[0]), min(map(len, sides))
    if count == 1:
        return mean, math.inf, 1
    errors = [statistics.variance(side) / len(side) for side in sides]
    if not (whole := sum(errors)):
        return mean, 0.0, count
    freedom = whole**2 / sum(e**2 / (len(side) - 1) for e, side in zip(errors, sides, strict=True))
    return mean, float(stats.t.ppf(0.975, freedom)) * math.sqrt(whole), count


def _in_every(rounds: list[dict[str, Any]], name: str, kind: Any) -> list[Any]:
    """One field of all rounds; nothing when a round lacks it."""
    found = [each.get(name) for each in rounds]
    return found if all(isinstance(each, kind) for each in found) else []


def _groups(record: dict[str, Any]) -> dict[Key, list[Cell]]:
    out: dict[Key, list[Cell]] = {}
    for cell in map(Cell.from_json, record["cells"]):
        out.setdefault((cell.measure, cell.twin, cell.engine, cell.device, cell.dtype, cell.size), []).append(cell)
    return out


def _only(these: Iterable[Key], those: Iterable[Key]) -> list[str]:
    """What the first has and the second has not: whole twins and engines by name, then single cells."""
    there = list(those)
    twins, engines = {key[1] for key in there}, {key[2] for key in there}
    lines = [key for key in these if key not in there]
    out = []
    for what, place, known in (("twin", 1, twins), ("engine", 2, engines)):
        names = dict.fromkeys(key[place] for key in lines if key[place] not in known)
        out += [f"{what} {name}" for name in names]
        lines = [key for key in lines if key[place] in known]
    return out + [_said(key) for key in lines]


def _said(key: Sequence[str]) -> str:
    measure, twin, engine, device, dtype, size = key
    more = [word for word, usual in ((dtype, "float32"), (size, "small"), (device, "cpu")) if word != usual]
    return f"{measure} of {twin} on {engine}" + (f" ({', '.join(more)})" if more else "")


def _key_of(figure: Figure) -> Key:
    return figure.measure, figure.twin, figure.engine, figure.device, figure.dtype, figure.size


def _machine_of(record: dict[str, Any], cell: Cell) -> dict[str, Any]:
    """What speed depends on, of the machine that measured a cell."""
    found = cell.result.get("node") or record["machine"]
    gpu = (found.get("gpu") or {}).get("name") if cell.device != "cpu" else None
    return {
        "processor": found.get("processor"),
        "cores": found.get("cores"),
        "memory_gib": found.get("memory_gib"),
        "gpu": gpu,
    }


def _height(cell: Cell) -> int:
    """How many rungs of the ladder hold; all and one more when they agree, none when the engine gave no answer."""
    if cell.status == "ok":
        return len(RUNGS) + 1
    failed = [rung["rung"] for rung in cell.result.get("rungs", []) if rung["status"] == "failed"]
    return 1 + RUNGS.index(failed[0]) if failed and failed[0] in RUNGS else 0


def _agreement(cell: Cell) -> str:
    height = _height(cell)
    if 0 < height <= len(RUNGS):
        return f"broke at {RUNGS[height - 1]}"
    return "agrees" if height else cell.status.replace("_", " ")


def _worst(cells: Iterable[Cell]) -> dict[str, dict[str, Any]]:
    """The largest distance of each rung, over the seeds."""
    out: dict[str, dict[str, Any]] = {}
    for rung in (rung for cell in cells for rung in cell.result.get("rungs", []) if rung.get("worst")):
        name, far = rung["rung"], rung["worst"]
        if name not in out or far["rel_l2"] > out[name]["rel_l2"]:
            out[name] = far
    return out


def _above_noise(far: dict[str, Any]) -> bool:
    """Whether an error is more than rounding: of native float32's; in float64, a tenth of the limit."""
    if (ratio := far.get("noise_ratio")) is not None:
        return ratio > 1
    return far["rel_l2"] > (far.get("limit") or 0.0) / 10


def _band(cell: Cell, quantity: str) -> float:
    """The A/A band that the cell's record measured; without one, nothing can be told from noise."""
    return float(cell.result.get("speed", {}).get(quantity, {}).get("band", math.inf))


def _steady(cell: Cell, quantity: str) -> float:
    """The share of rounds that reached a steady state."""
    rounds = cell.result["rounds"]
    return sum(quantity not in each.get("unsteady", []) for each in rounds) / len(rounds)


def _finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _plain(value: Any) -> Any:
    """What JSON can say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _by_weight(package: str) -> tuple[int, str]:
    """Frameworks first."""
    order = ("keras", "torch", "tensorflow", "jax")
    return (order.index(package) if package in order else len(order)), package


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(_word(each) for each in value.values())
    return "unknown" if value is None else str(value)
