"""Space-time map: a video of a face becomes one picture, a row for each region and a column for each frame.

Niu, Shan, Han and Chen, "RhythmNet: end-to-end heart rate estimation from face via spatial-temporal representation"
(2020), sections III-B and III-C. The mean colour of each region of the face is followed over time; each row is scaled
to its own range, so that a beat, which changes the skin's colour by less than a hundredth, fills the picture. What is
left of space is a few rows, so that ordinary two-dimensional convolutions see the pulse, with a third of the weights
that a kernel over two axes of space would need. A GRU reads the columns, and a dense layer gives the beats a second.

Departures: three convolutions of 3x7 in place of ResNet-18; the GRU reads the columns of one map, where the paper's
reads six maps one after the other; the mean over time of all its states goes on; RGB in place of YUV.

Slides: deck E, "STMap", the step after three-dimensional convolution: fewer parameters, and more weight on time.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_map


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class STMapNet(keras.Model):
    """Three convolutions that halve the time, the mean over the regions, a GRU over time, and a dense layer.

    Args:
        map_shape: regions, frames and colours; at least 8 frames.
        width: filters of the first convolution; the others have twice as many.
        hidden_size: width of the GRU's state.
    """

    def __init__(self, map_shape, width, hidden_size):
        check_map(map_shape, shortest=8)
        super().__init__()
        self.conv1 = layers.Conv2D(width, kernel_size=(3, 7), padding="same", use_bias=False)
        self.bn1 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv2 = layers.Conv2D(2 * width, kernel_size=(3, 7), padding="same", use_bias=False)
        self.bn2 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv3 = layers.Conv2D(2 * width, kernel_size=(3, 7), padding="same", use_bias=False)
        self.bn3 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.pool = layers.MaxPooling2D((1, 2))
        self.gru = layers.GRU(hidden_size, reset_after=True, return_sequences=True)
        self.dense = layers.Dense(1)
        self(keras.Input(map_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, R, T, C) maps to (B, 1) beats a second."""
        x = self.pool(keras.ops.relu(self.bn1(self.conv1(x), training=training)))  # (B, R, T / 2, width)
        x = self.pool(keras.ops.relu(self.bn2(self.conv2(x), training=training)))  # (B, R, T / 4, 2 width)
        x = self.pool(keras.ops.relu(self.bn3(self.conv3(x), training=training)))  # (B, R, T / 8, 2 width)

        x = keras.ops.mean(x, axis=1)  # (B, T / 8, 2 width)
        x = self.gru(x)  # (B, T / 8, hidden_size)
        return self.dense(keras.ops.mean(x, axis=1))

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The mean absolute difference, in beats a second."""
        return keras.ops.mean(keras.ops.abs(keras.ops.subtract(y_pred, y)))
