"""`twin list`."""

from compare.cli.carry_out import answer
from compare.cli.options import Json


def list_(as_json: Json = None) -> None:
    """Every twin: what it is, where the slides show it, how large it is."""
    from compare.reading import listing

    answer(listing.catalogue_rows(), listing.catalogue_table(), as_json)
