"""What records answer, before any table: do the engines agree, which is fastest, do they learn, do exports answer.

Terminal, Markdown and page show these sentences. They are computed here and nowhere else.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compare.engines.engine import REFERENCE
from compare.record.measurement import (
    BenchMeasurement,
    CheckMeasurement,
    ExportMeasurement,
    Measurement,
    TrainMeasurement,
    benches_of,
    checks_of,
    exports_of,
    trainings_of,
)
from compare.record.results import RungName, SpeedRatio
from compare.report.phrases import by_pair, joined, mode, plural, ratio_of, three
from compare.report.repeat import engine_options

if TYPE_CHECKING:
    from compare.stats.seeds import Comparison

DIFFERENT: dict[RungName, str] = {
    "structure": "its layers",
    "weights": "its weights",
    "forward": "its outputs",
    "gradients": "its gradients",
    "optimizer": "its updates",
    "trajectory": "its trainings",
}
NAMED = 3  # so many are named; more are counted
LONGEST = 7 * 24 * 3600.0  # seconds; a record that says more was not written by a run
START_SECONDS = 2.0  # of a timed process, beyond what its record says: building, warm-up, end


@dataclass(frozen=True)
class Answer:
    """One of a reader's questions, and what the measurements say.

    Args:
        question: 'Do they agree?' and such.
        short: a word or two, such as 'Yes' or 'keras-jax'.
        text: the sentence behind it, with figures.
        look: 'good', 'bad' or 'unsure'.
    """

    question: str
    short: str
    text: str
    look: str = "unsure"

    def __str__(self) -> str:
        return f"{self.question} {self.short}: {self.text}"


def answers(
    measurements: Sequence[Measurement], compared: "Sequence[Comparison]", settings: Mapping[str, Any] | None = None
) -> list[Answer]:
    """One for each kind of measurement: on what was planned, whatever came of it.

    Args:
        measurements: of one machine and one version of everything.
        compared: their trainings over seeds, as `learned.comparisons` finds them.
        settings: of the command that measured.
    """
    planned = [each for each in measurements if each.status != "skipped"]
    found = []
    if checks := checks_of(planned):
        found.append(_agreement(checks))
    if benches := benches_of(planned):
        found.append(_speed(benches, settings or {}))
    if trainings := trainings_of(planned):
        found.append(_learning(trainings, compared))
    if files := exports_of(planned):
        found.append(_files(files))
    return found


def _agreement(checks: Sequence[CheckMeasurement]) -> Answer:
    question = "Do they agree?"
    measured = [each for each in checks if each.status in ("ok", "failed")]
    differing = [each for each in measured if each.status == "failed"]
    open_ = {(each.twin, each.engine) for each in checks if each.status not in ("ok", "failed")}
    rest = f" {_pairs(len(open_))} could not be checked." if open_ else ""
    if not measured:
        return Answer(question, "Not known", "no check came to a result.")
    twins = list(dict.fromkeys(each.twin for each in measured))
    if differing:
        told = list(dict.fromkeys(map(_difference, differing)))
        agreeing = len(twins) - len({each.twin for each in differing})
        whole = f" {agreeing} of {len(twins)} twins agree on every engine." if len(twins) > 1 else ""
        if len(told) > NAMED:
            return Answer(question, "No", f"{len(told)} pairs do not, such as: {told[0]}.{whole}{rest}", "bad")
        return Answer(question, "No", f"{joined(told)}.{whole}{rest}", "bad")
    engines = list(dict.fromkeys(each.engine for each in measured))
    everywhere = len({(each.twin, each.engine) for each in measured}) == len(twins) * len(engines)
    others = [each for each in engines if each != REFERENCE]
    if not others:
        where = f"on {REFERENCE} in float32 as in float64"
    elif len(others) <= NAMED:
        where = f"on {joined(others)} as on {REFERENCE}"
    else:
        where = f"on {f'all {len(engines)} engines' if everywhere else 'every engine that was checked'}"
    whose = f"{joined(twins)} compute{'s' * (len(twins) == 1)}"
    if len(twins) > NAMED:
        whose = f"all {len(twins)} twins compute"
    short = "Yes, where checked" if open_ else "Yes"
    return Answer(question, short, f"{whose} the same {where}, up to rounding.{rest}", "unsure" if open_ else "good")


def _difference(check: CheckMeasurement) -> str:
    failed = next((rung.rung for rung in check.result.rungs if rung.status == "failed"), None) if check.result else None
    where = f" in {DIFFERENT[failed]}" if failed else ""
    dtype = f" ({check.dtype})" if check.dtype != "float32" else ""
    return f"{check.twin} on {check.engine}{dtype} differs from {REFERENCE}{where}"


def _speed(benches: Sequence[BenchMeasurement], settings: Mapping[str, Any]) -> Answer:
    groups = [group for group in by_pair(benches) if any(each.result and each.result.speed for each in group)]
    if not groups:
        withheld = any(each.result and each.result.agrees is False for each in benches)
        why = "what does not agree is not timed." if withheld else "no timing came to a result."
        return Answer("Which is fastest?", "Not known", why)
    if len(groups) == 1:
        return _speed_of_one(groups[0], settings)
    return _speed_of_many(groups, settings)


def _speed_of_one(group: Sequence[BenchMeasurement], settings: Mapping[str, Any]) -> Answer:
    from compare.stats.ratios import EQUAL  # here: it needs NumPy, for which `twin list` does not wait

    question = "Which is fastest?"
    steps = {each.engine: step for each in group if (step := ratio_of(each, "step"))}
    reference = next((engine for engine, step in steps.items() if step.verdict == "reference"), None)
    others = {engine: step for engine, step in steps.items() if step.verdict != "reference"}
    if reference is None or not others:
        return Answer(question, "Not known", f"only {joined(list(steps))} was timed; there is nothing to compare with.")
    verdicts = {step.verdict for step in others.values()}
    ranked = sorted(others, key=lambda engine: others[engine].estimate)
    best = ranked[0]
    if verdicts == {"none"}:
        return Answer(question, "No verdict", _too_few(group, settings))
    faster = [engine for engine in ranked if others[engine].verdict == "faster"]
    if faster:
        best = faster[0]
        rivals = [engine for engine in ranked if engine != best and _overlap(others[engine], others[best])]
        by = f"a training step is {_times(others[best])} as fast as on {reference} ({_interval(others[best])})"
        unlike = _unlike(group, best, reference)
        if not rivals:
            return Answer(question, best, f"{by}.{unlike}", "good")
        return Answer(question, best, f"{by}; {joined(rivals)} may be as fast.{unlike}", "good")
    if verdicts == {"slower"}:
        span = " to ".join(dict.fromkeys(three(others[engine].estimate) for engine in (ranked[0], ranked[-1])))
        return Answer(question, reference, f"a training step of {joined(ranked)} takes {span} times as long.", "good")
    if verdicts <= {"equal", "slower"}:
        equal = [engine for engine in ranked if others[engine].verdict == "equal"]
        slower = [engine for engine in ranked if others[engine].verdict == "slower"]
        text = f"{joined([reference, *equal])} take the same time for a training step, within {EQUAL:.0%}"
        if slower:
            text += (
                f"; {joined([f'{engine} takes {three(others[engine].estimate)} times as long' for engine in slower])}"
            )
        return Answer(question, "None" if not slower else "No single one", f"{text}.", "good")
    step = others[best]
    seems = "about as fast" if 0.98 < step.estimate < 1.02 else f"{_times(step)} as fast"
    return Answer(
        question,
        "Not shown",
        f"{best} seems {seems} as {reference}, but the measurements spread too far to be sure ({_interval(step)}).",
    )


def _speed_of_many(groups: Sequence[Sequence[BenchMeasurement]], settings: Mapping[str, Any]) -> Answer:
    question = "Which is fastest?"
    firsts: Counter[str] = Counter()  # engine -> twins on which it is the fastest; "" where none was shown to be
    verdicts: set[str] = set()
    factors: dict[str, list[float]] = {}  # of an engine, where it is the fastest: how many times as fast as torch
    references = set()
    for group in groups:
        steps = {each.engine: step for each in group if (step := ratio_of(each, "step"))}
        others = {engine: step for engine, step in steps.items() if step.verdict != "reference"}
        if not others or len(others) == len(steps):
            continue
        (reference,) = set(steps) - set(others)
        references.add(reference)
        verdicts |= {step.verdict for step in others.values()}
        faster = {engine: step.estimate for engine, step in others.items() if step.verdict == "faster"}
        if faster:
            first = min(faster, key=faster.__getitem__)
            factors.setdefault(first, []).append(1 / faster[first])
        else:
            first = reference if all(step.verdict == "slower" for step in others.values()) else ""
        firsts[first] += 1
    if not firsts:
        return Answer(question, "Not known", "one engine was timed; there is nothing to compare with.")
    if verdicts == {"none"}:
        return Answer(question, "No verdict", _too_few(groups[0], settings, several=True))
    total, undecided = firsts.total(), firsts.pop("", 0)
    rest = f"; on {undecided} none was shown to be" if undecided else ""
    said = [f"{engine} on {count}" for engine, count in firsts.most_common()]
    if not firsts:
        return Answer(question, "Not shown", f"on none of {total} twins was an engine shown to be the fastest.")
    best, count = firsts.most_common(1)[0]
    if count <= total / 2:
        return Answer(question, "It depends on the twin", f"of {total} twins, {joined(said)}{rest}.")
    span = sorted(factors.get(best, []))
    by = f", {_span(span)} times as fast as {joined(sorted(references))}" if span else ""
    others_too = f"; {joined(said[1:])}" if said[1:] else ""
    return Answer(question, best, f"on {count} of {total} twins{by}{others_too}{rest}.", "good")


def _span(values: Sequence[float]) -> str:
    return " to ".join(dict.fromkeys(three(value) for value in (values[0], values[-1])))


def _too_few(group: Sequence[BenchMeasurement], settings: Mapping[str, Any], several: bool = False) -> str:
    """Why process runs are too few for a verdict, and what gives one."""
    from compare.stats.ratios import PROCESS_RUNS

    done = max(len(each.result.process_runs) for each in group if each.result)
    why = f"{plural(done, 'process run')} of each engine, and a verdict takes {PROCESS_RUNS}"
    if not settings.get("quick") and settings.get("budget"):
        ended = f"the time limit of {settings['budget']} ended it after {plural(done, 'process run')}"
        why = f"{ended}, and a verdict takes {PROCESS_RUNS}"
    if several:
        return f"{why}; `twin bench NAME` gives one."
    first, seconds = group[0], sum(map(_seconds_of_a_run, group)) * PROCESS_RUNS
    minutes, duration = _duration(seconds)
    command = f"twin bench {first.twin}{engine_options([each.engine for each in group])}"
    command += f" --size {first.size}" if first.size != "small" else ""
    command += f" --device {first.device}" if first.device != "cpu" else ""
    command += f" --budget {minutes + 5}m" if minutes > 9 else ""
    return f"{why}; `{command}` gives one{duration}."


def _duration(seconds: float) -> tuple[int, str]:
    """Minutes, and how a sentence ends with them; 0 and nothing where no run can have taken so long."""
    if not seconds < LONGEST:
        return 0, ""
    minutes = max(1, math.ceil(seconds / 60))
    return minutes, f" in about {plural(minutes, 'minute')}"


def _seconds_of_a_run(bench: BenchMeasurement) -> float:
    """What one process run of an engine takes; of the reference two, as its A/A run is timed beside it."""
    result = bench.result
    if not result or not result.process_runs:
        return 0.0
    run = result.process_runs[-1]
    loops = sum(sum(times) * run.repetitions.get(quantity, 1) for quantity, times in run.times.items())
    known = sum(filter(None, (run.import_seconds, run.first_step, run.second_step)))
    return (START_SECONDS + known + loops) * (2 if result.aa_runs else 1)


def _learning(trainings: Sequence[TrainMeasurement], compared: "Sequence[Comparison]") -> Answer:
    question = "Do they learn equally well?"
    finished = [each for each in trainings if each.result]
    if not finished:
        return Answer(question, "Not known", "no training came to a result.")
    if not compared:
        engines = list(dict.fromkeys(each.engine for each in finished))
        why = f"only {engines[0]} was trained" if len(engines) == 1 else "no seed was trained on two engines"
        return Answer(question, "Not known", f"{why}; there is nothing to compare.")
    if all(each.verdict == "none" for each in compared):
        return Answer(question, "No verdict", _too_few_seeds(finished, compared))
    if len({each.twin for each in compared}) == 1:
        return _learning_of_one(question, compared)
    counted = Counter(each.verdict for each in compared)
    apart, undecided = counted["better"] + counted["worse"], counted["inconclusive"] + counted["none"]
    said = [
        f"{counted['equal']} learned equally well" if counted["equal"] else "",
        f"{counted['better']} better" if counted["better"] else "",
        f"{counted['worse']} worse" if counted["worse"] else "",
        f"{undecided} {'have' if undecided > 1 else 'has'} no verdict" if undecided else "",
    ]
    short, look = "Not all", "bad"
    if not apart:
        short, look = ("Yes, where shown", "good") if counted["equal"] else ("Not shown", "unsure")
    if counted["equal"] == len(compared):
        short = "Yes"
    text = f"of {len(compared)} trainings beside {compared[0].against}, {joined(list(filter(None, said)))}."
    return Answer(question, short, text, look)


def _learning_of_one(question: str, compared: "Sequence[Comparison]") -> Answer:
    first = compared[0]
    metric, seeds = first.metric.replace("_", " "), plural(min(len(each.seeds) for each in compared), "seed")
    apart = [each for each in compared if each.verdict in ("better", "worse")]
    if apart:
        told = [
            f"{each.engine} learns {each.verdict} than {each.against} "
            f"({metric} {each.mean:+.3g}, where {each.margin:g} counts as equal)"
            for each in apart
        ]
        return Answer(question, "No", f"{joined(told)}, over {seeds}.", "bad")
    engines = [each.engine for each in compared]
    names = joined(engines) if len(engines) <= NAMED else f"all {len(engines)} other engines"
    if all(each.verdict == "equal" for each in compared):
        text = f"{metric} of {names} is within {first.margin:g} of {first.against}'s, shown over {seeds}."
        return Answer(question, "Yes", text, "good")
    unclear = [each for each in compared if each.verdict != "equal"]
    more = max((each.more_seeds or 0 for each in unclear), default=0)
    advice = f"; about {plural(more, 'seed')} more would show it" if more else ""
    names = joined([each.engine for each in unclear])
    text = f"over {seeds}, {metric} of {names} is not shown to be within {first.margin:g} of {first.against}'s{advice}."
    return Answer(question, "Not shown", text)


def _too_few_seeds(finished: Sequence[TrainMeasurement], compared: "Sequence[Comparison]") -> str:
    from compare.stats.seeds import ENOUGH

    done = min(len(each.seeds) for each in compared)
    why = f"{plural(done, 'seed')}, and a verdict takes {ENOUGH}"
    twins = list(dict.fromkeys(each.twin for each in compared))
    if len(twins) > 1:
        return f"{why}; `twin train NAME --seeds {ENOUGH}` gives one."
    each_seed = sum(map(_seconds_of_all_epochs, finished)) / done
    _, duration = _duration(each_seed * ENOUGH)
    engines = engine_options(list(dict.fromkeys(each.engine for each in finished)))
    return f"{why}; `twin train {twins[0]}{engines} --seeds {ENOUGH}` gives one{duration}."


def _seconds_of_all_epochs(training: TrainMeasurement) -> float:
    """What a training takes with the twin's own number of epochs, as the command that is named trains it."""
    from twin.catalogue import TWINS

    if not training.result or not training.result.seconds:
        return 0.0
    own = TWINS.get(training.twin)
    return training.result.seconds * (
        max(1.0, own.epochs / training.result.epochs) if own and training.result.epochs else 1.0
    )


