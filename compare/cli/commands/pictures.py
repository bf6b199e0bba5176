"""`twin pictures`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from compare.cli import options
from compare.cli.arguments import make_folder, select
from compare.cli.carry_out import say_next
from compare.cli.commands import LEARN
from compare.cli.progress import working

GROUP = LEARN
EXAMPLES = (
    "twin pictures feature_maps",
    "twin pictures feature_maps --engine torch --out pictures",
)


def pictures(
    names: options.Names = None,
    engine: options.Engines = None,
    python: options.Pythons = None,
    device: options.Device = "cpu",
    timeout: options.Timeout = 300,
    jobs: options.Jobs = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder for the pictures.")] = Path("pictures"),
) -> None:
    """Draw what exercises draw, the engines side by side: a PNG for each picture."""
    from compare.engines.pool import Settings
    from compare.reading import pictures as drawing

    twins, chosen = select(names, False, None, engine, python, device)
    make_folder(out, "--out")
    with working(f"drawing {', '.join(twin.name for twin in twins)} on {', '.join(each.name for each in chosen)}"):
        files = drawing.write(twins, chosen, Settings(device, 1, jobs or os.cpu_count() or 1, timeout), out)
    print(*files, sep="\n")
    print(f"{len(files)} pictures in {out}")
    say_next("show", twins[0].name)
