"""Which settings of two update rules differ, in both frameworks' names: the cause, the words and the line to write."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from compare.verify.schedules import RATE_LIMIT


def place_of_epsilon(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What puts PyTorch's epsilon where Keras adds it, where both have the same one."""
    own, native = mine["settings"].get("eps"), theirs["settings"].get("eps")
    if own is None or native is None:
        return {}
    if theirs["kind"] in ROOTED and own <= 1e-12 and native <= 1e-7:  # as small as can be under a root and beside it
        return {"inside": True, "eps": own}
    if not math.isclose(own, native, rel_tol=1e-3):
        return {}
    if theirs["kind"] == "Adamax":
        return {"behind": True}
    if "betas" in theirs["settings"]:
        return {"epsilon_hat": True}
    return {"inside": True} if theirs["kind"] in ROOTED else {}


ROOTED = ("RMSprop", "Adagrad")  # where Keras adds epsilon under the root, and PyTorch behind it
PLACES = ("eps", "epsilon_hat", "inside", "behind")
OTHERS = {"lr_decay": 0.0, "dampening": 0.0, "weight_decay": 0.0, "momentum_decay": 1.0}  # what Keras has not
CAUSES = {
    "kind": "optimizer_class", "penalties": "l2_regularizer", "undecayed": "param_groups", "one_group": "param_groups",
    "decoupled": "adam_weight_decay", "unclipped": "clipnorm", "ema": "weight_average", "rates": "schedule",
    "lr": "learning_rate", "eps": "adam_epsilon", "betas": "adam_betas", "momentum": "momentum",
    "alpha": "rmsprop_defaults", "initial_accumulator_value": "adagrad_accumulator", "weight_decay": "weight_decay",
    "rho": "adadelta_defaults", "clipnorm": "clipnorm", "clipvalue": "clipvalue", "global_clipnorm": "global_clipnorm",
}  # fmt: skip


