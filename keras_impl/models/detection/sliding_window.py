"""A window slides over a picture at several scales, and a small network says what each window shows.

Sermanet et al., "OverFeat: integrated recognition, localization and detection using convolutional networks" (2013),
sections 3.3 to 3.5. A window of one size finds objects of one size. So the picture is shown at several scales, as scale
space theory has it: Lindeberg, "Scale-space theory" (1994), smooths a picture with Gaussians, wider for coarser scales.
Neighbouring windows share most of their pixels. If the network is applied to the whole picture as convolutions, its
dense layer too, what windows share is computed once, and all answers come at once, one for each place of a map.

Nearly all windows show ground. Those that train are the ones that show an object and, for each of them, the three of
the ground with the largest loss ("most offending", section 5).

Departures: no box is regressed, a window itself is what is found; the windows that train are taken from a pass over the
whole scene, where the paper cuts single ones out. Windows that an object fills by half or so train nothing.

Slides: deck C, sliding window, scale space.
"""

import keras
from keras import layers, ops

from keras_impl.saving import serializable
from twin.shapes import check_square, check_windows

STRIDE = 2  # pixels from one window to the next, that of the pooling
HARD = 3  # windows of the ground that train, for each that shows an object
SIGMA = 0.5  # of the Gaussian, in pixels of the scale at which the picture is shown


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class SlidingWindow(keras.Model):
    """Two convolutions, and two dense layers that are convolutions, over each scale of a picture.

    Args:
        image_shape: height, width and channels, height and width the same.
        sides: of the picture at each scale.
        window: height and width of the window, both even, and at least 8.
        widths: channels of the convolutions.
        hidden_dim: units of the dense layer that follows.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, sides, window, widths, hidden_dim, num_classes):
        super().__init__()
        check_square(image_shape, num_classes)
        check_windows(sides, window)
        self.sides, self.window = sides, window
        left = [extent // 2 - 3 for extent in window]  # of a window after two convolutions and the pooling
        self.conv1 = layers.Conv2D(widths[0], kernel_size=3)
        self.pool = layers.MaxPooling2D(STRIDE)
        self.conv2 = layers.Conv2D(widths[1], kernel_size=3)
        self.dense1 = layers.Conv2D(hidden_dim, kernel_size=left)
        self.dense2 = layers.Conv2D(1 + num_classes, kernel_size=1)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, H, W, C) images to `logits` (B, K, 1 + classes), `boxes` (B, K, 4) and `scores` (B, K, classes)."""
        logits, boxes = [], []
        for side in self.sides:
            seen = self.classify(at_scale(x, side))  # (B, rows, columns, 1 + classes)
            logits.append(ops.reshape(seen, (-1, seen.shape[1] * seen.shape[2], seen.shape[3])))
            boxes.append(windows(side, self.window, x))
        logits, boxes = ops.concatenate(logits, axis=1), ops.concatenate(boxes, axis=0)
        scores = ops.softmax(logits, axis=-1)[..., 1:]
        return {"logits": logits, "boxes": boxes + ops.zeros_like(logits[..., :1]), "scores": scores}

    def classify(self, x):
        """(B, H, W, C) images to logits of each window, (B, rows, columns, 1 + classes); of one window, 1 x 1."""
        x = self.pool(ops.relu(self.conv1(x)))
        x = ops.relu(self.conv2(x))
        return self.dense2(ops.relu(self.dense1(x)))

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy, mean over the windows that train; which are the hardest of the ground has no gradient."""
        shows = ops.cast(y["labels"] > 0, y_pred["logits"].dtype)  # (B, K)
        ground = ops.cast(ops.equal(y["labels"], 0), shows.dtype)
        labels = ops.maximum(y["labels"], 0)
        softmax = keras.losses.sparse_categorical_crossentropy(labels, y_pred["logits"], from_logits=True)  # (B, K)

        order = ops.argsort(ops.stop_gradient(-softmax * ground), axis=-1)  # the hardest of the ground first
        rank = ops.cast(ops.argsort(order, axis=-1), shows.dtype)
        hard = ground * ops.cast(rank < HARD * ops.sum(shows, axis=-1, keepdims=True), shows.dtype)
        return ops.sum((shows + hard) * softmax) / ops.maximum(ops.sum(shows + hard), 1)


def at_scale(x, side):
    """Square images (B, H, H, C) smoothed by a Gaussian and sampled anew, (B, side, side, C)."""
    length = x.shape[1]
    shrunk = length / side
    centres = (ops.arange(side, dtype=x.dtype) + 0.5) * shrunk - 0.5  # in pixels of the picture
    apart = (centres[:, None] - ops.arange(length, dtype=x.dtype)) / (SIGMA * max(shrunk, 1))
    weights = ops.softmax(-0.5 * ops.square(apart), axis=-1)  # (side, H)
    return ops.einsum("sh,bhwc,tw->bstc", weights, x, weights)


def windows(side, window, like):
    """Boxes (K, 4) of the windows in a picture of that side, shares of it, row by row; their type is that of `like`."""
    height, width = window
    top, left = (ops.arange(0, side - n + 1, STRIDE, dtype=like.dtype) for n in window)
    top, left = ops.meshgrid(top, left, indexing="ij")
    boxes = ops.stack([left, top, left + width, top + height], axis=-1)
    return ops.reshape(boxes, (-1, 4)) / side
