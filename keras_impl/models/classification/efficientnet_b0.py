"""EfficientNet-B0: inverted bottlenecks in sizes that a search found, and a rule to scale them all at once.

Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks" (2019), section 4 and table 1.
The blocks are those of `mbconv`; how many, how wide and with which filters was found by a search that weighs accuracy
against multiply-adds. To make the network larger one multiplies width and depth (and the picture) together, by
numbers that belong together: width 1 and depth 1 are B0, with 5,288,548 parameters, 1.1 and 1.2 are B2.

Departures: none in the architecture. At stride 2 it pads as TensorFlow does, unevenly where sides are even, as in the
authors' code and in keras.applications; torchvision pads evenly, so that its weights give slightly other answers. The
pictures come in as they are, where keras.applications normalizes them within the network.

Slides: deck E, "MBConv style", of which this is the best known network.
"""

import math

import keras
from keras import layers

from keras_impl.models.classification.mbconv import MBConv, batch_norm, padded
from keras_impl.saving import serializable
from twin.shapes import check_shapes

STAGES = (  # table 1: channels, number of blocks, size of the filters, stride of the first block, expansion
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)


def round_filters(channels, width_mult):
    """The nearest multiple of 8 to `width_mult * channels`, at least 8, and not more than a tenth below."""
    nearest = max(8, int(width_mult * channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width_mult * channels else nearest + 8


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class EfficientNet(keras.Model):
    """A 3x3 convolution, seven stages of MBConv, a 1x1 convolution, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels.
        width_mult: factor on all channels.
        depth_mult: factor on the number of blocks in a stage.
        dropout: share of the last values that dropout silences.
        drop_path_rate: share of the pictures for which training leaves out the last residual; less for those before.
        momentum: share of BatchNorm's running statistics that each step keeps; the authors' 0.99 needs long training.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width_mult, depth_mult, dropout, drop_path_rate, momentum, num_classes):
        check_shapes(image_shape, num_classes, smallest=1)
        super().__init__()
        channels, last = round_filters(32, width_mult), round_filters(1280, width_mult)
        total = sum(math.ceil(depth_mult * num_blocks) for _, num_blocks, *_ in STAGES)
        self.stem_conv = layers.Conv2D(channels, kernel_size=3, strides=2, padding="valid", use_bias=False)
        self.stem_bn = batch_norm(channels, momentum)
        self.blocks = []
        for out_channels, num_blocks, kernel_size, stride, expand_ratio in STAGES:
            for block in range(math.ceil(depth_mult * num_blocks)):
                block_stride = stride if block == 0 else 1
                block_rate = drop_path_rate * len(self.blocks) / total
                out = round_filters(out_channels, width_mult)
                self.blocks.append(MBConv(channels, out, kernel_size, block_stride, expand_ratio, block_rate, momentum))
                channels = out
        self.top_conv = layers.Conv2D(last, kernel_size=1, use_bias=False)
        self.top_bn = batch_norm(last, momentum)
        self.dropout = layers.Dropout(dropout)
        self.dense = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, num_classes) logits."""
        x = self.stem_conv(padded(x, kernel_size=3))
        x = keras.ops.silu(self.stem_bn(x, training=training))  # (B, H / 2, W / 2, 32 width_mult)
        for block in self.blocks:
            x = block(x, training=training)  # at last (B, H / 32, W / 32, 320 width_mult)
        x = keras.ops.silu(self.top_bn(self.top_conv(x), training=training))  # (B, H / 32, W / 32, 1280 width_mult)
        x = keras.ops.mean(x, axis=(1, 2))  # (B, 1280 width_mult)
        return self.dense(self.dropout(x, training=training))
