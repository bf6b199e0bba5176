"""Handwritten digits to be cleaned: the test pictures carry a fixed noise, the targets are the clean pictures."""

import numpy as np

from twin.data import Dataset, digits


def load(noise_stddev: float = 0.4, dropout: float = 0.2, seed: int = 0) -> Dataset:
    """Flat digits `x` (N, 64) and the clean pictures `y` (N, 64); only the test part's `x` is noisy.

    The noise is what the model's own layers add to the clean train pictures: Gaussian noise, then dropout.

    Args:
        noise_stddev: standard deviation of the Gaussian noise.
        dropout: share of the pixels that are set to 0; the others are divided by 1 - dropout.
        seed: of the noise.
    """
    clean = digits.load(flat=True)
    train, test = clean.train["x"], clean.test["x"]
    random = np.random.default_rng(seed)
    noisy = test + noise_stddev * random.standard_normal(test.shape)
    noisy *= (random.random(test.shape) >= dropout) / (1 - dropout)
    return Dataset(
        f"{clean.provenance}; noise on the test pictures made here (seed {seed})",
        {"x": train, "y": train},
        {"x": noisy.astype(np.float32), "y": test},
    )
