"""A signal, an image and a volume of random numbers, and more numbers to make kernels of; made here."""

import numpy as np

from twin.data import Dataset

SHAPES = {"signal": (2, 9, 4), "image": (2, 9, 8, 4), "volume": (1, 5, 8, 7, 4), "numbers": (1024,)}


def load(seed: int = 0) -> Dataset:
    """As the test part: `signal` (B, T, C), `image` (B, H, W, C), `volume` (B, D, H, W, C) and `numbers` (N,).

    Args:
        seed: of the numbers.
    """
    rng = np.random.default_rng(seed)
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    return Dataset(f"made here (seed {seed}): random numbers, odd and even sizes", {}, arrays)
