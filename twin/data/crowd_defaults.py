"""Scenes of several digits, and what each default box over them is to say: targets of SSD."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from twin.boxes import PADDING, cornered, encode, match
from twin.data import Arrays, Dataset, crowds

VARIANCES = np.array((0.1, 0.1, 0.2, 0.2))  # offsets are divided by them, in the paper's code, to be of one size


def load(maps: Sequence[int], scales: Sequence[float], ratios: Sequence[Sequence[float]], **options: Any) -> Dataset:
    """The scenes of twin.data.crowds with `offsets` (N, K, 4) and `labels` (N, K): 0 for ground, 1 + class.

    Args:
        maps: sides of the feature maps.
        scales: of each map, and one more.
        ratios: of each map, beside 1, without their inverses.
        options: of twin.data.crowds.
    """
    anchors = default_boxes(maps, scales, ratios)
    dataset = crowds.load(**options)
    train, test = ({**part, **matched(part, anchors)} for part in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test)


def default_boxes(maps: Sequence[int], scales: Sequence[float], ratios: Sequence[Sequence[float]]) -> np.ndarray:
    """Boxes (K, 4) at every place of the maps (Liu et al. 2016, section 2.2)."""
    boxes = []
    for side, (scale, following), wide in zip(maps, pairwise(scales), ratios, strict=True):
        shapes = [(scale, scale), ((scale * following) ** 0.5,) * 2]
        for ratio in wide:
            shapes += [(scale * ratio**0.5, scale / ratio**0.5), (scale / ratio**0.5, scale * ratio**0.5)]
        y, x = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij")
        centres = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
        boxes.append(cornered(np.repeat(centres, len(shapes), 1), np.array(shapes)).reshape(-1, 4))
    return np.concatenate(boxes)


def matched(scenes: Mapping[str, np.ndarray], anchors: np.ndarray) -> Arrays:
    """What each anchor is to say of padded `boxes` (N, M, 4) and `classes` (N, M)."""
    boxes, classes = scenes["boxes"].astype(np.float64), scenes["classes"]
    offsets = np.zeros((len(boxes), *anchors.shape), np.float32)
    labels = np.zeros((len(boxes), len(anchors)), np.int32)
    for row in range(len(boxes)):
        true = boxes[row][classes[row] != PADDING]
        found = match(anchors, true)
        there = found >= 0
        offsets[row, there] = encode(true[found[there]], anchors[there]) / VARIANCES
        labels[row, there] = 1 + classes[row][found[there]]
    return {"offsets": offsets, "labels": labels}
