"""The last rungs of `twin verify`: two losses on the same outputs, two optimizers on the same gradients."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from compare.verify import axes as alignment
from compare.verify.verdict import GRADIENT_LIMIT, LIMIT, Finding

STEPS = 5


class Criteria(Protocol):
    """A side that computes losses and takes optimizer steps: compare.verify.remote.Remote."""

    def loss(self, outputs: np.ndarray, target: np.ndarray, transform: str = "") -> tuple[float, np.ndarray]: ...
    def updates(
        self, weights: np.ndarray, gradients: np.ndarray, changes: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], np.ndarray]: ...


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
    ratio = wanted[0] / got[0] if got[0] else 0.0
    rows, values = len(outputs), outputs.size
    counts = {"rows": rows, "values": values, "values per row": values // rows, "targets": target.size}
    for word, count in counts.items():
        for factor, says in (
            (float(count), f"PyTorch averages over the {word}, Keras adds up"),
            (1 / count, f"Keras averages over the {word}, PyTorch adds up"),
        ):
            if count > 1 and np.isclose(ratio, factor, rtol=1e-4):  # worth a trial, which decides
                after = _apart((got[0] * factor, got[1] * factor), wanted)
                if after <= GRADIENT_LIMIT:
                    fix = {
                        "torch": f"reduction={'sum' if factor > 1 else 'mean'!r}",
                        "keras": f"reduction={'sum_over_batch_size' if factor > 1 else 'sum'!r}",
                    }
                    return replace(finding, cause="loss_reduction", after=after, says=says, fix=fix), far
    for transform, words in (
        ("softmax", "probabilities"),
        ("log_softmax", "their logarithms"),
        ("sigmoid", "probabilities"),
    ):
        for side, name in ((torch, "PyTorch"), (keras, "Keras")):
            after = _apart(side.loss(outputs, target, transform), wanted if side is torch else got)
            if after <= GRADIENT_LIMIT:
                says = (
                    f"{name}'s loss takes the outputs for {words}, the other for logits: after {transform} they agree"
                )
                fix = {
                    "torch": "CrossEntropyLoss and BCEWithLogitsLoss take logits; NLLLoss and BCELoss do not",
                    "keras": "from_logits=True for logits, from_logits=False after a softmax or sigmoid",
                }
                return replace(finding, cause="cross_entropy_logits", after=after, says=says, fix=fix), far
    return replace(finding, tried=("loss_reduction", "cross_entropy_logits")), far


def compare_optimizers(keras: Criteria, torch: Criteria) -> tuple[Finding | None, float]:
    """Both optimizers on the same gradients, large and small; a finding when their steps differ."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(200).astype(np.float32)
    sizes = 10.0 ** rng.uniform(-7, 1, 200)  # epsilon shows where gradients are small
    gradients = (rng.standard_normal((STEPS, 200)) * sizes).astype(np.float32)
    mine, wanted = keras.updates(weights, gradients)
    theirs, got = torch.updates(weights, gradients)

    def apart(after: np.ndarray) -> float:
        moved = np.diff(np.concatenate([weights[None], wanted]).astype(np.float64), axis=0)
        native = np.diff(np.concatenate([weights[None], after]).astype(np.float64), axis=0)
        return max(alignment.relative(n, m) for n, m in zip(native, moved, strict=True))

    far = apart(got)
    limit = 1e-3  # float32 weights near 1 take in a step of 1e-3 only to 6e-5
    if far <= limit:
        return None, far
    what = f"from equal gradients the steps of {mine['kind']} and {theirs['kind']} are {far:.2g} apart (relative L2)"
    finding = Finding("optimizer", mine["kind"], theirs["kind"], what, None, far)
    apart_settings = {
        name: value
        for name, value in mine["settings"].items()
        if name in theirs["settings"] and theirs["settings"][name] != value
    }
    causes = {
        "lr": "learning_rate",
        "eps": "adam_epsilon",
        "betas": "adam_betas",
        "momentum": "momentum",
        "alpha": "rmsprop_rho",
    }
    trials: list[tuple[str, dict[str, Any]]] = [(causes.get(n, n), {n: v}) for n, v in apart_settings.items()]
    trials += [("adam_epsilon_hat", {"epsilon_hat": True}), ("adam_weight_decay", {"decoupled": True})]
    trials.append(("adam_weight_decay", {"decoupled": True, "epsilon_hat": True}))
    if "eps" in apart_settings:
        trials.append(("adam_epsilon", {"eps": apart_settings["eps"], "epsilon_hat": True}))
    if len(apart_settings) > 1:
        trials.append((causes.get(next(iter(apart_settings)), "settings"), {**apart_settings, "epsilon_hat": True}))
    tried = []
    for cause, changes in trials:
        if cause.startswith("adam") and "betas" not in theirs["settings"]:
            continue
        if changes.get("decoupled") and not theirs["settings"].get("weight_decay"):
            continue
        after = apart(torch.updates(weights, gradients, changes)[1])
        if after <= limit:
            says, fix = _words(theirs, changes), _fix(mine, theirs, changes)
            return replace(finding, cause=cause, after=after, says=says, fix=fix), far
        tried.append(cause)
    return replace(finding, tried=tuple(dict.fromkeys(tried))), far


def _words(theirs: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    parts = [
        f"PyTorch has {name}={theirs['settings'][name]}, Keras {value}"
        for name, value in changes.items()
        if name in theirs["settings"]
    ]
    if changes.get("epsilon_hat"):
        parts.append("Keras adds epsilon before the bias correction of the second moment, PyTorch after it")
    if changes.get("decoupled"):
        parts.append("PyTorch's Adam adds weight decay to the gradient, Keras takes it off the weights")
    return "; ".join(parts)


def _fix(mine: Mapping[str, Any], theirs: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, str]:
    if changes.get("decoupled"):
        return {"torch": "torch.optim.AdamW", "keras": "add an L2 loss instead of weight_decay"}
    given = {name: value for name, value in changes.items() if name in theirs["settings"]}
    native = ", ".join(f"{name}={value}" for name, value in given.items())
    other = ", ".join(f"{name}={theirs['settings'][name]}" for name in given)
    if changes.get("epsilon_hat"):
        native = f"{native}{', ' if native else ''}eps=Keras's epsilon / sqrt(1 - beta_2^t) at step t".strip()
        other = f"{other}{', ' if other else ''}an epsilon so small that it does not matter"
    return {"torch": f"torch.optim.{theirs['kind']}({native})", "keras": f"keras.optimizers.{mine['kind']}({other})"}


def _apart(got: tuple[float, np.ndarray], wanted: tuple[float, np.ndarray]) -> float:
    value = abs(got[0] - wanted[0]) / max(abs(wanted[0]), 1e-30)
    return max(value if value > LIMIT else 0.0, alignment.relative(got[1], wanted[1]))
