"""Scenes of several digits, and what each anchor over them is to say of box, class and mask: targets of YOLACT."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twin.boxes import PADDING, cornered, match, overlaps
from twin.data import Arrays, Dataset, crowd_defaults, crowds
from twin.errors import TwinError

RATIOS = (1.0, 0.5, 2.0)  # of height to width (Bolya et al. 2019, section 4)


def load(sides: Sequence[int], scales: Sequence[float], reduction: int, positives: int, **options: Any) -> Dataset:
    """The scenes of twin.data.crowds with the arrays of `matched`, and their `masks` (N, size, size, most).

    Args:
        sides: of the feature maps.
        scales: of each map's anchors, shares of the picture.
        reduction: how many pixels across and down become one of a target mask.
        positives: masks of a picture that are learned, at most.
        options: of twin.data.crowds.

    Raises:
        TwinError: pictures that are not divided by the reduction, or no mask to learn.
    """
    dataset = crowds.load(masks=True, **options)
    size = dataset.train["x"].shape[1]
    if reduction < 1 or size % reduction or positives < 1:
        raise TwinError(
            f"expected a reduction that divides the size, {size}, and at least 1 positive; received "
            f"reduction={reduction}, positives={positives}"
        )
    anchors = anchor_boxes(sides, scales)
    train, test = ({**part, **matched(part, anchors, reduction, positives)} for part in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test)


def anchor_boxes(sides: Sequence[int], scales: Sequence[float]) -> np.ndarray:
    """Three boxes of a scale's area at every place of each map, (K, 4): map by map, row by row, place by place."""
    boxes = []
    for side, scale in zip(sides, scales, strict=True):
        roots = np.sqrt(RATIOS)
        y, x = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij")
        centres = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
        boxes.append(cornered(centres, scale * np.stack([1 / roots, roots], axis=-1)).reshape(-1, 4))
    return np.concatenate(boxes)


def matched(scenes: Mapping[str, np.ndarray], anchors: np.ndarray, reduction: int, positives: int) -> Arrays:
    """What each anchor is to say of padded `boxes` (N, M, 4), `classes` (N, M) and `masks` (N, H, W, M).

    Returns:
        `offsets` (N, K, 4) and `labels` (N, K) as in twin.data.crowd_defaults. Of the anchors that match, those with
        the largest overlap learn masks: `places` (N, P) says which, -1 behind the last; `frames` (N, P, 4) are the
        boxes of their objects, and `shapes` (N, h, w, P) the masks, 1 where an object has more than half of a place.
    """
    boxes, classes, masks = scenes["boxes"].astype(np.float64), scenes["classes"], scenes["masks"]
    rows, height, width, most = masks.shape
    tiles = masks.reshape(rows, height // reduction, reduction, width // reduction, reduction, most)
    small = (tiles.mean((2, 4)) > 0.5).astype(np.uint8)  # (N, h, w, M)
    places = np.full((rows, positives), PADDING, np.int32)
    frames = np.zeros((rows, positives, 4), np.float32)
    shapes = np.zeros((*small.shape[:3], positives), np.uint8)
    for row in range(rows):
        true = boxes[row][classes[row] != PADDING]
        found = match(anchors, true)
        there = np.flatnonzero(found >= 0)
        if not len(there):
            continue
        overlap = overlaps(anchors[there], true)[np.arange(len(there)), found[there]]
        best = there[np.argsort(-overlap, kind="stable")[:positives]]
        places[row, : len(best)] = best
        frames[row, : len(best)] = true[found[best]]
        shapes[row, ..., : len(best)] = small[row][..., found[best]]
    return {**crowd_defaults.matched(scenes, anchors), "places": places, "frames": frames, "shapes": shapes}
