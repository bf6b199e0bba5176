"""A localizer: one network that says what is in a picture and where, by two outputs and one loss.

Sermanet et al., "OverFeat: integrated recognition, localization and detection using convolutional networks" (2013),
section 4. Convolutions find features that serve both questions. From these, one output classifies, and another
regresses the four edges of the box, trained by the squared distance to the true ones. A number weighs the two
losses against each other.

Departures: both outputs are trained at once, with the sum of their losses, as the slides have it, where the paper
trains the box after the classes, on features that no longer change; one window over the whole picture instead of
many at several scales; one box for all classes instead of one for each; a trunk of three convolutions.

Slides: deck C, classification and localization, loss = alpha * softmax loss + (1 - alpha) * L2 loss.
"""

import keras
from keras import layers

from keras_impl.saving import serializable


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class Localizer(keras.Model):
    """Three convolutions with max pooling, a dense layer, and two outputs on it.

    Args:
        image_shape: height, width and channels; both sides are multiples of 8.
        hidden_dim: width of the dense layer that both outputs read.
        num_classes: width of the class output.
        alpha: weight of the class loss; the box loss has 1 - alpha.
    """

    def __init__(self, image_shape, hidden_dim, num_classes, alpha):
        super().__init__()
        self.conv1 = layers.Conv2D(16, kernel_size=3, padding="same")
        self.pool = layers.MaxPooling2D(2)
        self.conv2 = layers.Conv2D(32, kernel_size=3, padding="same")
        self.conv3 = layers.Conv2D(64, kernel_size=3, padding="same")
        self.flatten = layers.Flatten()
        self.dense = layers.Dense(hidden_dim)
        self.label = layers.Dense(num_classes)
        self.box = layers.Dense(4)
        self.alpha = alpha
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to `label`, (B, num_classes) logits, and `box`, (B, 4) edges as shares of the sides."""
        x = self.pool(keras.ops.relu(self.conv1(x)))  # (B, H / 2, W / 2, 16)
        x = self.pool(keras.ops.relu(self.conv2(x)))  # (B, H / 4, W / 4, 32)
        x = self.pool(keras.ops.relu(self.conv3(x)))  # (B, H / 8, W / 8, 64)
        x = keras.ops.relu(self.dense(self.flatten(x)))  # (B, hidden_dim)
        return {"label": self.label(x), "box": self.box(x)}

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The weighted sum of both losses, mean over the batch."""
        softmax_loss = keras.losses.sparse_categorical_crossentropy(y["label"], y_pred["label"], from_logits=True)
        l2_loss = keras.ops.sum(keras.ops.square(keras.ops.subtract(y_pred["box"], y["box"])), axis=-1)
        return keras.ops.mean(self.alpha * softmax_loss + (1 - self.alpha) * l2_loss)
