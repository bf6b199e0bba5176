"""Learning rates of later steps, which few steps on equal gradients do not show."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from compare.verify.verdict import Finding

RATE_LIMIT = 1e-4  # Keras computes rates in float32


def of_schedules(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Finding | None:
    """Learning rates that differ only at later steps, of optimizers whose first steps agree."""
    kind, steps = mine["schedule"]["kind"], mine["schedule"]["steps"]
    rates = np.array(mine["schedule"]["rates"])
    native = np.array(theirs["schedule"])
    rates, steps = rates[: len(native)], steps[: len(native)]
    # PyTorch's own step changes the rate: one sees it, or else Keras's changes, and yet the first steps agree.
    hidden = not theirs["scheduler"] and (len(set(theirs["rates"])) > 1 or len(set(mine["rates"])) > 1)
    if hidden or not (kind or theirs["scheduler"]) or len(native) == 0:
        return None
    apart = np.abs(rates - native) / max(float(np.abs(rates).max()), 1e-30)
    if apart.max() <= RATE_LIMIT:
        return None
    first = int(np.argmax(apart > RATE_LIMIT))
    what = f"The learning rate of step {steps[first]} is {rates[first]:.6g} in Keras, {native[first]:.6g} in PyTorch"
    names = kind or mine["kind"], theirs["scheduler"] or theirs["kind"]
    at = dict(zip(steps, rates, strict=True)), dict(zip(steps, native, strict=True))
    cause = "step_decay" if names == ("ExponentialDecay", "StepLR") else "schedule"
    says = f"Keras's rates come from {names[0]}, PyTorch's from {names[1]}"
    for shift, word in ((1, "later"), (-1, "earlier")):
        pairs = [(rate, at[1][step + shift]) for step, rate in at[0].items() if step + shift in at[1]]
        if len(pairs) > 3 and all(math.isclose(*pair, rel_tol=1e-3) for pair in pairs):
            cause = "piecewise_boundary" if kind == "PiecewiseConstantDecay" else "schedule_step"
            says = f"PyTorch's rates are Keras's, one step {word}"
    return Finding("optimizer", *names, what, cause, float(apart.max()), says=says)
