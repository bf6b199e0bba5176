"""What a training step leaves behind: running statistics, and the gradient of every array."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from compare.verify import axes as alignment
from compare.verify.pairing import Pairing
from compare.verify.slopes import Gradients, Slopes
from compare.verify.verdict import GRADIENT_LIMIT, Finding, Remedy
from compare.verify.whole import Whole, apart_in_gradients
from twin.bridge import Arrays
from twin.trace import Event, Trace


def statistics(whole: Whole, pairing: Pairing, trace: Trace) -> tuple[tuple[Finding, ...], float]:
    """Running statistics after one batch; PyTorch's unbiased variance is allowed for, being no porter's mistake."""
    old = whole.torch.dump()
    mine = pairing.to_torch(whole.keras.dump() | whole.keras.statistics(whole.inputs, whole.masks), old)
    theirs = old | whole.torch.statistics(whole.torch_inputs, whole.masks)
    kept = {event.leaf: event.settings["keep"] for event in trace.events if event.family == "batch_norm"}
    means = {path: f"{other}.running_mean".removeprefix(".") for path, other in pairing.layers.items() if path in kept}
    far = {path: _moved_apart(name, old, mine, theirs) for path, name in means.items() if name in mine}
    unlike = {path: distance for path, distance in far.items() if distance > GRADIENT_LIMIT}
    worst = max((distance for path, distance in far.items() if path not in unlike), default=0.0)
    if not unlike:
        return (), worst
    momenta = {pairing.layers[path]: 1 - kept[path] for path in unlike}
    changed = old | whole.torch.statistics(whole.torch_inputs, whole.masks, momenta=momenta)
    found = []
    for path, distance in unlike.items():
        other, name = pairing.layers[path], means[path]
        what = f"Running mean after one batch: PyTorch's change is {distance:.2g} times Keras's change away from it"
        finding = Finding("statistics", path, other, what, None, distance, tried=("batchnorm_momentum",))
        after = _moved_apart(name, old, mine, changed)
        if after <= 1e-3:
            moves = [float(np.linalg.norm(side[name] - old[name])) for side in (mine, theirs)]
            share = (1 - kept[path]) * moves[1] / max(moves[0], 1e-30)
            says = (
                f"Keras keeps {kept[path]:g} of the running mean at each step, PyTorch replaces {share:.3g} of it: "
                "Keras's momentum is the share kept, PyTorch's the share replaced"
            )
            fix = {"torch": Remedy(f"momentum={1 - kept[path]:.3g} in {other}", after)}
            finding = replace(finding, cause="batchnorm_momentum", after=after, says=says, fix=fix, tried=())
        found.append(finding)
    return tuple(found), worst


def _moved_apart(name: str, old: Arrays, mine: Arrays, theirs: Arrays) -> float:
    """How far two running means have moved apart, as a share of the move."""
    spread = float(np.sqrt(np.mean(np.abs(old[name.replace("running_mean", "running_var")]))))
    moves = mine[name] - old[name], theirs[name] - old[name]
    noise = 1e-5 * spread * math.sqrt(moves[0].size)  # a batch mean of zero is rounding, and moves by rounding
    if float(np.linalg.norm(moves[1] - moves[0])) <= noise:
        return 0.0
    return alignment.relative(moves[1], moves[0])


def gradients(
    whole: Whole, pairing: Pairing, traces: tuple[Trace, Trace], training: bool
) -> tuple[tuple[Finding, ...], float]:
    """The gradient of every weight, of the sum of the outputs times random numbers.

    Where the input of a ReLU is close to zero, rounding alone changes a gradient. By how much is measured on
    PyTorch's own gradient, from inputs perturbed by one ulp.
    """
    found = whole.gradients(pairing.links, training)
    apart, worst = apart_in_gradients(found)
    if not apart:
        return (), worst
    got = {link.torch.name: other for link, _, other, _ in found}
    wanted = {link.torch.name: one for link, one, _, _ in found}
    finding = _first_gradient(pairing, traces, apart, got, wanted)
    if finding.cause != "not_finite":  # what was carried out, or shows in the numbers, says more than where a cut is
        finding = Slopes(whole, pairing, training).explained(finding, Gradients(apart, wanted, got))
    return (finding,), worst


def trained(pairing: Pairing) -> tuple[Finding, ...]:
    """Arrays that one side trains and the other leaves as they are."""
    for match in pairing.matches:
        names = [
            {part.leaf.full(n) for part in parts for n in part.leaf.trainable} for parts in (match.keras, match.torch)
        ]
        for link in match.links:
            in_keras, in_torch = link.keras.name in names[0], link.torch.name in names[1]
            if in_keras == in_torch:
                continue
            side, other = ("Keras", "PyTorch") if in_keras else ("PyTorch", "Keras")
            frozen = "requires_grad=False, or a buffer" if in_keras else "trainable=False"
            what = f"{side} trains {link.torch.name}, {other} does not ({frozen})"
            paths = match.keras[0].leaf.path, match.torch[0].leaf.path
            return (Finding("gradients", *paths, what, "trainable", says="an optimizer changes it on one side only"),)
    return ()


def _uncut_elsewhere(side: str, stop: Event, stops: Sequence[tuple[str, Event]], traces: tuple[Trace, Trace]) -> bool:
    """Whether the value at which one side cuts the graph is cut nowhere on the other."""
    own, other = traces if side == "Keras" else traces[::-1]
    value = own.values.get(stop.outputs[0])
    cut = [other.values.get(each.outputs[0]) for where, each in stops if where != side]
    return value is not None and all(alignment.distance(value, each)[0] > 1e-3 for each in cut if each is not None)


def _first_gradient(
    pairing: Pairing, traces: tuple[Trace, Trace], apart: Mapping[str, float], got: Arrays, wanted: Arrays
) -> Finding:
    """Going backwards, the first layer whose gradient differs, and what stops or changes it."""
    mine, theirs = traces
    order = [e.leaf for e in mine.events if e.leaf]
    owner = {link.torch.name: match.keras[0].leaf.path for match in pairing.matches for link in match.links}
    ranked = [(order.index(owner[n]) if owner[n] in order else -1, owner[n], n) for n in apart]
    _, path, name = max(ranked)
    partner = next(m.torch[0].leaf.path for m in pairing.matches if m.keras[0].leaf.path == path)
    sides = [side for side, arrays in (("Keras", wanted), ("PyTorch", got)) if not np.isfinite(arrays[name]).all()]
    if sides:
        what = f"gradient of {name}: infinite values or NaN in {' and '.join(sides)}"
        says = "" if len(sides) == 1 else "Both models do so: nothing can be compared"
        return Finding("gradients", path, partner, what, "not_finite", says=says)
    what = f"gradient of {name}: relative L2 {apart[name]:.2g}"
    stops = [
        (side, event)
        for side, trace in (("PyTorch", theirs), ("Keras", mine))
        for event in trace.events
        if event.settings.get("name") in ("detach", "stop_gradient")
    ]
    zero = {"PyTorch": float(np.linalg.norm(got[name])) == 0, "Keras": float(np.linalg.norm(wanted[name])) == 0}
    side = next((side for side, is_zero in zero.items() if is_zero), None)
    if side:
        stop = next((event for where, event in stops if where == side), None)
        at = f" at {stop.where or stop.label}" if stop else ""
        says = f"in {side} no gradient reaches this layer: the graph is cut{at}"
        return Finding("gradients", path, partner, what, "stopped_gradient", apart[name], None, says)
    if stops:
        side, stop = next((each for each in stops if _uncut_elsewhere(*each, stops, traces)), stops[0])
        says = f"{side} cuts the graph at {stop.where or stop.label}, and a part of the gradient with it"
        if len({where for where, _ in stops}) == 1:
            says += f"; {'PyTorch' if side == 'Keras' else 'Keras'} cuts it nowhere"
        return Finding("gradients", path, partner, what, "stopped_gradient", apart[name], None, says)
    return Finding("gradients", path, partner, what, None, apart[name], tried=("stopped_gradient",))
