"""`twin list`."""

import shutil

from compare.cli.carry_out import answer
from compare.cli.options import Json


def list_(as_json: Json = None) -> None:
    """Every twin: what it is, where the slides show it, how large it is."""
    from compare.report import tables as report

    answer(report.catalogue_rows(), report.catalogue_table(shutil.get_terminal_size().columns), as_json)
