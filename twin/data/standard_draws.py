"""Standard draws to make weights from: normal numbers of mean 0 and variance 1, and uniform ones in [0, 1)."""

import numpy as np

from twin.data import Arrays, Dataset


def load(rows: int, columns: int, seed: int = 0) -> Dataset:
    """`normal` and `uniform` (rows, columns): one number of each kind for every weight of a kernel.

    Args:
        rows: what a neuron sees, kernel height * width * channels.
        columns: number of neurons.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)

    def draws() -> Arrays:
        normal = random.standard_normal((rows, columns))
        return {"normal": normal.astype(np.float32), "uniform": random.random((rows, columns), np.float32)}

    return Dataset(f"made here (seed {seed}): standard normal and uniform numbers", draws(), draws())
