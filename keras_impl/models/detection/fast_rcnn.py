"""Fast R-CNN: one pass of a network over the whole picture, from whose features every proposed region is classified.

Girshick, "Fast R-CNN" (2015), section 2. R-CNN runs its network once for each region; here the convolutions see the
picture once, and RoI pooling takes from their map what lies in a region: it divides the region into a fixed number of
bins and keeps the largest feature of each. Two dense layers and two outputs follow: classes, the ground among them,
and for each class the offsets of its box from the region. One loss trains both: a softmax, and smooth L1 for the
offsets of the true class. In the
authors' code the ground has offsets too, which nothing reads, and so here.

Bins have different sizes, where a compiled program wants one. The largest feature in a rectangle of any size is that of
four rectangles whose sides are powers of two and that may overlap; maps of these are computed once, and a bin takes
four numbers from them ("sparse table": Bender and Farach-Colton, "The LCA problem revisited", 2000, section 3).

Departures: proposals and what each is to say come with the batch, as in the paper, but all regions of a picture train
instead of 64 that are sampled; weights are drawn, where the paper begins with VGG's from ImageNet.

Slides: deck C, Fast R-CNN.
"""

import math
from itertools import accumulate, pairwise

import keras
from keras import layers, ops

from keras_impl.exercises.detection.anchors import decode
from keras_impl.models.detection.ssd import VARIANCES, conv3x3
from keras_impl.saving import serializable
from twin.shapes import check_multiple


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class FastRCNN(keras.Model):
    """VGG up to its last convolution, RoI pooling, two dense layers, and two outputs for each region.

    Args:
        image_shape: height, width and channels; both sides are divisible by the poolings.
        features: channels of VGG's 3x3 convolutions, and "M" for a max pooling.
        pool_size: bins of a region, across and down.
        hidden_dim: units in each dense layer.
        dropout: share of them that dropout silences.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, features, pool_size, hidden_dim, dropout, num_classes):
        super().__init__()
        self.stride = 2 ** features.count("M")
        check_multiple(image_shape, num_classes, self.stride)
        self.features, self.pool_size, self.num_classes = features, pool_size, num_classes
        widths = [image_shape[2], *[each for each in features if each != "M"]]
        self.convs = [conv3x3(*pair) for pair in pairwise(widths[:-1])]
        self.last = conv3x3(*widths[-2:])
        self.pool = layers.MaxPooling2D(2)
        self.fc6 = layers.Dense(hidden_dim)
        self.dropout6 = layers.Dropout(dropout)
        self.fc7 = layers.Dense(hidden_dim)
        self.dropout7 = layers.Dropout(dropout)
        self.cls_score = layers.Dense(1 + num_classes)
        self.bbox_pred = layers.Dense(4 * (1 + num_classes))
        # batch_size: to learn its shape, Keras on PyTorch runs max pooling, with 83 and 89 regions otherwise.
        given = {"x": keras.Input(image_shape, batch_size=1), "proposals": keras.Input((1, 4), batch_size=1)}
        self(given)  # differs: Keras creates its weights when it first sees a shape

    def call(self, inputs, training=None):  # differs: Keras packs inputs, and passes the mode in
        """(B, H, W, C) images and (B, R, 4) proposals to what each says.

        Returns:
            `logits` (B, R, 1 + classes), with the ground; `offsets` and `boxes` (B, R, classes, 4) and `scores`
            (B, R, classes) without it.
        """
        x, proposals = inputs["x"], inputs["proposals"]  # differs: PyTorch takes them by name
        convs = iter([*self.convs, self.last])
        for each in self.features:
            x = self.pool(x) if each == "M" else ops.relu(next(convs)(x))
        x = roi_pool(x, proposals, self.stride, self.pool_size)  # (B, R, bins, bins, channels)
        count, length = ops.shape(x)[1], math.prod(x.shape[2:])  # differs: a symbolic number of regions has no size
        x = ops.reshape(x, (-1, count, length))  # (B, R, bins * bins * channels)
        x = self.dropout6(ops.relu(self.fc6(x)), training=training)  # (B, R, hidden_dim)
        x = self.dropout7(ops.relu(self.fc7(x)), training=training)
        logits = self.cls_score(x)
        offsets = ops.reshape(self.bbox_pred(x), (-1, count, 1 + self.num_classes, 4))[:, :, 1:]
        variances = ops.convert_to_tensor(VARIANCES, dtype=offsets.dtype)
        boxes = decode(offsets * variances, proposals[:, :, None])
        return {"logits": logits, "offsets": offsets, "boxes": boxes, "scores": ops.softmax(logits, axis=-1)[..., 1:]}

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The loss of section 2.3 with a weight of 1 for the boxes, mean over the regions."""
        return multi_task_loss(y, y_pred)


