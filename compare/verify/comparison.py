"""Two traces side by side: each layer from the same input, and what lies between two layers.

PyTorch's pass was repeated with Keras's recorded values at every pair of layers, so that each is measured by itself.
What lies between two pairs (activations, poolings, sums) is found by its values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes import calls, layers
from compare.verify.causes.candidate import Candidate, neutral
from compare.verify.segments import Anchor, before_padding, segment
from compare.verify.subject import Subject
from compare.verify.verdict import LIMIT, Finding, far_in_words
from twin.bridge import Leaf
from twin.trace import Event, Trace


@dataclass(frozen=True)
class Both:
    """What is compared.

    Args:
        torch: the PyTorch model, to repeat its pass.
        torch_inputs: its inputs.
        pairs: layers that belong together, Keras's path -> PyTorch's.
        leaves, native: the layers by path, Keras's and PyTorch's.
    """

    torch: Subject
    torch_inputs: Sequence[np.ndarray]
    pairs: Mapping[str, str]
    leaves: Mapping[str, Leaf]
    native: Mapping[str, Leaf]


@dataclass
class Comparison:
    """One mode's two traces, PyTorch's with Keras's values at every pair of layers."""

    owner: Both
    rung: str
    training: bool
    mine: Trace
    anchors: list[Anchor]
    dropouts: list[tuple[Event, Event]]
    theirs: Trace = field(init=False)

    def forced(
        self, extra: Sequence[dict[str, Any]] = (), arrays: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, Any]:
        """The edits that feed each PyTorch layer, and whatever follows it, what Keras recorded there."""
        edits: list[dict[str, Any]] = []
        out: dict[str, np.ndarray] = {}
        for anchor in self.anchors:
            for place in self._fed(anchor):
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
                out[f"{theirs.index}/output/0"] = alignment.to_torch(source, native, self._origin(theirs))
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
            if (
                mine.settings["active"]
                and theirs.settings["active"]
                and mine.settings["rate"] != theirs.settings["rate"]
            ):
                found.append(self._dropout_rate(mine, theirs))
        far = self.leaving_model(self.theirs)
        if far > LIMIT:
            found.append(self._between(None, far))
        once = {(finding.keras, finding.torch, finding.cause): finding for finding in reversed(found)}
        return [each for each in found if each in once.values()], max(worst, far if far <= LIMIT else 0.0)

    # What enters and leaves

    def _fed(self, anchor: Anchor) -> range:
        """The places of a call's inputs that are fed and compared: of a recurrent layer the sequence, not its state."""
        return range(1 if anchor.torch.family in ("lstm", "gru", "rnn") else len(anchor.torch.inputs))

    def _incoming(self, anchor: Anchor, place: int) -> np.ndarray | None:
        """Keras's value for one input of the PyTorch call, in PyTorch's layout."""
        number = anchor.torch.inputs[place]
        native = self.theirs.values.get(number)
        if native is None:
            return None
        options = [(self.mine.values[n], abs(i - place)) for i, n in enumerate(anchor.keras.inputs)]
        options += [(v, 9) for n in anchor.keras.inputs if (v := before_padding(self.mine, n)) is not None]
        # One side may pad in the layer, the other before it: then the value has another size, and its own flows on.
        fitting = [each for each in options if each[0].size == native.size]
        if not fitting:
            padded = before_padding(self.theirs, number) is not None
            return None if padded else alignment.to_torch(options[0][0], None, anchor.torch.family)
        best = min(fitting, key=lambda each: (alignment.distance(each[0], native)[0], each[1]))
        value = alignment.to_torch(best[0], native, anchor.torch.family)
        return value if value.ndim == native.ndim else None

    def entering(self, anchor: Anchor, theirs: Trace) -> float:
        """How far what enters the PyTorch layer is from what enters Keras's."""
        worst = 0.0
        for number in (anchor.torch.inputs[place] for place in self._fed(anchor)):
            native = theirs.values.get(number)
            if native is None:
                continue
            natives = [native, before_padding(theirs, number)]
            options = [
                each for n in anchor.keras.inputs for each in (self.mine.values[n], before_padding(self.mine, n))
            ]
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
        return min(
            (alignment.distance(wanted, value)[0] for value in self._results(anchor, theirs)), default=float("inf")
        )

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
        if anchor.torch.family not in ("lstm", "gru", "rnn") or len(values) < 2:
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
        return {0: alignment.to_torch(wanted, natives[0], anchor.torch.family)}

    def _produced_sequence(self, anchor: Anchor, wanted: np.ndarray, natives: list[Any]) -> dict[int, np.ndarray]:
        sequence, state = (*natives, None)[:2]
        if sequence is None or state is None:
            return {}
        if anchor.keras.settings.get("sequences"):
            value = alignment.to_torch(wanted, sequence, anchor.torch.family)
            return {0: value} if value.shape == sequence.shape else {}
        directions = state.shape[0]
        if wanted.size != state.size:
            return {}
        last = wanted.reshape(wanted.shape[0], directions, -1).swapaxes(0, 1)
        return {1: np.ascontiguousarray(last)}

    def _origin(self, event: Event) -> str:
        """The family of the call whose layout a value has."""
        while event.family not in alignment.CHANNELS_FIRST and event.inputs:
            producer = self.theirs.producers.get(event.inputs[0])
            if producer is None or producer.family in ("shape", "dense"):
                break
            event = producer
        return event.family

    # Why

    def trial(
        self, anchor: Anchor | None, edits: Sequence[dict[str, Any]], arrays: Mapping[str, np.ndarray], inside: bool
    ) -> float:
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
        tried: list[str] = []
        for candidate in candidates:
            after = self.trial(anchor, candidate.edits, candidate.arrays, inside) if candidate.edits else None
            if after is None or after <= LIMIT:
                return replace(
                    finding,
                    cause=candidate.cause,
                    after=after,
                    says=candidate.says,
                    fix=candidate.fix,
                    tried=tuple(tried),
                )
            most = after <= 0.01 * before
            tried.append(f"{candidate.cause} ({after:.1g} left)" if most else candidate.cause)
        return replace(finding, tried=tuple(tried))

    def _inside(self, anchor: Anchor, far: float) -> Finding:
        """A layer that differs from equal inputs."""
        what = f"from equal inputs its output is {far_in_words(far)}"
        finding = Finding(self.rung, anchor.path, self.owner.pairs[anchor.path], what, before=far)
        results = self._results(anchor, self.theirs)
        wanted = self.mine.values[anchor.keras.outputs[0]]
        leaf = self.owner.leaves[anchor.path], self.owner.native[self.owner.pairs[anchor.path]]
        if results and results[0].size != wanted.size:
            finding = replace(
                finding, what=f"its output has shape {results[0].shape}, Keras's {wanted.shape}", before=None
            )
        got = results[0] if results else None
        candidates = layers.of_layer(anchor.keras, anchor.torch, leaf, wanted, got, self._pad(anchor))
        if anchor.torch.family in ("lstm", "gru", "rnn"):
            states = [self.mine.values[number] for number in anchor.keras.inputs[1:]]
            states = [state for state in states if state.dtype.kind == "f" and state.ndim == 2]
            candidates = [*candidates, *layers.of_state(anchor.torch, states)]
        finding = self._settle(
            candidates,
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
        ends = (
            (anchor.keras.inputs, anchor.torch.inputs)
            if anchor
            else (self._output_numbers(), list(self.theirs.outputs.values()))
        )
        a, b = segment(self.mine, ends[0], self.anchored(0)), segment(self.theirs, ends[1], self.anchored(1))
        values = list(self.theirs.values.values())
        matched = {e.index: self._found(self.mine.values[e.outputs[0]], values) for e in a}
        known = [self.mine.values[n] for e in a for n in (*e.outputs, *e.inputs)] + [
            self.mine.values[n] for n in ends[0]
        ]
        first = next((e for e in a if not matched[e.index] and not neutral(e)), None)
        other = next(
            (e for e in b if not neutral(e) and not self._found(self.theirs.values[e.outputs[0]], known)), None
        )
        at = anchor.path if anchor else "the output"
        names = [self._name(event, side, anchor) for side, event in ((0, first), (1, other))]
        finding = Finding(self.rung, names[0], names[1], f"what enters {at} is {far_in_words(far)}", before=far)
        source = None
        if other is not None and other.inputs:
            source = self.theirs.values.get(other.inputs[0])
        last = next((e for e in reversed(b) if e.family == "shape"), None)
        situation = calls.Situation(
            first,
            other,
            source,
            anchor.torch if anchor else None,
            self._follows(anchor, other),
            self._replacements(first, other, anchor),
            self._end(self.theirs.producers.get(next(iter(ends[1]), -1)) if b else None, ends),
            last,
            self._after_sequence(other),
            self._rearranged(first),
        )
        candidates = calls.of_calls(situation)
        general = next((i for i, each in enumerate(candidates) if each.cause == "other_operation"), len(candidates))
        candidates[general:general] = self._turned(ends, situation.end)  # after what is particular
        return self._settle(candidates, anchor, False, far if math.isfinite(far) else 1.0, finding)

    def _turned(self, ends: Any, end: calls.Replacement | None) -> list[Candidate]:
        """The cause of the same values in another order."""
        native = self.theirs.values.get(next(iter(ends[1]), -1))
        if native is None or end is None or end.value.shape != native.shape or native.dtype.kind != "f":
            return []
        mine, theirs = np.sort(end.value, axis=None), np.sort(native, axis=None)
        if alignment.relative(theirs, mine) > LIMIT or native.size < 4:
            return []
        says = f"{end.event.text or end.event.call} gives the values of Keras's arrangement in another order"
        fix = {"torch": "reshape and transpose in the order of Keras's calls", "keras": "the same, backwards"}
        return [Candidate("arrangement", says, fix, *end.edits())]

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

    def _replacements(self, first: Event | None, other: Event | None, anchor: Anchor | None) -> list[calls.Replacement]:
        """PyTorch's calls whose output could become what Keras's call gives: its counterpart, and those before it."""
        if first is None:
            return []
        wanted = self.mine.values[first.outputs[0]]
        found = []
        if other is not None:
            native = self.theirs.values.get(other.outputs[0])
            found.append(
                calls.Replacement(other, alignment.to_torch(wanted, native, self._origin(other)), instead=True)
            )
        sources = [self.mine.values[number] for number in first.inputs]
        for event in reversed(self.theirs.events):
            native = self.theirs.values.get(event.outputs[0])
            if native is None or (anchor is not None and event.index >= anchor.torch.index):
                continue
            if any(s.size == native.size and alignment.distance(s, native)[0] <= LIMIT for s in sources):
                value = alignment.to_torch(wanted, native, self._origin(event))
                found.append(calls.Replacement(event, value, instead=False))
        return found

    def _end(self, event: Event | None, ends: Any) -> calls.Replacement | None:
        """PyTorch's call made to give what enters Keras's next layer."""
        if event is None:
            return None
        native = self.theirs.values.get(event.outputs[0])
        wanted = [self.mine.values[number] for number in ends[0]]
        wanted += [before for number in ends[0] if (before := before_padding(self.mine, number)) is not None]
        fitting = [value for value in wanted if native is not None and value.size == native.size]
        if not fitting:
            return None
        return calls.Replacement(event, alignment.to_torch(fitting[0], native, self._origin(event)), instead=True)

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
            self.rung, mine.label, theirs.label, "the dropout rates are not equal", "dropout_rate",
            says=says, fix=fix,
        )  # fmt: skip
