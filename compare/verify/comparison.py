"""Every difference of one mode by itself, with its cause: the candidate that, carried out, makes both agree.

What lies between two pairs of layers (activations, poolings, sums) is found by its values (compare.verify.between).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.verify import axes as alignment
from compare.verify import dropout
from compare.verify.between import situation
from compare.verify.causes.calls import of_calls
from compare.verify.causes.candidate import Candidate, InKeras, InTorch
from compare.verify.causes.layers import Layer, of_layer
from compare.verify.causes.words import place, written
from compare.verify.replay import Replay
from compare.verify.segments import Anchor
from compare.verify.subject import Subject
from compare.verify.verdict import LIMIT, Finding, Remedy, far_in_words
from twin.errors import TwinError
from twin.trace import Event


@dataclass(frozen=True)
class At:
    """Where a difference is.

    Args:
        anchor: the pair of calls in which, or before which it is; None before the outputs.
        inside: whether it is in the layer.
        keras, torch: the two calls that differ, where they are known.
        far: how far apart both are.
        output: the place of the output before which it is.
    """

    anchor: Anchor | None
    inside: bool
    keras: Event | None
    torch: Event | None
    far: float
    output: int | None = None


@dataclass(frozen=True)
class Comparison:
    """One mode's two passes, PyTorch's with Keras's values at every pair of layers.

    Args:
        replay: both passes.
        rung: the mode in the words of a verdict.
        keras: the Keras model, to try what is to be written in Keras.
        pairs: layers that belong together, Keras's path -> PyTorch's.
    """

    replay: Replay
    rung: str
    keras: Subject
    pairs: Mapping[str, str]

    def findings(self) -> tuple[list[Finding], float]:
        """Every difference by itself, in the order of execution, and the worst distance that was allowed."""
        found: list[Finding] = []
        allowed = [0.0]
        seen = set()
        replay = self.replay
        for anchor in replay.anchors:
            far = replay.entering(anchor, replay.theirs)
            if far > LIMIT:
                found.append(self._between(anchor, far))
            allowed.append(far)
            far = replay.leaving(anchor, replay.theirs)
            if far > LIMIT and anchor.path not in seen:
                seen.add(anchor.path)
                found.append(self._inside(anchor, far))
            allowed.append(far)
        found += [dropout.rates(self.rung, *pair) for pair in replay.dropouts if dropout.unlike(*pair)]
        for output in range(len(replay.theirs.outputs)) or (None,):
            far = replay.leaving_model(replay.theirs, output)
            if far > LIMIT:
                found.append(self._between(None, far, output))
            allowed.append(far)
        once = {(*_calls(finding), finding.cause): finding for finding in reversed(found)}
        worst = max(each for each in allowed if each <= LIMIT)
        return [each for each in found if each in once.values()], worst

    def _inside(self, anchor: Anchor, far: float) -> Finding:
        """A layer that differs from equal inputs."""
        replay = self.replay
        wanted = replay.mine.values[anchor.keras.outputs[0]]
        got = next(iter(replay.results(anchor, replay.theirs)), None)
        what, before = f"From equal inputs its output is {far_in_words(far)}", far if math.isfinite(far) else None
        if got is not None and got.size != wanted.size:
            what, before = f"Its output has shape {got.shape}, Keras's {wanted.shape}", None
        finding = Finding(self.rung, anchor.path, self.pairs[anchor.path], what, before=before)
        candidates = of_layer(Layer(anchor.keras, anchor.torch, wanted, got, self._pad(anchor), self._states(anchor)))
        settled = self._settle(candidates, At(anchor, True, anchor.keras, anchor.torch, far), finding)
        if settled.cause is not None:
            return settled
        samples = {"keras_output": wanted, "torch_output": got if got is not None else np.array([])}
        samples["input"] = replay.mine.values[anchor.keras.inputs[0]]
        return replace(settled, samples={name: [float(x) for x in v.ravel()[:6]] for name, v in samples.items()})

    def _between(self, anchor: Anchor | None, far: float, output: int | None = None) -> Finding:
        """Calls without weights that differ, before a layer or before the output."""
        found, turned = situation(self.replay, anchor, output or 0)
        what = f"What enters {anchor.path if anchor else 'the output'} is {far_in_words(far)}"
        finding = Finding(
            self.rung, self._name(found.keras, 0, anchor), self._name(found.torch, 1, anchor), what,
            before=far if math.isfinite(far) else None,
        )  # fmt: skip
        candidates = of_calls(found)
        general = next((i for i, each in enumerate(candidates) if each.cause.startswith("other_")), len(candidates))
        candidates[general:general] = turned  # after what is particular
        return self._settle(candidates, At(anchor, False, found.keras, found.torch, far, output), finding)

    def _settle(self, candidates: Sequence[Candidate], at: At, finding: Finding) -> Finding:
        """The finding with the first cause that makes both agree, or with all that were tried and the two calls."""
        tried: list[str] = []
        most = 0.01 * (at.far if math.isfinite(at.far) else 1.0)
        for candidate in candidates:
            after = candidate.measured
            if candidate.edits:
                after = self.replay.trial(at.anchor, candidate.edits, candidate.arrays, at.inside, at.output)
            if after is None or after <= LIMIT:
                return replace(
                    finding,
                    cause=candidate.cause,
                    after=after,
                    says=candidate.says,
                    fix=self._proved(candidate, at),
                    tried=tuple(tried),
                )
            tried.append(f"{candidate.cause} ({after:.1g} left)" if after <= most else candidate.cause)
        calls = [f"{side} computes {written(call)}{place(call)}"
                 for side, call in (("Keras", at.keras), ("PyTorch", at.torch)) if call is not None]  # fmt: skip
        return replace(finding, tried=tuple(dict.fromkeys(tried)), says=", ".join(calls))

    def _proved(self, candidate: Candidate, at: At) -> dict[str, Remedy]:
        """What to write on either side, as far as it was run and both agree with it."""
        found = {}
        if candidate.torch is not None:
            after = self._in_torch(candidate.torch, at)
            if after <= LIMIT:
                found["torch"] = Remedy(candidate.torch.text, after)
        if candidate.keras is not None:
            after = self._in_keras(candidate.keras, at)
            if after <= LIMIT:
                found["keras"] = Remedy(candidate.keras.text, after)
        return found

    def _in_torch(self, code: InTorch, at: At) -> float:
        return self.replay.trial(at.anchor, code.edits, code.arrays, at.inside, at.output)

    def _in_keras(self, code: InKeras, at: At) -> float:
        """How far Keras's code is from what PyTorch has, from the same values."""
        replay = self.replay
        given = list(code.given) or [replay.mine.values[n] for n in (at.keras.inputs if at.keras is not None else ())]
        goals = [code.goal]
        if code.goal is None and at.inside and at.anchor is not None:
            goals = list(replay.results(at.anchor, replay.theirs))
        elif code.goal is None and at.torch is not None:
            goals = [replay.theirs.values.get(at.torch.outputs[0])]
        path = at.keras.leaf if at.keras is not None and at.inside else ""
        try:
            made = self.keras.attempt(code.lines, path, given, replay.training)["y"]
        except (TwinError, ArithmeticError, AttributeError, LookupError, NameError, RuntimeError, SyntaxError,
                TypeError, ValueError):  # fmt: skip  # code that does not run is no fix
            return float("inf")
        return min((alignment.distance(made, goal)[0] for goal in goals if goal is not None), default=float("inf"))

    def _pad(self, anchor: Anchor) -> Event | None:
        """The PyTorch call that pads right before a layer."""
        event = self.replay.theirs.producers.get(anchor.torch.inputs[0]) if anchor.torch.inputs else None
        return event if event is not None and event.settings.get("name") == "pad" else None

    def _states(self, anchor: Anchor) -> list[np.ndarray]:
        """The arrays of initial state that Keras's recurrent layer gets."""
        if anchor.torch.family not in ("lstm", "gru", "rnn"):
            return []
        states = [self.replay.mine.values[number] for number in anchor.keras.inputs[1:]]
        return [state for state in states if state.dtype.kind == "f" and state.ndim == 2]

    def _name(self, event: Event | None, side: int, anchor: Anchor | None) -> str:
        if event is not None:
            after = "the output" if anchor is None else anchor.path if side == 0 else self.pairs[anchor.path]
            return f"{event.label} before {after}"
        if anchor is None:
            return "the output"
        return anchor.path if side == 0 else self.pairs[anchor.path]


def _calls(finding: Finding) -> tuple[str, str]:
    """The two calls that differ, without the layer before which they are: several may follow."""
    return finding.keras.split(" before ")[0], finding.torch.split(" before ")[0]
