"""Mask R-CNN: a third branch draws, for each proposal, which of its pixels belong to the object.

He, Gkioxari, Dollar and Girshick, "Mask R-CNN" (2017), sections 3 and 3.1, on the maps of Lin et al., "Feature pyramid
networks for object detection" (2017), section 3. ResNet gives maps of four sizes; from the coarsest on each is doubled
and added to the next finer one, so that all know what the coarse one knows. Anchors of one size lie on each map, and a
region takes its features from a coarse map if it is large and from a fine one if it is small.

Beside the head of `faster_rcnn`, four convolutions and a transposed one give a small mask for each class, of which the
one of the region's class counts: masks need not compete with each other. RoIAlign matters here, where half a pixel
shows. In training the mask branch sees the sampled regions with an object; in use it sees the boxes that the head has
moved, and its masks are enlarged to these boxes.

Departures: those of `faster_rcnn`, whose choice of proposals is made on all maps together. A region is aligned on each
map and one answer is kept, so that sizes are known before. Masks are enlarged without a border. ResNet's BatchNorms
are frozen, as in the published code; since weights are drawn here, they only scale.

Slides: deck C, "Mask R-CNN"; deck A, with a link to an implementation.
"""

import keras
from keras import layers, ops

from keras_impl.exercises.detection.anchors import centred, decode
from keras_impl.models.classification.resnet import EXPANSION, Bottleneck
from keras_impl.models.classification.resnet_style import batch_norm, convolution
from keras_impl.models.detection.faster_rcnn import (
    Head,
    grid_anchors,
    head_losses,
    propose,
    regions,
    roi_align,
    rpn_losses,
)
from keras_impl.models.detection.ssd import VARIANCES, conv3x3, joined
from keras_impl.saving import serializable
from twin.shapes import check_multiple, check_proposals
from twin.spec import Phase


class Trunk(layers.Layer):
    """ResNet's stages and the feature pyramid over them.

    Args:
        in_channels: of the picture.
        width: channels of the first convolution and of the first stage's bottlenecks.
        stages: number of blocks in each stage.
        channels: of each map.
    """

    def __init__(self, in_channels, width, stages, channels):
        super().__init__()
        self.conv1 = convolution(in_channels, width, kernel_size=7, stride=2)
        self.bn1 = frozen(batch_norm(width))
        self.pool1 = layers.MaxPooling2D(pool_size=3, strides=2)
        self.depths = stages
        self.blocks, self.inner, self.outer = [], [], []
        in_channels = width
        for stage, num_blocks in enumerate(stages):
            for block in range(num_blocks):
                strides = (1, 2) if stage > 0 and block == 0 else (1, 1)
                self.blocks.append(bottleneck(in_channels, width * 2**stage, strides))
                in_channels = EXPANSION * width * 2**stage
            self.inner.append(layers.Conv2D(channels, kernel_size=1))
            self.outer.append(conv3x3(channels, channels))
        self.up = layers.UpSampling2D(2, interpolation="nearest")

    def call(self, x):
        """(B, H, W, in_channels) to maps (B, H / 4, W / 4, channels), half of that, and so on; the last one twice."""
        x = ops.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))  # differs: PyTorch's convolution pads itself
        x = ops.relu(self.bn1(self.conv1(x)))
        x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # differs: PyTorch pads by -inf; after ReLU 0 will do
        x = self.pool1(x)
        blocks, inner = iter(self.blocks), []
        for num_blocks, conv in zip(self.depths, self.inner, strict=True):
            for _ in range(num_blocks):
                x = next(blocks)(x)
            inner.append(conv(x))
        x, maps = inner[-1], [self.outer[-1](inner[-1])]
        for finer, conv in zip(inner[-2::-1], self.outer[-2::-1], strict=True):
            x = finer + self.up(x)
            maps.insert(0, conv(x))
        return [*maps, maps[-1][:, ::2, ::2]]  # for large anchors


class RPN(layers.Layer):
    """The region proposal network, the same on each map: a logit for each anchor, and its offsets.

    Args:
        channels: of the maps.
        anchors: at each place.
    """

    def __init__(self, channels, anchors):
        super().__init__()
        self.conv = conv3x3(channels, channels)
        self.logits = layers.Conv2D(anchors, kernel_size=1)
        self.offsets = layers.Conv2D(4 * anchors, kernel_size=1)

    def call(self, maps):
        """Maps (B, S, S, channels) to logits (B, K, 2), of which the ground's is 0, and offsets (B, K, 4)."""
        maps = [ops.relu(self.conv(x)) for x in maps]
        logits = joined([self.logits(x) for x in maps], 1)
        offsets = joined([self.offsets(x) for x in maps], 4)
        return ops.concatenate([ops.zeros_like(logits), logits], axis=-1), offsets


