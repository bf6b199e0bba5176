"""docs/ko.md, the Korean door to the course: every twin, commands and files that exist, the words of the glossary."""

import re
import runpy

import pytest

from compare.cli.app import app
from twin.catalogue import TWINS, chapter_of
from twin.glossary import ENTRIES
from twin.paths import ROOT

PAGE = (ROOT / "docs" / "ko.md").read_text()
HANGUL = re.compile("[가-힣]")


def table(first: str) -> list[list[str]]:
    """The cells of the table whose first heading is that."""
    rows = PAGE[PAGE.index(f"| {first} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]


def test_the_table_names_every_twin_in_the_course_order():
    rows = table("장")
    assert [name for _, name, _, _ in rows] == list(TWINS)
    for chapter, name, title, deck in rows:
        assert chapter.split()[0] == str(chapter_of(name).number), name
        assert HANGUL.search(title) or re.search("[A-Z]", title), name
        assert deck == TWINS[name].deck, name
    chapters = {chapter for chapter, *_ in rows}
    assert len(chapters) == len({chapter.split()[0] for chapter in chapters}), "a chapter with two titles"
    assert all(HANGUL.search(chapter) for chapter in chapters)


@pytest.mark.docs
def test_the_tables_are_those_of_the_catalogue_and_the_glossary():
    written = runpy.run_path(str(ROOT / "docs" / "korean.py"))["rewritten"](PAGE)
    assert written == PAGE, "run: make docs"


def test_the_commands_exist_and_the_twins_they_name():
    exist = {command.callback.__name__.rstrip("_") for command in app.registered_commands}
    lines = re.findall(r"(?:^|`)twin (\w+)((?: [^\s`#]+)*)", PAGE, re.MULTILINE)
    assert {command for command, _ in lines} - exist == set()
    assert {"list", "check", "train", "glossary", "port"} <= {command for command, _ in lines}
    for command, arguments in lines:
        if command in ("show", "check", "train", "bench", "compare", "pictures", "port"):
            assert arguments.split()[0] in TWINS


def test_links_and_files_are_there():
    linked = {target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", PAGE)}
    assert {"glossary.md", "errata.md", "differences.md"} <= linked
    assert all((ROOT / "docs" / target).exists() for target in linked)
    named = re.findall(r"`((?:keras_impl|torch_impl|tests)/[\w/]+\.py)`", PAGE)
    assert named
    assert all((ROOT / file).exists() for file in named)


@pytest.mark.parametrize("row", table("한국어"), ids=lambda row: row[1].split("]")[0].strip("["))
def test_words_are_the_glossarys_and_the_slides(row):
    korean, link, keras, torch, deck = row
    entry = ENTRIES[link[1:].split("]")[0]]
    assert link == f"[{entry.name}](glossary.md#{entry.name})"
    assert (korean, keras, torch, deck) == (entry.korean, entry.keras, entry.torch, entry.deck)
    assert deck, "the slides do not say it in Korean"
