"""`twin doctor`."""

import typer

from compare.cli import options
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import SEE
from compare.cli.progress import working
from twin.errors import INCOMPLETE

GROUP = SEE
EXAMPLES = (
    "twin doctor",
    "twin doctor --json -",
)


def doctor(python: options.Pythons = None, device: options.Device = "cpu", as_json: options.Json = None) -> None:
    """Say what is installed, and which engines work."""
    from compare.engines import doctor as examining
    from compare.engines import engine as engines

    with working("starting every engine, one after the other") as tell:
        found = examining.examine(engines.parse_pythons(python or []), device, on_engine=tell)
    answer(found, examining.table(found), as_json)
    if not any(engine["works"] for engine in found["engines"].values()):
        raise typer.Exit(INCOMPLETE)
    say_next("compare", "lenet", "--quick")
