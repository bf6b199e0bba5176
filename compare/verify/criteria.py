"""The last rungs of `twin verify`: two losses on the same outputs, two optimizers on the same gradients."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from compare.verify import axes as alignment
from compare.verify.verdict import GRADIENT_LIMIT, LIMIT, Finding

STEPS = 5
STEP_LIMIT = 1e-3  # float32 weights near 1 take in a step of 1e-3 only to 6e-5
Loss = tuple[float, np.ndarray, str]


class Criteria(Protocol):
    """A side that computes losses and takes optimizer steps: compare.engines.opened.OpenedModel."""

    def loss(
        self, outputs: np.ndarray, target: np.ndarray, transform: str = "", changes: Mapping[str, Any] | None = None
    ) -> Loss: ...
    def updates(
        self, weights: Sequence[np.ndarray], gradients: Sequence[np.ndarray], changes: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[np.ndarray]]: ...


@dataclass(frozen=True)
class Trial:
    """A possible cause, carried out.

    Args:
        cause: its name.
        says: in words.
        fix: what to write, for either side.
        after: how far both are apart with it.
    """

    cause: str
    says: str
    fix: Mapping[str, str]
    after: float


def make_target(outputs: np.ndarray, name: str) -> np.ndarray:
    """Targets for a stock loss: classes, zeros and ones, or numbers."""
    rng = np.random.default_rng(0)
    if name == "cross_entropy":
        return rng.integers(0, outputs.shape[-1], outputs.shape[:-1]).astype(np.int32)
    if name == "binary_cross_entropy":
        return rng.integers(0, 2, outputs.shape).astype(np.float32)
    return rng.standard_normal(outputs.shape).astype(np.float32)


def compare_losses(
    keras: Criteria, torch: Criteria, outputs: np.ndarray, target: np.ndarray
) -> tuple[Finding | None, float]:
    """Both losses and their gradients on the same outputs; a finding when they differ."""
    wanted, got = keras.loss(outputs, target), torch.loss(outputs, target)
    far = _apart(got, wanted)
    if far <= GRADIENT_LIMIT:
        return None, far
    what = f"on equal outputs Keras's loss is {wanted[0]:.6g}, PyTorch's {got[0]:.6g}"
    finding = Finding("loss", "loss", "loss", what, None, far)
    tried: list[str] = []
    for trials in (_of_targets, _of_logits, _of_arguments, _of_ctc, _of_scale):
        for trial in trials(keras, torch, outputs, target, wanted, got):
            if trial.after <= GRADIENT_LIMIT:
                return replace(finding, cause=trial.cause, after=trial.after, says=trial.says, fix=trial.fix), far
            tried.append(trial.cause)
    says = f"Keras computes {wanted[2]}; PyTorch {got[2]}"
    return replace(finding, says=says, tried=tuple(dict.fromkeys(tried))), far


def _of_targets(
    keras: Criteria, torch: Criteria, outputs: np.ndarray, target: np.ndarray, wanted: Loss, got: Loss
) -> Iterator[Trial]:
    """Targets of another shape than the outputs, which one side broadcasts."""
    if target.size != outputs.size or target.shape == outputs.shape:
        return
    shaped = target.reshape(outputs.shape)
    says = (
        f"the outputs have shape {outputs.shape} and the targets {target.shape}: one side broadcasts them to "
        "each other, and compares every row with every target"
    )
    fix = {
        "torch": f"loss(outputs, y.reshape({', '.join(map(str, (-1, *outputs.shape[1:])))}))",
        "keras": f"y = keras.ops.reshape(y, {(-1, *outputs.shape[1:])})",
    }
    yield Trial("broadcast_targets", says, fix, _apart(torch.loss(outputs, shaped), wanted))
    yield Trial("broadcast_targets", says, fix, _apart(keras.loss(outputs, shaped), got))


def _of_logits(
    keras: Criteria, torch: Criteria, outputs: np.ndarray, target: np.ndarray, wanted: Loss, got: Loss
) -> Iterator[Trial]:
    """Logits on one side and probabilities on the other."""
    for transform, words in (
        ("softmax", "probabilities"),
        ("log_softmax", "their logarithms"),
        ("sigmoid", "probabilities"),
        ("log", "their logarithms"),
    ):
        for side, name in ((torch, "PyTorch"), (keras, "Keras")):
            after = _apart(side.loss(outputs, target, transform), wanted if side is torch else got)
            says = f"{name}'s loss takes the outputs for {words}, the other does not: after {transform} they agree"
            inner = {"softmax": "torch.softmax(outputs, -1)", "log_softmax": "torch.log_softmax(outputs, -1)"}
            inner |= {"sigmoid": "torch.sigmoid(outputs)", "log": "torch.log(outputs)"}
            fix = {
                "torch": f"loss({inner[transform]}, y)"
                if side is torch
                else "CrossEntropyLoss takes logits, NLLLoss not",
                "keras": f"keras.ops.{transform} of the outputs first" if side is keras else "from_logits=True",
            }
            yield Trial("cross_entropy_logits", says, fix, after)


def _of_arguments(
    keras: Criteria, torch: Criteria, outputs: np.ndarray, target: np.ndarray, wanted: Loss, got: Loss
) -> Iterator[Trial]:
    """A number that both losses take and that is not the same."""
    names = {"label_smoothing": ("label_smoothing",), "delta": ("delta", "beta"), "ignore_class": ("ignore_index",)}
    mine = dict(re.findall(r"(\w+)=(-?[\d.]+(?:e-?\d+)?)", wanted[2]))
    for word, natives in names.items():
        for native in natives:
            value = float(mine.get(word, {"label_smoothing": 0.0, "delta": 1.0, "ignore_class": -100}[word]))
            given = int(value) if native == "ignore_index" else value
            if f"{native}=" not in got[2] and word not in mine:
                continue
            after = _apart(torch.loss(outputs, target, "", {native: given}), wanted)
            cause = {"ignore_class": "ignored_labels"}.get(word, word)
            fix = {"torch": f"{native}={given:g}", "keras": f"{word} as in {got[2]}"}
            yield Trial(cause, f"Keras computes {wanted[2]}, PyTorch {got[2]}", fix, after)


def _of_ctc(
    keras: Criteria, torch: Criteria, outputs: np.ndarray, target: np.ndarray, wanted: Loss, got: Loss
) -> Iterator[Trial]:
    """PyTorch divides each row's CTC loss by the number of its labels, Keras does not."""
    if "ctc" in got[2].lower():
        says = "PyTorch's reduction='mean' divides each row's loss by the number of its labels, Keras averages the rows"
        fix = {
            "torch": "torch.nn.functional.ctc_loss(..., reduction='none').mean()",
            "keras": "divide each row by the number of its labels",
        }
        yield Trial("ctc_reduction", says, fix, _apart(torch.loss(outputs, target, "", {"rows": True}), wanted))


