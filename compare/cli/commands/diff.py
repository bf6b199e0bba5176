"""`twin diff`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli import options
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import COMPARE
from twin.errors import TwinError

GROUP = COMPARE
EXAMPLES = (
    "twin diff old.json new.json",
    "twin diff old.json new.json --all --md -",
)


def diff(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="A record, as check, bench, train and compare write them.")
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A later one.")],
    everything: Annotated[bool, typer.Option("--all", help="Also what did not change.")] = False,
    as_json: options.Json = None,
    md: options.Markdown = None,
) -> None:
    """Say what changed between two records beyond the noise; exit code 1 if something became worse."""
    from compare.record.record import read_record
    from compare.report import diff as comparing
    from compare.report import diff_text as reporting

    paths = old, new
    records = [read_record(path) for path in paths]
    found = comparing.compare(*records)
    content = {"old": str(old), "new": str(new), **found.to_json()}
    page = lambda: reporting.markdown(found, paths, records, everything)
    answer(content, reporting.text(found, paths, records, everything), as_json, paths, md, page)
    if not found.figures:
        raise TwinError(
            f"{old} and {new} have no measured figure in common, so nothing was compared; see `twin report`"
        )
    say_next("report", *paths, "--html", "report.html")
    raise typer.Exit(found.exit_code())
