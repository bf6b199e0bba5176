"""What the ladder sets equal on the native side, because the frameworks' stock behaviour differs.

Training never uses any of this: there both sides are stock, with equal hyperparameters. The ladder asks
another question, whether the two implementations compute the same thing, and three stock differences would
hide the answer (docs/differences.md): where Adam adds its epsilon, how a BatchNorm counts its running
variance, and that an LSTM has two biases, each with an update of its own.
"""

import math

import torch
from torch import nn


def optimizer(stock: torch.optim.Optimizer, epsilon: float = 0.0) -> None:
    """Make PyTorch's Adam step as Keras's does.

    Keras divides by sqrt(v) + epsilon before the bias correction of v ("epsilon hat", Kingma and Ba 2015,
    end of section 2), PyTorch after it: equal with eps = epsilon / sqrt(1 - beta_2^t).
    """
    if not isinstance(stock, torch.optim.Adam):
        return

    def before_step(adam: torch.optim.Optimizer, *_: object) -> None:
        for group in adam.param_groups:
            steps = next((adam.state[p]["step"] for p in group["params"] if p in adam.state), 0)
            group["eps"] = epsilon / math.sqrt(1 - group["betas"][1] ** (int(steps) + 1))

    stock.register_step_pre_hook(before_step)


def running_variance(model: nn.Module) -> None:
    """Make each BatchNorm's running variance the biased one, as in Keras; PyTorch keeps n / (n - 1) of it."""

    def before(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        norm.variance_before = norm.running_var.clone()

    def after(norm: nn.Module, inputs: tuple[torch.Tensor, ...], _: torch.Tensor) -> None:
        if norm.training:
            count = inputs[0].numel() / inputs[0].shape[1]
            kept = (1 - norm.momentum) * norm.variance_before
            norm.running_var.copy_(kept + (norm.running_var - kept) * (count - 1) / count)

    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.register_forward_pre_hook(before)
            module.register_forward_hook(after)


def freeze(parameters: dict[str, nn.Parameter], redundant: list[str]) -> None:
    """Take parameters that Keras does not have out of the training, in place."""
    for name in redundant:
        if name in parameters:
            parameters.pop(name).requires_grad_(False)
