"""What a model's outputs pass before a loss: the softmax that one side leaves to its loss, and made targets."""

from collections.abc import Callable, Mapping

import numpy as np

from compare.verify import axes as alignment
from compare.verify.verdict import LIMIT


def between(keras: np.ndarray, torch: np.ndarray) -> dict[str, str] | None:
    """What the outputs of one side pass in the other's model: by the side whose model does it; None where nothing fits.

    Args:
        keras, torch: the same output of both models.
    """
    if alignment.distance(keras, torch)[0] <= 10 * LIMIT:
        return {}
    for name, function in FUNCTIONS.items():
        with np.errstate(all="ignore"):
            if alignment.distance(keras, function(torch))[0] <= 10 * LIMIT:
                return {"keras": name}
            if alignment.distance(function(keras), torch)[0] <= 10 * LIMIT:
                return {"torch": name}
    return None


def _softmax(x: np.ndarray) -> np.ndarray:
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True))


FUNCTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "softmax": _softmax,
    "log_softmax": lambda x: np.log(_softmax(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "exp": np.exp,
}


def make_target(outputs: np.ndarray, name: str) -> np.ndarray:
    """Targets for a stock loss: classes, zeros and ones, or numbers."""
    rng = np.random.default_rng(0)
    if name == "cross_entropy":
        return rng.integers(0, outputs.shape[-1], outputs.shape[:-1]).astype(np.int32)
    if name == "binary_cross_entropy":
        return rng.integers(0, 2, outputs.shape).astype(np.float32)
    return rng.standard_normal(outputs.shape).astype(np.float32)


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether every row of the last axis adds up to one, as a softmax leaves it."""
    if outputs.ndim < 2 or outputs.shape[-1] < 2 or outputs.dtype.kind != "f":
        return False
    whole = np.allclose(outputs.sum(axis=-1), 1, atol=1e-4)  # what float32 leaves of a long sum
    return bool((outputs >= 0).all() and whole)
