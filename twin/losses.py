"""Losses of a training step: a scalar, or named terms whose sum is trained, as detectors with two stages have them."""

from typing import Any


def total(loss: Any) -> Any:
    """What is differentiated: the scalar, or the sum of the terms."""
    return sum(loss.values()) if isinstance(loss, dict) else loss


def by_name(name: str, loss: Any) -> dict[str, Any]:
    """The scalar under a name; of several terms the sum under that name, and each under its own."""
    return {name: total(loss), **(loss if isinstance(loss, dict) else {})}
