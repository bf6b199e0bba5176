"""Writes the tables of docs/ko.md anew: twins in the course's order, and the words that the slides say in Korean.

`python docs/korean.py`, or `make docs`. The titles in Korean are in compare/reading/korean/titles.json, by the English
ones; a twin that has none yet gets its English title, and a test says so.
"""

import re
from pathlib import Path

from compare.reading.languages import titles
from twin.catalogue import CHAPTERS
from twin.glossary import ENTRIES

PAGE = Path(__file__).parent / "ko.md"


def rewritten(page: str) -> str:
    """The page with both tables as the catalogue and the glossary have them now."""
    page = _with_table(page, "장", twins())
    return _with_table(page, "한국어", words())


def twins() -> list[str]:
    """A row for each twin: chapter, name, title, decks."""
    korean = titles()
    return [
        f"| {chapter.number} {korean.get(chapter.title, chapter.title)} | `{twin.name}` | "
        f"{korean.get(twin.title, twin.title)} | {twin.deck} |"
        for chapter, members in CHAPTERS.items()
        for twin in members
    ]


def words() -> list[str]:
    """A row for each word that a slide says in Korean: Korean, the glossary's entry, Keras, PyTorch, decks."""
    return [
        f"| {entry.korean} | [{name}](glossary.md#{name}) | {entry.keras} | {entry.torch} | {entry.deck} |"
        for name, entry in ENTRIES.items()
        if entry.deck
    ]


def _table(page: str, first: str) -> str:
    """The table whose first heading is that."""
    return re.search(rf"^\| {first} \|.*?(?=\n\n)", page, re.MULTILINE | re.DOTALL)[0]  # type: ignore[index]


def _with_table(page: str, first: str, rows: list[str]) -> str:
    old = _table(page, first)
    return page.replace(old, "\n".join([*old.splitlines()[:2], *rows]))


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
