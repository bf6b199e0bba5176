"""Both models from end to end: outputs, gradients of every array, running statistics. The whole decides."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compare.verify import axes
from compare.verify.pairing import Link
from compare.verify.subject import Subject
from compare.verify.verdict import GRADIENT_LIMIT
from twin.bridge import Arrays
from twin.errors import TwinError
from twin.numeric import perturbed_by_one_ulp

LIMIT = 2e-5  # of whole models in float32, relative L2; what rounding does to a deep one is measured and allowed for
LARGEST = 1e-3  # that rounding may explain
FAR = float("inf")


@dataclass
class Whole:
    """Two models and the input that both get.

    Args:
        keras, torch: the models.
        inputs: in Keras's layout.
        torch_inputs: the same in PyTorch's.
    """

    keras: Subject
    torch: Subject
    inputs: Sequence[np.ndarray]
    torch_inputs: Sequence[np.ndarray]
    masks: bool = False  # whether training mode agrees with dropout's masks made equal, and not without dropout
    wanted: dict[tuple[bool, bool], Arrays] = field(default_factory=dict)

    def keras_outputs(self, training: bool, masks: bool = False) -> Arrays:
        """Keras's outputs, computed once for each mode; `forget` them when its weights change."""
        if (training, masks) not in self.wanted:
            self.wanted[training, masks] = self.keras.outputs(self.inputs, training, masks)
        return self.wanted[training, masks]

    def forget(self) -> None:
        """Keras's weights have changed."""
        self.wanted.clear()

    def apart(self, training: bool, masks: bool = False) -> float:
        """How far the outputs are apart; infinite where PyTorch stops or returns other shapes."""
        wanted = self.keras_outputs(training, masks)
        try:
            got = self.torch.outputs(self.torch_inputs, training, masks)
        except (TwinError, RuntimeError, ValueError, IndexError, TypeError):
            return FAR
        pairs = pair_outputs(wanted, got)
        if not pairs:
            return FAR
        return max(distance(one, other) for one, other in pairs)

    def uncompared(self) -> list[str]:
        """A line for the outputs of each side that the other does not return."""
        outputs = self.keras_outputs(False), self.torch.outputs(self.torch_inputs, False)
        paired = list(zip(*names_paired(*outputs), strict=True)) or [(), ()]
        lines = []
        for side, found, names in zip(("Keras", "PyTorch"), outputs, paired, strict=True):
            if alone := [f"{name} {array.shape}" for name, array in found.items() if name not in names]:
                lines.append(f"the {side} model alone returns {', '.join(alone)}, which was compared with nothing")
        return lines

    def limit(self, training: bool, far: float = 0.0) -> float:
        """What may be apart: a few times what moving the inputs by one ulp does to PyTorch's outputs.

        Args:
            training: the mode.
            far: how far apart both are; where that is more, Keras's rounding counts too. A mean of squares less the
                square of the mean, as Keras's norms compute the variance of a few rows, rounds more than PyTorch's.
        """
        allowed = max(LIMIT, min(20 * _noise(self.torch, self.torch_inputs, training, 1), LARGEST))
        if allowed < far <= LARGEST:
            allowed = max(allowed, min(5 * _noise(self.keras, self.inputs, training, 3), LARGEST))
        return allowed

    def unusable(self, training: bool) -> dict[str, list[str]]:
        """The outputs that are not numbers, by side."""
        found = {"Keras": self.keras_outputs(training)}
        with contextlib.suppress(TwinError, RuntimeError, ValueError, IndexError, TypeError):  # then it stops
            found["PyTorch"] = self.torch.outputs(self.torch_inputs, training)
        return {
            side: [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
            for side, arrays in found.items()
        }

    def gradients(
        self,
        links: Sequence[Link],
        training: bool,
        uncut: Mapping[str, Sequence[int]] | None = None,
        only: str = "",
        seed: int = 0,
    ) -> list[tuple[Link, np.ndarray, np.ndarray, float]]:
        """For each pair of trainable arrays: the link, both gradients of one random sum of the outputs, rounding's.

        Args:
            links: the pairs.
            training: the mode.
            uncut: by side the numbers of the cuts that do nothing.
            only: the one output that counts, by Keras's name; "" for all.
            seed: of the sum.

        Raises:
            TwinError: when a model cannot be differentiated.
        """
        rng = np.random.default_rng(seed)
        wanted = self.keras_outputs(training)
        got = self.torch.outputs(self.torch_inputs, training)
        cotangents: Arrays = {}
        turned: Arrays = {}
        for name, other in names_paired(wanted, got):
            value = wanted[name]
            if value.dtype.kind != "f" or got[other].dtype.kind != "f" or only not in ("", name):
                continue
            made = rng.standard_normal(value.shape).astype(np.float32)
            cotangents[name] = made
            turned[other] = _turned(made, value, got[other])
        if not cotangents:
            return []
        ours, others = (
            {"uncut": list(uncut[side])} if uncut and uncut.get(side) else {} for side in ("Keras", "PyTorch")
        )
        mine = self.keras.gradients(self.inputs, cotangents, training, self.masks, **ours)
        theirs = self.torch.gradients(self.torch_inputs, turned, training, self.masks, **others)
        pairs = [
            (link, link.keras.get(mine, added=False), link.torch.get(theirs, added=False))
            for link in links
            if link.keras.name in mine and link.torch.name in theirs
        ]
        exact = [(*pair, 0.0) for pair in pairs]
        if not apart_in_gradients(exact)[0]:  # what rounding does is asked only where something is far
            return exact
        draws, moved = [], list(self.torch_inputs)
        for ulps in (1, 7):  # moved by one ulp, and so far that a ReLU which rounding can switch is switched
            for _ in range(ulps):
                moved = [perturbed_by_one_ulp(array, rng) for array in moved]
            draws.append(self.torch.gradients(moved, turned, training, self.masks, **others))
        out = []
        for link, one, native in pairs:
            drawn = [link.torch.get(side, added=False).astype(np.float64) for side in draws]
            out.append((link, one, native, max(float(np.linalg.norm(draw - native)) for draw in drawn)))
        return out


def _noise(side: Subject, inputs: Sequence[np.ndarray], training: bool, draws: int) -> float:
    """How far a model's outputs move when its inputs move by one ulp, the most of several draws; 0 if it stops."""
    rng = np.random.default_rng(0)
    found = [0.0]
    try:
        first = side.outputs(inputs, training)
        for _ in range(draws):
            moved = [perturbed_by_one_ulp(a, rng) if a.dtype.kind == "f" else a for a in inputs]
            again = side.outputs(moved, training)
            found += [distance(first[name], again[name]) for name in first]
    except (TwinError, RuntimeError, ValueError, IndexError, TypeError):
        return 0.0
    return max(found) if all(map(math.isfinite, found)) else 0.0


def apart_in_gradients(found: Sequence[tuple[Link, np.ndarray, np.ndarray, float]]) -> tuple[dict[str, float], float]:
    """Names of PyTorch arrays whose gradients differ, with how far, and the worst distance that was allowed."""
    whole = math.sqrt(sum(float(np.sum(np.square(one, dtype=np.float64))) for _, one, _, _ in found))
    apart, worst = {}, 0.0
    for link, one, other, noise in found:
        own = float(np.linalg.norm(one))
        # A gradient that is zero by structure is measured against the whole.
        zero = own < 1e-5 * whole and np.linalg.norm(other) < 1e-4 * whole
        scale = whole if zero else max(own, 1e-5 * whole, 1e-30)
        far = float(np.linalg.norm(other.astype(np.float64).reshape(one.shape) - one)) / max(scale, 1e-30)
        if not math.isfinite(far):
            far = FAR
        allowed = noise / max(scale, 1e-30)
        if far > 10 * max(GRADIENT_LIMIT, allowed if math.isfinite(allowed) else 0.0):
            apart[link.torch.name] = far
        else:
            worst = max(worst, far)
    return apart, worst


def names_paired(keras: Mapping[str, np.ndarray], torch: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """The outputs that belong together: by name where both have the names, else in order, skipping what cannot fit."""
    if set(keras) <= set(torch):
        return [(name, name) for name in keras]
    if len(keras) == len(torch):
        return list(zip(keras, torch, strict=True))
    left = list(torch)
    out = []
    for name, value in keras.items():
        fitting = next((other for other in left if torch[other].size == value.size), None)
        if fitting is not None:
            left.remove(fitting)
            out.append((name, fitting))
    return out


def pair_outputs(keras: Arrays, torch: Arrays) -> list[tuple[np.ndarray, np.ndarray]]:
    """The values of the outputs that belong together."""
    return [(keras[one], torch[other]) for one, other in names_paired(keras, torch)]


def distance(keras: np.ndarray, torch: np.ndarray) -> float:
    """The relative L2 distance of two outputs; the worst of their rows, so that no large row hides a small one."""
    if keras.dtype.kind in "biu" and torch.dtype.kind in "biu":
        keras, torch = keras.astype(np.float64), torch.astype(np.float64)
    far, order = axes.distance(keras, torch)
    if keras.shape == torch.shape and keras.ndim > 3:  # of one shape: as they are or channels moved, and not transposed
        rank = keras.ndim
        orders = [tuple(range(rank)), (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))]
        fitting = [each for each in orders if torch.transpose(each).shape == keras.shape]
        far, order = min((axes.relative(torch.transpose(each), keras), each) for each in fitting)
    if order is None or not math.isfinite(far) or keras.ndim != torch.ndim or keras.ndim < 2 or len(keras) < 2:
        return far
    other = torch.transpose(order)
    if other.shape != keras.shape:
        return far
    rows = [
        axes.relative(b, a)
        for a, b in zip(keras, other, strict=True)
        if np.linalg.norm(a) > 1e-3 * np.linalg.norm(keras)
    ]
    return max([far, *(0.5 * row for row in rows)])


def _turned(made: np.ndarray, value: np.ndarray, other: np.ndarray) -> np.ndarray:
    """An array of the shape of Keras's output as PyTorch's output has it."""
    _, order = axes.distance(value, other)
    if order is not None and value.ndim == other.ndim:
        return np.ascontiguousarray(made.transpose(np.argsort(order)))
    if order is not None:
        return np.ascontiguousarray(np.squeeze(made).transpose(np.argsort(order)).reshape(other.shape))
    return made.reshape(other.shape)
