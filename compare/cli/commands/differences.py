"""`twin differences`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from compare.cli.carry_out import answer
from compare.cli.options import Engines, Jobs, Json, Pythons, Timeout


def differences(
    names: Annotated[list[str] | None, typer.Argument(help="Differences to see in full; else a table.")] = None,
    engine: Engines = None,
    python: Pythons = None,
    timeout: Timeout = 300,
    jobs: Jobs = None,
    as_json: Json = None,
    md: Annotated[Path | None, typer.Option("--md", metavar="FILE", help="Write the findings as Markdown.")] = None,
) -> None:
    """Where same-looking lines of Keras and PyTorch part: run, with the way to write both so that they agree."""
    from compare.engines import engine as engines
    from compare.engines.pool import Settings
    from compare.reading import differences as measuring
    from compare.reading import differences_text as reporting
    from compare.record.files import write_text
    from twin.differences import ROWS
    from twin.differences import find as find_row

    rows = [find_row(name) for name in dict.fromkeys(names or ROWS)]
    chosen = engines.choose(engine or [], engines.parse_pythons(python or []))
    settings = Settings("cpu", 1, jobs or os.cpu_count() or 1, timeout)
    found, versions = measuring.measure(rows, chosen, settings)
    pages = "\n\n\n".join(reporting.page(name, found[name]) for name in dict.fromkeys(names or []))
    answer(reporting.to_json(found), pages or reporting.table(found), as_json)
    if md:
        write_text(md, reporting.markdown(found, versions), "--md")
    raise typer.Exit(measuring.exit_code(found))
