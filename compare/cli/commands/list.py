"""`twin list`."""

from compare.cli import options
from compare.cli.carry_out import answer, say_next
from compare.cli.commands import SEE

GROUP = SEE
EXAMPLES = (
    "twin list",
    "twin list --json -",
)


def list_(as_json: options.Json = None) -> None:
    """List every twin: what it is, where the slides show it, how large it is."""
    from compare.reading import listing

    answer(listing.catalogue_rows(), listing.catalogue_table(), as_json)
    say_next("show", "lenet")
