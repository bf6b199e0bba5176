"""The commands, put together. It starts without a framework: those are only ever imported by worker processes."""

import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from compare.cli import commands
from twin.errors import TwinError

RANGE = re.compile(r"([\d.]+)<=x<=([\d.]+)|x>=([\d.]+)")
WRITTEN = ("as_json", "md", "csv", "html")  # parameters that name a file which a command writes


class Command(TyperCommand):
    """A command whose help ends with examples.

    It refuses an option that is given twice, and files to write that clash with each other or with one to read.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for each in self.params:
            if each.param_type_name == "argument":  # whose name says enough; typer adds Python's type
                setattr(each, "display_type_rich", lambda ctx: None)  # noqa: B010
            else:
                said = each.get_help_record
                setattr(each, "get_help_record", lambda ctx, said=said: _in_words(said(ctx)))  # noqa: B010
        super().format_options(ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`twin diff [OPTIONS] OLD NEW`; typer puts braces around what is required."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Examples"):
            for example in (self.epilog or "").splitlines():
                formatter.write(f"  {example}\n")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = args[: args.index("--")] if "--" in args else args
        for option in self.params:
            if option.param_type_name != "option" or getattr(option, "multiple", False):
                continue
            found = [each for each in given for name in option.opts if each == name or each.startswith(f"{name}=")]
            if len(found) > 1 and not getattr(option, "is_flag", False):
                raise TwinError(f"{option.opts[0]} is given {len(found)} times, and takes one value; give it once")
        for before, each in zip(["", *given], given, strict=False):
            if each == "" or (each.startswith("--") and each.endswith("=")):
                raise TwinError(
                    f"{_named(before, each)} is empty; if it comes from a variable, see whether that is set"
                )
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if hasattr(error, "ctx"):  # not every complaint about arguments says whose they are
                error.ctx = error.ctx or ctx
            raise

    def invoke(self, ctx: Any) -> Any:
        from twin.files import refuse_clashes

        written = {each.opts[0]: ctx.params[each.name] for each in self.params if each.name in WRITTEN}
        others = [value for name, value in ctx.params.items() if name not in WRITTEN]
        read = [each for value in others for each in (value if isinstance(value, list) else [value])]
        refuse_clashes(
            {option: target for option, target in written.items() if target is not None},
            [place for each in read for place in _files(each)],
        )
        return super().invoke(ctx)


def _in_words(record: tuple[str, str] | None) -> tuple[str, str] | None:
    """What the help says of an option, with the limits of a number in words; nobody asks for as much as a million."""

    def limits(found: re.Match[str]) -> str:
        least, most = float(found[1] or found[3]), float(found[2] or "inf")
        return f"at least {least:g}" if most >= 1_000_000 else f"{least:g} to {most:g}"

    return record and (record[0], RANGE.sub(limits, record[1]))


def _files(value: Any) -> list[Path]:
    """The files that a parameter's value may name: a path, such as w.pt, or the file of file.py:callable."""
    if isinstance(value, Path):
        return [value]
    names = value.rpartition("=")[2] if isinstance(value, str) else ""
    return [Path(each) for each in (names, names.rpartition(":")[0]) if "." in each]


def _named(before: str, empty: str) -> str:
    """What is empty on a command line: the value of an option, or an argument."""
    option = empty.removesuffix("=") or before
    return f"the value of {option}" if option.startswith("-") else "an argument"


class Group(TyperGroup):
    """The list of commands, under headings and in whole sentences."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        listed = list(commands.all_of())
        for group in commands.GROUPS:
            with formatter.section(group):
                formatter.write_dl([(each.name, each.function.__doc__ or "") for each in listed if each.group == group])


def _version(wanted: bool) -> None:
    if wanted:
        print(f"twin {version_of('twin-suite')}")
        raise typer.Exit


app = typer.Typer(
    cls=Group,
    help="The same models in Keras 3 and in PyTorch: do they agree, how fast is each, and how well does each learn?",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _whole(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and end.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


for command in commands.all_of():
    app.command(command.name, cls=Command, epilog="\n".join(command.examples))(command.function)
