"""Faster R-CNN: one network proposes regions, another says what they hold, and both look at the same features.

Ren, He, Girshick and Sun, "Faster R-CNN: towards real-time object detection with region proposal networks" (2015),
section 3. On the last feature map a 3x3 convolution slides, the region proposal network. At each place it says of nine
anchors whether they hold an object and how far it lies from them. The best of these boxes that do not overlap too much
are the proposals. From each, whatever its size, features of one size are taken, and two dense layers say its class,
the ground among them, and move it once more, for each class in its own way (Girshick, "Fast R-CNN", 2015, section 2).

Four losses are trained together: softmax and smooth L1 of the anchors, softmax and smooth L1 of the proposals. Most
anchors lie on the ground, and so a sample of them learns, of which up to half hold objects; of the proposals up to a
quarter. Which of them are sampled, random numbers decide that are drawn for each step. No gradient goes through the
choice of the proposals, nor through their edges.

Departures: features are taken by RoIAlign (He et al., "Mask R-CNN", 2017, section 3) with two by two samples a bin,
where the paper rounds to whole pixels. The number of proposals is fixed: where fewer are left by suppression, the best
of those that it removed fill up. In training the true boxes are among them. Both stages are trained in each step, by
the section's "approximate joint training". Anchors that leave the picture learn too. What the anchors are to say comes
with the batch. Weights are drawn, where the paper begins with VGG's from ImageNet.

Slides: deck C, "Faster R-CNN", by its speed and mAP beside Mask R-CNN and YOLO.
"""

from itertools import pairwise

import keras
from keras import layers, ops

from keras_impl.exercises.detection.anchors import decode, encode, scales_and_ratios
from keras_impl.models.detection.ssd import VARIANCES, conv3x3, joined
from keras_impl.saving import serializable
from twin.shapes import check_multiple, check_proposals
from twin.spec import Phase

OVERLAP = 0.7  # proposals that overlap a better one by more are removed
OBJECT = 0.5  # proposals that overlap a true box by so much are to find it
BETA = 1 / 9  # where smooth L1 of the anchors' offsets becomes linear


class RPN(layers.Layer):
    """The region proposal network: for each anchor at each place, whether it holds an object, and its offsets.

    Args:
        channels: of the features, and of the 3x3 convolution.
        anchors: at each place.
    """

    def __init__(self, channels, anchors):
        super().__init__()
        self.conv = conv3x3(channels, channels)
        self.logits = layers.Conv2D(2 * anchors, kernel_size=1)
        self.offsets = layers.Conv2D(4 * anchors, kernel_size=1)

    def call(self, x):
        """(B, H, W, channels) features to logits (B, K, 2), ground and object, and offsets (B, K, 4)."""
        x = ops.relu(self.conv(x))
        return joined([self.logits(x)], 2), joined([self.offsets(x)], 4)


