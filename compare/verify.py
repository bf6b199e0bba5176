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

from compare import alignment, causes
from compare.causes import Candidate
from compare.pairing import pair
from twin.bridge import Arrays, Bridge, BridgeError, Leaf
from twin.errors import TwinError
from twin.trace import Event, Trace

SCHEMA = 1
LIMIT = 1e-5  # of one call from equal inputs in float32; what is right stays below 2e-6
GRADIENT_LIMIT = 1e-4
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
    def gradients(
        self, inputs: Sequence[np.ndarray], cotangents: Mapping[str, np.ndarray], training: bool
    ) -> Arrays: ...
    def statistics(self, inputs: Sequence[np.ndarray]) -> Arrays: ...


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
        fix: what to write, for either side.
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
    fix: Mapping[str, str] = field(default_factory=dict)
    tried: tuple[str, ...] = ()
    samples: Mapping[str, list[float]] = field(default_factory=dict)

    def line(self) -> str:
        """The finding as one line for a person."""
        place = self.torch if self.torch == self.keras or not self.keras else f"{self.keras} / {self.torch}"
        parts = [f"{place or 'the models'}: first difference ({RUNGS[self.rung]}). {self.what}."]
        if self.says:
            parts.append(f"{self.says}.")
        if self.after is not None:
            parts.append(f"With that, it agrees to {self.after:.1g}.")
        if not self.cause and self.tried:
            parts.append(f"Tried without success: {', '.join(self.tried)}.")
        if self.fix:
            parts.append(f"Fix: {self.fix.get('torch')}; or in Keras: {self.fix.get('keras')}")
        return " ".join(parts)


RUNGS = {
    "structure": "structure",
    "weights": "weights",
    "forward": "forward, inference mode",
    "training": "forward, training mode",
    "statistics": "running statistics",
    "gradients": "gradients",
    "loss": "loss",
    "optimizer": "optimizer",
}


@dataclass(frozen=True)
class Verdict:
    """What an examination found.

    Args:
        verdict: 'agree', 'differ', 'unpaired' or 'error'.
        pairs: the layers, Keras's and PyTorch's.
        findings: differences of the first rung that broke, in the order of execution.
        rungs: rung -> worst relative distance, of those that hold.
        notes: what else a person should know.
    """

    verdict: str
    pairs: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    rungs: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
            "fix": {"keras": first.fix.get("keras") if first else None, "torch": first.fix.get("torch") if first else None},
            "findings": [vars(finding) | {"fix": dict(finding.fix)} for finding in self.findings],
            "rungs": dict(self.rungs),
            "pairs": [{"keras": keras, "torch": torch} for keras, torch in self.pairs.items()],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Anchor:
    """A call of a Keras layer with weights and the call of its PyTorch partner."""

    path: str
    keras: Event
    torch: Event
    end: Event  # the PyTorch call that gives what Keras's layer gives: the layer's own, or the one that crops it


