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

import torch


def run(thresholds, classes, truth_boxes, truth_image, truth_class, boxes, box_image, box_class, score):
    """(N, 4) true and (M, 4) detected boxes, corners x1, y1, x2, y2, to overlaps (M, N) and average precisions.

    `thresholds` are T, `classes` K; each class has at least one object, and no two scores are equal.
    """
    precision, recall, iou = overlaps(boxes, truth_boxes)
    same_image = (box_image[:, None] == truth_image).to(boxes.dtype)  # (M, N)
    same_class = (box_class[:, None] == truth_class).to(boxes.dtype)

    order = torch.argsort(-score)
    candidates = (iou * same_image * same_class)[order]
    true_positives = match(candidates, thresholds)  # (T, M)
    of_class = box_class[order] == classes[:, None]  # (K, M)
    objects = torch.sum(truth_class == classes[:, None], dim=1)  # (K,)
    ap, ar = average(true_positives, of_class, objects, boxes.dtype)  # (T, K) each

    return {
        "area_precision": precision * same_image,
        "area_recall": recall * same_image,
        "iou": iou * same_image,
        "true_positives": true_positives.int(),
        "ap": ap,
        "ap_per_class": torch.mean(ap, dim=0),
        "map": torch.mean(ap),
        "ap50": torch.mean(ap[0]),
        "ar": torch.mean(ar),
    }


def overlaps(boxes, truth_boxes):
    """Of each pair of boxes: the shared area over the detected area, over the true one, over the union; (M, N)."""
    low = torch.maximum(boxes[:, None, :2], truth_boxes[:, :2])  # (M, N, 2)
    high = torch.minimum(boxes[:, None, 2:], truth_boxes[:, 2:])
    shared = torch.prod(torch.clamp(high - low, min=0), dim=-1)  # (M, N)
    detected = torch.prod(boxes[:, 2:] - boxes[:, :2], dim=-1)[:, None]  # (M, 1)
    true = torch.prod(truth_boxes[:, 2:] - truth_boxes[:, :2], dim=-1)  # (N,)
    return shared / detected, shared / true, shared / (detected + true - shared)


def match(candidates, thresholds):
    """(M, N) overlaps, most confident box first, and (T,) thresholds: which boxes are true positives, (T, M)."""
    objects = torch.arange(candidates.shape[1], device=candidates.device)
    free = torch.ones((thresholds.shape[0], candidates.shape[1]), dtype=torch.bool, device=candidates.device)
    true_positives = []
    for overlap in candidates:
        allowed = torch.where(free & (overlap >= thresholds[:, None]), overlap, -torch.ones_like(overlap))  # (T, N)
        best = torch.argmax(allowed, dim=1)
        hit = torch.amax(allowed, dim=1) > 0
        free = free & ~(hit[:, None] & (objects == best[:, None]))
        true_positives.append(hit)
    return torch.stack(true_positives, dim=1)


def average(true_positives, of_class, objects, dtype):
    """Average precision and final recall per threshold and class, (T, K), from boxes in order of confidence."""
    true = torch.cumsum(true_positives[:, None] & of_class, dim=-1)  # (T, K, M)
    taken = torch.cumsum(of_class, dim=-1)  # (K, M)
    precision = true.to(dtype) / torch.clamp(taken, min=1).to(dtype)  # (T, K, M)

    percent = torch.arange(101, device=true_positives.device)[:, None]  # recall points
    reached = 100 * true[:, :, None] >= percent * objects[:, None, None]  # (T, K, 101, M)
    height = torch.amax(torch.where(reached, precision[:, :, None], torch.zeros_like(precision[:, :, None])), dim=-1)
    recall = true[..., -1].to(dtype) / objects.to(dtype)
    return torch.mean(height, dim=-1), recall
