"""A user's own PyTorch loss on given outputs, and a user's own PyTorch optimizer on given gradients.

keras_impl/criteria.py has the same functions for Keras.
"""

import copy
import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from torch_impl.train import LOSSES, make_optimizer
from twin.errors import TwinError
from twin.spec import Optimizer

SCALARS = (
    "lr", "eps", "weight_decay", "momentum", "alpha", "betas", "amsgrad", "nesterov", "centered", "lr_decay",
    "initial_accumulator_value", "dampening", "rho", "momentum_decay",
)  # fmt: skip


def make_loss(found: Any) -> Any:
    """A loss from its stock name, a loss, a class of losses, or a function of outputs and targets."""
    found = LOSSES[found] if isinstance(found, str) else found
    return found() if isinstance(found, type) else found


def loss(
    found: Any, given: Mapping[str, np.ndarray], transform: str = "", changes: Mapping[str, Any] | None = None
) -> tuple[float, np.ndarray, str]:
    """The loss, its gradient by the outputs, and how it is written.

    Args:
        found: what `make_loss` takes.
        given: `outputs` (B, ...) of the model, classes last, as Keras has them; the `target` that they are compared
            with; `sample_weight` (B, ...), which a function takes as its third argument, and by which the rows of
            a stock loss are multiplied before their mean.
        transform: functions of torch that the outputs pass first, separated by commas.
        changes: attributes of the loss to set first; `rows` gives what CTC is for each row, not for each label, and
            `second` says that the model's own outputs have classes second.

    PyTorch's own losses want classes second where there are more than two axes, and a user's function the model's
    output as it is: the other order is tried where the first cannot be computed.
    """
    changes = dict(changes or {})
    function = make_loss(found)
    stock = isinstance(function, nn.Module) and type(function).__module__.startswith("torch.")
    orders = ["second", "last"] if changes.pop("second", False) or stock else ["last", "second"]
    rows = _RowsOfCtc() if changes.pop("rows", False) else nullcontext()
    weighted = "sample_weight" in given and _takes_weights(function)
    if "sample_weight" in given and not weighted and hasattr(function, "reduction"):
        changes["reduction"] = "none"
    if changes:
        function = copy.copy(function)
        for name, value in changes.items():
            setattr(function, name, value)
    failure: Exception | None = None
    for order in orders:
        try:
            with rows:
                return _loss(function, given, transform, order == "second", weighted)
        except (RuntimeError, ValueError, IndexError) as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _takes_weights(function: Any) -> bool:
    """Whether a user's loss takes the samples' weights as a third argument."""
    called = function.forward if isinstance(function, nn.Module) else function
    try:
        return len(inspect.signature(called).parameters) >= 3
    except (TypeError, ValueError):
        return False


