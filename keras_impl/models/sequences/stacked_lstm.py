"""Two LSTM layers, each in both directions: who is speaking?

Graves, Mohamed and Hinton, "Speech recognition with deep recurrent neural networks" (2013), section 3. Stacking gives
a recurrent network depth: the second layer reads what the first one says at every step. Two directions give it the
future: one LSTM reads from the first step to the last, another from the last to the first, and each step's output is
both side by side. One thing does not bring the other: any number of layers in one direction knows nothing of what comes
later. The mean over time then stands for the whole utterance.

What a backward LSTM says at the last step rests on that one step; its summary stands at the first. Taking the last step
of both, as one does with a single direction, therefore loses half of it, and the mean over all steps does not.

Departures: a dense layer on the mean names the speaker, where the paper reads phonemes from every step by CTC; two
layers of 32, where the paper has up to five of 250; no peephole connections and no weight noise.

Slides: deck E, "LSTM x2 + Dense", which says that two layers are stacked to get both directions.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_sequence


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class StackedLSTM(keras.Model):
    """Two bidirectional LSTMs, the mean over time, and a dense layer.

    Args:
        window_shape: steps of the sequence and channels of a step.
        hidden_size: width of each direction's output and cell state.
        num_classes: width of the output.
    """

    def __init__(self, window_shape, hidden_size, num_classes):
        check_sequence(window_shape, num_classes)
        super().__init__()
        self.lstm1 = layers.Bidirectional(layers.LSTM(hidden_size, return_sequences=True))
        self.lstm2 = layers.Bidirectional(layers.LSTM(hidden_size, return_sequences=True))
        self.dense = layers.Dense(num_classes)
        self(keras.Input(window_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, T, C) sequences to (B, num_classes) logits."""
        x = self.lstm1(x)  # (B, T, 2 hidden_size)
        x = self.lstm2(x)
        return self.dense(keras.ops.mean(x, axis=1))
