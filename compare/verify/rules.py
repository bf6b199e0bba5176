"""Update rules in NumPy, with what hand-written optimizers do otherwise: an optimizer is recognized by its steps."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Rule:
    """How steps are made of gradients.

    Args:
        kind: SGD, RMSprop, Adagrad or Adam.
        inside: whether the velocity keeps each step's learning rate (Keras), and is not multiplied by the present one.
        start: what the average or the sum of the squares starts with.
        epsilon: under the root, beside it, or hat (beside it, before the bias correction).
        corrected: whether Adam corrects the bias of its averages.
        nesterov: whether the step looks ahead.
        dampened: whether a gradient enters the velocity by 1 - momentum.
        decay: how weight decay acts: none, coupled (added to the gradient) or decoupled (taken off the weights).
        centered: whether the squared mean is taken off the average of the squares.
        clip: what is clipped, in Keras's words: clipvalue, clipnorm (of each array) or global_clipnorm; or nothing.
    """

    kind: str
    inside: bool = True
    start: float = 0.0
    epsilon: str = "beside"
    corrected: bool = True
    nesterov: bool = False
    dampened: bool = False
    decay: str = "none"
    centered: bool = False
    clip: str = ""


CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")
# A field of a rule: the cause, and what is said of Keras's and of PyTorch's value.
FIELDS: Mapping[str, tuple[str, str]] = {
    "inside": ("momentum_learning_rate", "the velocity keeps the learning rate of each step"),
    "start": ("optimizer_start", "what the average or the sum of the squares starts with"),
    "epsilon": ("optimizer_epsilon", "where epsilon is added"),
    "corrected": ("adam_bias_correction", "the averages' bias is corrected"),
    "nesterov": ("nesterov", "the step looks ahead (nesterov)"),
    "dampened": ("dampening", "a gradient enters the velocity by 1 - momentum"),
    "decay": ("weight_decay", "weight decay"),
    "clip": ("clipnorm", "what is clipped"),
    "centered": ("centered", "the squared mean is taken off the average of the squares"),
}
OPTIONS: Mapping[str, Sequence[Any]] = {
    "inside": (True, False), "start": (0.0, 1.0, 0.1), "epsilon": ("under the root", "beside", "hat"),
    "corrected": (True, False), "nesterov": (False, True), "dampened": (False, True),
    "decay": ("none", "coupled", "decoupled"), "centered": (False, True),
    "clip": ("", *CLIPS),
}  # fmt: skip
USED = {
    "SGD": ("inside", "nesterov", "dampened", "decay"),
    "RMSprop": ("start", "inside", "epsilon", "centered", "decay"),
    "Adagrad": ("start", "epsilon", "decay"),
    "Adam": ("epsilon", "corrected", "decay"),
}


def of_keras(kind: str, settings: Mapping[str, Any]) -> Rule | None:
    """The rule of one of Keras's own optimizers; None where it is none of these."""
    kind = "Adam" if kind == "AdamW" else kind
    if kind not in USED or settings.get("amsgrad") or settings.get("use_ema"):
        return None
    epsilon = "hat" if kind == "Adam" else "under the root"
    start = float(settings.get("initial_accumulator_value", 0.0)) if kind == "Adagrad" else 0.0
    decay = "decoupled" if settings.get("weight_decay") else "none"
    flags = {name: bool(settings.get(name)) for name in ("nesterov", "centered")}
    clip = next((name for name in CLIPS if settings.get(name)), "")
    return Rule(kind, True, start, epsilon, decay=decay, clip=clip, **flags)


def others(rule: Rule) -> Iterator[tuple[tuple[str, ...], Rule]]:
    """Every rule that differs in one field, then those that differ in two; with the fields."""
    names = (*USED[rule.kind], *(["clip"] if rule.clip else []))  # where Keras clips, its limit is known
    single = [
        ((name,), replace(rule, **{name: value}))
        for name in names
        for value in OPTIONS[name]
        if value != getattr(rule, name) and (value != "hat" or rule.kind == "Adam")  # nothing else corrects a bias
    ]
    yield from single
    for (first,), one in single:
        for (second,), other in single:
            if names.index(first) < names.index(second):
                yield (first, second), replace(one, **{second: getattr(other, second)})


