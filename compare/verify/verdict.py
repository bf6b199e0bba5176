"""What an examination of two models found, as data and in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twin.differences import ROWS as DIFFERENCES

SCHEMA = 1
SIDES = {"torch": "PyTorch", "keras": "Keras"}
LIMIT = 1e-5  # of one call from equal inputs in float32; what is right stays below 2e-6
GRADIENT_LIMIT = 1e-4
RUNGS = {
    "structure": "structure",
    "weights": "weights",
    "forward": "forward, inference mode",
    "training": "forward, training mode",
    "statistics": "running statistics",
    "gradients": "gradients",
    "loss": "loss",
    "optimizer": "optimizer",
    "initial": "initial weights",
}


@dataclass(frozen=True)
class Remedy:
    """What to write instead: it was carried out, and nothing else is printed as a fix.

    Args:
        text: code, or words for what was done.
        after: how far both were apart with it.
    """

    text: str
    after: float


@dataclass(frozen=True)
class Finding:
    """One difference.

    Args:
        rung: where in the ladder: structure, weights, forward, training, statistics, gradients.
        keras: the Keras layer or call.
        torch: its counterpart.
        what: one line: what differs, with figures.
        cause: name of the cause, the same as in `twin differences` where it is listed there; None when none was found.
        before: the relative distance as it is.
        after: the distance with the cause taken away; None where that cannot be tried.
        says: the cause in words.
        fix: what to write, by side; none where nothing that was tried is a whole remedy.
        tried: the causes that were tried and did not make it agree.
        samples: first values that went in and came out, where no cause was found.
    """

    rung: str
    keras: str
    torch: str
    what: str
    cause: str | None = None
    before: float | None = None
    after: float | None = None
    says: str = ""
    fix: Mapping[str, Remedy] = field(default_factory=dict)
    tried: tuple[str, ...] = ()
    samples: Mapping[str, list[float]] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The layer, by both of its names where they are not the same."""
        return " / ".join(dict.fromkeys(name for name in (self.keras, self.torch) if name)) or "the models"

    def line(self) -> str:
        """The finding as one line for a person."""
        parts = [f"{self.place}: first difference ({RUNGS[self.rung]}). {sentence(self.what)}"]
        if self.says:
            parts.append(sentence(self.says))
        if self.after is not None:
            parts.append(f"With that, it agrees to {self.after:.1g}.")
        if not self.cause and self.tried:
            parts.append(f"Tried without success: {', '.join(self.tried)}.")
        sides = [f"in {word}: {self.fix[side].text}" for side, word in SIDES.items() if side in self.fix]
        if sides:
            parts.append(f"Fix {'; or '.join(sides)}.")
        if self.cause in DIFFERENCES:
            parts.append(f"More: twin differences {self.cause}.")
        return " ".join(parts)


@dataclass(frozen=True)
class Verdict:
    """What an examination found.

    Args:
        verdict: 'agree', 'differ', 'unpaired' or 'error'.
        pairs: the layers, Keras's and PyTorch's.
        findings: differences of the first rung that broke, in the order of execution.
        rungs: rung -> worst relative distance, of those that hold.
        notes: what else a person should know.
        arrays: the names of arrays that hold the same values, Keras's and PyTorch's.
    """

    verdict: str
    pairs: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    rungs: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    arrays: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The verdict as `twin verify --json` gives it."""
        first = self.findings[0] if self.findings else None
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "rung": first and first.rung,
            "layer": {"keras": first.keras if first else None, "torch": first.torch if first else None},
            "what": first and first.what,
            "cause": first and first.cause,
            "evidence": {"before": first.before if first else None, "after": first.after if first else None},
            "fix": {side: first.fix[side].text if first and side in first.fix else None for side in ("keras", "torch")},
            "findings": [
                vars(finding) | {"fix": {side: vars(each) for side, each in finding.fix.items()}}
                for finding in self.findings
            ],
            "rungs": dict(self.rungs),
            "pairs": [{"keras": keras, "torch": torch} for keras, torch in self.pairs.items()],
            "notes": list(self.notes),
        }


def sentence(text: str) -> str:
    """A sentence with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def far_in_words(far: float) -> str:
    """A relative distance for a message."""
    return f"{far:.2g} away (relative L2)" if math.isfinite(far) else "of another shape or order"
