"""`twin verify`: where two models first differ, and why.

Both models run on the same input with the same weights, and every call of both is written down (twin.trace). Then
PyTorch's pass is repeated with Keras's recorded values at every pair of layers: each layer is fed the same input and
compared by itself, so that errors do not pile up and the layer that is named is the one at fault, not the one after
it. What lies between two pairs of layers (activations, poolings, sums) is found by its values.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from compare.verify import axes as alignment
from compare.verify import causes
from compare.verify.comparison import Anchor, Comparison, before_flatten, cropped, dropout_pairs
from compare.verify.pairing import pair
from compare.verify.verdict import GRADIENT_LIMIT, RUNGS, Finding, Verdict, far_in_words
from twin.bridge import Arrays, Bridge, BridgeError, Leaf
from twin.errors import TwinError
from twin.numeric import moved_by_an_ulp
from twin.trace import Event, Trace

ANCHORS = {
    "dense", "conv", "conv_transpose", "batch_norm", "layer_norm", "group_norm", "rms_norm", "embedding", "lstm", "gru",
    "rnn", "attention",
}  # fmt: skip


class Subject(Protocol):
    """A model that can be examined: keras_impl.tracing.Subject, torch_impl.tracing.Subject, or one in a worker."""

    def leaves(self) -> list[Leaf]: ...
    def load(self, arrays: Mapping[str, np.ndarray]) -> None: ...
    def dump(self) -> Arrays: ...
    def trace(self, inputs: Sequence[np.ndarray], training: bool = False, **edited: Any) -> Trace: ...
    def outputs(self, inputs: Sequence[np.ndarray], training: bool) -> Arrays: ...
    def gradients(
        self, inputs: Sequence[np.ndarray], cotangents: Mapping[str, np.ndarray], training: bool
    ) -> Arrays: ...
    def statistics(self, inputs: Sequence[np.ndarray]) -> Arrays: ...


@dataclass
class Examination:
    """Two models, one input, and the way up the ladder.

    Args:
        keras: the Keras model.
        torch: the PyTorch model.
        inputs: in Keras's layout; of integers where the model embeds them.
        torch_inputs: the same in PyTorch's layout.
        weights: 'cross' to give PyTorch Keras's weights, 'back' for the other way, 'own' to leave and compare both.
        given: pairs of layers that the user names.
        training: whether to examine training mode too.
    """

    keras: Subject
    torch: Subject
    inputs: Sequence[np.ndarray]
    torch_inputs: Sequence[np.ndarray]
    weights: str = "cross"
    given: Mapping[str, str] = field(default_factory=dict)
    training: bool = True
    tell: Callable[[str], None] = lambda word: None
    leaves: dict[str, Leaf] = field(default_factory=dict, init=False)
    native: dict[str, Leaf] = field(default_factory=dict, init=False)
    pairs: dict[str, str] = field(default_factory=dict, init=False)
    flat: dict[str, np.ndarray] = field(default_factory=dict, init=False)  # Dense path -> order of its inputs

    def run(self) -> Verdict:
        """Go up the ladder, and stop at the first rung that breaks.

        Raises:
            Unpaired: when layers have no partner.
            TwinError: when a model cannot run on the input.
        """
        self.tell("pairing the layers")
        self.leaves = {leaf.path: leaf for leaf in self.keras.leaves()}
        self.native = {leaf.path: leaf for leaf in self.torch.leaves()}
        traces = self.keras.trace(self.inputs), self.torch.trace(self.torch_inputs, keep=())
        if not traces[1].events and traces[1].stopped:
            raise TwinError(f"the PyTorch model does not run on inputs {self._shapes()}: {traces[1].stopped}")
        notes = self._notes(traces[0])
        self.pairs = pair(list(self.leaves.values()), list(self.native.values()), traces, self.given)
        rungs: dict[str, float] = {}

        self.tell("weights")
        findings = self._weights()
        if findings and findings[0].rung == "weights":
            return Verdict("differ", self.pairs, findings, rungs)
        rungs["weights"] = 0.0
        for rung, mode in (("forward", False), ("training", True)):
            if mode and (not self.training or traces[0].stopped):
                continue
            self.tell(RUNGS[rung])
            found, worst = self._whole(rung) if traces[0].stopped else self._forward(rung, mode)
            if found or findings:
                return Verdict("differ", self.pairs, self._in_order(found, findings), rungs, tuple(notes))
            rungs[rung] = worst
        for rung, examine in (("statistics", self._statistics), ("gradients", self._gradients)):
            if rung == "statistics" and not self.training:
                continue
            self.tell(RUNGS[rung])
            found, worst = examine()
            if found:
                return Verdict("differ", self.pairs, found, rungs, tuple(notes))
            rungs[rung] = worst
        return Verdict("agree", self.pairs, (), rungs, tuple(notes))

    def _notes(self, trace: Trace) -> tuple[str, ...]:
        """What keeps this examination from going call by call, or from being repeated."""
        notes = []
        if trace.stopped:
            notes.append(
                "the Keras model cannot be followed call by call, so that no layer can be named: its control flow "
                f"depends on the data, or it computes outside keras.ops ({trace.stopped})"
            )
        for name, side, inputs in (("Keras", self.keras, self.inputs), ("PyTorch", self.torch, self.torch_inputs)):
            first, second = (side.outputs(inputs, training=False) for _ in range(2))
            if any(not np.array_equal(first[each], second[each], equal_nan=True) for each in first):
                notes.append(f"the {name} model is random in inference mode: two passes on one input differ")
        return tuple(notes)

    def _whole(self, rung: str) -> tuple[tuple[Finding, ...], float]:
        """The outputs of both models as they are, where the calls cannot be followed."""
        mine = self.keras.outputs(self.inputs, training=False)
        theirs = self.torch.outputs(self.torch_inputs, training=False)
        pairs = list(zip(mine.values(), theirs.values(), strict=False))
        worst = max((alignment.distance(a, b)[0] for a, b in pairs), default=0.0)
        if worst <= GRADIENT_LIMIT:  # errors pile up over the whole model
            return (), worst
        return (
            Finding(rung, "the output", "the output", f"the outputs are {far_in_words(worst)}", None, worst),
        ), worst

    def _shapes(self) -> str:
        return ", ".join(str(array.shape) for array in self.torch_inputs)

    def _in_order(self, found: Sequence[Finding], misfits: Sequence[Finding]) -> tuple[Finding, ...]:
        """A layer of another shape comes first, unless what differs before it explains its shape."""
        if not misfits:
            return tuple(found)
        places = {path: place for place, path in enumerate(self.pairs)}
        first = min(places[finding.keras] for finding in misfits)
        before = [f for f in found if places.get(f.keras.split(" ")[0], len(places)) < first]
        return (*before, *misfits)

    # Weights

    def _bridge(self, paths: Mapping[str, str], flatten: Mapping[str, int]) -> Bridge:
        theirs = [replace(self.native[torch], path=keras) for keras, torch in paths.items()]
        return Bridge([self.leaves[path] for path in paths], theirs, flatten)

    def _weights(self) -> tuple[Finding, ...]:
        """Carry the weights over; findings where arrays do not fit or, with each side's own, are not the same."""
        apart = []
        fitting = {}
        for path, other in self.pairs.items():
            try:
                self._bridge({path: other}, {})
                fitting[path] = other
            except BridgeError as error:
                apart.append(self._misfit(path, other, str(error)))
        before = self.torch.dump() if self.weights == "own" else {}
        flatten: dict[str, int] = {}
        for _ in range(len(self.leaves) + 1):  # one flatten after the other becomes known
            bridge = self._bridge(fitting, flatten)
            if self.weights == "back":
                self.keras.load(bridge.to_keras(self._renamed(self.torch.dump())))
            else:
                self.torch.load(self._native_names(bridge.to_torch(self.keras.dump())))
            found = self._flattened(fitting)
            if found == flatten:
                break
            flatten = found
        self.bridge = bridge
        self.fitting = fitting
        if self.weights != "own":
            return tuple(apart)
        self.torch.load(before)
        return (*self._unequal(bridge, before, flatten), *apart)

    def _native_names(self, arrays: Arrays) -> Arrays:
        """From names that begin with Keras's paths to PyTorch's own."""
        out = {}
        for path, other in self.pairs.items():
            for name in self.native[other].shapes:
                if replace(self.native[other], path=path).full(name) in arrays:
                    out[self.native[other].full(name)] = arrays[replace(self.native[other], path=path).full(name)]
        return out

    def _renamed(self, arrays: Arrays) -> Arrays:
        """The other way round."""
        out = {}
        for path, other in self.pairs.items():
            for name in self.native[other].shapes:
                if self.native[other].full(name) in arrays:
                    out[replace(self.native[other], path=path).full(name)] = arrays[self.native[other].full(name)]
        return out

    def _flattened(self, paths: Mapping[str, str]) -> dict[str, int]:
        """Dense layers whose inputs were flattened from channels first in PyTorch and last in Keras: their channels."""
        mine, theirs = self.keras.trace(self.inputs), self.torch.trace(self.torch_inputs)
        found = {}
        self.flat = {}
        for path, other in paths.items():
            if self.leaves[path].kind != "Dense":
                continue
            a = next((e for e in mine.events if e.leaf == path), None)
            b = next((e for e in theirs.events if e.leaf == other), None)
            if a is None or b is None:
                continue
            keras, torch = before_flatten(mine, a.inputs[0]), before_flatten(theirs, b.inputs[0])
            if keras is None or torch is None or keras.size != torch.size or keras.ndim != torch.ndim:
                continue
            first = (0, *range(2, torch.ndim), 1)
            fits = alignment.arrangements(torch.shape, keras.shape)
            far, close = alignment.distance(keras, torch)
            order = close if far < 1e-2 or first not in fits else first
            if order == first and keras.shape[1:-1] != (1,) * (keras.ndim - 2):
                found[path] = keras.shape[-1]
                places = np.arange(math.prod(keras.shape[1:])).reshape(keras.shape[1:])
                self.flat[path] = np.moveaxis(places, -1, 0).reshape(-1)
        return found

    def _misfit(self, path: str, other: str, told: str) -> Finding:
        shapes = [f"{n} {tuple(s)}" for n, s in self.leaves[path].shapes.items()]
        theirs = [f"{n} {tuple(s)}" for n, s in self.native[other].shapes.items()]
        what = f"Keras has {', '.join(shapes)}, PyTorch {', '.join(theirs)}"
        if "reset_after" in told:
            fix = {"keras": "keras.layers.GRU(..., reset_after=True)", "torch": "no torch.nn.GRU computes this"}
            says = (
                "With reset_after=False the reset gate acts before the recurrent product, which torch.nn.GRU cannot do"
            )
            return Finding("structure", path, other, what, "gru_reset_after", says=says, fix=fix)
        mine = {name.split(".")[-1] for name in self.leaves[path].shapes}
        native = {name.split(".")[-1] for name in self.native[other].shapes}
        has_bias = "bias" in mine or "beta" in mine, any(name.startswith("bias") for name in native)
        if has_bias[0] != has_bias[1]:
            which = "PyTorch" if has_bias[0] else "Keras"
            fix = {"keras": f"use_bias={has_bias[1]}", "torch": f"bias={has_bias[0]}"}
            return Finding("structure", path, other, what, "missing_bias", says=f"{which} has no bias here", fix=fix)
        return Finding("structure", path, other, what, "shape")

    def _unequal(self, bridge: Bridge, own: Arrays, flatten: Mapping[str, int]) -> tuple[Finding, ...]:
        """Arrays that are not the same on both sides, with what would make them so."""
        carried = self._native_names(bridge.to_torch(self.keras.dump()))
        plain = self._native_names(self._bridge(self.fitting, {}).to_torch(self.keras.dump()))
        redundant = {name.rsplit(".", 1)[0] for name in bridge.redundant}
        out = []
        for path, other in self.fitting.items():
            leaf = self.native[other]
            given = {name: own[leaf.full(name)] for name in leaf.shapes}
            wanted = {name: carried[leaf.full(name)] for name in leaf.shapes}
            if path in redundant or any(name.startswith("bias_hh") for name in given):
                given = _added(given, redundant_in=set(bridge.redundant))
                wanted = _added(wanted, redundant_in=set(bridge.redundant))
            far = {name: alignment.relative(given[name], wanted[name]) for name in wanted}
            name = max(far, key=lambda each: far[each])
            if far[name] <= 1e-6:
                continue
            cause, says, after, tried = causes.of_weights(
                given, wanted, {n: plain[leaf.full(n)] for n in leaf.shapes} if path in flatten else {}, leaf.kind
            )
            fix = {
                "torch": f"load {leaf.full(name)} as the bridge gives it: twin weights",
                "keras": "the same, backwards",
            }
            what = f"{leaf.full(name)} is not Keras's: relative L2 {far[name]:.2g}"
            out.append(Finding("weights", path, other, what, cause, far[name], after, says, fix, tried))
        return tuple(out)

    # Forward

    def _anchors(self, mine: Trace, theirs: Trace) -> list[Anchor]:
        """The calls of paired layers, in Keras's order of execution."""
        calls: tuple[dict[str, list[Event]], ...] = ({}, {})
        for found, trace in zip(calls, (mine, theirs), strict=True):
            for event in trace.events:
                if event.family in ANCHORS and event.leaf:
                    found.setdefault(event.leaf, []).append(event)
        anchors = [
            Anchor(path, keras, torch, cropped(theirs, torch, mine.values[keras.outputs[0]]))
            for path, other in self.pairs.items()
            for keras, torch in _same_calls(mine, theirs, calls[0].get(path, []), calls[1].get(other, []))
        ]
        return sorted(anchors, key=lambda anchor: anchor.keras.index)

    def _forward(self, rung: str, training: bool) -> tuple[tuple[Finding, ...], float]:
        """Differences in one mode, and the worst distance of a layer by itself."""
        mine = self.keras.trace(self.inputs, training)
        theirs = self.torch.trace(self.torch_inputs, training)
        stopped = theirs.stopped
        comparison = Comparison(self, rung, training, self._in_torch_order(mine), self._anchors(mine, theirs), [])
        for _ in range(len(mine.events) + 1):
            comparison.theirs = theirs
            comparison.anchors = self._anchors(mine, theirs)
            comparison.dropouts = dropout_pairs(mine, theirs, comparison.anchors)
            forced = self.torch.trace(self.torch_inputs, training, **comparison.forced())
            grown = len(forced.events) > len(theirs.events)
            theirs = forced
            if not grown:
                break
        comparison.theirs = theirs
        found, worst = comparison.findings()
        if not found and theirs.stopped:
            found = [Finding(rung, "", "", f"the PyTorch model stops: {stopped or theirs.stopped}")]
        return tuple(found), worst

    def _in_torch_order(self, mine: Trace) -> Trace:
        """Keras's trace with the values between a flatten and its Dense layer in PyTorch's order."""
        values = dict(mine.values)
        for event in mine.events:
            if event.leaf in self.flat and event.family == "dense":
                number = event.inputs[0]
                while values[number].ndim == 2 and before_flatten(mine, number) is not None:
                    values[number] = np.ascontiguousarray(values[number][:, self.flat[event.leaf]])
                    number = mine.producers[number].inputs[0]
        return replace(mine, values=values)

    # Statistics and gradients

    def _statistics(self) -> tuple[tuple[Finding, ...], float]:
        """Running statistics after one batch; PyTorch's unbiased variance is allowed for, being no porter's mistake."""
        old = self._renamed(self.torch.dump())
        mine = self.bridge.to_torch(self.keras.statistics(self.inputs))
        theirs = self._renamed(self.torch.statistics(self.torch_inputs))
        trace = self.keras.trace(self.inputs, True)
        found: list[Finding] = []
        worst = 0.0
        for path in self.fitting:
            name = f"{path}.running_mean"
            if name not in mine:
                continue
            event = next((e for e in trace.events if e.leaf == path), None)
            far = alignment.relative(theirs[name] - old[name], mine[name] - old[name])
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
            native = self.native[self.pairs[path]]
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
                    "statistics", path, self.pairs[path], f"running mean after one batch: {far:.2g} of its move away",
                    cause, far, after if confirmed else None, says if confirmed else "", fix if confirmed else {},
                )
            )  # fmt: skip
        return tuple(found), worst

    def _gradients(self) -> tuple[tuple[Finding, ...], float]:
        """The gradient of every weight, of the sum of the outputs times random numbers."""
        training = self.training
        trace, theirs = self.keras.trace(self.inputs, training), self.torch.trace(self.torch_inputs, training)
        rng = np.random.default_rng(0)
        mine_out = self.keras.outputs(self.inputs, training=training)
        their_out = self.torch.outputs(self.torch_inputs, training=training)
        cotangents = {name: rng.standard_normal(value.shape).astype(np.float32) for name, value in mine_out.items()}
        native = {}
        for (name, value), (torch_name, other) in zip(mine_out.items(), their_out.items(), strict=False):
            _, order = alignment.distance(value, other)
            array = cotangents[name]
            if order is not None and value.ndim == other.ndim:
                native[torch_name] = np.ascontiguousarray(array.transpose(np.argsort(order)))
            else:
                native[torch_name] = array.reshape(other.shape)
        got = self._renamed(self.torch.gradients(self.torch_inputs, native, training))
        wanted_all = self.bridge.to_torch(self.keras.gradients(self.inputs, cotangents, training))
        wanted_all = {n: a for n, a in wanted_all.items() if n in got and n not in self.bridge.redundant}
        whole = math.sqrt(sum(float(np.sum(np.square(a, dtype=np.float64))) for a in wanted_all.values()))
        # Where a ReLU sits on its kink, rounding alone moves a gradient: PyTorch's own, from inputs moved by an ulp,
        # tells by how much.
        moved = [moved_by_an_ulp(array, rng) for array in self.torch_inputs]
        again = self._renamed(self.torch.gradients(moved, native, training))
        apart, worst = {}, 0.0
        for name, wanted in wanted_all.items():
            scale = max(float(np.linalg.norm(wanted)), 1e-5 * whole, 1e-30)
            # A gradient that is zero by structure is measured against the whole.
            scale = (
                whole if np.linalg.norm(wanted) < 1e-5 * whole and np.linalg.norm(got[name]) < 1e-4 * whole else scale
            )
            far = float(np.linalg.norm(got[name].astype(np.float64) - wanted)) / scale
            worst = max(worst, far)
            noise = float(np.linalg.norm(again[name].astype(np.float64) - got[name])) / scale
            if far > 10 * max(GRADIENT_LIMIT, noise):
                apart[name] = far
        if not apart:
            return (), worst
        return (self._first_gradient(apart, got, wanted_all, trace, theirs),), worst

    def _first_gradient(
        self, apart: Mapping[str, float], got: Arrays, wanted: Arrays, mine: Trace, theirs: Trace
    ) -> Finding:
        """Going backwards, the first layer whose gradient differs, and what stops or changes it."""
        order = [e.leaf for e in mine.events if e.leaf in self.fitting] or list(self.fitting)
        owner = {name: path for path in self.fitting for name in apart if name.startswith(f"{path}.") or name == path}
        last = max((order.index(path), path, name) for name, path in owner.items() if path in order)
        _, path, name = last
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
            return Finding("gradients", path, self.pairs[path], what, "stopped_gradient", apart[name], None, says, fix)
        if stops:
            side, stop = stops[0]
            says = f"{side} cuts the graph at {stop.where or stop.label}, and a part of the gradient with it"
            fix = {"torch": "take .detach() out, or add it", "keras": "add keras.ops.stop_gradient, or take it out"}
            return Finding("gradients", path, self.pairs[path], what, "stopped_gradient", apart[name], None, says, fix)
        return Finding("gradients", path, self.pairs[path], what, None, apart[name], tried=("stopped_gradient",))


