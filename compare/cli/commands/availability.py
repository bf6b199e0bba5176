"""`twin availability`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli import options
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import SEE

GROUP = SEE
EXAMPLES = (
    "twin availability",
    "twin availability --md docs/availability.md",
)


def availability(
    wheel: Annotated[
        list[Path] | None,
        typer.Option("--wheel", metavar="FILE", help="A library that is not installed; repeat for several."),
    ] = None,
    as_json: options.Json = None,
    md: options.Markdown = None,
) -> None:
    """Count the published architectures that each installed library ships; nothing is imported."""
    import datetime

    from compare.reading import availability as reading
    from twin.table import fitted

    found = reading.shipped(wheel or [])
    heads, rows = reading.heads(found), reading.rows(found)
    content = [
        {"library": each.library.name, "version": each.version, "variants": dict(each.variants)} for each in found
    ]
    text = fitted(rows, heads, ["left"] * 2 + ["right"] * len(found))
    answer(content, text, as_json, wheel or [], md, lambda: reading.markdown(found, datetime.date.today()))
    say_next("list")
