"""Detections against the truth, judged by pycocotools, COCO's own evaluation."""

import contextlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.boxes import PADDING, detections

CONFIDENT = 0.5  # from here on a mask's pixel is set


def average_precision(
    truth: Mapping[str, np.ndarray], boxes: np.ndarray, scores: np.ndarray, masks: np.ndarray | None = None
) -> float:
    """Average precision at an IoU of 0.5, the mean over the classes that occur.

    Args:
        truth: `boxes` (N, M, 4) and `classes` (N, M), padded as in twin.boxes; for masks also `masks` (N, H, W, M).
        boxes: (N, K, 4), or (N, K, classes, 4).
        scores: (N, K, classes).
        masks: (N, H, W, K); their overlap counts then, not that of the boxes.
    """
    annotations: list[dict[str, Any]] = []
    for row, kinds in enumerate(truth["classes"]):
        for number in np.flatnonzero(kinds != PADDING):
            place = _mask(truth["masks"][row, ..., number]) if masks is not None else _box(truth["boxes"][row, number])
            annotations.append({"image_id": row, "category_id": int(kinds[number]), "iscrowd": 0, **place})
    found: list[dict[str, Any]] = []
    for row in range(len(boxes)):
        for place, kind in zip(*detections(boxes[row], scores[row]), strict=True):
            box = boxes[row, place] if boxes.ndim == 3 else boxes[row, place, kind]
            seen = _mask(masks[row, ..., place] >= CONFIDENT) if masks is not None else _box(box)
            about = {"image_id": row, "category_id": int(kind), "score": float(scores[row, place, kind])}
            found.append({**about, **seen})
    picture = {} if masks is None else {"height": masks.shape[1], "width": masks.shape[2]}
    pictures = [{"id": row, **picture} for row in range(len(boxes))]
    return _judged(pictures, annotations, found, "bbox" if masks is None else "segm")


def _judged(
    pictures: list[dict[str, int]], annotations: list[dict[str, Any]], found: list[dict[str, Any]], by: str
) -> float:
    from pycocotools.coco import COCO  # here, so that other metrics do not wait for it
    from pycocotools.cocoeval import COCOeval

    classes = sorted({each["category_id"] for each in annotations})
    shared = {"images": pictures, "categories": [{"id": number} for number in classes]}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        sets = []
        for boxes in (annotations, found):
            each = COCO()
            numbered = [{**box, "id": number} for number, box in enumerate(boxes, start=1)]  # 0 counts as no match
            each.dataset = {**shared, "annotations": numbered}
            each.createIndex()
            sets.append(each)
        judge = COCOeval(*sets, by)
        judge.params.iouThrs = np.array([0.5])
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    heights = judge.eval["precision"][0, :, :, 0, -1]  # (recall points, classes)
    return float(heights.mean())


def _box(box: np.ndarray) -> dict[str, Any]:
    left, top, right, bottom = map(float, box)
    return {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}


def _mask(mask: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as run_lengths

    return {"segmentation": run_lengths.encode(np.asfortranarray(mask, np.uint8)), "area": float(mask.sum())}
