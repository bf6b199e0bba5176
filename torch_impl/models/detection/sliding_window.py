"""A window slides over a picture at several scales, and a small network says what each window shows.

Sermanet et al., "OverFeat: integrated recognition, localization and detection using convolutional networks" (2013),
sections 3.3 to 3.5. A window of one size finds objects of one size. So the picture is shown at several scales, as scale
space theory has it: Lindeberg, "Scale-space theory" (1994), smooths a picture with Gaussians, wider for coarser scales.
Neighbouring windows share most of their pixels. If the network is applied to the whole picture as convolutions, its
dense layer too, what windows share is computed once, and all answers come at once, one for each place of a map.

Nearly all windows show ground. Those that train are the ones that show an object and, for each of them, the three of
the ground with the largest loss ("most offending", section 5).

Departures: no box is regressed, a window itself is what is found; the windows that train are taken from a pass over the
whole scene, where the paper cuts single ones out. Windows that an object fills by half or so train nothing.

Slides: deck C, sliding window, scale space.
"""

import torch
from torch import nn
from torch.nn import functional as F

from twin.shapes import check_square, check_windows

STRIDE = 2  # pixels from one window to the next, that of the pooling
HARD = 3  # windows of the ground that train, for each that shows an object
SIGMA = 0.5  # of the Gaussian, in pixels of the scale at which the picture is shown


class SlidingWindow(nn.Module):
    """Two convolutions, and two dense layers that are convolutions, over each scale of a picture.

    Args:
        image_shape: height, width and channels, height and width the same.
        sides: of the picture at each scale.
        window: height and width of the window, both even, and at least 8.
        widths: channels of the convolutions.
        hidden_dim: units of the dense layer that follows.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, sides, window, widths, hidden_dim, num_classes):
        super().__init__()
        check_square(image_shape, num_classes)
        check_windows(sides, window)
        self.sides, self.window = sides, window
        left = [extent // 2 - 3 for extent in window]  # of a window after two convolutions and the pooling
        self.conv1 = nn.Conv2d(image_shape[2], widths[0], kernel_size=3)
        self.pool = nn.MaxPool2d(STRIDE)
        self.conv2 = nn.Conv2d(widths[0], widths[1], kernel_size=3)
        self.dense1 = nn.Conv2d(widths[1], hidden_dim, kernel_size=left)
        self.dense2 = nn.Conv2d(hidden_dim, 1 + num_classes, kernel_size=1)

    def forward(self, x):
        """(B, C, H, W) images to `logits` (B, K, 1 + classes), `boxes` (B, K, 4) and `scores` (B, K, classes)."""
        logits, boxes = [], []
        for side in self.sides:
            seen = self.classify(at_scale(x, side))  # (B, 1 + classes, rows, columns)
            logits.append(torch.flatten(seen.permute(0, 2, 3, 1), 1, 2))  # differs: (B, rows, columns, ...), as Keras
            boxes.append(windows(side, self.window, x))
        logits, boxes = torch.cat(logits, dim=1), torch.cat(boxes)
        scores = torch.softmax(logits, dim=-1)[..., 1:]
        return {"logits": logits, "boxes": boxes.expand(x.shape[0], -1, -1), "scores": scores}

    def classify(self, x):
        """(B, C, H, W) images to logits of each window, (B, 1 + classes, rows, columns); of one window, 1 x 1."""
        x = self.pool(torch.relu(self.conv1(x)))
        x = torch.relu(self.conv2(x))
        return self.dense2(torch.relu(self.dense1(x)))

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """Cross-entropy, mean over the windows that train; which are the hardest of the ground has no gradient."""
        shows = (y["labels"] > 0).to(y_pred["logits"].dtype)  # (B, K)
        ground = (y["labels"] == 0).to(shows.dtype)
        labels = torch.clamp(y["labels"], min=0)
        softmax = F.cross_entropy(y_pred["logits"].transpose(1, 2), labels, reduction="none")  # (B, K)

        order = torch.argsort((-softmax * ground).detach(), dim=-1)  # the hardest of the ground first
        rank = torch.argsort(order, dim=-1)
        hard = ground * (rank < HARD * torch.sum(shows, dim=-1, keepdim=True)).to(shows.dtype)
        return torch.sum((shows + hard) * softmax) / torch.clamp(torch.sum(shows + hard), min=1)


def at_scale(x, side):
    """Square images (B, C, H, H) smoothed by a Gaussian and sampled anew, (B, C, side, side)."""
    length = x.shape[2]
    shrunk = length / side
    centres = (torch.arange(side, dtype=x.dtype, device=x.device) + 0.5) * shrunk - 0.5  # in pixels of the picture
    apart = (centres[:, None] - torch.arange(length, dtype=x.dtype, device=x.device)) / (SIGMA * max(shrunk, 1))
    weights = torch.softmax(-0.5 * torch.square(apart), dim=-1)  # (side, H)
    return torch.einsum("sh,bchw,tw->bcst", weights, x, weights)


def windows(side, window, like):
    """Boxes (K, 4) of the windows in a picture of that side, shares of it, row by row; their type is that of `like`."""
    height, width = window
    top, left = (torch.arange(0, side - n + 1, STRIDE, dtype=like.dtype, device=like.device) for n in window)
    top, left = torch.meshgrid(top, left, indexing="ij")
    boxes = torch.stack([left, top, left + width, top + height], dim=-1)
    return torch.reshape(boxes, (-1, 4)) / side
