"""How well a model learned: one function per metric, in NumPy, the same for both frameworks.

Each takes `predict`, from model inputs to named outputs, and the test part of the data.
"""

from collections.abc import Callable

import numpy as np

from twin.data import Arrays

Predict = Callable[[np.ndarray], Arrays]


def accuracy(predict: Predict, test: Arrays) -> float:
    """Share of the test rows whose largest logit is at the label."""
    return float((predict(test["x"])["y"].argmax(-1) == test["y"]).mean())
