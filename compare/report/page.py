"""Records as one page that opens offline: a summary for a minute, then every twin with its pictures.

Here the figures of the records are put in order; charts.py draws, and templates/report.html says where things stand.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from compare.engines.engine import everything
from compare.record.cell import Cell
from compare.report import charts
from compare.report import tables as report
from compare.report.figures import Learned, Source, comparisons, has_speed, learned, typical
from twin.catalogue import TWINS
from twin.paths import ROOT

TEMPLATES = ROOT / "compare" / "templates"
QUANTITIES = {
    "step": "The training step alone",
    "loop": "The loop as users write it",
    "throughput": "A batch forward",
    "latency": "One row forward",
}
RUNGS = {
    "forward": ("Outputs", "outputs"),
    "gradients": ("Gradients", "parameters, first to last"),
    "optimizer": ("After optimizer steps", "parameters and moments, first to last"),
    "trajectory": ("Loss curve", "training steps"),
}
WITHHELD = "does not agree"


class Strip(NamedTuple):
    """The picture that boxes are drawn on: its id on the page, and its size."""

    id: str
    width: int
    height: int


@dataclass
class Part:
    """Records that belong together: of one machine, with the same code and versions, and no cell twice."""

    sources: list[Source]
    cells: list[Cell] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = [cell for source in self.sources for cell in source.cells]

    def takes(self, source: Source) -> bool:
        """Whether a record may be told together with these."""
        keys = {cell.key for cell in self.cells}
        return not any(cell.key in keys for cell in source.cells) and all(
            mine.content["machine"] == source.content["machine"]
            and mine.content.get("code") == source.content.get("code")
            and all(source.content["versions"].get(e, v) == v for e, v in mine.content["versions"].items())
            for mine in self.sources
        )


def of_sources(sources: Sequence[Source]) -> str:
    """The page's HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["key"] = lambda engine: Markup(charts.key(engine))
    environment.filters["svg"] = Markup
    parts = [_part(part, f"p{number}-") for number, part in enumerate(together(sources), 1)]
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    return environment.get_template("report.html").render(
        parts=parts, style=style, markers=Markup(charts.markers()), precision=report.PRECISION
    )


def together(sources: Iterable[Source]) -> list[Part]:
    """The records, put together where they may be."""
    parts: list[Part] = []
    for source in sources:
        part = next((part for part in parts if part.takes(source)), None)
        if part:
            parts[parts.index(part)] = Part([*part.sources, source])
        else:
            parts.append(Part([source]))
    return parts


def _part(part: Part, prefix: str) -> dict[str, Any]:
    compared = comparisons(part.cells)
    names = list(dict.fromkeys(cell.twin for cell in part.cells))
    engines = _keras_first(dict.fromkeys(cell.engine for cell in part.cells))
    cells: dict[str, list[Cell]] = {name: [] for name in names}
    for cell in part.cells:
        cells[cell.twin].append(cell)
    twins = []
    for name in names:
        mine = [Source(s.name, s.content, [c for c in s.cells if c.twin == name]) for s in part.sources]
        twins.append(_twin(name, f"{prefix}{name}", mine, [c for c in compared if c.twin == name]))
    first = part.sources[0].content
    return {
        "id": prefix,
        "name": " and ".join(source.name for source in part.sources),
        "machine": first["machine"],
        "records": [
            {
                "name": source.name,
                "command": source.content["command"],
                "date": source.content.get("started") or "not recorded",
                "settings": ", ".join(f"{n} {v}" for n, v in source.content["settings"].items() if v is not None),
            }
            for source in part.sources
        ],
        "versions": _versions(part),
        "threads": sorted({c.result["threads"] for c in part.cells if c.result.get("threads")}),
        "dtypes": sorted({c.dtype for c in part.cells}),
        "provenances": _provenances(part.cells),
        "summary": _summary(part.cells, cells, compared),
        "engines": [_engine_row(engine, part.cells, compared) for engine in engines],
        "heads": engines,
        "matrix": [
            {
                "name": name,
                "id": f"{prefix}{name}",
                "marks": [_mark([c for c in cells[name] if c.engine == engine], compared) for engine in engines],
            }
            for name in names
        ],
        "missing": report.not_measured(part.cells).splitlines(),
        "troubles": report.troubles(part.cells),
        "skipped": _skipped(part.cells),
        "twins": twins,
    }