class _RowsOfCtc(TorchFunctionMode):
    """Lets ctc_loss give the mean of the rows, as Keras's does, not of the rows divided by their labels."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") == "ctc_loss":
            return function(*args[:5], **{**(kwargs or {}), "reduction": "none"}).mean()
        return function(*args, **(kwargs or {}))


def _loss(
    function: Any, arrays: Mapping[str, np.ndarray], transform: str, second: bool, weighted: bool
) -> tuple[float, np.ndarray, str]:
    outputs, target = arrays["outputs"], arrays["target"]
    variable = torch.from_numpy(np.ascontiguousarray(outputs)).requires_grad_()
    moved = second and variable.ndim > 2
    given = variable.movedim(-1, 1) if moved else variable
    goal = torch.from_numpy(np.array(target))
    if target.dtype.kind in "iu":
        goal = goal.long()
    elif moved and goal.ndim == variable.ndim:  # else it has a value for each place, and no axis of classes
        goal = goal.movedim(-1, 1)
    for name in transform.split(",") if transform else ():
        given = getattr(torch, name)(given, **({"dim": 1 if moved else -1} if "softmax" in name else {}))
    weight = torch.from_numpy(arrays["sample_weight"].astype(np.float32)) if "sample_weight" in arrays else None
    if weight is None or weighted:
        total = function(given, goal, *([] if weight is None else [weight])).mean()
    else:
        rows = function(given, goal)
        rows = rows.flatten(weight.ndim).mean(-1) if rows.ndim > weight.ndim else rows
        total = (rows * weight).mean() if rows.ndim else rows  # a function that has averaged takes no weights
    total.backward()
    gradient = torch.zeros_like(variable) if variable.grad is None else variable.grad
    return total.item(), gradient.numpy(), written(function)


def loss_model(found: Any) -> nn.Module:
    """A loss as a model of outputs and targets, so that its calls can be followed."""
    return _LossModel(make_loss(found))


class _LossModel(nn.Module):
    def __init__(self, function: Any):
        super().__init__()
        self.function = function

    def forward(self, outputs: torch.Tensor, target: torch.Tensor) -> Any:
        """The loss, a number."""
        return self.function(outputs, target).mean()


def written(function: Any) -> str:
    """A loss as one writes it: its class with the arguments that are not defaults, or its function's code."""
    if isinstance(function, nn.Module) and type(function).__module__.startswith("torch."):
        shown = {}
        for name, parameter in inspect.signature(type(function).__init__).parameters.items():
            value = getattr(function, name, parameter.default)
            if torch.is_tensor(value):
                shown[name] = [float(each) for each in value]
            elif value != parameter.default and name not in ("self", "size_average", "reduce"):
                shown[name] = value
        return f"torch.nn.{type(function).__name__}({', '.join(f'{n}={v!r}' for n, v in shown.items())})"
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
        found: a stock name, or what returns an optimizer, alone or with its scheduler: for a list of parameters, for
            pairs of name and parameter, or for a model, as its argument's name or its code asks.
        weights: where each array starts, by its name in the model.
        gradients: for each step one array for each of the weights.
        changes: settings to carry out differently; `undecayed` are names of arrays without weight decay,
            `epsilon_hat` divides epsilon as Keras's Adam does, `inside` has it under the root, `behind` adds it to
            Adamax's maximum instead of within, `decoupled` takes weight decay out of the gradient, `one_group` gives
            every group the first one's settings, `rates` are the learning rates of the steps,
            `initial_accumulator_value` is where Adagrad starts, `ema` averages the weights with that momentum;
            `penalties` are factors of an L1 and an L2 penalty by name, `kind` another class of torch.optim; `unclipped`
            leaves out what the user's own step clips; `steps` asks for the scheduler's rates at these steps.

    Returns:
        (kind and settings, for each of the weights an array with one more axis in front: the steps).

    Raises:
        TwinError: when there is no PyTorch optimizer.
    """
    parameters = {name: nn.Parameter(torch.from_numpy(np.array(array))) for name, array in weights.items()}
    made, scheduler = _made(found, parameters)
    told = _told(made)
    if "kind" in changes:
        made = getattr(torch.optim, changes["kind"])(
            list(parameters.values()), lr=changes.get("lr", told["settings"].get("lr"))
        )
    made = _changed(made, changes, [parameters[name] for name in changes.get("undecayed", ())])
    penalties = changes.get("penalties", {})
    eps = [group.get("eps", 0.0) for group in made.param_groups]
    after: dict[str, list[np.ndarray]] = {name: [] for name in weights}
    averages = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    rates = []
    for number, step in enumerate(gradients, start=1):
        for group, own in zip(made.param_groups, eps, strict=True):
            if changes.get("epsilon_hat") and "betas" in group:
                group["eps"] = own / (1 - group["betas"][1] ** number) ** 0.5
            if "rates" in changes and "lr" in group:
                group["lr"] = changes["rates"][number - 1]
        for name, parameter in parameters.items():
            parameter.grad = torch.from_numpy(np.array(step[name]))
            l1, l2 = penalties.get(name, (0.0, 0.0))
            parameter.grad += l1 * parameter.detach().sign() + 2 * l2 * parameter.detach()
        with _unclipped() if changes.get("unclipped") else nullcontext():
            _behind(made, eps) if changes.get("behind") else made.step()
        rates += _rate(made)  # after the step: an optimizer may set its own in it
        _advance(scheduler)
        for name, parameter in parameters.items():
            if "ema" in changes:
                averages[name].lerp_(parameter.detach(), 1 - changes["ema"] if number > 1 else 1.0)
                parameter.data.copy_(averages[name])
            after[name].append(parameter.detach().numpy().copy())
    told |= {"rates": rates, "scheduler": type(scheduler).__name__ if scheduler is not None else ""}
    told |= {"schedule": _scheduled(found, weights, changes.get("steps", ()))}
    return told, {name: np.stack(kept) for name, kept in after.items()}


def _behind(made: torch.optim.Optimizer, eps: Sequence[float]) -> None:
    """A step of Adamax whose epsilon is added to the maximum of the gradients, as in Keras, not before it is taken."""
    before = [[parameter.detach().clone() for parameter in group["params"]] for group in made.param_groups]
    for group in made.param_groups:
        group["eps"] = 0.0
    made.step()
    for group, starts, own in zip(made.param_groups, before, eps, strict=True):
        for parameter, start in zip(group["params"], starts, strict=True):
            most = made.state[parameter]["exp_inf"]
            parameter.data.copy_(start + (parameter.detach() - start) * most / (most + own))


def _without_decay(made: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> None:
    """Move some parameters into a group of their own, without weight decay."""
    chosen = {id(parameter) for parameter in parameters}
    first = made.param_groups[0]
    for group in made.param_groups:
        group["params"] = [parameter for parameter in group["params"] if id(parameter) not in chosen]
    made.add_param_group({**first, "params": list(parameters), "weight_decay": 0.0})


def _told(made: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimizer's kind, the settings of its first group, and those in which its groups differ."""
    first = {name: made.param_groups[0][name] for name in SCALARS if made.param_groups[0].get(name) is not None}
    first |= {"betas": list(first["betas"])} if "betas" in first else {}
    groups = [{n: g[n] for n in first if n in g and n != "betas"} for g in made.param_groups]
    unlike = sorted({n for g in groups for n in g if g[n] != groups[0][n]})
    kind = type(made.own if isinstance(made, _Stepping) else made).__name__
    stock = type(made).__module__.startswith("torch.optim")
    return {"kind": kind, "stock": stock, "settings": first, "groups": unlike}


