"""A user's own Keras loss on given outputs, and a user's own Keras optimizer on given gradients.

torch_impl/criteria.py has the same functions for PyTorch.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_impl.backend import value_and_gradients
from keras_impl.train import LOSSES, make_optimizer
from twin.errors import TwinError
from twin.spec import Optimizer

WORDS = {
    "learning_rate": "lr", "epsilon": "eps", "weight_decay": "weight_decay", "momentum": "momentum", "rho": "alpha",
    "initial_accumulator_value": "initial_accumulator_value", "clipnorm": "clipnorm", "clipvalue": "clipvalue",
    "global_clipnorm": "global_clipnorm",
}  # fmt: skip
FLAGS = ("amsgrad", "nesterov", "centered", "use_ema")


def make_loss(found: Any) -> Any:
    """A loss from its stock name, a loss, a class of losses, or a function of targets and outputs."""
    if isinstance(found, str):
        return LOSSES[found]()
    return found() if isinstance(found, type) else found


def loss(found: Any, given: Mapping[str, np.ndarray], transform: str = "") -> tuple[float, np.ndarray, str]:
    """The loss as `compile` takes it, its gradient by the outputs, and how it is written.

    Args:
        found: what `make_loss` takes.
        given: `outputs` (B, ...) of the model, the `target` that they are compared with, `sample_weight` (B, ...), and
            `class_weight` (C,), which `fit` makes into a weight for each target.
        transform: a function of keras.ops that the outputs pass first.
    """
    function = make_loss(found)
    variable = keras.Variable(given["outputs"])
    goal = ops.convert_to_tensor(given["target"])
    weight = _weights(given)

    def value() -> Any:
        outputs = getattr(ops, transform)(variable.value) if transform else variable.value
        if weight is None:
            return ops.mean(function(goal, outputs))  # one value a row is averaged, as `compile` does
        if isinstance(function, keras.losses.Loss):
            return function(goal, outputs, sample_weight=weight)
        rows = function(goal, outputs)
        return ops.mean(rows * ops.reshape(weight, (*weight.shape, *[1] * (len(rows.shape) - len(weight.shape)))))

    total, (gradient,) = value_and_gradients(value, [variable])
    return float(ops.convert_to_numpy(total)), ops.convert_to_numpy(gradient), written(function)


def _weights(given: Mapping[str, np.ndarray]) -> Any:
    """A weight for each target, from those of the samples and of the classes; None where there are neither."""
    weight = given.get("sample_weight")
    if "class_weight" in given:
        target = given["target"]
        classes = target.argmax(-1) if target.ndim == given["outputs"].ndim and target.shape[-1] > 1 else target
        of_class = given["class_weight"][classes.reshape(len(classes), -1).squeeze(-1).astype(int)]
        weight = of_class if weight is None else weight * of_class
    return None if weight is None else ops.convert_to_tensor(weight.astype(np.float32))


def written(function: Any) -> str:
    """A loss as one writes it: its class with the arguments that are not defaults, or its function's code."""
    if isinstance(function, keras.losses.Loss) and type(function).__module__.startswith("keras."):
        shown = {}
        for name, parameter in inspect.signature(type(function).__init__).parameters.items():
            value = getattr(function, name, getattr(function, "_fn_kwargs", {}).get(name, parameter.default))
            if value != parameter.default and name not in ("self", "name", "dtype"):
                shown[name] = value
        return f"keras.losses.{type(function).__name__}({', '.join(f'{n}={v!r}' for n, v in shown.items())})"
    try:
        return " ".join(inspect.getsource(function).split())[:400]
    except (OSError, TypeError):
        return str(getattr(function, "__name__", type(function).__name__))


def updates(
    found: Any, weights: Sequence[np.ndarray], gradients: Sequence[Sequence[np.ndarray]], changes: Mapping[str, Any]
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What an optimizer makes of given gradients: its settings, and the weights after each step.

    Args:
        found: a stock name, an optimizer, or what returns one.
        weights: where each array starts.
        gradients: for each step one array for each of the weights.
        changes: `regularizers` has for each of the weights the factors of an L1 and of an L2 penalty.

    Returns:
        (kind and settings, for each of the weights an array with one more axis in front: the steps).

    Raises:
        TwinError: when there is no Keras optimizer.
    """
    if isinstance(found, str):
        found = make_optimizer(Optimizer(found, 1e-3), 1)  # type: ignore[arg-type]
    optimizer = found if isinstance(found, keras.optimizers.Optimizer) else found()
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TwinError(f"expected a keras.optimizers.Optimizer; received a {type(optimizer).__name__}")
    names = ["kernel" if array.ndim > 1 else "bias" for array in weights]
    variables = [keras.Variable(array, name=name) for array, name in zip(weights, names, strict=True)]
    after: list[list[np.ndarray]] = [[] for _ in weights]
    rates = []
    penalties = changes.get("regularizers") or [(0.0, 0.0)] * len(weights)
    for step in gradients:
        rates.append(float(ops.convert_to_numpy(optimizer.learning_rate)))
        whole = []
        for gradient, variable, (l1, l2) in zip(step, variables, penalties, strict=True):
            now = ops.convert_to_numpy(variable.value)
            whole.append(ops.convert_to_tensor((gradient + l1 * np.sign(now) + 2 * l2 * now).astype(np.float32)))
        optimizer.apply(whole, variables)
        for kept, variable in zip(after, variables, strict=True):
            kept.append(np.array(ops.convert_to_numpy(variable.value)))
    own: dict[str, Any] = {name: getattr(optimizer, name, None) for name in (*WORDS, *FLAGS)}
    told: dict[str, Any] = {"lr": rates[0]}
    told |= {
        word: float(own[name])
        for name, word in WORDS.items()
        if name != "learning_rate" and isinstance(own[name], int | float) and not isinstance(own[name], bool)
    }
    if hasattr(optimizer, "beta_1"):
        told["betas"] = [float(optimizer.beta_1), float(optimizer.beta_2)]
    told |= {name: bool(own[name]) for name in FLAGS if own[name] is not None}
    return {"kind": type(optimizer).__name__, "settings": told, "rates": rates}, [np.stack(kept) for kept in after]
