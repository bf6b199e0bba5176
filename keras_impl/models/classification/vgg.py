"""VGG, simple version: thirteen 3x3 convolutions in five blocks, as wide as one wants them.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), table 1,
column D. Small filters in deep stacks replace large ones: three of 3x3 see 7x7 pixels, with half the weights
and three activations instead of one. After each block pooling halves the picture and the channels double, up to
eight times the base width.

Departures: the slides' head is small, with dense layers of 100, 20 and num_classes and no dropout, where the paper
has 4096, 4096 and 1000. They fix its input at 224 by 224 but leave the base width open, so that this version has
no published size. It has He initialization ("Delving deep into rectifiers", 2015, section 2.2), where the paper
first trained a shallower network. With PyTorch's default weights the signal vanishes in so many layers and the network
learns nothing on the digits; with Keras's it learns more slowly.

Slides: deck D, "simple version", with the base width as its argument.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_shapes


class ConvBlock(layers.Layer):
    """A few 3x3 convolutions with ReLU, then max pooling.

    Args:
        in_channels: channels of the input.
        channels: channels of each convolution.
        num_convs: how many there are.
    """

    def __init__(self, in_channels, channels, num_convs):
        super().__init__()
        he = "he_normal"  # differs: Keras cuts this normal distribution off at two standard deviations
        self.convs = [
            layers.Conv2D(channels, kernel_size=3, padding="same", kernel_initializer=he) for _ in range(num_convs)
        ]
        self.pool = layers.MaxPooling2D(2)

    def call(self, x):
        """(B, H, W, in_channels) to (B, H / 2, W / 2, channels)."""
        for conv in self.convs:
            x = keras.ops.relu(conv(x))
        return self.pool(x)


def conv_blocks(in_channels, base_width):
    """The thirteen convolutions of column D, in five blocks."""
    return [
        ConvBlock(in_channels, base_width, num_convs=2),
        ConvBlock(base_width, 2 * base_width, num_convs=2),
        ConvBlock(2 * base_width, 4 * base_width, num_convs=3),
        ConvBlock(4 * base_width, 8 * base_width, num_convs=3),
        ConvBlock(8 * base_width, 8 * base_width, num_convs=3),
    ]


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class VGG(keras.Model):
    """Two blocks of two convolutions, three blocks of three, and three dense layers.

    Args:
        image_shape: height, width and channels; five poolings need 32 by 32 at least.
        base_width: channels of the first block.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, base_width, num_classes):
        check_shapes(image_shape, num_classes, smallest=32)
        super().__init__()
        he = "he_normal"  # differs: Keras cuts this normal distribution off at two standard deviations
        self.blocks = conv_blocks(image_shape[-1], base_width)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(100, kernel_initializer=he)
        self.dense2 = layers.Dense(20, kernel_initializer=he)
        self.dense3 = layers.Dense(num_classes, kernel_initializer=he)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to (B, num_classes) logits."""
        for block in self.blocks:
            x = block(x)  # at last (B, H / 32, W / 32, 8 * base_width)
        x = keras.ops.relu(self.dense1(self.flatten(x)))  # (B, 100)
        x = keras.ops.relu(self.dense2(x))  # (B, 20)
        return self.dense3(x)
