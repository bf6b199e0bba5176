"""`twin verify`: do two models agree, and where they do not, where they first differ and why.

The whole decides, the parts explain: weights cross, and both models run end to end (compare.verify.whole). Only what
does not agree is then searched for the place: every call of both is written down (twin.trace), and PyTorch's pass is
repeated with Keras's recorded values at every pair of layers, so that each layer is fed the same input and the layer
that is named is the one at fault, not the one after it (compare.verify.comparison).
"""

# Long: the steps of one examination on the same two subjects, in their order; what each step does is in a module.
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from compare.verify import axes as alignment
from compare.verify import backward, dropout, structure, unfollowed
from compare.verify.comparison import Comparison
from compare.verify.crossing import Crossing
from compare.verify.flow import places
from compare.verify.fresh import perturbed
from compare.verify.pairing import Pairing, Unpaired
from compare.verify.replay import Replay
from compare.verify.segments import Anchor, before_flatten, cropped, dropout_pairs
from compare.verify.state import State
from compare.verify.subject import Subject
from compare.verify.verdict import RUNGS, Finding, Remedy, Verdict, far_in_words
from compare.verify.whole import LIMIT, Whole, distance, pair_outputs
from twin.bridge import Arrays, Leaf
from twin.errors import TwinError
from twin.trace import Event, Trace

ANCHORS = {
    "dense", "conv", "conv_transpose", "batch_norm", "layer_norm", "group_norm", "rms_norm", "embedding", "lstm", "gru",
    "rnn", "attention",
}  # fmt: skip


