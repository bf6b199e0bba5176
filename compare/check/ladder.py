"""The ladder: the ordered checks of a twin. Pure arithmetic on arrays; climb.py does the asking.

Each rung takes what an engine computed and the reference, and says whether they agree: what, where, how far,
how far was allowed, and what to look at next. docs/method.md has the limits, one set for all twins; a departure
stands in the twin's catalogue entry with its reason.
"""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from compare.check.reference import SNAPSHOTS, Arrays, Reference, comparable_step
from compare.record.results import RungName, RungResult, TensorError, WorstError
from twin.limits import LIMIT_FLOAT64, LIMITS
from twin.numeric import HALF_ULP, Distance, distance, nan_as_inf, worst
from twin.spec import Tolerance

ZERO_GRADIENT = 1e-5  # of the whole gradient's norm: below it, a gradient is zero by structure
LEEWAY = 3  # times the spread of native runs that a loss may be off where that is more than the limit
SHOWN = 40  # tensors of a rung that its record keeps: those that use most of what they are allowed
NEXT: dict[RungName, str] = {
    "structure": "compare the two constructors: an array is missing, left over, or of another size",
    "weights": "look at this layer's rule in twin/bridge.py and at the twin's flatten order",
    "forward": "look at this layer's arguments: padding, epsilon, gate order, activation, axis",
    "gradients": "the outputs agree, so look at the loss and its reduction, and at what stops a gradient",
    "optimizer": "the gradients agree, so look at epsilon, momentum, weight decay, and the running statistics",
    "trajectory": "single steps agree, so look at what changes over steps: schedule, momentum, target copies",
}


@dataclass(frozen=True)
class Rung:
    """One rung's outcome.

    Args:
        rung: its name.
        status: 'ok' or 'failed'.
        worst: the distance that uses most of what is allowed.
        message: one line, for a person.
        distances: all that were measured.
        late: whether it failed only after the first training step.
    """

    rung: RungName
    status: Literal["ok", "failed"]
    worst: Distance | None = None
    message: str = ""
    distances: tuple[Distance, ...] = ()
    late: bool = False

    def result(self) -> RungResult:
        """What the record keeps of it."""
        far = self.worst
        error = None
        if far:
            error = WorstError(
                far.name, far.rel_l2, far.limit, far.noise_ratio, far.noise_limit, far.max_abs, list(far.index)
            )
        by_excess = sorted(range(len(self.distances)), key=lambda at: self.distances[at].excess)
        kept = [self.distances[at] for at in sorted(by_excess[-SHOWN:])]
        tensors = [
            TensorError(
                each.name, _short(each.rel_l2), _short(each.limit), _short(each.noise_ratio), _short(each.noise_limit)
            )
            for each in kept
        ]
        return RungResult(self.rung, self.status, error, self.message, len(self.distances), tensors)


@dataclass(frozen=True)
class Limits:
    """How far an engine may be from the reference, by rung.

    Args:
        exact: whether the engine computes in float64, where noise plays no part.
        tolerances: the twin's departures from the general limits.
    """

    exact: bool
    tolerances: Mapping[str, Tolerance]

    def relative(self, what: str, rung: str) -> float:
        general = LIMIT_FLOAT64 if self.exact else LIMITS[what]
        departure = self.tolerances.get("float64" if self.exact else rung)
        return departure.rel_l2 if departure and departure.rel_l2 is not None else general

    def noise(self, rung: str) -> float:
        return self.tolerances[rung].noise_ratio if rung in self.tolerances else 10.0


def judge(rung: RungName, distances: Sequence[Distance], note: str = "") -> Rung:
    """The rung that holds if every distance does; where there is none, nothing was compared."""
    if not distances:
        return broken(rung, "there is no array to compare")
    far = worst(distances)
    message = note
    if not far.ok:
        ratio = "" if far.noise_ratio is None else f" and {far.noise_ratio:.3g} times the rounding noise"
        allowed = "" if far.noise_ratio is None else f" and {far.noise_limit:g} times"
        place = f"{list(far.index)} " if far.index else ""
        message = (
            f"{_not_finite(far)}{far.name}: relative L2 {far.rel_l2:.2e}{ratio}, allowed {far.limit:.0e}{allowed}; "
            f"largest at {place}({far.got:.6g}, reference {far.wanted:.6g}). Next: {NEXT[rung]}"
        )
    return Rung(rung, "ok" if far.ok else "failed", far, message, tuple(distances))


def _not_finite(far: Distance) -> str:
    """Which side has no finite value, where one has not."""
    ours, reference = math.isfinite(far.got), math.isfinite(far.wanted)
    if ours and reference:
        return ""
    if ours or reference:
        return f"{'the reference' if ours else 'this engine'} alone has a value that is not finite. "
    return "both sides have values that are not finite, so nothing can be compared. "


