"""`twin notebook`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from compare.cli.carry_out import say_next
from compare.cli.commands import LEARN

GROUP = LEARN
EXAMPLES = (
    "twin notebook lenet",
    "twin notebook lenet --out notebooks",
)


Repository = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Where pip gets the suite from where a notebook misses it, as on Colab.")
]


def notebook(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A twin; see `twin list`.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder for the notebook.")] = Path(),
    repository: Repository = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a notebook that was changed.")] = False,
) -> None:
    """Write a notebook of a twin: the idea, both files, the same weights, outputs, gradients, and a short training."""
    from compare.port import folder
    from compare.reading import notebook as making
    from twin.catalogue import find
    from twin.errors import TwinError
    from twin.files import write_text

    twin = find(name)
    text, file = making.text(twin, repository), out / f"{twin.name}.ipynb"
    if file.is_file() and not force and file.read_bytes() != text.encode():
        raise TwinError(f"{file} is there and was changed; --force writes over it, --out names another folder")
    write_text(file, text, "--out")
    print(file)
    print("open it with Jupyter, VS Code or Colab", file=sys.stderr)
    say_next(*folder.go_on(twin))