# Long: as the module.
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
        draws: whether the inputs were made, so that others may be made too.
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
    draws: bool = False
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
        theirs = self.torch.trace(self.torch_inputs)
        if not theirs.events and theirs.stopped:
            raise TwinError(
                f"the PyTorch model does not run on inputs {self._shapes()}: {theirs.stopped}; "
                "give their shape with --torch-input"
            )
        mine = self._mine(False)
        whole = Whole(self.keras, self.torch, self.inputs, self.torch_inputs)
        own = self.torch.dump() if self.weights == "own" else {}
        sides = list(self.leaves.values()), list(self.native.values())
        crossing = Crossing(whole, self.weights == "back", sides, self.given, (mine, theirs), self._unlike_layers)
        try:
            self.pairing, far = crossing.find()
        except Unpaired as error:
            if not error.lone:
                raise
            return self._verdict("differ", (structure.without_partner(error.lone),), {}, [*self._notes(mine)])
        turned = crossing.turned(self.pairing) if far > whole.limit(False) and not own else None
        self.traced.clear()  # of other weights
        self.flat = {}
        notes = [*self._notes(mine)]
        layers = structure.Layers(self.pairing, self.leaves, self.native, far, whole.limit(False))
        misfits = layers.differences(mine)
        if own:
            unequal = layers.unequal(self.keras.dump(), own)
            self.torch.load(own)
            if unequal:
                return self._verdict("differ", unequal, {}, notes)
            far = whole.apart(False)
        if turned and not misfits:
            found = structure.read_transposed(*turned[:2], far, turned[2])
            return self._verdict("differ", (found,), {"weights": 0.0}, notes)
        return self._climb(whole, far, misfits, notes)

    def _climb(self, whole: Whole, far: float, misfits: tuple[Finding, ...], notes: list[str]) -> Verdict:
        """From the outputs in inference mode to the gradients."""
        rungs: dict[str, float] = {"weights": 0.0}
        if not any(array.size for array in whole.keras_outputs(False).values()):
            raise TwinError("the Keras model's outputs are empty, so nothing can be compared; give larger inputs")
        if found := _not_numbers("forward", whole.unusable(False)):
            return self._verdict("differ", found, rungs, notes)
        self.tell(RUNGS["forward"])
        apart = far > whole.limit(False, far)
        if apart or misfits:
            found = self._local("forward", False, far) if apart else ()
            return self._verdict("differ", self._in_order(found, misfits), rungs, notes)
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
            found, worst = backward.statistics(whole, self.pairing, self._mine(True))
            found = found or self._state(whole).differences()
            if found:
                return self._verdict("differ", found, rungs, notes)
            rungs["statistics"] = worst
        self.tell(RUNGS["gradients"])
        traces = self._mine(self.training), self._theirs(self.training)
        found, worst = backward.gradients(whole, self.pairing, traces, self.training)
        if found:
            return self._verdict("differ", found, rungs, notes)
        rungs["gradients"] = worst
        found = backward.trained(self.pairing)
        if not found and self.draws:
            found = self._other_inputs()
        if not found and self.perturb and self.weights == "cross":
            found = self._small(whole)
        if found:
            return self._verdict("differ", found, rungs, notes)
        return self._verdict("agree", (), rungs, [*notes, *whole.uncompared(), *self._unlike()])

    def _verdict(
        self, word: str, found: Sequence[Finding], rungs: Mapping[str, float], notes: Sequence[str]
    ) -> Verdict:
        arrays = tuple((link.keras.name, link.torch.name) for link in self.pairing.links)
        return Verdict(word, self.pairing.shown, tuple(found), rungs, tuple(notes), arrays)

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

    def _other_inputs(self) -> tuple[Finding, ...]:
        """What larger and smaller inputs show: limits that the first ones did not reach, or that all of them passed."""
        for scale in (8.0, 0.1):
            inputs, native = ([_scaled(a, scale) for a in side] for side in (self.inputs, self.torch_inputs))
            if all(np.array_equal(one, other) for one, other in zip(inputs, self.inputs, strict=True)):
                continue
            whole = Whole(self.keras, self.torch, inputs, native)
            far = whole.apart(False)
            # A limit that was passed shows at once; large values, as exponentials of them, are rounded coarsely, and a
            # norm divides small ones by as small a deviation.
            if any(whole.unusable(False).values()) or far <= 10 * whole.limit(False):
                continue
            kept = self.inputs, self.torch_inputs, dict(self.traced)
            self.inputs, self.torch_inputs = inputs, native
            self.traced.clear()
            found = self._local("forward", False, far)
            self.inputs, self.torch_inputs, self.traced = kept
            return (replace(found[0], what=f"On inputs {scale:g} times as large: {found[0].what}"), *found[1:])
        return ()

    def _small(self, whole: Whole) -> tuple[Finding, ...]:
        """Epsilons that differ, shown by weights that make the values small: a variance of one hides them."""
        pairs = [each for each in self._epsilons() if each[0] in self.leaves]
        if not pairs:
            return ()
        before = self.keras.dump(), self.torch.dump()
        small: Arrays = {}
        known = places(self._mine(False), len(self.inputs), list(self.leaves))
        for match in self.pairing.matches:
            for part in match.keras:
                place = known.get(part.leaf.path)
                first = place is not None and any(name.startswith("input ") for name in place.before)
                for role, view in part.views.items():
                    if role in ("scale", "shift", "table") or (first and role in ("kernel", "bias")):
                        small[view.name] = (before[0][view.name] * 0.02).astype(np.float32)
        self.keras.load(small)
        self.torch.load(self.pairing.to_torch(self.keras.dump(), before[1]))
        whole.forget()
        kept = dict(self.traced)
        self.traced.clear()
        found: tuple[Finding, ...] = ()
        if not self._mine(False).stopped:
            found = tuple(f for f in self._forward("forward", False)[0] if (f.cause or "").endswith("epsilon"))
        self.keras.load(before[0])
        self.torch.load(before[1])
        whole.forget()
        self.traced = kept
        return found

    def _epsilons(self) -> list[tuple[str, str, float, float]]:
        """Pairs of layers with different epsilons: Keras's path, PyTorch's, both values."""
        settings = [
            {event.leaf: event.settings for event in trace.events if event.leaf}
            for trace in (self._mine(False), self._theirs(False))
        ]
        found = []
        for path, other in self.pairing.layers.items():
            one, two = settings[0].get(path, {}).get("epsilon"), settings[1].get(other, {}).get("epsilon")
            if one is not None and two is not None and not math.isclose(one, two, rel_tol=1e-3):
                found.append((path, other, one, two))
        return found

    def _unlike(self) -> list[str]:
        """Settings that differ and do not show on these inputs, and arrays that only one side has."""
        notes = [
            f"{other}: eps={two:g}, Keras has epsilon={one:g}; it does not show on these inputs, and would on values "
            f"of a variance near {100 * max(one, two):.1g}"
            for _, other, one, two in self._epsilons()
        ]
        alone = [each for each in self.pairing.alone if each.part.trainable]
        return notes + [
            f"only {each.side} has {each.part.path} ({each.role}); it changes nothing here" for each in alone
        ]

    # Forward

    def _local(self, rung: str, training: bool, far: float) -> tuple[Finding, ...]:
        """Where the outputs part, in one mode; the outputs themselves where no place shows."""
        found: tuple[Finding, ...] = ()
        if not self._mine(training).stopped:
            found, _ = self._forward(rung, training)
        padded = self._padded(training)
        if found and (padded or len(found) > 1 or found[0].cause is not None):
            return (replace(found[0], **padded), *found[1:]) if padded else found
        stopped = self._theirs(training).stopped
        what = f"The PyTorch model stops: {stopped}" if stopped else f"The outputs are {far_in_words(far)}"
        nowhere = Finding(rung, "the output", "the output", what, None, far if math.isfinite(far) else None)
        finding = found[0] if found else nowhere
        if not padded and not stopped:
            wanted = self.keras.outputs(self.inputs, training)
            theirs = self._theirs(training)
            finding = unfollowed.search(self.torch, self.torch_inputs, training, theirs, wanted, finding) or finding
        return (replace(finding, **padded),)

    def _padded(self, training: bool) -> dict[str, Any]:
        """The cause where both models agree once no input is zero: one side leaves padding out, the other does not."""
        whole = [array.dtype.kind == "i" and bool((array == 0).any()) for array in self.inputs]
        if not any(whole):
            return {}
        given, native = (
            [np.where(a == 0, 1, a) if a.dtype.kind == "i" else a for a in side]
            for side in (self.inputs, self.torch_inputs)
        )
        far = Whole(self.keras, self.torch, given, native).apart(training)
        if far > LIMIT:
            return {}
        families = {e.family for e in self._mine(training).events}
        cause = "rnn_padding" if families & {"lstm", "gru", "rnn"} else "padding_mask"
        cause = "attention_mask" if "attention" in families else cause
        return {
            "cause": cause,
            "after": far,
            "says": "One side leaves padding (zeros in the input) out and the other does not: without zeros both agree",
            "fix": {},
            "tried": (),
        }

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
        replay = self._replay(training)
        found, worst = Comparison(replay, rung, self.keras, self.pairing.layers).findings()
        stopped = self._theirs(training).stopped or replay.theirs.stopped
        if not found and stopped:
            found = [Finding(rung, "", "", f"The PyTorch model stops: {stopped}")]
        return tuple(found), worst

    def _unlike_layers(self, pairing: Pairing) -> int:
        """How many layers differ by themselves, or get something else, under a pairing whose weights are loaded."""
        self.pairing = pairing
        self.traced.clear()
        if self._mine(False).stopped:
            return 0
        return self._replay(False).unlike()

    def _replay(self, training: bool) -> Replay:
        """PyTorch's pass with Keras's values at every pair of layers, as far as it then goes."""
        mine = self._mine(training)
        theirs = self._theirs(training)
        replay = Replay(self.torch, self.torch_inputs, training, self._in_torch_order(mine, theirs), theirs, [], [])
        for _ in range(len(mine.events) + 1):
            replay.theirs = theirs
            replay.anchors = self._anchors(mine, theirs)
            replay.dropouts = dropout_pairs(mine, theirs, replay.anchors)
            forced = replay.run()
            grown = len(forced.events) > len(theirs.events)
            theirs = forced
            if not grown:
                break
        replay.theirs = theirs
        return replay

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
        pairs = [] if self._mine(False).stopped else self._replay(False).dropouts
        return found or (dropout.in_inference((len(dropped[0]), len(dropped[1])), pairs),)

    def _training(self, whole: Whole) -> tuple[tuple[Finding, ...], float]:
        """The outputs in training mode with draws made equal, and what each side would drop."""
        if found := _not_numbers("training", whole.unusable(True)):
            return found, math.inf
        far = whole.apart(True)
        if far > whole.limit(True, far):
            masked = whole.apart(True, masks=True)
            if masked <= whole.limit(True, masked):
                whole.masks = True
                return (), masked
            found = self._unscaled(whole, far, masked) or self._state(whole).differences(measured=True)
            return found or self._local("training", True, far), far
        mine, theirs = (
            dropout.drops(side.dropped(inputs))
            for side, inputs in ((self.keras, self.inputs), (self.torch, self.torch_inputs))
        )
        if whole.apart(True, masks=True) <= whole.limit(True):
            return (), far
        if sorted(mine) == sorted(theirs):
            misplaced = None if self._mine(True).stopped else dropout.misplaced(self._mine(True), self._theirs(True))
            return ((misplaced,) if misplaced else ()), far
        if len(mine) != len(theirs) and not self._mine(True).stopped:
            found = self._forward("training", True)[0]
            if found:
                return found, far
        unscaled = () if theirs else self._unscaled(whole, far, whole.apart(True, masks=True))
        if unscaled:
            return unscaled, far
        events = dropout.active(self._mine(True).events), dropout.active(self._theirs(True).events)
        finding = dropout.difference(mine, theirs, events)
        return ((finding,) if finding else ()), far

    def _state(self, whole: Whole) -> State:
        return State(whole, self.pairing, (self._mine(True), self._theirs(True)))

    def _unscaled(self, whole: Whole, far: float, masked: float) -> tuple[Finding, ...]:
        """A dropout that PyTorch's side writes by hand and that does not divide what it keeps by 1 - rate."""
        rates = {float(each["rate"]) for each in self.keras.dropped(self.inputs)}
        if not rates or self.torch.dropped(self.torch_inputs):
            return ()
        calls = [e for e in self._theirs(True).events if e.settings.get("name") == "multiply" and e.constants]
        lines = dict.fromkeys((e.where, e.text) for e in calls)
        for rate, line in itertools.product(sorted(rates), lines):
            same = [event for event in calls if (event.where, event.text) == line]
            edits = [{"event": event.index, "do": "scale", "by": 1 / (1 - rate)} for event in same]
            trace = self.torch.trace(self.torch_inputs, True, edits=edits, arrays={}, masks=True)
            got = {name: trace.values[number] for name, number in trace.outputs.items()}
            pairs = pair_outputs(whole.keras_outputs(True, masks=True), got)
            after = max((distance(*pair) for pair in pairs), default=math.inf)
            if after <= whole.limit(True):
                dropping = dropout.active([] if self._mine(True).stopped else self._mine(True).events)
                says = f"Keras divides what it keeps by {1 - rate:g}, PyTorch's line does not ({same[0].where})"
                what = f"With equal masks the outputs are {far_in_words(masked)}"
                fix = {"torch": Remedy(f"{same[0].text} / {1 - rate:g}", after)}
                name = dropping[0].label if dropping else "dropout"
                return (Finding("training", name, same[0].label, what, "dropout_scale", far, after, says, fix),)
        return ()


