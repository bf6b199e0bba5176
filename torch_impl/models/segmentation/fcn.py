"""FCN: a classifier without flattening answers for every place; finer maps correct where, and the answer is enlarged.

Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation" (2015), sections 3 and 4, figure 3
and table 1. A dense layer over a map is a convolution with a kernel as large as the map, so that VGG16's classifier
becomes three convolutions, and takes pictures of any size. What it gives is coarse: a place for each 32 pixels. FCN-32s
enlarges that at once. FCN-16s first doubles it and adds the scores of the pooled map before, FCN-8s does so twice: the
deep map knows what there is, the shallow ones know where.

Departures: all convolutions pad with zeros to keep their size, where the paper pads the picture by 100 pixels and crops
in the end. All enlargements are fixed to bilinear interpolation; the paper lets all but the last learn from there. The
small size has three poolings in place of five.

Slides: deck D, FCN, dense layers replaced by convolutions.
"""

import numpy as np
import torch
from torch import nn

from torch_impl.models.classification.vgg import ConvBlock
from twin.shapes import check_shapes


def bilinear(channels, factor):
    """A transposed convolution that enlarges so many times by bilinear interpolation, and does not learn."""
    tent = 1 - abs(np.arange(2 * factor) + 0.5 - factor) / factor  # (2 * factor,)
    kernel = np.einsum("h,w,oi->iohw", tent, tent, np.eye(channels))  # differs: Keras's is (H, W, out, in)
    up = nn.ConvTranspose2d(channels, channels, 2 * factor, stride=factor, padding=factor // 2, bias=False)
    up.weight = nn.Parameter(
        torch.tensor(kernel, dtype=up.weight.dtype), requires_grad=False
    )  # differs: a flag of the weight
    return up


class FCN(nn.Module):
    """VGG's blocks, its dense layers as convolutions, and the scores of several scales.

    Args:
        image_shape: height, width and channels; both sides are multiples of 2 ** blocks.
        num_classes: classes of a pixel, the background included.
        widths: channels of each block.
        num_convs: convolutions of each block.
        fc_kernel: height and width of the first convolution that was a dense layer.
        fc_dim: its channels.
        num_skips: how many pooled maps are added to the scores: of five blocks, 0 is FCN-32s, 1 FCN-16s, 2 FCN-8s.
        dropout: share of the channels of those layers that dropout silences.
    """

    def __init__(self, image_shape, num_classes, widths, num_convs, fc_kernel, fc_dim, num_skips, dropout):
        check_shapes(image_shape, num_classes, smallest=2 ** len(widths), multiple=2 ** len(widths))
        super().__init__()
        before = [image_shape[-1], *widths[:-1]]
        self.blocks = nn.ModuleList(ConvBlock(*sizes) for sizes in zip(before, widths, num_convs, strict=True))
        self.fc6 = nn.Conv2d(widths[-1], fc_dim, fc_kernel, padding="same")
        self.dropout6 = nn.Dropout(dropout)
        self.fc7 = nn.Conv2d(fc_dim, fc_dim, 1)
        self.dropout7 = nn.Dropout(dropout)
        self.score = nn.Conv2d(fc_dim, num_classes, 1)
        self.ups = nn.ModuleList(bilinear(num_classes, 2) for _ in range(num_skips))
        self.skip_scores = nn.ModuleList(nn.Conv2d(widths[-2 - i], num_classes, 1) for i in range(num_skips))
        self.last_up = bilinear(num_classes, 2 ** (len(widths) - num_skips))
        for conv in (conv for block in self.blocks for conv in block.convs):  # differs: Keras does so as it makes them
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)

    def forward(self, x):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, C, H, W) images to (B, num_classes, H, W) logits."""
        pooled = []
        for block in self.blocks:
            x = block(x)
            pooled.append(x)
        x = self.dropout6(torch.relu(self.fc6(x)))  # (B, fc_dim, H / 2 ** blocks, W / 2 ** blocks)
        x = self.dropout7(torch.relu(self.fc7(x)))
        x = self.score(x)
        for up, score, skip in zip(self.ups, self.skip_scores, pooled[-2::-1], strict=False):
            x = up(x) + score(skip)
        return self.last_up(x)
