"""Handwritten digits for a generator to imitate, and the latent vectors that it is tested with."""

import numpy as np

from twin.data import Dataset, digits


def load(latent: int = 16, seed: int = 0) -> Dataset:
    """Flat digits `real` (N, 64) in [-1, 1]; the test part also has standard normal vectors `x` (N, latent).

    Args:
        latent: length of a latent vector.
        seed: of the latent vectors. In training, each step draws its own.
    """
    grey = digits.load(flat=True)
    train, test = (2 * part["x"] - 1 for part in (grey.train, grey.test))
    x = np.random.default_rng(seed).standard_normal((len(test), latent)).astype(np.float32)
    provenance = f"{grey.provenance}; latent vectors made here (seed {seed})"
    return Dataset(provenance, {"real": train}, {"x": x, "real": test})
