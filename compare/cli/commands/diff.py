"""`twin diff`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli.carry_out import answer
from compare.cli.options import Json


def diff(
    old: Annotated[Path, typer.Argument(help="A record, as check, bench, train and compare write them.")],
    new: Annotated[Path, typer.Argument(help="A later one.")],
    everything: Annotated[bool, typer.Option("--all", help="Also what did not move.")] = False,
    as_json: Json = None,
    md: Annotated[Path | None, typer.Option("--md", metavar="FILE", help="Write the comparison as Markdown.")] = None,
) -> None:
    """What changed between two records: figures that moved beyond noise, agreements lost; exit 1 on a regression."""
    from compare.record.files import write_text
    from compare.record.record import read_record
    from compare.report import diff as comparing
    from compare.report import diff_text as reporting

    paths = old, new
    records = [read_record(path) for path in paths]
    found = comparing.compare(*records)
    content = {"old": str(old), "new": str(new), **found.to_json()}
    answer(content, reporting.text(found, paths, records, everything), as_json, paths)
    if md:
        write_text(md, reporting.markdown(found, paths, records, everything), "--md", paths)
    raise typer.Exit(found.exit_code())
