"""`twin doctor`."""

import typer

from compare.cli.carry_out import answer
from compare.cli.options import Device, Json, Pythons
from twin.errors import INCOMPLETE


def doctor(python: Pythons = None, device: Device = "cpu", as_json: Json = None) -> None:
    """What is installed, and which engines come up."""
    from compare.engines import doctor as examining
    from compare.engines import engine as engines

    found = examining.examine(engines.parse_pythons(python or []), device)
    answer(found, examining.table(found), as_json)
    if not any(engine["works"] for engine in found["engines"].values()):
        raise typer.Exit(INCOMPLETE)
