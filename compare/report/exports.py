"""Exported files in tables of a terminal: which cells work, what the files cost, and why others do not."""

from collections.abc import Sequence

from compare.record.exports import costs, counted, matrix, reasons
from compare.record.measurement import ExportMeasurement
from twin.table import columns, filled, fitted, hanging

NAMES, CELL = 20, 12  # columns of a terminal that an engine and a format take


def explained() -> str:
    """What the figures of both tables are."""
    return "\n".join(
        map(
            filled,
            [
                "Of a file that agrees: the largest relative L2 distance of its outputs from those of the model that "
                "was exported, over one row and over a batch of 16; fixed: one file for each size of a batch. "
                "Empty: the format belongs to another framework; no: the exporter refuses; -: left out; refused: the "
                "runtime refuses the file; WRONG: the file's outputs are not the model's.",
                "load: until the runtime, imported already, can run the file. one row: the median time of one row in "
                "the runtime; framework: the same row in the framework, as its user runs it.",
            ],
        )
    )


def text(measurements: Sequence[ExportMeasurement], explain: bool) -> str:
    """The matrix, what its files cost, and the reasons, for a terminal."""
    heads, rows = matrix(measurements)
    at_once = max((columns() - NAMES) // CELL, 1)
    parts = []
    for first in range(2, len(heads), at_once):
        part = slice(first, first + at_once)
        shown = [[*row[:2], *row[part]] for row in rows]
        parts.append(fitted(shown, [*heads[:2], *heads[part]], ["left"] * (2 + len(heads[part])), nest=True))
    parts.append(filled(counted(measurements)))
    heads, rows = costs(measurements)
    if rows:
        parts.append(fitted(rows, heads, ["left"] * 3 + ["right"] * 4, nest=True))
    if explain:
        parts.append(explained())
    return "\n\n".join([*parts, *map(hanging, reasons(measurements))])
