"""Handwritten digits: the 1,797 real 8x8 pictures that scikit-learn ships, resized on request."""

import numpy as np

from twin.data import Dataset, split


def images() -> tuple[np.ndarray, np.ndarray]:
    """All pictures (1797, 8, 8) in [0, 1] and their labels (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images / 16).astype(np.float32), digits.target.astype(np.int32)


def load(size: int = 8, flat: bool = False) -> Dataset:
    """Digits as `x` (N, size, size, 1), or (N, size * size) when flat, and labels `y` (N,).

    Args:
        size: height and width; larger than 8 is bilinear interpolation, nothing is added to the pictures.
        flat: one row of pixels a picture.
    """
    x, y = images()
    if size != 8:
        from scipy.ndimage import zoom

        x = np.clip(zoom(x, (1, size / 8, size / 8), order=1, grid_mode=True, mode="nearest"), 0, 1)
    x = x.reshape(len(x), -1) if flat else x[..., None]
    train, test = split({"x": np.ascontiguousarray(x), "y": y}, test_share=0.2, seed=0)
    return Dataset("real, shipped in scikit-learn: 1,797 handwritten digits of NIST, 8x8", train, test)
