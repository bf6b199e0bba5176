"""Writes the figures of docs/deployment.md anew, from the record docs/exports.json.

`python docs/deployment.py`, or `make docs`. benchmarks/export_matrix.py measures the record.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from compare.engines.engine import ENGINES
from compare.record.exports import is_refused
from compare.record.measurement import ExportMeasurement, exports_of
from compare.record.record import read_record
from twin.catalogue import TWINS

FOLDER = Path(__file__).parent
PAGE = FOLDER / "deployment.md"
RECORD = FOLDER / "exports.json"
LEFT = ("not_offered", "skipped")  # nobody's, and for want of a tool
HEAD = "## What was measured"
COMMAND = "python -m benchmarks.export_matrix docs/exports.json --at-once 1 --timeout 600"
TIMES = (
    "The record's times were taken once, at the lowest priority of two machines that did other work (cells of the\n"
    "second one name it): they say what is a millisecond and what is a hundred, and no more. A load has in it what a\n"
    "runtime imports only then."
)
SHOWN, WORDS = 8, 300  # twins that a reason names; letters of a reason
# What differs from twin to twin in reasons that are the same.
OWN = re.compile(r"\"[^\"]*\"|'[^']*'|0x[0-9a-f]+|\S*/\S*|\d+(\.\d+)?(e[-+]\d+)?")


def rewritten(page: str) -> str:
    """The page with the figures of the record."""
    cells = exports_of(read_record(RECORD).measurements)
    offered = [each for each in cells if each.status != "not_offered"]
    counts = Counter(each.status for each in offered)
    twins = len({each.twin for each in cells})
    worst = max(each.result.worst for each in offered if each.status == "ok" and each.result)
    models = sum(twin.kind == "model" for twin in TWINS.values())
    others = sum(counts.values()) - counts["ok"] - counts["failed"] - counts["unsupported"]
    rest = f" {others} {'has' if others == 1 else 'have'} no answer." if others else ""
    refused = sum(map(is_refused, offered))
    left = models * len(ENGINES) * len({each.format for each in cells}) - len(cells)
    more = f" {left} cells are not measured yet, and" if left else ""
    said = (
        f"{len(cells)} cells of {twins} of the {models} model twins. {len(cells) - len(offered)} of them nobody claims "
        f"to write, because the format belongs to another framework. Of the other {len(offered)}, {counts['ok']} work, "
        f"all within {worst:.0e} of their models; {counts['unsupported']} the exporter refuses. It writes {refused} "
        "more without a word, and their runtime refuses them; "
        f"{counts['failed'] - refused} files answer wrongly.{rest} "
        "[exports.json](exports.json) is the record. `twin report docs/exports.json` prints every cell, `twin site "
        "pages --record docs/exports.json` has a page of them, and `twin diff docs/exports.json NEW.json` says "
        "what an upgrade broke. These commands measured it, those with the fewest "
        f"parameters first, and wrote this part;{more} the first goes on where it was ended:"
    )
    parts = [
        page[: page.index(HEAD)] + HEAD,
        "\n".join(textwrap.wrap(said, 140, break_long_words=False, break_on_hyphens=False)),
        f"```sh\n{COMMAND}\npython docs/deployment.py\n```",
        TIMES,
        "How many of the twins work, of those that the exporter could do:",
        table(cells),
        "Why the others do not, with the twins:",
        "\n".join(reasons(offered)),
    ]
    return "\n\n".join(parts) + "\n"


def table(cells: Iterable[ExportMeasurement]) -> str:
    """A row for each format, a column for each engine."""
    cells = list(cells)
    lines = [["format", *ENGINES], ["---"] * (1 + len(ENGINES))]
    for name in sorted({each.format for each in cells}):
        row = [f"`{name}`"]
        for engine in ENGINES:
            own = [e for e in cells if (e.engine, e.format) == (engine, name) and e.status not in LEFT]
            row.append(f"{sum(each.status == 'ok' for each in own)} of {len(own)}" if own else "")
        lines.append(row)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def reasons(cells: Iterable[ExportMeasurement]) -> list[str]:
    """A line for each reason, those of most twins first; reasons that differ in names and numbers only are one."""
    alike: dict[tuple[str, str, str, str], list[ExportMeasurement]] = {}
    for each in cells:
        if each.status != "ok":
            key = (each.format, each.engine, each.status, OWN.sub("", each.reason)[:WORDS])
            alike.setdefault(key, []).append(each)
    lines = []
    for (name, engine, status, _), group in sorted(alike.items(), key=lambda item: (item[0][:2], -len(item[1]))):
        more = f" and {len(group) - SHOWN} more" if len(group) > SHOWN else ""
        twins = ", ".join(each.twin for each in group[:SHOWN]) + more
        word = {"unsupported": "refused", "failed": "**wrong**"}.get(status, status)
        word = "**refused by the runtime**" if is_refused(group[0]) else word
        said = " ".join(group[0].reason.split())
        said = said if len(said) <= WORDS else f"{said[:WORDS].rstrip()} …"
        lines.append(f"- `{name}` from {engine}, {word} ({len(group)}: {twins}): `` {said.replace('``', '` `')} ``")
    return lines


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
