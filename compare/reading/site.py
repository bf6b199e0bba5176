"""The twins as a static site in two languages: a map of the course, a page per twin, differences, glossary.

Nothing here measures.
"""

import html
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.engines.engine import FRAMEWORKS
from compare.engines.look import style_sheet
from compare.reading import (
    addresses,
    counterparts,
    dataflow_svg,
    draw,
    drawn,
    figures,
    glossary,
    notebook,
    prose,
    search,
    shapes,
    syntax,
)
from compare.reading.aligned import SIDES, Reading, Row, read
from compare.reading.languages import FOLDER, LANGUAGES, translated
from compare.reading.shapes import Layer, Measured
from compare.reading.show import chosen, document, note
from compare.record.measurement import (
    ExportMeasurement,
    Measurement,
    checks_of,
    exports_of,
)
from twin.catalogue import CHAPTERS, TWINS, chapter_of
from twin.differences import ROWS, TOPICS
from twin.files import copy_file, write_text
from twin.glossary import TOPICS as WORDS
from twin.paths import ROOT, path_of
from twin.spec import Twin

TEMPLATES = ROOT / "compare" / "templates"
ASSETS = ("site.css", "site.js", "copy.js", "minisearch.js")
IDEAS = {"en": prose.FOLDER, "ko": FOLDER / "prose"}
# What every page's head leads to.
PAGES = (("index.html", "Course"), ("differences.html", "Differences"), ("glossary.html", "Glossary"))
EXPORTS = ("exports.html", "Exported files")
DRAW = ("draw.html", "Draw a digit")
FLOW = "%(title)s: its data flow in %(count)s boxes"  # what a screen reader says of the picture
EACH = "%(count)s each"  # parameters of several layers
CODE, COUNT = re.compile(r"`([^`]+)`"), re.compile(r"([\d,]+) each$")
LEAD = re.compile(r"^(Departures[^:.]{0,30}|Slides):")


@dataclass(frozen=True)
class Line:
    """A row of a page's code: what stands on either side.

    Args:
        pair: shared by the rows of one statement.
        classes: words for the style sheet.
        why: the tag that explains it.
        cells: number, code and note of Keras's side, then of PyTorch's; None where there is no line.
    """

    pair: int
    classes: str
    why: str
    cells: tuple[dict[str, Any] | None, ...]


Drawing = tuple[Path, Path]  # folders of exported models, and of the npm package that runs them


def build(
    out: Path,
    records: Sequence[Path] = (),
    twins: Sequence[Twin] | None = None,
    drawing: Drawing | None = None,
    repository: str = "",
) -> list[Path]:
    """Write the site; return its files.

    Args:
        out: a folder, made where it does not exist.
        records: of runs, whose results the pages show; of two results of the same measurement the newer file's counts.
        twins: those that get a page; all by default.
        drawing: for a page where a reader draws a digit.
        repository: what pip installs the suite from in a notebook where it is not there.

    Raises:
        TwinError: when the folder cannot be written, or a record cannot be read.
    """
    twins = list(TWINS.values()) if twins is None else list(twins)
    measurements = figures.newest(records)
    shown = {twin.name: content(twin, [each for each in measurements if each.twin == twin.name]) for twin in twins}
    files = {"style.css": style_sheet()} | {name: (TEMPLATES / name).read_text() for name in ASSETS}
    if drawing:  # first: folders that lack something are told before the pages are made
        files |= draw.scripts(*drawing) | {"draw.js": (TEMPLATES / "draw.js").read_text()}
    exported = [each for each in exports_of(measurements) if each.twin in shown]
    measured = {each.twin for each in measurements if each.measure != "export"}
    for language, place in LANGUAGES.items():
        pages = _pages(language, twins, shown, measured, exported, drawing is not None)
        files |= {f"{place}{name}": text for name, text in pages.items()}
    files |= {f"{twin.name}.ipynb": notebook.text(twin, repository) for twin in twins}
    for name, text in files.items():
        write_text(out / name, text, "FOLDER", records)
    pictures = {f"pictures/{each.file}": each.file for name, each in drawn.every().items() if name in shown}
    for name, file in pictures.items():
        copy_file(drawn.FOLDER / file, out / name, "FOLDER")
    return [out / name for name in (*files, *pictures)]


