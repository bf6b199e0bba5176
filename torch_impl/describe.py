"""A PyTorch model as the bridge sees it: its modules by attribute path, and the weights that each owns."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from twin.bridge import RULES, Leaf

LEAVES = {torch_kind for _, torch_kind in RULES}


def leaves(module: nn.Module, path: str) -> Iterator[Leaf]:
    """Walk the submodules; yield those that own weights."""
    kind = type(module).__name__
    if kind in LEAVES:
        named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        named.pop("num_batches_tracked", None)  # counts batches; Keras does not, and no output depends on it
        if named:
            yield _leaf(path, kind, named)
        return
    for name, parameter in module.named_parameters(recurse=False):
        yield _leaf(f"{path}.{name}" if path else name, "Parameter", {"": parameter})
    for name, child in module.named_children():
        yield from leaves(child, f"{path}.{name}" if path else name)


def sizes(model: nn.Module) -> dict[str, tuple[str, int]]:
    """Every module's type and the number of its parameters, by attribute path; running statistics are none."""
    called = {path: m for path, m in model.named_modules() if not isinstance(m, nn.ModuleList)}
    return {path: (type(m).__name__, sum(p.numel() for p in m.parameters())) for path, m in called.items()}


def recorder(path: str, order: list[str], values: dict[str, np.ndarray]) -> Callable[..., None]:
    """A hook that writes down a module's first call."""

    def record(module: nn.Module, inputs: tuple[Any, ...], out: Any) -> None:
        out = out[0] if isinstance(out, tuple) else out  # differs: torch's recurrent layers return their state too
        if path not in order and torch.is_tensor(inputs[0]) and torch.is_tensor(out):
            order.append(path)
            values[f"{path}/in"] = to_array(inputs[0])
            values[f"{path}/out"] = to_array(out)

    return record


def to_array(tensor: torch.Tensor) -> np.ndarray:
    """A copy as a NumPy array, of an image or a volume with its channels last."""
    tensor = tensor.movedim(1, -1) if tensor.ndim >= 4 else tensor
    return tensor.detach().cpu().numpy().copy()


def _leaf(path: str, kind: str, named: dict[str, torch.Tensor]) -> Leaf:
    shapes = {name: tuple(tensor.shape) for name, tensor in named.items()}
    return Leaf(path, kind, shapes, tuple(name for name, t in named.items() if t.requires_grad))
