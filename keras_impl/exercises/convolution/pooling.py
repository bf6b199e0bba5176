"""Pooling: the largest or the mean value of each window, by hand beside the framework.

Windows of 2x2 with stride 2 do not overlap, so that pooling is a reshape and a reduction. A window that hangs
over the edge raises a question: does a mean count the zeros outside? Keras's "same" leaves them out, PyTorch's
padding counts them; either framework can be made to do both.

Slides: deck B, maximum and average pooling. The 4x4 image is the corner of the front plane of its colour
image; the odd-sized one is the 5x5 map of the page on "Same".
"""

from keras import ops


def run(even, odd):
    """(B, 4, 4, 1) and (B, 5, 5, 1) images to maps of half the size, (B, 2, 2, 1) and (B, 3, 3, 1)."""
    windows = ops.reshape(even, (-1, 2, 2, 2, 2, 1))  # (B, row, row in window, column, column in window, C)

    framed = ops.pad(odd, ((0, 0), (1, 1), (1, 1), (0, 0)))  # (B, 7, 7, 1)
    inside = ops.pad(ops.ones_like(odd), ((0, 0), (1, 1), (1, 1), (0, 0)))  # 1 inside the image, 0 outside
    total = overlapping_sum(framed)  # (B, 3, 3, 1)
    count = overlapping_sum(inside)

    return {
        "max_by_hand": ops.max(windows, axis=(2, 4)),
        "max_framework": ops.max_pool(even, 2, strides=2),
        "average_by_hand": ops.mean(windows, axis=(2, 4)),
        "average_framework": ops.average_pool(even, 2, strides=2),
        "padding_left_out_by_hand": total / count,
        "padding_left_out_framework": ops.average_pool(odd, 3, strides=2, padding="same"),
        "padding_counted_by_hand": total / 9,
        "padding_counted_framework": ops.average_pool(framed, 3, strides=2),
    }


def overlapping_sum(framed):
    """(B, 7, 7, 1) to (B, 3, 3, 1): the sum of each 3x3 window at stride 2, as nine shifted images added up."""
    return sum(framed[:, row : row + 5 : 2, column : column + 5 : 2] for row in range(3) for column in range(3))
