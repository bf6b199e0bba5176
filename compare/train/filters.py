"""The kernels that a training learned, as a picture for a report."""

from collections.abc import Sequence

import numpy as np

from twin.bridge import Arrays, Leaf
from twin.strips import APART, strip

FILTERS = 16  # the first of a layer


def filters(weights: Arrays, leaves: Sequence[Leaf], flat: bool = False) -> dict[str, str] | None:
    """The kernels of the first convolution as a picture; None where they are too small or too deep to see.

    Args:
        weights: under PyTorch's names and in its layout, (out, in, height, width) or (out, in).
        leaves: PyTorch's, in the order of the model.
        flat: whether a row that enters is a square picture: then the first dense layer's kernels are such, too.
    """
    for each, name in ((leaf, leaf.full(own)) for leaf in leaves for own in leaf.shapes):
        kernel = weights[name]
        if flat and kernel.ndim == 2:
            kernel = kernel.T if each.kind == "Parameter" else kernel  # a Boltzmann machine's are (visible, hidden)
            side = round(kernel.shape[1] ** 0.5)
            if side * side != kernel.shape[1]:
                return None
            kernel = kernel.reshape(-1, 1, side, side)
        if kernel.ndim == 4:
            _, depth, height, width = kernel.shape
            if depth not in (1, 3) or min(height, width) < 3:
                return None
            chosen = kernel[:FILTERS].transpose(0, 2, 3, 1)
            scaled = [(k - k.min()) / max(float(np.ptp(k)), 1e-12) for k in chosen]
            png = strip(scaled, **APART)
            return {
                "caption": f"filters of {name}, each from its least to its largest value",
                "of": "model",
                "png": png,
            }
    return None
