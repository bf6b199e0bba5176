"""SSD: default boxes on several feature maps of one network, all classified and moved at once.

Liu et al., "SSD: single shot multibox detector" (2016), section 2 and figure 2. VGG16 goes on: its dense layers become
convolutions, the first of them dilated, and further convolutions make ever smaller maps. On six maps, from one inside
VGG to a single place, a 3x3 convolution gives each default box its classes, the ground among them, and another its
offsets. Fine maps find small objects, coarse maps large ones. Features of the first map are much larger than those of
the others, and so their length at each place is set to a learned scale for each channel.

A default box that matches an object learns its class, by a softmax, and its offsets, by smooth L1. Of the others, which
are nearly all, only the hardest learn that they see ground: three for each match, those with the largest loss. Both
losses are divided by the number of matches.

Departures: what each default box is to say comes with the batch; which negatives are hard depends on the output, and is
taken without a gradient. Weights are drawn, where the paper begins with VGG's from ImageNet.

Slides: deck A, "multi feature map", default boxes on 8x8 and 4x4 maps, the matching strategy.
"""

import math
from itertools import pairwise

import keras
from keras import layers, ops

from keras_impl.exercises.detection.anchors import decode, default_boxes
from keras_impl.saving import serializable
from twin.shapes import check_square

HARD = 3  # negatives that learn, for each match
VARIANCES = (0.1, 0.1, 0.2, 0.2)  # offsets are divided by them, so that all are of one size


