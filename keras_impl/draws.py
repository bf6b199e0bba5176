"""Random numbers of a Keras model under control: dropout lets everything pass, and what is drawn is known beforehand.

torch_impl/draws.py does the same for PyTorch, with the same numbers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from keras import ops
from keras.src import backend

from twin.draws import Draws


@contextmanager
def fixed(masks: bool = False) -> Iterator[list[dict[str, Any]]]:
    """Within it every draw gives the numbers of twin.draws; yields what dropout would drop, in order.

    Args:
        masks: let dropout drop what those numbers say; else it drops nothing.
    """
    draws, dropped = Draws(), []
    own = backend.random
    kept = {name: getattr(own, name) for name in ("normal", "truncated_normal", "uniform", "dropout")}

    def give(kind: str, shape: Any, dtype: Any) -> Any:
        array = draws.give(kind, tuple(int(side) for side in shape))
        return ops.convert_to_tensor(array, dtype=dtype or backend.floatx())

    def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
        return mean + stddev * give("normal", shape, dtype)

    def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
        if dtype is not None and "int" in str(dtype):
            return kept["uniform"](shape, minval, maxval, dtype, seed)
        return minval + (maxval - minval) * give("uniform", shape, dtype)

    def dropout(inputs: Any, rate: Any, noise_shape: Any = None, seed: Any = None) -> Any:
        shape = tuple(inputs.shape)
        mask = tuple(n if n is not None else s for n, s in zip(noise_shape or shape, shape, strict=True))
        dropped.append({"rate": float(rate), "draws": int(np.prod(mask)), "of": int(np.prod(shape))})
        if not masks:
            return inputs
        return inputs * ops.cast(give("uniform", mask, None) >= rate, inputs.dtype) / (1.0 - rate)

    try:
        own.normal, own.truncated_normal, own.uniform, own.dropout = normal, normal, uniform, dropout
        yield dropped
    finally:
        for name, function in kept.items():
            setattr(own, name, function)
