"""`twin port`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from compare.cli import options
from compare.cli.arguments import MOST_SECONDS
from compare.cli.carry_out import answer, say_next, typed
from compare.cli.commands import LEARN
from compare.cli.progress import working
from compare.cli.streams import say
from twin.catalogue import find
from twin.errors import AGREE, TwinError
from twin.spec import Twin

GROUP = LEARN
EXAMPLES = (
    "twin port lenet --to torch",
    "twin port lenet --check",
)


def port(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A twin; see `twin path` for the order.")],
    where: Annotated[
        Path | None, typer.Argument(metavar="PLACE", help="Your folder or file. Default: port/NAME-FRAMEWORK.")
    ] = None,
    to: Annotated[Literal["torch", "keras"] | None, typer.Option("--to", help="The framework to write it in.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to write. Default: port/NAME-FRAMEWORK.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Begin again over what you wrote.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say what is right, and the first thing that is not.")] = False,
    hint: Annotated[bool, typer.Option("--hint", help="Help with the next method, one step at a time.")] = False,
    solution: Annotated[
        str | None, typer.Option("--solution", metavar="METHOD", help="The twin's own lines of a method.")
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            min=1, max=MOST_SECONDS, metavar="SECONDS", help="Seconds that your code may take for one request."
        ),
    ] = 60,
    as_json: options.Json = None,
) -> None:
    """Learn by porting: get a twin with one side finished, write the other, and have it checked method by method."""
    from compare.port import folder as porting
    from compare.port import hints
    from compare.port import text as port_report
    from twin.table import code

    if sum([check, hint, solution is not None]) > 1:
        raise TwinError("one at a time: --check, --hint or --solution")
    twin = find(name)
    if check:
        raise typer.Exit(_check(twin, where, to, timeout, as_json))
    if hint:
        path, side = porting.locate(twin, where, to)
        unit, level, lines = hints.give_hint(twin, path, side)
        print(port_report.hinted(unit, level, lines))
        more = ("--solution", unit) if level == hints.LEVELS else ("--check",)
        say_next("port", twin.name, *more, path.parent)
    elif solution is not None:
        side = to or porting.locate(twin, where, None)[1]
        print(code(hints.solution(twin, side, solution), ""))
        say_next(*(("port", twin.name, "--check", where) if where else porting.go_on(twin, side)))
    else:
        if to is None:
            raise TwinError(
                f"port {name} to which framework? give --to torch (from Keras) or --to keras (from PyTorch)"
            )
        if where is not None:
            raise TwinError(f"{where}: to write a folder say --out {where}; to check it say --check")
        folder = out or porting.default_folder(twin, to)
        print(*porting.write(twin, to, folder, force, typed()), sep="\n")
        say(f"Read {folder}/START.md, write the methods, then check them.")
        say_next("port", name, "--check", folder)


def _check(twin: Twin, where: Path | None, to: str | None, timeout: float, as_json: str | None) -> int:
    """Say of each method whether it is right, and what comes next; the exit code."""
    from compare.port import check as port_check
    from compare.port import folder as porting
    from compare.port import text as port_report

    path, side = porting.locate(twin, where, to)
    with working("starting PyTorch and Keras") as tell:
        verdicts = port_check.check_file(twin, path, side, timeout, lambda word: tell(f"checking {word}"))
    answer(
        port_report.to_json(twin, side, path, verdicts),
        port_report.checked(twin, side, path, verdicts),
        as_json,
        [path, path.parent / "progress.json"],
    )
    if (state := port_check.exit_code(verdicts)) != AGREE:
        say_next("port", twin.name, "--hint", path.parent)
    elif after := port_report.following(twin):
        say_next(*porting.go_on(after, side))
    else:
        say_next("path")
    return state