def broken(rung: RungName, message: str) -> Rung:
    """A rung that failed before anything could be measured."""
    return Rung(rung, "failed", None, f"{message}. Next: {NEXT[rung]}")


def structure(counted: int, declared: int) -> Rung:
    """The number of trainable parameters is the declared one; names and shapes were paired by the bridge."""
    if counted != declared:
        return broken("structure", f"{counted:,} trainable parameters, the catalogue says {declared:,}")
    return Rung("structure", "ok", message=f"{counted:,} parameters")


def weights(back: Arrays, sent: Arrays) -> Rung:
    """There and back over the bridge, bit for bit."""
    if back.keys() != sent.keys():
        return broken("weights", f"names differ: {', '.join(sorted(back.keys() ^ sent.keys()))}")
    changed = [distance(name, back[name], sent[name], limit=0.0) for name in sent if (back[name] != sent[name]).any()]
    if changed:
        far = max(changed, key=lambda each: each.rel_l2)
        return Rung("weights", "failed", far, f"{far.name} came back changed. Next: {NEXT['weights']}")
    return Rung("weights", "ok", message=f"{len(sent)} arrays, bit for bit")


def forward(got: Arrays, ref: Reference, limits: Limits) -> Rung:
    """The outputs, in inference mode and in training mode."""
    shapes, wanted = ({name: array.shape for name, array in each.items()} for each in (got, ref.values["forward"]))
    if shapes != wanted:
        apart = sorted(name for name in shapes.keys() | wanted.keys() if shapes.get(name) != wanted.get(name))
        told = ", ".join(
            f"{name} is {shapes[name]}, the reference {wanted[name]}"
            if name in shapes and name in wanted
            else f"{name} is {'missing' if name in wanted else 'not in the reference'}"
            for name in apart
        )
        return broken("forward", f"outputs of other names or shapes: {told}; layouts are declared in the catalogue")
    if not any(array.size for array in ref.values["forward"].values()):
        return broken("forward", "every output is empty, so nothing can be compared")
    found = _distances("forward", "forward", got, ref.values["forward"], ref.noise["forward"], limits)
    return judge("forward", found)


def gradients(losses: Mapping[str, float], got: Arrays, ref: Reference, limits: Limits) -> Rung:
    """The loss of every phase, and the gradient of every parameter."""
    scalars = [
        distance(f"loss {name}", np.array(losses[name]), np.array(wanted), limits.relative("forward", "forward"))
        for name, wanted in ref.losses.items()
    ]
    wanted = {name: array for name, array in ref.values["gradients"].items() if name not in ref.redundant}
    found = _distances("gradients", "gradients", got, wanted, ref.noise["gradients"], limits)
    return judge("gradients", [*scalars, *found])


def optimizer(got: Mapping[str, Arrays], ref: Reference, limits: Limits) -> Rung:
    """The first step's update and Adam's moments, then the weights and running statistics after more steps."""
    updates = []
    after, wanted_after = got["weights/1"], ref.values["weights/1"]
    whole = _norm({name: array - ref.weights[name] for name, array in wanted_after.items()})
    for name, wanted in wanted_after.items():
        before = ref.weights[name].astype(np.float64)
        # Float32 weights round the update that they take in: that much error is theirs, not the update's.
        rounding = 0.0 if limits.exact else 2 * HALF_ULP * float(np.linalg.norm(wanted))
        scale = whole if _is_zero(wanted - before, whole) else float(np.linalg.norm(wanted - before))
        limit = limits.relative("update", "optimizer") + (rounding / scale if 0 < scale < math.inf else 0.0)
        noise = None if limits.exact else ref.noise["weights/1"][name]
        label = f"update of {name}"
        update = after[name].astype(np.float64) - before
        updates.append(distance(label, update, wanted - before, limit, noise, scale, limits.noise("optimizer")))
    moments = []
    for which in ("first", "second"):
        exact = {n: a for n, a in ref.values.get("moments", {}).items() if n.startswith(f"{which}/")}
        moments += _distances(
            "update", "optimizer", got.get("moments", {}), exact, ref.noise.get("moments", {}), limits
        )
    step = comparable_step(ref)
    part_name, suffix = f"weights/{step}", f" after {step} steps"
    later = _distances(
        "steps", "optimizer", got[part_name], ref.values[part_name], ref.noise[part_name], limits, suffix
    )
    for part in (updates, moments):  # the first step before the later ones, which only repeat its error
        if part and not worst(part).ok:
            return judge("optimizer", part)
    found = judge("optimizer", [*updates, *moments, *later], f"{step} of {SNAPSHOTS[-1]} steps compared")
    return replace(found, late=step > 1)


