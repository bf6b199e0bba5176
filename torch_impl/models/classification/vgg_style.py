"""VGG style: LeNet with each 5x5 convolution replaced by two of 3x3.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), section 2.3.
Two 3x3 filters, one on the other, see the same 5x5 pixels as one large filter, for 18 weights instead of 25, and
between the two is an activation, without which the pair would be one linear filter again.
Widths, tanh and average pooling are LeNet's.

Departures: the slides have no activation between the two convolutions of a pair, nor between the dense layers;
here each has its own, which is the point of the pair. The paper itself has ReLU, max pooling and zero padding.

Slides: deck E, "VGG style", the step after LeNet.
"""

import torch
from torch import nn

from twin.shapes import check_shapes


class VGGStyle(nn.Module):
    """Three pairs of 3x3 convolutions with average pooling between them, and two dense layers.

    Args:
        image_shape: height, width and channels; 32 by 32 is what six unpadded convolutions need.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, num_classes):
        check_shapes(image_shape, num_classes, smallest=32, largest=35)
        super().__init__()
        self.conv1 = nn.Conv2d(image_shape[-1], 6, kernel_size=3)
        self.conv2 = nn.Conv2d(6, 6, kernel_size=3)
        self.pool1 = nn.AvgPool2d(2)
        self.conv3 = nn.Conv2d(6, 16, kernel_size=3)
        self.conv4 = nn.Conv2d(16, 16, kernel_size=3)
        self.pool2 = nn.AvgPool2d(2)
        self.conv5 = nn.Conv2d(16, 120, kernel_size=3)
        self.conv6 = nn.Conv2d(120, 120, kernel_size=3)
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(120, 84)
        self.dense2 = nn.Linear(84, num_classes)

    def forward(self, x):
        """(B, 1, 32, 32) images to (B, num_classes) logits."""
        x = torch.tanh(self.conv1(x))
        x = self.pool1(torch.tanh(self.conv2(x)))  # (B, 6, 14, 14)

        x = torch.tanh(self.conv3(x))
        x = self.pool2(torch.tanh(self.conv4(x)))  # (B, 16, 5, 5)

        x = torch.tanh(self.conv5(x))
        x = torch.tanh(self.conv6(x))  # (B, 120, 1, 1)

        x = torch.tanh(self.dense1(self.flatten(x)))  # (B, 84)
        return self.dense2(x)
