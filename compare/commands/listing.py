"""`twin list`."""

import shutil

from compare.commands.common import answer
from compare.commands.options import Json


def list_(as_json: Json = None) -> None:
    """Every twin: what it is, where the slides show it, how large it is."""
    from compare import report

    answer(report.catalogue_rows(), report.catalogue_table(shutil.get_terminal_size().columns), as_json)
