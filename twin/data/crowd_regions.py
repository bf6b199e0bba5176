"""Scenes of several digits, and what each anchor over them is to say: targets of a region proposal network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twin.boxes import PADDING, cornered, encode, overlaps
from twin.data import Arrays, Dataset, crowds

OBJECT, GROUND = 0.7, 0.3  # overlaps from which on, and up to which, an anchor learns (Ren et al. 2015, section 3.1.2)


def load(
    strides: Sequence[int], areas: Sequence[Sequence[float]], ratios: Sequence[float], size: int = 48, **options: Any
) -> Dataset:
    """The scenes of twin.data.crowds with `anchor_labels` (N, K) and `anchor_offsets` (N, K, 4).

    A label is 1 where the anchor is to find an object, 0 where it is to find ground, and -1 where it learns nothing.

    Args:
        strides: pixels from one anchor to the next, on each feature map.
        areas: square roots of the anchors' areas on each map, in pixels.
        ratios: of their heights to their widths.
        size: height and width of a scene.
        options: of twin.data.crowds.
    """
    sides = [-(-size // stride) for stride in strides]
    maps = [grid_anchors((side, side), (size, size), each, ratios) for side, each in zip(sides, areas, strict=True)]
    anchors = np.concatenate(maps)
    dataset = crowds.load(size=size, **options)
    train, test = ({**part, **assigned(part, anchors)} for part in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test)


def grid_anchors(
    map_shape: tuple[int, int], image_shape: tuple[int, int], areas: Sequence[float], ratios: Sequence[float]
) -> np.ndarray:
    """Boxes (K, 4) at every place of a feature map: for each ratio, each area."""
    sides = np.array([(area / ratio**0.5, area * ratio**0.5) for ratio in ratios for area in areas]) / image_shape[::-1]
    y, x = np.meshgrid(*((np.arange(side) + 0.5) / side for side in map_shape), indexing="ij")
    centres = np.stack([x, y], axis=-1)[:, :, None]
    return cornered(centres, sides).reshape(-1, 4)


def assigned(scenes: Mapping[str, np.ndarray], anchors: np.ndarray) -> Arrays:
    """What each anchor is to say of padded `boxes` (N, M, 4) and `classes` (N, M)."""
    boxes = scenes["boxes"].astype(np.float64)
    labels = np.zeros((len(boxes), len(anchors)), np.int32)
    offsets = np.zeros((len(boxes), *anchors.shape), np.float32)
    for row in range(len(boxes)):
        true = boxes[row][scenes["classes"][row] != PADDING]
        if not len(true):
            continue
        iou = overlaps(anchors, true)
        best = iou.max(1)
        positive = (best >= OBJECT) | (iou == iou.max(0)).any(1)  # the best anchor of a box, however little that is
        labels[row] = np.where(positive, 1, np.where(best < GROUND, 0, -1))
        offsets[row, positive] = encode(true[iou.argmax(1)[positive]], anchors[positive])
    return {"anchor_labels": labels, "anchor_offsets": offsets}
