"""The reference: native PyTorch in float64 on the same device, and how far native float32 strays from it there.

What an engine is compared with is computed once per twin: the outputs, gradients and steps in float64; the
rounding noise, from several draws of native float32; and the envelope that native twins span whose weights
were moved by one ulp.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from compare.engines import guard
from compare.engines.session import BuiltTwin, Session
from twin import bridge, numeric
from twin.batches import STEPS, of_step, perturb_constants, perturbed
from twin.bridge import Leaf
from twin.limits import LIMITS
from twin.numeric import noise_floor, rmse
from twin.spec import Twin

Arrays = dict[str, np.ndarray]

SNAPSHOTS = (1, 2, 5, 10, 20)  # steps after which the weights are kept
NATIVE_TWINS = 8
ATTEMPTS = 8  # batches to try for one that is at no non-differentiable point
MODES = {"inference": False, "training": True}
GRADIENT_JUMP = 3e-5  # of a gradient: a third of its limit, and ten times what moves of several ulps otherwise do
# Adam's epsilon in the ladder, in Keras's meaning. Far larger than the stock 1e-7, so that a gradient which
# is rounding noise (a key's bias in attention) is not blown up to a full step, and so that where the epsilon
# is added is plain to see.
EPSILON = 1e-4


@dataclass
class Reference:
    """What every engine's results are compared with.

    Args:
        leaves: the PyTorch model's.
        redundant: PyTorch arrays without a partner in Keras.
        weights: float32, under PyTorch names.
        batches, batch: all the steps' batches (as `STEP/NAME`), and the first one.
        values: what was computed in float64: 'forward' -> mode/output, 'gradients', 'moments' and
            'weights/STEP' -> parameter.
        noise: the same names -> root mean square error of native float32.
        apart: 'weights/STEP' -> the largest relative L2 distance of an array, of the native twins that were moved by an
            ulp; their arrays are not kept, which would be eight times the model's for each of the steps.
        order: the layers' paths in the order of execution.
        folder: where a file named after each mode has its activations as `PATH/in` and `PATH/out`, to find the first
            layer that differs; they are more than all the rest, and most references never need them.
        losses: each phase's loss on the first batch.
        curve: each step's losses.
        native_curves: the same of each native twin.
    """

    leaves: list[Leaf]
    redundant: set[str]
    weights: Arrays
    batches: Arrays
    batch: Arrays
    values: dict[str, Arrays] = field(default_factory=dict)
    noise: dict[str, dict[str, float]] = field(default_factory=dict)
    apart: dict[str, float] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    folder: Path | None = None
    losses: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    native_curves: list[list[dict[str, float]]] = field(default_factory=list)


@np.errstate(all="ignore")  # what is not finite is for the rungs to see
def of_model(
    session: Session,
    twin: Twin,
    size: str,
    seed: int,
    with_steps: bool,
    native_twins: int = NATIVE_TWINS,
    with_noise: bool = True,
    trained: Arrays | None = None,
) -> Reference:
    """The reference of a model twin.

    Args:
        session: with native PyTorch on the device of what will be compared, because kernels of another device round
            otherwise: cuDNN's recurrent layers are 17 times as far from float64 as the processor's.
        twin: the model.
        size: 'small' or 'paper'.
        seed: of the initial weights, the batches and the one-ulp moves.
        with_steps: whether to go on to gradients and training steps.
        native_twins: how many are trained to see how far rounding drives them apart.
        with_noise: whether to draw rounding noise; what computes in float64 is compared without it.
        trained: weights to take in the place of fresh ones.
    """
    rng = np.random.default_rng(seed)
    arguments = twin.ladder_arguments(size)
    native = _Native(session, twin, arguments, seed)
    built = session.build(twin.name, arguments, seed=seed)
    weights, redundant = perturb_constants(built.dump(), rng), bridge.redundant_names(built.leaves)
    weights = dict(trained or weights)
    for name in redundant:
        weights[name] = np.zeros_like(weights[name])
    for _ in range(ATTEMPTS):
        batches = session.make_batches(twin.name, size, rng)
        first = of_step(batches)
        draws, probe = native.draws(weights, first, with_steps, rng) if with_noise else ([], [])
        exact = native.outputs("float64", "", weights, first, with_steps)
        if not with_steps or not rounding_decides_gradients(draws + probe, exact.arrays["gradients"]):
            break
    ref = Reference(built.leaves, redundant, weights, batches, first, losses=exact.losses)
    if with_steps:
        ref.folder = guard.folder()
        ref.order = native.keep_activations(first, ref.folder)
    ref.values |= exact.arrays
    for part, values in exact.arrays.items():
        drawn = [draw.arrays[part] for draw in draws]
        ref.noise[part] = noise_of(drawn, values) if drawn else dict.fromkeys(values, 0.0)
    if with_steps:
        _take_steps(ref, native, native_twins, rng)
    return ref


def _take_steps(ref: Reference, native: "_Native", native_twins: int, rng: np.random.Generator) -> None:
    """Add the weights and losses of the steps, and how far native twins that were moved by an ulp stray from them."""
    kept, ref.curve = native.steps("float64", ref.weights, ref.batches, ref.redundant)
    ref.values |= kept
    ref.apart = dict.fromkeys(kept, 0.0)
    errors: dict[str, dict[str, list[float]]] = {part: {n: [] for n in values} for part, values in kept.items()}
    for _ in range(native_twins):
        moved = perturbed(ref.weights, rng), perturbed(ref.batches, rng)
        after, curve = native.steps("float32", *moved, ref.redundant)
        ref.native_curves.append(curve)
        for part, values in kept.items():
            ref.apart[part] = max(ref.apart[part], farthest(after[part], values))
            for name, wanted in values.items():
                errors[part][name].append(rmse(after[part][name], wanted))
    for part, values in kept.items():
        ref.noise[part] = {name: numeric.noise_of(errors[part][name], a.size) for name, a in values.items()}
    compared = SNAPSHOTS[0], comparable_step(ref)
    for step in set(SNAPSHOTS) - set(compared):  # no rung looks at these, and they are most of a reference
        del ref.values[f"weights/{step}"], ref.noise[f"weights/{step}"]


@np.errstate(all="ignore")
def of_exercise(session: Session, twin: Twin) -> Reference:
    """The reference of an exercise twin: its named outputs and their noise."""
    rng = np.random.default_rng(0)
    inputs = session.exercise_inputs(twin.name)
    ref = Reference([], set(), {}, inputs, inputs)
    ref.values["forward"] = session.exercise(twin.name, inputs, "float64")
    draws = [session.exercise(twin.name, given) for given in [inputs, *(perturbed(inputs, rng) for _ in range(4))]]
    ref.noise["forward"] = noise_of(draws, ref.values["forward"])
    return ref


def rounding_decides_gradients(draws: Sequence["Outputs"], exact: Arrays) -> bool:
    """Whether rounding alone switches a ReLU or a max-pool on this batch.

    A gradient jumps where one switches, natively too, and two right implementations then differ by 1e-3. If in one
    of the native float32 draws, some of them moved farther than any engine rounds, a gradient leaves its usual
    noise far behind, the batch is no place to compare.
    """
    whole = np.sqrt(sum(float(np.sum(np.square(array))) for array in exact.values()))
    return any(
        np.linalg.norm(draw.arrays["gradients"][name] - array)
        > GRADIENT_JUMP * max(float(np.linalg.norm(array)), 1e-2 * whole)
        for draw in draws
        for name, array in exact.items()
    )


def comparable_step(ref: Reference) -> int:
    """The last kept step at which native float32 twins are themselves still together.

    A trajectory jumps at the first ReLU or max-pool that flips, natively too; beyond it, weights prove nothing.
    """
    last = SNAPSHOTS[0]
    for step in (each for each in SNAPSHOTS if f"weights/{each}" in ref.values):
        wanted = ref.values[f"weights/{step}"]
        # Natives that diverge prove nothing; a reference without a value is to be seen.
        if (
            all(np.isfinite(array).all() for array in wanted.values())
            and ref.apart[f"weights/{step}"] > LIMITS["steps"] / 3
        ):
            break
        last = step
    return last


@dataclass
class Outputs:
    """What one native run gives: 'forward' -> mode/output, and 'gradients'; and the loss of every phase."""

    arrays: dict[str, Arrays]
    losses: dict[str, float] = field(default_factory=dict)


@dataclass
class _Native:
    """Native runs of one twin, each from a fresh model."""

    session: Session
    twin: Twin
    arguments: dict[str, Any]
    seed: int

    def _built(self, dtype: str, layout: str, weights: Arrays) -> BuiltTwin:
        model = self.session.build(self.twin.name, self.arguments, dtype, self.seed, layout)
        model.load(weights)
        return model

    def outputs(self, dtype: str, layout: str, weights: Arrays, batch: Arrays, gradients: bool) -> Outputs:
        """Outputs in both modes, and gradients where asked for."""
        model = self._built(dtype, layout, weights)
        found = Outputs({"forward": in_both_modes(model, batch)})
        if gradients:
            answer = model.gradients(batch)
            found.losses, found.arrays["gradients"] = answer.losses, answer.arrays
        return found

    def draws(
        self, weights: Arrays, batch: Arrays, gradients: bool, rng: np.random.Generator
    ) -> tuple[list[Outputs], list[Outputs]]:
        """Float32 runs whose spread is rounding noise, and one that was moved farther than any engine rounds."""
        draws = [
            self.outputs("float32", "", weights, batch, gradients),
            self.outputs("float32", "channels-last", weights, batch, gradients),
            self.outputs("float32", "no-onednn", weights, batch, gradients),
            self.outputs("float32", "", perturbed(weights, rng), batch, gradients),
            self.outputs("float32", "", weights, perturbed(batch, rng), gradients),
        ]
        if not gradients:  # only they tell whether rounding decides
            return draws, []
        moved = perturbed(weights, rng, ulps=8), perturbed(batch, rng, ulps=8)
        return draws, [self.outputs("float32", "", *moved, gradients)]

    def keep_activations(self, batch: Arrays, folder: Path) -> list[str]:
        """Write what enters and leaves each layer of the model as last built; the layers in order."""
        model = self.session.model
        assert model is not None
        orders = {mode: model.keep_activations(batch, training, folder / mode) for mode, training in MODES.items()}
        return orders["training"]

    def steps(
        self, dtype: str, weights: Arrays, batches: Arrays, redundant: set[str]
    ) -> tuple[dict[str, Arrays], list[dict[str, float]]]:
        """The weights after some steps, Adam's moments after the first, and every step's losses."""
        model = self._built(dtype, "", weights)
        found = model.steps(batches, STEPS, SNAPSHOTS, matched_optimizer(self.twin), sorted(redundant))
        return by_part(found.arrays, redundant), found.curve


def in_both_modes(model: BuiltTwin, batch: Arrays) -> Arrays:
    """The outputs in inference and in training, as `NAME (MODE)`."""
    return {
        f"{name} ({mode})": array
        for mode, training in MODES.items()
        for name, array in model.forward(batch, training).items()
    }


def by_part(kept: Arrays, redundant: set[str]) -> dict[str, Arrays]:
    """`STEP/weights/NAME` and `STEP/moments/NAME` as 'weights/STEP' and 'moments' -> name -> array."""
    parts: dict[str, Arrays] = {}
    for key, array in kept.items():
        step, what, name = key.split("/", 2)
        if name.removeprefix("first/").removeprefix("second/") not in redundant:
            parts.setdefault("moments" if what == "moments" else f"weights/{step}", {})[name] = array
    return parts


def matched_optimizer(twin: Twin) -> dict[str, Any]:
    """The optimizer that the ladder steps with, the same numbers on both sides.

    Every hyperparameter is rounded to float32, because Keras rounds them so, in float64 too: 1 - 0.999 is
    1.3e-5 off then, which is no difference of the twins.
    """
    fields = asdict(replace(twin.optimizer, schedule="constant", epsilon=EPSILON))
    return {name: float(np.float32(value)) if isinstance(value, float) else value for name, value in fields.items()}


def farthest(native: Arrays, exact: Arrays) -> float:
    """The largest relative L2 distance of an array; infinite where one is no number."""
    found = [
        float(np.linalg.norm(native[name] - array)) / max(float(np.linalg.norm(array)), 1e-30)
        for name, array in exact.items()
    ]
    return max(map(numeric.nan_as_inf, found), default=0.0)


def noise_of(draws: Sequence[Arrays], exact: Arrays) -> dict[str, float]:
    """Each array's rounding noise over the draws."""
    return {name: noise_floor([draw[name] for draw in draws], wanted) for name, wanted in exact.items()}
