"""`twin report`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli import options
from compare.cli.carry_out import say_next
from compare.cli.commands import COMPARE

GROUP = COMPARE
EXAMPLES = (
    "twin report runs/*.json",
    "twin report runs/*.json --html report.html",
)


def report(
    records: Annotated[list[Path], typer.Argument(metavar="RECORDS", help="Files that twin wrote into runs/.")],
    md: Annotated[str | None, typer.Option("--md", metavar="FILE|-", help="Write Markdown; - for stdout.")] = None,
    csv: Annotated[str | None, typer.Option("--csv", metavar="FILE|-", help="A row per figure; - for stdout.")] = None,
    html: Annotated[str | None, typer.Option("--html", metavar="FILE", help="One page that opens offline.")] = None,
    explain: options.Explain = False,
) -> None:
    """Show what records hold, as tables, Markdown, CSV or one page with pictures. Nothing is measured."""
    import sys

    from compare.report import diff, figures, markdown, tables
    from compare.report import page as page_report
    from twin.files import write_text

    sources = figures.read(records)
    if md is csv is html is None:
        print(tables.of_sources(sources, explain))
        say_next("report", *records, "--html", "report.html")
    makers = {
        "--md": (md, markdown.of_sources),
        "--csv": (csv, lambda sources: figures.to_csv(figures.figures(sources))),
        "--html": (html, page_report.of_sources),
    }
    for option, (target, make) in makers.items():
        if target == "-":
            sys.stdout.write(make(sources))
        elif target is not None:
            write_text(Path(target), make(sources), option, records)
            print(f"{option.removeprefix('--')}: {target}", file=sys.stderr)
    if html is not None and html != "-":
        both = len(sources) == 2 and diff.compare(*(source.record for source in sources)).figures
        say_next(*(("diff", *records) if both else ("site", "pages", "--record", records[-1])))
