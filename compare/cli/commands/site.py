"""`twin site`."""

from pathlib import Path
from typing import Annotated

import typer


def site(
    out: Annotated[Path, typer.Argument(help="Folder for the pages.")],
    record: Annotated[
        list[Path] | None, typer.Option("--record", help="A record whose results the pages show; repeat for several.")
    ] = None,
) -> None:
    """The course as a static site: both files of every twin side by side, their calls, differences and results."""
    from compare.reading import site as making

    files = making.build(out, record or [])
    print(f"{len(files)} files; open {out / 'index.html'}")
