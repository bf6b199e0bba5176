"""A forward pass with one activation left out, by which an exported file that has lost it is told.

keras_impl/ablation.py has the same function.
"""

from typing import Any

import numpy as np
from torch import nn
from torch.overrides import TorchFunctionMode

from torch_impl.tracing import ACTIVATIONS
from torch_impl.train import Run, forward


def forward_without(run: Run, batch: dict[str, np.ndarray], place: int) -> tuple[list[str], dict[str, np.ndarray]]:
    """Every activation of a pass, as 'tanh at conv1', and the outputs when the one at that place is not applied.

    Args:
        run: the built model.
        batch: inputs by name.
        place: of the activation, from 0; -1 leaves out none.
    """
    found: list[str] = []
    at = ["the input"]  # the layer that was begun or ended last

    class Ablation(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = getattr(function, "__name__", "")
            if name in ACTIVATIONS:
                found.append(f"{name} at {at[-1]}")
                if len(found) - 1 == place:
                    return args[0]
            return function(*args, **(kwargs or {}))

    def notes(path: str) -> Any:
        return lambda module, *_: at.append(path)

    modules: list[tuple[str, nn.Module]] = [(path, module) for path, module in run.model.named_modules() if path]
    hooks = [module.register_forward_pre_hook(notes(path)) for path, module in modules]
    hooks += [module.register_forward_hook(notes(path)) for path, module in modules]
    try:
        with Ablation():
            outputs = forward(run, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return found, outputs
