"""What the ladder sets equal on the native side, because the frameworks' stock behaviour differs.

Training never uses any of this: there both sides are stock, with equal hyperparameters. The ladder asks
another question, whether the two implementations compute the same thing, and three stock differences would
hide the answer (docs/differences.md): where Adam adds its epsilon, how a BatchNorm counts its running
variance, and that an LSTM has two biases, each with an update of its own.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from twin.spec import Optimizer


def optimizer(stock: torch.optim.Optimizer, spec: Optimizer, float32_scalars: bool) -> None:
    """Make PyTorch's Adam step as Keras's does.

    Keras divides by sqrt(v) + epsilon before the bias correction of v ("epsilon hat", Kingma and Ba 2015,
    end of section 2), PyTorch after it: equal with eps = epsilon / sqrt(1 - beta_2^t).

    Args:
        stock: changed in place; anything but an Adam is left alone.
        spec: its hyperparameters, the epsilon in Keras's meaning.
        float32_scalars: also take the bias corrections in float32, as Keras does and PyTorch does not. It is
            rounding, not meaning, so it belongs to the noise: 1 - beta_2^t loses up to 1e-5 of itself.
    """
    if not isinstance(stock, torch.optim.Adam):
        return

    def before_step(adam: torch.optim.Optimizer, *_: object) -> None:
        for group in adam.param_groups:
            done = next((int(adam.state[p]["step"]) for p in group["params"] if p in adam.state), 0)
            exact = _corrections(np.float64, group["betas"], done + 1)
            group["eps"] = (spec.epsilon or 0.0) / exact[1]
            if float32_scalars:
                rounded = _corrections(np.float32, group["betas"], done + 1)
                group["lr"] = spec.learning_rate * (rounded[1] / rounded[0]) / (exact[1] / exact[0])

    stock.register_step_pre_hook(before_step)


def _corrections(dtype: type, betas: tuple[float, float], step: int) -> tuple[float, float]:
    """Adam's two bias corrections, 1 - beta_1^t and sqrt(1 - beta_2^t), in the arithmetic of `dtype`."""
    first, second = (dtype(1) - dtype(beta) ** dtype(step) for beta in betas)
    return float(first), float(np.sqrt(second))


def running_variance(model: nn.Module) -> None:
    """Make each BatchNorm's running variance the biased one, as in Keras; PyTorch keeps n / (n - 1) of it."""

    def before(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        norm.variance_before = norm.running_var.clone()

    def after(norm: Any, inputs: tuple[torch.Tensor, ...], _: torch.Tensor) -> None:
        if norm.training:
            count = inputs[0].numel() / inputs[0].shape[1]
            kept = (1 - norm.momentum) * norm.variance_before
            biased = kept + (norm.running_var - kept) * (count - 1) / count
            norm.running_var.data.copy_(biased)  # .data: autograd saved the tensor, though training never reads it

    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.register_forward_pre_hook(before)
            module.register_forward_hook(after)


def freeze(parameters: dict[str, nn.Parameter], redundant: list[str]) -> None:
    """Take parameters that Keras does not have out of the training, in place."""
    for name in redundant:
        if name in parameters:
            parameters.pop(name).requires_grad_(False)


def layout(model: nn.Module, kind: str) -> None:
    """Change how native float32 computes, not what: another draw of the rounding noise.

    Args:
        model: changed in place.
        kind: 'channels-last' for that memory format, 'no-onednn' for PyTorch's own kernels.
    """
    if kind == "channels-last":
        for parameter in model.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    torch.backends.mkldnn.enabled = kind != "no-onednn"  # type: ignore[assignment]  # a descriptor of booleans
