"""Convolutions, then recurrence: what is near in time is read together before it is remembered.

Ordonez and Roggen, "Deep convolutional and LSTM recurrent neural networks for multimodal wearable activity
recognition" (2016), section 3. An LSTM sees one step at a time; a convolution in front of it sees a few neighbours, so
that each step arrives with its surroundings: slopes, onsets, short patterns. The recurrent layer then only has to know
their order.

This is not the ConvLSTM of Shi et al. (2015), whose gates are convolutions themselves; Keras ships that one as
`ConvLSTM2D`, and PyTorch has none.

Departures: two convolutions and one LSTM in place of four and two, and no dropout; the convolutions mix the channels
where the paper's pass over each sensor channel by itself; zeros around the sequence keep its length.

Slides: deck E, "Conv + RNN", the step after stacked LSTMs in its history of time series.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_sequence


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class ConvLSTM(keras.Model):
    """Two convolutions over time, an LSTM on what they found, and a dense layer on its last output.

    Args:
        window_shape: steps of the sequence and channels of a step.
        filters: filters of the convolutions.
        kernel_size: steps that a filter sees, odd.
        hidden_size: width of the LSTM's output and of its cell state.
        num_classes: width of the output.
    """

    def __init__(self, window_shape, filters, kernel_size, hidden_size, num_classes):
        check_sequence(window_shape, num_classes)
        super().__init__()
        self.conv1 = layers.Conv1D(filters, kernel_size, padding="same")
        self.conv2 = layers.Conv1D(filters, kernel_size, padding="same")
        self.lstm = layers.LSTM(hidden_size)
        self.dense = layers.Dense(num_classes)
        self(keras.Input(window_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, T, C) sequences to (B, num_classes) logits."""
        x = keras.ops.relu(self.conv1(x))  # (B, T, filters)
        x = keras.ops.relu(self.conv2(x))
        last = self.lstm(x)  # differs: Keras returns the last step's output, (B, hidden_size)
        return self.dense(last)
