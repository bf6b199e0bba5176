"""GoogLeNet: nine Inception modules, and two small classifiers that help while it learns.

Szegedy et al., "Going deeper with convolutions" (2015), section 5, table 1 and figure 3. The modules are those of
`inception`, in three stages with a pooling between them. There are no large dense layers at the end, only the mean
over the picture. In training, two auxiliary classifiers read the middle of the network, and their losses are added
with weight 0.3, so that the gradient reaches the lower layers with strength; for inference they are thrown away.

Departures: all convolutions and dense layers have He initialization; the paper does not name its own. The widths can be
divided by a number, and the auxiliary pooling made smaller, to train on small pictures. The parameters are 6,998,552
without the auxiliary classifiers, which is table 1 (in round thousands), and 13,378,280 with them.

Slides: deck D, "GoogLeNet architecture".
"""

import keras
from keras import layers

from keras_impl.models.classification.inception import Inception, convolution
from keras_impl.saving import serializable
from twin.shapes import check_shapes

STAGE3 = ((192, 64, 96, 128, 16, 32, 32), (256, 128, 128, 192, 32, 96, 64))  # table 1: (3a) and (3b)
STAGE4 = (
    (480, 192, 96, 208, 16, 48, 64),
    (512, 160, 112, 224, 24, 64, 64),
    (512, 128, 128, 256, 24, 64, 64),
    (512, 112, 144, 288, 32, 64, 64),
    (528, 256, 160, 320, 32, 128, 128),
)
STAGE5 = ((832, 256, 160, 320, 32, 128, 128), (832, 384, 192, 384, 48, 128, 128))
AUX_LOSS_WEIGHT = 0.3


def halve(x):
    """(B, H, W, C) to (B, H / 2, W / 2, C), rounded down: 3x3 windows, two apart, the last of which may overhang."""
    x = keras.ops.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))  # differs: PyTorch has ceil_mode; after ReLU 0 will do
    return keras.ops.max_pool(x, pool_size=3, strides=2, padding="valid")


class LocalResponseNorm(layers.Layer):  # differs: PyTorch has it ready-made
    """Each value divided by a power of the mean square over its five neighbours in the channels."""

    def call(self, x):
        """(B, H, W, C) to (B, H, W, C)."""
        channels = x.shape[-1]
        squares = keras.ops.pad(keras.ops.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
        mean = sum(squares[..., shift : shift + channels] for shift in range(5)) / 5
        return x / (1 + 1e-4 * mean) ** 0.75


class InceptionAux(layers.Layer):
    """A small classifier on the middle of the network: pooling, a 1x1 convolution, two dense layers.

    Args:
        in_shape: height, width and channels of the input.
        pool_size: height and width of what is pooled, every three pixels.
        channels: channels of the convolution.
        hidden_dim: units in the hidden dense layer.
        dropout: share of the hidden units that dropout silences.
        num_classes: width of the output.
    """

    def __init__(self, in_shape, pool_size, channels, hidden_dim, dropout, num_classes):
        super().__init__()
        he = "he_normal"  # differs: Keras cuts this normal distribution off at two standard deviations
        self.pool = layers.AveragePooling2D(pool_size=pool_size, strides=3)
        self.conv = convolution(in_shape[-1], channels, kernel_size=1)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(hidden_dim, kernel_initializer=he)
        self.dropout = layers.Dropout(dropout)
        self.dense2 = layers.Dense(num_classes, kernel_initializer=he)

    def call(self, x):
        """(B, H, W, C) to (B, num_classes) logits."""
        x = self.pool(x)  # (B, (H - pool_size) / 3 + 1, (W - pool_size) / 3 + 1, C)
        x = keras.ops.relu(self.conv(x))
        x = keras.ops.relu(self.dense1(self.flatten(x)))  # (B, hidden_dim)
        return self.dense2(self.dropout(x))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class GoogLeNet(keras.Model):
    """Three convolutions, nine Inception modules in three stages, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels; a sixteenth of it must hold a pooling window.
        width_divisor: every width of the paper is divided by it; 1, 2, 4 or 8.
        aux_pool_size: height and width of what the auxiliary classifiers pool; 5 in the paper.
        dropout: share of the last values that dropout silences.
        aux_dropout: the same for the hidden units of the auxiliary classifiers.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width_divisor, aux_pool_size, dropout, aux_dropout, num_classes):
        check_shapes(image_shape, num_classes, smallest=max(31, 16 * aux_pool_size - 1))
        super().__init__()
        sides = [(side + 1) // 2 // 8 for side in image_shape[:2]]  # of stage 4
        scale = lambda *widths: [width // width_divisor for width in widths]
        he = "he_normal"  # differs: Keras cuts this normal distribution off at two standard deviations
        self.conv1 = layers.Conv2D(*scale(64), kernel_size=7, strides=2, kernel_initializer=he)
        self.lrn1 = LocalResponseNorm()
        self.conv2 = convolution(*scale(64, 64), kernel_size=1)
        self.conv3 = convolution(*scale(64, 192), kernel_size=3)
        self.lrn2 = LocalResponseNorm()
        self.stage3 = [Inception(*scale(*row)) for row in STAGE3]
        self.stage4 = [Inception(*scale(*row)) for row in STAGE4]
        self.aux1 = InceptionAux((*sides, *scale(512)), aux_pool_size, *scale(128, 1024), aux_dropout, num_classes)
        self.aux2 = InceptionAux((*sides, *scale(528)), aux_pool_size, *scale(128, 1024), aux_dropout, num_classes)
        self.stage5 = [Inception(*scale(*row)) for row in STAGE5]
        self.dropout = layers.Dropout(dropout)
        self.dense = layers.Dense(num_classes, kernel_initializer=he)
        self(keras.Input(image_shape), training=True)  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to `y`, (B, num_classes) logits, and in training `aux1` and `aux2` too."""
        out = {}
        x = keras.ops.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))  # differs: PyTorch's convolution pads itself
        x = self.lrn1(halve(keras.ops.relu(self.conv1(x))))  # (B, H / 4, W / 4, 64)
        x = keras.ops.relu(self.conv2(x))
        x = halve(self.lrn2(keras.ops.relu(self.conv3(x))))  # (B, H / 8, W / 8, 192)

        for module in self.stage3:
            x = module(x)
        x = halve(x)  # (B, H / 16, W / 16, 480)

        x = self.stage4[0](x)
        if training:
            out["aux1"] = self.aux1(x, training=training)
        for module in self.stage4[1:4]:
            x = module(x)
        if training:
            out["aux2"] = self.aux2(x, training=training)
        x = halve(self.stage4[4](x))  # (B, H / 32, W / 32, 832)

        for module in self.stage5:
            x = module(x)
        x = keras.ops.mean(x, axis=(1, 2))  # (B, 1024)
        out["y"] = self.dense(self.dropout(x, training=training))
        return out

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy, and 0.3 of that of each auxiliary classifier; mean over the batch."""
        loss = lambda logits: keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
        auxiliary = loss(y_pred["aux1"]) + loss(y_pred["aux2"])
        return loss(y_pred["y"]) + AUX_LOSS_WEIGHT * auxiliary
