"""Non-maximum suppression: of boxes that overlap, only the best stays.

A detector finds one object many times. Boxes are taken in the order of their scores; each that stays removes those
behind it that overlap it by more than a threshold. Boxes of different classes do not remove each other: it is done
class by class, in one pass if each class is first moved to a place of its own. Soft suppression removes nothing and
lowers the score instead, the more the larger the overlap, so that two objects close together are both found. Fast
suppression lets boxes that went themselves remove others too: that removes more, and needs no loop.

Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation" (2014), section 2.2;
Bodla et al., "Soft-NMS: improving object detection with one line of code" (2017), section 3, the Gaussian form; Bolya
et al., "YOLACT: real-time instance segmentation" (2019), section 4.2, Fast NMS.

An overlap of exactly the threshold does not remove, and of equal scores the first in the list is the better one: a sort
that is not stable would choose another box on each framework. The number of boxes that stay is not known before, so the
result is a mask over all boxes, as compiled programs need it.

Slides: deck A, "Bounding Box Refinement (Detection after NMS)".
"""

from keras import ops

from keras_impl.exercises.detection.box_metrics import overlaps

SIDE = 64  # pixels of a picture


def run(boxes, scores, classes, threshold, sigma):
    """(K, 4) boxes with corners x1, y1, x2, y2, (K,) classes, (K,) scores and a threshold in percent, to what stays."""
    boxes = ops.cast(boxes, sigma.dtype)
    scores = ops.cast(scores, sigma.dtype) / 100
    threshold = ops.cast(threshold, sigma.dtype) / 100

    order, stays = suppress(boxes, scores, threshold)
    kept = order[stays]
    class_order, class_stays = suppress(apart(boxes, classes), scores, threshold)
    class_kept = class_order[class_stays]
    fast_order, fast_stays = suppress_fast(boxes, scores, threshold)
    fast_kept = fast_order[fast_stays]
    soft_order, soft_scores = soften(boxes, scores, sigma)

    return {
        "order": order,
        "stays": ops.cast(stays, "int32"),
        "kept": kept,
        "count": ops.sum(ops.cast(stays, "int32")),
        "kept_by_class": class_kept,
        "kept_fast": fast_kept,
        "soft_order": soft_order,
        "soft_scores": soft_scores,
        "picture_before": draw(boxes, scores),
        "picture_after": draw(ops.take(boxes, kept, axis=0), ops.take(scores, kept)),
        "picture_after_by_class": draw(ops.take(boxes, class_kept, axis=0), ops.take(scores, class_kept)),
        "picture_after_fast": draw(ops.take(boxes, fast_kept, axis=0), ops.take(scores, fast_kept)),
        "picture_after_soft": draw(ops.take(boxes, soft_order, axis=0), soft_scores),
    }


def suppress(boxes, scores, threshold):
    """The places of the boxes from the best score down, (K,), and which of these stay, (K,)."""
    order = ops.cast(ops.argsort(-scores), "int32")
    boxes = ops.take(boxes, order, axis=0)
    _, _, iou = overlaps(boxes, boxes)  # (K, K)
    ranks = ops.arange(boxes.shape[0], dtype="int32")
    stays = ops.ones(boxes.shape[0], dtype="bool")

    def remove(rank, stays):  # differs: one loop in a compiled program, not a copy of its body for each box
        worse = (ranks > rank) & (iou[rank] > threshold)
        return stays & ~(worse & stays[rank])

    stays = ops.fori_loop(0, boxes.shape[0], remove, stays)  # differs: PyTorch loops in Python
    return order, stays


def apart(boxes, classes):
    """Each class's boxes moved along the diagonal, so far that no two classes overlap."""
    far = ops.max(boxes) - ops.min(boxes) + 1
    return boxes + ops.cast(classes, boxes.dtype)[:, None] * far


def suppress_fast(boxes, scores, threshold):
    """The places of the boxes from the best score down, (K,), and which overlap none of the better ones, (K,)."""
    order = ops.cast(ops.argsort(-scores), "int32")
    boxes = ops.take(boxes, order, axis=0)
    _, _, iou = overlaps(boxes, boxes)  # (K, K)
    return order, ops.all(ops.triu(iou, k=1) <= threshold, axis=0)


def soften(boxes, scores, sigma):
    """The places of the boxes in the order in which they are taken, (K,), and the scores that they then have, (K,)."""
    _, _, iou = overlaps(boxes, boxes)
    ranks = ops.arange(boxes.shape[0], dtype="int32")
    left, order, taken = scores, [], []
    for _ in range(boxes.shape[0]):
        best = ops.cast(ops.argmax(left), "int32")
        order.append(best)
        taken.append(left[best])
        left = left * ops.exp(-ops.square(iou[best]) / sigma)
        left = ops.where(ranks == best, -1.0, left)
    return ops.stack(order), ops.stack(taken)


def draw(boxes, brightness):
    """(SIDE, SIDE): the outline of each box in its own brightness, one pixel wide; boxes are in pixels."""
    places = ops.cast(ops.arange(SIDE), boxes.dtype) + 0.5
    left, top, right, bottom = (boxes[:, side, None] for side in range(4))
    across, down = (places > left) & (places < right), (places > top) & (places < bottom)  # (K, SIDE)
    inner_across, inner_down = (places > left + 1) & (places < right - 1), (places > top + 1) & (places < bottom - 1)
    outline = (down[:, :, None] & across[:, None]) & ~(inner_down[:, :, None] & inner_across[:, None])
    return ops.max(ops.cast(outline, boxes.dtype) * brightness[:, None, None], axis=0)