class Head(layers.Layer):
    """Two dense layers on the features of a region, then its classes and, for each class, its offsets.

    Args:
        num_features: of a region.
        hidden: units of the dense layers.
        num_classes: with the ground, which comes first.
    """

    def __init__(self, num_features, hidden, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.fc6 = layers.Dense(hidden)
        self.fc7 = layers.Dense(hidden)
        self.logits = layers.Dense(num_classes)
        self.offsets = layers.Dense(4 * num_classes)

    def call(self, x):
        """(B, R, size, size, channels) features to logits (B, R, num_classes) and offsets (B, R, num_classes, 4)."""
        x = ops.reshape(x, (-1, x.shape[1], x.shape[2] * x.shape[3] * x.shape[4]))  # (B, R, num_features)
        x = ops.relu(self.fc7(ops.relu(self.fc6(x))))  # (B, R, hidden)
        return self.logits(x), ops.reshape(self.offsets(x), (-1, x.shape[1], self.num_classes, 4))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class FasterRCNN(keras.Model):
    """VGG's convolutions, the region proposal network, and a head on each proposal.

    Args:
        image_shape: height, width and channels.
        features: channels of 3x3 convolutions, and "M" for a max pooling; a convolution comes last.
        areas: square roots of the anchors' areas, in pixels.
        ratios: of their heights to their widths.
        candidates: the anchors' best boxes, among which suppression chooses.
        proposals: how many of them the head looks at.
        pool_size: height and width of a proposal's features.
        hidden_dim: units of the head's dense layers.
        samples: anchors and proposals of a picture that learn.
        num_classes: without the ground.
    """

    def __init__(
        self,
        image_shape,
        features,
        areas,
        ratios,
        candidates,
        proposals,
        pool_size,
        hidden_dim,
        samples,
        num_classes,
    ):
        super().__init__()
        stride = 2 ** features.count("M")
        check_multiple(image_shape, num_classes, stride)
        map_shape = (image_shape[0] // stride, image_shape[1] // stride)
        check_proposals(proposals, candidates, map_shape[0] * map_shape[1] * len(areas) * len(ratios))
        self.features, self.samples = features, samples
        self.chosen, self.pool_size = (candidates, proposals), pool_size
        widths = [image_shape[2], *(each for each in features if each != "M")]
        self.convs = [conv3x3(*pair) for pair in pairwise(widths[:-1])]
        self.last_conv = conv3x3(*widths[-2:])
        self.pool = layers.MaxPooling2D(2)
        self.rpn = RPN(widths[-1], len(areas) * len(ratios))
        self.head = Head(widths[-1] * pool_size**2, hidden_dim, 1 + num_classes)
        self.anchors = ops.convert_to_numpy(grid_anchors(map_shape, image_shape, areas, ratios))
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to what both stages say, `boxes` (B, proposals, classes, 4) and their `scores`."""
        x = self.trunk(x)  # (B, H / stride, W / stride, channels)
        rpn_logits, rpn_offsets = self.rpn(x)
        proposals = propose(rpn_logits, rpn_offsets, self.anchors, *self.chosen)
        logits, offsets = self.head(roi_align(x, proposals, self.pool_size))
        offsets = offsets * ops.convert_to_tensor(VARIANCES, dtype=offsets.dtype)
        boxes = ops.clip(decode(offsets, proposals[:, :, None]), 0, 1)  # (B, proposals, 1 + classes, 4)
        return {
            "rpn_logits": rpn_logits,
            "rpn_offsets": rpn_offsets,
            "proposals": proposals,
            "logits": logits,
            "boxes": boxes[:, :, 1:],
            "scores": ops.softmax(logits, axis=-1)[..., 1:],
        }

    def trunk(self, x):
        """(B, H, W, C) images to the features that both stages share."""
        convs = iter([*self.convs, self.last_conv])
        for each in self.features:
            x = self.pool(x) if each == "M" else ops.relu(next(convs)(x))
        return x


def detection_losses(model, batch):
    """The losses of both stages by name, each the mean over what was sampled in the batch."""
    x = model.trunk(batch["x"])
    rpn_logits, rpn_offsets = model.rpn(x)
    proposals = propose(rpn_logits, rpn_offsets, model.anchors, *model.chosen)
    rois, labels, targets, counted, _ = regions(batch, proposals, model.samples[1])
    logits, offsets = model.head(roi_align(x, rois, model.pool_size))
    first = rpn_losses(batch, rpn_logits, rpn_offsets, model.samples[0])
    return {**first, **head_losses(logits, offsets, labels, targets, counted)}


PHASES = (Phase("", loss=detection_losses),)


def rpn_losses(batch, logits, offsets, samples):
    """Softmax and smooth L1 of sampled anchors, from logits (B, K, 2) and offsets (B, K, 4)."""
    labels = batch["anchor_labels"]  # (B, K): 1 for an object, 0 for the ground, -1 for neither
    counted = sampled(labels == 1, labels == 0, batch["anchor_draws"], samples, 1 / 2)
    softmax = keras.losses.sparse_categorical_crossentropy(ops.maximum(labels, 0), logits, from_logits=True)
    positive = counted * ops.cast(labels == 1, logits.dtype)
    smooth_l1 = smooth(batch["anchor_offsets"], offsets, BETA)
    total = ops.sum(counted)
    return {"rpn_class": ops.sum(counted * softmax) / total, "rpn_box": ops.sum(positive * smooth_l1) / total}


def head_losses(logits, offsets, labels, targets, counted):
    """Softmax, and smooth L1 of the offsets for the true class, of sampled regions."""
    softmax = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    kinds = ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)  # (B, R, 1 + classes)
    positive = counted * ops.cast(labels > 0, logits.dtype)
    smooth_l1 = smooth(targets, ops.sum(offsets * kinds[..., None], axis=2), 1.0)
    total = ops.sum(counted)
    return {"class": ops.sum(counted * softmax) / total, "box": ops.sum(positive * smooth_l1) / total}


def propose(logits, offsets, anchors, candidates, proposals):
    """Logits (B, K, 2) and offsets (B, K, 4) of all anchors to boxes (B, proposals, 4), the best first."""
    logits, offsets = ops.stop_gradient(logits), ops.stop_gradient(offsets)
    anchors = ops.convert_to_tensor(anchors)  # differs: PyTorch has it as a buffer
    boxes = ops.clip(decode(offsets, anchors), 0, 1)  # (B, K, 4)
    order = ops.argsort(logits[..., 0] - logits[..., 1], axis=-1)[:, :candidates]
    boxes = taken(boxes, order)  # (B, candidates, 4)
    removed = ops.cast(suppressed(boxes, OVERLAP), "int32")
    order = ops.argsort(removed, axis=-1)[:, :proposals]
    return taken(boxes, order)


def regions(batch, proposals, samples):
    """Sampled true boxes and proposals: with labels, offsets, 1 for those that count, and the places of their truth."""
    boxes = ops.concatenate([batch["boxes"], proposals], axis=1)
    draws = ops.concatenate([batch["truth_draws"], batch["proposal_draws"]], axis=1)
    iou = overlaps(boxes, batch["boxes"])  # (B, M + proposals, M), 0 with padding
    best = ops.argmax(iou, axis=-1)
    found = ops.max(iou, axis=-1) >= OBJECT
    labels = ops.where(found, 1 + ops.cast(ops.take_along_axis(batch["classes"], best, axis=1), "int32"), 0)
    there = boxes[..., 2] > boxes[..., 0]  # not padding
    counted = sampled(found, there & ~found, draws, samples, 1 / 4)

    firsts = 2 * counted * (1 + ops.cast(found, draws.dtype))  # those that count, and of them those with an object
    order = ops.argsort(draws - firsts, axis=-1)[:, :samples]
    boxes, best = taken(boxes, order), ops.take_along_axis(best, order, axis=1)
    labels, counted = ops.take_along_axis(labels, order, axis=1), ops.take_along_axis(counted, order, axis=1)
    true = taken(batch["boxes"], best)
    whole = ops.convert_to_tensor((0.0, 0.0, 1.0, 1.0), dtype=boxes.dtype)  # for the ground, without log 0
    found = labels[..., None] > 0
    targets = encode(ops.where(found, true, whole), ops.where(found, boxes, whole))
    return boxes, labels, targets / ops.convert_to_tensor(VARIANCES, dtype=boxes.dtype), counted, best


def taken(boxes, order):
    """Those of (B, K, 4) boxes whose places are (B, R), (B, R, 4)."""
    return ops.take_along_axis(boxes, order[..., None], axis=1)


def sampled(positive, negative, draws, count, share):
    """1 for those of (B, K) that learn: `count` of a row, positive ones up to a share of it, by their largest draws."""
    first = positive & (rank(ops.where(positive, draws, -draws)) < int(count * share))
    left = count - ops.sum(ops.cast(first, "int32"), axis=-1, keepdims=True)
    second = negative & (rank(ops.where(negative, draws, -draws)) < left)
    return ops.cast(first | second, draws.dtype)


def rank(values):
    """How many of a row (B, K) are larger, (B, K)."""
    return ops.cast(ops.argsort(ops.argsort(-values, axis=-1), axis=-1), "int32")


def smooth(targets, offsets, beta):
    """Smooth L1 between (B, K, 4), square up to beta and linear from there, summed: (B, K)."""
    return 4 * keras.losses.huber(targets, offsets, delta=beta) / beta


def suppressed(boxes, threshold):
    """Which of (B, K, 4) boxes, the best first, overlap a better one that stays by more than the threshold, (B, K)."""
    ranks = ops.arange(boxes.shape[1], dtype="int32")
    near = (overlaps(boxes, boxes) > threshold) & (ranks > ranks[:, None])  # (B, K, K), of the worse ones
    removed = ops.zeros_like(boxes[..., 0], dtype="bool")

    def remove(number, removed):  # differs: one loop in a compiled program, not a copy of its body for each box
        return removed | (ops.take(near, number, axis=1) & ~ops.take(removed, number, axis=1)[:, None])

    return ops.fori_loop(0, boxes.shape[1], remove, removed)  # differs: PyTorch loops in Python


def overlaps(boxes, others):
    """Intersection over union of (B, M, 4) and (B, N, 4) boxes, (B, M, N); 0 where both are empty."""
    low = ops.maximum(boxes[:, :, None, :2], others[:, None, :, :2])
    high = ops.minimum(boxes[:, :, None, 2:], others[:, None, :, 2:])
    shared = ops.prod(ops.maximum(high - low, 0), axis=-1)  # (B, M, N)
    area, other = (ops.prod(each[..., 2:] - each[..., :2], axis=-1) for each in (boxes, others))
    return shared / ops.maximum(area[:, :, None] + other[:, None] - shared, 1e-12)


def roi_align(features, boxes, size):
    """Features (B, H, W, C) within boxes (B, R, 4), (B, R, size, size, C): means of two by two samples a bin."""
    steps = (ops.arange(2 * size, dtype=boxes.dtype) + 0.5) / (2 * size)
    sides = boxes[..., 2:] - boxes[..., :2]
    places = boxes[:, :, None, :2] + steps[:, None] * sides[:, :, None]  # (B, R, 2 * size, 2), shares of the picture

    def bilinear(places, pixels):  # differs: Keras has no grid_sample; what each pixel counts in each bin of a row
        places = ops.clip(places * pixels - 0.5, 0, pixels - 1)  # at most to the middle of the last pixel
        weights = 1 - ops.abs(places[..., None] - ops.arange(pixels, dtype=boxes.dtype))
        weights = ops.reshape(ops.maximum(weights, 0), (-1, boxes.shape[1], size, 2, pixels))
        return ops.mean(weights, axis=3)  # (B, R, size, pixels)

    columns, rows = bilinear(places[..., 0], features.shape[2]), bilinear(places[..., 1], features.shape[1])
    x = ops.einsum("brih,bhwc->briwc", rows, features)  # differs: a sum over all rows of pixels, then over all columns
    return ops.einsum("brjw,briwc->brijc", columns, x)


def grid_anchors(map_shape, image_shape, areas, ratios):
    """Anchors at every place of a feature map, corners as shares of the picture, (K, 4): from left to right, then down.

    Args:
        map_shape: height and width of the map.
        image_shape: height and width of the picture, in pixels.
        areas: square roots of the anchors' areas, in pixels.
        ratios: of their heights to their widths.
    """
    height, width = image_shape[:2]
    areas, ratios = (ops.convert_to_tensor(each, dtype=keras.config.floatx()) for each in (areas, ratios))
    shapes = scales_and_ratios(areas, ratios)  # (A, 4)
    shapes = shapes / ops.convert_to_tensor((width, height, width, height), dtype=shapes.dtype)
    y, x = ((ops.arange(side, dtype=shapes.dtype) + 0.5) / side for side in map_shape)
    y, x = ops.meshgrid(y, x, indexing="ij")  # (H, W)
    return ops.reshape(ops.stack([x, y, x, y], axis=-1)[:, :, None] + shapes, (-1, 4))