def trajectory(curve: Sequence[Mapping[str, float]], ref: Reference, limits: Limits) -> Rung:
    """The loss of every step within ten times the spread of native twins, until that spread jumps."""
    found, spread = [], dict.fromkeys(ref.curve[0], 0.0)
    general, noise_limit = limits.relative("trajectory", "trajectory"), limits.noise("trajectory")
    for number, wanted in enumerate(ref.curve):
        for name, value in wanted.items():
            scale = max(abs(value), 1e-30)
            if math.isfinite(value):
                apart = max(nan_as_inf(abs(native[number][name] - value)) for native in ref.native_curves) / scale
                spread[name] = max(spread[name], apart, 4 * HALF_ULP)
            if spread[name] > LIMITS["trajectory"]:  # from here on the curve proves nothing
                continue
            limit = general if limits.exact else max(general, LEEWAY * spread[name])
            noise = None if limits.exact else spread[name] * scale
            label = f"{name} at step {number + 1}"
            got = np.array(curve[number][name])
            found.append(distance(label, got, np.array(value), limit, noise, noise_limit=noise_limit))
    if not found:
        return broken("trajectory", "no loss was compared: native PyTorch's own runs differ from the first step on")
    steps = len(found) // len(spread)
    return judge("trajectory", found, f"{steps} steps compared")


def with_first_difference(
    rung: Rung, order: Sequence[str], got: Arrays, wanted: Arrays, limits: Limits, flattened: Container[str]
) -> Rung:
    """A failed forward rung, its message led by the first layer that differs.

    Args:
        rung: the failed one.
        order: the reference's layers in the order of execution.
        got: the engine's `PATH/in` and `PATH/out`.
        wanted: the reference's.
        limits: the engine's.
        flattened: paths of the layers whose inputs stand in another order by declaration.
    """
    found = first_difference(order, got, wanted, limits.relative("forward", "forward"), flattened)
    return replace(rung, message=f"{found}. {rung.message}")


def first_difference(
    order: Sequence[str], got: Arrays, wanted: Arrays, limit: float, flattened: Container[str] = ()
) -> str:
    """Which layer's output is the first to differ, and whether what entered it did already."""
    for path in order:
        if f"{path}/in" not in got or _is_flatten(wanted[f"{path}/in"], wanted[f"{path}/out"]):
            continue
        for side, says in (
            ("in", "what enters {path} differs already ({far}): look just before it"),
            ("out", "first layer that differs: {path} ({far}, from equal inputs)"),
        ):
            mine, reference = got[f"{path}/{side}"], wanted[f"{path}/{side}"]
            if side == "in" and path in flattened:
                mine, reference = np.sort(mine, axis=1), np.sort(reference, axis=1)
            if reference.ndim == mine.ndim + 1:  # torch's recurrent layers always return the whole sequence
                reference = reference[:, -1]
            if side == "in" and mine.shape != reference.shape:
                continue  # one side pads before its layer, the other within
            if mine.shape != reference.shape:
                return says.format(path=path, far=f"shape {mine.shape} against {reference.shape}")
            far = distance(path, mine, reference, limit)
            if not far.ok:
                return says.format(path=path, far=f"relative L2 {far.rel_l2:.2e}")
    return "every layer agrees by itself: look at what is computed after the last one"


def _is_flatten(entered: np.ndarray, left: np.ndarray) -> bool:
    """Whether a layer only flattened, C,H,W in PyTorch and H,W,C in Keras."""
    return entered.ndim > left.ndim == 2 and entered.size == left.size


def _distances(
    what: str,
    rung: str,
    got: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
    noise: Mapping[str, float],
    limits: Limits,
    suffix: str = "",
) -> list[Distance]:
    """Each array's distance; one that is zero by structure is measured against the whole."""
    whole = _norm(wanted)
    return [
        distance(
            name + suffix,
            got[name],
            array,
            limits.relative(what, rung),
            None if limits.exact else noise[name],
            max(float(np.linalg.norm(array)), whole if _is_zero(array, whole) else 0.0),
            limits.noise(rung),
        )
        for name, array in wanted.items()
    ]


def _short(value: Any) -> Any:
    """Three digits, which is all that a chart of many tensors shows."""
    return None if value is None else float(f"{value:.3g}")


def _is_zero(array: np.ndarray, whole: float) -> bool:
    return bool(np.linalg.norm(array) < ZERO_GRADIENT * whole)


def _norm(named: Mapping[str, np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(np.square(array, dtype=np.float64)) for array in named.values())))
