"""Update rules in NumPy, with what hand-written optimizers do otherwise: an optimizer is recognized by its steps."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Rule:
    """How steps are made of gradients.

    Args:
        kind: SGD, RMSprop, Adagrad, Adam, Lamb, Lion or Ftrl.
        inside: whether the velocity keeps each step's learning rate (Keras), and is not multiplied by the present one.
        start: what the average or the sum of the squares starts with.
        epsilon: under the root, beside it, or hat (beside it, before the bias correction).
        corrected: of which of Adam's averages the bias is corrected.
        nesterov: whether the step looks ahead.
        dampened: whether a gradient enters the velocity by 1 - momentum.
        decay: how weight decay acts: none, coupled (added to the gradient), decoupled (taken off the weights), or
            decoupled without the learning rate.
        centered: whether the squared mean is taken off the average of the squares.
        clip: what is clipped, in Keras's words: clipvalue, clipnorm (of each array) or global_clipnorm; or nothing.
        gathered: what becomes of the gradients of several batches: averaged, summed, or only the last one; each makes
            a step of its own where they are not gathered.
        gradient: what is done to each array's gradient first.
        exchanged: whether each beta has the other's place.
        trust: over the norm of what Lamb's steps are scaled by the weights' norm: of the update, of the gradient (as
            LARS), or not at all.
        before: whether Lion's average takes the gradient in before the step.
        l1, l2: what Ftrl's penalties count.
    """

    kind: str
    inside: bool = True
    start: float = 0.0
    epsilon: str = "beside"
    corrected: str = "both"
    nesterov: bool = False
    dampened: bool = False
    decay: str = "none"
    centered: bool = False
    clip: str = ""
    gathered: str = "averaged"
    gradient: str = "as it is"
    exchanged: bool = False
    trust: str = "of the update"
    before: bool = False
    l1: str = "once"
    l2: str = "twice"


CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")
# A field of a rule: the cause, and what is said of Keras's and of PyTorch's value.
FIELDS: Mapping[str, tuple[str, str]] = {
    "inside": ("momentum_learning_rate", "the velocity keeps the learning rate of each step"),
    "start": ("optimizer_start", "what the average or the sum of the squares starts with"),
    "epsilon": ("optimizer_epsilon", "where epsilon is added"),
    "corrected": ("adam_bias_correction", "the averages whose bias is corrected"),
    "nesterov": ("nesterov", "the step looks ahead (nesterov)"),
    "dampened": ("dampening", "a gradient enters the velocity by 1 - momentum"),
    "decay": ("weight_decay", "weight decay"),
    "clip": ("clipnorm", "what is clipped"),
    "centered": ("centered", "the squared mean is taken off the average of the squares"),
    "gathered": ("gradient_accumulation", "the gradients of the batches before a step"),
    "gradient": ("optimizer_gradient", "the gradient of each array"),
    "exchanged": ("optimizer_betas", "the two betas stand in each other's place"),
    "trust": ("lamb_trust_ratio", "steps are scaled by the weights' norm over that (the trust ratio)"),
    "before": ("lion_order", "the average takes the gradient in before the step"),
    "l1": ("ftrl_l1", "Ftrl's L1 strength counts"),
    "l2": ("ftrl_l2", "Ftrl's L2 strength counts, in the denominator"),
}
GRADIENTS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda g: g,
    "without its mean over the inputs": lambda g: (
        g - g.mean(tuple(range(g.ndim - 1)), keepdims=True) if g.ndim > 1 else g
    ),
    "of matrices without the mean of all": lambda g: g - g.mean() if g.ndim > 1 else g,
    "without the mean of all": lambda g: g - g.mean(),
    "without its mean over the outputs": lambda g: g - g.mean(-1, keepdims=True) if g.ndim > 1 else g,
    "divided by its norm": lambda g: g / max(float(np.linalg.norm(g)), 1e-30),
    "its sign": np.sign,
}
OPTIONS: Mapping[str, Sequence[Any]] = {
    "inside": (True, False), "start": (0.0, 1.0, 0.1), "epsilon": ("under the root", "beside", "hat"),
    "corrected": ("both", "none", "only the mean", "only the squares"),
    "nesterov": (False, True), "dampened": (False, True),
    "decay": ("none", "coupled", "decoupled", "decoupled without the learning rate"), "centered": (False, True),
    "clip": ("", *CLIPS), "gathered": ("averaged", "summed", "the last one", "a step for each"),
    "gradient": tuple(GRADIENTS), "exchanged": (False, True), "before": (False, True),
    "trust": ("of the update", "of the gradient", "not at all"),
    "l1": ("once", "not at all"), "l2": ("twice", "once", "not at all"),
}  # fmt: skip
USED = {
    "SGD": ("inside", "nesterov", "dampened", "decay"),
    "RMSprop": ("start", "inside", "epsilon", "centered", "decay"),
    "Adagrad": ("start", "epsilon", "decay"),
    "Adam": ("epsilon", "corrected", "decay", "exchanged"),
    "Lamb": ("epsilon", "corrected", "decay", "exchanged", "trust"),
    "Lion": ("exchanged", "before", "decay"),
    "Ftrl": ("start", "l1", "l2"),
}


def of_keras(kind: str, settings: Mapping[str, Any]) -> Rule | None:
    """The rule of one of Keras's own optimizers; None where it is none of these."""
    kind = "Adam" if kind == "AdamW" else kind
    if kind not in USED or settings.get("amsgrad") or settings.get("use_ema"):
        return None
    if kind in ("Lion", "Lamb") and "betas" not in settings:
        return None
    epsilon = {"Adam": "hat", "Lamb": "beside"}.get(kind, "under the root")
    start = float(settings.get("initial_accumulator_value", 0.0)) if kind in ("Adagrad", "Ftrl") else 0.0
    decay = "decoupled" if settings.get("weight_decay") else "none"
    flags: dict[str, Any] = {name: bool(settings.get(name)) for name in ("nesterov", "centered")}
    clip = next((name for name in CLIPS if settings.get(name)), "")
    return Rule(kind, True, start, epsilon, decay=decay, clip=clip, **flags)