def _pages(
    language: str,
    twins: Sequence[Twin],
    shown: Mapping[str, dict[str, Any]],
    measured: Collection[str],
    exported: Sequence[ExportMeasurement],
    drawing: bool,
) -> dict[str, str]:
    """The pages of one language, and what is found in them."""
    environment = _environment(language)
    environment.globals["pages"] = (*PAGES, *[EXPORTS] * bool(exported), *[DRAW] * drawing)
    names = {twin.name for twin in twins}
    chapters = {c: [t for t in inside if t.name in names] for c, inside in CHAPTERS.items()}
    chapters = {chapter: inside for chapter, inside in chapters.items() if inside}
    files = {"search.js": search.script(twins, language)}
    files["index.html"] = environment.get_template("site_index.html").render(
        here="index.html", chapters=chapters, first=twins[0], total=len(twins), results=sorted(names & set(measured))
    )
    files["differences.html"] = environment.get_template("site_differences.html").render(
        here="differences.html", topics=TOPICS, code=_difference_code(), used=_used_by(twins)
    )
    files["glossary.html"] = environment.get_template("site_glossary.html").render(
        here="glossary.html", glossary=WORDS, lines=glossary.lines
    )
    if exported:
        files["exports.html"] = environment.get_template("site_exports.html").render(
            here="exports.html", **figures.exports_page(exported)
        )
    if drawing:
        files["draw.html"] = environment.get_template("site_draw.html").render(here="draw.html")
    template = environment.get_template("site_twin.html")
    for number, twin in enumerate(twins):
        files[f"{twin.name}.html"] = template.render(
            here=f"{twin.name}.html",
            previous=twins[number - 1] if number else None,
            following=twins[number + 1] if number + 1 < len(twins) else None,
            **idea(twin, language),
            **shown[twin.name],
            **_drawings(language, **shown[twin.name]),
        )
    return files


def _drawings(language: str, twin: Twin, measurements: Any, measured: Any, **_: Any) -> dict[str, Any]:
    """The curves of a twin's trainings, and the picture of its data flow."""
    from markupsafe import Markup

    words = translated(figures.CURVES, language) or figures.CURVES
    return {
        "curves": Markup(figures.curves(measurements, words)),
        "flow": Markup(flow(twin, measured or {}, language)),
    }


def _environment(language: str) -> Any:
    """Templates that speak a language; what is not translated is marked as English."""
    import jinja2
    from markupsafe import Markup

    def translate(text: str) -> str:
        return translated(text, language) or text

    def said(text: str) -> Markup:
        """A sentence of the content, with code where it has backticks."""
        found = translated(text, language)
        return Markup(_ticks(found) if found else f'<span lang="en">{_ticks(text)}</span>')

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(translate, lambda one, many, _: translate(one), newstyle=True)  # type: ignore[attr-defined]
    environment.filters["said"] = said
    environment.filters["counted"] = lambda note: COUNT.sub(lambda found: translate(EACH) % {"count": found[1]}, note)
    environment.filters["ticks"] = lambda text: Markup(_ticks(text))
    environment.filters["lead"] = lambda text: Markup(LEAD.sub(r"<strong>\1:</strong>", _ticks(text)))
    environment.filters["address"] = lambda call: addresses.address(counterparts.name_of(call))
    root = "../" * LANGUAGES[language].count("/")
    environment.globals.update(
        pages=PAGES,
        names=FRAMEWORKS,
        short=shapes.short,
        sides=SIDES,
        language=language,
        languages={each: f"{root}{place}" for each, place in LANGUAGES.items()},
        root=root,
    )
    return environment


def idea(twin: Twin, language: str) -> dict[str, Any]:
    """The idea of a twin in a language, or in English where it is not translated."""
    from markupsafe import Markup

    own = prose.paragraphs(twin.name, IDEAS[language])
    found = own or prose.paragraphs(twin.name)
    return {"prose": [Markup(prose.as_html(each)) for each in found], "translated": bool(own) or not found}


