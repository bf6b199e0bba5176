"""A deeper network for digits: six 3x3 convolutions in pairs, 16-16-32-32-64-64.

Saito, "Deep learning from scratch" (2016), section 8.1, after Simonyan and Zisserman, "Very deep convolutional
networks for large-scale image recognition" (2015). Two 3x3 filters, one on the other, see as much as one of
5x5 with fewer weights and one more activation. While pooling halves the picture the channels double, and He
initialization keeps the signal's size alike through all the layers. The fourth convolution pads
by two, not one: so 14x14 becomes 16x16, and three poolings leave 4x4.

Departures: the slides put a second dropout after the output layer. There it sets logits to zero, at
times that of the right class, whatever the picture; it is a mistake, and left out.

Slides: deck D, the network for handwriting, in NumPy, with He initialization, Adam and dropout.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_shapes


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class DeepConvNet(keras.Model):
    """Three pairs of 3x3 convolutions with max pooling after each, a hidden dense layer and the output.

    Args:
        image_shape: height, width and channels; 28 by 28 leaves 4 by 4 at the end.
        hidden_dim: units in the hidden dense layer.
        dropout: share of the hidden units that dropout silences.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, hidden_dim, dropout, num_classes):
        check_shapes(image_shape, num_classes, smallest=4)
        super().__init__()
        he = "he_normal"  # differs: Keras cuts this normal distribution off at two standard deviations
        self.conv1 = layers.Conv2D(16, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv2 = layers.Conv2D(16, kernel_size=3, padding="same", kernel_initializer=he)
        self.pool1 = layers.MaxPooling2D(2)
        self.conv3 = layers.Conv2D(32, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv4 = layers.Conv2D(32, kernel_size=3, padding="valid", kernel_initializer=he)
        self.pool2 = layers.MaxPooling2D(2)
        self.conv5 = layers.Conv2D(64, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv6 = layers.Conv2D(64, kernel_size=3, padding="same", kernel_initializer=he)
        self.pool3 = layers.MaxPooling2D(2)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(hidden_dim, kernel_initializer=he)
        self.dropout = layers.Dropout(dropout)
        self.dense2 = layers.Dense(num_classes, kernel_initializer=he)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, 28, 28, 1) images to (B, num_classes) logits."""
        x = keras.ops.relu(self.conv1(x))
        x = self.pool1(keras.ops.relu(self.conv2(x)))  # (B, 14, 14, 16)

        x = keras.ops.relu(self.conv3(x))
        x = keras.ops.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))  # differs: PyTorch's convolution pads itself
        x = self.pool2(keras.ops.relu(self.conv4(x)))  # (B, 8, 8, 32)

        x = keras.ops.relu(self.conv5(x))
        x = self.pool3(keras.ops.relu(self.conv6(x)))  # (B, 4, 4, 64)

        x = keras.ops.relu(self.dense1(self.flatten(x)))  # (B, hidden_dim)
        return self.dense2(self.dropout(x, training=training))
