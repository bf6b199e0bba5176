"""A built model as an exporter takes it, in the process that built it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Model:
    """A built model and one batch of its inputs.

    Args:
        side: 'keras' or 'torch'.
        backend: Keras's; "" for native PyTorch.
        module: the model itself.
        inputs: by name, in the model's own layout and dtypes.
        rows: of every batch that the file shall take; None for any.
    """

    side: str
    backend: str
    module: Any
    inputs: Mapping[str, np.ndarray]
    rows: int | None

    @property
    def engine(self) -> str:
        """The name of the engine without its mode."""
        return f"keras-{self.backend}" if self.backend else "torch"

    def shape(self, name: str) -> tuple[int | None, ...]:
        """The shape of an input, its batch None where it may have any size."""
        return self.rows, *self.inputs[name].shape[1:]

    def input_signature(self) -> list[Any]:
        """What Keras's `export` takes: a specification, or a dictionary of several."""
        import keras

        specs = {
            name: keras.InputSpec(shape=self.shape(name), dtype=array.dtype.name, name=name)
            for name, array in self.inputs.items()
        }
        return [specs] if len(specs) > 1 else list(specs.values())

    def example(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments and keyword arguments of a call of PyTorch's model; two rows where any number may come.

        An example of one row would be taken for a constant (torch.export specializes sizes 0 and 1).
        """
        import torch

        rows = self.rows or 2
        arrays = {name: np.resize(array, (rows, *array.shape[1:])) for name, array in self.inputs.items()}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        return ((), tensors) if len(tensors) > 1 else (tuple(tensors.values()), {})

    def dynamic_shapes(self) -> Any:
        """What torch.export takes: the first axis of every input may have any size; None where it may not."""
        import torch

        if self.rows is not None:
            return None
        batch = torch.export.Dim("batch")
        return {name: {0: batch} for name in self.inputs}

    def program(self) -> Any:
        """The model as torch.export captures it."""
        import torch

        given, named = self.example()
        shapes = self.dynamic_shapes()
        if shapes and given:
            shapes = tuple(shapes.values())
        return torch.export.export(self.module.eval(), given, named, dynamic_shapes=shapes)


def ordered(given: Mapping[str, np.ndarray], names: list[str]) -> dict[str, np.ndarray]:
    """The arrays under the names that a runtime gives the inputs of a file.

    Exporters keep names where they can, some with a prefix or a place behind them. Where they do not, the order is that
    of Keras's and TensorFlow's nested structures, which is the alphabet's.

    Raises:
        ValueError: when the file takes another number of inputs.
    """
    if len(names) != len(given):
        raise ValueError(f"the file takes {len(names)} inputs, the model {len(given)}")
    plain = {name.removeprefix("serving_default_").partition(":")[0]: name for name in names}
    if plain.keys() == given.keys():
        return {plain[name]: array for name, array in given.items()}
    return {name: given[key] for name, key in zip(names, sorted(given), strict=True)}
