"""Handwritten digits in black and white, for models whose units are on or off."""

import numpy as np

from twin.data import Dataset, digits


def load(threshold: float = 0.5) -> Dataset:
    """Flat digits `x` (N, 64) of 0 and 1, and the same as the target `y` of a reconstruction.

    Args:
        threshold: the grey value in [0, 1] from which a pixel counts as 1.
    """
    grey = digits.load(flat=True)
    train, test = ((part["x"] >= threshold).astype(np.float32) for part in (grey.train, grey.test))
    return Dataset(
        f"{grey.provenance}; 1 from grey value {threshold}", {"x": train, "y": train}, {"x": test, "y": test}
    )
