"""The commands, put together. It starts without a framework: those are only ever imported by worker processes."""

import typer

from compare.cli import commands

app = typer.Typer(
    help="The same models in Keras 3 and in PyTorch: do they agree, how fast is each, and how well does each learn?",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in commands.all_of():
    app.command(command.__name__.rstrip("_"))(command)
