"""Lip reading: convolution over space and time sees the mouth move, recurrence reads, and CTC writes the sentence.

Assael, Shillingford, Whiteson and de Freitas, "LipNet: end-to-end sentence-level lipreading" (2016), section 4 and
table 3. Three spatiotemporal convolutions keep every frame and make each smaller; two bidirectional GRUs read what is
left of the frames, one after the other; a dense layer says at each frame which letter it shows, or none. The loss is
that of CTC, as in CRNN: nobody has to say when a letter was spoken. On clips of 75 frames of 50x100 with `width` 32
and `hidden_size` 256 this is the paper's network for 26 letters, the space and the blank.

Departures: batch normalization after each convolution, without which so small a network writes nothing but blanks for
most of its training; dropout strikes single values, where the authors' code strikes whole feature maps; the reading is
greedy, without a language model.

Slides: deck E, the lip reading model among the components of deep learning: convolution, recurrence, dense layer.
"""

import keras
from keras import layers

from keras_impl.models.video.conv3d import max_pool
from keras_impl.models.video.crnn import ctc_loss
from keras_impl.saving import serializable
from twin.shapes import check_clips


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class LipNet(keras.Model):
    """Three spatiotemporal convolutions, two bidirectional GRUs, a dense layer, and the loss of CTC.

    Args:
        clip_shape: frames, height, width and channels; height and width of at least 15.
        width: filters of the first convolution; the others have twice and three times as many.
        hidden_size: width of each direction's state.
        dropout: dropout rate after each convolution.
        num_classes: letters, the space, and the blank, which is class 0.
    """

    def __init__(self, clip_shape, width, hidden_size, dropout, num_classes):
        check_clips(clip_shape, num_classes, smallest=15)
        super().__init__()
        self.conv1 = layers.Conv3D(width, kernel_size=(3, 5, 5), strides=(1, 2, 2), use_bias=False)
        self.bn1 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv2 = layers.Conv3D(2 * width, kernel_size=(3, 5, 5), padding="same", use_bias=False)
        self.bn2 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.conv3 = layers.Conv3D(3 * width, kernel_size=3, padding="same", use_bias=False)
        self.bn3 = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.dropout = layers.Dropout(dropout)
        self.gru1 = layers.Bidirectional(layers.GRU(hidden_size, reset_after=True, return_sequences=True))
        self.gru2 = layers.Bidirectional(layers.GRU(hidden_size, reset_after=True, return_sequences=True))
        self.dense = layers.Dense(num_classes)
        self(keras.Input(clip_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, T, H, W, C) clips to (B, T, num_classes) logits."""
        x = keras.ops.pad(x, ((0, 0), (1, 1), (2, 2), (2, 2), (0, 0)))  # differs: PyTorch's convolution pads itself
        x = keras.ops.relu(self.bn1(self.conv1(x), training=training))  # (B, T, H / 2, W / 2, width)
        x = max_pool(self.dropout(x, training=training), frames=1, round_up=False)  # (B, T, H / 4, W / 4, width)

        x = keras.ops.relu(self.bn2(self.conv2(x), training=training))
        x = max_pool(self.dropout(x, training=training), frames=1, round_up=False)  # (B, T, H / 8, W / 8, 2 width)

        x = keras.ops.relu(self.bn3(self.conv3(x), training=training))
        x = max_pool(self.dropout(x, training=training), frames=1, round_up=False)  # (B, T, H / 16, W / 16, 3 width)

        x = keras.ops.reshape(x, (-1, x.shape[1], x.shape[2] * x.shape[3] * x.shape[4]))  # (B, T, D)
        x = self.gru1(x)  # (B, T, 2 hidden_size)
        x = self.gru2(x)
        return self.dense(x)

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """CTC's loss; mean over the batch."""
        return ctc_loss(y, y_pred)
