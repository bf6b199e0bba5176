"""A user's own Keras loss on given outputs, and a user's own Keras optimizer on given gradients.

torch_impl/criteria.py has the same functions for PyTorch.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src import backend
from keras.src.losses.losses import LossFunctionWrapper

from keras_impl.backend import value_and_gradients
from keras_impl.train import LOSSES, make_optimizer
from twin.errors import TwinError
from twin.spec import Optimizer

WORDS = {
    "learning_rate": "lr", "epsilon": "eps", "weight_decay": "weight_decay", "momentum": "momentum", "rho": "alpha",
    "initial_accumulator_value": "initial_accumulator_value", "clipnorm": "clipnorm", "clipvalue": "clipvalue",
    "global_clipnorm": "global_clipnorm",
}  # fmt: skip
FTRL = {
    "l1_regularization_strength": "l1", "l2_regularization_strength": "l2", "beta": "beta",
    "learning_rate_power": "power",
}  # fmt: skip
FLAGS = ("amsgrad", "nesterov", "centered", "use_ema")


def make_loss(found: Any) -> Any:
    """A loss from its stock name, a loss, a class of losses, or a function of targets and outputs."""
    if isinstance(found, str):
        return LOSSES[found]()
    return found() if isinstance(found, type) else found


def loss(
    found: Any, given: Mapping[str, np.ndarray], transform: str = "", changes: Mapping[str, Any] | None = None
) -> tuple[float, np.ndarray, str]:
    """The loss as `compile` takes it, its gradient by the outputs, and how it is written.

    Args:
        found: what `make_loss` takes.
        given: `outputs` (B, ...) of the model, the `target` that they are compared with, `sample_weight` (B, ...), and
            `class_weight` (C,), which `fit` makes into a weight for each target.
        transform: functions of keras.ops that the outputs pass first, separated by commas.
        changes: arguments of a stock loss to set otherwise.
    """
    function = make_loss(found)
    if changes:
        function = type(function).from_config({**function.get_config(), **changes})
    variable = keras.Variable(given["outputs"])
    goal = ops.convert_to_tensor(given["target"])
    weight = _weights(given)
    mask = ops.convert_to_tensor(given["mask"].astype(bool)) if "mask" in given else None

    def value() -> Any:
        outputs = variable.value
        for name in transform.split(",") if transform else ():
            outputs = getattr(ops, name)(outputs)
        if mask is not None:  # `compile` leaves masked steps out, and wraps a plain function for that
            own = isinstance(function, keras.losses.Loss)
            return keras.losses.Loss.__call__(
                function if own else LossFunctionWrapper(function), goal, _masked(outputs, mask), weight
            )
        if weight is None:
            return ops.mean(function(goal, outputs))  # one value a row is averaged, as `compile` does
        if isinstance(function, keras.losses.Loss):
            return function(goal, outputs, sample_weight=weight)
        rows = function(goal, outputs)
        return ops.mean(rows * ops.reshape(weight, (*weight.shape, *[1] * (len(rows.shape) - len(weight.shape)))))

    total, (gradient,) = value_and_gradients(value, [variable])
    return float(ops.convert_to_numpy(total)), ops.convert_to_numpy(gradient), written(function)


def _masked(outputs: Any, mask: Any) -> Any:
    """A tensor with the mask that a model's output has."""
    marked = outputs + 0.0
    backend.set_keras_mask(marked, mask)
    return marked


def _weights(given: Mapping[str, np.ndarray]) -> Any:
    """A weight for each target, from those of the samples and of the classes; None where there are neither."""
    weight = given.get("sample_weight")
    if "class_weight" in given:
        target = given["target"]
        classes = target.argmax(-1) if target.ndim == given["outputs"].ndim and target.shape[-1] > 1 else target
        of_class = given["class_weight"][classes.reshape(len(classes), -1).squeeze(-1).astype(int)]
        weight = of_class if weight is None else weight * of_class
    return None if weight is None else ops.convert_to_tensor(weight.astype(np.float32))


def loss_model(found: Any) -> keras.Model:
    """A loss as a model of outputs and targets, so that its calls can be followed."""
    return _LossModel(make_loss(found))


