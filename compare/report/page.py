"""Records as one page that opens offline: a summary for a minute, then every twin with its pictures.

Here the measurements are put in order; page_overview.py and its neighbours make the parts, charts.py draws, and
templates/report.html says where things stand.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from compare.engines.look import style_sheet
from compare.record import exports
from compare.record.measurement import ExportMeasurement, Measurement, benches_of, checks_of, exports_of, trainings_of
from compare.report import charts, page_ladder, page_learning, page_overview, page_speed, repeat
from compare.report.answers import Answer, answers
from compare.report.figures import Source
from compare.report.history import for_page, histories
from compare.report.learned import comparisons, learned
from compare.report.order import by_side, keras_first
from compare.report.phrases import PRECISION, by_pair, not_measured, provenances, troubles
from twin.catalogue import TWINS
from twin.paths import ROOT

TEMPLATES = ROOT / "compare" / "templates"
SCRIPTS = ("copy.js", "sort.js")  # what a page without JavaScript lacks: buttons that copy commands and sort tables


@dataclass
class Part:
    """Records that belong together: of one machine, with the same code and versions, and no measurement twice."""

    sources: list[Source]
    measurements: list[Measurement] = field(init=False)

    def __post_init__(self) -> None:
        self.measurements = [each for source in self.sources for each in source.record.measurements]

    def takes(self, source: Source) -> bool:
        """Whether a record may be told together with these."""
        keys = {each.key for each in self.measurements}
        new = source.record
        return not any(each.key in keys for each in new.measurements) and all(
            known.record.machine == new.machine
            and known.record.code == new.code
            and all(new.versions.get(engine, v) == v for engine, v in known.record.versions.items())
            for known in self.sources
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
    style = Markup(style_sheet())
    return environment.get_template("report.html").render(
        parts=parts,
        histories=[for_page(each) for each in histories(sources)],
        style=style,
        scripts=Markup("\n".join((TEMPLATES / name).read_text() for name in SCRIPTS)),
        markers=Markup(charts.markers()),
        precision=PRECISION,
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
    files = exports_of(part.measurements)
    measurements = [each for each in part.measurements if each not in files]
    compared = comparisons(measurements)
    engines = keras_first(dict.fromkeys(each.engine for each in measurements))
    by_twin: dict[str, list[Measurement]] = {each.twin: [] for each in measurements}
    for each in measurements:
        by_twin[each.twin].append(each)
    results = [each.result for each in benches_of(measurements) if each.result]
    told = {
        twin: answers(of_twin, [each for each in compared if each.twin == twin], _settings(part))
        for twin, of_twin in by_twin.items()
    }
    return {
        "id": prefix,
        "name": " and ".join(source.name for source in part.sources),
        "machine": part.sources[0].record.machine,
        "records": [_record(source) for source in part.sources],
        "versions": _versions(part),
        "threads": sorted({result.threads for result in results if result.threads}),
        "dtypes": sorted({each.dtype for each in part.measurements}),
        "provenances": _by_provenance(measurements),
        "answers": answers(part.measurements, compared, _settings(part)),
        "disturbances": [each for source in part.sources for each in source.record.disturbances],
        "open": page_overview.unfinished(
            [each for each in part.measurements if each.status not in ("not_offered", "unsupported")]
        ),
        "engines": [page_overview.engine_row(engine, measurements, compared) for engine in engines],
        "heads": engines,
        "questions": list(dict.fromkeys(answer.question for of_twin in told.values() for answer in of_twin)),
        "matrix": [
            {
                "name": twin,
                "id": f"{prefix}{twin}",
                "answers": {answer.question: answer for answer in told[twin]},
                "marks": [page_overview.mark([m for m in of_twin if m.engine == engine]) for engine in engines],
            }
            for twin, of_twin in by_twin.items()
        ],
        "exports": _exports(files) if files else None,
        "missing": not_measured(measurements),
        "troubles": troubles(measurements),
        "skipped": list(Counter(each.reason for each in measurements if each.status == "skipped").items()),
        "twins": [
            _twin(twin, f"{prefix}{twin}", part, told[twin], [each for each in compared if each.twin == twin])
            for twin in by_twin
        ],
    }


def _exports(files: list[ExportMeasurement]) -> dict[str, Any]:
    return {
        "counted": exports.counted(files),
        "repeat": repeat.export(files),
        "matrix": exports.matrix(files),
        "costs": exports.costs(files),
        "reasons": exports.reasons(files),
    }


def _record(source: Source) -> dict[str, str]:
    record = source.record
    return {
        "name": source.name,
        "command": record.command,
        "date": record.started or "not recorded",
        "settings": ", ".join(f"{name} {value}" for name, value in record.settings.items() if value is not None),
    }


def _settings(part: Part) -> dict[str, Any]:
    return {name: value for source in part.sources for name, value in source.record.settings.items()}


def _twin(name: str, anchor: str, part: Part, told: list[Answer], compared: list[Any]) -> dict[str, Any]:
    by_source = [[each for each in source.record.measurements if each.twin == name] for source in part.sources]
    measurements = [each for of_source in by_source for each in of_source]
    ladders: dict[tuple, list[Any]] = {}
    for check in checks_of(measurements):
        if check.result and check.result.rungs:
            ladders.setdefault((check.device, check.size, check.seed), []).append(check)
    benches = []
    trainings: list[tuple[list[Any], Any]] = []
    for source, of_source in zip(part.sources, by_source, strict=True):
        settings = source.record.settings
        benches += [
            page_speed.speed(by_side(group)) | {"repeat": repeat.bench(group, settings)}
            for group in by_pair(each for each in benches_of(of_source) if each.status != "not_run")
        ]
        if trained := [each for each in trainings_of(of_source) if each.result]:
            trainings.append((trained, settings))
    shown = [each for each in trainings_of(measurements) if each.result and each.result.predictions]
    known = TWINS.get(name)
    return {
        "name": name,
        "id": anchor,
        "title": known.title if known else "",
        "answers": told,
        "ladders": [
            page_ladder.ladder(key, by_side(group)) | {"repeat": repeat.check(group)} for key, group in ladders.items()
        ],
        "speeds": benches,
        "learning": page_learning.learning(learned(measurements), compared),
        "trained_by": [repeat.train(each, settings) for each, settings in trainings],
        "shown": page_learning.predictions(anchor, by_side(shown)),
        "provenances": list(dict.fromkeys(provenances(measurements).values())),
        "troubles": troubles(measurements),
        "skipped": list(dict.fromkeys(each.reason for each in measurements if each.status == "skipped")),
        "not_run": sum(each.status == "not_run" for each in measurements),
    }


def _by_provenance(measurements: Iterable[Measurement]) -> list[tuple[str, list[str]]]:
    """Where data came from, and the twins that use it."""
    twins: dict[str, list[str]] = {}
    for twin, provenance in provenances(measurements).items():
        twins.setdefault(provenance, []).append(twin)
    return list(twins.items())


def _versions(part: Part) -> dict[str, Any]:
    versions: dict[str, dict[str, str]] = {}
    for source in part.sources:
        versions |= source.record.versions
    packages = list(dict.fromkeys(name for each in versions.values() for name in each))
    rows = [(engine, [versions[engine].get(name, "") for name in packages]) for engine in keras_first(versions)]
    return {"packages": packages, "rows": rows}
