"""Scenes of several digits, and what each cell of a grid over them is to say: targets of the first YOLO."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from twin.boxes import PADDING, centred
from twin.data import Arrays, Dataset, crowds
from twin.errors import TwinError


def load(grid: int, **options: Any) -> Dataset:
    """The scenes of twin.data.crowds with `cell_boxes` (N, grid, grid, 4) and `cell_classes` (N, grid, grid).

    Args:
        grid: cells across and down.
        options: of twin.data.crowds.
    """
    if grid < 1:
        raise TwinError(f"grid must be at least 1, the cells across and down; received {grid}")
    dataset = crowds.load(**options)
    train, test = ({**part, **cells(part, grid)} for part in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test)


def cells(scenes: Mapping[str, np.ndarray], grid: int) -> Arrays:
    """What each cell is to say of padded `boxes` (N, M, 4) and `classes` (N, M): -1 and a box of zeros for nothing.

    The cell that holds an object's centre says where it is: x and y within the cell, from 0 to 1, and the square roots
    of width and height as shares of the picture. A cell holds one object, the first.
    """
    boxes, classes = scenes["boxes"], scenes["classes"]
    out = {
        "cell_boxes": np.zeros((len(boxes), grid, grid, 4), np.float32),
        "cell_classes": np.full((len(boxes), grid, grid), PADDING, np.int32),
    }
    centres, sizes = centred(boxes)
    places = np.minimum((centres * grid).astype(int), grid - 1)
    for row, number in np.argwhere(classes != PADDING):
        column, line = places[row, number]
        if out["cell_classes"][row, line, column] == PADDING:
            within = centres[row, number] * grid - (column, line)
            out["cell_boxes"][row, line, column] = (*within, *np.sqrt(sizes[row, number]))
            out["cell_classes"][row, line, column] = classes[row, number]
    return out