def _scaled(array: np.ndarray, scale: float) -> np.ndarray:
    return (array * scale).astype(array.dtype) if array.dtype.kind == "f" else array


def _not_numbers(rung: str, unusable: Mapping[str, Sequence[str]]) -> tuple[Finding, ...]:
    """A finding where outputs are infinite or not numbers."""
    sides = [side for side, names in unusable.items() if names]
    if not sides:
        return ()
    mode = " in training mode" if rung == "training" else ""
    what = f"{' and '.join(sides)} give{'s' if len(sides) == 1 else ''} infinite values or NaN from finite inputs{mode}"
    says = "" if len(sides) == 1 else "Both models do so: nothing can be compared"
    return (Finding(rung, "the output", "the output", what, "not_finite", says=says),)


def _same_calls(
    mine: Trace, theirs: Trace, keras: Sequence[Event], torch: Sequence[Event]
) -> list[tuple[Event, Event]]:
    """A shared layer's calls on both sides: those belong together that get the nearest values."""
    if len(keras) == len(torch) == 1:
        return [(keras[0], torch[0])]
    if keras and torch and len(keras) != len(torch):  # one side goes step by step
        sizes = [{t.values[e.inputs[0]].size for e in calls if e.inputs and e.inputs[0] in t.values}
                 for t, calls in ((mine, keras), (theirs, torch))]  # fmt: skip
        if not sizes[0] & sizes[1]:
            return []

    def far(one: Event, other: Event) -> float:
        if not one.inputs or not other.inputs or other.inputs[0] not in theirs.values:
            return 10.0
        return min(alignment.distance(mine.values[one.inputs[0]], theirs.values[other.inputs[0]])[0], 10.0)

    order = 1e-6  # decides where the values do not
    costs = [[far(k, t) + order * abs(i - j) for j, t in enumerate(torch)] for i, k in enumerate(keras)]
    rows, columns = linear_sum_assignment(np.array(costs)) if keras and torch else ((), ())
    return [(keras[i], torch[j]) for i, j in zip(rows, columns, strict=True)]
