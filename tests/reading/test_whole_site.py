"""The whole site: its pages lead where they say, and show what they should."""

import posixpath
import re
from pathlib import Path

import pytest

from compare.port.folder import has_bodies
from compare.reading.aligned import read
from tests.helpers.site import Page
from twin.catalogue import CHAPTERS, TWINS
from twin.differences import ROWS

pytestmark = pytest.mark.slow  # the site is written


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


def test_the_picture_has_the_measured_shapes(folder):
    picture = re.search(r"<svg[^>]*class=\"flow\".*?</svg>", (folder / "lenet.html").read_text(), re.DOTALL)[0]
    for said in (">28×28×6<", ">input 32×32×1<", "Conv2D | Conv2d", "dense2", "+ tanh"):
        assert said in picture


def test_every_page_leads_on(folder):
    for name in TWINS:
        text = (folder / f"{name}.html").read_text()
        assert f"twin check {name}" in text
        assert (f"twin port {name} --to torch" in text) is has_bodies(TWINS[name]), name
    assert 'Read on: <a href="vgg_style.html">' in (folder / "lenet.html").read_text()
