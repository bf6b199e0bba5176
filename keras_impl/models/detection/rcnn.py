"""R-CNN: regions with CNN features. Each proposed region is cut out, warped to one size, and classified by itself.

Girshick, Donahue, Darrell and Malik, "Rich feature hierarchies for accurate object detection and semantic segmentation"
(2014), section 2. A method that knows no classes proposes regions; a network made for classification, AlexNet, takes
each of them as if it were a picture. Whatever its shape, a region is warped to the network's input, with a margin of
the picture around it (appendix A). The last map, after its pooling, also says how to move the box (appendix C). The
network runs once for each region: this is what Fast R-CNN saves.

Warping is bilinear, and so are two matrix products: each row of the first says which pixels of a column make a pixel of
the region, and with which weights.

Departures: a softmax with the ground as one class, and boxes trained with it, where the paper trains support vector
machines and ridge regressions afterwards; all regions of a picture train; weights are drawn, where the paper begins
with those from ImageNet; the picture's mean is taken as 0 where the margin leaves it.

Slides: deck C, R-CNN.
"""

import keras
from keras import layers, ops

from keras_impl.exercises.detection.anchors import centred, decode
from keras_impl.models.classification.googlenet import LocalResponseNorm
from keras_impl.models.detection.fast_rcnn import multi_task_loss
from keras_impl.models.detection.ssd import VARIANCES
from keras_impl.saving import serializable
from twin.shapes import check_regions


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class RCNN(keras.Model):
    """AlexNet on each region: convolutions, two dense layers, and two outputs.

    Args:
        image_shape: height, width and channels.
        side: height and width of a warped region.
        context: pixels of it, on each side, that show what is around the region.
        features: convolutions as (channels, kernel size, stride, groups), those of stride 1 padded to keep their size;
            "N" for local response normalization and "M" for a max pooling. A pooling follows the last convolution.
        hidden_dim: units in each dense layer.
        dropout: share of them that dropout silences.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, side, context, features, hidden_dim, dropout, num_classes):
        super().__init__()
        check_regions(image_shape, side, context, features, num_classes)
        self.side, self.context, self.features, self.num_classes = side, context, features, num_classes
        convs = [each for each in features if each not in ("M", "N")]
        widths = [image_shape[2], *[each[0] for each in convs]]
        self.convs = list(map(convolution, widths[:-2], convs[:-1]))
        self.norm = LocalResponseNorm()
        self.last = convolution(widths[-2], convs[-1])
        self.pool = layers.MaxPooling2D(3, strides=2)
        self.flatten = layers.Flatten()
        self.fc6 = layers.Dense(hidden_dim)
        self.dropout6 = layers.Dropout(dropout)
        self.fc7 = layers.Dense(hidden_dim)
        self.dropout7 = layers.Dropout(dropout)
        self.fc8 = layers.Dense(1 + num_classes)
        self.bbox = layers.Dense(4 * num_classes)
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
        count, channels = ops.shape(proposals)[1], x.shape[-1]
        x = ops.reshape(warp(x, proposals, self.side, self.context), (-1, self.side, self.side, channels))
        convs = iter([*self.convs, self.last])
        for each in self.features:
            x = self.pool(x) if each == "M" else self.norm(x) if each == "N" else ops.relu(next(convs)(x))
        pool5 = self.flatten(self.pool(x))  # (B * R, left * left * channels)
        x = self.dropout6(ops.relu(self.fc6(pool5)), training=training)  # (B * R, hidden_dim)
        x = self.dropout7(ops.relu(self.fc7(x)), training=training)
        logits = ops.reshape(self.fc8(x), (-1, count, 1 + self.num_classes))
        offsets = ops.reshape(self.bbox(pool5), (-1, count, self.num_classes, 4))
        variances = ops.convert_to_tensor(VARIANCES, dtype=offsets.dtype)
        boxes = decode(offsets * variances, proposals[:, :, None])
        return {"logits": logits, "offsets": offsets, "boxes": boxes, "scores": ops.softmax(logits, axis=-1)[..., 1:]}

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Softmax and smooth L1, mean over the regions."""
        return multi_task_loss(y, y_pred)


def convolution(in_channels, conv):
    """A convolution (channels, kernel size, stride, groups); at stride 1 it keeps height and width."""
    channels, kernel, stride, groups = conv
    padding = "same" if stride == 1 else "valid"
    return layers.Conv2D(channels, kernel_size=kernel, strides=stride, padding=padding, groups=groups)


def warp(x, regions, side, context):
    """Regions of pictures, each with a margin around it, all of one size, bilinear; what is outside is 0.

    Args:
        x: (B, H, W, C).
        regions: (B, R, 4), left, top, right, bottom as shares of the picture.
        side: height and width of a warped region.
        context: pixels of it, on each side, for the margin.

    Returns:
        (B, R, side, side, C).
    """
    height, width = x.shape[1:3]
    centre, size = centred(regions)
    size = size * side / (side - 2 * context)
    shares = (ops.arange(side, dtype=x.dtype) + 0.5) / side - 0.5  # of the size, from the centre
    across = (centre[..., :1] + size[..., :1] * shares) * width - 0.5  # (B, R, side), in pixels of the picture
    down = (centre[..., 1:] + size[..., 1:] * shares) * height - 0.5
    columns = ops.maximum(1 - ops.abs(across[..., None] - ops.arange(width, dtype=x.dtype)), 0)  # (B, R, side, W)
    rows = ops.maximum(1 - ops.abs(down[..., None] - ops.arange(height, dtype=x.dtype)), 0)
    lines = ops.einsum("brih,bhwc->briwc", rows, x)
    return ops.einsum("briwc,brjw->brijc", lines, columns)
