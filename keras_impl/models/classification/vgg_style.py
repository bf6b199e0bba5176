"""VGG style: LeNet with each 5x5 convolution replaced by two of 3x3.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), section 2.3.
Two 3x3 filters, one on the other, see the same 5x5 pixels as one large filter, for 18 weights instead of 25, and
between the two is an activation, without which the pair would be one linear filter again.
Widths, tanh and average pooling are LeNet's.

Departures: the slides have no activation between the two convolutions of a pair, nor between the dense layers;
here each has its own, which is the point of the pair. The paper itself has ReLU, max pooling and zero padding.

Slides: deck E, "VGG style", the step after LeNet.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_shapes


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class VGGStyle(keras.Model):
    """Three pairs of 3x3 convolutions with average pooling between them, and two dense layers.

    Args:
        image_shape: height, width and channels; 32 by 32 is what six unpadded convolutions need.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, num_classes):
        check_shapes(image_shape, num_classes, smallest=32, largest=35)
        super().__init__()
        self.conv1 = layers.Conv2D(6, kernel_size=3)
        self.conv2 = layers.Conv2D(6, kernel_size=3)
        self.pool1 = layers.AveragePooling2D(2)
        self.conv3 = layers.Conv2D(16, kernel_size=3)
        self.conv4 = layers.Conv2D(16, kernel_size=3)
        self.pool2 = layers.AveragePooling2D(2)
        self.conv5 = layers.Conv2D(120, kernel_size=3)
        self.conv6 = layers.Conv2D(120, kernel_size=3)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(84)
        self.dense2 = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, 32, 32, 1) images to (B, num_classes) logits."""
        x = keras.ops.tanh(self.conv1(x))
        x = self.pool1(keras.ops.tanh(self.conv2(x)))  # (B, 14, 14, 6)

        x = keras.ops.tanh(self.conv3(x))
        x = self.pool2(keras.ops.tanh(self.conv4(x)))  # (B, 5, 5, 16)

        x = keras.ops.tanh(self.conv5(x))
        x = keras.ops.tanh(self.conv6(x))  # (B, 1, 1, 120)

        x = keras.ops.tanh(self.dense1(self.flatten(x)))  # (B, 84)
        return self.dense2(x)
