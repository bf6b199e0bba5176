"""CRNN: convolutions see, recurrence reads, and CTC writes down a string without being told where its characters are.

Shi, Bai and Yao, "An end-to-end trainable neural network for image-based sequence recognition and its application to
scene text recognition" (2015), figure 1 and table 1. Seven convolutions turn a line of text into a row of columns,
one after the other from left to right; two bidirectional LSTMs read the columns as if they were steps in time and say
at each which character it shows, or none. Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal
classification" (2006), section 3: a string is read off by merging equal neighbours and dropping the blanks, and the
loss is -log of the probability of all paths that read as the right string, so that no label has to be aligned with a
column.

`width` 64 and `hidden_size` 256 give the paper's network, whose 8.3 million parameters tell that a dense layer of 256
stands between the LSTMs, as in much public code: without it there would be 8.7 million. Departures: Adam; the reading
is greedy, the best path.

Slides: deck E, figure 1 of the paper, under video. What it reads is one still picture; its frames are columns of the
feature map, and it predicts distributions over labels, not the next picture. "RCNN style" there is CNN and RNN;
elsewhere R-CNN means regions.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_text_line


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class CRNN(keras.Model):
    """Seven convolutions, two bidirectional LSTMs with dense layers, and the loss of CTC.

    Args:
        image_shape: height, width and channels; the height is 32.
        width: filters of the first convolution; the others have two, four and eight times as many.
        hidden_size: width of each direction's output and cell state.
        num_classes: characters, and the blank, which is class 0.
    """

    def __init__(self, image_shape, width, hidden_size, num_classes):
        check_text_line(image_shape, num_classes)
        super().__init__()
        self.conv1 = layers.Conv2D(width, kernel_size=3, padding="same", use_bias=False)
        self.bn1 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv2 = layers.Conv2D(2 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn2 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.pool = layers.MaxPooling2D(2)
        self.conv3 = layers.Conv2D(4 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn3 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv4 = layers.Conv2D(4 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn4 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.flat_pool = layers.MaxPooling2D((2, 1))
        self.conv5 = layers.Conv2D(8 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn5 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv6 = layers.Conv2D(8 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn6 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv7 = layers.Conv2D(8 * width, kernel_size=2, use_bias=False)
        self.bn7 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.lstm1 = layers.Bidirectional(layers.LSTM(hidden_size, return_sequences=True))
        self.dense1 = layers.Dense(hidden_size)
        self.lstm2 = layers.Bidirectional(layers.LSTM(hidden_size, return_sequences=True))
        self.dense2 = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, T, num_classes) logits, where T is W / 4 - 1."""
        x = self.pool(keras.ops.relu(self.bn1(self.conv1(x), training=training)))  # (B, 16, W / 2, width)
        x = self.pool(keras.ops.relu(self.bn2(self.conv2(x), training=training)))  # (B, 8, W / 4, 2 width)

        x = keras.ops.relu(self.bn3(self.conv3(x), training=training))
        x = self.flat_pool(keras.ops.relu(self.bn4(self.conv4(x), training=training)))  # (B, 4, W / 4, 4 width)

        x = keras.ops.relu(self.bn5(self.conv5(x), training=training))
        x = keras.ops.relu(self.bn6(self.conv6(x), training=training))
        x = keras.ops.relu(self.bn7(self.conv7(self.flat_pool(x)), training=training))  # (B, 1, T, 8 width)

        x = keras.ops.squeeze(x, axis=1)  # (B, T, 8 width): one column is one step
        x = self.dense1(self.lstm1(x))  # (B, T, hidden_size)
        return self.dense2(self.lstm2(x))

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """CTC's loss; mean over the batch."""
        return ctc_loss(y, y_pred)


def ctc_loss(y, logits):
    """(B, S) classes, 0 behind their ends, and (B, T, classes) logits to a scalar, the mean over the batch."""
    return keras.ops.mean(keras.losses.ctc(y, logits))
