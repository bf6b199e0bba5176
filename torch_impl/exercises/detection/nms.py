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

import torch

from torch_impl.exercises.detection.box_metrics import overlaps

SIDE = 64  # pixels of a picture


def run(boxes, scores, classes, threshold, sigma):
    """(K, 4) boxes with corners x1, y1, x2, y2, (K,) classes, (K,) scores and a threshold in percent, to what stays."""
    boxes = boxes.to(sigma.dtype)
    scores = scores.to(sigma.dtype) / 100
    threshold = threshold.to(sigma.dtype) / 100

    order, stays = suppress(boxes, scores, threshold)
    kept = order[stays]
    class_order, class_stays = suppress(apart(boxes, classes), scores, threshold)
    class_kept = class_order[class_stays]
    fast_order, fast_stays = suppress_fast(boxes, scores, threshold)
    fast_kept = fast_order[fast_stays]
    soft_order, soft_scores = soften(boxes, scores, sigma)

    return {
        "order": order.int(),
        "stays": stays.int(),
        "kept": kept.int(),
        "count": torch.sum(stays).int(),
        "kept_by_class": class_kept.int(),
        "kept_fast": fast_kept.int(),
        "soft_order": soft_order.int(),
        "soft_scores": soft_scores,
        "picture_before": draw(boxes, scores),
        "picture_after": draw(boxes[kept], scores[kept]),
        "picture_after_by_class": draw(boxes[class_kept], scores[class_kept]),
        "picture_after_fast": draw(boxes[fast_kept], scores[fast_kept]),
        "picture_after_soft": draw(boxes[soft_order], soft_scores),
    }


def suppress(boxes, scores, threshold):
    """The places of the boxes from the best score down, (K,), and which of these stay, (K,)."""
    order = torch.argsort(-scores, stable=True)
    boxes = boxes[order]
    _, _, iou = overlaps(boxes, boxes)  # (K, K)
    ranks = torch.arange(boxes.shape[0], device=boxes.device)
    stays = torch.ones(boxes.shape[0], dtype=torch.bool, device=boxes.device)

    for rank in range(boxes.shape[0]):  # differs: PyTorch loops in Python
        worse = (ranks > rank) & (iou[rank] > threshold)
        stays = stays & ~(worse & stays[rank])
    return order, stays


def apart(boxes, classes):
    """Each class's boxes moved along the diagonal, so far that no two classes overlap."""
    far = torch.max(boxes) - torch.min(boxes) + 1
    return boxes + classes.to(boxes.dtype)[:, None] * far


def suppress_fast(boxes, scores, threshold):
    """The places of the boxes from the best score down, (K,), and which overlap none of the better ones, (K,)."""
    order = torch.argsort(-scores, stable=True)
    boxes = boxes[order]
    _, _, iou = overlaps(boxes, boxes)  # (K, K)
    return order, torch.all(torch.triu(iou, diagonal=1) <= threshold, dim=0)


def soften(boxes, scores, sigma):
    """The places of the boxes in the order in which they are taken, (K,), and the scores that they then have, (K,)."""
    _, _, iou = overlaps(boxes, boxes)
    ranks = torch.arange(boxes.shape[0], device=boxes.device)
    left, order, taken = scores, [], []
    for _ in range(boxes.shape[0]):
        best = torch.argmax(left)
        order.append(best)
        taken.append(left[best])
        left = left * torch.exp(-torch.square(iou[best]) / sigma)
        left = torch.where(ranks == best, -1.0, left)
    return torch.stack(order), torch.stack(taken)


def draw(boxes, brightness):
    """(SIDE, SIDE): the outline of each box in its own brightness, one pixel wide; boxes are in pixels."""
    places = torch.arange(SIDE, dtype=boxes.dtype, device=boxes.device) + 0.5
    left, top, right, bottom = (boxes[:, side, None] for side in range(4))
    across, down = (places > left) & (places < right), (places > top) & (places < bottom)  # (K, SIDE)
    inner_across, inner_down = (places > left + 1) & (places < right - 1), (places > top + 1) & (places < bottom - 1)
    outline = (down[:, :, None] & across[:, None]) & ~(inner_down[:, :, None] & inner_across[:, None])
    return torch.amax(outline.to(boxes.dtype) * brightness[:, None, None], dim=0)
