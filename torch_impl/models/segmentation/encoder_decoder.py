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

import torch
from torch import nn
from torch.nn import functional as F

from twin.shapes import check_shapes


def max_pool_with_places(x):
    """(B, C, H, W) to the maxima of windows of 2 by 2, (B, C, H / 2, W / 2), and where each was."""
    return F.max_pool2d(x, 2, return_indices=True)  # differs: Keras has no pooling that tells the places


def max_unpool(x, places):
    """(B, C, H, W) values to (B, C, 2 H, 2 W): each at its place in a window of 2 by 2, zeros elsewhere."""
    return F.max_unpool2d(x, places, 2)  # differs: Keras has no unpooling


class Encoder(nn.Module):
    """Convolutions at one scale, each with BatchNorm and ReLU, then pooling.

    Args:
        widths: channels of the input and of each convolution.
    """

    def __init__(self, widths):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(*pair, kernel_size=3, padding=1) for pair in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, momentum=0.1, eps=1e-5) for width in widths[1:])

    def forward(self, x):  # differs: Keras passes the mode in
        """(B, widths[0], H, W) to (B, widths[-1], H / 2, W / 2), and the places of the maxima."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = torch.relu(norm(conv(x)))
        return max_pool_with_places(x)


class Decoder(nn.Module):
    """Unpooling, then transposed convolutions at that scale; BatchNorm and ReLU follow all but the network's last one.

    Args:
        widths: channels of the input and of each transposed convolution.
        is_last: whether the last of them gives the network's logits.
    """

    def __init__(self, widths, is_last):
        super().__init__()
        self.deconvs = nn.ModuleList(nn.ConvTranspose2d(*pair, kernel_size=3, padding=1) for pair in pairwise(widths))
        normed = widths[1:-1] if is_last else widths[1:]
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, momentum=0.1, eps=1e-5) for width in normed)

    def forward(self, x, places):  # differs: Keras passes the mode in
        """(B, widths[0], H, W) and the places of that many maxima to (B, widths[-1], 2 H, 2 W)."""
        x = max_unpool(x, places)
        for deconv, norm in zip(self.deconvs, self.norms, strict=False):
            x = torch.relu(norm(deconv(x)))
        return x if len(self.norms) == len(self.deconvs) else self.deconvs[-1](x)


class EncoderDecoder(nn.Module):
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
        self.encoders = nn.ModuleList(Encoder(widths) for widths in scales)
        scales[0][0] = num_classes
        self.decoders = nn.ModuleList(Decoder(widths[::-1], is_last=widths is scales[0]) for widths in reversed(scales))

    def forward(self, x):  # differs: Keras passes the mode in
        """(B, C, H, W) images to (B, num_classes, H, W) logits."""
        remembered = []
        for encoder in self.encoders:
            x, places = encoder(x)
            remembered.append(places)
        for decoder, places in zip(self.decoders, reversed(remembered), strict=True):
            x = decoder(x, places)
        return x