def content(twin: Twin, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """What a twin's page shows."""

    reading, measured = read(twin), shapes.of(twin)
    words = document(reading).split("\n\n")
    calls = counterparts.uses(reading)
    linked = dict.fromkeys(row for use in calls for row in use.counterpart.rows)
    return {
        "twin": twin,
        "chapter": chapter_of(twin.name),
        "paths": {side: path_of(side, twin) for side in SIDES},
        "title": " ".join(words[0].split()),
        "paragraphs": [" ".join(paragraph.split()) for paragraph in words[1:]],
        "lines": list(lines(reading, measured)),
        "calls": calls,
        "drawn": drawn.every().get(twin.name),
        "writable": any(line.lstrip().startswith("def ") for line in reading.torch),
        "alike": counterparts.spelled_alike(reading),
        "references": {
            side: [(name, there) for name in used if (there := addresses.address(name))]
            for side, used in counterparts.names(reading).items()
        },
        "papers": addresses.papers(twin.paper),
        "tags": tags(reading),
        "differences": [ROWS[name] for name in linked],
        "measured": measured,
        "layers": layer_table(measured) if measured else [],
        "checks": checks_of(measurements),
        "speeds": figures.speeds(measurements),
        "trained": figures.trained(measurements),
        "measurements": measurements,
    }


def lines(reading: Reading, measured: Mapping[str, Measured] | None) -> Iterable[Line]:
    """The rows of the code, as HTML."""
    from markupsafe import Markup

    pieces = {side: syntax.pieces("\n".join(getattr(reading, side))) for side in SIDES}
    for row in chosen(reading, ""):  # the module's docstring stands above the code
        cells: list[dict[str, Any] | None] = []
        for side in SIDES:
            number = getattr(row, side)
            if not number:
                cells.append(None)
                continue
            text = reading.text(row, side)
            said = note(reading, row, side, measured.get(side) if measured else None)
            code = "".join(_coloured(*piece) for piece in pieces[side][number - 1])
            indent = len(text) - len(text.lstrip())
            cells.append({"number": number, "code": Markup(code), "indent": indent, "note": said})
        notes = {cell["note"] for cell in cells if cell}
        classes = [each for each in _classes(reading, row) if each != "same" or len(notes) == 1]
        yield Line(row.pair, " ".join(classes), row.why, tuple(cells))


def _coloured(kind: str, text: str) -> str:
    escaped = html.escape(text, quote=False).replace(syntax.TAG, f"<b>{syntax.TAG}</b>")
    return f'<span class="{kind[:2]}">{escaped}</span>' if kind else escaped


def _classes(reading: Reading, row: Row) -> Iterable[str]:
    if row.role == "blank":
        yield "blank"
    elif row.keras and row.torch:
        if reading.text(row, "keras") == reading.text(row, "torch"):
            yield "same"
    elif row.role == "statement":
        yield "alone"
    if row.role != "blank" and any(syntax.TAG in reading.text(row, side) for side in SIDES):
        yield "tagged"


def tags(reading: Reading) -> list[dict[str, Any]]:
    """The reasons that the code gives for its differences, each with the lines that give it."""
    found: dict[tuple[str, str], list[int]] = {}
    for side in SIDES:
        for number, line in enumerate(getattr(reading, side), start=1):
            _, tag, why = line.partition(syntax.TAG)
            if tag:
                found.setdefault((side, why.strip()), []).append(number)
    return [{"side": side, "why": why, "lines": numbers} for (side, why), numbers in found.items()]


def layer_table(measured: Mapping[str, Measured]) -> list[tuple[Layer, Layer | None]]:
    """Each layer of Keras's that ran and holds no others, with PyTorch's of the same path."""
    torch = {layer.path: layer for layer in measured["torch"].layers}
    return [(layer, torch.get(layer.path)) for layer in measured["keras"].leaves()]


def flow(twin: Twin, measured: Mapping[str, Measured], language: str = "en") -> str:
    """The data flow of a model as a picture; "" where none was measured."""
    boxes = shapes.boxes(twin)
    if not (boxes and measured):
        return ""

    def said(text: str) -> str:
        return translated(text, language) or text

    torch = {layer.path: layer.type for layer in measured["torch"].layers}
    types = {
        layer.path: layer.type
        if torch.get(layer.path, layer.type) == layer.type
        else f"{layer.type} | {torch[layer.path]}"
        for layer in measured["keras"].layers
    }
    for path in {box.path for box in boxes if box.path} - set(types):  # a list of layers, drawn as one box
        held = [kind for each, kind in types.items() if each.startswith(f"{path}.")]
        types[path] = ", ".join(dict.fromkeys(held[:1] if len(set(held)) > 2 else held))
    inputs = list(twin.inputs) if len(twin.inputs) > 1 else [said("input")]
    title = said(FLOW) % {"title": said(twin.title), "count": len(boxes)}
    return dataflow_svg.drawn(boxes, types, inputs, title)


def _ticks(text: str) -> str:
    """A sentence as HTML, with code where it has backticks."""
    return CODE.sub(r"<code>\1</code>", html.escape(text, quote=False))


def _used_by(twins: Iterable[Twin]) -> dict[str, list[Twin]]:
    """Name of a difference -> the twins whose calls it is about."""
    found: dict[str, list[Twin]] = {}
    for twin in twins:
        for name in dict.fromkeys(row for use in counterparts.uses(read(twin)) for row in use.counterpart.rows):
            found.setdefault(name, []).append(twin)
    return found


def _difference_code() -> dict[str, dict[str, str]]:
    """Name of a difference -> side -> the lines that show it."""
    from compare.reading.differences import functions

    return {name: {side: "\n\n".join(functions(name, side).values()) for side in SIDES} for name in ROWS}