def _overlap(one: SpeedRatio, other: SpeedRatio) -> bool:
    """Whether the intervals of two engines have a value in common, so that neither is shown to be faster."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return True
    return one.low <= other.high and other.low <= one.high


def _times(step: SpeedRatio) -> str:
    return f"{three(1 / step.estimate)} times"


def _interval(step: SpeedRatio) -> str:
    if step.low is None or step.high is None:
        return "no interval"
    return f"95% interval {three(1 / step.high)} to {three(1 / step.low)}"


def _unlike(group: Sequence[BenchMeasurement], engine: str, reference: str) -> str:
    modes = {each.engine: mode(each) for each in group}
    if modes[engine] == modes[reference]:
        return ""
    return f" It is {modes[engine]}, {reference} is {modes[reference]}."


def _pairs(count: int) -> str:
    return f"{plural(count, 'other pair')}"


def _files(files: Sequence[ExportMeasurement]) -> Answer:
    question = "Do exported files answer as their models?"
    found = [each for each in files if each.status in ("ok", "failed")]
    if not found:
        return Answer(question, "Not known", "no file was run.")
    right = [
        each.result.worst for each in found if each.status == "ok" and each.result and each.result.worst is not None
    ]
    wrong = list(
        dict.fromkeys(f"{each.twin} from {each.engine} as {each.format}" for each in found if each.status != "ok")
    )
    within = (f", within {max(right):.0e} (relative L2)" if max(right) else ", exactly") if right else ""
    said = f"{len(right)} of {plural(len(found), 'file')} {'does' if len(right) == 1 else 'do'}{within}"
    if not wrong:
        return Answer(question, "Yes", f"{said}.", "good")
    told = joined(wrong) if len(wrong) <= NAMED else f"{len(wrong)}, such as {wrong[0]}"
    return Answer(question, "Not all" if right else "No", f"{said}; not {told}.", "bad")
