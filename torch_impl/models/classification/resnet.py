"""ResNet: layers that learn what to add to their input, so that a hundred of them still train.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), table 1 and section 3.3, with the
bottleneck of figure 5. A block computes a residual, and a shortcut carries its input around it: a block that
has nothing to say passes its input on, and the gradient reaches every block undamped. In a bottleneck a 1x1
convolution narrows the channels, the 3x3 one works on few of them, and a 1x1 widens them again. With stages
(3, 4, 6, 3) and width 64 this is ResNet-50.

Departures: none in the architecture. The stride of a stage is in its first 1x1 convolution, as in the paper and
on the slides; later versions move it into the 3x3 one ("v1.5"), with the same parameters.

Slides: deck D, "Bottleneck". There the shapes are compared with `is not`, which holds for any two objects, so that
every shortcut goes through a convolution. Here a shortcut is the identity wherever the shapes agree.
"""

import torch
from torch import nn

EXPANSION = 4  # the last convolution of a block has four times the channels of the others (table 1)


def convolution(in_channels, channels, kernel_size, stride):
    """A convolution without bias, since a BatchNorm follows, and with He's start."""
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


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, added to the input.

    Args:
        in_channels: channels of the input.
        width: channels of the first two convolutions.
        stride: 2 halves height and width.
    """

    def __init__(self, in_channels, width, stride):
        super().__init__()
        self.conv1 = convolution(in_channels, width, kernel_size=1, stride=stride)
        self.norm1 = batch_norm(width)
        self.conv2 = convolution(width, width, kernel_size=3, stride=1)
        self.norm2 = batch_norm(width)
        self.conv3 = convolution(width, EXPANSION * width, kernel_size=1, stride=1)
        self.norm3 = batch_norm(EXPANSION * width)
        self.projects = stride != 1 or in_channels != EXPANSION * width
        if self.projects:
            self.conv4 = convolution(in_channels, EXPANSION * width, kernel_size=1, stride=stride)
            self.norm4 = batch_norm(EXPANSION * width)

    def forward(self, x):
        """(B, in_channels, H, W) to (B, 4 * width, H / stride, W / stride)."""
        residual = torch.relu(self.norm1(self.conv1(x)))  # (B, width, H / stride, W / stride)
        residual = torch.relu(self.norm2(self.conv2(residual)))
        residual = self.norm3(self.conv3(residual))  # (B, 4 * width, H / stride, W / stride)
        shortcut = self.norm4(self.conv4(x)) if self.projects else x
        return torch.relu(residual + shortcut)


class ResNet(nn.Module):
    """A 7x7 convolution, stages of bottlenecks, and a dense layer on what is left of the picture's mean.

    Args:
        image_shape: height, width and channels.
        width: channels of the first convolution and of the first stage's bottlenecks.
        stages: number of blocks in each stage; each stage but the first halves the picture.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width, stages, num_classes):
        super().__init__()
        self.conv1 = convolution(image_shape[-1], width, kernel_size=7, stride=2)
        self.norm1 = batch_norm(width)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)  # differs: Keras pads in call
        self.blocks = nn.ModuleList()
        channels = width
        for stage, num_blocks in enumerate(stages):
            for block in range(num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                self.blocks.append(Bottleneck(channels, width * 2**stage, stride))
                channels = EXPANSION * width * 2**stage
        self.dense = nn.Linear(channels, num_classes)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, num_classes) logits."""
        x = torch.relu(self.norm1(self.conv1(x)))  # (B, width, H / 2, W / 2)
        x = self.pool1(x)  # (B, width, H / 4, W / 4)
        for block in self.blocks:
            x = block(x)
        x = x.mean(dim=(2, 3))  # (B, channels)
        return self.dense(x)
