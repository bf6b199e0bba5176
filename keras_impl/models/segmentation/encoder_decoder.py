"""Encoder and decoder: pooling remembers where each maximum stood, and unpooling puts values back to those places.

Noh, Hong and Han, "Learning deconvolution network for semantic segmentation" (2015), section 3; Badrinarayanan, Kendall
and Cipolla, "SegNet: a deep convolutional encoder-decoder architecture for image segmentation" (2017). Max pooling
forgets where in its window the maximum was, and with it where edges were. Here the decoder gets these places: a value
goes to the place of the maximum, zeros around it, and a learned layer fills the gaps. That layer is a transposed
convolution, which the paper calls deconvolution: it spreads each value by its kernel, and is the inverse of nothing.

Departures: the paper's network has two layers of 4096 channels at its bottom (252 million parameters in all); this one
turns at once, as SegNet does, whose widths and count size `paper` has. SegNet's decoder convolves, which at stride 1
is a transposed convolution with another kernel. Pooling needs even sides.

Slides: deck C, segmentation by an encoder and a decoder, deconvolution and unpooling.
"""

from itertools import pairwise

import keras
from keras import layers, ops

from keras_impl.saving import serializable
from twin.shapes import check_shapes


def max_pool_with_places(x):
    """(B, H, W, C) to the maxima of windows of 2 by 2, (B, H / 2, W / 2, C), and where each was."""
    _, H, W, C = x.shape  # differs: Keras has no pooling that tells the places
    x = ops.reshape(x, (-1, H // 2, 2, W // 2, 2, C))
    windows = ops.reshape(ops.transpose(x, (0, 1, 3, 5, 2, 4)), (-1, H // 2, W // 2, C, 4))
    places = ops.argmax(windows, axis=-1)
    # Not ops.max: its gradient on JAX looks for the maximum by equality, and finds none where XLA rounds it anew.
    return ops.take_along_axis(windows, places[..., None], axis=-1)[..., 0], places


def max_unpool(x, places):
    """(B, H, W, C) values to (B, 2 H, 2 W, C): each at its place in a window of 2 by 2, zeros elsewhere."""
    _, H, W, C = x.shape  # differs: Keras has no unpooling
    windows = x[..., None] * ops.one_hot(places, 4, dtype=x.dtype)  # (B, H, W, C, 4)
    x = ops.transpose(ops.reshape(windows, (-1, H, W, C, 2, 2)), (0, 1, 4, 2, 5, 3))
    return ops.reshape(x, (-1, 2 * H, 2 * W, C))


class Encoder(layers.Layer):
    """Convolutions at one scale, each with BatchNorm and ReLU, then pooling.

    Args:
        widths: channels of the input and of each convolution.
    """

    def __init__(self, widths):
        super().__init__()
        self.convs = [layers.Conv2D(after, kernel_size=3, padding="same") for _, after in pairwise(widths)]
        norms = [{"momentum": 0.9, "epsilon": 1e-5} for _ in self.convs]  # differs: momentum is the share kept
        self.norms = [layers.BatchNormalization(**norm) for norm in norms]

    def call(self, x, training=None):  # differs: Keras passes the mode in
        """(B, H, W, widths[0]) to (B, H / 2, W / 2, widths[-1]), and the places of the maxima."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = ops.relu(norm(conv(x), training=training))
        return max_pool_with_places(x)


class Decoder(layers.Layer):
    """Unpooling, then transposed convolutions at that scale; BatchNorm and ReLU follow all but the network's last one.

    Args:
        widths: channels of the input and of each transposed convolution.
        is_last: whether the last of them gives the network's logits.
    """

    def __init__(self, widths, is_last):
        super().__init__()
        self.deconvs = [layers.Conv2DTranspose(after, kernel_size=3, padding="same") for _, after in pairwise(widths)]
        norms = [
            {"momentum": 0.9, "epsilon": 1e-5} for _ in widths[2 if is_last else 1 :]
        ]  # differs: momentum is the share kept
        self.norms = [layers.BatchNormalization(**norm) for norm in norms]

    def call(self, x, places, training=None):  # differs: Keras passes the mode in
        """(B, H, W, widths[0]) and the places of that many maxima to (B, 2 H, 2 W, widths[-1])."""
        x = max_unpool(x, places)
        for deconv, norm in zip(self.deconvs, self.norms, strict=False):
            x = ops.relu(norm(deconv(x), training=training))
        return x if len(self.norms) == len(self.deconvs) else self.deconvs[-1](x)


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class EncoderDecoder(keras.Model):
    """The way down, which remembers places, and the way up, its mirror image, which puts values there.

    Args:
        image_shape: height, width and channels; both sides are multiples of 2 ** scales.
        num_classes: classes of a pixel, the background included.
        widths: channels at each scale.
        num_convs: convolutions at each scale.
    """

    def __init__(self, image_shape, num_classes, widths, num_convs):
        check_shapes(image_shape, num_classes, smallest=2 ** len(widths), multiple=2 ** len(widths))
        super().__init__()
        before = [image_shape[-1], *widths[:-1]]
        scales = [[first, *[width] * count] for first, width, count in zip(before, widths, num_convs, strict=True)]
        self.encoders = [Encoder(widths) for widths in scales]
        scales[0][0] = num_classes
        self.decoders = [Decoder(widths[::-1], is_last=widths is scales[0]) for widths in reversed(scales)]
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in
        """(B, H, W, C) images to (B, H, W, num_classes) logits."""
        remembered = []
        for encoder in self.encoders:
            x, places = encoder(x, training=training)
            remembered.append(places)
        for decoder, places in zip(self.decoders, reversed(remembered), strict=True):
            x = decoder(x, places, training=training)
        return x
