"""`twin site`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli.commands import LEARN
from compare.cli.progress import working

GROUP = LEARN
EXAMPLES = (
    "twin site pages",
    "twin site pages --record runs/check.json",
)


def site(
    out: Annotated[Path, typer.Argument(help="Folder for the pages.")],
    record: Annotated[
        list[Path] | None, typer.Option("--record", help="A record whose results the pages show; repeat for several.")
    ] = None,
) -> None:
    """Write the course as pages that need no server: both files of every twin, their calls, differences and results."""
    from compare.reading import site as making

    with working("writing the pages"):
        files = making.build(out, record or [])
    print(f"{len(files)} files; open {out / 'index.html'}")