def _of_scale(
    keras: Criteria, torch: Criteria, outputs: np.ndarray, target: np.ndarray, wanted: Loss, got: Loss
) -> Iterator[Trial]:
    """One loss is a multiple of the other."""
    factor = wanted[0] / got[0] if got[0] else 0.0
    after = _apart((got[0] * factor, got[1] * factor, ""), wanted)
    rows, values = len(outputs), outputs.size
    counts = {"rows": rows, "values": values, "values per row": values // rows, "targets": target.size}
    for word, count in counts.items():
        for times, says in (
            (float(count), f"PyTorch averages over the {word}, Keras adds up"),
            (1 / count, f"Keras averages over the {word}, PyTorch adds up"),
        ):
            if count > 1 and np.isclose(factor, times, rtol=1e-4):  # worth a trial, which decides
                fix = {
                    "torch": f"reduction={'sum' if times > 1 else 'mean'!r}",
                    "keras": f"reduction={'sum_over_batch_size' if times > 1 else 'sum'!r}",
                }
                yield Trial("loss_reduction", says, fix, after)
    text = f"{wanted[2]} {got[2]}".lower()
    if "weight=" in got[2]:
        says = "PyTorch divides the weighted sum by the sum of the weights, Keras by the number of rows"
        fix = {
            "torch": "(torch.nn.functional.cross_entropy(outputs, y, reduction='none') * weight[y]).mean()",
            "keras": "divide by the sum of the weights of the rows",
        }
        yield Trial("class_weights", says, fix, after)
    if "ignore" in text or "not_equal" in text or "mask" in text:
        says = "one side averages over all targets, the other only over those that count"
        fix = {"torch": "divide by the number of targets that count", "keras": "the same"}
        yield Trial("ignored_labels", says, fix, after)
    says = f"Keras's loss is {factor:.6g} times PyTorch's"
    fix = {"torch": f"multiply by {factor:.6g}", "keras": f"multiply by {1 / factor if factor else 0:.6g}"}
    yield Trial("loss_scale", says, fix, after)


def compare_optimizers(
    keras: Criteria, torch: Criteria, shapes: Sequence[Sequence[int]], regularizers: Sequence[Sequence[float]]
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
    what = f"from equal gradients the steps of {mine['kind']} and {theirs['kind']} are {far:.2g} apart (relative L2)"
    finding = Finding("optimizer", mine["kind"], theirs["kind"], what, None, far)
    tried = []
    for cause, changes in _changes(mine, theirs):
        after = apart(torch.updates(weights, gradients, changes)[1])
        if after <= STEP_LIMIT:
            says, fix = _words(mine, theirs, changes), _fix(mine, theirs, changes)
            return replace(finding, cause=cause, after=after, says=says, fix=fix), far
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


def _fix(mine: Mapping[str, Any], theirs: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, str]:
    if changes.get("decoupled"):
        return {"torch": "torch.optim.AdamW", "keras": "add an L2 loss instead of weight_decay"}
    if "ema" in changes:
        return {"torch": "torch.optim.swa_utils.AveragedModel", "keras": "use_ema=False"}
    if "rates" in changes:
        return {
            "torch": "a scheduler of torch.optim.lr_scheduler, stepped after each batch, that gives Keras's rates",
            "keras": f"learning_rate={theirs['rates'][0]:g}" if len(set(theirs["rates"])) == 1 else "the same schedule",
        }
    if changes.get("one_group"):
        return {
            "torch": "one group with all parameters",
            "keras": 'optimizer.exclude_from_weight_decay(var_names=["bias"]) before training',
        }
    given = {name: value for name, value in changes.items() if name in theirs["settings"]}
    native = ", ".join(f"{name}={value}" for name, value in given.items())
    other = ", ".join(f"{name}={theirs['settings'][name]}" for name in given)
    if changes.get("epsilon_hat"):
        native = f"{native}{', ' if native else ''}eps=Keras's epsilon / sqrt(1 - beta_2^t) at step t".strip()
        other = f"{other}{', ' if other else ''}an epsilon so small that it does not matter"
    return {"torch": f"torch.optim.{theirs['kind']}({native})", "keras": f"keras.optimizers.{mine['kind']}({other})"}


def _apart(got: Loss, wanted: Loss) -> float:
    if not np.isfinite(got[0]):
        return float("inf")
    value = abs(got[0] - wanted[0]) / max(abs(wanted[0]), 1e-30)
    return max(value if value > LIMIT else 0.0, alignment.relative(got[1], wanted[1]))