def _added(arrays: Arrays, redundant_in: set[str]) -> Arrays:
    """An LSTM's two biases as the one that they add up to."""
    out = dict(arrays)
    for name in list(arrays):
        if name.startswith("bias_hh") and any(each.endswith(name) for each in redundant_in):
            out[name.replace("_hh", "_ih")] = arrays[name.replace("_hh", "_ih")] + out.pop(name)
    return out


def _same_calls(
    mine: Trace, theirs: Trace, keras: Sequence[Event], torch: Sequence[Event]
) -> list[tuple[Event, Event]]:
    """A shared layer's calls on both sides: those belong together that get the nearest values."""
    if len(keras) == len(torch) == 1:
        return [(keras[0], torch[0])]

    def far(one: Event, other: Event) -> float:
        if not one.inputs or not other.inputs or other.inputs[0] not in theirs.values:
            return 10.0
        return min(alignment.distance(mine.values[one.inputs[0]], theirs.values[other.inputs[0]])[0], 10.0)

    order = 1e-6  # decides where the values do not
    costs = [[far(k, t) + order * abs(i - j) for j, t in enumerate(torch)] for i, k in enumerate(keras)]
    rows, columns = linear_sum_assignment(np.array(costs)) if keras and torch else ((), ())
    return [(keras[i], torch[j]) for i, j in zip(rows, columns, strict=True)]
