"""Masks that are mixtures of prototypes, in NumPy: what metrics and pictures make of them, once for both sides."""

from collections.abc import Mapping

import numpy as np

from twin.boxes import suppress_fast

LEAST, MOST = 0.01, 50  # the lowest score that counts, and boxes of each class that go into the suppression


def instances(outputs: Mapping[str, np.ndarray], height: int, width: int) -> dict[str, np.ndarray]:
    """The objects that a network found, each with its mask (Bolya et al., YOLACT, 2019, sections 3 and 4.2).

    Class by class, Fast NMS says which boxes stay. The mask of each is the sigmoid of the prototypes' sum, weighted by
    its coefficients, cut out by its box and brought to the picture's size by bilinear interpolation.

    Args:
        outputs: `boxes` (N, K, 4), `scores` (N, K, classes), `coefficients` (N, K, k) and `prototypes` (N, h, w, k).
        height, width: of the pictures.

    Returns:
        `boxes` (N, D, 4), `scores` (N, D, classes), 0 where a box stayed for another class or there is none, and
        `masks` (N, height, width, D) from 0 to 1; D is the largest number of boxes that stayed in a picture.
    """
    from scipy.ndimage import zoom

    scores = np.array([_thinned(*each) for each in zip(outputs["boxes"], outputs["scores"], strict=True)])
    found = [np.flatnonzero(each.any(-1)) for each in scores]
    most = max(1, *map(len, found))
    rows, (tall, wide, _) = len(scores), outputs["prototypes"].shape[1:]
    boxes = np.zeros((rows, most, 4), np.float32)
    kept = np.zeros((rows, most, scores.shape[-1]), np.float32)
    masks = np.zeros((rows, height, width, most), np.float32)
    for row, places in enumerate(found):
        boxes[row, : len(places)] = outputs["boxes"][row, places]
        kept[row, : len(places)] = scores[row, places]
        logits = outputs["prototypes"][row] @ outputs["coefficients"][row, places].T  # (h, w, found)
        small = np.exp(-np.logaddexp(0, -logits)) * _inside(boxes[row, : len(places)], tall, wide)
        if len(places):
            larger = (height / tall, width / wide, 1)
            masks[row, ..., : len(places)] = zoom(small, larger, order=1, grid_mode=True, mode="nearest")
    return {"boxes": boxes, "scores": kept, "masks": masks}


def _thinned(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores (K, classes), 0 for those boxes (K, 4) that do not stay."""
    whole = np.isfinite(boxes).all(-1, keepdims=True)
    scores = np.where(np.isfinite(scores) & whole & (scores >= LEAST), scores, 0)
    kept = np.zeros_like(scores)
    for kind in range(scores.shape[1]):
        best = np.argsort(-scores[:, kind], kind="stable")[:MOST]
        stay = best[suppress_fast(boxes[best], scores[best, kind])]
        kept[stay, kind] = scores[stay, kind]
    return kept


def _inside(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which places of (height, width, N) have their middle in the boxes (N, 4)."""
    rows, columns = (np.arange(height)[:, None, None] + 0.5) / height, (np.arange(width)[:, None] + 0.5) / width
    left, top, right, bottom = boxes.T
    return (columns > left) & (columns < right) & (rows > top) & (rows < bottom)
