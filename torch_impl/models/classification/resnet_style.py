"""ResNet style: pairs of convolutions that learn what to add to their input.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), section 4.2 and figure 2: the network
for CIFAR-10. A plain stack that is made deeper gets worse even on its training set, because its layers must first
learn to pass on what they were given. A residual block carries its input around two convolutions and adds it to
what they say, so that doing nothing is where it begins. With width 16 and three blocks in a stage this is ResNet-20.

Departures: none in the architecture. Where a stage halves the picture the shortcut takes every second pixel and
fills the new channels with zeros (option A), so that no shortcut has weights.

Slides: deck E, "ResNet style", the step after VGG. There one convolution stands beside the identity, and the two
together are only another convolution: a residual block needs an activation between two layers.
"""

import torch
from torch import nn
from torch.nn import functional as F

from twin.shapes import check_shapes


def convolution(in_channels, channels, kernel_size, stride):
    """A convolution without bias, since a BatchNorm follows, with He initialization."""
    conv = nn.Conv2d(
        in_channels,
        channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,  # differs: even on all sides, with a stride too
        bias=False,
    )
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")  # differs: the tails stay on
    return conv


def batch_norm(channels):
    """A BatchNorm that keeps nine tenths of its running statistics at each step."""
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)  # differs: momentum is the share replaced


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, added to the input.

    Args:
        in_channels: channels of the input.
        channels: channels of the output, more than there come in where the stride is 2.
        stride: 2 halves height and width.
    """

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.stride = stride
        self.conv1 = convolution(in_channels, channels, kernel_size=3, stride=stride)
        self.bn1 = batch_norm(channels)
        self.conv2 = convolution(channels, channels, kernel_size=3, stride=1)
        self.bn2 = batch_norm(channels)
        self.new_channels = channels - in_channels

    def forward(self, x):
        """(B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        residual, shortcut = x, x
        if self.stride != 1:
            shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new_channels))
        residual = torch.relu(self.bn1(self.conv1(residual)))  # (B, channels, H / stride, W / stride)
        residual = self.bn2(self.conv2(residual))
        return torch.relu(residual + shortcut)


class ResNetStyle(nn.Module):
    """A 3x3 convolution, three stages of residual blocks, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels.
        width: channels of the first stage; each further stage doubles them and halves the picture.
        num_blocks: number of blocks in each stage.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width, num_blocks, num_classes):
        check_shapes(image_shape, num_classes, smallest=1)
        super().__init__()
        self.conv1 = convolution(image_shape[-1], width, kernel_size=3, stride=1)
        self.bn1 = batch_norm(width)
        self.blocks = nn.ModuleList()
        channels = width
        for stage in range(3):
            for block in range(num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                self.blocks.append(ResidualBlock(channels, width * 2**stage, stride))
                channels = width * 2**stage
        self.dense = nn.Linear(channels, num_classes)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, num_classes) logits."""
        x = torch.relu(self.bn1(self.conv1(x)))  # (B, width, H, W)
        for block in self.blocks:
            x = block(x)  # at last (B, 4 * width, H / 4, W / 4)
        x = x.mean(dim=(2, 3))  # (B, 4 * width)
        return self.dense(x)
