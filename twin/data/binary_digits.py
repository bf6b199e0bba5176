"""Handwritten digits in black and white, for models whose units are on or off."""

import numpy as np

from twin.data import Dataset, digits


def load(threshold: float = 0.5, size: int = 8, labels: bool = False) -> Dataset:
    """Flat digits `x` (N, size * size) of 0 and 1, and as `y` the same, the target of a reconstruction, or labels (N,).

    Args:
        threshold: the grey value in [0, 1] from which a pixel counts as 1.
        size: height and width.
        labels: whether `y` is which digit it is.
    """
    grey = digits.load(size, flat=True)
    parts = []
    for part in (grey.train, grey.test):
        x = (part["x"] >= threshold).astype(np.float32)
        parts.append({"x": x, "y": part["y"] if labels else x})
    return Dataset(f"{grey.provenance}; 1 from grey value {threshold}", *parts)
