"""Handwritten digits for a generator to imitate, and the latent vectors that it is tested with."""

import numpy as np

from twin.data import Dataset, digits


def load(latent_dim: int = 16, size: int = 8, flat: bool = True, channels: int = 1, seed: int = 0) -> Dataset:
    """Digits `real` in [-1, 1], (N, size * size) or (N, size, size, channels); the test part also has normal `x`
    (N, latent_dim).

    Args:
        latent_dim: length of a latent vector.
        size: height and width.
        flat: one row of pixels a picture.
        channels: of a picture that is not flat; with three it is as grey as with one.
        seed: of the latent vectors. In training, each step draws its own.
    """
    grey = digits.load(size, flat)
    train, test = (2 * part["x"] - 1 for part in (grey.train, grey.test))
    if not flat:
        train, test = train.repeat(channels, axis=-1), test.repeat(channels, axis=-1)
    x = np.random.default_rng(seed).standard_normal((len(test), latent_dim)).astype(np.float32)
    provenance = f"{grey.provenance}; latent vectors made here (seed {seed})"
    return Dataset(provenance, {"real": train}, {"x": x, "real": test})
