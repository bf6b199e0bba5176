"""Scenes of several digits with regions that may hold one, proposed from the picture alone, and what each is to say.

R-CNN and Fast R-CNN take proposals as data, from a method that knows no classes. Theirs is selective search (Uijlings
et al., "Selective search for object recognition", 2013), which joins regions of like colour and texture. These scenes
are grey and their digits are lighter than most of the ground, so that regions are what is connected at one of several
brightnesses, as in Matas et al., "Robust wide baseline stereo from maximally stable extremal regions" (2002).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from twin.boxes import PADDING, check, encode, overlaps
from twin.data import Arrays, Dataset, crowds
from twin.data.crowd_defaults import VARIANCES
from twin.errors import TwinError

BRIGHTNESSES = np.linspace(0.4, 0.85, 10)
FEWEST = 12  # pixels of a region
SIDES = ((6, 10), (20, 22))  # widths and heights of those that are drawn, from and to
FOREGROUND = 0.5  # a proposal holds the object that it overlaps by so much (Girshick 2015, section 2.3)


def load(count: int = 24, **options: Any) -> Dataset:
    """The scenes of twin.data.crowds with `proposals` (N, count, 4), and what each is to say.

    Args:
        count: proposals of a scene.
        options: of twin.data.crowds.
    """
    if count < 1:
        raise TwinError(f"count must be at least 1, the proposals of a scene; received {count}")
    dataset, random = crowds.load(**options), np.random.default_rng(options.get("seed", 0))
    parts = []
    for part in (dataset.train, dataset.test):
        proposals = np.stack([propose(picture, count, random) for picture in part["x"][..., 0]])
        parts.append({**part, "proposals": proposals, **labelled(part, proposals)})
    return replace(dataset, train=parts[0], test=parts[1])


def propose(picture: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Boxes (count, 4) that may hold something light: what is connected at a brightness, and then boxes at random.

    Args:
        picture: (H, W), from 0 to 1.
        count: of boxes; if there are more regions, some of them are drawn.
        random: draws.

    Raises:
        TwinError: the picture is too small for the boxes that are drawn.
    """
    sides = np.array(picture.shape[::-1])
    if picture.ndim != 2 or (sides < SIDES[1]).any():
        wide, high = SIDES[1]
        raise TwinError(f"expected a picture (H, W) of at least {high} x {wide} pixels; received {picture.shape}")
    found = set()
    for brightness in BRIGHTNESSES:
        regions, _ = ndimage.label(picture >= brightness, structure=np.ones((3, 3)))
        sizes = np.bincount(regions.ravel())
        for number, (rows, columns) in enumerate(ndimage.find_objects(regions), start=1):
            if sizes[number] >= FEWEST:
                found.add((columns.start, rows.start, columns.stop, rows.stop))
    boxes = random.permutation(np.array(sorted(found)).reshape(-1, 4))[:count]
    drawn = random.integers(*SIDES, size=(count - len(boxes), 2), endpoint=True)
    corners = random.integers(0, sides - drawn, endpoint=True)
    boxes = np.concatenate([boxes, np.concatenate([corners, corners + drawn], axis=1)])
    return (boxes / np.tile(sides, 2)).astype(np.float32)


def labelled(scenes: Mapping[str, np.ndarray], proposals: np.ndarray) -> Arrays:
    """What proposals (N, R, 4) are to say of padded `boxes` (N, M, 4) and `classes` (N, M).

    Returns:
        `labels` (N, R), 0 for ground and 1 + class, and `offsets` (N, R, 4), those of the object, divided by VARIANCES.

    Raises:
        TwinError: a proposal is inverted, empty, not finite or outside the picture.
    """
    check(proposals, np.zeros(proposals.shape[:2], int), num_classes=1)
    boxes, classes = scenes["boxes"].astype(np.float64), scenes["classes"]
    labels = np.zeros(proposals.shape[:2], np.int32)
    offsets = np.zeros(proposals.shape, np.float32)
    for row, regions in enumerate(proposals.astype(np.float64)):
        there = classes[row] != PADDING
        if there.any():
            iou = overlaps(regions, boxes[row][there])
            held, best = iou.max(1) >= FOREGROUND, iou.argmax(1)
            labels[row, held] = 1 + classes[row][there][best[held]]
            offsets[row, held] = encode(boxes[row][there][best[held]], regions[held]) / VARIANCES
    return {"labels": labels, "offsets": offsets}


def recall(scenes: Mapping[str, np.ndarray], threshold: float = 0.5) -> float:
    """Share of the objects that a proposal overlaps by `threshold`: no detector that takes them finds more."""
    found = [
        overlaps(boxes[kinds != PADDING].astype(np.float64), proposals.astype(np.float64)).max(1) >= threshold
        for boxes, kinds, proposals in zip(scenes["boxes"], scenes["classes"], scenes["proposals"], strict=True)
    ]
    return float(np.concatenate(found).mean())
