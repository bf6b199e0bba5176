"""`twin glossary`."""

from typing import Annotated

import typer

from compare.cli import options
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import LEARN

GROUP = LEARN
EXAMPLES = (
    "twin glossary state_dict",
    "twin glossary --md glossary.md",
)


def glossary(
    terms: Annotated[
        list[str] | None,
        typer.Argument(metavar="TERM", help="Terms of Keras, PyTorch or Korean to see in full; else a table."),
    ] = None,
    as_json: options.Json = None,
    md: options.Markdown = None,
) -> None:
    """Say what a word of Keras is called in PyTorch and in Korean, with lines that run on both sides."""
    from compare.reading import glossary as words
    from twin.glossary import ENTRIES, Entry

    named = list(dict.fromkeys(entry for term in terms or [] for entry in words.search(term)))
    pages = "\n\n\n".join(map(words.page, named))
    found = words.to_json(named or list(ENTRIES.values()))
    answer(found, pages or words.table(), as_json, md=md, markdown=words.markdown)
    if see := [row for entry in named for row in (entry.see if isinstance(entry, Entry) else entry.rows)]:
        say_next("differences", see[0])
    elif named and isinstance(named[-1], Entry):
        every = list(ENTRIES)
        say_next("glossary", every[(every.index(named[-1].name) + 1) % len(every)])
    else:
        say_next("glossary", "state_dict")
