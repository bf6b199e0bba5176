"""`twin show`."""

import os
import pydoc
import shutil
import sys
from typing import Annotated

import typer

from compare.cli.carry_out import say_next
from compare.cli.commands import LEARN
from compare.cli.progress import working
from compare.cli.streams import say, unfiltered
from twin.catalogue import TWINS, find
from twin.errors import TwinError

GROUP = LEARN
EXAMPLES = (
    "twin show lenet",
    "twin show resnet --only call --torch",
)


def show(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Name of a twin; see `twin list`.")] = None,
    keras: Annotated[bool, typer.Option("--keras", help="Keras's file alone.")] = False,
    torch: Annotated[bool, typer.Option("--torch", help="PyTorch's file alone.")] = False,
    only: Annotated[str, typer.Option(metavar="NAME", help="One class, method or function, such as call.")] = "",
    pager: Annotated[bool, typer.Option("--pager/--no-pager", help="Page by page, in a terminal.")] = True,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the shapes anew; without a name, all.")] = False,
) -> None:
    """Show the two files of a twin side by side, Keras left, with the measured shapes and parameters of its layers."""
    from compare.port import folder
    from compare.reading import shapes
    from compare.reading import show as showing

    if measure:
        with working("building the models and measuring their shapes"):
            shapes.measure([find(name)] if name else TWINS.values())
        say_next("show", name or "lenet")
        return
    if not name:
        raise TwinError("which twin? give its name, such as lenet; see `twin list`")
    twin = find(name)
    sides = [side for side, wanted in (("keras", keras), ("torch", torch)) if wanted] or list(showing.SIDES)
    is_terminal = sys.stdout.isatty()
    columns, rows = shutil.get_terminal_size()
    page = showing.page(twin, sides, only, columns, colour=is_terminal and not os.environ.get("NO_COLOR"))
    if not shapes.of(twin):
        say(f"twin: no shapes of this code yet; measure them with: twin show {name} --measure")
    if is_terminal and pager and page.count("\n") >= rows:
        os.environ.setdefault("LESS", "-R")  # colours as colours
        pydoc.pager(page)
    else:
        print(page, end="", file=unfiltered(sys.stdout))
    say_next(*folder.go_on(twin))
