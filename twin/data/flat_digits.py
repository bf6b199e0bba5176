"""Handwritten digits to be reconstructed: the picture is its own target."""

from twin.data import Dataset, digits


def load(size: int = 8) -> Dataset:
    """Flat digits `x` (N, size * size) in [0, 1], and the same as the target `y`.

    Args:
        size: height and width.
    """
    grey = digits.load(size, flat=True)
    train, test = ({"x": part["x"], "y": part["x"]} for part in (grey.train, grey.test))
    return Dataset(grey.provenance, train, test)
