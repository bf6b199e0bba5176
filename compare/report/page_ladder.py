"""The page's ladder of a twin: a chart of errors per rung, and a table of all rungs."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from compare.record.measurement import CheckMeasurement
from compare.record.results import RUNGS, RungName, RungResult, TensorError
from compare.report import charts

TITLES: dict[RungName, tuple[str, str]] = {  # of the charts, and what their horizontal axis counts
    "forward": ("Outputs", "outputs"),
    "gradients": ("Gradients", "parameters, first to last"),
    "optimizer": ("After optimizer steps", "parameters and moments, first to last"),
    "trajectory": ("Loss curve", "training steps"),
}


def ladder(key: tuple, measurements: Sequence[CheckMeasurement]) -> dict[str, Any]:
    """What the page shows of the checks of one twin.

    Args:
        key: device, size and seed, which they share.
        measurements: a check per engine and precision, with its rungs.
    """
    device, size, seed = key
    drawn = [each for each in measurements if each.dtype != "float64"]
    rows = []
    for each in measurements:
        rungs = {rung.rung: rung for rung in each.result.rungs} if each.result else {}
        rows.append(
            {
                "engine": each.engine,
                "dtype": each.dtype,
                "rungs": [_field(rungs.get(name)) for name in RUNGS],
                "status": each.status_word,
                "good": each.status == "ok",
            }
        )
    panels = [(title, _profile(name, drawn)) for name, (title, _) in TITLES.items()]
    return {
        "what": f"{size} size on {device}" + (f", seed {seed}" if seed else ""),
        "panels": [(title, svg) for title, svg in panels if svg],
        "engines": [each.engine for each in drawn],
        "rows": rows,
        "heads": RUNGS,
    }


def _field(rung: RungResult | None) -> tuple[str, str, str]:
    """A rung's field: how far, a look, and in full what was the worst."""
    if rung is None:
        return "not reached", "quiet", ""
    far = rung.worst
    error = f"{far.rel_l2:.1e} of {far.limit:.0e}" if far else ""
    sign, look = ("\N{CHECK MARK}", "good") if rung.status == "ok" else ("\N{BALLOT X}", "bad")
    return f"{sign} {error}".strip(), look, far.name if far else rung.message


def _profile(name: RungName, measurements: Sequence[CheckMeasurement]) -> str:
    """The chart of one rung over the engines; "" where nothing was measured."""
    tensors: dict[str, Sequence[TensorError]] = {}
    measured = 0
    for each in measurements:
        rung = next((rung for rung in each.result.rungs if rung.rung == name), None) if each.result else None
        if rung and (found := rung.tensors or ([rung.worst] if rung.worst else [])):
            tensors[each.engine] = found
            measured = max(measured, rung.measured)
    if not tensors:
        return ""
    place = {tensor: number for number, tensor in enumerate(_order(tensors.values()))}
    limits, noises, beyond, closest = _limits(tensors, place)
    count = max(measured, len(place))
    kept = f"the {len(place)} that use most of what is allowed, of {count}" if measured > len(place) else str(count)
    share, tensor, engine = closest
    label = (
        f"{TITLES[name][0]}: relative error of {kept} on {len(tensors)} engines, logarithmic. Closest to its limit: "
        f"{tensor} on {engine}, at {_percent(share)} of what is allowed. {len(beyond)} beyond it."
    )
    errors = {engine: [(place[each.name], each.rel_l2) for each in found] for engine, found in tensors.items()}
    return charts.profile(errors, limits, noises, beyond, label, TITLES[name][1])


def _order(tensors: Any) -> list[str]:
    """All tensors in the order of the model: what one engine kept and another did not stands between its neighbours."""
    order: list[str] = []
    for of_engine in tensors:
        at = 0
        for each in of_engine:
            if each.name not in order:
                order.insert(at, each.name)
                at += 1
            else:
                at = order.index(each.name) + 1
    return order


def _limits(
    tensors: Mapping[str, Sequence[TensorError]], place: Mapping[str, int]
) -> tuple[list[float], list[tuple[float, float] | None], list[tuple[int, float]], tuple[float, str, str]]:
    """Per tensor its limit, and its noise with what is allowed of it; the errors beyond; the closest to its limit."""
    limits = [0.0] * len(place)
    noises: list[list[float]] = [[] for _ in place]
    allowed = [10.0] * len(place)
    beyond = []
    closest = (-1.0, "", "")
    for engine, of_engine in tensors.items():
        for each in of_engine:
            at, far, ratio = place[each.name], each.rel_l2, each.noise_ratio
            limits[at], allowed[at] = max(limits[at], each.limit), each.noise_limit or 10.0
            shares = [far / each.limit if each.limit else math.inf]
            if ratio is not None:
                shares.append(ratio / allowed[at])
                if ratio > 0 and math.isfinite(far / ratio) and far > 0:
                    noises[at].append(far / ratio)
            share = math.inf if any(map(math.isnan, shares)) else max(shares)
            closest = max(closest, (share, each.name, engine))
            if share > 1:
                beyond.append((at, far))
    middles = [statistics.median(noise) if noise else None for noise in noises]
    spans = [None if m is None else (m, m * most) for m, most in zip(middles, allowed, strict=True)]
    return limits, spans, beyond, closest


def _percent(share: float) -> str:
    return f"{share:.0%}" if math.isfinite(share) else "no finite multiple"
