"""PointNet: a class for a cloud of points, whatever their order, from the points that a lidar sees of a road user.

Qi, Su, Mo and Guibas, "PointNet: deep learning on point sets for 3D classification and segmentation" (2017), section
4.2, figure 2 and table 6. The same dense layers look at every point; then each feature's maximum over all points is
taken, which does not depend on their order; dense layers tell the class from it. So the network keeps, for each
feature, the one point that shows it best.

Departures: without the two small networks that turn the cloud and its features (T-nets), the paper's "vanilla" form,
whose count size `paper` has. Clusters of road users in place of furniture; they come cut out of the sweep.

Slides: deck D, detection of objects by lidar for driving.
"""

from itertools import pairwise

import torch
from torch import nn


class PointNet(nn.Module):
    """Shared layers for every point, the maximum over the points, and a classifier; BatchNorm and ReLU in each.

    Args:
        point_dims: widths of the layers that see one point.
        head_dims: widths of the layers that see the whole cloud.
        dropout: share of the last hidden units that dropout silences.
        num_classes: width of the output.
    """

    def __init__(self, point_dims, head_dims, dropout, num_classes):
        super().__init__()
        norm = {"momentum": 0.1, "eps": 1e-5}  # differs: momentum is the share replaced
        self.point_layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise((3, *point_dims)))
        self.point_norms = nn.ModuleList(nn.BatchNorm1d(width, **norm) for width in point_dims)
        self.head_layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise((point_dims[-1], *head_dims)))
        self.head_norms = nn.ModuleList(nn.BatchNorm1d(width, **norm) for width in head_dims)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(head_dims[-1], num_classes)

    def forward(self, x):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, N, 3) points to (B, num_classes) logits."""
        count = x.shape[1]
        x = torch.reshape(x, (-1, 3))  # (B * N, 3): to the shared layers, each point is a row of its own
        for dense, norm in zip(self.point_layers, self.point_norms, strict=True):
            x = torch.relu(norm(dense(x)))
        x = torch.amax(torch.reshape(x, (-1, count, x.shape[-1])), dim=1)  # (B, point_dims[-1])
        for dense, norm in zip(self.head_layers, self.head_norms, strict=True):
            x = torch.relu(norm(dense(x)))
        return self.out(self.dropout(x))
