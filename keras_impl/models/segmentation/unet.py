"""U-Net: a network that shrinks a picture to see what is there and enlarges it again to say where.

Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation" (2015), section 2
and figure 1. On the way down, two 3x3 convolutions and a 2x2 max pooling at each scale double the channels and halve
the sides. On the way up, a 2x2 transposed convolution doubles the sides, and the way down's output at that scale is
concatenated to it, because pooling has lost where edges were. A last 1x1 convolution gives the classes of each pixel.

Departures: the convolutions pad with zeros, so that the mask is as large as the picture and nothing has to be
cropped (the paper's shrink 572 pixels to 388); all pixels weigh the same in the loss, where the paper favours the
borders between cells; no dropout at the bottom. The 3x3 convolutions are initialized as in the paper (section 3).

Slides: deck C, segmentation by an encoder and a decoder, and the U-shaped network that is mostly used for it.
"""

from itertools import pairwise

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_shapes


class DoubleConv(layers.Layer):
    """Two 3x3 convolutions that keep the sides.

    Args:
        in_channels: channels of the input, which Keras could do without.
        out_channels: channels of both convolutions.
    """

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv1 = layers.Conv2D(out_channels, kernel_size=3, padding="same", kernel_initializer="he_normal")
        self.conv2 = layers.Conv2D(out_channels, kernel_size=3, padding="same", kernel_initializer="he_normal")

    def call(self, x):
        """(B, H, W, in_channels) to (B, H, W, out_channels)."""
        x = keras.ops.relu(self.conv1(x))
        return keras.ops.relu(self.conv2(x))


class Up(layers.Layer):
    """One scale up: twice the sides, half the channels, concatenated with the output of the way down there.

    Args:
        channels: channels of the output; the input has twice as many.
    """

    def __init__(self, channels):
        super().__init__()
        self.up = layers.Conv2DTranspose(channels, kernel_size=2, strides=2)
        self.double_conv = DoubleConv(2 * channels, channels)

    def call(self, x, skip):
        """(B, H, W, 2 C) and (B, 2 H, 2 W, C) to (B, 2 H, 2 W, C)."""
        x = self.up(x)  # (B, 2 H, 2 W, C)
        x = keras.ops.concatenate([skip, x], axis=-1)  # (B, 2 H, 2 W, 2 C)
        return self.double_conv(x)


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class UNet(keras.Model):
    """The way down, the bottom, the way up, and the classes.

    Args:
        image_shape: height, width and channels; both sides are multiples of 2**depth.
        num_classes: classes of a pixel, the background included.
        base_channels: channels at the first scale.
        depth: how often the sides are halved.
    """

    def __init__(self, image_shape, num_classes, base_channels, depth):
        check_shapes(image_shape, num_classes, smallest=2**depth, multiple=2**depth)
        super().__init__()
        widths = [base_channels * 2**scale for scale in range(depth + 1)]
        blocks = [DoubleConv(before, after) for before, after in pairwise([image_shape[-1], *widths])]
        self.down = blocks[:-1]
        self.pool = layers.MaxPooling2D(2)
        self.bottleneck = blocks[-1]
        self.up = [Up(width) for width in reversed(widths[:-1])]
        self.out_conv = layers.Conv2D(num_classes, kernel_size=1)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to (B, H, W, num_classes) logits."""
        skips = []
        for block in self.down:
            skips.append(block(x))
            x = self.pool(skips[-1])
        x = self.bottleneck(x)  # (B, H / 2**depth, W / 2**depth, base_channels * 2**depth)
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(x, skip)
        return self.out_conv(x)
