"""A user's own PyTorch loss on given outputs, and a user's own PyTorch optimizer on given gradients.

keras_impl/criteria.py has the same functions for Keras.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from torch_impl.train import LOSSES, make_optimizer
from twin.errors import TwinError
from twin.spec import Optimizer

SCALARS = ("lr", "eps", "weight_decay", "momentum", "alpha", "betas", "amsgrad", "nesterov", "centered")


def make_loss(found: Any) -> Any:
    """A loss from its stock name, a loss, a class of losses, or a function of outputs and targets."""
    found = LOSSES[found] if isinstance(found, str) else found
    return found() if isinstance(found, type) else found


def loss(found: Any, outputs: np.ndarray, target: np.ndarray, transform: str = "") -> tuple[float, np.ndarray]:
    """The loss and its gradient by the outputs.

    Args:
        found: what `make_loss` takes.
        outputs: (B, ...) of the model; classes last, as Keras has them.
        target: what they are compared with.
        transform: a function of torch.nn.functional or torch that the outputs pass first.
    """
    function = make_loss(found)
    variable = torch.from_numpy(np.array(outputs)).requires_grad_()
    given = variable.movedim(-1, 1) if variable.ndim > 2 else variable  # PyTorch has classes second
    goal = torch.from_numpy(np.array(target))
    goal = goal.long() if target.dtype.kind in "iu" else goal.movedim(-1, 1) if goal.ndim > 2 else goal
    if transform:
        given = getattr(torch, transform)(given, **({"dim": 1} if "softmax" in transform else {}))
    total = function(given, goal).sum()
    total.backward()
    assert variable.grad is not None
    return float(total), variable.grad.numpy()


def updates(
    found: Any, weights: np.ndarray, gradients: Sequence[np.ndarray], changes: Mapping[str, Any]
) -> tuple[dict[str, Any], np.ndarray]:
    """What an optimizer makes of given gradients: its settings, and the weights after each step.

    Args:
        found: a stock name, or what returns an optimizer for a list of parameters.
        weights: where it starts.
        gradients: one array of the weights' shape a step.
        changes: settings to carry out differently; `epsilon_hat` divides epsilon as Keras's Adam does, `decoupled`
            takes weight decay out of the gradient.

    Raises:
        TwinError: when there is no PyTorch optimizer.
    """
    parameter = nn.Parameter(torch.from_numpy(np.array(weights)))
    stock = isinstance(found, str)
    made = make_optimizer(Optimizer(found, 1e-3), [parameter]) if stock else found([parameter])
    if not isinstance(made, torch.optim.Optimizer):
        raise TwinError(f"expected a function of parameters that returns a torch.optim.Optimizer; it returned {made!r}")
    if changes.get("decoupled"):
        kept = {name: made.param_groups[0][name] for name in ("lr", "betas", "eps", "weight_decay", "amsgrad")}
        made = torch.optim.AdamW([parameter], **kept)
    group = made.param_groups[0]
    told = {name: group[name] for name in SCALARS if name in group}
    told["betas"] = list(told["betas"]) if "betas" in told else None
    group |= {n: tuple(v) if isinstance(v, list) else v for n, v in changes.items() if n in group}
    eps, after = group.get("eps", 0.0), []
    for number, gradient in enumerate(gradients, start=1):
        if changes.get("epsilon_hat"):
            group["eps"] = eps / (1 - group["betas"][1] ** number) ** 0.5
        parameter.grad = torch.from_numpy(np.array(gradient))
        made.step()
        after.append(parameter.detach().numpy().copy())
    return {"kind": type(made).__name__, "settings": {n: v for n, v in told.items() if v is not None}}, np.stack(after)
