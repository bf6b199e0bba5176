"""`twin differences`."""

import os
from typing import Annotated

import typer

from compare.cli import options
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import LEARN
from compare.cli.progress import working
from twin.errors import AGREE

GROUP = LEARN
EXAMPLES = (
    "twin differences gelu_approximate",
    "twin differences batchnorm_epsilon --run",
)


def differences(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Differences to see in full; else a table.")
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Run the lines here, instead of showing what was measured before.")
    ] = False,
    engine: options.Engines = None,
    python: options.Pythons = None,
    timeout: options.Timeout = 300,
    jobs: options.Jobs = None,
    as_json: options.Json = None,
    md: options.Markdown = None,
) -> None:
    """Show lines that look the same in Keras and PyTorch and compute something else, and how to write them equal."""
    from compare.engines import engine as engines
    from compare.engines.pool import Settings
    from compare.reading import differences as measuring
    from compare.reading import differences_text as reporting
    from twin.differences import ROWS
    from twin.differences import find as find_row

    rows = [find_row(name) for name in dict.fromkeys(names or ROWS)]
    found: measuring.Findings = {}
    versions: measuring.Versions = {}
    if run or engine or md:
        chosen = engines.choose(engine or [], engines.parse_pythons(python or []))
        settings = Settings("cpu", 1, jobs or os.cpu_count() or 1, timeout)
        with working(f"{len(rows)} differences on {', '.join(each.name for each in chosen)}"):
            found, versions = measuring.measure(rows, chosen, settings)
    pages = [reporting.page(row, found.get(row.name)) for row in rows] if names else []
    told = "\n\n\n".join(pages) or (reporting.table(found) if found else reporting.recorded_table(rows))
    answer(reporting.to_json(rows, found), told, as_json, md=md, markdown=lambda: reporting.markdown(found, versions))
    if names and not found:
        say_next("differences", rows[0].name, "--run")
    else:
        every = list(ROWS)
        say_next("differences", every[(every.index(rows[-1].name) + 1) % len(every)])
    raise typer.Exit(measuring.exit_code(found) if found else AGREE)