def multi_task_loss(y, y_pred):
    """Softmax over the classes and the ground, and smooth L1 of the true class's offsets, mean over the regions."""
    logits, offsets = y_pred["logits"], y_pred["offsets"]
    softmax = keras.losses.sparse_categorical_crossentropy(y["labels"], logits, from_logits=True)  # (B, R)
    kind = ops.cast(ops.maximum(y["labels"] - 1, 0), "int32")[..., None, None]
    theirs = ops.take_along_axis(offsets, kind, axis=2)[:, :, 0]  # (B, R, 4)
    smooth_l1 = 4 * keras.losses.huber(ops.cast(y["offsets"], offsets.dtype), theirs, delta=1.0)  # (B, R), a sum
    return ops.mean(softmax + ops.cast(y["labels"] > 0, offsets.dtype) * smooth_l1)


def roi_pool(features, regions, stride, size):
    """RoI max pooling: the largest feature of each of size x size bins of a region, 0 where a bin is empty.

    The edges of a region are rounded to pixels, and these to places of the map, both of which belong to it. Bins share
    a place where the region does not divide evenly.

    Args:
        features: (B, H, W, channels).
        regions: (B, R, 4), left, top, right, bottom as shares of the picture, to which they are clipped.
        stride: pixels of the picture in a place of the map.
        size: bins, across and down.

    Returns:
        (B, R, size, size, channels).
    """
    height, width, channels = features.shape[1:]
    sides = ops.convert_to_tensor([width, height, width, height], dtype=regions.dtype)
    pixels = ops.floor(ops.clip(regions, 0, 1) * sides * stride + 0.5)
    left, top, right, bottom = ops.unstack(ops.cast(ops.floor(pixels / stride + 0.5), "int32"), 4, axis=-1)  # (B, R)

    sizes = [(2**i, 2**j) for i in range(powers(height, size)) for j in range(powers(width, size))]
    maps = [ops.max_pool(features, each, strides=1, padding="valid") for each in sizes]
    starts = ops.convert_to_tensor([0, *accumulate(math.prod(each.shape[1:3]) for each in maps)], dtype="int32")
    table = ops.concatenate([ops.reshape(each, (-1, math.prod(each.shape[1:3]), channels)) for each in maps], axis=1)

    high, rows, no_rows = windows(top, bottom, height, size)
    wide, columns, no_columns = windows(left, right, width, size)
    row_length = width + 1 - 2**wide  # of the map whose rectangles are so wide; (B, R, size)
    place = ops.take(starts, high[..., :, None] * powers(width, size) + wide[..., None, :])[..., None, None]
    place = place + rows[..., :, None, :, None] * row_length[..., None, :, None, None]
    place = place + columns[..., None, :, None, :]  # (B, R, size, size, 2, 2)

    picture = ops.arange(ops.shape(features)[0], dtype="int32")  # differs: `take` reads one table, that of all pictures
    place = picture[:, None, None, None, None, None] * table.shape[1] + place  # differs: and so pictures follow
    found = ops.take(ops.reshape(table, (-1, channels)), place, axis=0)  # (B, R, size, size, 2, 2, channels)
    one, other = ops.unstack(ops.maximum(*ops.unstack(found, 2, axis=-3)), 2, axis=-2)
    empty = ops.logical_or(no_rows[..., :, None], no_columns[..., None, :])[..., None]  # (B, R, size, size, 1)
    return ops.where(empty, 0.0, ops.maximum(one, other))


def powers(limit, size):
    """How many powers of two, from 1 on, a bin may hold: a region has at most one place more than the map."""
    return min(limit, limit // size + 2).bit_length()


def windows(first, last, limit, size):
    """Two windows of 2**level places that together are a bin, for each of the bins along one side of regions.

    Args:
        first, last: (B, R) places, both of the region.
        limit: places of the map.
        size: bins.

    Returns:
        `level` (B, R, size), where both windows begin (B, R, size, 2), and whether the bin is empty (B, R, size).
    """
    length = ops.maximum(last - first + 1, 1)[..., None]
    number = ops.arange(size, dtype="int32")
    begin = ops.minimum(first[..., None] + number * length // size, limit)
    end = ops.minimum(first[..., None] + ((number + 1) * length + size - 1) // size, limit)
    empty = begin == end
    begin = ops.where(empty, 0, begin)
    held = ops.maximum(end - begin, 1)
    level = sum((ops.cast(held >= 2**power, "int32") for power in range(1, powers(limit, size))), ops.zeros_like(held))
    return level, ops.stack([begin, begin + held - 2**level], axis=-1), empty
