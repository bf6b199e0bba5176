"""Inception: filters of several sizes side by side, and 1x1 convolutions that make them affordable.

Szegedy et al., "Going deeper with convolutions" (2015), section 4 and figure 2. Objects in a picture come in
several sizes, so one module has filters of 1x1, 3x3 and 5x5 and a pooling, all on the same input, and concatenates
their outputs. The naive module (figure 2a) needs many multiplications, and as pooling keeps its channels, every module
is wider than the one before. The reduced module (2b) has fewer channels: 1x1 convolutions, each with a ReLU, come
before the large filters and after the pooling.

Departures: the network around the modules is small, one of each kind, to compare them; the paper's own is
`googlenet`. All convolutions have He initialization.

Slides: deck D, the basic module and the one with fewer dimensions.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_shapes


def convolution(in_channels, channels, kernel_size):
    """A convolution that keeps height and width, with He initialization."""
    he = "he_normal"  # differs: Keras cuts this normal distribution off at two standard deviations
    return layers.Conv2D(channels, kernel_size, padding="same", kernel_initializer=he)


class NaiveInception(layers.Layer):
    """Three sizes of filters, and max pooling, side by side.

    Args:
        in_channels: channels of the input, and of what is pooled.
        ch1x1: channels of the 1x1 convolution.
        ch3x3: channels of the 3x3 convolution.
        ch5x5: channels of the 5x5 convolution.
    """

    def __init__(self, in_channels, ch1x1, ch3x3, ch5x5):
        super().__init__()
        self.conv1x1 = convolution(in_channels, ch1x1, kernel_size=1)
        self.conv3x3 = convolution(in_channels, ch3x3, kernel_size=3)
        self.conv5x5 = convolution(in_channels, ch5x5, kernel_size=5)
        self.pool = layers.MaxPooling2D(pool_size=3, strides=1, padding="same")

    def call(self, x):
        """(B, H, W, in_channels) to (B, H, W, ch1x1 + ch3x3 + ch5x5 + in_channels)."""
        one = keras.ops.relu(self.conv1x1(x))
        three = keras.ops.relu(self.conv3x3(x))
        five = keras.ops.relu(self.conv5x5(x))
        pooled = self.pool(x)
        return keras.ops.concatenate([one, three, five, pooled], axis=-1)


class Inception(layers.Layer):
    """The same with 1x1 convolutions that narrow; the arguments are a row of the paper's table 1.

    Args:
        in_channels: channels of the input.
        ch1x1: channels of the 1x1 convolution.
        ch3x3red: channels that are left for the 3x3 convolution.
        ch3x3: channels of the 3x3 convolution.
        ch5x5red: channels that are left for the 5x5 convolution.
        ch5x5: channels of the 5x5 convolution.
        pool_proj: channels that are left of what was pooled.
    """

    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj):
        super().__init__()
        self.conv1x1 = convolution(in_channels, ch1x1, kernel_size=1)
        self.reduce3x3 = convolution(in_channels, ch3x3red, kernel_size=1)
        self.conv3x3 = convolution(ch3x3red, ch3x3, kernel_size=3)
        self.reduce5x5 = convolution(in_channels, ch5x5red, kernel_size=1)
        self.conv5x5 = convolution(ch5x5red, ch5x5, kernel_size=5)
        self.pool = layers.MaxPooling2D(pool_size=3, strides=1, padding="same")
        self.pool_proj = convolution(in_channels, pool_proj, kernel_size=1)

    def call(self, x):
        """(B, H, W, in_channels) to (B, H, W, ch1x1 + ch3x3 + ch5x5 + pool_proj)."""
        one = keras.ops.relu(self.conv1x1(x))
        three = keras.ops.relu(self.conv3x3(keras.ops.relu(self.reduce3x3(x))))
        five = keras.ops.relu(self.conv5x5(keras.ops.relu(self.reduce5x5(x))))
        pooled = keras.ops.relu(self.pool_proj(self.pool(x)))
        return keras.ops.concatenate([one, three, five, pooled], axis=-1)


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class InceptionNet(keras.Model):
    """A convolution, a naive module, a reduced one, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels; two poolings need 4 by 4 at least.
        width: channels of the first convolution.
        naive: the naive module's ch1x1, ch3x3 and ch5x5.
        reduced: the reduced module's ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5 and pool_proj.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width, naive, reduced, num_classes):
        check_shapes(image_shape, num_classes, smallest=4)
        super().__init__()
        self.conv1 = convolution(image_shape[-1], width, kernel_size=3)
        self.pool = layers.MaxPooling2D(2)
        self.naive = NaiveInception(width, *naive)
        self.reduced = Inception(sum(naive) + width, *reduced)
        self.dense = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to (B, num_classes) logits."""
        x = self.pool(keras.ops.relu(self.conv1(x)))  # (B, H / 2, W / 2, width)
        x = self.pool(self.naive(x))  # (B, H / 4, W / 4, sum(naive) + width)
        x = self.reduced(x)  # (B, H / 4, W / 4, ch1x1 + ch3x3 + ch5x5 + pool_proj)
        x = keras.ops.mean(x, axis=(1, 2))
        return self.dense(x)