def name_of(cause: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """A cause, where a row of the catalogue is about defaults that are not those here."""
    pairs = {
        name: (mine["settings"].get(name), theirs["settings"].get(name)) for name in ("alpha", "weight_decay", "lr")
    }
    if cause == "rmsprop_defaults" and pairs["alpha"] != (0.9, 0.99):
        return "rmsprop_rho"
    if cause == "weight_decay" and pairs["weight_decay"] == (0.004, 0.01):
        return "adamw_decay_default"
    if cause == "learning_rate" and theirs["kind"] == "SGD" and np.allclose(pairs["lr"], (0.01, 0.001), atol=0):
        return "sgd_learning_rate"
    return cause


def all_changes(
    mine: Mapping[str, Any],
    theirs: Mapping[str, Any],
    penalties: Mapping[str, Sequence[float]],
    partners: Mapping[str, str],
) -> dict[str, Any]:
    """All that PyTorch's optimizer would have to do otherwise; what is the likeliest cause is left out last."""
    own, native = mine["settings"], theirs["settings"]
    kind = "" if mine["kind"] in ("Ftrl", "Lamb", "Lion", "Muon") else mine["kind"].replace("Nadam", "NAdam")
    changes: dict[str, Any] = {}
    adam, rooted = "betas" in own, mine["kind"] in ROOTED
    if adam and mine["kind"] in ("Adam", "AdamW", "Nadam"):
        changes["epsilon_hat"] = True
    if rooted:
        changes["inside"] = True
    if "eps" in own:
        changes["eps"] = own["eps"]
    changes |= {name: own[name] for name in ("clipnorm", "clipvalue", "global_clipnorm") if own.get(name)}
    changes["unclipped"] = True
    if "initial_accumulator_value" in own and mine["kind"] == "Adagrad":
        changes["initial_accumulator_value"] = own["initial_accumulator_value"]
    if mine["undecayed"]:
        changes["undecayed"] = [partners[name] for name in mine["undecayed"]]
    if own.get("weight_decay"):
        changes["decoupled"] = True
    if own.get("use_ema"):
        changes["ema"] = 0.99
    if theirs.get("groups"):
        changes["one_group"] = True
    if len(set(mine["rates"])) > 1 or len(set(theirs["rates"])) > 1:
        changes["rates"] = mine["rates"]
    changes |= {name: value for name, value in OTHERS.items() if native.get(name) and name not in own}
    changes |= {n: v for n, v in own.items() if n not in PLACES and n in native and native[n] != v}
    if len(set(theirs["rates"])) > 1 or "rates" in changes:
        changes.pop("lr", None)
    if penalties:
        changes["penalties"] = penalties
    if kind and kind.lower() not in theirs["kind"].lower():
        changes = {**own, **changes, "kind": kind}
    return changes


def _alike(rates: Sequence[float], others: Sequence[float]) -> bool:
    return len(rates) == len(others) and np.allclose(rates, others, rtol=RATE_LIMIT)


def causes_of(
    mine: Mapping[str, Any],
    theirs: Mapping[str, Any],
    penalties: Sequence[tuple[float, float]],
    partners: Mapping[str, str],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What PyTorch's optimizer would have to do otherwise: one thing, then with what belongs to it, then all."""
    own, native = mine["settings"], theirs["settings"]
    adam, rooted = "betas" in native, theirs["kind"] in ROOTED
    unlike = {n: v for n, v in own.items() if n in native and native[n] != v and n != "eps"}
    if len(set(mine["rates"])) > 1 or len(set(theirs["rates"])) > 1:
        unlike.pop("lr", None)
        if not _alike(mine["rates"], theirs["rates"]):
            yield "schedule", {"rates": mine["rates"]}
    extra = {n: own[n] for n in ("clipnorm", "clipvalue", "global_clipnorm") if own.get(n)}
    if "initial_accumulator_value" in native and own.get("initial_accumulator_value") is not None:
        value = own["initial_accumulator_value"]
        yield "adagrad_accumulator", {"initial_accumulator_value": value, "eps": own.get("eps", 1e-7), "inside": True}
    if theirs.get("groups"):
        yield "param_groups", {"one_group": True}
    undecayed = [partners[name] for name in mine["undecayed"]]
    if undecayed:
        yield "param_groups", {"undecayed": undecayed}
        yield "param_groups", {"undecayed": undecayed, "decoupled": True}
    for factor in {l2 for _, l2 in penalties if l2} if native.get("weight_decay") else ():
        yield "l2_regularizer", {"weight_decay": 2 * factor}
    if "momentum_decay" in native:
        for more in ({}, {"eps": own.get("eps", 1e-7)}, {"eps": own.get("eps", 1e-7), "epsilon_hat": True}):
            yield "nadam_momentum_decay", {"momentum_decay": 1.0, **more}
    if native.get("weight_decay") and theirs["kind"] == "SGD":
        yield "sgd_weight_decay", {"decoupled": True}
    if own.get("use_ema"):
        yield "weight_average", {"ema": 0.99}
        yield "weight_average", {"ema": 0.99, "epsilon_hat": True}
    for name, value in {**unlike, **extra}.items():
        yield CAUSES.get(name, name), {name: value}
    for name, value in extra.items():
        yield name, {name: value, "unclipped": True}
    yield "clipnorm", {"unclipped": True}
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


def _shifted(rates: Sequence[float], others: Sequence[float]) -> str:
    """In words, that PyTorch's rates are Keras's of a step later or earlier; else ""."""
    if len(rates) < 3 or len(rates) != len(others):
        return ""
    if _alike(rates[1:], others[:-1]):
        return ": PyTorch's is one step ahead"
    return ": PyTorch's is one step behind" if _alike(rates[:-1], others[1:]) else ""


def in_words(mine: Mapping[str, Any], theirs: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    native = theirs["settings"]
    parts = [f"PyTorch has {n}={native[n]}, Keras {v}" for n, v in changes.items() if n in native and native[n] != v]
    clips = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if name in changes]
    parts += [f"Keras clips gradients with {name}={changes[name]:g}" for name in clips]
    if changes.get("unclipped"):
        parts.append("PyTorch's step clips gradients otherwise" if clips else "only PyTorch's step clips gradients")
    if "rates" in changes:
        told = ["/".join(f"{rate:.3g}" for rate in side["rates"]) for side in (mine, theirs)]
        words = f"Keras's learning rate is {told[0]} in the first steps, PyTorch's {told[1]}"
        parts.append(words + _shifted(mine["rates"], theirs["rates"]))
    if changes.get("one_group"):
        parts.append(
            f"PyTorch's parameter groups differ in {', '.join(theirs['groups'])}, Keras treats all arrays alike"
        )
    if changes.get("undecayed"):
        parts.append(f"Keras leaves weight decay off {', '.join(mine['undecayed'])}")
    if "kind" in changes:
        parts.append(f"Keras has {mine['kind']}, PyTorch {theirs['kind']}")
    if "penalties" in changes:
        parts.append(f"Keras's layers add a penalty on {', '.join(changes['penalties'])} to the loss")
    if "ema" in changes:
        parts.append("Keras overwrites the weights with their moving average (use_ema=True)")
    if changes.get("epsilon_hat"):
        parts.append("Keras adds epsilon before the bias correction of the second moment, PyTorch after it")
    if changes.get("inside"):
        parts.append("Keras has epsilon under the root, PyTorch beside it")
    if changes.get("decoupled"):
        parts.append(f"PyTorch's {theirs['kind']} adds weight decay to the gradient, Keras takes it off the weights")
    return "; ".join(parts)


def line_to_write(theirs: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """What was changed in PyTorch's optimizer, as one writes it."""
    if "rates" in changes:
        return "a scheduler that gives " + ", ".join(f"{rate:.4g}" for rate in changes["rates"]) + " in the first steps"
    kind = "AdamW" if changes.get("decoupled") and theirs["kind"] == "Adam" else theirs["kind"]
    kind = changes.get("kind", kind)
    given = {name: value for name, value in changes.items() if name in theirs["settings"]}
    parts = [f"torch.optim.{kind}({', '.join(f'{name}={short(value)}' for name, value in given.items())})"]
    clips = {
        "clipvalue": "torch.nn.utils.clip_grad_value_(parameters, {:g}) before each step",
        "clipnorm": "torch.nn.utils.clip_grad_norm_([p], {:g}) for each parameter before each step",
        "global_clipnorm": "torch.nn.utils.clip_grad_norm_(parameters, {:g}) before each step",
    }
    parts += ["no clipping of its own"] if changes.get("unclipped") else []
    parts += [text.format(changes[name]) for name, text in clips.items() if changes.get(name)]
    parts += ["p *= 1 - lr * weight_decay before each step"] if changes.get("decoupled") and kind == "SGD" else []
    for name, (l1, l2) in changes.get("penalties", {}).items():
        parts += [f"{l1:g} * {name}.abs().sum() + {l2:g} * {name}.square().sum() added to the loss"]
    if changes.get("undecayed"):
        parts += [f"a group of its own with weight_decay=0 for {', '.join(changes['undecayed'])}"]
    parts += ["one group with all parameters"] if changes.get("one_group") else []
    parts += [f"weights overwritten by their moving average of {changes['ema']:g}"] if "ema" in changes else []
    parts += ["eps / sqrt(1 - beta_2^t) in place of eps at step t"] if changes.get("epsilon_hat") else []
    parts += ["eps added to the average of the squares, under the root"] if changes.get("inside") else []
    return " with ".join(parts)


def short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(tuple(value) if isinstance(value, list) else value)
