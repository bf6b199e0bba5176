"""LeNet-5: the first convolutional network that went to work, reading digits.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998),
section II.B and figure 2. Convolutions find local strokes, average pooling forgets where exactly they were,
and two dense layers vote. Each convolution is 5x5, so that 32x32 pixels shrink to 1x1 in three of them.

Departures: every map of the second convolution sees all six maps of the first (the paper's table I leaves
some out), pooling has no coefficients of its own, and the output is a linear layer instead of radial basis
functions. With these, the network has the 61,706 parameters that are usually quoted.

Slides: deck B, the network of 1998; deck E, "LeNet style", which speaks of 7x7 filters.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_shapes


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class LeNet(keras.Model):
    """Three 5x5 convolutions with average pooling between them, and two dense layers.

    Args:
        image_shape: height, width and channels; 32 by 32 is what three unpadded convolutions need.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, num_classes):
        check_shapes(image_shape, num_classes, smallest=32, largest=35)
        super().__init__()
        self.conv1 = layers.Conv2D(6, kernel_size=5)
        self.pool1 = layers.AveragePooling2D(2)
        self.conv2 = layers.Conv2D(16, kernel_size=5)
        self.pool2 = layers.AveragePooling2D(2)
        self.conv3 = layers.Conv2D(120, kernel_size=5)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(84)
        self.dense2 = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, 32, 32, 1) images to (B, num_classes) logits."""
        x = self.pool1(keras.ops.tanh(self.conv1(x)))  # (B, 14, 14, 6)
        x = self.pool2(keras.ops.tanh(self.conv2(x)))  # (B, 5, 5, 16)
        x = keras.ops.tanh(self.conv3(x))  # (B, 1, 1, 120)
        x = keras.ops.tanh(self.dense1(self.flatten(x)))  # (B, 84)
        return self.dense2(x)
