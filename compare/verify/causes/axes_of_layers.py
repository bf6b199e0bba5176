"""A layer that goes along other axes than its partner: a transpose that is missing, other axes that are normalized."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.words import changed, place, written
from compare.verify.verdict import LIMIT
from twin.trace import Event

LARGEST = 1_000_000  # numbers that are normalized over every set of axes
NORMS = {"batch_norm", "layer_norm", "group_norm", "rms_norm"}


def of_turned(torch: Event, rank: int) -> Iterator[Candidate]:
    """PyTorch's layer between two transposes: Keras's goes along another axis.

    Args:
        torch: PyTorch's call.
        rank: the number of axes of what enters it.
    """
    if torch.family in ("lstm", "gru", "rnn"):  # oneDNN's would read beyond the end of what has other sizes
        return
    line = changed("torch", torch) if torch.own else ""
    if not line.startswith("torch.nn.") or line.startswith("torch.nn.functional") or rank < 3:
        return
    for one, other in combinations(range(1, rank), 2):
        turn = f"x.transpose({one}, {other})"
        fix = InTorch.of([turn, line, turn], torch)
        says = (
            f"{written(torch)}{place(torch)} goes along axis {other} of what enters it, Keras's layer along axis {one}"
        )
        yield Candidate("missing_transpose", f"{says}: a transpose is missing, or one too many", fix.edits, torch=fix)


def of_normalized(
    keras: Event, torch: Event, given: np.ndarray, wanted: np.ndarray, got: np.ndarray
) -> list[Candidate]:
    """Two norms, seen from their values: over which axes each has a mean of zero and a variance of one.

    Args:
        keras, torch: the calls.
        given: what enters both, in Keras's layout.
        wanted: what Keras's gives.
        got: what PyTorch's gives, in whatever layout.
    """
    if keras.family not in NORMS or torch.family not in NORMS or given.shape != wanted.shape:
        return []
    if given.size > LARGEST:
        return []
    _far, order = alignment.distance(wanted, got)
    if order is None or len(order) != wanted.ndim or got.ndim != wanted.ndim:
        return []
    axes = [_over(given, value) for value in (wanted, got.transpose(order))]
    if axes[0] is None or axes[1] is None or axes[0][0] == axes[1][0]:
        return []
    told = [", ".join(map(str, each[0])) for each in axes if each is not None]
    says = f"Keras normalizes over the axes {told[0]} of {given.shape}, PyTorch over {told[1]}: "
    says += f"{written(keras)} and {written(torch)}{place(torch)}"
    return [Candidate("normalized_axes", says, measured=axes[0][1])]


def _over(given: np.ndarray, value: np.ndarray) -> tuple[tuple[int, ...], float] | None:
    """The axes over which a value is normalized, and how far it is from that with a scale and a shift per channel."""
    x, y = given.astype(np.float64), value.astype(np.float64)
    for count in range(1, x.ndim + 1):
        for over in combinations(range(x.ndim), count):
            for centred in (True, False):
                moved = x - x.mean(over, keepdims=True) if centred else x
                unit = moved / np.sqrt(np.square(moved).mean(over, keepdims=True) + 1e-12)
                far = _affine(unit, y)
                if far <= 1e-2:  # epsilons may differ too
                    return over, far if far <= LIMIT else LIMIT
    return None


def _affine(unit: np.ndarray, value: np.ndarray) -> float:
    """How far a value is from a scale and a shift of another for each place along the last axis."""
    one, other = (each.reshape(-1, each.shape[-1]) for each in (unit, value))
    centre, goal = one.mean(0), other.mean(0)
    spread = np.square(one - centre).sum(0)
    if not (spread > 0).all():
        return float("inf")
    factor = ((one - centre) * (other - goal)).sum(0) / spread
    return alignment.relative(factor * (one - centre) + goal, other)