def of_torch(kind: str, settings: Mapping[str, Any]) -> Rule | None:
    """The rule of one of PyTorch's own optimizers; None where it is none of these."""
    if (
        kind not in ("SGD", "RMSprop", "Adagrad", "Adam", "AdamW")
        or settings.get("amsgrad")
        or settings.get("dampening")
    ):
        return None
    decay = ("decoupled" if kind == "AdamW" else "coupled") if settings.get("weight_decay") else "none"
    start = float(settings.get("initial_accumulator_value", 0.0)) if kind == "Adagrad" else 0.0
    flags: dict[str, Any] = {name: bool(settings.get(name)) for name in ("nesterov", "centered")}
    return Rule(kind.removesuffix("W"), False, start, "beside", decay=decay, **flags)


def others(rule: Rule, gathers: int = 1) -> Iterator[tuple[tuple[str, ...], Rule]]:
    """Every rule that differs in one field, then those that differ in two; with the fields.

    Args:
        rule: of one side.
        gathers: over how many batches it gathers gradients.
    """
    more = (*(["clip"] if rule.clip else []), *(["gathered"] if gathers > 1 else []))  # whose limit is known
    names = (*USED[rule.kind], *more)
    single = [
        ((name,), replace(rule, **{name: value}))
        for name in names
        for value in OPTIONS[name]
        if value != getattr(rule, name) and (value != "hat" or rule.kind == "Adam")  # nothing else corrects a bias
    ]
    yield from single
    treated = [
        (("gradient",), replace(rule, gradient=value)) for value in OPTIONS["gradient"] if value != rule.gradient
    ]
    yield from treated
    names = (*names, "gradient")
    both = [*single, *treated]
    for (first,), one in both:
        for (second,), other in both:
            if names.index(first) < names.index(second):
                yield (first, second), replace(one, **{second: getattr(other, second)})


# Settings that an optimizer by hand may keep to itself, and what public code has there.
VALUES: Mapping[str, tuple[str, Sequence[Any]]] = {
    "betas": ("adam_betas", tuple(itertools.product((0.9, 0.95, 0.5, 0.0), (0.999, 0.99, 0.98, 0.95, 0.9)))),
    "eps": ("adam_epsilon", (1e-8, 1e-7, 1e-6, 1e-5, 1e-3, 1e-10, 0.0)),
    "momentum": ("momentum", (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)),
    "alpha": ("rmsprop_rho", (0.9, 0.95, 0.99, 0.999)),
    "weight_decay": ("weight_decay", (0.0, 1e-4, 5e-4, 1e-3, 4e-3, 5e-3, 1e-2, 0.05, 0.1)),
    "l1": ("ftrl_l1", (0.0, 1e-3, 1e-2, 0.1, 1.0)),
    "l2": ("ftrl_l2", (0.0, 1e-3, 1e-2, 0.1, 1.0)),
    "beta": ("ftrl_beta", (0.0, 1.0)),
}  # fmt: skip
SET = {
    "SGD": ("momentum", "weight_decay"), "RMSprop": ("alpha", "eps", "momentum", "weight_decay"),
    "Adagrad": ("eps", "weight_decay"), "Adam": ("betas", "eps", "weight_decay"),
    "Lamb": ("betas", "eps", "weight_decay"), "Lion": ("betas", "weight_decay"), "Ftrl": ("l1", "l2", "beta"),
}  # fmt: skip


