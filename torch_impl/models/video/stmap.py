"""Space-time map: a video of a face becomes one picture, a row for each region and a column for each frame.

Niu, Shan, Han and Chen, "RhythmNet: end-to-end heart rate estimation from face via spatial-temporal representation"
(2020), sections III-B and III-C. The mean colour of each region of the face is followed over time; each row is scaled
to its own range, so that a beat, which changes the skin's colour by less than a hundredth, fills the picture. What is
left of space is a few rows, so that ordinary two-dimensional convolutions see the pulse, with a third of the weights
that a kernel over two axes of space would need. A GRU reads the columns, and a dense layer gives the beats a second.

Departures: three convolutions of 3x7 in place of ResNet-18; the GRU reads the columns of one map, where the paper's
reads six maps one after the other; the mean over time of all its states goes on; RGB in place of YUV.

Slides: deck E, "STMap", the step after three-dimensional convolution: fewer parameters, and more weight on time.
"""

import torch
from torch import nn

from twin.shapes import check_map


class STMapNet(nn.Module):
    """Three convolutions that halve the time, the mean over the regions, a GRU over time, and a dense layer.

    Args:
        map_shape: regions, frames and colours; at least 8 frames.
        width: filters of the first convolution; the others have twice as many.
        hidden_size: width of the GRU's state.
    """

    def __init__(self, map_shape, width, hidden_size):
        check_map(map_shape, shortest=8)
        super().__init__()
        self.conv1 = nn.Conv2d(map_shape[-1], width, kernel_size=(3, 7), padding="same", bias=False)
        self.bn1 = nn.BatchNorm2d(width, eps=1e-5, momentum=0.1)
        self.conv2 = nn.Conv2d(width, 2 * width, kernel_size=(3, 7), padding="same", bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width, eps=1e-5, momentum=0.1)
        self.conv3 = nn.Conv2d(2 * width, 2 * width, kernel_size=(3, 7), padding="same", bias=False)
        self.bn3 = nn.BatchNorm2d(2 * width, eps=1e-5, momentum=0.1)
        self.pool = nn.MaxPool2d((1, 2))
        self.gru = nn.GRU(2 * width, hidden_size, batch_first=True)
        self.dense = nn.Linear(hidden_size, 1)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, R, T) maps to (B, 1) beats a second."""
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))  # (B, width, R, T / 2)
        x = self.pool(torch.relu(self.bn2(self.conv2(x))))  # (B, 2 width, R, T / 4)
        x = self.pool(torch.relu(self.bn3(self.conv3(x))))  # (B, 2 width, R, T / 8)

        x = torch.mean(x, dim=2)  # (B, 2 width, T / 8)
        x, _ = self.gru(x.transpose(1, 2))  # (B, T / 8, hidden_size)
        return self.dense(torch.mean(x, dim=1))

    def compute_loss(self, x, y, y_pred):  # differs: this loop passes less
        """The mean absolute difference, in beats a second."""
        return torch.mean(torch.abs(torch.subtract(y_pred, y)))
