"""The kernels that a training learned, as a picture for a report."""

import numpy as np

from twin.bridge import Arrays
from twin.strips import APART, strip

FILTERS = 16  # the first of a layer


def filters(weights: Arrays, order: list[str]) -> dict[str, str] | None:
    """The kernels of the first convolution as a picture; None where they are too small or too deep to see.

    Args:
        weights: under PyTorch's names and in its layout, (out, in, height, width).
        order: the names, in the order of the model.
    """
    for name in order:
        kernel = weights[name]
        if kernel.ndim == 4:
            _, depth, height, width = kernel.shape
            if depth not in (1, 3) or min(height, width) < 3:
                return None
            chosen = kernel[:FILTERS].transpose(0, 2, 3, 1)
            each = [(k - k.min()) / max(float(np.ptp(k)), 1e-12) for k in chosen]
            png = strip(each, **APART)
            return {
                "caption": f"filters of {name}, each from its least to its largest value",
                "of": "model",
                "png": png,
            }
    return None
