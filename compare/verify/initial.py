"""Fresh weights of both models, compared by their distribution: its spread, its shape, its centre.

No two draws are equal, so many are needed: both models are built several times, and what is told apart could not come
from one distribution but once in a million.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compare.verify.pairing import Pairing
from compare.verify.verdict import Finding
from twin.bridge import Arrays

BUILDS = 8  # of each model
CHANCE = 1e-6  # below which two samples are not from one distribution
SPREAD = 0.02  # two spreads that are nearer than that are called equal, whatever the sample says
CAUSES = {
    "dense": "dense_init", "conv": "conv_init", "conv_transpose": "conv_init", "table": "embedding_init",
    "lstm": "lstm_init", "gru": "lstm_init", "rnn": "lstm_init",
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """The fresh values of one array, over several builds: (builds, ...) in the common form."""

    values: np.ndarray

    @property
    def constant(self) -> bool:
        """Whether there is no draw: every build has the same few values."""
        return bool((self.values == self.values[:1]).all()) and len(np.unique(self.values[0])) <= 3

    @property
    def spread(self) -> float:
        """The standard deviation."""
        return float(self.values.std())

    @property
    def orthogonal(self) -> bool:
        """Whether the columns of a matrix, or its rows, are orthogonal."""
        matrix = self.values[0].reshape(-1, self.values.shape[-1]).astype(np.float64)
        matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
        gram = matrix.T @ matrix
        return matrix.shape[1] > 1 and bool(
            np.allclose(gram, gram[0, 0] * np.eye(len(gram)), atol=1e-4 * max(gram[0, 0], 1e-12))
        )

    @property
    def name(self) -> str:
        """What the distribution looks like."""
        if self.constant:
            values = np.unique(self.values)
            return (
                f"the constant {values[0]:g}" if len(values) == 1 else f"constants from {values[0]:g} to {values[-1]:g}"
            )
        if self.values[0].ndim > 1 and self.orthogonal:
            return f"orthogonal with a gain of {self.spread * math.sqrt(max(self.matrix)):.3g}"
        scaled = (self.values - self.values.mean()).ravel() / self.spread
        shapes = {"uniform": 1.8, "truncated normal": 2.37, "normal": 3.0}
        kurtosis = float(np.mean(scaled**4))
        shape = min(shapes, key=lambda each: abs(shapes[each] - kurtosis))
        return f"{shape} with a standard deviation of {self.spread:.4g}"

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(np.prod(self.values.shape[1:-1])), self.values.shape[-1]


def compare(pairing: Pairing, keras: Sequence[Arrays], torch: Sequence[Arrays]) -> list[Finding]:
    """Every pair of arrays whose fresh values have not one distribution.

    Args:
        pairing: which arrays are which.
        keras, torch: all arrays of each build.
    """
    found = []
    sides = different(keras), different(torch)
    for kind, link in [(match.keras[0].kind, link) for match in pairing.matches for link in match.links]:
        mine = Sample(np.stack([link.keras.get(arrays) for arrays in sides[0]]))
        theirs = Sample(np.stack([link.torch.get(arrays) for arrays in sides[1]]))
        words = _unlike(mine, theirs)
        if words:
            what = f"The fresh values are not of one distribution: {words}"
            says = f"Keras draws {link.keras.name} {mine.name}, PyTorch {link.torch.name} {theirs.name}"
            cause = CAUSES.get(kind, "initializer")
            far = abs(mine.spread - theirs.spread) / max(mine.spread, theirs.spread, 1e-30)
            found.append(Finding("initial", link.keras.name, link.torch.name, what, cause, far, says=says))
    return found


def _unlike(mine: Sample, theirs: Sample) -> str:
    """In what two samples differ; "" where they may come from one distribution."""
    one, other = mine.values.ravel().astype(np.float64), theirs.values.reshape(mine.values.shape).ravel()
    if mine.constant or theirs.constant:
        same = mine.constant and theirs.constant and np.allclose(one, other, rtol=1e-5, atol=1e-7)
        return "" if same else "one side is constant" if mine.constant != theirs.constant else "the constants differ"
    if mine.values[0].ndim > 1 and mine.orthogonal != theirs.orthogonal:
        return "one side is orthogonal"
    scaled = [(side - side.mean()) / max(float(side.std()), 1e-30) for side in (one, other)]
    tails = max(float(np.mean(side**4)) for side in scaled)
    error = math.sqrt((max(tails, 1.8) - 1) / 4 * (1 / len(one) + 1 / len(other)))
    ratio = math.log(max(other.std(), 1e-30) / max(one.std(), 1e-30))
    if abs(ratio) > max(SPREAD, 5 * error):
        return f"PyTorch's spread is {math.exp(ratio):.3g} times Keras's"
    shift = abs(one.mean() - other.mean()) / max(one.std(), 1e-30)
    if shift > max(SPREAD, 5 * math.sqrt(1 / len(one) + 1 / len(other))):
        return f"the means are {one.mean():.3g} and {other.mean():.3g}"
    if _kolmogorov(*scaled) > math.sqrt(-0.5 * math.log(CHANCE / 2) * (1 / len(one) + 1 / len(other))):
        return "the spread is the same, and the shape is not"
    return ""


def _kolmogorov(one: np.ndarray, other: np.ndarray) -> float:
    """The largest distance between two samples' distribution functions (Kolmogorov and Smirnov's statistic)."""
    points = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def different(builds: Sequence[Mapping[str, np.ndarray]]) -> list[Arrays]:
    """Builds of which no two are the same: a model may set its own seed."""
    out: list[Arrays] = []
    for build in builds:
        if not any(all(np.array_equal(build[name], other[name]) for name in build) for other in out):
            out.append(dict(build))
    return out
