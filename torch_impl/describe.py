"""A PyTorch model as the bridge sees it: its modules by attribute path, and the weights that each owns."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from twin.bridge import RULES, Leaf
from twin.spec import AXES, Layout

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


def recorder(
    path: str, order: list[str], values: dict[str, np.ndarray], layout: Callable[[int], Layout]
) -> Callable[..., None]:
    """A hook, given keyword arguments too, that writes down a module's first call; `layout` is that of a rank."""

    def record(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], out: Any) -> None:
        x = next(iter((*inputs, *named.values())), None)
        out = out[0] if isinstance(out, tuple) else out  # differs: torch's recurrent layers return their state too
        if path not in order and torch.is_tensor(x) and torch.is_tensor(out):
            order.append(path)
            values[f"{path}/in"] = to_array(x, layout(x.ndim))
            values[f"{path}/out"] = to_array(out, layout(out.ndim))

    return record


def to_array(tensor: torch.Tensor, layout: Layout = "as is") -> np.ndarray:
    """A copy as a NumPy array, its axes in the order of the data."""
    tensor = tensor if layout == "as is" else tensor.movedim(AXES[layout][1].index("C"), -1)
    return tensor.detach().cpu().numpy().copy()


def _leaf(path: str, kind: str, named: dict[str, torch.Tensor]) -> Leaf:
    shapes = {name: tuple(tensor.shape) for name, tensor in named.items()}
    return Leaf(path, kind, shapes, tuple(name for name, t in named.items() if t.requires_grad))