def differing(fields: Sequence[str], keras: Rule, torch: Rule) -> tuple[str, str]:
    """The cause, and the words, of rules that differ in some fields; where epsilon is added explains the least."""
    main = next((name for name in fields if name != "epsilon"), fields[0])
    told = [f"{FIELDS[name][1]}: Keras {_short(keras, name)}, PyTorch {_short(torch, name)}" for name in fields]
    return FIELDS[main][0], "; ".join(told)


def _short(rule: Rule, name: str) -> str:
    value = getattr(rule, name)
    words = {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:g}" if name == "start" else value
    return str(words) or "nothing"


def steps(
    rule: Rule, settings: Mapping[str, Any], rates: Sequence[float], weights: Arrays, gradients: Arrays
) -> list[np.ndarray]:
    """What a rule makes of gradients: for each of the weights an array with one more axis in front, the steps.

    Args:
        rule: the rule.
        settings: in PyTorch's words (momentum, alpha, betas, eps, weight_decay).
        rates: the learning rate of each step.
        weights: where each array starts.
        gradients: for each of the weights (steps, ...).
    """
    clipped = _clipped(rule, settings, [given.astype(np.float64) for given in gradients])
    return [
        np.stack(list(_of_array(rule, settings, rates, start.astype(np.float64), given)))
        for start, given in zip(weights, clipped, strict=True)
    ]


def _clipped(rule: Rule, settings: Mapping[str, Any], gradients: Arrays) -> Arrays:
    """Gradients (steps, ...) of all arrays after clipping by Keras's limit."""
    most = next((settings[name] for name in CLIPS if settings.get(name)), None)
    if not rule.clip or most is None:
        return gradients
    if rule.clip == "clipvalue":
        return [np.clip(given, -most, most) for given in gradients]
    squares = [np.square(given.reshape(len(given), -1)).sum(1) for given in gradients]
    norms = [np.sqrt(sum(squares)) if rule.clip == "global_clipnorm" else np.sqrt(each) for each in squares]
    factors = [most / np.maximum(norm, most) for norm in norms]
    pairs = zip(factors, gradients, strict=True)
    return [factor.reshape(-1, *[1] * (given.ndim - 1)) * given for factor, given in pairs]


def _of_array(
    rule: Rule, settings: Mapping[str, Any], rates: Sequence[float], start: np.ndarray, gradients: np.ndarray
) -> Iterator[np.ndarray]:
    """One array's weights after each step."""
    weights, velocity, mean = start.copy(), np.zeros_like(start), np.zeros_like(start)
    squares = np.full_like(start, rule.start)
    momentum, decay = settings.get("momentum", 0.0), settings.get("weight_decay", 0.0)
    for number, (rate, own) in enumerate(zip(rates, gradients, strict=True), start=1):
        gradient = own + decay * weights if rule.decay == "coupled" else own
        if rule.decay == "decoupled":
            weights = weights - rate * decay * weights
        if rule.kind == "Adam":
            first, second = settings["betas"]
            mean = first * mean + (1 - first) * gradient
            squares = second * squares + (1 - second) * gradient**2
            whole = (1 - first**number, 1 - second**number) if rule.corrected else (1.0, 1.0)
            weights = weights - rate * _divided(rule, mean / whole[0], squares, settings["eps"], whole[1])
        else:
            if rule.kind == "RMSprop":
                keep = settings["alpha"]
                squares = keep * squares + (1 - keep) * gradient**2
                mean = keep * mean + (1 - keep) * gradient
                spread = squares - mean**2 if rule.centered else squares
                gradient = _divided(rule, gradient, spread, settings["eps"], 1.0)
            elif rule.kind == "Adagrad":
                squares = squares + gradient**2
                gradient = _divided(rule, gradient, squares, settings["eps"], 1.0)
            entering = gradient * (1 - momentum if rule.dampened and number > 1 else 1.0)
            scaled = rate * entering if rule.inside else entering
            velocity = momentum * velocity + scaled
            step = momentum * velocity + scaled if rule.nesterov else velocity
            weights = weights - (step if rule.inside else rate * step)
        yield weights


def _divided(rule: Rule, value: np.ndarray, squares: np.ndarray, eps: float, whole: float) -> np.ndarray:
    """A value over the root of the squares, with epsilon in its place."""
    squares = np.maximum(squares, 0.0)
    if rule.epsilon == "under the root":
        return value / np.sqrt(squares / whole + eps)
    return value / (np.sqrt(squares / whole) + (eps / math.sqrt(whole) if rule.epsilon == "hat" else eps))