def _summary(cells: list[Cell], by_twin: dict[str, list[Cell]], compared: list[Any]) -> dict[str, Any]:
    """What a reader wants to know in the first minute."""
    checked, agreeing = [], []
    for name, mine in by_twin.items():
        checks = [c for c in mine if c.measure == "check" and c.status not in ("skipped", "not_run")]
        if checks:
            checked.append(name)
            agreeing += [name] if all(c.status == "ok" for c in checks) else []
    benches = [c for c in cells if c.measure == "bench" and c.status not in ("skipped", "not_run")]
    words = Counter(word for c in benches if (word := report.speed_word(c)) != "reference")
    words["withheld for want of agreement"] = words.pop(WITHHELD, 0)
    trainings = [c for c in cells if c.measure == "train"]
    open_ones = Counter(_status(c) for c in cells if c.status not in ("ok", "failed"))
    return {
        "planned": {c.measure for c in cells if c.status != "skipped"},
        "checked": len(checked),
        "agreeing": len(agreeing),
        "parted": sum(c.measure == "check" and c.status == "failed" for c in cells),
        "not_checked": sum(c.measure == "check" and c.status not in ("ok", "failed", "skipped") for c in cells),
        "speed": _counted(words, ("faster", "equal", "slower")),
        "speeds": sum(words.values()),
        "speed_verdicts": sum(words[each] for each in ("faster", "equal", "slower")),
        "references": sorted({c.result["reference"] for c in benches if c.result.get("reference")}),
        "learning": _counted(Counter(_learns(each.verdict) for each in compared), ("equal", "better", "worse")),
        "learnings": len(compared),
        "learning_verdicts": sum(each.verdict in ("equal", "better", "worse") for each in compared),
        "trained": len({(c.twin, c.engine) for c in trainings if "metric" in c.result}),
        "trainings": bool(trainings),
        "seeds": len({c.seed for c in trainings}),
        "open": sum(open_ones.values()),
        "opened": _counted(open_ones, ()),
    }


def _counted(found: Counter, first: Sequence[str]) -> list[tuple[str, int]]:
    """Words and how often, the `first` ones always there."""
    rest = sorted((word for word in found if word not in first), key=lambda word: -found[word])
    return [(word, found[word]) for word in (*first, *rest)]


def _learns(verdict: str) -> str:
    return "too few seeds" if verdict == "none" else verdict


def _engine_row(engine: str, cells: list[Cell], compared: list[Any]) -> dict[str, Any]:
    mine = [c for c in cells if c.engine == engine]
    checks = [c for c in mine if c.measure == "check" and c.status not in ("skipped", "not_run")]
    benches = [c for c in mine if c.measure == "bench" and c.status not in ("skipped", "not_run")]
    words = Counter(map(report.speed_word, benches))
    steps = [c.result["speed"]["step"] for c in benches if has_speed(c) and "step" in c.result["speed"]]
    ratios = [step["estimate"] for step in steps if step["verdict"] != "reference"]
    verdicts = Counter(each.verdict for each in compared if each.engine == engine)
    known = everything().get(engine)
    return {
        "engine": engine,
        "run": "compiled" if known and known.compiled else "eager" if known else "",
        "agrees": f"{sum(c.status == 'ok' for c in checks)} of {len(checks)}" if checks else "",
        "speed": [words[each] or "" for each in ("faster", "equal", "slower")] if ratios else [""] * 3,
        "open": sum(n for w, n in words.items() if w not in ("faster", "equal", "slower", "reference")) or "",
        "ratio": f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "",
        "reference": bool(steps) and not ratios,
        "learns": [verdicts[each] or "" for each in ("better", "equal", "worse")],
        "undecided": verdicts["inconclusive"] + verdicts["none"] or "",
        "against": any(each.against == engine for each in compared),
    }