def _advance(scheduler: Any) -> None:
    """A scheduler's step; one that waits for a metric has none of its own."""
    if scheduler is not None and not isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step()


def _rate(made: torch.optim.Optimizer) -> list[float]:
    """The learning rate, if it is among the settings: a user's own optimizer may keep its rates elsewhere."""
    return [float(made.param_groups[0]["lr"])] if "lr" in made.param_groups[0] else []


def _scheduled(found: Any, weights: Mapping[str, np.ndarray], steps: Sequence[int]) -> list[float]:
    """The learning rates at some steps, of an optimizer made anew; up to the last step that its scheduler has."""
    made, scheduler = _made(found, {name: nn.Parameter(torch.zeros(array.shape)) for name, array in weights.items()})
    rates: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that the optimizer takes no step
        for step in range(max(steps, default=-1) + 1):
            if step in steps:
                rates += _rate(made)
            try:
                _advance(scheduler)
            except ValueError:  # OneCycleLR has an end
                break
    return rates


def _made(found: Any, parameters: Mapping[str, nn.Parameter]) -> tuple[torch.optim.Optimizer, Any]:
    """The optimizer and its scheduler, from a name or from what takes parameters, named parameters or a model."""
    if isinstance(found, str):
        return make_optimizer(Optimizer(found, 1e-3), list(parameters.values())), None  # type: ignore[arg-type]
    try:
        words = next(iter(inspect.signature(found).parameters), "").lower()
    except (TypeError, ValueError):
        words = ""
    options: list[Any] = [list(parameters.values()), list(parameters.items()), _holder(parameters)]
    if "model" in words or "net" in words or "module" in words:
        options = options[::-1]
    elif "named" in words:
        options = [options[1], options[0], options[2]]
    failure: Exception | None = None
    for given in options:
        try:
            made = found(given)
            break
        except (AttributeError, TypeError, ValueError) as error:
            failure = failure or error
    else:
        assert failure is not None
        raise failure
    made, scheduler = made if isinstance(made, tuple | list) and len(made) == 2 else (made, None)
    if not isinstance(made, torch.optim.Optimizer) and callable(getattr(made, "step", None)):
        made = _Stepping(made, list(parameters.values()))
    if not isinstance(made, torch.optim.Optimizer):
        raise TwinError(f"expected a function of parameters that returns a torch.optim.Optimizer; it returned {made!r}")
    return made, scheduler


class _Stepping(torch.optim.Optimizer):
    """What takes steps without being one of torch.optim's."""

    def __init__(self, own: Any, parameters: Sequence[nn.Parameter]):
        super().__init__(parameters, {})
        self.own = own

    def step(self, closure: Any = None) -> Any:
        """A step of its own."""
        return self.own.step()


