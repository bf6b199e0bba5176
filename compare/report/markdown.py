"""Records as Markdown: the same figures as in the terminal, in tables that a pull request or a wiki shows."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from compare.record import exports
from compare.record.measurement import Measurement, benches_of, checks_of, exports_of
from compare.record.results import QUANTITIES, QUANTITY_NAMES
from compare.report.answers import answers
from compare.report.figures import Source
from compare.report.learned import Learned, comparisons, learned
from compare.report.phrases import (
    PRECISION,
    beside_reference,
    by_pair,
    mode,
    not_measured,
    provenances,
    ratio_of,
    speed_word,
    troubles,
)
from compare.report.speed_tables import Costs, bench_summary, noise_sentences, title
from compare.report.tables import MEASURED_RUNGS
from twin.table import table

if TYPE_CHECKING:
    from compare.stats.seeds import Comparison


def of_sources(sources: Sequence[Source]) -> str:
    """One page: a part per record, with its machine and versions."""
    return "\n\n".join(["# What was compared", *map(_of_source, sources)]) + "\n"


def _of_source(source: Source) -> str:
    record, machine = source.record, source.record.machine
    memory = f", {machine.memory_gib} GiB" if machine.memory_gib else ""
    compared = comparisons(record.measurements)
    parts = [
        f"## {_text(source.name)}",
        f"`twin {_text(record.command)}`, {_text(record.started or 'date not recorded')}, "
        f"{_text(machine.processor or 'unknown processor')}, {machine.cores} cores{memory}, "
        f"{_text(machine.system or '')}. {PRECISION}.",
        "\n".join(
            f"- **{each.question}** {_with_commands(f'{each.short}: {each.text}')}"
            for each in answers(record.measurements, compared, record.settings)
        ),
        "\n".join(f"- {_text(each)}" for each in record.disturbances),
        _section("Agreement", _checks(record.measurements)),
        _section("Speed", _benches(record.measurements)),
        _section("Learning", _trainings(record.measurements, compared)),
        _section("Exported files", _exports(record.measurements)),
        _section("What was not measured, or failed", _rest(record.measurements)),
    ]
    if record.versions:
        packages = list(dict.fromkeys(name for each in record.versions.values() for name in each))
        rows = [[engine, *(each.get(p, "") for p in packages)] for engine, each in record.versions.items()]
        parts.append(_section("Versions", _table(rows, ["engine", *packages], 1 + len(packages))))
    return "\n\n".join(filter(None, parts))


def _section(title: str, text: str) -> str:
    return f"### {title}\n\n{text}" if text else ""


def _exports(measurements: Iterable[Measurement]) -> str:
    files = exports_of(measurements)
    if not files:
        return ""
    heads, rows = exports.matrix(files)
    cost_heads, cost_rows = exports.costs(files)
    parts = [exports.counted(files), _table(rows, heads, len(heads)), _table(cost_rows, cost_heads, 3)]
    return "\n\n".join([*parts, "\n".join(f"- {_text(line)}" for line in exports.reasons(files))])


def _checks(measurements: Iterable[Measurement]) -> str:
    rows = []
    for each in checks_of(measurements):
        worst, noise = (each.result.worst, each.result.noise_ratio) if each.result else ({}, None)
        errors = [f"{worst[rung].rel_l2:.1e}" if rung in worst else "" for rung in MEASURED_RUNGS]
        noise_ratio = "" if noise is None else f"{noise:.1f}"
        rows.append([each.twin, each.engine, each.dtype, each.status_word, *errors, noise_ratio])
    if not rows:
        return ""
    heads = ["twin", "engine", "dtype", "result", *MEASURED_RUNGS, "error / rounding"]
    return (
        f"{_table(rows, heads, 4)}\n\nRelative L2 distance of the worst tensor from native PyTorch in float64, and the "
        "largest of these errors divided by the rounding error of native PyTorch in float32."
    )


def _benches(measurements: Iterable[Measurement]) -> str:
    benches = benches_of(measurements)
    if not benches:
        return ""
    parts = []
    for group in by_pair(benches):
        rows = []
        for each in group:
            costs = Costs(each) if each.result and each.result.speed else None
            times = (costs.times["step"], costs.times["latency"], costs.first_step) if costs else (None,) * 3
            memory = costs.peak_memory_mib if costs else None
            rows.append(
                [
                    each.engine,
                    mode(each),
                    speed_word(each),
                    *(beside_reference(ratio_of(each, quantity), with_interval=True) for quantity in QUANTITIES),
                    *("" if seconds is None else f"{seconds * 1000:.3g}" for seconds in times),
                    "" if memory is None else f"{memory:,.0f}",
                ]
            )
        ratios = [f"{QUANTITY_NAMES[quantity]}, ratio" for quantity in QUANTITIES]
        costs_heads = ["step, ms", "one row, ms", "first step, ms", "memory, MiB"]
        heads = ["engine", "mode", "verdict on the step", *ratios, *costs_heads]
        sentences = _text(" ".join(noise_sentences(group)))
        parts.append(f"**{_text(group[0].twin)}**, {title(group)}\n\n{_table(rows, heads, 3)}\n\n{sentences}")
    return "\n\n".join([*parts, _text(" ".join(bench_summary(benches)))])


def _trainings(measurements: Sequence[Measurement], found: "Sequence[Comparison]") -> str:
    compared = {(each.twin, each.engine): each for each in found}
    rows = []
    for each in learned(measurements):
        difference = ["", "", "", ""]
        if versus := compared.get((each.twin, each.engine)):
            span = "" if versus.low is None or versus.high is None else f"[{versus.low:+.4f}, {versus.high:+.4f}]"
            more = f"{versus.more_seeds} more" if versus.more_seeds else ""
            difference = [f"{versus.mean:+.4f} {span}".strip(), f"{versus.margin:g}", versus.verdict, more]
        rows.append([each.twin, each.engine, each.metric, *_over_seeds(each), f"{each.target:g}", *difference])
    if not rows:
        return ""
    heads = ["twin", "engine", "metric", "mean", "deviation", "seeds", "target", "against the reference [90%]"]
    data = "\n".join(f"- data of {_text(f'{twin}: {said}')}" for twin, said in provenances(measurements).items())
    rows_table = _table(rows, [*heads, "margin", "verdict", "seeds to a verdict"], 3)
    return "\n\n".join(filter(None, [rows_table, data]))


def _over_seeds(each: Learned) -> list[str]:
    return [*("" if v is None else f"{v:.4f}" for v in (each.mean, each.deviation)), str(len(each.values))]


def _rest(measurements: Iterable[Measurement]) -> str:
    measurements = [each for each in measurements if each.measure != "export"]  # they have said so above
    return "\n".join(f"- {_text(line)}" for line in [*not_measured(measurements), *troubles(measurements)])


def _table(rows: Iterable[Sequence[str]], heads: Sequence[str], left: int) -> str:
    cells = [[_text(str(each)) for each in row] for row in rows]
    return table(cells, heads, ["left"] * left + ["right"] * (len(heads) - left), style="github")


def _text(words: str) -> str:
    """Words of a record so that Markdown shows them as they are."""
    return _escaped(" ".join(words.split()))


def _escaped(words: str) -> str:
    return re.sub(r"([\\`*_<>|]|(?<=\])\()", r"\\\1", words)


def _with_commands(sentence: str) -> str:
    """A sentence in which `commands` stay code."""
    return "".join(f"`{each}`" if at % 2 else _escaped(each) for at, each in enumerate(sentence.split("`")))
