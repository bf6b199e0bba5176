"""Scenes of several digits, and what each window that slides over them at several scales is to say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twin.boxes import PADDING, overlaps
from twin.data import Dataset, crowds
from twin.errors import TwinError

OBJECT, GROUND = 0.6, 0.4  # a window shows an object from the one on, ground up to the other; between, nobody asks


def load(sides: Sequence[int], window: Sequence[int], stride: int, **options: Any) -> Dataset:
    """The scenes of twin.data.crowds with `labels` (N, K): 0 for ground, 1 + class, -1 for what is neither.

    Args:
        sides: of the picture at each scale.
        window: height and width of the window.
        stride: from one window to the next, in pixels.
        options: of twin.data.crowds.
    """
    boxes = windows(sides, window, stride)
    dataset = crowds.load(**options)
    train, test = ({**part, "labels": labels(part, boxes)} for part in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test)


def windows(sides: Sequence[int], window: Sequence[int], stride: int) -> np.ndarray:
    """Boxes (K, 4) of all windows: scale by scale, row by row.

    Raises:
        TwinError: the window is larger than a picture, or does not move.
    """
    if stride < 1 or min(sides) < max(window):
        raise TwinError(
            f"expected a stride of at least 1 and sides of at least {max(window)}, which the window needs; received "
            f"stride={stride}, sides={tuple(sides)}"
        )
    height, width = window
    boxes = []
    for side in sides:
        top, left = np.meshgrid(*(np.arange(0, side - extent + 1, stride) for extent in window), indexing="ij")
        boxes.append(np.stack([left, top, left + width, top + height], axis=-1).reshape(-1, 4) / side)
    return np.concatenate(boxes)


def labels(scenes: Mapping[str, np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """What each of (K, 4) windows shows of padded `boxes` (N, M, 4) and `classes` (N, M), (N, K)."""
    out = np.zeros((len(scenes["boxes"]), len(boxes)), np.int32)
    for row, (places, classes) in enumerate(zip(scenes["boxes"].astype(np.float64), scenes["classes"], strict=True)):
        there = classes != PADDING
        if there.any():
            iou = overlaps(boxes, places[there])
            best, most = iou.argmax(1), iou.max(1)
            out[row] = np.where(most >= OBJECT, 1 + classes[there][best], np.where(most > GROUND, PADDING, 0))
    return out