def _holder(parameters: Mapping[str, nn.Parameter]) -> nn.Module:
    """A module whose `named_parameters()` are these."""
    whole = nn.Module()
    for name, parameter in parameters.items():
        *path, last = name.split(".")
        module = whole
        for each in path:
            if not hasattr(module, each):
                module.add_module(each, nn.Module())
            module = getattr(module, each)
        module.register_parameter(last, parameter)
    return whole


def _changed(
    made: torch.optim.Optimizer, changes: Mapping[str, Any], undecayed: Sequence[nn.Parameter]
) -> torch.optim.Optimizer:
    """The optimizer with some settings carried out differently."""
    if changes.get("decoupled") and isinstance(made, torch.optim.Adam):
        kept = [
            {n: g[n] for n in ("params", "lr", "betas", "eps", "weight_decay", "amsgrad")} for g in made.param_groups
        ]
        made = torch.optim.AdamW(kept)
    if changes.get("one_group"):
        for group in made.param_groups:
            group |= {name: value for name, value in made.param_groups[0].items() if name != "params"}
    for group in made.param_groups:
        group |= {n: tuple(v) if isinstance(v, list) else v for n, v in changes.items() if n in group}
    if undecayed:
        _without_decay(made, undecayed)
    if changes.get("decoupled") and not isinstance(made, torch.optim.AdamW):
        made.step = _decoupled(made)  # type: ignore[method-assign]
    if changes.get("inside") and isinstance(made, torch.optim.RMSprop | torch.optim.Adagrad):
        made.step = _epsilon_inside(made)  # type: ignore[method-assign]
    if any(name in changes for name in ("clipnorm", "clipvalue", "global_clipnorm")):
        made.step = _clipped(made, made.step, changes)  # type: ignore[method-assign]
    if "initial_accumulator_value" in changes:
        for state in made.state.values():
            if "sum" in state:
                state["sum"].fill_(changes["initial_accumulator_value"])
    return made


@contextmanager
def _unclipped() -> Iterator[None]:
    """Within it the clipping of a user's own step does nothing; Keras's clipping has its own names for it."""
    own = {name: getattr(nn.utils, name) for name in ("clip_grad_norm_", "clip_grad_value_")}
    try:
        for name in own:
            setattr(nn.utils, name, lambda *args, **kwargs: None)
        yield
    finally:
        for name, function in own.items():
            setattr(nn.utils, name, function)


def _decoupled(made: torch.optim.Optimizer) -> Any:
    """A step whose weight decay is taken off the weights and not added to the gradient, as Keras does it."""
    step = made.step
    decays = [group.get("weight_decay", 0.0) for group in made.param_groups]

    def stepped() -> None:
        for group, decay in zip(made.param_groups, decays, strict=True):
            group["weight_decay"] = 0.0
            for parameter in group["params"]:
                parameter.data.mul_(1 - group["lr"] * decay)
        step()

    return stepped


def _clipped(made: torch.optim.Optimizer, step: Any, changes: Mapping[str, Any]) -> Any:
    """A step after clipping as Keras's optimizers do it: by value, by each array's norm, by the norm of all."""

    by_value, by_norm = nn.utils.clip_grad_value_, nn.utils.clip_grad_norm_

    def clipped() -> None:
        parameters = [parameter for group in made.param_groups for parameter in group["params"]]
        if changes.get("clipvalue"):
            by_value(parameters, changes["clipvalue"])
        for parameter in parameters if changes.get("clipnorm") else ():
            by_norm([parameter], changes["clipnorm"])
        if changes.get("global_clipnorm"):
            by_norm(parameters, changes["global_clipnorm"])
        step()

    return clipped


def _epsilon_inside(made: torch.optim.Optimizer) -> Any:
    """A step of RMSprop or Adagrad with epsilon under the root, as Keras has it."""
    step = made.step
    name = "square_avg" if isinstance(made, torch.optim.RMSprop) else "sum"
    eps = [group["eps"] for group in made.param_groups]

    def stepped() -> None:
        for group, own in zip(made.param_groups, eps, strict=True):
            group["eps"] = 0.0
            for parameter in group["params"]:
                state = made.state[parameter]
                if name not in state:
                    state |= {"step": torch.tensor(0.0), name: torch.zeros_like(parameter)}
                    state |= {each: torch.zeros_like(parameter) for each in ("momentum_buffer", "grad_avg")}
                state[name] += own / group.get("alpha", 1.0)
        step()
        for group, own in zip(made.param_groups, eps, strict=True):
            for parameter in group["params"]:
                made.state[parameter][name] -= own

    return stepped
