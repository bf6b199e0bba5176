"""A first convolutional network for handwritten digits: the one that the course sets as homework.

The pattern is that of Cireşan, Meier, Masci, Gambardella and Schmidhuber, "Flexible, high performance
convolutional neural networks for image classification" (2011), section 2. A convolution looks for the same
small pattern everywhere, max pooling keeps that it was found and forgets where exactly, and after two such
rounds dense layers decide. Between the two halves the maps are flattened, which each framework does in an
order of its own: Keras runs through the channels of a pixel first, PyTorch through the pixels of a channel.

Departures: the homework leaves the sizes open; here 16 and 32 maps of 3x3 filters and one hidden layer of 64,
with ReLU.

Slides: deck E, homework 1: two convolutions, each with max pooling, flatten, two dense layers; Adam and
cross-entropy.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_shapes


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class DigitCNN(keras.Model):
    """Two 3x3 convolutions with max pooling after each, and two dense layers.

    Args:
        image_shape: height, width and channels; height and width divisible by four.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, num_classes):
        check_shapes(image_shape, num_classes, smallest=4)
        super().__init__()
        self.conv1 = layers.Conv2D(16, kernel_size=3, padding="same")
        self.pool1 = layers.MaxPooling2D(2)
        self.conv2 = layers.Conv2D(32, kernel_size=3, padding="same")
        self.pool2 = layers.MaxPooling2D(2)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(64)
        self.dense2 = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to (B, num_classes) logits."""
        x = self.pool1(keras.ops.relu(self.conv1(x)))  # (B, H / 2, W / 2, 16)
        x = self.pool2(keras.ops.relu(self.conv2(x)))  # (B, H / 4, W / 4, 32)
        x = keras.ops.relu(self.dense1(self.flatten(x)))  # (B, 64)
        return self.dense2(x)
