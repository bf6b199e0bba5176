"""Scenes of several digits, and what each anchor of each cell is to say of them: targets of YOLO from version 2 on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twin.boxes import PADDING, centred, cornered, overlaps
from twin.data import Arrays, Dataset, crowds

IGNORED = -1


def load(grids: Sequence[int], anchors: Sequence[Sequence[tuple[float, float]]], **options: Any) -> Dataset:
    """The scenes of twin.data.crowds with `offsets` (N, K, 4), `objectness` (N, K) and `labels` (N, K).

    K counts the anchors of all cells of all grids: grid by grid, row by row, cell by cell.

    Args:
        grids: cells across and down.
        anchors: of each grid, widths and heights as shares of the picture.
        options: of twin.data.crowds.
    """
    dataset = crowds.load(**options)
    train, test = ({**part, **assigned(part, grids, anchors)} for part in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test)


def assigned(
    scenes: Mapping[str, np.ndarray], grids: Sequence[int], anchors: Sequence[Sequence[tuple[float, float]]]
) -> Arrays:
    """What each anchor is to say of padded `boxes` (N, M, 4) and `classes` (N, M).

    An object belongs to the cell with its centre on the grid of the anchor whose shape fits it best; that anchor has
    objectness 1, the centre within the cell, the logarithm of the sides by the anchor's, and the class. Others whose
    box, in the middle of its cell, overlaps an object by more than 0.5 have objectness -1 and no loss (Redmon and
    Farhadi 2018, section 2.1). All others have 0. If two objects want one anchor, the first has it.
    """
    boxes, classes = scenes["boxes"].astype(np.float64), scenes["classes"]
    centres, sizes = centred(boxes)
    shapes = np.concatenate([np.array(each, float) for each in anchors])  # (A, 2)
    grid_of = np.repeat(np.arange(len(grids)), [len(each) for each in anchors])
    within = np.concatenate([np.arange(len(each)) for each in anchors])
    starts = np.cumsum([0, *(grid * grid * len(each) for grid, each in zip(grids, anchors, strict=True))])
    priors = np.concatenate([_placed(grid, np.array(each)) for grid, each in zip(grids, anchors, strict=True)])

    offsets = np.zeros((len(boxes), len(priors), 4), np.float32)
    objectness = np.zeros((len(boxes), len(priors)), np.int32)
    labels = np.full((len(boxes), len(priors)), PADDING, np.int32)
    for row in range(len(boxes)):
        there = classes[row] != PADDING
        if there.any():
            objectness[row, (overlaps(priors, boxes[row][there]) > 0.5).any(1)] = IGNORED
    for row, number in np.argwhere(classes != PADDING):
        centre, size = centres[row, number], sizes[row, number]
        best = int(overlaps(cornered(0 * size, size)[None], cornered(0 * shapes, shapes))[0].argmax())
        grid, each = grids[grid_of[best]], len(anchors[grid_of[best]])
        column, line = np.minimum((centre * grid).astype(int), grid - 1)
        slot = starts[grid_of[best]] + (line * grid + column) * each + within[best]
        if labels[row, slot] == PADDING:
            offsets[row, slot] = (*(centre * grid - (column, line)), *np.log(size / shapes[best]))
            objectness[row, slot], labels[row, slot] = 1, classes[row, number]
    return {"offsets": offsets, "objectness": objectness, "labels": labels}


def _placed(grid: int, shapes: np.ndarray) -> np.ndarray:
    """Anchors (A, 2) in the middle of every cell, (grid * grid * A, 4)."""
    y, x = np.meshgrid(*[(np.arange(grid) + 0.5) / grid] * 2, indexing="ij")
    centres = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    return cornered(np.repeat(centres, len(shapes), 1), shapes).reshape(-1, 4)