class MaskHead(layers.Layer):
    """Four convolutions, a transposed one that doubles the size, and a mask for each class.

    Args:
        channels: of the features and of all convolutions.
        num_classes: with the ground, which comes first.
    """

    def __init__(self, channels, num_classes):
        super().__init__()
        self.convs = [conv3x3(channels, channels) for _ in range(4)]
        self.up = layers.Conv2DTranspose(channels, kernel_size=2, strides=2)
        self.logits = layers.Conv2D(num_classes, kernel_size=1)

    def call(self, x):
        """(B, R, size, size, channels) features to logits (B, R, 2 * size, 2 * size, num_classes)."""
        count, size = x.shape[1:3]
        x = ops.reshape(x, (-1, *x.shape[2:]))  # (B * R, size, size, channels)
        for conv in self.convs:
            x = ops.relu(conv(x))
        x = self.logits(ops.relu(self.up(x)))
        return ops.reshape(x, (-1, count, 2 * size, 2 * size, x.shape[-1]))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class MaskRCNN(keras.Model):
    """Trunk, region proposal network, and two heads on each proposal.

    Args:
        image_shape: height, width and channels.
        width, stages: of ResNet.
        channels: of the feature pyramid.
        areas: square roots of the anchors' areas in pixels, one for each map; there is one map more than stages.
        ratios: of their heights to their widths.
        candidates: the anchors' best boxes, among which suppression chooses.
        proposals: how many of them the heads look at.
        pool_sizes: height and width of a region's features, for the head and for the mask branch.
        second_map: side of a region, in pixels, from which on it takes its features from the second map.
        hidden_dim: units of the head's dense layers.
        samples: anchors and proposals of a picture that learn.
        num_classes: without the ground.
    """

    def __init__(
        self,
        image_shape,
        width,
        stages,
        channels,
        areas,
        ratios,
        candidates,
        proposals,
        pool_sizes,
        second_map,
        hidden_dim,
        samples,
        num_classes,
    ):
        super().__init__()
        check_multiple(image_shape, num_classes, 2 ** (1 + len(stages)))
        self.image_shape, self.samples, self.chosen = image_shape, samples, (candidates, proposals)
        self.pool_sizes, self.second_map = pool_sizes, second_map
        anchors = []
        for level, area in enumerate(areas):
            map_shape = [-(-side // 2 ** (2 + level)) for side in image_shape[:2]]
            anchors.append(grid_anchors(map_shape, image_shape, (area,), ratios))
        self.anchors = ops.convert_to_numpy(ops.concatenate(anchors, axis=0))
        check_proposals(proposals, candidates, self.anchors.shape[0])
        self.trunk = Trunk(image_shape[2], width, stages, channels)
        self.rpn = RPN(channels, len(ratios))
        self.head = Head(channels * pool_sizes[0] ** 2, hidden_dim, 1 + num_classes)
        self.mask_head = MaskHead(channels, 1 + num_classes)
        # batch_size: to learn its shape, Keras on PyTorch runs UpSampling2D, with 83 and 89 pictures otherwise.
        self(keras.Input(image_shape, batch_size=1))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to `boxes` (B, R, 4), their `scores`, `masks` (B, H, W, R), and what they come from."""
        maps = self.trunk(x)
        rpn_logits, rpn_offsets = self.rpn(maps)
        proposals = propose(rpn_logits, rpn_offsets, self.anchors, *self.chosen)
        logits, offsets = self.head(self.aligned(maps, proposals, 0))
        scores = ops.softmax(logits, axis=-1)[..., 1:]
        best = ops.one_hot(1 + ops.argmax(scores, axis=-1), logits.shape[-1], dtype=logits.dtype)
        offsets = ops.sum(offsets * best[..., None], axis=2)  # (B, R, 4): those of the best class
        offsets = offsets * ops.convert_to_tensor(VARIANCES, dtype=offsets.dtype)
        boxes = ops.clip(decode(offsets, proposals), 0, 1)
        masks = self.mask_head(self.aligned(maps, boxes, 1))  # (B, R, 2 * size, 2 * size, 1 + classes)
        masks = ops.sigmoid(ops.sum(masks * best[:, :, None, None], axis=-1))
        return {
            "rpn_logits": rpn_logits,
            "rpn_offsets": rpn_offsets,
            "logits": logits,
            "boxes": boxes,
            "scores": scores,
            "masks": pasted(masks, boxes, self.image_shape[:2]),
        }

    def aligned(self, maps, boxes, head):
        """The features of boxes (B, R, 4), (B, R, size, size, channels), each from the map that fits its size."""
        height, width = self.image_shape[:2]
        _, sides = centred(boxes)
        side = ops.sqrt(sides[..., 0] * sides[..., 1] * (height * width))  # (B, R), in pixels
        level = ops.floor(1 + ops.log2(ops.maximum(side / self.second_map, 1e-6)))
        level = ops.clip(level, 0, len(maps) - 2)[..., None, None, None]
        total = 0
        for number, x in enumerate(maps[:-1]):
            own = ops.cast(level == number, x.dtype)
            total = total + own * roi_align(x, boxes, self.pool_sizes[head])
        return total


def detection_losses(model, batch):
    """The losses of both stages and of the masks, by name."""
    maps = model.trunk(batch["x"])
    rpn_logits, rpn_offsets = model.rpn(maps)
    proposals = propose(rpn_logits, rpn_offsets, model.anchors, *model.chosen)
    rois, labels, targets, counted, best = regions(batch, proposals, model.samples[1])
    logits, offsets = model.head(model.aligned(maps, rois, 0))
    first = rpn_losses(batch, rpn_logits, rpn_offsets, model.samples[0])
    second = head_losses(logits, offsets, labels, targets, counted)

    some = model.samples[1] // 4  # those with an object come first, and are not more
    rois, labels, counted, best = rois[:, :some], labels[:, :some], counted[:, :some], best[:, :some]
    masks = model.mask_head(model.aligned(maps, rois, 1))
    return {**first, **second, "mask": mask_loss(masks, batch["masks"], rois, labels, counted, best)}


PHASES = (Phase("", loss=detection_losses),)


def mask_loss(logits, true, rois, labels, counted, best):
    """Binary cross-entropy of the true class's masks, mean over regions with an object.

    Args:
        logits: (B, R, S, S, 1 + classes).
        true: masks of the picture's objects, (B, H, W, M).
        rois: (B, R, 4).
        labels: of the regions, 0 for the ground.
        counted: 1 for the regions that count.
        best: which object a region is to find.
    """
    kinds = ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    logits = ops.sum(logits * kinds[:, :, None, None], axis=-1)  # (B, R, S, S)
    true = roi_align(ops.cast(true, logits.dtype), rois, logits.shape[-1])  # (B, R, S, S, M)
    own = ops.one_hot(best, true.shape[-1], dtype=logits.dtype)
    true = ops.sum(true * own[:, :, None, None], axis=-1)
    cross_entropy = ops.mean(ops.binary_crossentropy(true, logits, from_logits=True), axis=(2, 3))  # (B, R)
    positive = counted * ops.cast(labels > 0, logits.dtype)
    return ops.sum(positive * cross_entropy) / ops.maximum(ops.sum(positive), 1)


def pasted(masks, boxes, image_shape):
    """Masks (B, R, S, S) enlarged to their boxes (B, R, 4) in pictures, (B, H, W, R); 0 outside of the boxes."""
    height, width = image_shape
    y, x = ((ops.arange(side, dtype=masks.dtype) + 0.5) / side for side in (height, width))

    def bilinear(places, low, high):  # differs: Keras has no grid_sample; what each place of a mask counts for a pixel
        size = masks.shape[-1]
        places = (places - low[..., None]) / ops.maximum(high - low, 1e-6)[..., None]  # (B, R, pixels): of the box
        inside = ops.cast((places >= 0) & (places <= 1), masks.dtype)
        places = ops.clip(places * size - 0.5, 0, size - 1)
        weights = 1 - ops.abs(places[..., None] - ops.arange(size, dtype=masks.dtype))
        return inside[..., None] * ops.maximum(weights, 0)  # (B, R, pixels, size)

    columns, rows = bilinear(x, boxes[..., 0], boxes[..., 2]), bilinear(y, boxes[..., 1], boxes[..., 3])
    x = ops.einsum("brhs,brst->brht", rows, masks)  # differs: a sum over all rows of the mask, then over all columns
    return ops.einsum("brht,brwt->bhwr", x, columns)


def bottleneck(in_channels, width, strides):
    """ResNet's bottleneck with frozen BatchNorms."""
    block = Bottleneck(in_channels, width, strides)
    for bn in (block.bn1, block.bn2, block.bn3, *([block.shortcut_bn] if block.has_projection else [])):
        frozen(bn)
    return block


def frozen(bn):
    """A BatchNorm that scales by its statistics as they are, and is not trained."""
    bn.trainable = False
    return bn
