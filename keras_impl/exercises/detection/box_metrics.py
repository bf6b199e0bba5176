"""How well a detector finds objects: areas, then the average precision of COCO.

One box against one object is a matter of areas. A detector is judged over all its boxes: from the most
confident down, each takes the free object of its class that it overlaps most, if the overlap (IoU) reaches a
threshold; what finds none is a false positive. Precision over recall is a curve, its mean height the average
precision (AP).

Lin et al., "Microsoft COCO: common objects in context" (2014), and its evaluation code: ten thresholds, 101
recall points, the mean over classes (mAP); AR is the mean recall that is reached. Departures: no crowds, no
size ranges, no limit of 100 boxes an image, and recall points are compared in whole numbers.

Slides: deck C, "performance evaluation": precision, recall and IoU as areas, mAP, AR; deck A, IoU.
"""

from keras import ops


def run(thresholds, classes, truth_boxes, truth_image, truth_class, boxes, box_image, box_class, score):
    """(N, 4) true and (M, 4) detected boxes, corners x1, y1, x2, y2, to overlaps (M, N) and average precisions.

    `thresholds` are T, `classes` K; each class has at least one object, and no two scores are equal.
    """
    precision, recall, iou = overlaps(boxes, truth_boxes)
    same_image = ops.cast(box_image[:, None] == truth_image, boxes.dtype)  # (M, N)
    same_class = ops.cast(box_class[:, None] == truth_class, boxes.dtype)

    order = ops.argsort(-score)
    candidates = ops.take(iou * same_image * same_class, order, axis=0)
    true_positives = match(candidates, thresholds)  # (T, M)
    of_class = ops.take(box_class, order, axis=0) == classes[:, None]  # (K, M)
    objects = ops.sum(ops.cast(truth_class == classes[:, None], "int32"), axis=1)  # (K,)
    ap, ar = average(true_positives, of_class, objects, boxes.dtype)  # (T, K) each

    return {
        "area_precision": precision * same_image,
        "area_recall": recall * same_image,
        "iou": iou * same_image,
        "true_positives": ops.cast(true_positives, "int32"),
        "ap": ap,
        "ap_per_class": ops.mean(ap, axis=0),
        "map": ops.mean(ap),
        "ap50": ops.mean(ap[0]),
        "ar": ops.mean(ar),
    }


def overlaps(boxes, truth_boxes):
    """Of each pair of boxes: the shared area over the detected area, over the true one, over the union; (M, N)."""
    low = ops.maximum(boxes[:, None, :2], truth_boxes[:, :2])  # (M, N, 2)
    high = ops.minimum(boxes[:, None, 2:], truth_boxes[:, 2:])
    shared = ops.prod(ops.maximum(high - low, 0), axis=-1)  # (M, N)
    detected = ops.prod(boxes[:, 2:] - boxes[:, :2], axis=-1)[:, None]  # (M, 1)
    true = ops.prod(truth_boxes[:, 2:] - truth_boxes[:, :2], axis=-1)  # (N,)
    return shared / detected, shared / true, shared / (detected + true - shared)


def match(candidates, thresholds):
    """(M, N) overlaps, most confident box first, and (T,) thresholds: which boxes are true positives, (T, M)."""
    objects = ops.arange(candidates.shape[1], dtype="int32")
    free = ops.ones((thresholds.shape[0], candidates.shape[1]), dtype="bool")
    true_positives = []
    for overlap in candidates:
        allowed = ops.where(free & (overlap >= thresholds[:, None]), overlap, -ops.ones_like(overlap))  # (T, N)
        best = ops.cast(ops.argmax(allowed, axis=1), "int32")
        hit = ops.max(allowed, axis=1) > 0
        free = free & ~(hit[:, None] & (objects == best[:, None]))
        true_positives.append(hit)
    return ops.stack(true_positives, axis=1)


def average(true_positives, of_class, objects, dtype):
    """Average precision and final recall per threshold and class, (T, K), from boxes in order of confidence."""
    true = ops.cumsum(ops.cast(true_positives[:, None] & of_class, "int32"), axis=-1)  # (T, K, M)
    taken = ops.cumsum(ops.cast(of_class, "int32"), axis=-1)  # (K, M)
    precision = ops.cast(true, dtype) / ops.cast(ops.maximum(taken, 1), dtype)  # (T, K, M)

    percent = ops.arange(101, dtype="int32")[:, None]  # recall points
    reached = 100 * true[:, :, None] >= percent * objects[:, None, None]  # (T, K, 101, M)
    height = ops.max(ops.where(reached, precision[:, :, None], ops.zeros_like(precision[:, :, None])), axis=-1)
    recall = ops.cast(true[..., -1], dtype) / ops.cast(objects, dtype)
    return ops.mean(height, axis=-1), recall
