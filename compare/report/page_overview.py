"""The page's summary: what a reader wants to know in the first minute, engine by engine and twin by twin."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from compare.engines.engine import everything
from compare.record.measurement import (
    UNMEASURED,
    CheckMeasurement,
    Measurement,
    benches_of,
    checks_of,
    trainings_of,
)
from compare.report.phrases import WITHHELD, ratio_of, speed_word

VERDICTS = ("faster", "equal", "slower")
LEARNED = ("equal", "better", "worse")


def summary(
    measurements: list[Measurement], by_twin: Mapping[str, list[Measurement]], compared: list[Any]
) -> dict[str, Any]:
    """How many agree, are faster, learn equally well, and are missing."""
    checks = checks_of(measurements)
    checked = {twin: group for twin, each in by_twin.items() if (group := _measured(checks_of(each)))}
    benches = _measured(benches_of(measurements))
    words = Counter(word for each in benches if (word := speed_word(each)) != "reference")
    withheld = words.pop(WITHHELD, 0)
    speeds = _counted(words + Counter({"withheld for want of agreement": withheld}), VERDICTS)
    trainings = trainings_of(measurements)
    unfinished = Counter(_status(each) for each in measurements if each.status not in ("ok", "failed"))
    return {
        "planned": {each.measure for each in measurements if each.status != "skipped"},
        "checked": len(checked),
        "agreeing": sum(all(each.status == "ok" for each in group) for group in checked.values()),
        "differing": sum(each.status == "failed" for each in checks),
        "not_checked": sum(each.status not in ("ok", "failed", "skipped") for each in checks),
        "speed": speeds,
        "speeds": words.total() + withheld,
        "speed_verdicts": sum(words[each] for each in VERDICTS),
        "references": sorted({each.result.reference for each in benches if each.result and each.result.reference}),
        "learning": _counted(Counter(learning_verdict(each.verdict) for each in compared), LEARNED),
        "learnings": len(compared),
        "learning_verdicts": sum(each.verdict in LEARNED for each in compared),
        "trained": len({(each.twin, each.engine) for each in trainings if each.result}),
        "trainings": bool(trainings),
        "seeds": len({each.seed for each in trainings}),
        "open": unfinished.total(),
        "opened": _counted(unfinished, ()),
    }


def engine_row(engine: str, measurements: list[Measurement], compared: list[Any]) -> dict[str, Any]:
    """A row of the table of engines."""
    of_engine = [each for each in measurements if each.engine == engine]
    checks, benches = _measured(checks_of(of_engine)), _measured(benches_of(of_engine))
    words = Counter(map(speed_word, benches))
    steps = [step for each in benches if (step := ratio_of(each, "step"))]
    ratios = [step.estimate for step in steps if step.verdict != "reference"]
    verdicts = Counter(each.verdict for each in compared if each.engine == engine)
    known = everything().get(engine)
    return {
        "engine": engine,
        "run": "compiled" if known and known.compiled else "eager" if known else "",
        "agrees": f"{sum(each.status == 'ok' for each in checks)} of {len(checks)}" if checks else "",
        "speed": [words[each] or "" for each in VERDICTS] if ratios else [""] * 3,
        "open": sum(count for word, count in words.items() if word not in (*VERDICTS, "reference")) or "",
        "ratio": f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "",
        "reference": bool(steps) and not ratios,
        "learns": [verdicts[each] or "" for each in ("better", "equal", "worse")],
        "undecided": sum(verdicts[each] for each in ("inconclusive", "none")) or "",
        "against": any(each.against == engine for each in compared),
    }


def mark(measurements: Sequence[Measurement]) -> dict[str, str]:
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
    return {"agree": agree, "look": look, "ratio": ratio, "other": other}


def learning_verdict(verdict: str) -> str:
    """The verdict on what was learned, in words."""
    return "too few seeds" if verdict == "none" else verdict


def _measured(measurements: Sequence[Any]) -> list[Any]:
    return [each for each in measurements if each.status not in UNMEASURED]


def _counted(counts: Counter, first: Sequence[str]) -> list[tuple[str, int]]:
    """Words and how often, the `first` ones always there."""
    rest = sorted((word for word in counts if word not in first), key=lambda word: -counts[word])
    return [(word, counts[word]) for word in (*first, *rest)]


def _status(measurement: Measurement) -> str:
    return "failed" if measurement.status == "failed" else measurement.status_word