def _mark(cells: list[Cell], compared: list[Any]) -> dict[str, str]:
    """One field of the table of all twins: whether they agree, and how fast."""
    checks = [c for c in cells if c.measure == "check" and c.status not in ("skipped", "not_run")]
    bench = next((c for c in cells if c.measure == "bench" and has_speed(c) and "step" in c.result["speed"]), None)
    agree, ratio, looks = "", "", ""
    if checks:
        worst = next((c for c in checks if c.status != "ok"), checks[0])
        agree = {"ok": "\N{CHECK MARK}", "failed": "\N{BALLOT X} differs"}.get(worst.status) or _status(worst)
        looks = {"ok": "good", "failed": "bad"}.get(worst.status, "unsure")
    if bench:
        step = bench.result["speed"]["step"]
        verdict = {"faster": "\N{BLACK DOWN-POINTING TRIANGLE}", "slower": "\N{BLACK UP-POINTING TRIANGLE}"}
        verdict |= {"equal": "=", "reference": ""}
        ratio = "1" if step["verdict"] == "reference" else f"{step['estimate']:.2f}"
        ratio += f" {verdict.get(step['verdict'], '?')}" if step["verdict"] != "reference" else ""
    other = "" if checks or bench else ", ".join(dict.fromkeys(_status(c) for c in cells if c.status != "ok"))
    return {"agree": agree, "look": looks, "ratio": ratio, "other": other}


def _status(cell: Cell) -> str:
    return {"failed": "failed"}.get(cell.status) or report.WORDS.get(cell.status, cell.status)


def _twin(name: str, anchor: str, sources: list[Source], compared: list[Any]) -> dict[str, Any]:
    cells = [cell for source in sources for cell in source.cells]
    checks = [c for c in cells if c.measure == "check" and c.result.get("rungs")]
    ladders: dict[tuple, list[Cell]] = {}
    for cell in checks:
        ladders.setdefault((cell.device, cell.size, cell.seed), []).append(cell)
    benches = []
    for source in sources:
        pairs = report.by_pair(c for c in source.cells if c.measure == "bench" and c.status != "not_run")
        benches += [group for group in pairs.values() if any(c.status != "skipped" for c in group)]
    known = TWINS.get(name)
    return {
        "name": name,
        "id": anchor,
        "title": known.title if known else "",
        "ladders": [_ladder(key, _by_side(group)) for key, group in ladders.items()],
        "speeds": [_speed(_by_side(group)) for group in benches],
        "learning": _learning(learned(cells), compared),
        "shown": _shown(anchor, _by_side([c for c in cells if c.result.get("shown", {}).get("pictures")])),
        "provenances": list(dict.fromkeys(c.result["provenance"] for c in cells if c.result.get("provenance"))),
        "troubles": report.troubles(cells),
        "skipped": list(dict.fromkeys(c.reason for c in cells if c.status == "skipped")),
        "not_run": sum(c.status == "not_run" for c in cells),
    }


def _ladder(key: tuple, cells: list[Cell]) -> dict[str, Any]:
    device, size, seed = key
    drawn = [c for c in cells if c.dtype != "float64"]
    rows = []
    for cell in cells:
        rungs = {rung["rung"]: rung for rung in cell.result["rungs"]}
        rows.append(
            {
                "engine": cell.engine,
                "dtype": cell.dtype,
                "rungs": [_rung(rungs.get(name)) for name in ("structure", "weights", *RUNGS)],
                "status": report.WORDS.get(cell.status, cell.status),
                "good": cell.status == "ok",
            }
        )
    panels = [(title, _profile(rung, drawn, steps)) for rung, (title, steps) in RUNGS.items()]
    return {
        "what": f"{size} size on {device}" + (f", seed {seed}" if seed else ""),
        "panels": [(title, svg) for title, svg in panels if svg],
        "engines": [c.engine for c in drawn],
        "rows": rows,
        "heads": ["structure", "weights", *RUNGS],
    }


def _rung(rung: dict[str, Any] | None) -> tuple[str, str, str]:
    """A rung's field: how far, a look, and in full what was the worst."""
    if rung is None:
        return "not reached", "quiet", ""
    far = rung.get("worst")
    told = "" if not far else f"{far['rel_l2']:.1e} of {far['limit']:.0e}"
    if rung["status"] == "ok":
        return f"\N{CHECK MARK} {told}".strip(), "good", far["name"] if far else rung.get("message") or ""
    return f"\N{BALLOT X} {told}".strip(), "bad", far["name"] if far else rung.get("message") or ""


