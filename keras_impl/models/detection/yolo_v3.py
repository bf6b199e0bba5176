"""YOLO, third version: a deep residual network, and three grids of cells, each coarser one leading to a finer one.

Redmon and Farhadi, "YOLOv3: an incremental improvement" (2018), section 2 and table 1. Darknet-53 halves the picture
five times by convolutions of stride 2, not by pooling, and after each halving adds residual blocks, 1x1 then 3x3. The
coarsest features go through five convolutions. From there one branch gives the output of the coarse grid; the other is
narrowed, doubled in size, joined with the features that the network had at this size, and goes on in the same way. With
three anchors for each cell, large objects are found on the coarse grid and small ones on the fine grid.

Boxes, scores and loss are those of `tiny_yolo_v3`, which reads as the shorter file first.

Departures: those of `tiny_yolo_v3`; the small size has a residual block for each halving, three halvings and two grids.

Slides: deck A, "YOLO v3 network architecture".
"""

import keras
from keras import layers, ops

from keras_impl.models.detection.tiny_yolo_v3 import ConvLayer, detect, yolo_loss
from keras_impl.saving import serializable
from twin.shapes import check_multiple


class Residual(layers.Layer):
    """A 1x1 convolution that halves the channels and a 3x3 one that doubles them, added to their input.

    Args:
        channels: of the input and of the output.
    """

    def __init__(self, channels):
        super().__init__()
        self.conv1 = ConvLayer(channels, channels // 2, 1)
        self.conv2 = ConvLayer(channels // 2, channels, 3)

    def call(self, x, training=False):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, H, W, channels) to the same shape."""
        return x + self.conv2(self.conv1(x, training=training), training=training)


class Stage(layers.Layer):
    """A convolution that halves height and width, and residual blocks.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        depth: number of residual blocks.
    """

    def __init__(self, in_channels, channels, depth):
        super().__init__()
        self.down = ConvLayer(in_channels, channels, 3, stride=2)
        self.blocks = [Residual(channels) for _ in range(depth)]

    def call(self, x, training=False):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, H, W, in_channels) to (B, H / 2, W / 2, channels)."""
        x = self.down(x, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return x


class Neck(layers.Layer):
    """Five convolutions, narrow and wide in turn, and the output of a grid after a sixth.

    Args:
        in_channels: channels of the input.
        channels: of the narrow ones; the wide ones have twice as many.
        numbers: channels of the grid's output.
    """

    def __init__(self, in_channels, channels, numbers):
        super().__init__()
        widths = (in_channels, channels, 2 * channels, channels, 2 * channels, channels)
        self.convs = [ConvLayer(*widths[place : place + 2], (1, 3)[place % 2]) for place in range(5)]
        self.wide = ConvLayer(channels, 2 * channels, 3)
        self.grid = layers.Conv2D(numbers, kernel_size=1)

    def call(self, x, training=False):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, S, S, in_channels) to (B, S, S, channels), for the next grid, and (B, S, S, numbers)."""
        for conv in self.convs:
            x = conv(x, training=training)
        return x, self.grid(self.wide(x, training=training))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class YOLOv3(keras.Model):
    """Darknet with as many stages as asked for, and a grid on each of the last ones.

    Args:
        image_shape: height, width and channels; both sides are multiples of 2 ** stages.
        width: channels of the first convolution; each stage has twice as many.
        depths: residual blocks of each stage.
        anchors: of each grid, from the coarsest on, widths and heights as shares of the picture.
        num_classes: classes that are told apart.
    """

    def __init__(self, image_shape, width, depths, anchors, num_classes):
        super().__init__()
        check_multiple(image_shape, num_classes, 2 ** len(depths))
        self.anchors, self.num_classes = anchors, num_classes
        channels = [width * 2**stage for stage in range(len(depths) + 1)]
        self.conv = ConvLayer(image_shape[2], width, 3)
        self.stages = [Stage(*channels[place : place + 2], depth) for place, depth in enumerate(depths)]
        self.necks, self.ups = [], []
        in_channels, narrow = channels[-1], channels[-1] // 2
        for place, shapes in enumerate(anchors):
            self.necks.append(Neck(in_channels, narrow, len(shapes) * (5 + num_classes)))
            if place < len(anchors) - 1:
                self.ups.append(ConvLayer(narrow, narrow // 2, 1))
                in_channels, narrow = narrow // 2 + channels[-2 - place], narrow // 2
        self.upsample = layers.UpSampling2D(2, interpolation="nearest")
        # batch_size: to learn its shape, Keras on PyTorch runs UpSampling2D, with 83 and 89 pictures otherwise.
        self(keras.Input(image_shape, batch_size=1))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=False):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, H, W, C) images to `raw` numbers (B, K, 5 + classes) of all anchors, and their `boxes` and `scores`."""
        x = self.conv(x, training=training)
        routes = []
        for stage in self.stages:
            x = stage(x, training=training)  # (B, H / 2, W / 2, channels), stage by stage
            routes.append(x)
        x, grid = self.necks[0](x, training=training)
        grids = [grid]
        for up, neck, route in zip(self.ups, self.necks[1:], routes[-2::-1], strict=False):
            x = self.upsample(up(x, training=training))  # (B, 2 * S, 2 * S, channels)
            x, grid = neck(ops.concatenate([x, route], axis=-1), training=training)
            grids.append(grid)
        return detect(grids, self.anchors)

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The loss of all anchors, mean over the batch."""
        return yolo_loss(y, y_pred["raw"])
