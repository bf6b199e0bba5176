"""VGG16: thirteen convolutions and three dense layers, the network that transfer learning began with.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), table 1, column
D, and section 3.1 for the dropout. The convolutions are those of `vgg` at base width 64. Of the 138 million
parameters of table 2, three quarters are in one matrix: from the 7x7x512 values that are left of the picture to
the 4096 units of the first dense layer.

Departures: it has He initialization ("Delving deep into rectifiers", 2015, section 2.2), where the paper first
trained a shallower network, and later found that Glorot initialization does as well.

Slides: deck C, VGG16; deck D, "VGG architecture (VGG16)".
"""

import torch
from torch import nn

from torch_impl.models.classification.vgg import conv_blocks
from twin.shapes import check_shapes


class VGG16(nn.Module):
    """The five blocks of VGG, and three dense layers with dropout between them.

    Args:
        image_shape: height, width and channels; five poolings need 32 by 32 at least.
        base_width: channels of the first block.
        hidden_dim: units in each hidden dense layer.
        dropout: share of the hidden units that dropout silences.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, base_width, hidden_dim, dropout, num_classes):
        check_shapes(image_shape, num_classes, smallest=32)
        super().__init__()
        height, width = image_shape[:2]  # differs: torch's layers ask for their inputs' sizes
        self.blocks = nn.ModuleList(conv_blocks(image_shape[-1], base_width))
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(8 * base_width * (height // 32) * (width // 32), hidden_dim)
        self.dropout1 = nn.Dropout(dropout)
        self.dense2 = nn.Linear(hidden_dim, hidden_dim)
        self.dropout2 = nn.Dropout(dropout)
        self.dense3 = nn.Linear(hidden_dim, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # differs: the tails stay on
                nn.init.zeros_(module.bias)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, num_classes) logits."""
        for block in self.blocks:
            x = block(x)  # at last (B, 8 * base_width, H / 32, W / 32)
        x = torch.relu(self.dense1(self.flatten(x)))  # (B, hidden_dim)
        x = self.dropout1(x)
        x = torch.relu(self.dense2(x))
        x = self.dropout2(x)
        return self.dense3(x)
