"""Two optimizers on the same gradients: the steps that both take, and what would make them the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from compare.verify import axes as alignment
from compare.verify.verdict import Finding, Remedy

STEPS = 5
STEP_LIMIT = 1e-3  # float32 weights near 1 take in a step of 1e-3 only to 6e-5


class Side(Protocol):
    """What takes one side's optimizer steps: compare.engines.opened.OpenedModel."""

    def updates(
        self, weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray], changes: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[np.ndarray]]: ...


def compare_optimizers(
    keras: Side, torch: Side, shapes: Sequence[Sequence[int]], regularizers: Sequence[Sequence[float]]
) -> tuple[Finding | None, float]:
    """Both optimizers on the same gradients, large and small, of arrays as the models have them.

    Args:
        keras, torch: both sides.
        shapes: of the arrays.
        regularizers: the factors of L1 and L2 penalties of each in Keras, which count as part of its gradient.
    """
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    gradients = []
    for shape in shapes:
        drawn = rng.standard_normal((STEPS, *shape))
        size = 10.0 ** rng.uniform(-7, 1, shape)  # epsilon shows where gradients are small
        gradients.append(((drawn + 0.3 * np.sign(drawn)) * size).astype(np.float32))

    mine, wanted = keras.updates(weights, gradients, {"regularizers": [list(each) for each in regularizers]})
    theirs, got = torch.updates(weights, gradients)

    def apart(after: Sequence[np.ndarray]) -> float:
        moves: tuple[list[np.ndarray], list[np.ndarray]] = [], []
        for start, one, other in zip(weights, wanted, after, strict=True):
            for kept, each in zip(moves, (one, other), strict=True):
                steps = np.diff(np.concatenate([start[None], each]).astype(np.float64), axis=0)
                kept.append(steps.reshape(STEPS, -1))
        moved, native = (np.concatenate(kept, axis=1) for kept in moves)
        return max(alignment.relative(n, m) for n, m in zip(native, moved, strict=True))

    far = apart(got)
    if far <= STEP_LIMIT:
        return None, far
    what = f"From equal gradients the steps of {mine['kind']} and {theirs['kind']} are {far:.2g} apart (relative L2)"
    finding = Finding("optimizer", mine["kind"], theirs["kind"], what, None, far)
    tried = []
    for cause, changes in _changes(mine, theirs):
        after = apart(torch.updates(weights, gradients, changes)[1])
        if after <= STEP_LIMIT:
            fix = {"torch": Remedy(_fix(theirs, changes), after)}
            return replace(finding, cause=cause, after=after, says=_words(mine, theirs, changes), fix=fix), far
        tried.append(cause)
    says = f"Keras has {mine['kind']} with {mine['settings']}, PyTorch {theirs['kind']} with {theirs['settings']}"
    return replace(finding, says=says, tried=tuple(dict.fromkeys(tried))), far


CAUSES = {
    "lr": "learning_rate", "eps": "adam_epsilon", "betas": "adam_betas", "momentum": "momentum",
    "alpha": "rmsprop_defaults", "initial_accumulator_value": "adagrad_accumulator", "weight_decay": "weight_decay",
    "clipnorm": "clipnorm", "clipvalue": "clipvalue", "global_clipnorm": "global_clipnorm",
}  # fmt: skip


