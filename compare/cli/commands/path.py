"""`twin path`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli import options
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import LEARN

GROUP = LEARN
EXAMPLES = (
    "twin path",
    "twin path --in port",
)


def path(
    folder: Annotated[Path, typer.Option("--in", metavar="FOLDER", help="Where your ports are.")] = Path("port"),
    as_json: options.Json = None,
) -> None:
    """List the course in its order: what you have ported, and the next step."""
    from compare.port import text as port_report

    steps = port_report.steps(folder)
    answer([vars(step) for step in steps], port_report.path(steps), as_json)
    say_next(*(port_report.next_command(steps, folder) or ("list",)))
