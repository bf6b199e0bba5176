"""Keras's side of the catalogue of differences (twin/differences).

A function of a row's name is Keras as most people write it; `<name>_equal`, where Keras can give way, does
what PyTorch's usual line does. Images are channels-last, kernels are in Keras's layout.
"""

import importlib
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_impl.train import to_tensor


def probe(topic: str, function: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What that function returns for these inputs."""
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)
    module = importlib.import_module(f"keras_impl.differences.{topic}")
    tensors = {name: to_tensor(array) for name, array in inputs.items()}
    return np.asarray(ops.convert_to_numpy(getattr(module, function)(**tensors)))


def with_weights(layer: keras.Layer, x: Any, *weights: Any) -> keras.Layer:
    """The layer, built for that input, with its weights set in their order."""
    layer.build(x.shape)
    for variable, value in zip(layer.weights, weights, strict=True):
        variable.assign(value)
    return layer