def _profile(rung: str, cells: list[Cell], steps: str) -> str:
    """The chart of one rung over the engines; "" where nothing was measured."""
    order: list[str] = []
    known: set[str] = set()
    found: dict[str, list[dict[str, Any]]] = {}
    measured = 0
    for cell in cells:
        mine: dict[str, Any] = next((each for each in cell.result["rungs"] if each["rung"] == rung), {})
        tensors = mine.get("tensors") or ([mine["worst"]] if mine.get("worst") else [])
        if not tensors:
            continue
        found[cell.engine] = tensors
        measured = max(measured, mine.get("measured") or 0)
        at = 0
        for each in tensors:  # what one engine kept and another did not goes to its place between its neighbours
            if each["name"] not in known:
                known.add(each["name"])
                order.insert(at, each["name"])
                at += 1
            else:
                at = order.index(each["name"]) + 1
    if not found:
        return ""
    place = {name: number for number, name in enumerate(order)}
    limit = [0.0] * len(order)
    noises: list[list[float]] = [[] for _ in order]
    allowed = [10.0] * len(order)
    worst: tuple[float, str, str] = (-1.0, "", "")
    failed = []
    for engine, tensors in found.items():
        for each in tensors:
            at, far, ratio = place[each["name"]], each["rel_l2"], each["noise_ratio"]
            limit[at], allowed[at] = max(limit[at], each["limit"]), each.get("noise_limit") or 10.0
            shares = [far / each["limit"] if each["limit"] else math.inf]
            if ratio is not None:
                shares.append(ratio / allowed[at])
                if ratio > 0 and math.isfinite(far / ratio) and far > 0:
                    noises[at].append(far / ratio)
            share = math.inf if any(map(math.isnan, shares)) else max(shares)
            worst = max(worst, (share, each["name"], engine))
            if share > 1:
                failed.append((at, far))
    noise = [(mid := statistics.median(n), mid * most) if n else None for n, most in zip(noises, allowed, strict=True)]
    count = str(max(measured, len(order)))
    kept = f"the {len(order)} that use most of what is allowed, of {count}" if measured > len(order) else count
    label = (
        f"{RUNGS[rung][0]}: relative error of {kept} on {len(found)} engines, logarithmic. Closest to its limit: "
        f"{worst[1]} on {worst[2]}, at {_share(worst[0])} of what is allowed. {len(failed)} beyond it."
    )
    errors = {engine: [(place[t["name"]], t["rel_l2"]) for t in tensors] for engine, tensors in found.items()}
    return charts.profile(errors, limit, noise, failed, label, steps)


def _share(share: float) -> str:
    return f"{share:.0%}" if math.isfinite(share) else "no finite multiple"


def _speed(cells: list[Cell]) -> dict[str, Any]:
    first = next((c for c in cells if c.result.get("reference")), cells[0])
    against = first.result.get("reference", "the reference")
    native = next((c for c in cells if c.engine == against and has_speed(c)), None)
    panels = []
    for quantity, title in QUANTITIES.items():
        rows: dict[str, Any] = {}
        band = None
        for cell in cells:
            speed = cell.result.get("speed", {}).get(quantity) if has_speed(cell) else None
            if speed is None:
                rows[cell.engine] = report.speed_word(cell)
            elif speed["verdict"] == "reference":
                d = speed["band"]
                band = (1 / (1 + d), 1 + d) if math.isfinite(d) else None
                rows[cell.engine] = (1.0, None, None)
            else:
                spanned = speed["rounds"] > 1
                rows[cell.engine] = (speed["estimate"], *((speed["low"], speed["high"]) if spanned else (None, None)))
        if not any(has_speed(c) and quantity in c.result["speed"] for c in cells):
            continue
        told = "; ".join(f"{e} {r if isinstance(r, str) else f'{r[0]:.2f}'}" for e, r in rows.items())
        label = f"{title}: time as a multiple of {against}'s, with 95% intervals. {told}."
        panels.append((title, charts.forest(rows, label, band, 1.0, True, ("faster", "slower"))))
    costs = []
    for quantity, title, unit in (
        ("first_step", "First step, which compiles", "s"),
        ("peak_memory_mib", "Peak memory", "MiB"),
    ):
        values = {c.engine: v for c in cells if has_speed(c) and (v := typical(c, quantity)) and math.isfinite(v)}
        if values:
            told = ", ".join(f"{engine} {charts.short(v)} {unit}" for engine, v in values.items())
            log = quantity == "first_step"
            scale = " (logarithmic)" if log else ""
            costs.append((title + scale, charts.bars(values, f"{title}: {told}.", unit, log)))
    return {
        "what": f"{first.size} size, {first.dtype}, on {first.device}"
        + (f", batch {first.result['batch_size']}" if first.result.get("batch_size") else ""),
        "against": against,
        "panels": panels,
        "costs": costs,
        "band": report.band_words(cells),
        "rows": [_speed_row(cell) for cell in cells],
        "reference_runs": report.how(native) if native else "",
    }


