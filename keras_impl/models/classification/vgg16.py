"""VGG16: thirteen convolutions and three dense layers, the network that transfer learning began with.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), table 1, column
D, and section 3.1 for the dropout. The convolutions are those of `vgg` at base width 64. Of the 138 million
parameters of table 2, three quarters are in one matrix: from the 7x7x512 values that are left of the picture to
the 4096 units of the first dense layer.

Departures: it has He initialization ("Delving deep into rectifiers", 2015, section 2.2), where the paper first
trained a shallower network, and later found that Glorot initialization does as well.

Slides: deck C, VGG16; deck D, "VGG architecture (VGG16)".
"""

import keras
from keras import layers

from keras_impl.models.classification.vgg import conv_blocks
from keras_impl.saving import serializable
from twin.shapes import check_shapes


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class VGG16(keras.Model):
    """The five blocks of VGG, and three dense layers with dropout between them.

    Args:
        image_shape: height, width and channels; five poolings need 32 by 32 at least.
        base_width: channels of the first block.
        hidden_dim: units in each hidden dense layer.
        dropout: share of the hidden units that dropout silences.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, base_width, hidden_dim, dropout, num_classes):
        check_shapes(image_shape, num_classes, smallest=32)
        super().__init__()
        he = "he_normal"  # differs: Keras cuts this normal distribution off at two standard deviations
        self.blocks = conv_blocks(image_shape[-1], base_width)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(hidden_dim, kernel_initializer=he)
        self.dropout1 = layers.Dropout(dropout)
        self.dense2 = layers.Dense(hidden_dim, kernel_initializer=he)
        self.dropout2 = layers.Dropout(dropout)
        self.dense3 = layers.Dense(num_classes, kernel_initializer=he)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, num_classes) logits."""
        for block in self.blocks:
            x = block(x)  # at last (B, H / 32, W / 32, 8 * base_width)
        x = keras.ops.relu(self.dense1(self.flatten(x)))  # (B, hidden_dim)
        x = self.dropout1(x, training=training)
        x = keras.ops.relu(self.dense2(x))
        x = self.dropout2(x, training=training)
        return self.dense3(x)
