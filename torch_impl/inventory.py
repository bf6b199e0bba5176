"""Every array of a user's PyTorch model: the modules that own them, by attribute path.

Unlike torch_impl/describe.py, which follows the rules of our own twins, this finds what any model may hold: subclasses
of stock modules, cells, stacked recurrent layers, tied weights, buffers.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from twin.bridge import Leaf

# Stock modules whose arrays belong together; any other module's arrays stand for themselves.
WHOLE = (
    "Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "BatchNorm1d",
    "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LayerNorm", "GroupNorm",
    "RMSNorm", "Embedding", "EmbeddingBag", "LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell",
    "MultiheadAttention",
)  # fmt: skip


def leaves(model: nn.Module) -> list[tuple[Leaf, dict[str, torch.Tensor]]]:
    """The modules that own arrays, each array once (a tied one with its table, or its first owner), with their tensors.

    A bare parameter is a leaf of kind Parameter, a bare buffer of numbers one of kind Buffer.
    """
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return list(_leaves(model, "", set(), set(), tables))


def kind_of(module: nn.Module) -> str:
    """The stock module that a module is or derives from; its own class name where there is none."""
    return _stock(module) or type(module).__name__


def _stock(module: nn.Module) -> str:
    """The stock module that a module is or derives from; "" where there is none."""
    bases = (base for base in type(module).__mro__ if base.__module__.startswith("torch.nn."))
    return next((base.__name__ for base in bases if base.__name__ in WHOLE), "")


def _leaves(module: nn.Module, path: str, seen: set[int], modules: set[int], tables: set[int]) -> Iterator[Any]:
    if id(module) in modules:
        return
    modules.add(id(module))
    kind = kind_of(module)
    own: dict[str, torch.Tensor] = {}
    if kind in WHOLE and _holds_its_arrays(module, kind):
        # Whole numbers are indices, or count batches, which Keras does not.
        numbers = {name: buffer for name, buffer in module.named_buffers() if buffer.is_floating_point()}
        named = {**dict(module.named_parameters()), **numbers}
        others = seen if isinstance(module, nn.Embedding) else seen | tables
        own = {name: tensor for name, tensor in named.items() if id(tensor) not in others}
        seen |= set(map(id, own.values()))
        if own:
            yield _leaf(path, kind, own, _options(module)), own
        return
    for name, parameter in module.named_parameters(recurse=False):
        if id(parameter) not in seen:
            seen.add(id(parameter))
            yield _leaf(f"{path}.{name}" if path else name, "Parameter", {"": parameter}, {}), {"": parameter}
    for name, buffer in module.named_buffers(recurse=False):
        if id(buffer) not in seen and buffer.is_floating_point():
            seen.add(id(buffer))
            yield _leaf(f"{path}.{name}" if path else name, "Buffer", {"": buffer}, {}), {"": buffer}
    for name, child in module.named_children():
        yield from _leaves(child, f"{path}.{name}" if path else name, seen, modules, tables)


def _holds_its_arrays(module: nn.Module, kind: str) -> bool:
    """Whether a module has the arrays of its kind: a class that only has a stock module's name may have modules in it.

    A `LayerNorm` by hand with a weight and a bias has them; a `MultiheadAttention` of four `Linear` has not.
    """
    if _stock(module):
        return True
    if kind in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"):
        return any(name.startswith("weight_ih") for name, _ in module.named_parameters(recurse=False))
    return kind != "MultiheadAttention" and not any(True for _ in module.children())


def _options(module: nn.Module) -> dict[str, Any]:
    named = ("groups", "padding_idx", "num_layers", "bidirectional", "batch_first", "num_heads")
    return {name: getattr(module, name) for name in named if isinstance(getattr(module, name, None), int)}


def _leaf(path: str, kind: str, named: dict[str, torch.Tensor], options: dict[str, Any]) -> Leaf:
    shapes = {name: tuple(tensor.shape) for name, tensor in named.items()}
    return Leaf(path, kind, shapes, tuple(name for name, t in named.items() if t.requires_grad), options)
