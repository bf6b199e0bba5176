"""C3D: convolution over space and time at once, so that a filter can see a motion.

Tran, Bourdev, Fergus, Torresani and Paluri, "Learning spatiotemporal features with 3D convolutional networks" (2015),
section 3.3 and figure 3. A clip is a volume: a 3x3x3 kernel moves along time, height and width, and what it finds
keeps all three axes. Eight such layers with five poolings lead to two dense layers; the first pooling leaves the time
as it is, so that motion is not merged away before anything has looked at it. On clips of 16 frames of 112x112 with
`width` 64 and `hidden_size` 4096 this is the paper's network, 78.4 million parameters for the 101 classes of UCF101.

The fifth pooling turns 7x7 into 4x4: the authors' Caffe rounds up and pads behind. Much public code pads on both
sides instead, which is another network of the same count.

Departures: He's initial weights, since ten layers without normalization learn nothing from smaller ones. The paper
does not say where dropout acts; here, as in the authors' code, after both dense layers.

Slides: deck B, Conv3D, for video and volumes in medicine; deck E, the step after convolution and LSTM.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_clips


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class C3D(keras.Model):
    """Eight 3x3x3 convolutions with five max poolings, two hidden dense layers and the output.

    Args:
        clip_shape: frames, height, width and channels.
        width: filters of the first convolution; the others have two, four and eight times as many.
        hidden_size: units of either hidden dense layer.
        dropout: share of the hidden units that dropout silences.
        num_classes: width of the output.
    """

    def __init__(self, clip_shape, width, hidden_size, dropout, num_classes):
        check_clips(clip_shape, num_classes)
        super().__init__()
        he = "he_normal"  # differs: Keras cuts this normal distribution off at two standard deviations
        self.conv1 = layers.Conv3D(width, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv2 = layers.Conv3D(2 * width, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv3a = layers.Conv3D(4 * width, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv3b = layers.Conv3D(4 * width, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv4a = layers.Conv3D(8 * width, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv4b = layers.Conv3D(8 * width, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv5a = layers.Conv3D(8 * width, kernel_size=3, padding="same", kernel_initializer=he)
        self.conv5b = layers.Conv3D(8 * width, kernel_size=3, padding="same", kernel_initializer=he)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(hidden_size, kernel_initializer=he)
        self.dense2 = layers.Dense(hidden_size, kernel_initializer=he)
        self.dropout = layers.Dropout(dropout)
        self.dense3 = layers.Dense(num_classes, kernel_initializer=he)
        # batch_size: to learn its shape, Keras on PyTorch runs max pooling, with 83 and 89 clips otherwise.
        self(keras.Input(clip_shape, batch_size=1))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, T, H, W, C) clips to (B, num_classes) logits."""
        x = max_pool(keras.ops.relu(self.conv1(x)), frames=1, round_up=True)  # (B, T, H / 2, W / 2, width)
        x = max_pool(keras.ops.relu(self.conv2(x)), frames=2, round_up=True)  # (B, T / 2, H / 4, W / 4, 2 width)

        x = keras.ops.relu(self.conv3a(x))
        x = max_pool(keras.ops.relu(self.conv3b(x)), frames=2, round_up=True)  # (B, T / 4, H / 8, W / 8, 4 width)

        x = keras.ops.relu(self.conv4a(x))
        x = max_pool(keras.ops.relu(self.conv4b(x)), frames=2, round_up=True)  # (B, T / 8, H / 16, W / 16, 8 width)

        x = keras.ops.relu(self.conv5a(x))
        x = max_pool(keras.ops.relu(self.conv5b(x)), frames=2, round_up=True)  # (B, T / 16, H / 32, W / 32, 8 width)

        x = self.dropout(keras.ops.relu(self.dense1(self.flatten(x))), training=training)  # (B, hidden_size)
        x = self.dropout(keras.ops.relu(self.dense2(x)), training=training)
        return self.dense3(x)


def max_pool(x, frames, round_up):
    """Maximum over (B, T, H, W, C) clips' windows of so many frames and 2x2 pixels.

    Args:
        x: the clips.
        frames: of a window.
        round_up: whether what is left at the end fills a window; without it, it is dropped.
    """
    padding = "same" if round_up else "valid"
    T, H, W, C = x.shape[1:]  # differs: MaxPooling3D on TensorFlow has no float64, and gives all of equal places
    x = keras.ops.reshape(x, (-1, H, W, C))  # differs: the whole gradient, so that frames are pooled, then time
    x = keras.ops.max_pool(x, 2, strides=2, padding=padding)
    H, W = x.shape[1:3]  # differs: for the reshapes
    if frames > 1:  # differs: the second of two poolings
        x = keras.ops.reshape(x, (-1, T, H * W * C))
        x = keras.ops.max_pool(x, frames, strides=frames, padding=padding)
        T = x.shape[1]
    return keras.ops.reshape(x, (-1, T, H, W, C))  # differs: back to clips