def _changes(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What PyTorch's optimizer would have to do otherwise: one thing, then with what belongs to it, then all."""
    own, native = mine["settings"], theirs["settings"]
    adam, rooted = "betas" in native, theirs["kind"] in ("RMSprop", "Adagrad")
    unlike = {n: v for n, v in own.items() if n in native and native[n] != v and n != "eps"}
    if len(set(mine["rates"])) > 1 or len(set(theirs["rates"])) > 1:
        unlike.pop("lr", None)
        if not np.allclose(mine["rates"], theirs["rates"], rtol=1e-4):
            yield "schedule", {"rates": mine["rates"]}
    extra = {n: own[n] for n in ("clipnorm", "clipvalue", "global_clipnorm") if own.get(n)}
    if "initial_accumulator_value" in native and own.get("initial_accumulator_value") is not None:
        value = own["initial_accumulator_value"]
        yield "adagrad_accumulator", {"initial_accumulator_value": value, "eps": own.get("eps", 1e-7), "inside": True}
    if theirs.get("groups"):
        yield "param_groups", {"one_group": True}
    if own.get("use_ema"):
        yield "weight_average", {"ema": 0.99}
        yield "weight_average", {"ema": 0.99, "epsilon_hat": True}
    for name, value in {**unlike, **extra}.items():
        yield CAUSES.get(name, name), {name: value}
    eps = {"eps": own["eps"]} if "eps" in own and own["eps"] != native.get("eps") else {}
    if adam:
        if eps:
            yield "adam_epsilon", eps
            yield "adam_epsilon", {**eps, "epsilon_hat": True}
        yield "adam_epsilon_hat", {"epsilon_hat": True}
        if native.get("weight_decay") and theirs["kind"] == "Adam":
            yield "adam_weight_decay", {"decoupled": True}
            yield "adam_weight_decay", {"decoupled": True, "epsilon_hat": True, **eps}
    elif rooted:
        yield "rmsprop_epsilon", {**eps, "inside": True}
    elif eps:
        yield "epsilon", eps
    every = {**unlike, **extra, **eps} | ({"epsilon_hat": True} if adam else {}) | ({"inside": True} if rooted else {})
    for name, value in {**unlike, **extra}.items():
        rest = {k: v for k, v in every.items() if k in (name, "eps", "epsilon_hat", "inside")}
        yield CAUSES.get(name, name), {**rest, name: value}
    names = [*unlike, *extra]
    yield CAUSES.get(names[0], names[0]) if names else "settings", every
    if theirs.get("groups"):
        yield "param_groups", {**every, "one_group": True}


def _words(mine: Mapping[str, Any], theirs: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    native = theirs["settings"]
    parts = [f"PyTorch has {n}={native[n]}, Keras {v}" for n, v in changes.items() if n in native and native[n] != v]
    clips = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if name in changes]
    parts += [f"Keras clips gradients with {name}={changes[name]:g}" for name in clips]
    if "rates" in changes:
        told = ["/".join(f"{rate:.3g}" for rate in side["rates"]) for side in (mine, theirs)]
        parts.append(f"Keras's learning rate is {told[0]} in the first steps, PyTorch's {told[1]}")
    if changes.get("one_group"):
        parts.append(
            f"PyTorch's parameter groups differ in {', '.join(theirs['groups'])}, Keras treats all arrays alike"
        )
    if "ema" in changes:
        parts.append("Keras overwrites the weights with their moving average (use_ema=True)")
    if changes.get("epsilon_hat"):
        parts.append("Keras adds epsilon before the bias correction of the second moment, PyTorch after it")
    if changes.get("inside"):
        parts.append("Keras has epsilon under the root, PyTorch beside it")
    if changes.get("decoupled"):
        parts.append("PyTorch's Adam adds weight decay to the gradient, Keras takes it off the weights")
    return "; ".join(parts)


def _fix(theirs: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """What was changed in PyTorch's optimizer, as one writes it."""
    if "rates" in changes:
        return "a scheduler that gives " + ", ".join(f"{rate:.4g}" for rate in changes["rates"]) + " in the first steps"
    kind = "AdamW" if changes.get("decoupled") else theirs["kind"]
    given = {name: value for name, value in changes.items() if name in theirs["settings"]}
    parts = [f"torch.optim.{kind}({', '.join(f'{name}={_short(value)}' for name, value in given.items())})"]
    clips = {
        "clipvalue": "torch.nn.utils.clip_grad_value_(parameters, {:g}) before each step",
        "clipnorm": "torch.nn.utils.clip_grad_norm_([p], {:g}) for each parameter before each step",
        "global_clipnorm": "torch.nn.utils.clip_grad_norm_(parameters, {:g}) before each step",
    }
    parts += [text.format(changes[name]) for name, text in clips.items() if changes.get(name)]
    parts += ["one group with all parameters"] if changes.get("one_group") else []
    parts += [f"weights overwritten by their moving average of {changes['ema']:g}"] if "ema" in changes else []
    parts += ["eps / sqrt(1 - beta_2^t) in place of eps at step t"] if changes.get("epsilon_hat") else []
    parts += ["eps added to the average of the squares, under the root"] if changes.get("inside") else []
    return " with ".join(parts)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(tuple(value) if isinstance(value, list) else value)
