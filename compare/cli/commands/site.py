"""`twin site`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli.arguments import make_folder
from compare.cli.carry_out import say_next
from compare.cli.commands import LEARN
from compare.cli.commands.notebook import Repository
from compare.cli.progress import working
from twin.errors import TwinError

GROUP = LEARN
EXAMPLES = (
    "twin site pages",
    "twin site pages --record runs/check.json",
)


def site(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the pages.")],
    record: Annotated[
        list[Path] | None,
        typer.Option(metavar="RECORD", help="A record whose results the pages show; repeat for several."),
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Add a page where one draws a digit; the folder has lenet's files of twin export --to onnx --trained.",
        ),
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What npm install --ignore-scripts onnxruntime-web put in node_modules."),
    ] = None,
    repository: Repository = "",
) -> None:
    """Write the course as pages that need no server: both files of every twin, their calls, differences and results."""
    from compare.reading import site as making

    if (draw is None) != (runtime is None):
        raise TwinError("--draw and --runtime go together: the exported models, and onnxruntime-web, which runs them")
    make_folder(out, "FOLDER")
    with working("writing the pages"):
        files = making.build(
            out, record or [], drawing=(draw, runtime) if draw and runtime else None, repository=repository
        )
    print(f"{len(files)} files; open {out / 'index.html'}")
    say_next("path")
