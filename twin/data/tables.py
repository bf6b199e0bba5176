"""Pictures as rows of a CSV file, as in the Digit Recognizer competition: label,pixel0,pixel1,...

Every value is a whole number: a label below the number of classes, and pixels from 0 to 255. What is anything else is
refused with its file, line and column.
"""

import csv
import io
import os
from pathlib import Path

import numpy as np

from twin import untrusted
from twin.data import Dataset, split
from twin.errors import TwinError


def load(file: str, num_classes: int = 10, test_share: float = 0.2, seed: int = 0) -> Dataset:
    """Pictures as `x` (N, side, side, 1), which must be square, and labels `y` (N,).

    Args:
        file: the CSV file.
        num_classes: labels are from 0 to one less.
        test_share: how much of the pictures is for testing.
        seed: of the division into train and test part.
    """
    labels, pixels = read(Path(file), num_classes)
    side = round(pixels.shape[1] ** 0.5)
    if side * side != pixels.shape[1]:
        raise TwinError(f"{file}: has {pixels.shape[1]} pixels a row; expected a square number, for square pictures")
    x = pixels.reshape(-1, side, side, 1).astype(np.float32) / 255
    train, test = split({"x": x, "y": labels}, test_share, seed)
    return Dataset(f"real, copied by the user to {file}: {len(x)} pictures of {side}x{side}", train, test)


def read(path: Path, num_classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and pixels (N, P) as bytes.

    Raises:
        TwinError: for the first line that is not as it should be.
    """
    try:
        lines = csv.reader(io.StringIO(untrusted.text(path, "label,pixel0,pixel1,... in UTF-8"), newline=""))
        width = _header(path, next(lines, []))
        rows = [_row(path, lines.line_num, line, width, num_classes) for line in lines]
    except csv.Error as error:
        raise TwinError(f"{path}: cannot be read as a table: {error}") from error
    if not rows:
        raise TwinError(f"{path}: has no line after its header; expected one for each picture")
    table = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), width)
    return table[:, 0].astype(np.int32), table[:, 1:]


def write(path: Path, labels: np.ndarray, pixels: np.ndarray) -> None:
    """Labels (N,) and pixels (N, P) as such a file; the whole of it, or none."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["label", *(f"pixel{number}" for number in range(pixels.shape[1]))])
            table.writerows([int(label), *map(int, row)] for label, row in zip(labels, pixels, strict=True))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _header(path: Path, names: list[str]) -> int:
    """The number of columns, once they are label,pixel0,pixel1,..."""
    wanted = ["label", *(f"pixel{number}" for number in range(len(names) - 1))]
    if len(names) < 2:
        raise TwinError(f"{path}: line 1: has {len(names)} columns; expected a header label,pixel0,pixel1,...")
    for number, (name, expected) in enumerate(zip(names, wanted, strict=True), start=1):
        if name.strip() != expected:
            raise TwinError(f"{path}: line 1: column {number} is {name!r}; expected {expected!r}")
    return len(names)


def _row(path: Path, number: int, cells: list[str], width: int, num_classes: int) -> bytes:
    """A line's values, each of which fits into a byte."""
    if len(cells) != width:
        raise TwinError(f"{path}: line {number}: has {len(cells)} values; expected {width}, as the header says")
    try:
        values = bytes(map(int, cells))
    except ValueError:  # of a cell that is no whole number, or that no byte holds
        values = b""
    if not values or values[0] >= num_classes:
        raise _first_wrong(path, number, cells, num_classes)
    return values


def _first_wrong(path: Path, number: int, cells: list[str], num_classes: int) -> TwinError:
    for column, cell in enumerate(cells):
        name, most = (f"pixel{column - 1}", 255) if column else ("label", num_classes - 1)
        digits = cell.strip().lstrip("0") or "0"
        if not cell.strip().isdecimal() or len(digits) > 3 or int(digits) > most:
            break
    found = repr(cell if len(cell) < 40 else f"{cell[:37]}...") if cell.strip() else "missing"
    return TwinError(f"{path}: line {number}: {name} is {found}; expected a whole number from 0 to {most}")
