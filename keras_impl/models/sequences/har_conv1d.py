"""Human activity recognition by convolutions over time: no recurrence, every step of the window is read at once.

The task is that of Anguita, Ghio, Oneto, Parra and Reyes-Ortiz, "A public domain dataset for human activity
recognition using smartphones" (2013), section 3: name the activity of a window of sensor readings, half overlapping
with the next. A one-dimensional kernel moves along the time only; at each place it sees all channels of a few
neighbouring steps. Two convolutions find short motions, pooling keeps the strongest of three neighbours, two more find
patterns of motions, and the mean over time asks how much of each pattern is in the window, wherever it is.

Departures: the paper computes 561 features by hand and classifies them with a support vector machine; this is the plain
convolutional network that became the usual one for its task. Size `paper` has the widths that are taught most: two
layers of 100 and two of 160 filters of ten steps, on 80 steps of an accelerometer.

Slides: deck B, Conv1D and its example of accelerometer data, whose output is [batch, out_channels, length - kernel +
1] and not [batch, embedding, sequence length]; deck C, the six activities.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_sequence


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class HARConv1D(keras.Model):
    """Two pairs of convolutions over time with max pooling between, the mean over time, and a dense layer.

    Args:
        window_shape: steps of the window and channels of the sensors.
        filters1: filters of the first two convolutions.
        filters2: filters of the last two.
        kernel_size: steps that a filter sees.
        dropout: share of the pattern averages that dropout silences.
        num_classes: number of activities.
    """

    def __init__(self, window_shape, filters1, filters2, kernel_size, dropout, num_classes):
        check_sequence(window_shape, num_classes, shortest=8 * kernel_size - 5)
        super().__init__()
        self.conv1 = layers.Conv1D(filters1, kernel_size)
        self.conv2 = layers.Conv1D(filters1, kernel_size)
        self.pool = layers.MaxPooling1D(3)
        self.conv3 = layers.Conv1D(filters2, kernel_size)
        self.conv4 = layers.Conv1D(filters2, kernel_size)
        self.dropout = layers.Dropout(dropout)
        self.dense = layers.Dense(num_classes)
        self(keras.Input(window_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, T, C) windows to (B, num_classes) logits."""
        x = keras.ops.relu(self.conv1(x))  # (B, T - kernel_size + 1, filters1)
        x = self.pool(keras.ops.relu(self.conv2(x)))

        x = keras.ops.relu(self.conv3(x))
        x = keras.ops.relu(self.conv4(x))

        x = keras.ops.mean(x, axis=1)  # (B, filters2)
        return self.dense(self.dropout(x, training=training))
