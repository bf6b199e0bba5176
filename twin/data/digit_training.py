"""All that a small training of digits depends on: the pictures, the first weights, and the order of the rows."""

import numpy as np

from twin.data import Dataset, digits

ROWS, TEST_ROWS, EPOCHS = 400, 200, 5
WIDTHS = (64, 32, 10)  # pixels, hidden units, digits


def load(seed: int = 0) -> Dataset:
    """As the test part: `x`, `y` to train on, `x_test`, `y_test`, weights `w1`, `b1`, `w2`, `b2`, and `orders`.

    `orders` (EPOCHS, ROWS) is a shuffle of the rows for each epoch; the weights are Glorot's, (in, out).

    Args:
        seed: of the weights and the orders.
    """
    rng = np.random.default_rng(seed)
    real = digits.load(flat=True)
    pixels, hidden, classes = WIDTHS
    everything = {
        "x": real.train["x"][:ROWS],
        "y": real.train["y"][:ROWS],
        "x_test": real.test["x"][:TEST_ROWS],
        "y_test": real.test["y"][:TEST_ROWS],
        "w1": _glorot(rng, pixels, hidden),
        "b1": np.zeros(hidden, np.float32),
        "w2": _glorot(rng, hidden, classes),
        "b2": np.zeros(classes, np.float32),
        "orders": np.stack([rng.permutation(ROWS) for _ in range(EPOCHS)]).astype(np.int32),
    }
    return Dataset(f"{real.provenance}; first weights and orders made here (seed {seed})", {}, everything)


def _glorot(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    bound = np.sqrt(6 / (rows + columns))
    return rng.uniform(-bound, bound, (rows, columns)).astype(np.float32)
