"""`twin glossary`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli.carry_out import answer
from compare.cli.options import Json


def glossary(
    terms: Annotated[
        list[str] | None, typer.Argument(help="Terms of Keras, PyTorch or Korean to see in full; else a table.")
    ] = None,
    as_json: Json = None,
    md: Annotated[Path | None, typer.Option("--md", metavar="FILE", help="Write the glossary as Markdown.")] = None,
) -> None:
    """What Keras's words are called in PyTorch, and in Korean: with lines that run on both sides."""
    from compare.reading import glossary as words
    from compare.record.files import write_text
    from twin.glossary import ENTRIES, find

    named = {entry.name: entry for term in terms or [] for entry in find(term)}
    if md:
        write_text(md, words.markdown(), "--md")
    pages = "\n\n\n".join(words.page(entry) for entry in named.values())
    answer(words.to_json(list((named or ENTRIES).values())), pages or words.table(), as_json)
