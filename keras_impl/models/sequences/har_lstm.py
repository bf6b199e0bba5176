"""Human activity recognition: an LSTM reads the motion sensors of something worn, and a dense layer names the activity.

Hochreiter and Schmidhuber, "Long short-term memory" (1997), section 4. The LSTM reads a window of readings, one time
step after the other, three axes of the accelerometer and three of the gyroscope. Its cell state adds up what
matters, behind gates that learn what to let in and out, so that an early step still counts at the end. Only
the last step's output goes on: it stands for the whole window.

Departures: the gate that forgets is younger than the paper (Gers, Schmidhuber and Cummins, 2000), and no block has
more than one cell: this is the LSTM that both frameworks ship.

Slides: deck B, the example of accelerometer data; deck C, which classifies six activities. Six is what UCI HAR has,
recorded by a telephone; the data that ships here is recorded by a watch and has four, so `num_classes` says how many.
"""

import keras
from keras import layers

from keras_impl.saving import serializable


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class HarLSTM(keras.Model):
    """One LSTM over the window, and one dense layer on its last output.

    Args:
        window_shape: steps of the window and channels of the sensors.
        hidden_size: width of the LSTM's output and of its cell state.
        num_classes: number of activities.
    """

    def __init__(self, window_shape, hidden_size, num_classes):
        super().__init__()
        self.lstm = layers.LSTM(hidden_size)
        self.dense = layers.Dense(num_classes)
        self(keras.Input(window_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, T, C) windows to (B, num_classes) logits."""
        last = self.lstm(x)  # differs: Keras returns the last step's output, (B, D)
        return self.dense(last)
