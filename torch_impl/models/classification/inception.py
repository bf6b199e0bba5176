"""Inception: filters of several sizes side by side, and 1x1 convolutions that make them affordable.

Szegedy et al., "Going deeper with convolutions" (2015), section 4 and figure 2. Objects in a picture come in
several sizes, so one module has filters of 1x1, 3x3 and 5x5 and a pooling, all on the same input, and concatenates
their outputs. The naive module (figure 2a) needs many multiplications, and as pooling keeps its channels, every module
is wider than the one before. The reduced module (2b) has fewer channels: 1x1 convolutions, each with a ReLU, come
before the large filters and after the pooling.

Departures: the network around the modules is small, one of each kind, to compare them; the paper's own is
`googlenet`. All convolutions have He initialization.

Slides: deck D, the basic module and the one with fewer dimensions.
"""

import torch
from torch import nn

from twin.shapes import check_shapes


def convolution(in_channels, channels, kernel_size):
    """A convolution that keeps height and width, with He initialization."""
    conv = nn.Conv2d(in_channels, channels, kernel_size, padding=kernel_size // 2)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")  # differs: the tails stay on
    nn.init.zeros_(conv.bias)
    return conv


class NaiveInception(nn.Module):
    """Three sizes of filters, and max pooling, side by side.

    Args:
        in_channels: channels of the input, and of what is pooled.
        ch1x1: channels of the 1x1 convolution.
        ch3x3: channels of the 3x3 convolution.
        ch5x5: channels of the 5x5 convolution.
    """

    def __init__(self, in_channels, ch1x1, ch3x3, ch5x5):
        super().__init__()
        self.conv1x1 = convolution(in_channels, ch1x1, kernel_size=1)
        self.conv3x3 = convolution(in_channels, ch3x3, kernel_size=3)
        self.conv5x5 = convolution(in_channels, ch5x5, kernel_size=5)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)

    def forward(self, x):
        """(B, in_channels, H, W) to (B, ch1x1 + ch3x3 + ch5x5 + in_channels, H, W)."""
        one = torch.relu(self.conv1x1(x))
        three = torch.relu(self.conv3x3(x))
        five = torch.relu(self.conv5x5(x))
        pooled = self.pool(x)
        return torch.cat([one, three, five, pooled], dim=1)


class Inception(nn.Module):
    """The same with 1x1 convolutions that narrow; the arguments are a row of the paper's table 1.

    Args:
        in_channels: channels of the input.
        ch1x1: channels of the 1x1 convolution.
        ch3x3red: channels that are left for the 3x3 convolution.
        ch3x3: channels of the 3x3 convolution.
        ch5x5red: channels that are left for the 5x5 convolution.
        ch5x5: channels of the 5x5 convolution.
        pool_proj: channels that are left of what was pooled.
    """

    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj):
        super().__init__()
        self.conv1x1 = convolution(in_channels, ch1x1, kernel_size=1)
        self.reduce3x3 = convolution(in_channels, ch3x3red, kernel_size=1)
        self.conv3x3 = convolution(ch3x3red, ch3x3, kernel_size=3)
        self.reduce5x5 = convolution(in_channels, ch5x5red, kernel_size=1)
        self.conv5x5 = convolution(ch5x5red, ch5x5, kernel_size=5)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.pool_proj = convolution(in_channels, pool_proj, kernel_size=1)

    def forward(self, x):
        """(B, in_channels, H, W) to (B, ch1x1 + ch3x3 + ch5x5 + pool_proj, H, W)."""
        one = torch.relu(self.conv1x1(x))
        three = torch.relu(self.conv3x3(torch.relu(self.reduce3x3(x))))
        five = torch.relu(self.conv5x5(torch.relu(self.reduce5x5(x))))
        pooled = torch.relu(self.pool_proj(self.pool(x)))
        return torch.cat([one, three, five, pooled], dim=1)


class InceptionNet(nn.Module):
    """A convolution, a naive module, a reduced one, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels; two poolings need 4 by 4 at least.
        width: channels of the first convolution.
        naive: the naive module's ch1x1, ch3x3 and ch5x5.
        reduced: the reduced module's ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5 and pool_proj.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width, naive, reduced, num_classes):
        check_shapes(image_shape, num_classes, smallest=4)
        super().__init__()
        ch1x1, _, ch3x3, _, ch5x5, pool_proj = reduced  # differs: torch's layers ask for their inputs' sizes
        self.conv1 = convolution(image_shape[-1], width, kernel_size=3)
        self.pool = nn.MaxPool2d(2)
        self.naive = NaiveInception(width, *naive)
        self.reduced = Inception(sum(naive) + width, *reduced)
        self.dense = nn.Linear(ch1x1 + ch3x3 + ch5x5 + pool_proj, num_classes)

    def forward(self, x):
        """(B, C, H, W) images to (B, num_classes) logits."""
        x = self.pool(torch.relu(self.conv1(x)))  # (B, width, H / 2, W / 2)
        x = self.pool(self.naive(x))  # (B, sum(naive) + width, H / 4, W / 4)
        x = self.reduced(x)  # (B, ch1x1 + ch3x3 + ch5x5 + pool_proj, H / 4, W / 4)
        x = x.mean(dim=(2, 3))
        return self.dense(x)
