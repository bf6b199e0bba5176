"""What a training step leaves behind: running statistics, and the gradient of every array."""

import math
from collections.abc import Mapping

import numpy as np

from compare.verify import axes as alignment
from compare.verify.pairing import Pairing
from compare.verify.verdict import GRADIENT_LIMIT, Finding
from compare.verify.whole import Whole, apart_in_gradients
from twin.bridge import Arrays, Leaf
from twin.trace import Trace


def statistics(
    whole: Whole, pairing: Pairing, layers: Mapping[str, Leaf], trace: Trace
) -> tuple[tuple[Finding, ...], float]:
    """Running statistics after one batch; PyTorch's unbiased variance is allowed for, being no porter's mistake."""
    old = whole.torch.dump()
    keras = whole.keras.statistics(whole.inputs, whole.masks)
    theirs = whole.torch.statistics(whole.torch_inputs, whole.masks)
    mine = pairing.to_torch(whole.keras.dump() | keras, old)
    theirs = old | theirs
    found: list[Finding] = []
    worst = 0.0
    for path, other in pairing.layers.items():
        name = f"{other}.running_mean".removeprefix(".")
        if name not in mine:
            continue
        event = next((e for e in trace.events if e.leaf == path and e.family == "batch_norm"), None)
        spread = float(np.sqrt(np.mean(np.abs(old[name.replace("running_mean", "running_var")]))))
        moves = mine[name] - old[name], theirs[name] - old[name]
        noise = 1e-5 * spread * math.sqrt(moves[0].size)  # a batch mean of zero is rounding, and moves by rounding
        far = alignment.relative(moves[1], moves[0])
        if float(np.linalg.norm(moves[1] - moves[0])) <= noise:
            far = 0.0
        if far <= GRADIENT_LIMIT or event is None:
            worst = max(worst, far if event is not None else 0.0)
            continue
        moved = [float(np.linalg.norm(after[name] - old[name])) for after in (mine, theirs)]
        keep = event.settings["keep"]
        share = (1 - keep) * moved[1] / moved[0] if moved[0] > 0 else 0.0
        after = alignment.relative(
            (theirs[name] - old[name]) * (moved[0] / max(moved[1], 1e-30)), mine[name] - old[name]
        )
        confirmed = after <= 1e-3
        native = layers[other]
        says = (
            f"Keras keeps {keep:g} of the running mean at each step, PyTorch replaces {share:.3g} of it: "
            "Keras's momentum is the share kept, PyTorch's the share replaced"
        )
        fix = {
            "torch": f"torch.nn.{native.kind}({native.shapes['running_mean'][0]}, momentum={1 - keep:.3g})",
            "keras": f"keras.layers.BatchNormalization(momentum={1 - share:.3g})",
        }
        cause = "batchnorm_momentum" if confirmed else None
        found.append(
            Finding(
                "statistics", path, other, f"running mean after one batch: {far:.2g} of its move away",
                cause, far, after if confirmed else None, says if confirmed else "", fix if confirmed else {},
            )
        )  # fmt: skip
    return tuple(found), worst


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
    return (_first_gradient(pairing, traces, apart, got, wanted),), worst


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
        name_ = {"PyTorch": ".detach() or torch.no_grad()", "Keras": "keras.ops.stop_gradient"}[side]
        fix = {
            side_: f"take {name_} out" if (side_ == "torch") == (side == "PyTorch") else "cut it there too"
            for side_ in ("torch", "keras")
        }
        return Finding("gradients", path, partner, what, "stopped_gradient", apart[name], None, says, fix)
    if stops:
        side, stop = stops[0]
        says = f"{side} cuts the graph at {stop.where or stop.label}, and a part of the gradient with it"
        fix = {"torch": "take .detach() out, or add it", "keras": "add keras.ops.stop_gradient, or take it out"}
        return Finding("gradients", path, partner, what, "stopped_gradient", apart[name], None, says, fix)
    return Finding("gradients", path, partner, what, None, apart[name], tried=("stopped_gradient",))
