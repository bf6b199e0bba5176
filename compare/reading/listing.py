"""`twin list`: the catalogue as a table."""

import shutil
from typing import Any

from twin.catalogue import CHAPTERS
from twin.spec import Twin
from twin.table import fitted


def catalogue_rows() -> list[dict[str, Any]]:
    """The catalogue as `twin list --json` gives it."""
    return [_row(chapter.number, twin) for chapter, twins in CHAPTERS.items() for twin in twins]


def catalogue_table() -> str:
    """The catalogue for the terminal; a narrow one goes without titles."""
    names = ["chapter", "name", "kind", "small", "paper", "deck"]
    if shutil.get_terminal_size().columns >= 120:
        names.insert(2, "title")
    rows = [{**row, "small": _count(row, "small"), "paper": _count(row, "paper")} for row in catalogue_rows()]
    align = ["right" if name in ("chapter", "small", "paper") else "left" for name in names]
    cells = [[str(row[name]) for name in names] for row in rows]
    return fitted(cells, ["ch" if name == "chapter" else name for name in names], align)


def _row(chapter: int, twin: Twin) -> dict[str, Any]:
    return {
        "name": twin.name,
        "title": twin.title,
        "chapter": chapter,
        "kind": twin.kind,
        "parameters": {
            "small": twin.small.parameters,
            "paper": twin.paper_size.parameters if twin.paper_size else None,
        },
        "deck": twin.deck,
        "paper": twin.paper,
    }


def _count(row: dict[str, Any], size: str) -> str:
    number = row["parameters"][size]
    return f"{number:,}" if number else ""
