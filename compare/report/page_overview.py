"""The page's summary: what a reader wants to know in the first minute, engine by engine and twin by twin."""

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from compare.engines.engine import everything
from compare.record.measurement import (
    UNMEASURED,
    CheckMeasurement,
    Measurement,
    benches_of,
    checks_of,
)
from compare.report.phrases import ratio_of, speed_word

VERDICTS = ("faster", "equal", "slower")


def unfinished(measurements: Sequence[Measurement]) -> list[tuple[str, int]]:
    """What was planned and has no sound result: a word and how often."""
    counted = Counter(_status(each) for each in measurements if each.status not in ("ok", "failed"))
    return sorted(counted.items(), key=lambda item: -item[1])


def engine_row(engine: str, measurements: list[Measurement], compared: list[Any]) -> dict[str, Any]:
    """A row of the table of engines."""
    of_engine = [each for each in measurements if each.engine == engine]
    checks, benches = _measured(checks_of(of_engine)), _measured(benches_of(of_engine))
    agree: dict[str, bool] = {}  # a twin that was checked in float64 too is still one
    for each in checks:
        agree[each.twin] = agree.get(each.twin, True) and each.status == "ok"
    words = Counter(map(speed_word, benches))
    steps = [step for each in benches if (step := ratio_of(each, "step"))]
    ratios = [step.estimate for step in steps if step.verdict != "reference"]
    verdicts = Counter(each.verdict for each in compared if each.engine == engine)
    known = everything().get(engine)
    return {
        "engine": engine,
        "run": "compiled" if known and known.compiled else "eager" if known else "",
        "agrees": f"{sum(agree.values())} of {len(agree)}" if agree else "",
        "speed": [words[each] or "" for each in VERDICTS] if ratios else [""] * 3,
        "open": sum(count for word, count in words.items() if word not in (*VERDICTS, "reference")) or "",
        "ratio": _middle(ratios),
        "reference": bool(steps) and not ratios,
        "learns": [verdicts[each] or "" for each in ("better", "equal", "worse")],
        "undecided": sum(verdicts[each] for each in ("inconclusive", "none")) or "",
        "against": any(each.against == engine for each in compared),
    }


def _middle(ratios: Sequence[float]) -> str:
    """The median, and how far they range where there are several."""
    if not ratios:
        return ""
    span = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{statistics.median(ratios):.2f}{span}"


def mark(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """One field of the table of all twins: whether they agree, and how fast."""
    checks: list[CheckMeasurement] = _measured(checks_of(measurements))
    step = next((found for each in benches_of(measurements) if (found := ratio_of(each, "step"))), None)
    agree, ratio, look = "", "", ""
    if checks:
        worst = next((each for each in checks if each.status != "ok"), checks[0])
        agree = {"ok": "\N{CHECK MARK}", "failed": "\N{BALLOT X} differs"}.get(worst.status) or _status(worst)
        look = {"ok": "good", "failed": "bad"}.get(worst.status, "unsure")
    if step:
        signs = {"faster": "\N{BLACK DOWN-POINTING TRIANGLE}", "slower": "\N{BLACK UP-POINTING TRIANGLE}", "equal": "="}
        ratio = "1" if step.verdict == "reference" else f"{step.estimate:.2f} {signs.get(step.verdict, '?')}"
    other = ""
    if not checks and not step:
        other = ", ".join(dict.fromkeys(_status(each) for each in measurements if each.status != "ok"))
    return {"agree": agree, "look": look, "ratio": ratio, "other": other, "sort": step.estimate if step else ""}


def learning_verdict(verdict: str) -> str:
    """The verdict on what was learned, in words."""
    return "too few seeds" if verdict == "none" else verdict


def _measured(measurements: Sequence[Any]) -> list[Any]:
    return [each for each in measurements if each.status not in UNMEASURED]


def _status(measurement: Measurement) -> str:
    return "failed" if measurement.status == "failed" else measurement.status_word