class L2Norm(layers.Layer):
    """Features of length 1 at every place, times a scale for each channel.

    Args:
        channels: of the input.
        scale: that each channel begins with.
    """

    def __init__(self, channels, scale):
        super().__init__()
        self.scale = self.add_weight(shape=(channels,), initializer=keras.initializers.Constant(scale), name="scale")

    def call(self, x):
        """(B, H, W, channels) to the same shape."""
        return x * ops.rsqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-10) * self.scale


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class SSD(keras.Model):
    """VGG, its dense layers as convolutions, further maps, and two convolutions on each map.

    Args:
        image_shape: height, width and channels, height and width the same.
        features: channels of VGG's 3x3 convolutions up to the first map, and "M" for a max pooling.
        conv5: channels of the convolutions after the next pooling.
        fc_dim: channels of what were dense layers; the second of them is the second map.
        dilation: of the first of them.
        extras: further maps, as (channels within, channels, stride): 2 halves, 1 takes a place off each side.
        scales: of the default boxes of each map, and one more, as shares of the picture.
        ratios: of the default boxes of each map, beside 1, without their inverses.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, features, conv5, fc_dim, dilation, extras, scales, ratios, num_classes):
        super().__init__()
        check_square(image_shape, num_classes)
        self.features, self.num_classes = features, num_classes
        widths = [each for each in features if each != "M"]
        self.convs = [conv3x3(*pair) for pair in pairwise([image_shape[2], *widths])]
        self.l2_norm = L2Norm(widths[-1], 20.0)
        self.pool = layers.MaxPooling2D(2, padding="same")  # rounds up: 75 to 38
        self.conv5 = [conv3x3(*pair) for pair in pairwise([widths[-1], *conv5])]
        self.pool5 = layers.MaxPooling2D(3, strides=1, padding="same")
        self.fc6 = layers.Conv2D(fc_dim, kernel_size=3, padding="same", dilation_rate=dilation)
        self.fc7 = layers.Conv2D(fc_dim, kernel_size=1)

        side = -(-image_shape[0] // 2 ** features.count("M"))
        sides, channels = [side, -(-side // 2)], [widths[-1], fc_dim]
        self.narrow, self.wide = [], []
        for inner, outer, stride in extras:
            self.narrow.append(layers.Conv2D(inner, kernel_size=1))
            self.wide.append(layers.Conv2D(outer, kernel_size=3, strides=stride))
            sides.append(-(-sides[-1] // 2) if stride == 2 else sides[-1] - 2)
            channels.append(outer)

        boxes = [2 + 2 * len(each) for each in ratios]
        self.loc = [conv3x3(width, 4 * count) for width, count in zip(channels, boxes, strict=True)]
        self.conf = [conv3x3(width, (1 + num_classes) * count) for width, count in zip(channels, boxes, strict=True)]
        anchors = default_boxes(sides, ops.convert_to_tensor(scales, dtype=keras.config.floatx()), ratios)
        self.anchors = ops.convert_to_numpy(anchors)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to `offsets` (B, K, 4), `logits` (B, K, 1 + classes), `boxes` and `scores`."""
        convs = iter(self.convs)
        for each in self.features:
            x = self.pool(x) if each == "M" else ops.relu(next(convs)(x))
        maps = [self.l2_norm(x)]  # (B, S, S, channels)
        x = self.pool(x)
        for conv in self.conv5:
            x = ops.relu(conv(x))
        x = ops.relu(self.fc7(ops.relu(self.fc6(self.pool5(x)))))  # (B, S / 2, S / 2, fc_dim)
        maps.append(x)
        for narrow, wide in zip(self.narrow, self.wide, strict=True):
            x = ops.relu(narrow(x))
            if wide.strides[0] == 2:  # differs: PyTorch's convolution pads itself, alike on all sides
                x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            x = ops.relu(wide(x))
            maps.append(x)

        offsets = joined([loc(x) for loc, x in zip(self.loc, maps, strict=True)], 4)
        logits = joined([conf(x) for conf, x in zip(self.conf, maps, strict=True)], 1 + self.num_classes)
        anchors = ops.convert_to_tensor(self.anchors)  # differs: PyTorch has it as a buffer
        boxes = decode(offsets * ops.convert_to_tensor(VARIANCES, dtype=offsets.dtype), anchors)
        return {"offsets": offsets, "logits": logits, "boxes": boxes, "scores": ops.softmax(logits, axis=-1)[..., 1:]}

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The loss of section 2.2: both parts, summed over the batch, for each match in it."""
        return multibox_loss(y, y_pred["offsets"], y_pred["logits"])


def multibox_loss(y, offsets, logits, weight=1.0):
    """Classes of matches and hard negatives, and offsets of matches with that weight, for each match of the batch.

    Args:
        y: `labels` (B, K), 0 for ground, and `offsets` (B, K, 4).
        offsets: (B, K, 4).
        logits: (B, K, 1 + classes).
        weight: of the offsets' part.
    """
    matched = ops.cast(y["labels"] > 0, offsets.dtype)  # (B, K)
    smooth_l1 = 4 * keras.losses.huber(ops.cast(y["offsets"], offsets.dtype), offsets, delta=1.0)  # (B, K), a sum
    softmax = keras.losses.sparse_categorical_crossentropy(y["labels"], logits, from_logits=True)  # (B, K)

    order = ops.argsort(ops.stop_gradient(softmax * (matched - 1)), axis=-1)  # the hardest negative first
    rank = ops.argsort(order, axis=-1)
    hard = ops.cast(ops.cast(rank, matched.dtype) < HARD * ops.sum(matched, axis=-1, keepdims=True), matched.dtype)
    counted = ops.maximum(matched, hard)
    return ops.sum(weight * matched * smooth_l1 + counted * softmax) / ops.maximum(ops.sum(matched), 1)


def conv3x3(in_channels, channels):
    """A 3x3 convolution that keeps height and width."""
    return layers.Conv2D(channels, kernel_size=3, padding="same")


def joined(maps, numbers):
    """Maps (B, S, S, boxes * numbers) to the boxes of all, (B, K, numbers): map by map, row by row, place by place."""
    counts = [math.prod(x.shape[1:]) // numbers for x in maps]  # differs: a symbolic batch has no size, so K is given
    maps = [ops.reshape(x, (-1, count, numbers)) for x, count in zip(maps, counts, strict=True)]
    return ops.concatenate(maps, axis=1)
