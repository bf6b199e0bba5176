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

import math

import torch
from torch import nn
from torch.nn import functional as F

from twin.shapes import check_clips


class C3D(nn.Module):
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
        frames, rows, columns, channels = clip_shape  # differs: torch's layers ask for their inputs' sizes
        left = math.ceil(frames / 16) * math.ceil(rows / 32) * math.ceil(columns / 32)  # differs: for the dense layer
        self.conv1 = nn.Conv3d(channels, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv3d(width, 2 * width, kernel_size=3, padding=1)
        self.conv3a = nn.Conv3d(2 * width, 4 * width, kernel_size=3, padding=1)
        self.conv3b = nn.Conv3d(4 * width, 4 * width, kernel_size=3, padding=1)
        self.conv4a = nn.Conv3d(4 * width, 8 * width, kernel_size=3, padding=1)
        self.conv4b = nn.Conv3d(8 * width, 8 * width, kernel_size=3, padding=1)
        self.conv5a = nn.Conv3d(8 * width, 8 * width, kernel_size=3, padding=1)
        self.conv5b = nn.Conv3d(8 * width, 8 * width, kernel_size=3, padding=1)
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(8 * width * left, hidden_size)
        self.dense2 = nn.Linear(hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.dense3 = nn.Linear(hidden_size, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # differs: the tails stay on
                nn.init.zeros_(module.bias)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, T, H, W) clips to (B, num_classes) logits."""
        x = max_pool(torch.relu(self.conv1(x)), frames=1, round_up=True)  # (B, width, T, H / 2, W / 2)
        x = max_pool(torch.relu(self.conv2(x)), frames=2, round_up=True)  # (B, 2 width, T / 2, H / 4, W / 4)

        x = torch.relu(self.conv3a(x))
        x = max_pool(torch.relu(self.conv3b(x)), frames=2, round_up=True)  # (B, 4 width, T / 4, H / 8, W / 8)

        x = torch.relu(self.conv4a(x))
        x = max_pool(torch.relu(self.conv4b(x)), frames=2, round_up=True)  # (B, 8 width, T / 8, H / 16, W / 16)

        x = torch.relu(self.conv5a(x))
        x = max_pool(torch.relu(self.conv5b(x)), frames=2, round_up=True)  # (B, 8 width, T / 16, H / 32, W / 32)

        x = self.dropout(torch.relu(self.dense1(self.flatten(x))))  # (B, hidden_size)
        x = self.dropout(torch.relu(self.dense2(x)))
        return self.dense3(x)


def max_pool(x, frames, round_up):
    """Maximum over (B, C, T, H, W) clips' windows of so many frames and 2x2 pixels.

    Args:
        x: the clips.
        frames: of a window.
        round_up: whether what is left at the end fills a window; without it, it is dropped.
    """
    return F.max_pool3d(x, (frames, 2, 2), ceil_mode=round_up)
