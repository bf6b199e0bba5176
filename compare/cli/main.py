"""The command line. It starts without a framework: those are only ever imported by worker processes."""

import os
import sys

import typer

from compare.cli import commands
from twin.errors import INTERRUPTED, USAGE, TwinError

app = typer.Typer(
    help="The same models in Keras 3 and in PyTorch: do they agree, how fast is each, and how well does each learn?",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in commands.all_of():
    app.command(command.__name__.rstrip("_"))(command)


def main() -> None:
    """Run the command line; every user's mistake is one line on stderr."""
    try:
        code = app(standalone_mode=False)
    except TwinError as error:
        print(f"twin: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output has gone; so do we
        code = 0
    except Exception as error:
        if not hasattr(error, "format_message"):  # not a complaint about the arguments
            raise
        print(f"twin: {error.format_message()}; see twin --help", file=sys.stderr)
        code = USAGE
    sys.exit(code)
