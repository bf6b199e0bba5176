"""`twin doctor`."""

import typer

from compare.commands.common import answer
from compare.commands.options import Device, Json, Pythons
from twin.errors import INCOMPLETE


def doctor(python: Pythons = None, device: Device = "cpu", as_json: Json = None) -> None:
    """What is installed, and which engines come up."""
    from compare import doctor as examining
    from compare import engines

    found = examining.examine(engines.parse_pythons(python or []), device)
    answer(found, examining.table(found), as_json)
    if not any(engine["works"] for engine in found["engines"].values()):
        raise typer.Exit(INCOMPLETE)
