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

from keras import ops

from keras_impl.exercises.detection.box_metrics import overlaps
from keras_impl.exercises.detection.nms import SIDE, draw

STEPS = 10  # of k-means
LARGEST = math.log(1000 / 16)  # of an offset of a side, as in public code, so that no box is infinite
SSD300 = (38, 19, 10, 5, 3, 1)  # sides of its feature maps
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))  # beside 1, and their inverses
DECK = (8, 4)


def run(sizes, start, deck_anchors, deck_strides, areas, ratios, scales, boxes):
    """(N, 2) sizes, (k, 2) centres to start from, anchors by every rule, and (M, 4) true boxes in percent to match."""
    sizes, start = ops.cast(sizes, scales.dtype), ops.cast(start, scales.dtype)
    centres = kmeans(sizes, start, STEPS)
    fits = shape_overlaps(sizes, ops.cast(deck_anchors, scales.dtype))  # (N, 9)

    anchors = default_boxes(DECK, scales[1:4], RATIOS[:2])  # (K, 4)
    boxes = ops.cast(boxes, scales.dtype) / 100
    matched = match(anchors, boxes, 0.5)
    targets = ops.take(boxes, ops.maximum(matched, 0), axis=0)  # (K, 4)
    offsets = encode(targets, anchors)
    positive = ops.cast(matched >= 0, scales.dtype)
    return {
        "kmeans": centres,
        "kmeans_iou": ops.mean(ops.max(shape_overlaps(sizes, centres), axis=1)),
        "start_iou": ops.mean(ops.max(shape_overlaps(sizes, start), axis=1)),
        "stride": ops.take(deck_strides, ops.argmax(fits, axis=1)),
        "scales_and_ratios": scales_and_ratios(areas, ratios),
        "ssd300": default_boxes(SSD300, scales, RATIOS),
        "anchors": anchors,
        "matched": matched,
        "offsets": offsets * positive[:, None],
        "decoded": decode(offsets, anchors),
        "picture_boxes": draw(boxes * SIDE, ops.ones_like(boxes[:, 0])),
        "picture_matched": draw(anchors * SIDE, positive),
    }


def kmeans(sizes, centres, steps):
    """(N, 2) widths and heights and (k, 2) centres to the centres after some steps; IoU says which is nearest."""
    kinds = ops.arange(centres.shape[0], dtype="int32")
    for _ in range(steps):
        nearest = ops.cast(ops.argmax(shape_overlaps(sizes, centres), axis=1), "int32")
        member = ops.cast(nearest == kinds[:, None], sizes.dtype)  # (k, N)
        count = ops.sum(member, axis=1)[:, None]
        mean = ops.matmul(member, sizes) / ops.maximum(count, 1)
        centres = ops.where(count > 0, mean, centres)  # nobody's centre stays where it is
    return centres


def shape_overlaps(sizes, others):
    """IoU of boxes of (N, 2) and (k, 2) widths and heights that share their middle, (N, k)."""
    shared = ops.prod(ops.minimum(sizes[:, None], others), axis=-1)
    return shared / (ops.prod(sizes, axis=-1)[:, None] + ops.prod(others, axis=-1) - shared)


def scales_and_ratios(areas, ratios):
    """Boxes around the origin whose areas are the squares of `areas`, with `ratios` of height to width, (R * S, 4)."""
    width = areas / ops.sqrt(ratios)[:, None]  # (R, S)
    height = areas * ops.sqrt(ratios)[:, None]
    size = ops.reshape(ops.stack([width, height], axis=-1), (-1, 2))  # (R * S, 2)
    return cornered(ops.zeros_like(size), size)


def default_boxes(maps, scales, ratios):
    """Boxes at every place of square feature maps, corners as shares of the picture, (K, 4).

    A place has a square of the map's scale, one between this scale and the next, and two boxes for each ratio. Places
    go from left to right, then down.
    """
    boxes = []
    for side, scale, following, wide in zip(maps, scales[:-1], scales[1:], ratios, strict=True):
        between = ops.sqrt(scale * following)
        shapes = [ops.stack([scale, scale]), ops.stack([between, between])]
        for ratio in wide:
            root = math.sqrt(ratio)
            shapes += [ops.stack([scale * root, scale / root]), ops.stack([scale / root, scale * root])]
        sizes = ops.tile(ops.stack(shapes), (side * side, 1))  # (side * side * shapes, 2)
        middles = (ops.cast(ops.arange(side), scales.dtype) + 0.5) / side
        y, x = ops.meshgrid(middles, middles, indexing="ij")
        centres = ops.reshape(ops.stack([x, y], axis=-1), (-1, 2))  # (side * side, 2)
        boxes.append(cornered(ops.repeat(centres, len(shapes), axis=0), sizes))
    return ops.concatenate(boxes, axis=0)


def match(anchors, boxes, threshold):
    """Which of (M, 4) boxes each of (K, 4) anchors is to find, (K,); -1 for none."""
    _, _, iou = overlaps(anchors, boxes)  # (K, M)
    found = ops.where(ops.max(iou, axis=1) >= threshold, ops.cast(ops.argmax(iou, axis=1), "int32"), -1)
    rows, columns = (ops.arange(each.shape[0], dtype="int32") for each in (anchors, boxes))
    for _ in range(boxes.shape[0]):  # the largest overlap first, so that no box takes another's best anchor
        best = ops.cast(ops.argmax(ops.reshape(iou, (-1,))), "int32")
        row, column = best // boxes.shape[0], best % boxes.shape[0]
        found = ops.where(rows == row, column, found)
        iou = ops.where((rows[:, None] == row) | (columns == column), -1.0, iou)
    return found


def encode(boxes, anchors):
    """Where (..., 4) boxes are, seen from their anchors: the way of the centre in sides, the logarithm of the sides."""
    (centre, size), (anchor, side) = centred(boxes), centred(anchors)
    return ops.concatenate([(centre - anchor) / side, ops.log(size / side)], axis=-1)


def decode(offsets, anchors):
    """The boxes (..., 4) that lie so far from their anchors: the inverse of `encode`."""
    anchor, side = centred(anchors)
    sizes = ops.exp(ops.minimum(offsets[..., 2:], LARGEST)) * side
    return cornered(anchor + offsets[..., :2] * side, sizes)


def centred(boxes):
    """Centres (..., 2), and widths and heights (..., 2), of boxes (..., 4) given by corners."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


def cornered(centres, sizes):
    """Boxes (..., 4) by corners, around centres (..., 2), of widths and heights (..., 2)."""
    return ops.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1)
