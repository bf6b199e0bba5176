"""What changed in the agreement of two records."""

import math
from collections.abc import Iterable
from typing import Any

from compare.record.measurement import CheckMeasurement
from compare.record.results import RUNGS, WorstError
from compare.report.diff_figure import FigureChange, Group, better_or_worse

ERROR_FACTOR = 10.0  # errors are rounding noise of a chaotic kind: less than this says nothing


def figures(group: Group) -> list[FigureChange]:
    """Agreement, by how high the ladder was climbed, and the error of each rung that both reached."""
    was, now = (min(side, key=_height) for side in (group.old, group.new))
    outcome = better_or_worse(_height(was), _height(now))
    why = now.reason if outcome == "regression" else ""
    out = [group.figure("agreement", _agreement(was), _agreement(now), outcome=outcome, why=why)]
    before, after = _worst(group.old), _worst(group.new)
    for rung in [rung for rung in before if rung in after]:
        old, new = before[rung], after[rung]
        out.append(group.figure(f"{rung} error", old.rel_l2, new.rel_l2, **_moved(old, new)))
    return out


def _moved(old: WorstError, new: WorstError) -> dict[str, Any]:
    """The change of an error, and what is said of it."""
    finite = [math.isfinite(each.rel_l2) for each in (old, new)]
    if not all(finite):
        return {"outcome": "moved" if any(finite) else "no verdict"}
    factor = new.rel_l2 / old.rel_l2 if old.rel_l2 else math.inf if new.rel_l2 else 1.0
    grown = factor > ERROR_FACTOR and _above_noise(new)
    shrunk = factor < 1 / ERROR_FACTOR and _above_noise(old)
    return {"change": factor, "outcome": "moved" if grown or shrunk else "same"}


def _height(check: CheckMeasurement) -> int:
    """How many rungs of the ladder hold; all and one more when they agree, none when the engine gave no answer."""
    if check.status == "ok":
        return len(RUNGS) + 1
    failed = [rung.rung for rung in check.result.rungs if rung.status == "failed"] if check.result else []
    return 1 + RUNGS.index(failed[0]) if failed else 0


def _agreement(check: CheckMeasurement) -> str:
    height = _height(check)
    if 0 < height <= len(RUNGS):
        return f"broke at {RUNGS[height - 1]}"
    return "agrees" if height else check.status.replace("_", " ")


def _worst(checks: Iterable[CheckMeasurement]) -> dict[str, WorstError]:
    """The largest distance of each rung, over the seeds."""
    out: dict[str, WorstError] = {}
    for check in checks:
        for rung, far in check.result.worst.items() if check.result else ():
            if rung not in out or not far.rel_l2 <= out[rung].rel_l2:  # one that is not finite is the largest
                out[rung] = far
    return out


def _above_noise(far: WorstError) -> bool:
    """Whether an error is more than rounding: of native float32's; in float64, a tenth of the limit."""
    return far.noise_ratio > 1 if far.noise_ratio is not None else far.rel_l2 > far.limit / 10
