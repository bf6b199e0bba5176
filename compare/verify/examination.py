"""`twin verify`: do two models agree, and where they do not, where they first differ and why.

The whole decides, the parts explain: weights cross, and both models run end to end (compare.verify.whole). Only what
does not agree is then searched for the place: every call of both is written down (twin.trace), and PyTorch's pass is
repeated with Keras's recorded values at every pair of layers, so that each layer is fed the same input and the layer
that is named is the one at fault, not the one after it (compare.verify.comparison).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from compare.verify import axes as alignment
from compare.verify import causes, dropout
from compare.verify.comparison import Anchor, Both, Comparison, before_flatten, cropped, dropout_pairs
from compare.verify.crossing import Crossing, perturbed
from compare.verify.pairing import Pairing
from compare.verify.parts import Part
from compare.verify.subject import Subject
from compare.verify.verdict import GRADIENT_LIMIT, RUNGS, Finding, Verdict, far_in_words
from compare.verify.whole import Whole, apart_in_gradients
from twin.bridge import Arrays, Leaf
from twin.errors import TwinError
from twin.trace import Event, Trace

ANCHORS = {
    "dense", "conv", "conv_transpose", "batch_norm", "layer_norm", "group_norm", "rms_norm", "embedding", "lstm", "gru",
    "rnn", "attention",
}  # fmt: skip
NORMS = {"batch_norm", "layer_norm", "group_norm", "rms_norm"}


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
        tell: called with a word on what happens.
        perturb: whether fresh constant arrays of Keras's are moved first.
    """

    keras: Subject
    torch: Subject
    inputs: Sequence[np.ndarray]
    torch_inputs: Sequence[np.ndarray]
    weights: str = "cross"
    given: Mapping[str, str] = field(default_factory=dict)
    training: bool = True
    tell: Callable[[str], None] = lambda word: None
    perturb: bool = True
    leaves: dict[str, Leaf] = field(default_factory=dict, init=False)
    native: dict[str, Leaf] = field(default_factory=dict, init=False)
    pairing: Pairing = field(default_factory=lambda: Pairing(()), init=False)
    flat: dict[str, np.ndarray] = field(default_factory=dict, init=False)  # Dense path -> order of its inputs
    traced: dict[tuple[str, bool], Trace] = field(default_factory=dict, init=False)

    def run(self) -> Verdict:
        """Go up the ladder, and stop at the first rung that breaks.

        Raises:
            Unpaired: when layers have no partner.
            TwinError: when a model cannot run on the input.
        """
        self.tell("pairing the layers")
        self.leaves = {leaf.path: leaf for leaf in self.keras.leaves()}
        self.native = {leaf.path: leaf for leaf in self.torch.leaves()}
        if self.perturb and self.weights == "cross":
            self.keras.load(perturbed(self.keras.leaves(), self.keras.dump()))
        theirs = self.torch.trace(self.torch_inputs, keep=())
        if not theirs.events and theirs.stopped:
            raise TwinError(
                f"the PyTorch model does not run on inputs {self._shapes()}: {theirs.stopped}; "
                "give their shape with --torch-input"
            )
        mine = self._mine(False)
        whole = Whole(self.keras, self.torch, self.inputs, self.torch_inputs)
        own = self.torch.dump() if self.weights == "own" else {}
        sides = list(self.leaves.values()), list(self.native.values())
        crossing = Crossing(whole, self.weights == "back", sides, self.given, (mine, theirs))
        self.pairing, far = crossing.find()
        if self.weights == "back":
            self.traced.clear()
        self.flat = {}
        notes = [*self._notes(mine)]
        structure = self._structure(mine)
        if own:
            unequal = self._unequal(own)
            self.torch.load(own)
            if unequal:
                return self._verdict("differ", unequal, {}, notes)
            far = whole.apart(False)
        return self._climb(whole, far, structure, notes)

    def _climb(self, whole: Whole, far: float, structure: tuple[Finding, ...], notes: list[str]) -> Verdict:
        """From the outputs in inference mode to the gradients."""
        rungs: dict[str, float] = {"weights": 0.0}
        unusable = whole.unusable() if math.isfinite(far) or far != far else {"Keras": [], "PyTorch": []}
        if any(unusable.values()):
            return self._verdict("differ", (_not_numbers(unusable),), rungs, notes)
        self.tell(RUNGS["forward"])
        if far > whole.limit(False) or structure:
            found = self._local("forward", False, far) if far > whole.limit(False) else ()
            return self._verdict("differ", self._in_order(found, structure), rungs, notes)
        found = self._dropping()
        if found:
            return self._verdict("differ", found, rungs, notes)
        rungs["forward"] = far
        if self.training:
            self.tell(RUNGS["training"])
            found, worst = self._training(whole)
            if found:
                return self._verdict("differ", found, rungs, notes)
            rungs["training"] = worst
            self.tell(RUNGS["statistics"])
            found, worst = self._statistics(whole)
            if found:
                return self._verdict("differ", found, rungs, notes)
            rungs["statistics"] = worst
        self.tell(RUNGS["gradients"])
        found, worst = self._gradients(whole)
        if found:
            return self._verdict("differ", found, rungs, notes)
        rungs["gradients"] = worst
        return self._verdict("agree", (), rungs, [*notes, *self._unlike()])

    def _verdict(
        self, word: str, found: Sequence[Finding], rungs: Mapping[str, float], notes: Sequence[str]
    ) -> Verdict:
        return Verdict(word, self.pairing.shown, tuple(found), rungs, tuple(notes))

    # Traces: one for each mode

    def _mine(self, training: bool) -> Trace:
        if ("keras", training) not in self.traced:
            self.traced["keras", training] = self.keras.trace(self.inputs, training)
        return self.traced["keras", training]

    def _theirs(self, training: bool) -> Trace:
        if ("torch", training) not in self.traced:
            self.traced["torch", training] = self.torch.trace(self.torch_inputs, training)
        return self.traced["torch", training]

    def _notes(self, trace: Trace) -> tuple[str, ...]:
        """What keeps this examination from going call by call, or from being repeated."""
        notes = []
        if trace.stopped:
            notes.append(
                "the Keras model cannot be followed call by call, so that no layer can be named: its control flow "
                f"depends on the data, or it computes outside keras.ops ({trace.stopped})"
            )
        for name, side, inputs in (("Keras", self.keras, self.inputs), ("PyTorch", self.torch, self.torch_inputs)):
            try:
                first, second = (side.outputs(inputs, training=False) for _ in range(2))
            except (TwinError, RuntimeError, ValueError, IndexError, TypeError):
                continue
            if any(not np.array_equal(first[each], second[each], equal_nan=True) for each in first):
                notes.append(f"the {name} model is random in inference mode: two passes on one input differ")
        return tuple(notes)

    def _shapes(self) -> str:
        return ", ".join(str(array.shape) for array in self.torch_inputs)

    def _in_order(self, found: Sequence[Finding], misfits: Sequence[Finding]) -> tuple[Finding, ...]:
        """A layer of another shape comes first, unless what differs before it explains its shape."""
        if not misfits:
            return tuple(found)
        places = {path: place for place, path in enumerate(self.leaves)}
        first = min(places.get(finding.keras, len(places)) for finding in misfits)
        before = [f for f in found if places.get(f.keras.split(" ")[0], len(places)) < first]
        return (*before, *misfits)

    def _unlike(self) -> list[str]:
        """Settings that differ and do not show on these inputs, and arrays that only one side has."""
        notes = []
        settings = [
            {event.leaf: event.settings for event in trace.events if event.leaf}
            for trace in (self._mine(False), self._theirs(False))
        ]
        for path, other in self.pairing.layers.items():
            one, two = settings[0].get(path, {}).get("epsilon"), settings[1].get(other, {}).get("epsilon")
            if one is not None and two is not None and not math.isclose(one, two, rel_tol=1e-3):
                notes.append(
                    f"{other}: eps={two:g}, Keras has epsilon={one:g}; it does not show on these inputs, and would on "
                    f"values of a variance near {100 * max(one, two):.1g}"
                )
        alone = [each for each in self.pairing.alone if each.part.trainable]
        return notes + [
            f"only {each.side} has {each.part.path} ({each.role}); it changes nothing here" for each in alone
        ]

    # Structure and weights

    def _structure(self, mine: Trace) -> tuple[Finding, ...]:
        """Layers whose arrays do not fit, biases that only one side has, layers of which one side has a copy."""
        out = [self._misfit(one, other) for one, other in self.pairing.misfits]
        partner = self.pairing.layers | {other: path for path, other in self.pairing.layers.items()}
        normed = {leaf for leaf, place in _followed(mine).items() if place in NORMS}
        for each in self.pairing.alone:
            path = each.part.leaf.path
            if each.role not in ("bias", "recurrent_bias") or path not in partner:
                continue
            keras = path if each.side == "Keras" else partner[path]
            if self.leaves[keras].options.get("reset_after") is False:
                match = next(m for m in self.pairing.matches if m.keras[0].leaf.path == keras)
                out.append(self._misfit(match.keras[0], match.torch[0]))
                continue
            if self.leaves[keras].options.get("reset_after") is False:
                match = next(m for m in self.pairing.matches if m.keras[0].leaf.path == keras)
                out.append(self._misfit(match.keras[0], match.torch[0]))
                normed.add(keras)
                continue
            if keras not in normed and all(finding.keras != keras for finding in out):
                out.append(self._missing_bias(each.side, path, partner[path]))
        for side, served, by in self.pairing.shared:
            other = {"Keras": "PyTorch", "PyTorch": "Keras"}[side]
            says = f"{side} has two layers here, {by.path} and {served.path}; {other} calls one twice"
            fix = {"torch": f"call {by.leaf.path} in place of {served.leaf.path}", "keras": "the same, backwards"}
            at, beside = served.leaf.path, partner.get(by.leaf.path, "")
            paths = (at, beside) if side == "Keras" else (beside, at)
            out.append(
                Finding("structure", *paths, f"{served.path} is not shared", "unshared_weights", says=says, fix=fix)
            )
        return tuple(out)

    def _missing_bias(self, side: str, path: str, partner: str) -> Finding:
        keras, torch = (path, partner) if side == "Keras" else (partner, path)
        has = side == "Keras"
        which = "PyTorch" if has else "Keras"
        fix = {"keras": f"use_bias={not has}", "torch": f"bias={has}"}
        shapes = [f"{n} {tuple(s)}" for n, s in self.leaves[keras].shapes.items()]
        theirs = [f"{n} {tuple(s)}" for n, s in self.native[torch].shapes.items()]
        what = f"Keras has {', '.join(shapes)}, PyTorch {', '.join(theirs)}"
        return Finding("structure", keras, torch, what, "missing_bias", says=f"{which} has no bias here", fix=fix)

    def _misfit(self, one: Part, other: Part) -> Finding:
        path, native = one.leaf.path, other.leaf.path
        shapes = [f"{n} {tuple(s)}" for n, s in one.leaf.shapes.items()]
        theirs = [f"{n} {tuple(s)}" for n, s in other.leaf.shapes.items()]
        what = f"Keras has {', '.join(shapes)}, PyTorch {', '.join(theirs)}"
        if one.kind == "gru" and one.leaf.options.get("reset_after") is False:
            fix = {"keras": "keras.layers.GRU(..., reset_after=True)", "torch": "no torch.nn.GRU computes this"}
            says = (
                "With reset_after=False the reset gate acts before the recurrent product, which torch.nn.GRU cannot do"
            )
            return Finding("structure", path, native, what, "gru_reset_after", says=says, fix=fix)
        return Finding("structure", path, native, what, "shape")

    def _unequal(self, own: Arrays) -> tuple[Finding, ...]:
        """Arrays that are not the same on both sides, with what would make them so."""
        mine = self.keras.dump()
        carried = self.pairing.to_torch(mine, own)
        plain = self.pairing.plain().to_torch(mine, own)
        added = {link.torch.plus: link.torch.name for link in self.pairing.links if link.torch.plus}
        out = []
        for path, other in self.pairing.layers.items():
            leaf = self.native[other]
            names = {name: leaf.full(name) for name in leaf.shapes if leaf.full(name) in carried}
            given = {name: own[full] for name, full in names.items() if full not in added}
            wanted = {name: carried[full] for name, full in names.items() if full not in added}
            for full in names.values():
                if full in added:
                    partner = next(n for n, f in names.items() if f == added[full])
                    given[partner] = given[partner] + own[full]
            far = {name: alignment.relative(given[name], wanted[name]) for name in wanted}
            if not far:
                continue
            name = max(far, key=lambda each: far[each])
            if far[name] <= 1e-6:
                continue
            unflattened = {n: plain[f] for n, f in names.items() if f not in added}
            flat = any(alignment.relative(unflattened[n], wanted[n]) > 0 for n in unflattened)
            cause, says, after, tried = causes.of_weights(given, wanted, unflattened if flat else {}, leaf.kind)
            fix = {
                "torch": f"load {leaf.full(name)} as the bridge gives it: twin weights",
                "keras": "the same, backwards",
            }
            what = f"{leaf.full(name)} is not Keras's: relative L2 {far[name]:.2g}"
            out.append(Finding("weights", path, other, what, cause, far[name], after, says, fix, tried))
        return tuple(out)

    # Forward

    def _local(self, rung: str, training: bool, far: float) -> tuple[Finding, ...]:
        """Where the outputs part, in one mode; the outputs themselves where no place shows."""
        found: tuple[Finding, ...] = ()
        if not self._mine(training).stopped:
            found, _ = self._forward(rung, training)
        if found:
            return found
        stopped = self._theirs(training).stopped
        what = f"the PyTorch model stops: {stopped}" if stopped else f"the outputs are {far_in_words(far)}"
        return (Finding(rung, "the output", "the output", what, None, far if math.isfinite(far) else None),)

    def _anchors(self, mine: Trace, theirs: Trace) -> list[Anchor]:
        """The calls of paired layers, in Keras's order of execution."""
        calls: tuple[dict[str, list[Event]], ...] = ({}, {})
        for found, trace in zip(calls, (mine, theirs), strict=True):
            for event in trace.events:
                if event.family in ANCHORS and event.leaf:
                    found.setdefault(event.leaf, []).append(event)
        anchors = [
            Anchor(path, keras, torch, cropped(theirs, torch, mine.values[keras.outputs[0]]))
            for path, other in self.pairing.layers.items()
            for keras, torch in _same_calls(mine, theirs, calls[0].get(path, []), calls[1].get(other, []))
            if keras.outputs and torch.outputs and keras.inputs and torch.inputs and not torch.settings.get("packed")
        ]
        return sorted(anchors, key=lambda anchor: anchor.keras.index)

    def _forward(self, rung: str, training: bool) -> tuple[tuple[Finding, ...], float]:
        """Differences in one mode, and the worst distance of a layer by itself."""
        mine = self._mine(training)
        theirs = self._theirs(training)
        stopped = theirs.stopped
        both = Both(self.torch, self.torch_inputs, self.pairing.layers, self.leaves, self.native)
        comparison = Comparison(
            both, rung, training, self._in_torch_order(mine, theirs), self._anchors(mine, theirs), []
        )
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

    def _in_torch_order(self, mine: Trace, theirs: Trace) -> Trace:
        """Keras's trace with the values between a flatten and its Dense layer in PyTorch's order."""
        flat = {}
        for match in self.pairing.matches:
            for link in match.links:
                if link.role == "kernel" and 0 in link.torch.places:
                    flat[match.keras[0].leaf.path] = np.argsort(link.torch.places[0])
        values = dict(mine.values)
        for event in mine.events:
            if event.leaf in flat and event.family == "dense":
                number = event.inputs[0]
                while values[number].ndim == 2 and before_flatten(mine, number) is not None:
                    values[number] = np.ascontiguousarray(values[number][:, flat[event.leaf]])
                    number = mine.producers[number].inputs[0]
        return replace(mine, values=values)

    # Dropout and training mode

    def _dropping(self) -> tuple[Finding, ...]:
        """Dropout that one side applies in inference mode."""
        dropped = self.keras.dropped(self.inputs, False), self.torch.dropped(self.torch_inputs, False)
        if len(dropped[0]) == len(dropped[1]):
            return ()
        found = () if self._mine(False).stopped else self._forward("forward", False)[0]
        return found or (dropout.in_inference((len(dropped[0]), len(dropped[1]))),)

    def _training(self, whole: Whole) -> tuple[tuple[Finding, ...], float]:
        """The outputs in training mode with draws made equal, and what each side would drop."""
        far = whole.apart(True)
        if far > whole.limit(True):
            masked = whole.apart(True, masks=True)
            if masked <= whole.limit(True):
                whole.masks = True
                return (), masked
            return self._local("training", True, far), far
        mine, theirs = (
            dropout.drops(side.dropped(inputs))
            for side, inputs in ((self.keras, self.inputs), (self.torch, self.torch_inputs))
        )
        if sorted(mine) == sorted(theirs) or whole.apart(True, masks=True) <= whole.limit(True):
            return (), far
        if len(mine) != len(theirs) and not self._mine(True).stopped:
            found = self._forward("training", True)[0]
            if found:
                return found, far
        events = dropout.active(self._mine(True).events), dropout.active(self._theirs(True).events)
        finding = dropout.difference(mine, theirs, events)
        return ((finding,) if finding else ()), far

    # Statistics and gradients

    def _statistics(self, whole: Whole) -> tuple[tuple[Finding, ...], float]:
        """Running statistics after one batch; PyTorch's unbiased variance is allowed for, being no porter's mistake."""
        old = self.torch.dump()
        keras = self.keras.statistics(self.inputs, whole.masks)
        theirs = self.torch.statistics(self.torch_inputs, whole.masks)
        mine = self.pairing.to_torch(self.keras.dump() | keras, old)
        theirs = old | theirs
        trace = self._mine(True)
        found: list[Finding] = []
        worst = 0.0
        for path, other in self.pairing.layers.items():
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
            native = self.native[other]
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

    def _gradients(self, whole: Whole) -> tuple[tuple[Finding, ...], float]:
        """The gradient of every weight, of the sum of the outputs times random numbers.

        Where the input of a ReLU is close to zero, rounding alone changes a gradient. By how much is measured on
        PyTorch's own gradient, from inputs perturbed by one ulp.
        """
        found = whole.gradients(self.pairing.links, self.training)
        apart, worst = apart_in_gradients(found)
        if not apart:
            return (), worst
        got = {link.torch.name: other for link, _, other, _ in found}
        wanted = {link.torch.name: one for link, one, _, _ in found}
        return (self._first_gradient(apart, got, wanted),), worst

    def _first_gradient(self, apart: Mapping[str, float], got: Arrays, wanted: Arrays) -> Finding:
        """Going backwards, the first layer whose gradient differs, and what stops or changes it."""
        mine, theirs = self._mine(self.training), self._theirs(self.training)
        order = [e.leaf for e in mine.events if e.leaf in self.leaves] or list(self.leaves)
        owner = {link.torch.name: match.keras[0].leaf.path for match in self.pairing.matches for link in match.links}
        ranked = [(order.index(owner[n]) if owner[n] in order else -1, owner[n], n) for n in apart]
        _, path, name = max(ranked)
        partner = next(m.torch[0].leaf.path for m in self.pairing.matches if m.keras[0].leaf.path == path)
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


def _followed(trace: Trace) -> dict[str, str]:
    """The family of the first call with weights or effect that takes a layer's output, by the layer's path."""
    out = {}
    for event in trace.events:
        if event.leaf and event.outputs:
            consumers = [e for e in trace.events if event.outputs[0] in e.inputs and e.family != "shape"]
            out[event.leaf] = consumers[0].family if len(consumers) == 1 else ""
    return out


def _not_numbers(unusable: Mapping[str, Sequence[str]]) -> Finding:
    """A finding on outputs that are infinite or not numbers."""
    sides = [side for side, names in unusable.items() if names]
    what = f"{' and '.join(sides)} give{'s' if len(sides) == 1 else ''} infinite values or NaN from finite inputs"
    says = "" if len(sides) == 1 else "Both models do so: nothing can be compared"
    return Finding("forward", "the output", "the output", what, "not_finite", says=says)


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
