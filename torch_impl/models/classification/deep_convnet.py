"""A deeper network for digits: six 3x3 convolutions in pairs, 16-16-32-32-64-64.

Saito, "Deep learning from scratch" (2016), section 8.1, after Simonyan and Zisserman, "Very deep convolutional
networks for large-scale image recognition" (2015). Two 3x3 filters, one on the other, see as much as one of
5x5 with fewer weights and one more activation. While pooling halves the picture the channels double, and He
initialization keeps the signal's size alike through all the layers. The fourth convolution pads
by two, not one: so 14x14 becomes 16x16, and three poolings leave 4x4.

Departures: the slides put a second dropout after the output layer. There it sets logits to zero, at
times that of the right class, whatever the picture; it is a mistake, and left out.

Slides: deck D, the network for handwriting, in NumPy, with He initialization, Adam and dropout.
"""

import torch
from torch import nn

from twin.shapes import check_shapes


class DeepConvNet(nn.Module):
    """Three pairs of 3x3 convolutions with max pooling after each, a hidden dense layer and the output.

    Args:
        image_shape: height, width and channels; 28 by 28 leaves 4 by 4 at the end.
        hidden_dim: units in the hidden dense layer.
        dropout: share of the hidden units that dropout silences.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, hidden_dim, dropout, num_classes):
        check_shapes(image_shape, num_classes, smallest=4)
        super().__init__()
        height, width, channels = image_shape  # differs: torch's layers ask for their inputs' sizes
        self.conv1 = nn.Conv2d(channels, 16, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, kernel_size=3, padding=1)
        self.pool1 = nn.MaxPool2d(2)
        self.conv3 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(32, 32, kernel_size=3, padding=2)  # differs: Keras pads in call
        self.pool2 = nn.MaxPool2d(2)
        self.conv5 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.conv6 = nn.Conv2d(64, 64, kernel_size=3, padding=1)
        self.pool3 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(64 * ((height // 2 + 2) // 4) * ((width // 2 + 2) // 4), hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.dense2 = nn.Linear(hidden_dim, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # differs: the tails stay on
                nn.init.zeros_(module.bias)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, 1, 28, 28) images to (B, num_classes) logits."""
        x = torch.relu(self.conv1(x))
        x = self.pool1(torch.relu(self.conv2(x)))  # (B, 16, 14, 14)

        x = torch.relu(self.conv3(x))
        x = self.pool2(torch.relu(self.conv4(x)))  # (B, 32, 8, 8)

        x = torch.relu(self.conv5(x))
        x = self.pool3(torch.relu(self.conv6(x)))  # (B, 64, 4, 4)

        x = torch.relu(self.dense1(self.flatten(x)))  # (B, hidden_dim)
        return self.dense2(self.dropout(x))
