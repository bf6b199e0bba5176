"""Pooling: the largest or the mean value of each window, by hand beside the framework.

Windows of 2x2 with stride 2 do not overlap, so that pooling is a reshape and a reduction. A window that hangs
over the edge raises a question: does a mean count the zeros outside? Keras's "same" leaves them out, PyTorch's
padding counts them; either framework can be made to do both.

Slides: deck B, maximum and average pooling. The 4x4 image is the corner of the front plane of its colour
image; the odd-sized one is the 5x5 map of the page on "Same".
"""

import torch
from torch.nn import functional as F


def run(even, odd):
    """(B, 1, 4, 4) and (B, 1, 5, 5) images to maps of half the size, (B, 1, 2, 2) and (B, 1, 3, 3)."""
    windows = torch.reshape(even, (-1, 1, 2, 2, 2, 2))  # (B, C, row, row in window, column, column in window)

    framed = F.pad(odd, (1, 1, 1, 1))  # (B, 1, 7, 7)
    inside = F.pad(torch.ones_like(odd), (1, 1, 1, 1))  # 1 inside the image, 0 outside
    total = overlapping_sum(framed)  # (B, 1, 3, 3)
    count = overlapping_sum(inside)

    return {
        "max_by_hand": torch.amax(windows, dim=(3, 5)),
        "max_framework": F.max_pool2d(even, 2, stride=2),
        "average_by_hand": torch.mean(windows, dim=(3, 5)),
        "average_framework": F.avg_pool2d(even, 2, stride=2),
        "padding_left_out_by_hand": total / count,
        "padding_left_out_framework": F.avg_pool2d(odd, 3, stride=2, padding=1, count_include_pad=False),
        "padding_counted_by_hand": total / 9,
        "padding_counted_framework": F.avg_pool2d(odd, 3, stride=2, padding=1, count_include_pad=True),
    }


def overlapping_sum(framed):
    """(B, 1, 7, 7) to (B, 1, 3, 3): the sum of each 3x3 window at stride 2, as nine shifted images added up."""
    return sum(framed[..., row : row + 5 : 2, column : column + 5 : 2] for row in range(3) for column in range(3))
