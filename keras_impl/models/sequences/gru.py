"""Gated recurrent unit: an LSTM's memory with one gate less and no cell state of its own.

Cho, van Merrienboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio, "Learning phrase representations using RNN
encoder-decoder for statistical machine translation" (2014), section 2.3. The update gate z says how much of the old
state stays, the reset gate r how much of it the candidate may see: h' = z h + (1 - z) tanh(W x + r U h). What the LSTM
has two gates for, letting in and letting go, is one decision here. So three maps of the input and the state are needed
in place of four: three quarters of an LSTM's weights.

Departures: r multiplies U h, with its bias, and not h before U does (`reset_after`): the form that cuDNN computes,
PyTorch has no other, and Keras has it as its default. The last state goes on to a dense layer.

Slides: deck E, which names LSTM and GRU in one breath in the history of time series.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_sequence


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class GRUClassifier(keras.Model):
    """One GRU over the sequence, and one dense layer on its last state.

    Args:
        window_shape: steps of the sequence and channels of a step.
        hidden_size: width of the state.
        num_classes: width of the output.
    """

    def __init__(self, window_shape, hidden_size, num_classes):
        check_sequence(window_shape, num_classes)
        super().__init__()
        self.gru = layers.GRU(hidden_size, reset_after=True)
        self.dense = layers.Dense(num_classes)
        self(keras.Input(window_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, T, C) sequences to (B, num_classes) logits."""
        last = self.gru(x)  # differs: Keras returns the last step's output, (B, hidden_size)
        return self.dense(last)
