"""A first convolutional network for handwritten digits: the one that the course sets as homework.

The pattern is that of Cireşan, Meier, Masci, Gambardella and Schmidhuber, "Flexible, high performance
convolutional neural networks for image classification" (2011), section 2. A convolution looks for the same
small pattern everywhere, max pooling keeps that it was found and forgets where exactly, and after two such
rounds dense layers decide. Between the two halves the maps are flattened, which each framework does in an
order of its own: Keras runs through the channels of a pixel first, PyTorch through the pixels of a channel.

Departures: the homework leaves the sizes open; here 16 and 32 maps of 3x3 filters and one hidden layer of 64,
with ReLU.

Slides: deck E, homework 1: two convolutions, each with max pooling, flatten, two dense layers; Adam and
cross-entropy.
"""

import torch
from torch import nn

from twin.shapes import check_shapes


class DigitCNN(nn.Module):
    """Two 3x3 convolutions with max pooling after each, and two dense layers.

    Args:
        image_shape: height, width and channels; height and width divisible by four.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, num_classes):
        check_shapes(image_shape, num_classes, smallest=4)
        super().__init__()
        height, width, channels = image_shape  # differs: torch's layers ask for their inputs' sizes
        self.conv1 = nn.Conv2d(channels, 16, kernel_size=3, padding=1)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(32 * (height // 4) * (width // 4), 64)
        self.dense2 = nn.Linear(64, num_classes)

    def forward(self, x):
        """(B, C, H, W) images to (B, num_classes) logits."""
        x = self.pool1(torch.relu(self.conv1(x)))  # (B, 16, H / 2, W / 2)
        x = self.pool2(torch.relu(self.conv2(x)))  # (B, 32, H / 4, W / 4)
        x = torch.relu(self.dense1(self.flatten(x)))  # (B, 64)
        return self.dense2(x)
