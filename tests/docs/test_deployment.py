"""docs/deployment.md: its sums are those of its tables."""

import re

from compare.export import formats
from twin.catalogue import TWINS
from twin.paths import ROOT

PAGE = (ROOT / "docs" / "deployment.md").read_text()
PARTS = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]


def cells(part):
    """The words of every cell of a part's matrix; none has a twin that there is not."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
    matrix = [line for line in lines if len(line) == 2 + len(formats.names()) and line[0] in TWINS]
    return [cell for _, _, *row in matrix for cell in row]


def test_the_parts_count_their_own_cells():
    assert PARTS
    for part in PARTS:
        works, whole = map(int, re.search(r"Cells that work: (\d+) of (\d+)", part).groups())
        found = cells(part)
        assert (len(found), sum(cell not in ("no", "-", "WRONG") for cell in found)) == (whole, works)


def test_the_page_counts_all_of_them():
    found = [cell for part in PARTS for cell in cells(part)]
    assert f"{len(found)} cells: {sum(cell not in ('no', '-', 'WRONG') for cell in found)} work" in PAGE
    assert f"and {found.count('WRONG')} files are wrong" in PAGE


def test_every_format_is_explained():
    for name in formats.names():
        assert f"| `{name}` |" in PAGE
