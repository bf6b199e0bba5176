"""PyTorch's side of the catalogue of differences (twin/differences).

A function of a row's name is PyTorch as most people write it; `<name>_equal`, where PyTorch can give way, does
what Keras's usual line does. Images are channels-first, kernels are in PyTorch's layout.
"""

import importlib

import numpy as np
import torch
from torch import nn

from torch_impl.train import to_array, to_tensor
from twin.spec import Layout


def probe(topic: str, function: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What that function returns for these inputs; images with their channels last."""
    torch.manual_seed(0)
    module = importlib.import_module(f"torch_impl.differences.{topic}")
    output = getattr(module, function)(**{name: _tensor(name, array) for name, array in inputs.items()})
    return to_array(output, _layout(output.ndim)) if isinstance(output, torch.Tensor) else np.asarray(output)


def with_weights(layer: nn.Module, **weights: torch.Tensor) -> nn.Module:
    """The layer with these weights."""
    layer.load_state_dict(weights)
    return layer


def _tensor(name: str, array: np.ndarray) -> torch.Tensor:
    if not name.endswith("kernel"):
        return to_tensor(array, layout=_layout(array.ndim))
    return torch.from_numpy(array).movedim((-1, -2), (0, 1)).contiguous()  # (..., I, O) to (O, I, ...)


def _layout(rank: int) -> Layout:
    """What has four axes in the catalogue of differences is an image, what has five a volume."""
    layouts: dict[int, Layout] = {4: "images", 5: "clips"}
    return layouts.get(rank, "as is")