def _speed_row(cell: Cell) -> dict[str, Any]:
    told = has_speed(cell)
    speed = cell.result.get("speed", {}) if told else {}
    batch, rows = (typical(cell, "throughput") if told else None), cell.result.get("batch_size")

    def number(quantity: str, times: float = 1.0) -> str:
        value = typical(cell, quantity) if told else None
        return "" if value is None else charts.short(value * times)

    word = report.speed_word(cell)
    return {
        "engine": cell.engine,
        "run": report.how(cell),
        "verdict": word,
        "look": "bad" if word == WITHHELD else "",
        "ratios": [
            "" if q not in speed else "1" if speed[q]["verdict"] == "reference" else report.interval(speed[q])
            for q in QUANTITIES
        ],
        "step": number("step", 1000),
        "latency": number("latency", 1000),
        "rows": charts.short(rows / batch) if batch and rows else "",
        "first": number("first_step"),
        "second": number("second_step"),
        "memory": number("peak_memory_mib"),
    }


def _learning(found: list[Learned], compared: list[Any]) -> dict[str, Any] | None:
    if not found:
        return None
    found = sorted(found, key=lambda each: _side(each.engine) == "torch")
    versus = {each.engine: each for each in compared}
    against = compared[0].against if compared else next((e.engine for e in found if e.engine == "torch"), "")
    rows = []
    for each in found:
        other = versus.get(each.engine)
        spanned = other is not None and other.low is not None
        rows.append(
            {
                "engine": each.engine,
                "mean": "" if each.mean is None else f"{each.mean:.4f}",
                "deviation": "" if each.deviation is None else f"{each.deviation:.4f}",
                "seeds": len(each.values),
                "difference": f"{other.mean:+.4f}" if other else "reference" if each.engine == against else "",
                "interval": f"[{other.low:+.4f}, {other.high:+.4f}]" if other and spanned else "",
                "p": f"{other.p:.3f}" if other and other.p is not None else "",
                "verdict": _learns(other.verdict) if other else "",
                "more": other.more_seeds or "" if other else "",
            }
        )
    picture = ""
    if compared:
        margin = compared[0].margin
        intervals = {each.engine: (each.mean, each.low, each.high) for each in compared}
        intervals = {engine: intervals[engine] for engine in _keras_first(intervals)}
        told = "; ".join(f"{each.engine} {each.mean:+.4f}, {_learns(each.verdict)}" for each in compared)
        metric = found[0].metric.replace("_", " ")
        label = f"Difference in {metric} from {against}, with 90% intervals; margin {margin:g}. {told}."
        ends = ("lower", "higher")
        picture = charts.forest(intervals, label, (-margin, margin), 0.0, False, ends)
    return {
        "metric": found[0].metric.replace("_", " "),
        "goal": found[0].goal,
        "chance": found[0].chance,
        "better": "higher" if found[0].goal > found[0].chance else "lower",
        "against": against,
        "margin": compared[0].margin if compared else None,
        "rows": rows,
        "compared": bool(compared),
        "difference": picture,
        "curves": _curves(found, against),
        "seeds": max(len(each.values) for each in found),
    }


