"""Boxes in NumPy: what data and metrics do with them, once for both sides.

A box is (left, top, right, bottom) as shares of the picture's sides. Pictures hold different numbers of objects, so
`boxes` (N, M, 4), `classes` (N, M) and `masks` (N, H, W, M) are filled up behind the last object: boxes and classes
with PADDING, masks with 0.
"""

from collections.abc import Sequence

import numpy as np

from twin.errors import TwinError

PADDING = -1


def check(boxes: np.ndarray, classes: np.ndarray, num_classes: int, masks: np.ndarray | None = None) -> None:
    """Refuse objects that no detector can be trained on; a picture without an object is right.

    Args:
        boxes: (N, M, 4).
        classes: (N, M), from 0.
        num_classes: how many there are.
        masks: (N, H, W, M), if there are any.

    Raises:
        TwinError: one line that names the first picture and object that are wrong.
    """
    if boxes.ndim != 3 or boxes.shape[2] != 4 or classes.shape != boxes.shape[:2]:
        raise TwinError(f"expected boxes (N, M, 4) and classes (N, M); received {boxes.shape} and {classes.shape}")
    if masks is not None and (masks.ndim != 4 or (len(masks), masks.shape[3]) != classes.shape):
        pictures, most = classes.shape
        raise TwinError(f"expected masks ({pictures}, H, W, {most}), one for each box; received {masks.shape}")
    there = classes != PADDING
    before = np.pad(there[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    _refuse(there & ~before, classes, "stands behind padding; put objects first")
    _refuse(there & ((classes < 0) | (classes >= num_classes)), classes, f"is no class from 0 to {num_classes - 1}")
    _refuse(there & ~np.isfinite(boxes).all(-1), boxes, "is not finite")
    _refuse(there & (boxes[..., :2] > boxes[..., 2:]).any(-1), boxes, "is inverted; give left, top, right, bottom")
    _refuse(there & (boxes[..., :2] == boxes[..., 2:]).any(-1), boxes, "is empty; leave it out")
    outside = ((boxes < 0) | (boxes > 1)).any(-1)
    _refuse(there & outside, boxes, "leaves the picture; give shares of its sides, from 0 to 1, or clip it")
    if masks is not None:
        _refuse(there & ~masks.any((1, 2)), boxes, "has a mask without a pixel; leave it out")


def padded(
    boxes: Sequence[np.ndarray], classes: Sequence[np.ndarray], most: int, num_classes: int
) -> dict[str, np.ndarray]:
    """Each picture's boxes (objects, 4) and classes (objects,), filled up to `most` objects, and checked.

    Raises:
        TwinError: when a picture has more objects, or one of them is wrong.
    """
    if over := [row for row, each in enumerate(classes) if len(each) > most]:
        raise TwinError(
            f"picture {over[0]} has {len(classes[over[0]])} objects, the padding holds {most}: "
            "give `most` a larger number"
        )
    out = {
        "boxes": np.full((len(boxes), most, 4), PADDING, np.float32),
        "classes": np.full((len(boxes), most), PADDING, np.int32),
    }
    for row, (places, kinds) in enumerate(zip(boxes, classes, strict=True)):
        out["boxes"][row, : len(kinds)] = np.reshape(places, (-1, 4))
        out["classes"][row, : len(kinds)] = kinds
    check(**out, num_classes=num_classes)
    return out


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of (M, 4) and (N, 4) boxes, (M, N)."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum(boxes[:, None, 2:], others[:, 2:])
    shared = (high - low).clip(0).prod(-1)
    areas = [(each[:, 2:] - each[:, :2]).prod(-1) for each in (boxes, others)]
    return shared / (areas[0][:, None] + areas[1] - shared).clip(1e-12)


def match(anchors: np.ndarray, boxes: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Which of (N, 4) true boxes each of (K, 4) anchors is to find, (K,); -1 where it is to find none.

    An anchor takes the box that it overlaps most, if by at least `threshold`; and before all others, each box gets the
    anchor that overlaps it most, however little that is (Liu et al. 2016, section 2.2).
    """
    if not len(boxes):
        return np.full(len(anchors), -1)
    iou = overlaps(anchors, boxes)
    found = np.where(iou.max(1) >= threshold, iou.argmax(1), -1)
    for _ in range(len(boxes)):  # the largest overlap first, so that no box takes another's best anchor
        anchor, box = np.unravel_index(iou.argmax(), iou.shape)
        found[anchor] = box
        iou[anchor], iou[:, box] = -1, -1
    return found


def encode(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Where (..., 4) boxes are, seen from their anchors: the centre's way in sides, and the logarithm of the sides."""
    (centre, size), (anchor, side) = centred(boxes), centred(anchors)
    return np.concatenate([(centre - anchor) / side, np.log(size / side)], axis=-1)


def centred(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (..., 2) and widths and heights (..., 2) of boxes (..., 4)."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


def cornered(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Boxes (..., 4) around centres (..., 2), of widths and heights (..., 2)."""
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1)


def suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Non-maximum suppression: which of (K, 4) boxes stay, best score first.

    A box goes if it overlaps a better one that stayed by more than `threshold`; of equal scores the first is better.
    """
    order = np.argsort(-scores, kind="stable")
    iou = overlaps(boxes, boxes)
    kept: list[int] = []
    for number in order:
        if not (iou[number, kept] > threshold).any():
            kept.append(int(number))
    return np.array(kept, int)


def suppress_fast(boxes: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Fast NMS (Bolya et al., YOLACT, 2019, section 4.2): which of (K, 4) boxes stay, best score first.

    A box goes if it overlaps a better one by more than `threshold`, whether that one stayed or not.
    """
    order = np.argsort(-scores, kind="stable")
    iou = np.triu(overlaps(boxes[order], boxes[order]), 1)  # (K, K): a row for each better one
    return order[(iou <= threshold).all(0)]


def detections(
    boxes: np.ndarray, scores: np.ndarray, least: float = 0.01, most: int = 50, threshold: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """What a detector found in one picture: boxes and classes as places in its `scores`, best first.

    Args:
        boxes: (K, 4), for all classes; or (K, classes, 4).
        scores: (K, classes), from 0 to 1.
        least: the lowest score that counts.
        most: boxes of each class that go into the suppression.
        threshold: of the suppression, class by class.

    Returns:
        `places` and `kinds`, (found,) each.
    """
    scores = np.where(np.isfinite(scores), scores, 0)
    places, kinds = [], []
    for kind in range(scores.shape[1]):
        each = boxes if boxes.ndim == 2 else boxes[:, kind]
        best = np.argsort(-scores[:, kind], kind="stable")[:most]
        best = best[(scores[best, kind] >= least) & np.isfinite(each[best]).all(-1)]
        kept = best[suppress(each[best], scores[best, kind], threshold)]
        places.append(kept)
        kinds.append(np.full(len(kept), kind))
    found, their = np.concatenate(places), np.concatenate(kinds)
    order = np.argsort(-scores[found, their], kind="stable")
    return found[order], their[order]


def _refuse(wrong: np.ndarray, values: np.ndarray, why: str) -> None:
    if wrong.any():
        row, number = (int(place) for place in np.argwhere(wrong)[0])
        value = values[row, number]
        told = tuple(float(f"{side:.6g}") for side in value) if value.ndim else int(value)
        raise TwinError(f"picture {row}, object {number}: {'box' if value.ndim else 'class'} {told} {why}")
