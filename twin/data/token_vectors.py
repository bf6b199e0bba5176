"""Random tokens, and weights for the attention of deck E: eight heads of 64 channels."""

import numpy as np

from twin.data import Dataset

ROWS, STEPS, WIDTH, INNER = 2, 6, 32, 8 * 64


def load(seed: int = 0) -> Dataset:
    """As the test part: `tokens` (2, 6, 32), of which `lengths` (2,) count, and weights for one layer of attention.

    `qkv_kernel` (32, 1536) makes queries, keys and values, `out_kernel` (512, 32) and `out_bias` (32,) bring the heads
    back to the tokens' width; a product's deviation is about that of its input.

    Args:
        seed: of the numbers.
    """
    rng = np.random.default_rng(seed)
    arrays = {
        "tokens": rng.standard_normal((ROWS, STEPS, WIDTH)),
        "qkv_kernel": rng.standard_normal((WIDTH, 3 * INNER)) / WIDTH**0.5,
        "out_kernel": rng.standard_normal((INNER, WIDTH)) / INNER**0.5,
        "out_bias": rng.standard_normal(WIDTH),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays["lengths"] = np.array([6, 4], np.int32)
    return Dataset(f"made here (seed {seed}): random tokens and weights", {}, arrays)