def other_settings(rule: Rule, settings: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The settings with one of them otherwise; with its name. One that is a multiple of what it is comes last."""
    for name in SET[rule.kind]:
        own = settings.get(name)
        values = list(VALUES[name][1])
        values += [own * factor for factor in (0.5, 2.0, 10.0, 0.1)] if isinstance(own, float) and own else []
        for value in values:
            if own is None or not np.allclose(value, own, rtol=1e-6, atol=0):
                yield name, {**settings, name: value}


def differing(fields: Sequence[str], keras: Rule, torch: Rule) -> tuple[str, str]:
    """The cause, and the words, of rules that differ in some fields; where epsilon is added explains the least."""
    main = next((name for name in fields if name != "epsilon"), fields[0])
    told = [f"{FIELDS[name][1]}: Keras {_short(keras, name)}, PyTorch {_short(torch, name)}" for name in fields]
    cause = FIELDS[main][0]
    words = f"{keras.gradient} {torch.gradient}"
    if main == "gradient" and "mean" in words:
        cause = "gradient_centralization"
    return cause, "; ".join(told)


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
    doubled = [given.astype(np.float64) for given in gradients]
    gathered, takes = _gathered(rule, int(settings.get("accumulate", 1)), doubled)
    treat = GRADIENTS[rule.gradient]
    clipped = _clipped(rule, settings, [np.stack([treat(each) for each in given]) for given in gathered])
    chosen = [rate for rate, takes_step in zip(rates, takes, strict=True) if takes_step]
    out = []
    for start, given in zip(weights, clipped, strict=True):
        after = iter(_of_array(rule, settings, chosen, start.astype(np.float64), given))
        now, kept = start.astype(np.float64), []
        for takes_step in takes:
            now = next(after) if takes_step else now
            kept.append(now)
        out.append(np.stack(kept))
    return out


def _gathered(rule: Rule, count: int, gradients: Arrays) -> tuple[Arrays, list[bool]]:
    """Gradients of the steps that are taken, and after which of the batches one is taken."""
    length = len(gradients[0])
    if count <= 1 or rule.gathered == "a step for each":
        return gradients, [True] * length
    whole = length // count
    blocks = [given[: whole * count].reshape(whole, count, *given.shape[1:]) for given in gradients]
    last = {"averaged": lambda b: b.mean(1), "summed": lambda b: b.sum(1), "the last one": lambda b: b[:, -1]}
    return [last[rule.gathered](block) for block in blocks], [(n + 1) % count == 0 for n in range(length)]


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
        elif rule.decay != "coupled" and rule.decay != "none":
            weights = weights - decay * weights
        if rule.kind in ("Adam", "Lamb", "Lion"):
            first, second = settings["betas"][::-1] if rule.exchanged else settings["betas"]
        if rule.kind in ("Adam", "Lamb"):
            mean = first * mean + (1 - first) * gradient
            squares = second * squares + (1 - second) * gradient**2
            whole = [1 - first**number, 1 - second**number]
            whole = [
                one if rule.corrected in ("both", word) else 1.0
                for one, word in zip(whole, ("only the mean", "only the squares"), strict=True)
            ]
            update = _divided(rule, mean / whole[0], squares, settings["eps"], whole[1])
            over = gradient if rule.trust == "of the gradient" else update
            norms = float(np.linalg.norm(weights)), float(np.linalg.norm(over))
            scaled = rule.kind == "Lamb" and rule.trust != "not at all" and all(norms)
            trust = norms[0] / norms[1] if scaled else 1.0
            weights = weights - rate * trust * update
        elif rule.kind == "Lion":
            kept = second * mean + (1 - second) * gradient
            source = kept if rule.before else mean
            weights = weights - rate * np.sign(first * source + (1 - first) * gradient)
            mean = kept
        elif rule.kind == "Ftrl":
            l1 = settings.get("l1", 0.0) if rule.l1 == "once" else 0.0
            l2 = (
                settings.get("l2", 0.0) * {"twice": 2.0, "once": 1.0}.get(rule.l2, 0.0)
                + settings.get("beta", 0.0) / rate
            )
            power, before = -settings.get("power", -0.5), squares
            squares = squares + gradient**2
            mean = mean + gradient - (squares**power - before**power) / rate * weights
            weights = (np.clip(mean, -l1, l1) - mean) / (squares**power / rate + l2)
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