class _LossModel(keras.Model):
    def __init__(self, function: Any):
        super().__init__()
        self.function = function
        self.built = True

    def call(self, outputs: Any, target: Any) -> Any:
        """The loss, a number."""
        return ops.mean(self.function(target, outputs))


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
    found: Any,
    weights: Mapping[str, np.ndarray],
    gradients: Sequence[Mapping[str, np.ndarray]],
    changes: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What an optimizer makes of given gradients: its settings, and the weights after each step.

    Args:
        found: a stock name, an optimizer, or what returns one.
        weights: where each array starts, by its path, such as `dense.kernel`.
        gradients: for each step one array for each of the weights.
        changes: `regularizers` has for each of the weights the factors of an L1 and of an L2 penalty, `constraints`
            the configuration of what is done to it after each step.

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
    constraints = changes.get("constraints") or {}
    variables = {path: _variable(path, array, constraints.get(path)) for path, array in weights.items()}
    after: dict[str, list[np.ndarray]] = {path: [] for path in weights}
    rates = []
    penalties = changes.get("regularizers") or {}
    for step in gradients:
        rates.append(float(ops.convert_to_numpy(optimizer.learning_rate)))
        whole = []
        for path, variable in variables.items():
            l1, l2 = penalties.get(path, (0.0, 0.0))
            now = ops.convert_to_numpy(variable.value)
            total = step[path] + l1 * np.sign(now) + 2 * l2 * now
            whole.append(ops.convert_to_tensor(total.astype(np.float32)))
        optimizer.apply(whole, list(variables.values()))
        for path, variable in variables.items():
            after[path].append(np.array(ops.convert_to_numpy(variable.value)))
    told = {"kind": type(optimizer).__name__, "settings": _settings(optimizer, rates[0]), "rates": rates}
    told["base"] = next(c.__name__ for c in type(optimizer).__mro__ if c.__module__.startswith("keras.src.optimizers"))
    undecayed = [path for path, variable in variables.items() if not optimizer._use_weight_decay(variable)]
    told |= {"schedule": _schedule(optimizer), "undecayed": undecayed if optimizer.weight_decay else []}
    return told, {path: np.stack(kept) for path, kept in after.items()}


def _variable(path: str, array: np.ndarray, constraint: Any = None) -> keras.Variable:
    """A variable as a model names it: its layer's scope, and its own name, by which an optimizer may leave it out."""
    scope, _, name = path.rpartition(".")
    with keras.name_scope(scope.replace(".", "_") or "model"):
        variable = keras.Variable(array, name=name)
    if constraint is not None:
        variable.constraint = keras.constraints.get(constraint)
    return variable


def _settings(optimizer: Any, rate: float) -> dict[str, Any]:
    """An optimizer's settings in PyTorch's words."""
    own: dict[str, Any] = {name: getattr(optimizer, name, None) for name in (*WORDS, *FLAGS)}
    told: dict[str, Any] = {"lr": rate}
    told |= {
        word: float(own[name])
        for name, word in WORDS.items()
        if name != "learning_rate" and isinstance(own[name], int | float) and not isinstance(own[name], bool)
    }
    if type(optimizer).__name__ == "Adadelta" and "alpha" in told:
        told["rho"] = told.pop("alpha")
    if hasattr(optimizer, "beta_1"):
        told["betas"] = [float(optimizer.beta_1), float(optimizer.beta_2)]
    for name, word in FTRL.items():
        if hasattr(optimizer, name):
            told[word] = float(getattr(optimizer, name))
    if optimizer.gradient_accumulation_steps:
        told["accumulate"] = int(optimizer.gradient_accumulation_steps)
    return told | {name: bool(own[name]) for name in FLAGS if own[name] is not None}


def _schedule(optimizer: Any) -> dict[str, Any]:
    """The learning rate at some steps, up to the schedule's own end; what a schedule does then is nobody's business."""
    schedule = optimizer._learning_rate
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        steps = [0, 1, 10, 100, 1000]
        return {
            "kind": "",
            "steps": steps,
            "rates": [float(ops.convert_to_numpy(optimizer.learning_rate))] * len(steps),
        }
    numbers = [int(value) for value in vars(schedule).values() if isinstance(value, int | float) and 1 < value < 1e6]
    numbers += [int(value) for value in getattr(schedule, "boundaries", ())]
    ends = [int(getattr(schedule, name, 0) or 0) for name in ("decay_steps", "warmup_steps")]
    last = sum(ends) if "Cosine" in type(schedule).__name__ or hasattr(schedule, "end_learning_rate") else 0
    last = min(last or 2 * max([*numbers, 50]), 5000)
    near = {number + more for number in numbers for more in (-1, 0, 1) if 0 <= number + more <= last}
    ordered = sorted({*range(min(6, last + 1)), *(round(last * share / 16) for share in range(17)), *near})
    rates = [float(ops.convert_to_numpy(schedule(step))) for step in ordered]
    return {"kind": type(schedule).__name__, "steps": ordered, "rates": rates}
