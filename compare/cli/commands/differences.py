"""`twin differences`."""

import os
from typing import Annotated

import typer

from compare.cli import options
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import LEARN

GROUP = LEARN
EXAMPLES = (
    "twin differences gelu_approximate",
    "twin differences batchnorm_epsilon --engine keras-torch",
)


def differences(
    names: Annotated[list[str] | None, typer.Argument(help="Differences to see in full; else a table.")] = None,
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
    chosen = engines.choose(engine or [], engines.parse_pythons(python or []))
    settings = Settings("cpu", 1, jobs or os.cpu_count() or 1, timeout)
    found, versions = measuring.measure(rows, chosen, settings)
    pages = "\n\n\n".join(reporting.page(name, found[name]) for name in dict.fromkeys(names or []))
    page = lambda: reporting.markdown(found, versions)
    answer(reporting.to_json(found), pages or reporting.table(found), as_json, md=md, markdown=page)
    if not names:
        say_next(f"differences {next(iter(ROWS))}")
    raise typer.Exit(measuring.exit_code(found))
