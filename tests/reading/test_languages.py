"""The site in Korean: what lacks its translation, and what a translation must keep."""

import functools
import json
import re
from html.parser import HTMLParser
from typing import get_args

import pytest

from compare.reading import drawn, figures, languages, prose, site
from compare.reading.aligned import read
from compare.reading.counterparts import COUNTERPARTS
from compare.record.results import QUANTITY_NAMES, SpeedVerdict
from twin.catalogue import CHAPTERS, TWINS
from twin.differences import TOPICS
from twin.glossary import TOPICS as WORDS

HANGUL = re.compile("[가-힣]")
IDEAS = sorted(path.stem for path in (languages.FOLDER / "prose").glob("*.md"))


def said_by_templates():
    """What the site's templates say in English."""
    environment = site._environment("en")
    for path in sorted(site.TEMPLATES.glob("site_*.html")):
        for _, _, message in environment.extract_translations(path.read_text(encoding="utf-8")):
            for each in message if isinstance(message, tuple) else (message,):
                if each:  # what a variable says has none here
                    yield each


def said_by_variables():
    """What the templates say by a variable."""
    yield from (title for _, title in site.PAGES)
    yield from ("model", "exercise", "difference", "word", "input")
    yield from (site.FLOW, site.EACH, figures.CURVES)
    yield from QUANTITY_NAMES.values()
    yield from (verdict for verdict in get_args(SpeedVerdict) if verdict != "reference")
    yield from WORDS
    yield from (topic.replace("_", " ").capitalize() for topic in TOPICS)


FILES = sorted(path.name for path in languages.FOLDER.glob("*.json"))


@functools.cache
def sentences():
    """File of translations -> the sentences that it must have, and no others."""
    return {
        "interface.json": [*said_by_templates(), *said_by_variables()],
        "titles.json": [*(c.title for c in CHAPTERS), *(twin.title for twin in TWINS.values())],
        "leads.json": [" ".join(site.document(read(twin)).split("\n\n")[0].split()) for twin in TWINS.values()],
        "glossary.json": [entry.changes for entries in WORDS.values() for entry in entries],
        "reasons.json": [
            *(tag["why"] for twin in TWINS.values() for tag in site.tags(read(twin))),
            *(text for twin in TWINS.values() for each in twin.differences for text in (each.what, each.reason)),
        ],
        "pictures.json": [caption for each in drawn.every().values() for caption in each.captions],
        "counterparts.json": [each.changes for each in COUNTERPARTS],
        "differences.json": [
            text
            for rows in TOPICS.values()
            for row in rows
            for text in (row.title, row.remedy, row.hides, *((row.keras, row.torch) if row.kind != "none" else ()))
            if text
        ],
    }


def test_every_file_of_translations_is_known():
    assert set(FILES) == set(sentences())


@pytest.mark.parametrize("file", FILES)
def test_everything_has_its_translation_and_nothing_is_left_over(file):
    found = json.loads((languages.FOLDER / file).read_text(encoding="utf-8"))
    lacking = sorted(set(sentences()[file]) - set(found))
    assert not lacking, f"write the Korean sentences into compare/reading/korean/{file}"
    assert sorted(set(found) - set(sentences()[file])) == [], "English that nothing says any more"


def kept(text):
    """What stays as it is in any language: code, placeholders, tags."""
    code, placeholders = re.findall(r"`[^`]+`", text), re.findall(r"%\(\w+\)s|%%|\{\w*\}", text)
    return sorted(code), sorted(placeholders), sorted(re.findall(r"<[^>]+>", text))


@pytest.mark.parametrize("file", FILES)
def test_a_translation_keeps_code_placeholders_and_tags_and_is_korean(file):
    for english, korean in json.loads((languages.FOLDER / file).read_text(encoding="utf-8")).items():
        assert kept(korean) == kept(english), english
        words = re.sub(r"`[^`]+`|<[^>]+>|%\(\w+\)s|\{\w*\}", "", korean)
        names = file == "titles.json" and re.search("[A-Z]", korean)  # ResNet is ResNet
        assert HANGUL.search(words) or names or not re.search(r"[a-z]{3}", words), english


@pytest.mark.parametrize("name", IDEAS)
def test_a_translated_idea_has_the_paragraphs_and_formulas_of_the_english_one(name):
    english, korean = prose.paragraphs(name), prose.paragraphs(name, languages.FOLDER / "prose")
    assert len(english) == len(korean)
    for before, after in zip(english, korean, strict=True):
        assert sorted(re.findall(r"\$[^$]+\$", before)) == sorted(re.findall(r"\$[^$]+\$", after))
        assert HANGUL.search(after) or before.startswith("$$")


class English(HTMLParser):
    """Text on a Korean page that is neither Korean, nor code, nor marked as English."""

    VOID = ("meta", "link", "input", "path", "rect", "polyline", "marker", "br", "img")
    APART = ("code", "pre", "svg", "math", "script", "kbd", "style")
    SAID = ("title", "aria-label", "alt", "placeholder", "data-head", "data-shown")  # attributes that people read

    def __init__(self, page):
        super().__init__()
        self.open, self.found, self.marked = [], [], set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        for name in self.SAID:
            self.judge(given.get(name) or "")
        if given.get("lang") == "en":
            around = [tag for tag, _ in self.open[-2:]] + [tag]
            self.marked.add(" ".join(around))
        if tag not in self.VOID:
            apart = given.get("lang") == "en" or tag in self.APART or "path" in str(given.get("class"))
            self.open.append((tag, apart or bool(self.open and self.open[-1][1])))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            self.open.pop()

    def handle_data(self, data):
        if not (self.open and self.open[-1][1]):
            self.judge(data)

    def judge(self, text):
        if not HANGUL.search(text) and re.search(r"[a-z]+ [a-z]+", text):
            self.found.append(text.strip())


# What is left in English on a Korean page, and marked as such: the last tags around it.
LEFT = {
    "header p a": "the link to the English page",
    "div dl dd": "titles of papers",
    "dl dd span": "the slide's own heading",
    "div details p": "what else the file says",
    "main table tbody": "code",
    "details p span": "where a difference is documented",
    "main p span": "what a record says of its data",
    "body main ul": "what a record says of exports that fail",
}


@pytest.mark.slow  # every page
def test_what_is_english_on_a_korean_page_says_so(folder):
    pages = sorted((folder / "ko").glob("*.html"))
    assert len(pages) > len(TWINS)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith('<!doctype html>\n<html lang="ko"')
        found = English(text)
        assert found.found == [], page.name
        assert found.marked <= set(LEFT), f"{page.name}: translate it, or say in LEFT what it is"


def test_english_is_found_in_texts_and_attributes():
    planted = English(
        '<p>a line</p><p lang="en">a line of words</p><a title="two words"></a><svg aria-label="in it"></svg>'
    )
    assert planted.found == ["a line", "two words", "in it"]
    assert planted.marked == {"p"}


@pytest.mark.slow  # the whole site
def test_a_page_says_that_its_idea_is_not_translated(folder):
    for name in TWINS:
        text = (folder / "ko" / f"{name}.html").read_text(encoding="utf-8")
        assert ("아직 번역되지 않아 영어로" in text) is (name not in IDEAS), name