def _curves(found: list[Learned], against: str) -> list[dict[str, Any]]:
    """Per loss: a small chart for every engine, with the reference's behind it."""
    out = []
    for loss in dict.fromkeys(name for each in found for cell in each.cells for name in cell.result.get("loss", {})):
        bands = {}
        for each in found:
            bands[each.engine] = _band([(cell.result.get("loss") or {}).get(loss, []) for cell in each.cells])
        values = [v for band in bands.values() for point in band for v in point]
        if not values:
            continue
        bounds = min(values), max(values)
        panels = []
        for engine, band in bands.items():
            if band:
                behind = bands.get(against, []) if engine != against else []
                label = f"{loss} of {engine} from {band[0][0]:.3g} to {band[-1][0]:.3g} over {len(band)} epochs"
                panels.append((engine, charts.curves(engine, band, behind, bounds, label)))
        out.append({"loss": loss, "panels": panels})
    return out


def _band(curves: list[list[float]]) -> list[tuple[float, float, float]]:
    """Per epoch the mean, the least and the largest of the seeds that got there."""
    out = []
    for at in range(max(map(len, curves), default=0)):
        values = [curve[at] for curve in curves if len(curve) > at and math.isfinite(curve[at])]
        if values:
            out.append((statistics.fmean(values), min(values), max(values)))
    return out


def _shown(anchor: str, cells: list[Cell]) -> dict[str, Any] | None:
    """Pictures that all engines have in common once, the others side by side, and the labels as a table."""
    if not cells:
        return None
    cells = list({cell.engine: cell for cell in cells}.values())
    data, own = [
        {c.engine: [(p["caption"], p["png"]) for p in c.result["shown"]["pictures"] if p["of"] == of] for c in cells}
        for of in ("data", "model")
    ]
    common = list(dict.fromkeys(pair for mine in data.values() for pair in mine))
    tile = cells[0].result["shown"].get("tile") or []
    boxes = {c.engine: c.result["shown"]["boxes"] for c in cells if c.result["shown"].get("boxes")}
    placed = {}
    if len(tile) == 2 and common:
        placed = {e: charts.boxes(each, tile, f"{anchor}-strip", f"boxes of {e}") for e, each in boxes.items()}
    labels = {c.engine: c.result["shown"].get("labels") for c in cells}
    true: list[int] = next((found["true"] for found in labels.values() if found), [])
    return {
        "common": common,
        "sides": [
            (title, [(e, placed.get(e), own[e]) for e in own if (own[e] or e in placed) and _side(e) == side])
            for title, side in (("Keras", "keras"), ("PyTorch", "torch"))
        ],
        "own": bool(placed) or any(own.values()),
        "strip": Strip(f"{anchor}-strip", *charts.strip_size(next(iter(boxes.values())), tile)) if placed else None,
        "true": true,
        "predicted": [
            (engine, [(said, said == is_) for said, is_ in zip(found["predicted"], true, strict=False)])
            for engine, found in labels.items()
            if found
        ],
        "count": cells[0].result["shown"].get("rows", len(true)),
    }


def _provenances(cells: Iterable[Cell]) -> list[tuple[str, list[str]]]:
    """Where data came from, and the twins that use it."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        if cell.result.get("provenance"):
            found.setdefault(cell.result["provenance"], {})[cell.twin] = None
    return [(provenance, list(twins)) for provenance, twins in found.items()]


def _skipped(cells: Iterable[Cell]) -> list[tuple[str, int]]:
    return list(Counter(c.reason for c in cells if c.status == "skipped").items())


def _versions(part: Part) -> dict[str, Any]:
    versions: dict[str, dict[str, str]] = {}
    for source in part.sources:
        versions |= source.content["versions"]
    packages = list(dict.fromkeys(name for each in versions.values() for name in each))
    rows = [(engine, [versions[engine].get(name, "") for name in packages]) for engine in _keras_first(versions)]
    return {"packages": packages, "rows": rows}


def _side(engine: str) -> str:
    return "torch" if engine.partition(":")[0] == "torch" else "keras"


def _keras_first(engines: Iterable[str]) -> list[str]:
    """Keras before PyTorch, as everywhere where people read them side by side."""
    order = list(everything())
    return sorted(engines, key=lambda e: (_side(e) == "torch", order.index(e) if e in order else len(order)))


def _by_side(cells: Sequence[Cell]) -> list[Cell]:
    order = {engine: at for at, engine in enumerate(_keras_first(dict.fromkeys(c.engine for c in cells)))}
    return sorted(cells, key=lambda cell: order[cell.engine])
