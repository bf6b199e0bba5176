"""A user's own Keras loss on given outputs, and a user's own Keras optimizer on given gradients.

torch_impl/criteria.py has the same functions for PyTorch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_impl.gradients import value_and_gradients
from keras_impl.train import LOSSES, make_optimizer
from twin.errors import TwinError
from twin.spec import Optimizer


def make_loss(found: Any) -> Any:
    """A loss from its stock name, a loss, a class of losses, or a function of targets and outputs."""
    if isinstance(found, str):
        return LOSSES[found]()
    return found() if isinstance(found, type) else found


def loss(found: Any, outputs: np.ndarray, target: np.ndarray, transform: str = "") -> tuple[float, np.ndarray]:
    """The loss and its gradient by the outputs.

    Args:
        found: what `make_loss` takes.
        outputs: (B, ...) of the model.
        target: what they are compared with.
        transform: a function of keras.ops that the outputs pass first.
    """
    function = make_loss(found)
    variable = keras.Variable(outputs)
    goal = ops.convert_to_tensor(target)

    def value() -> Any:
        given = getattr(ops, transform)(variable.value) if transform else variable.value
        return ops.sum(function(goal, given))

    total, (gradient,) = value_and_gradients(value, [variable])
    return float(ops.convert_to_numpy(total)), ops.convert_to_numpy(gradient)


def updates(
    found: Any, weights: np.ndarray, gradients: Sequence[np.ndarray], changes: Mapping[str, Any]
) -> tuple[dict[str, Any], np.ndarray]:
    """What an optimizer makes of given gradients: its settings, and the weights after each step.

    Args:
        found: a stock name, an optimizer, or what returns one.
        weights: where it starts.
        gradients: one array of the weights' shape a step.
        changes: must be empty: only PyTorch's side is varied.

    Raises:
        TwinError: when there is no Keras optimizer.
    """
    del changes
    if isinstance(found, str):
        found = make_optimizer(Optimizer(found, 1e-3), 1)  # type: ignore[arg-type]
    optimizer = found if isinstance(found, keras.optimizers.Optimizer) else found()
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TwinError(f"expected a keras.optimizers.Optimizer; received a {type(optimizer).__name__}")
    variable = keras.Variable(weights)
    after = []
    for gradient in gradients:
        optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
        after.append(np.array(ops.convert_to_numpy(variable.value)))
    config = optimizer.get_config()
    words = {
        "learning_rate": "lr",
        "epsilon": "eps",
        "weight_decay": "weight_decay",
        "momentum": "momentum",
        "rho": "alpha",
    }
    told = {torch: float(config[mine]) for mine, torch in words.items() if isinstance(config.get(mine), int | float)}
    if "beta_1" in config:
        told["betas"] = [float(config["beta_1"]), float(config["beta_2"])]
    told |= {name: bool(config[name]) for name in ("amsgrad", "nesterov", "centered") if name in config}
    return {"kind": type(optimizer).__name__, "settings": told}, np.stack(after)