@dataclass
class Examination:
    """Two models, one input, and the way up the ladder.

    Args:
        keras: the Keras model.
        torch: the PyTorch model.
        inputs: in Keras's layout; of integers where the model embeds them.
        torch_inputs: the same in PyTorch's layout.
        weights: 'cross' to give PyTorch Keras's weights, 'back' to give Keras PyTorch's, 'own' to leave and compare both.
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
        traces = self._traced(False), self.torch.trace(self.torch_inputs, keep=())
        if not traces[1].events and traces[1].stopped:
            raise TwinError(f"the PyTorch model does not run on inputs {self._shapes()}: {traces[1].stopped}")
        self.pairs = pair(list(self.leaves.values()), list(self.native.values()), traces, self.given)
        rungs: dict[str, float] = {}

        self.tell("weights")
        findings = self._weights()
        if findings and findings[0].rung == "weights":
            return Verdict("differ", self.pairs, findings, rungs)
        rungs["weights"] = 0.0
        notes = []
        for rung, mode in (("forward", False), ("training", True)):
            if mode and not self.training:
                continue
            self.tell(RUNGS[rung])
            found, worst = self._forward(rung, mode)
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

    def _traced(self, training: bool) -> Trace:
        found = self.keras.trace(self.inputs, training)
        if found.stopped:
            raise TwinError(
                f"the Keras model cannot be followed call by call: {found.stopped}; its control flow may depend on the data"
            )
        return found

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
            keras, torch = _before_flatten(mine, a.inputs[0]), _before_flatten(theirs, b.inputs[0])
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
            says = "With reset_after=False the reset gate acts before the recurrent product, which torch.nn.GRU cannot do"
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
                given = _added(given, redundant_in={n for n in bridge.redundant})
                wanted = _added(wanted, redundant_in={n for n in bridge.redundant})
            far = {name: alignment.relative(given[name], wanted[name]) for name in wanted}
            name = max(far, key=lambda each: far[each])
            if far[name] <= 1e-6:
                continue
            cause, says, after, tried = causes.of_weights(
                given, wanted, {n: plain[leaf.full(n)] for n in leaf.shapes} if path in flatten else {}, leaf.kind
            )
            fix = {"torch": f"load {leaf.full(name)} as the bridge gives it: twin weights", "keras": "the same, backwards"}
            what = f"{leaf.full(name)} is not Keras's: relative L2 {far[name]:.2g}"
            out.append(Finding("weights", path, other, what, cause, far[name], after, says, fix, tried))
        return tuple(out)

    # Forward

    def _anchors(self, mine: Trace, theirs: Trace) -> list[Anchor]:
        """The calls of paired layers, in order; a shared layer's first call with its partner's first, and so on."""
        calls: dict[str, list[Event]] = {}
        for event in theirs.events:
            if event.family in ANCHORS and event.leaf:
                calls.setdefault(event.leaf, []).append(event)
        found = []
        for event in mine.events:
            if event.family in ANCHORS and event.leaf in self.pairs:
                rest = calls.get(self.pairs[event.leaf], [])
                if rest:
                    native = rest.pop(0)
                    found.append(Anchor(event.leaf, event, native, _cropped(theirs, native, mine.values[event.outputs[0]])))
        return found

    def _forward(self, rung: str, training: bool) -> tuple[tuple[Finding, ...], float]:
        """Differences in one mode, and the worst distance of a layer by itself."""
        mine = self._traced(training)
        theirs = self.torch.trace(self.torch_inputs, training)
        stopped = theirs.stopped
        comparison = Comparison(self, rung, training, self._in_torch_order(mine), self._anchors(mine, theirs), [])
        for _ in range(len(mine.events) + 1):
            comparison.theirs = theirs
            comparison.anchors = self._anchors(mine, theirs)
            comparison.dropouts = _dropouts(mine, theirs, comparison.anchors)
            forced = self.torch.trace(self.torch_inputs, training, **comparison.forced())
            grown = len(forced.events) > len(theirs.events)
            theirs = forced
            if not grown:
                break
        comparison.theirs = theirs
        found, worst = comparison.findings()
        if not found and theirs.stopped:
            found = (Finding(rung, "", "", f"the PyTorch model stops: {stopped or theirs.stopped}"),)
        return tuple(found), worst

    def _in_torch_order(self, mine: Trace) -> Trace:
        """Keras's trace with the values between a flatten and its Dense layer in PyTorch's order."""
        values = dict(mine.values)
        for event in mine.events:
            if event.leaf in self.flat and event.family == "dense":
                number = event.inputs[0]
                while values[number].ndim == 2 and _before_flatten(mine, number) is not None:
                    values[number] = np.ascontiguousarray(values[number][:, self.flat[event.leaf]])
                    number = mine.producers[number].inputs[0]
        return replace(mine, values=values)

    # Statistics and gradients

    def _statistics(self) -> tuple[tuple[Finding, ...], float]:
        """Running statistics after one batch; PyTorch's unbiased variance is allowed for, being no porter's mistake."""
        old = self._renamed(self.torch.dump())
        mine = self.bridge.to_torch(self.keras.statistics(self.inputs))
        theirs = self._renamed(self.torch.statistics(self.torch_inputs))
        trace = self._traced(True)
        found, worst = [], 0.0
        for path in self.fitting:
            name = f"{path}.running_mean"
            if name not in mine:
                continue
            event = next((e for e in trace.events if e.leaf == path), None)
            far = alignment.relative(theirs[name] - old[name], mine[name] - old[name])
            worst = max(worst, far if np.isfinite(far) else 0.0)
            if far <= GRADIENT_LIMIT or event is None:
                continue
            moved = np.linalg.norm(mine[name] - old[name]), np.linalg.norm(theirs[name] - old[name])
            keep = event.settings["keep"]
            share = (1 - keep) * moved[1] / moved[0] if moved[0] > 0 else 0.0
            after = alignment.relative((theirs[name] - old[name]) * (moved[0] / max(moved[1], 1e-30)), mine[name] - old[name])
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
                    "statistics", path, self.pairs[path], f"running mean after one batch: relative L2 {far:.2g} of its move",
                    cause, far, after if confirmed else None, says if confirmed else "", fix if confirmed else {},
                )
            )  # fmt: skip
        return tuple(found), worst

    def _gradients(self) -> tuple[tuple[Finding, ...], float]:
        """The gradient of every weight, of the sum of the outputs times random numbers."""
        training = self.training
        trace = self._traced(training)
        rng = np.random.default_rng(0)
        mine_out = {name: trace.values[number] for name, number in trace.outputs.items()}
        cotangents = {name: rng.standard_normal(v.shape).astype(np.float32) for name, v in mine_out.items()}
        theirs = self.torch.trace(self.torch_inputs, training)
        native = {}
        for (name, array), (torch_name, number) in zip(cotangents.items(), theirs.outputs.items(), strict=False):
            del name
            wanted = next(v for n, v in mine_out.items() if cotangents[n] is array)
            far, order = alignment.distance(wanted, theirs.values[number])
            same = order is not None and wanted.ndim == theirs.values[number].ndim
            native[torch_name] = np.ascontiguousarray(array.transpose(np.argsort(order)) if same else array.reshape(theirs.values[number].shape))
        got = self._renamed(self.torch.gradients(self.torch_inputs, native, training))
        wanted_all = self.bridge.to_torch(self.keras.gradients(self.inputs, cotangents, training))
        wanted_all = {n: a for n, a in wanted_all.items() if n in got and n not in self.bridge.redundant}
        whole = math.sqrt(sum(float(np.sum(np.square(a, dtype=np.float64))) for a in wanted_all.values()))
        apart, worst = {}, 0.0
        for name, wanted in wanted_all.items():
            scale = max(float(np.linalg.norm(wanted)), 1e-5 * whole, 1e-30)
            # A gradient that is zero by structure is measured against the whole.
            scale = whole if np.linalg.norm(wanted) < 1e-5 * whole and np.linalg.norm(got[name]) < 1e-4 * whole else scale
            far = float(np.linalg.norm(got[name].astype(np.float64) - wanted)) / scale
            worst = max(worst, far)
            if far > 10 * GRADIENT_LIMIT:
                apart[name] = far
        if not apart:
            return (), worst
        return (self._first_gradient(apart, got, wanted_all, trace, theirs),), worst

    def _first_gradient(
        self, apart: Mapping[str, float], got: Arrays, wanted: Arrays, mine: Trace, theirs: Trace
    ) -> Finding:
        """Going backwards, the first layer whose gradient differs, and what stops or changes it."""
        order = [e.leaf for e in mine.events if e.leaf in self.fitting]
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
            fix = {side_: f"take {name_} out" if (side_ == "torch") == (side == "PyTorch") else "cut it there too" for side_ in ("torch", "keras")}
            return Finding("gradients", path, self.pairs[path], what, "stopped_gradient", apart[name], None, says, fix)
        if stops:
            side, stop = stops[0]
            says = f"{side} cuts the graph at {stop.where or stop.label}, and a part of the gradient with it"
            fix = {"torch": "take .detach() out, or add it", "keras": "add keras.ops.stop_gradient, or take it out"}
            return Finding("gradients", path, self.pairs[path], what, "stopped_gradient", apart[name], None, says, fix)
        return Finding("gradients", path, self.pairs[path], what, None, apart[name], tried=("stopped_gradient",))


@dataclass
class Comparison:
    """One mode's two traces, PyTorch's with Keras's values at every pair of layers."""

    owner: Examination
    rung: str
    training: bool
    mine: Trace
    anchors: list[Anchor]
    dropouts: list[tuple[Event, Event]]
    theirs: Trace = field(init=False)

    def forced(self, extra: Sequence[dict[str, Any]] = (), arrays: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
        """The edits that feed each PyTorch layer, and whatever follows it, what Keras recorded there."""
        edits: list[dict[str, Any]] = []
        out: dict[str, np.ndarray] = {}
        for anchor in self.anchors:
            for place in range(len(anchor.torch.inputs)):
                value = self._incoming(anchor, place)
                if value is not None:
                    out[f"{anchor.torch.index}/input/{place}"] = value
            edits.append({"event": anchor.torch.index, "do": "input"})
            produced = self._produced(anchor)
            out |= {f"{anchor.end.index}/output/{place}": value for place, value in produced.items()}
            if produced:
                edits.append({"event": anchor.end.index, "do": "output"})
        for mine, theirs in self.dropouts:
            if mine.settings["active"] and theirs.settings["active"]:
                native = self.theirs.values.get(theirs.outputs[0])
                source = self.mine.values[mine.outputs[0]]
                out[f"{theirs.index}/output/0"] = self._like(source, native, self._origin(theirs))
                edits.append({"event": theirs.index, "do": "output"})
        return {"edits": [*edits, *extra], "arrays": out | dict(arrays or {})}

    def findings(self) -> tuple[list[Finding], float]:
        """Every difference by itself, in the order of execution, and the worst distance that was allowed."""
        found, worst, seen = [], 0.0, set()
        for anchor in self.anchors:
            far = self.entering(anchor, self.theirs)
            if far > LIMIT:
                found.append(self._between(anchor, far))
            worst = max(worst, far if far <= LIMIT else 0.0)
            far = self.leaving(anchor, self.theirs)
            if far > LIMIT and anchor.path not in seen:
                seen.add(anchor.path)
                found.append(self._inside(anchor, far))
            worst = max(worst, far if far <= LIMIT else 0.0)
        for mine, theirs in self.dropouts:
            if mine.settings["active"] and theirs.settings["active"] and mine.settings["rate"] != theirs.settings["rate"]:
                found.append(self._dropout_rate(mine, theirs))
        far = self.leaving_model(self.theirs)
        if far > LIMIT:
            found.append(self._between(None, far))
        places = {id(f): i for i, f in enumerate(found)}
        return sorted(found, key=lambda f: places[id(f)]), max(worst, far if far <= LIMIT else 0.0)

    # What enters and leaves

    def _incoming(self, anchor: Anchor, place: int) -> np.ndarray | None:
        """Keras's value for one input of the PyTorch call, in PyTorch's layout."""
        number = anchor.torch.inputs[place]
        native = self.theirs.values.get(number)
        if native is None:
            return None
        options = [(self.mine.values[n], abs(i - place)) for i, n in enumerate(anchor.keras.inputs)]
        options += [(v, 9) for n in anchor.keras.inputs if (v := _before_padding(self.mine, n)) is not None]
        # One side may pad in the layer, the other before it: then the value has another size, and its own flows on.
        fitting = [each for each in options if each[0].size == native.size]
        if not fitting:
            return None if _before_padding(self.theirs, number) is not None else self._other_size(anchor, options[0][0])
        best = min(fitting, key=lambda each: (alignment.distance(each[0], native)[0], each[1]))
        value = alignment.to_torch(best[0], native, anchor.torch.family)
        return value if value.ndim == native.ndim else None

    def _other_size(self, anchor: Anchor, value: np.ndarray) -> np.ndarray:
        """Keras's value where PyTorch's has another shape, in the layout that is usual for the layer."""
        return alignment.to_torch(value, None, anchor.torch.family)

    def entering(self, anchor: Anchor, theirs: Trace) -> float:
        """How far what enters the PyTorch layer is from what enters Keras's."""
        worst = 0.0
        for number in anchor.torch.inputs:
            native = theirs.values.get(number)
            if native is None:
                continue
            natives = [native, _before_padding(theirs, number)]
            options = [each for n in anchor.keras.inputs for each in (self.mine.values[n], _before_padding(self.mine, n))]
            worst = max(
                worst,
                min(
                    alignment.distance(option, each)[0]
                    for option in options
                    for each in natives
                    if option is not None and each is not None
                ),
            )
        return worst

    def leaving(self, anchor: Anchor, theirs: Trace) -> float:
        """How far the PyTorch layer's output from Keras's input is from Keras's output."""
        wanted = self.mine.values[anchor.keras.outputs[0]]
        return min((alignment.distance(wanted, value)[0] for value in self._results(anchor, theirs)), default=float("inf"))

    def leaving_model(self, theirs: Trace) -> float:
        """How far the model's outputs are from Keras's."""
        if not theirs.outputs:
            return 0.0 if theirs.stopped else float("inf")
        pairs = list(zip(self._output_numbers(), theirs.outputs.values(), strict=False))
        return max((alignment.distance(self.mine.values[a], theirs.values[b])[0] for a, b in pairs), default=0.0)

    def _output_numbers(self) -> list[int]:
        names = self.theirs.outputs
        if set(names) == set(self.mine.outputs):
            return [self.mine.outputs[name] for name in names]
        return list(self.mine.outputs.values())

    def _results(self, anchor: Anchor, theirs: Trace) -> list[np.ndarray]:
        """The values in which a PyTorch layer may give what Keras's gives: a recurrent one has several."""
        values = [theirs.computed.get(n, theirs.values[n]) for n in anchor.end.outputs if n in theirs.values]
        if anchor.torch.family not in ("lstm", "gru", "rnn") or not values:
            return values[:1]
        sequence, state = values[0], values[1]
        if anchor.keras.settings.get("sequences"):
            return [sequence]
        return [state.swapaxes(0, 1).reshape(state.shape[1], -1)]

    def _produced(self, anchor: Anchor) -> dict[int, np.ndarray]:
        """Keras's output in PyTorch's layout, by place among the outputs."""
        wanted = self.mine.values[anchor.keras.outputs[0]]
        natives = [self.theirs.values.get(number) for number in anchor.end.outputs]
        if anchor.torch.family in ("lstm", "gru", "rnn"):
            return self._produced_sequence(anchor, wanted, natives)
        return {0: self._like(wanted, natives[0], anchor.torch.family)}

    def _produced_sequence(self, anchor: Anchor, wanted: np.ndarray, natives: list[Any]) -> dict[int, np.ndarray]:
        sequence, state = natives[0], natives[1]
        if sequence is None or state is None:
            return {}
        if anchor.keras.settings.get("sequences"):
            value = self._like(wanted, sequence, anchor.torch.family)
            return {0: value} if value.shape == sequence.shape else {}
        directions = state.shape[0]
        if wanted.size != state.size:
            return {}
        last = wanted.reshape(wanted.shape[0], directions, -1).swapaxes(0, 1)
        return {1: np.ascontiguousarray(last)}

    def _like(self, keras: np.ndarray, torch: np.ndarray | None, family: str) -> np.ndarray:
        return alignment.to_torch(keras, torch, family)

    def _origin(self, event: Event) -> str:
        """The family of the call whose layout a value has."""
        while event.family not in alignment.CHANNELS_FIRST and event.inputs:
            producer = self.theirs.producers.get(event.inputs[0])
            if producer is None or producer.family in ("shape", "dense"):
                break
            event = producer
        return event.family

    # Why

    def trial(self, anchor: Anchor | None, edits: Sequence[dict[str, Any]], arrays: Mapping[str, np.ndarray], inside: bool) -> float:
        """The distance with some edits."""
        theirs = self.owner.torch.trace(self.owner.torch_inputs, self.training, **self.forced(edits, arrays))
        if theirs.stopped:
            return float("inf")
        if anchor is None:
            return self.leaving_model(theirs)
        return self.leaving(anchor, theirs) if inside else self.entering(anchor, theirs)

    def _settle(
        self, candidates: Sequence[Candidate], anchor: Anchor | None, inside: bool, before: float, finding: Finding
    ) -> Finding:
        """The finding with the first cause that makes both agree, or with all that were tried."""
        tried = []
        for candidate in candidates:
            after = self.trial(anchor, candidate.edits, candidate.arrays, inside) if candidate.edits else None
            if after is None or after <= max(LIMIT, 0.01 * before):
                if after is not None and after > LIMIT:
                    tried.append(f"{candidate.cause} ({after:.1g} left)")
                    continue
                return replace(
                    finding, cause=candidate.cause, after=after, says=candidate.says, fix=candidate.fix, tried=tuple(tried)
                )
            tried.append(candidate.cause)
        return replace(finding, tried=tuple(tried))

    def _inside(self, anchor: Anchor, far: float) -> Finding:
        """A layer that differs from equal inputs."""
        what = f"from equal inputs its output is {_far(far)}"
        finding = Finding(self.rung, anchor.path, self.owner.pairs[anchor.path], what, before=far)
        results = self._results(anchor, self.theirs)
        wanted = self.mine.values[anchor.keras.outputs[0]]
        leaf = self.owner.leaves[anchor.path], self.owner.native[self.owner.pairs[anchor.path]]
        if results and results[0].size != wanted.size:
            finding = replace(finding, what=f"its output has shape {results[0].shape}, Keras's {wanted.shape}", before=None)
        finding = self._settle(
            causes.of_layer(anchor.keras, anchor.torch, leaf, wanted, results[0] if results else None, self._pad(anchor)),
            anchor, True, far if math.isfinite(far) else 1.0, finding,
        )  # fmt: skip
        if finding.cause is None:
            samples = {"keras_output": wanted, "torch_output": results[0] if results else np.array([])}
            samples["input"] = self.mine.values[anchor.keras.inputs[0]]
            finding = replace(finding, samples={n: [float(x) for x in v.ravel()[:6]] for n, v in samples.items()})
        return finding

    def _pad(self, anchor: Anchor) -> Event | None:
        """The PyTorch call that pads right before a layer."""
        event = self.theirs.producers.get(anchor.torch.inputs[0]) if anchor.torch.inputs else None
        return event if event is not None and event.settings.get("name") == "pad" else None

    def _between(self, anchor: Anchor | None, far: float) -> Finding:
        """Calls without weights that differ, before a layer or before the output."""
        ends = (anchor.keras.inputs, anchor.torch.inputs) if anchor else (self._output_numbers(), list(self.theirs.outputs.values()))
        a, b = _segment(self.mine, ends[0], self.anchored(0)), _segment(self.theirs, ends[1], self.anchored(1))
        values = list(self.theirs.values.values())
        matched = {e.index: self._found(self.mine.values[e.outputs[0]], values) for e in a}
        known = [self.mine.values[n] for e in a for n in (*e.outputs, *e.inputs)] + [self.mine.values[n] for n in ends[0]]
        first = next((e for e in a if not matched[e.index] and not causes.neutral(e)), None)
        other = next(
            (e for e in b if not causes.neutral(e) and not self._found(self.theirs.values[e.outputs[0]], known)), None
        )
        at = anchor.path if anchor else "the output"
        names = [self._name(event, side, anchor) for side, event in ((0, first), (1, other))]
        finding = Finding(self.rung, names[0], names[1], f"what enters {at} is {_far(far)}", before=far)
        wanted = None
        if first is not None:
            wanted = self.mine.values[first.outputs[0]]
        source = None
        if other is not None and other.inputs:
            source = self.theirs.values.get(other.inputs[0])
        last = next((e for e in reversed(b) if e.family == "shape"), None)
        situation = causes.Situation(
            first,
            other,
            wanted,
            source,
            anchor.torch if anchor else None,
            self._follows(anchor, other),
            self._replacements(first, other, anchor),
            self._end(self.theirs.producers.get(next(iter(ends[1]), -1)) if b else None, ends),
            last,
            self._after_sequence(other),
            self._rearranged(first),
        )
        candidates = causes.of_calls(situation)
        return self._settle(candidates, anchor, False, far if math.isfinite(far) else 1.0, finding)

    def anchored(self, side: int) -> set[int]:
        """Numbers of the values that come out of paired layers."""
        events = [anchor.keras if side == 0 else anchor.end for anchor in self.anchors]
        return {number for event in events for number in event.outputs}

    def _found(self, value: np.ndarray, values: Sequence[np.ndarray]) -> bool:
        return any(alignment.distance(value, other)[0] <= LIMIT for other in values if other.size == value.size)

    def _name(self, event: Event | None, side: int, anchor: Anchor | None) -> str:
        if event is not None:
            return event.label
        if anchor is None:
            return "the output"
        return anchor.path if side == 0 else self.owner.pairs[anchor.path]

    def _replacements(self, first: Event | None, other: Event | None, anchor: Anchor | None) -> list[causes.Replacement]:
        """PyTorch's calls whose output could become what Keras's call gives: its counterpart, and those before it."""
        if first is None:
            return []
        wanted = self.mine.values[first.outputs[0]]
        found = []
        if other is not None:
            native = self.theirs.values.get(other.outputs[0])
            found.append(causes.Replacement(other, self._like(wanted, native, self._origin(other)), instead=True))
        sources = [self.mine.values[number] for number in first.inputs]
        for event in reversed(self.theirs.events):
            native = self.theirs.values.get(event.outputs[0])
            if native is None or (anchor is not None and event.index >= anchor.torch.index):
                continue
            if any(s.size == native.size and alignment.distance(s, native)[0] <= LIMIT for s in sources):
                value = self._like(wanted, native, self._origin(event))
                found.append(causes.Replacement(event, value, instead=False))
        return found

    def _end(self, event: Event | None, ends: Any) -> causes.Replacement | None:
        """PyTorch's call made to give what enters Keras's next layer."""
        if event is None:
            return None
        native = self.theirs.values.get(event.outputs[0])
        wanted = [self.mine.values[number] for number in ends[0]]
        fitting = [value for value in wanted if native is not None and value.size == native.size]
        if not fitting:
            return None
        return causes.Replacement(event, self._like(fitting[0], native, self._origin(event)), instead=True)

    def _rearranged(self, event: Event | None) -> tuple[int, ...] | None:
        """The shape in which Keras's call takes a value that PyTorch has, but in no such arrangement."""
        values = list(self.theirs.values.values())
        for number in event.inputs if event is not None else ():
            producer = self.mine.producers.get(number)
            if producer is None or producer.family != "shape" or self._found(self.mine.values[number], values):
                continue
            source = self.mine.values[producer.inputs[0]] if producer.inputs else None
            while producer is not None and producer.family == "shape" and producer.inputs:
                source = self.mine.values[producer.inputs[0]]
                producer = self.mine.producers.get(producer.inputs[0])
            if source is not None and self._found(source, values):
                return self.mine.values[number].shape
        return None

    def _after_sequence(self, event: Event | None) -> bool:
        """Whether a PyTorch call picks from a recurrent layer of which Keras passes on the last step."""
        if event is None or not event.inputs:
            return False
        source = self.theirs.producers.get(event.inputs[0])
        keras = next((a.keras for a in self.anchors if source is not None and a.torch.index == source.index), None)
        return keras is not None and keras.family in ("lstm", "gru", "rnn") and not keras.settings["sequences"]

    def _follows(self, anchor: Anchor | None, other: Event | None) -> bool:
        """Whether Keras makes right after the layer the call that PyTorch makes right before it."""
        if anchor is None or other is None:
            return False
        after = [e for e in self.mine.events if anchor.keras.outputs[0] in e.inputs]
        return any(e.family == other.family and e.settings.get("name") == other.settings.get("name") for e in after)

    def _dropout_rate(self, mine: Event, theirs: Event) -> Finding:
        rates = mine.settings["rate"], theirs.settings["rate"]
        says = f"Keras drops {rates[0]:g} of the values, PyTorch {rates[1]:g}"
        fix = {"torch": f"torch.nn.Dropout({rates[0]:g})", "keras": f"keras.layers.Dropout({rates[1]:g})"}
        return Finding(
            self.rung, mine.label, theirs.label, "the dropout rates are not equal", "dropout_rate", abs(rates[0] - rates[1]), 0.0, says, fix
        )  # fmt: skip


def _cropped(trace: Trace, event: Event, wanted: np.ndarray) -> Event:
    """The call that cuts a layer's output to the wanted size, or the layer's own."""
    value = trace.values.get(event.outputs[0])
    if event.family == "conv_transpose" and value is not None and value.size != wanted.size:
        for later in trace.events[event.index + 1 :]:
            cut = trace.values.get(later.outputs[0])
            if later.inputs[:1] == event.outputs[:1] and cut is not None and cut.size == wanted.size:
                return later
    return event


def _dropouts(mine: Trace, theirs: Trace, anchors: Sequence[Anchor]) -> list[tuple[Event, Event]]:
    """Dropout calls that belong together: those that follow the same pair of layers, in order."""
    out = []
    for side, trace in ((0, mine), (1, theirs)):
        places = {(a.keras if side == 0 else a.torch).index: number for number, a in enumerate(anchors)}
        found: dict[tuple[int, int], Event] = {}
        last = -1
        for event in trace.events:
            last = places.get(event.index, last)
            if event.family == "dropout":
                found[last, sum(key[0] == last for key in found)] = event
        out.append(found)
    return [(event, out[1][key]) for key, event in out[0].items() if key in out[1]]


def _segment(trace: Trace, ends: Sequence[int], stops: set[int]) -> list[Event]:
    """The calls between the values `ends` and the nearest paired layers, in the order of execution."""
    found: dict[int, Event] = {}
    todo = list(ends)
    while todo:
        number = todo.pop()
        event = trace.producers.get(number)
        if event is None or number in stops or event.index in found:
            continue
        found[event.index] = event
        todo += event.inputs
    return [found[index] for index in sorted(found)]


def _before_flatten(trace: Trace, number: int) -> np.ndarray | None:
    """The value that a row of features was flattened from, if it had axes of space."""
    for _ in range(len(trace.events)):
        event = trace.producers.get(number)
        if event is None or event.family not in ("shape", "activation", "dropout") or not event.inputs:
            return None
        source = trace.values.get(event.inputs[0])
        if event.family == "shape" and source is not None and source.ndim > 2 and trace.values[number].ndim == 2:
            return source if trace.values[number].shape[0] == source.shape[0] else None
        number = event.inputs[0]
    return None


def _before_padding(trace: Trace, number: int) -> np.ndarray | None:
    """What a padded value was before."""
    event = trace.producers.get(number)
    if event is not None and event.settings.get("name") == "pad" and event.inputs:
        return trace.values.get(event.inputs[0])
    return None


def _added(arrays: Arrays, redundant_in: set[str]) -> Arrays:
    """An LSTM's two biases as the one that they add up to."""
    out = dict(arrays)
    for name in list(arrays):
        if name.startswith("bias_hh") and any(each.endswith(name) for each in redundant_in):
            out[name.replace("_hh", "_ih")] = arrays[name.replace("_hh", "_ih")] + out.pop(name)
    return out


def _far(far: float) -> str:
    return f"{far:.2g} away (relative L2)" if math.isfinite(far) else "of another shape or order"

