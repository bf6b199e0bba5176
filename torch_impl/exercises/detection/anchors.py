"""Anchors: boxes of given shapes all over the picture, from which a detector measures its own.

A network does not predict four edges out of nothing. It says how far an object is from a box that was there before. The
shapes of these boxes come from the data, by k-means with 1 - IoU as the distance (YOLO, from version 2 on); from a few
scales and ratios (the nine anchors of Faster R-CNN); or from a scale for each feature map (the default boxes of SSD: a
coarse map has few large ones, a fine map many small ones). For training, each true box is given the anchor that
overlaps it most, however little that is; then every anchor with an overlap of at least 0.5 is given the box that it
overlaps most. Only these learn coordinates. All others learn that they see background.

Redmon and Farhadi, "YOLO9000: better, faster, stronger" (2017), section 2; Ren et al., "Faster R-CNN" (2015),
sections 3.1.1 and 3.1.2; Liu et al., "SSD: single shot multibox detector" (2016), section 2.2.

Slides: deck A: three anchors at a place, k-means, offsets that are added; feature maps of 8x8 and 4x4; matching at
0.5; the nine anchors of YOLOv5's configuration, three for each of the strides 8, 16 and 32.
"""

import math

import torch

from torch_impl.exercises.detection.box_metrics import overlaps
from torch_impl.exercises.detection.nms import SIDE, draw

STEPS = 10  # of k-means
LARGEST = math.log(1000 / 16)  # of an offset of a side, as in public code, so that no box is infinite
SSD300 = (38, 19, 10, 5, 3, 1)  # sides of its feature maps
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))  # beside 1, and their inverses
DECK = (8, 4)


def run(sizes, start, deck_anchors, deck_strides, areas, ratios, scales, boxes):
    """(N, 2) sizes, (k, 2) centres to start from, anchors by every rule, and (M, 4) true boxes in percent to match."""
    sizes, start = sizes.to(scales.dtype), start.to(scales.dtype)
    centres = kmeans(sizes, start, STEPS)
    fits = shape_overlaps(sizes, deck_anchors.to(scales.dtype))  # (N, 9)

    anchors = default_boxes(DECK, scales[1:4], RATIOS[:2])  # (K, 4)
    boxes = boxes.to(scales.dtype) / 100
    matched = match(anchors, boxes, 0.5)
    targets = boxes[torch.clamp(matched, min=0)]  # (K, 4)
    offsets = encode(targets, anchors)
    positive = (matched >= 0).to(scales.dtype)
    return {
        "kmeans": centres,
        "kmeans_iou": torch.mean(torch.amax(shape_overlaps(sizes, centres), dim=1)),
        "start_iou": torch.mean(torch.amax(shape_overlaps(sizes, start), dim=1)),
        "stride": deck_strides[torch.argmax(fits, dim=1)].int(),
        "scales_and_ratios": scales_and_ratios(areas, ratios),
        "ssd300": default_boxes(SSD300, scales, RATIOS),
        "anchors": anchors,
        "matched": matched.int(),
        "offsets": offsets * positive[:, None],
        "decoded": decode(offsets, anchors),
        "picture_boxes": draw(boxes * SIDE, torch.ones_like(boxes[:, 0])),
        "picture_matched": draw(anchors * SIDE, positive),
    }


def kmeans(sizes, centres, steps):
    """(N, 2) widths and heights and (k, 2) centres to the centres after some steps; IoU says which is nearest."""
    kinds = torch.arange(centres.shape[0], device=centres.device)
    for _ in range(steps):
        nearest = torch.argmax(shape_overlaps(sizes, centres), dim=1)
        member = (nearest == kinds[:, None]).to(sizes.dtype)  # (k, N)
        count = torch.sum(member, dim=1)[:, None]
        mean = torch.matmul(member, sizes) / torch.clamp(count, min=1)
        centres = torch.where(count > 0, mean, centres)  # nobody's centre stays where it is
    return centres


def shape_overlaps(sizes, others):
    """IoU of boxes of (N, 2) and (k, 2) widths and heights that share their middle, (N, k)."""
    shared = torch.prod(torch.minimum(sizes[:, None], others), dim=-1)
    return shared / (torch.prod(sizes, dim=-1)[:, None] + torch.prod(others, dim=-1) - shared)


def scales_and_ratios(areas, ratios):
    """Boxes around the origin whose areas are the squares of `areas`, with `ratios` of height to width, (R * S, 4)."""
    width = areas / torch.sqrt(ratios)[:, None]  # (R, S)
    height = areas * torch.sqrt(ratios)[:, None]
    size = torch.reshape(torch.stack([width, height], dim=-1), (-1, 2))  # (R * S, 2)
    return cornered(torch.zeros_like(size), size)


def default_boxes(maps, scales, ratios):
    """Boxes at every place of square feature maps, corners as shares of the picture, (K, 4).

    A place has a square of the map's scale, one between this scale and the next, and two boxes for each ratio. Places
    go from left to right, then down.
    """
    boxes = []
    for side, scale, following, wide in zip(maps, scales[:-1], scales[1:], ratios, strict=True):
        between = torch.sqrt(scale * following)
        shapes = [torch.stack([scale, scale]), torch.stack([between, between])]
        for ratio in wide:
            root = math.sqrt(ratio)
            shapes += [torch.stack([scale * root, scale / root]), torch.stack([scale / root, scale * root])]
        sizes = torch.tile(torch.stack(shapes), (side * side, 1))  # (side * side * shapes, 2)
        middles = (torch.arange(side, dtype=scales.dtype, device=scales.device) + 0.5) / side
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        centres = torch.reshape(torch.stack([x, y], dim=-1), (-1, 2))  # (side * side, 2)
        boxes.append(cornered(torch.repeat_interleave(centres, len(shapes), dim=0), sizes))
    return torch.cat(boxes, dim=0)


def match(anchors, boxes, threshold):
    """Which of (M, 4) boxes each of (K, 4) anchors is to find, (K,); -1 for none."""
    _, _, iou = overlaps(anchors, boxes)  # (K, M)
    found = torch.where(torch.amax(iou, dim=1) >= threshold, torch.argmax(iou, dim=1), -1)
    rows, columns = (torch.arange(each.shape[0], device=each.device) for each in (anchors, boxes))
    for _ in range(boxes.shape[0]):  # the largest overlap first, so that no box takes another's best anchor
        best = torch.argmax(torch.reshape(iou, (-1,)))
        row, column = best // boxes.shape[0], best % boxes.shape[0]
        found = torch.where(rows == row, column, found)
        iou = torch.where((rows[:, None] == row) | (columns == column), -1.0, iou)
    return found


def encode(boxes, anchors):
    """Where (..., 4) boxes are, seen from their anchors: the way of the centre in sides, the logarithm of the sides."""
    (centre, size), (anchor, side) = centred(boxes), centred(anchors)
    return torch.cat([(centre - anchor) / side, torch.log(size / side)], dim=-1)


def decode(offsets, anchors):
    """The boxes (..., 4) that lie so far from their anchors: the inverse of `encode`."""
    anchor, side = centred(anchors)
    sizes = torch.exp(torch.clamp(offsets[..., 2:], max=LARGEST)) * side
    return cornered(anchor + offsets[..., :2] * side, sizes)


def centred(boxes):
    """Centres (..., 2), and widths and heights (..., 2), of boxes (..., 4) given by corners."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


def cornered(centres, sizes):
    """Boxes (..., 4) by corners, around centres (..., 2), of widths and heights (..., 2)."""
    return torch.cat([centres - sizes / 2, centres + sizes / 2], dim=-1)
