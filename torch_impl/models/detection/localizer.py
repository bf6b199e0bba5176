"""A localizer: one network that says what is in a picture and where, by two outputs and one loss.

Sermanet et al., "OverFeat: integrated recognition, localization and detection using convolutional networks" (2013),
section 4. Convolutions find features that serve both questions. From these, one output classifies, and another
regresses the four edges of the box, trained by the squared distance to the true ones. A number weighs the two
losses against each other.

Departures: both outputs are trained at once, with the sum of their losses, as the slides have it, where the paper
trains the box after the classes, on features that no longer change; one window over the whole picture instead of
many at several scales; one box for all classes instead of one for each; a trunk of three convolutions.

Slides: deck C, classification and localization, loss = alpha * softmax loss + (1 - alpha) * L2 loss.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Localizer(nn.Module):
    """Three convolutions with max pooling, a dense layer, and two outputs on it.

    Args:
        image_shape: height, width and channels; both sides are multiples of 8.
        hidden_dim: width of the dense layer that both outputs read.
        num_classes: width of the class output.
        alpha: weight of the class loss; the box loss has 1 - alpha.
    """

    def __init__(self, image_shape, hidden_dim, num_classes, alpha):
        super().__init__()
        height, width, channels = image_shape  # differs: torch's layers ask for their inputs' sizes
        self.conv1 = nn.Conv2d(channels, 16, kernel_size=3, padding="same")
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding="same")
        self.conv3 = nn.Conv2d(32, 64, kernel_size=3, padding="same")
        self.flatten = nn.Flatten()
        self.dense = nn.Linear(height // 8 * (width // 8) * 64, hidden_dim)
        self.label = nn.Linear(hidden_dim, num_classes)
        self.box = nn.Linear(hidden_dim, 4)
        self.alpha = alpha

    def forward(self, x):
        """(B, C, H, W) images to `label`, (B, num_classes) logits, and `box`, (B, 4) edges as shares of the sides."""
        x = self.pool(torch.relu(self.conv1(x)))  # (B, 16, H / 2, W / 2)
        x = self.pool(torch.relu(self.conv2(x)))  # (B, 32, H / 4, W / 4)
        x = self.pool(torch.relu(self.conv3(x)))  # (B, 64, H / 8, W / 8)
        x = torch.relu(self.dense(self.flatten(x)))  # (B, hidden_dim)
        return {"label": self.label(x), "box": self.box(x)}

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """The weighted sum of both losses, mean over the batch."""
        softmax_loss = F.cross_entropy(y_pred["label"], y["label"], reduction="none")
        l2_loss = torch.sum(torch.square(torch.subtract(y_pred["box"], y["box"])), dim=-1)
        return torch.mean(self.alpha * softmax_loss + (1 - self.alpha) * l2_loss)
