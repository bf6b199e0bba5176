"""`twin pictures`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from compare.cli.arguments import make_folder, select
from compare.cli.options import Device, Engines, Jobs, Names, Pythons, Timeout


def pictures(
    names: Names = None,
    engine: Engines = None,
    python: Pythons = None,
    device: Device = "cpu",
    timeout: Timeout = 300,
    jobs: Jobs = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")] = Path("pictures"),
) -> None:
    """Draw what exercises draw, the engines side by side: a PNG per picture."""
    from compare.engines.pool import Settings
    from compare.reading import pictures as drawing

    twins, chosen = select(names, False, None, engine, python, device)
    make_folder(out, "--out")
    files = drawing.write(twins, chosen, Settings(device, 1, jobs or os.cpu_count() or 1, timeout), out)
    print(*files, sep="\n")
    print(f"{len(files)} pictures in {out}")
