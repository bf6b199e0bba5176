"""A multi-layer perceptron: the plainest deep network, every unit joined to every unit of the next layer.

Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors" (1986). Each layer is a
linear map and an activation; without activations, the layers together would be a single linear map. The
network knows nothing of pictures: it gets the pixels as one row, and the same shuffle of all rows changes nothing.

Departures: ReLU instead of the logistic function and cross-entropy instead of squared errors, as is usual today.

Slides: deck B, a picture recognized by a dense network before the convolutions come; deck E, where a network is
called deep once it has two hidden layers.
"""

import torch
from torch import nn


class MLP(nn.Module):
    """Two hidden layers of equal width, and a linear output.

    Args:
        num_features: length of an input row.
        hidden_dim: units in each hidden layer.
        num_classes: width of the output.
    """

    def __init__(self, num_features, hidden_dim, num_classes):
        super().__init__()
        self.dense1 = nn.Linear(num_features, hidden_dim)
        self.dense2 = nn.Linear(hidden_dim, hidden_dim)
        self.dense3 = nn.Linear(hidden_dim, num_classes)

    def forward(self, x):
        """(B, num_features) rows to (B, num_classes) logits."""
        x = torch.relu(self.dense1(x))  # (B, hidden_dim)
        x = torch.relu(self.dense2(x))  # (B, hidden_dim)
        return self.dense3(x)
