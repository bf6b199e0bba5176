"""A forward pass with one activation left out, by which an exported file that has lost it is told.

torch_impl/ablation.py has the same function.
"""

from typing import Any
from unittest.mock import patch

import keras
import numpy as np

from keras_impl.describe import every_layer
from keras_impl.train import Run, to_arrays, to_tensors

# The backend's functions, which layers, keras.activations and keras.ops all come to.
NN = (
    "relu", "relu6", "gelu", "leaky_relu", "elu", "selu", "celu", "silu", "sigmoid", "softplus", "softsign", "softmax",
    "log_softmax", "log_sigmoid", "hard_tanh", "hard_sigmoid", "hard_silu", "glu",
)  # fmt: skip
NUMPY = ("tanh",)


def forward_without(run: Run, batch: dict[str, np.ndarray], place: int) -> tuple[list[str], dict[str, np.ndarray]]:
    """Every activation of a pass, as 'tanh at conv1', and the outputs when the one at that place is not applied.

    Args:
        run: the built model.
        batch: inputs by name.
        place: of the activation, from 0; -1 leaves out none.
    """
    from keras.src import backend

    found: list[str] = []
    at = ["the input"]  # the layer that was begun or ended last

    def ablated(name: str, function: Any) -> Any:
        def activation(x: Any, *args: Any, **kwargs: Any) -> Any:
            found.append(f"{name} at {at[-1]}")
            return x if len(found) - 1 == place else function(x, *args, **kwargs)

        return activation

    def noted(path: str, call: Any) -> Any:
        def noting(*args: Any, **kwargs: Any) -> Any:
            at.append(path)
            out = call(*args, **kwargs)
            at.append(path)
            return out

        return noting

    layers: list[tuple[str, keras.Layer]] = list(every_layer(run.model, ""))
    changed = [(module, name) for module, names in ((backend.nn, NN), (backend.numpy, NUMPY)) for name in names]
    patches = [patch.object(module, name, ablated(name, getattr(module, name))) for module, name in changed]
    for path, layer in layers:
        object.__setattr__(layer, "call", noted(path, layer.call))  # past Keras's tracking of attributes
    for each in patches:
        each.start()
    try:
        outputs = run.model(run.twin.packed_inputs(to_tensors(run, batch)), training=False)
    finally:
        for each in patches:
            each.stop()
        for _, layer in layers:
            object.__delattr__(layer, "call")
    return found, to_arrays(run.twin, outputs)
