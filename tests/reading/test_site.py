"""The site: files that lead where they say, and pages in a browser that do what they promise."""

import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from compare.port.folder import has_bodies
from compare.reading import figures, site
from compare.reading.aligned import read
from compare.record.measurement import exports_of
from compare.record.record import read_record
from tests.helpers.command import twin
from tests.helpers.site import record
from twin.catalogue import CHAPTERS, TWINS
from twin.differences import ROWS
from twin.errors import TwinError
from twin.paths import ROOT

VOID = ("meta", "link", "input", "img", "path", "rect", "polyline")  # of which the last three close themselves


class Page(HTMLParser):
    """The addresses, the names and the tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.sources, self.open, self.outside = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if found.get("id"):
            self.ids.append(found["id"])
        if tag == "a":
            outside = found.get("rel") == "external noreferrer"  # a reader may follow it; the page asks for nothing
            (self.outside if outside else self.links).append(found["href"])
        if tag in ("link", "script", "img", "iframe"):
            self.sources += [found[name] for name in ("href", "src") if found.get(name)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, f"{tag} closes what is not open, at {self.getpos()}"


@pytest.fixture(scope="module")
def pages(folder):
    return {path.relative_to(folder).as_posix(): Page(path.read_text()) for path in folder.rglob("*.html")}


def test_there_is_a_page_for_every_twin_in_both_languages(pages):
    english = {"index.html", "differences.html", "glossary.html", *(f"{name}.html" for name in TWINS)}
    assert set(pages) == english | {f"ko/{name}" for name in english}


def test_no_link_is_dead(pages, folder):
    for name, page in pages.items():
        for link in page.links:
            file, _, anchor = link.partition("#")
            there = posixpath.normpath(posixpath.join(posixpath.dirname(name), file)) if file else name
            book = posixpath.basename(name).replace(".html", ".ipynb")
            assert there in pages or (there == book and (folder / book).exists()), f"{name}: {link}"
            assert not anchor or anchor in pages[there].ids, f"{name}: {link}"
        for source in page.sources:
            there = folder / posixpath.dirname(name) / source
            assert source == "data:," or there.exists(), f"{name}: {source}"


def test_a_page_leads_to_the_same_page_in_the_other_language(pages):
    for name, page in pages.items():
        other = f"../{posixpath.basename(name)}" if name.startswith("ko/") else f"ko/{name}"
        assert other in page.links, name


def test_ids_are_given_once_and_tags_are_closed(pages):
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        assert page.open == [], name


def test_nothing_comes_from_the_network(folder):
    for path in filter(Path.is_file, folder.rglob("*")):
        if path.suffix == ".webp" or path.name == "minisearch.js":
            continue  # a picture; and a method is called fetch: what a page asks for, the browser's tests see
        text = path.read_text().replace("http://www.w3.org/2000/svg", "").replace("url(#head)", "")
        text = re.sub(r'<a href="https://[^"]+" rel="external noreferrer">', "<a>", text)
        assert not re.search(r"(src|href)=.?(https?:)?//|url\(|@import|fetch\(|XMLHttpRequest", text), path.name


def test_a_page_is_small_with_all_that_it_loads_but_pictures(pages, folder):
    for name, page in pages.items():
        there = folder / posixpath.dirname(name)
        files = [there / source for source in page.sources if source.endswith((".css", ".js"))]
        assert len(files) >= 4, name
        assert sum(file.stat().st_size for file in (folder / name, *files)) < 400_000, name


def test_what_a_search_loads_and_every_other_file_is_small(folder):
    for path in filter(Path.is_file, folder.rglob("*")):
        assert path.stat().st_size < 300_000, path.name
    assert not any("search.js" in path.read_text() for path in folder.rglob("*.html")), "it is loaded by a search only"


def test_every_line_of_the_code_is_on_its_page(pages, twin):
    reading, ids = read(twin), set(pages[f"{twin.name}.html"].ids)
    last = [row for row in reading.rows if row.role == "docstring" and not row.where][-1]  # the prose above the code
    for side in ("keras", "torch"):
        numbers = range(getattr(last, side) + 2, len(getattr(reading, side)) + 1)
        assert {f"{side[0]}{number}" for number in numbers} <= ids


def test_the_map_has_every_twin_in_the_order_of_the_course(pages):
    cards = [link for link in pages["index.html"].links if not link.startswith(("differences", "glossary", "ko/"))]
    ordered = [f"{twin.name}.html" for twins in CHAPTERS.values() for twin in twins]
    assert cards[3:] == ordered  # after the content, the map itself and the link to begin with


def test_every_difference_has_its_place(pages):
    assert set(ROWS) <= set(pages["differences.html"].ids)


def test_a_page_shows_what_the_record_holds(folder):
    text = (folder / "lenet.html").read_text()
    for said in ("3.2e-07", "0.97", "1.34", "slower", "forward: conv1 differs", "&lt;made&gt;", "<polyline"):
        assert said in text
    assert 'id="results"' not in (folder / "vit.html").read_text()


def test_the_newer_record_counts(tmp_path):
    new, old = record(tmp_path / "a.json", 0.91, 200), record(tmp_path / "b.json", 0.55, 100)
    values = [each.result.value for each in figures.newest([new, old]) if each.measure == "train"]
    assert values == [0.91]


def test_what_cannot_be_read_or_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(TwinError, match=r"cannot write .*style\.css: File exists; choose another place with FOLDER"):
        site.build(tmp_path / "file", twins=[TWINS["mlp"]])
    with pytest.raises(TwinError, match="expected a record"):
        site.build(tmp_path / "site", [tmp_path / "nothing.json"])
    with pytest.raises(TwinError, match="is no record"):
        site.build(tmp_path / "site", [tmp_path / "file"])


def test_a_site_of_two_twins_leads_nowhere_else(tmp_path):
    site.build(tmp_path, twins=[TWINS["mlp"], TWINS["lenet"]])
    found = {path.name: Page(path.read_text()) for path in tmp_path.glob("*.html")}
    assert set(found) == {"index.html", "differences.html", "glossary.html", "mlp.html", "lenet.html"}
    books = {"mlp.ipynb", "lenet.ipynb"}
    korean = {f"ko/{name}" for name in found}
    links = {link.partition("#")[0] or name for name, page in found.items() for link in page.links}
    assert links <= set(found) | books | korean


def test_a_record_of_exports_gets_a_page_in_both_languages(tmp_path):
    site.build(tmp_path, [ROOT / "docs" / "exports.json"], twins=[TWINS["mlp"], TWINS["gru"]])
    english, korean = ((tmp_path / place / "exports.html").read_text() for place in ("", "ko"))
    cells = [
        each for each in exports_of(read_record(ROOT / "docs" / "exports.json").measurements) if each.twin == "mlp"
    ]
    for text in (english, korean):
        page = Page(text)
        page.close()
        assert page.open == []
        assert "gru.html" in page.links
        assert "conv_lstm" not in text
        assert all(f">{each.format}</th>" in text for each in cells)
        assert "WRONG</td>" in text
        assert "TensorList" in text
    works = sum(each.status == "ok" for each in cells)
    assert int(re.search(r"(\d+) of \d+ files answer", english)[1]) > works > 10
    assert 'href="exports.html"' in (tmp_path / "mlp.html").read_text()
    assert 'id="results"' not in (tmp_path / "mlp.html").read_text()


def test_the_picture_has_the_measured_shapes(folder):
    picture = re.search(r"<svg[^>]*class=\"flow\".*?</svg>", (folder / "lenet.html").read_text(), re.DOTALL)[0]
    for said in (">28×28×6<", ">input 32×32×1<", "Conv2D | Conv2d", "dense2", "+ tanh"):
        assert said in picture


def test_the_command_refuses_what_is_no_record(tmp_path):
    answer = twin("site", "out", "--record", "no.json", cwd=tmp_path)
    assert (answer.returncode, answer.stdout, len(answer.stderr.splitlines())) == (2, "", 1)


def test_every_page_leads_on(folder):
    for name in TWINS:
        text = (folder / f"{name}.html").read_text()
        assert f"twin check {name}" in text
        assert (f"twin port {name} --to torch" in text) is has_bodies(TWINS[name]), name
    assert 'Read on: <a href="vgg_style.html">' in (folder / "lenet.html").read_text()
