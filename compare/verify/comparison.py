"""Every difference of one mode by itself, with its cause: the candidate that, carried out, makes both agree.

What lies between two pairs of layers (activations, poolings, sums) is found by its values (compare.verify.between).
"""

import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from compare.verify import axes as alignment
from compare.verify import dropout
from compare.verify.between import situation
from compare.verify.causes.attention import of_roles
from compare.verify.causes.calls import of_calls
from compare.verify.causes.candidate import Candidate, InKeras, InTorch
from compare.verify.causes.formulas import as_formulas
from compare.verify.causes.layers import Layer, of_layer
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import acts, place, written
from compare.verify.moved import moved
from compare.verify.replay import Replay
from compare.verify.segments import Anchor
from compare.verify.subject import Subject
from compare.verify.verdict import LIMIT, Finding, Remedy, far_in_words
from twin.errors import TwinError
from twin.trace import Edit, Event

MOST_STARTS = 256  # places at which a value may lie in a padded one
FEW = 8  # numbers of an output, such as the one of a loss, that a wrong candidate may come near
SHORT = 300  # letters of two formulas that are told beside a fix
IN_FULL = ("mean_count", "split_order")  # causes whose words are both formulas
SHOWN = (
    "arrangement_order",
    "transposed_input",
    "kernel_transposed",
    "sum_constants",
)  # by the values, without a trial
SECONDS = 20.0  # for candidates that need a pass, over all differences of one mode


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


SLIGHT = 1e-4  # relative L2, which rounding alone can reach


def _slight_last(found: Sequence[Finding]) -> list[Finding]:
    greatest = max((each.before or 0.0 for each in found), default=0.0)
    slight = [each for each in found if each.before and each.before <= SLIGHT and 100 * each.before < greatest]
    return [*(each for each in found if each not in slight), *slight]


# Long: every way from a difference to its candidates, and the trial of each on one replay.
@dataclass(frozen=True)
class Comparison:
    """One mode's two passes, PyTorch's with Keras's values at every pair of layers.

    Args:
        replay: both passes.
        rung: the mode in the words of a verdict.
        keras: the Keras model, to try what is to be written in Keras.
        pairs: layers that belong together, Keras's path -> PyTorch's.
        started: when; a large model's passes take long, and then only the first candidates are tried.
    """

    replay: Replay
    rung: str
    keras: Subject
    pairs: Mapping[str, str]
    started: float = field(default_factory=time.monotonic)

    def findings(self) -> tuple[list[Finding], float]:
        """Every difference by itself, in the order of execution, and the worst distance that was allowed.

        Slight ones come last where another is a hundred times as large: a sine of large values, rounded twice, is one.
        """
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
        return moved(_slight_last([each for each in found if each in once.values()])), worst

    def _inside(self, anchor: Anchor, far: float) -> Finding:
        """A layer that differs from equal inputs."""
        replay = self.replay
        wanted = replay.mine.values[anchor.keras.outputs[0]]
        got = next(iter(replay.results(anchor, replay.theirs)), None)
        what, before = f"From equal inputs its output is {far_in_words(far)}", far if math.isfinite(far) else None
        if got is not None and got.size != wanted.size:
            what, before = f"Its output has shape {got.shape}, Keras's {wanted.shape}", None
        finding = Finding(self.rung, anchor.path, self.pairs[anchor.path], what, before=before)
        states = self._states(anchor)
        cut = anchor.end if anchor.torch.family == "conv" and anchor.end.index != anchor.torch.index else None
        pad = self._pad(anchor)
        given = replay.mine.values.get(next(iter(anchor.keras.inputs), -1))
        native = [replay.theirs.values.get(number) for number in anchor.torch.inputs[1:]]
        own = [each for each in native if each is not None and each.dtype.kind == "f" and each.ndim > 1]
        recurrent = anchor.torch.family in ("lstm", "gru", "rnn")
        roles = of_roles(anchor.keras, anchor.torch, replay.mine, replay.theirs)
        layer = Layer(self._with_pad(anchor), anchor.torch, wanted, got, pad, states, cut, given,
                      own if recurrent else (), roles)  # fmt: skip
        candidates = of_layer(layer)
        settled = self._settle(candidates, At(anchor, True, anchor.keras, anchor.torch, far), finding)
        if settled.cause is not None:
            return settled
        samples = {"keras_output": wanted, "torch_output": got if got is not None else np.array([])}
        samples["input"] = replay.mine.values[anchor.keras.inputs[0]]
        return replace(settled, samples={name: [float(x) for x in v.ravel()[:6]] for name, v in samples.items()})

    def _between(self, anchor: Anchor | None, far: float, output: int | None = None) -> Finding:
        """Calls without weights that differ, before a layer or before the output."""
        found, wired = situation(self.replay, anchor, output or 0)
        found = replace(
            found, arrays=_arrays(self.keras, found.unlike[0]), weights=_weights(self.replay.torch, found.unlike)
        )
        what = f"What enters {anchor.path if anchor else 'the output'} is {far_in_words(far)}"
        finding = Finding(
            self.rung, self._name(found.keras, 0, anchor), self._name(found.torch, 1, anchor), what,
            before=far if math.isfinite(far) else None,
        )  # fmt: skip
        at = At(anchor, False, found.keras, found.torch, far, output)
        settled = self._settle(
            [*self._uncalled(found), *self._in_one_batch(found), *of_calls(found, wired)], at, finding
        )
        cause, formulas = as_formulas(found, settled.cause is not None)
        more = formulas not in settled.says and (not settled.fix or len(formulas) < SHORT)
        if formulas and more and settled.cause not in IN_FULL:
            settled = replace(settled, says=". ".join(each for each in (settled.says, formulas) if each))
        return replace(settled, cause=cause) if settled.cause is None and cause in SHOWN else settled

    def _uncalled(self, at: Situation) -> Iterator[Candidate]:
        """A layer that Keras uses here, and whose partner PyTorch uses nowhere: another takes its place."""
        partner = self.pairs.get(at.keras.leaf) if at.keras is not None and at.end is not None else None
        theirs = self.replay.theirs
        if at.keras is None or at.end is None or not partner or partner in {event.leaf for event in theirs.events}:
            return
        counts = [Counter(event.leaf for event in trace.events if event.leaf) for trace in (self.replay.mine, theirs)]
        more = [(mine, native) for mine, native in self.pairs.items() if counts[1][native] > counts[0][mine] > 0]
        own = sorted({at.givers[number] for number in at.end.event.inputs if number in at.givers})
        says = f"PyTorch never calls {partner}, which is Keras's {at.keras.leaf}; here it takes {written(at.end.event)}"
        says += f"{place(at.end.event)}{' of ' + ' and '.join(own) if own else ''}"
        for mine, native in more[:1]:
            says += f", and calls {native} {counts[1][native]} times, where Keras calls {mine} {counts[0][mine]} times"
        yield Candidate("layer_not_called", says, *at.end.edits())

    def _in_one_batch(self, at: Situation) -> Iterator[Candidate]:
        """A norm that gets all rows in one batch on one side, and on the other in several batches of fewer rows."""
        traces = self.replay.mine, self.replay.theirs
        if at.end is None:
            return
        for paths in self.pairs.items() if self.replay.training else ():
            calls = [
                [
                    event
                    for event in trace.events
                    if event.leaf == path and event.family == "batch_norm" and event.inputs
                ]
                for trace, path in zip(traces, paths, strict=True)
            ]
            rows = [
                [len(trace.values[event.inputs[0]]) for event in events if event.inputs[0] in trace.values]
                for trace, events in zip(traces, calls, strict=True)
            ]
            if all(rows) and len(rows[0]) != len(rows[1]) and sum(rows[0]) == sum(rows[1]):
                told = [" and ".join(map(str, each)) for each in rows]
                says = f"Keras calls {paths[0]} on {told[0]} rows, PyTorch {paths[1]} on {told[1]}: each batch has "
                yield Candidate("joint_batch", f"{says}statistics of its own", *at.end.edits())
                return

    def _settle(self, candidates: Sequence[Candidate], at: At, finding: Finding) -> Finding:
        """The finding with the first cause that makes both agree, or with all that were tried and the two calls."""
        tried: list[str] = []
        nearest: tuple[float, Candidate] | None = None
        most = 0.01 * (at.far if math.isfinite(at.far) else 1.0) if self._many(at) else 0.0
        for candidate in candidates:
            late = time.monotonic() - self.started > SECONDS
            if late and any(edit["do"] != "output" for edit in candidate.edits):
                continue  # what is left names the place
            after = candidate.measured
            if candidate.edits:
                after = self.replay.trial(at.anchor, candidate.edits, candidate.arrays, at.inside, at.output)
                for everywhere in self._everywhere(candidate) if after > LIMIT else ():
                    left = self.replay.trial(at.anchor, everywhere, {}, at.inside, at.output)
                    if left <= LIMIT:
                        candidate, after = replace(candidate, edits=everywhere, torch=_all(candidate, everywhere)), left
                        break
            if after is None or after <= LIMIT:
                return replace(
                    finding,
                    cause=candidate.cause,
                    after=after,
                    says=candidate.says,
                    fix=self._proved(candidate, at),
                    tried=tuple(tried),
                )
            if nearest is None or after < nearest[0]:
                nearest = after, candidate
            tried.append(f"{candidate.cause} ({after:.1g} left)" if after <= most else candidate.cause)
        if nearest is not None and nearest[0] <= most:
            left, candidate = nearest
            says = f"{candidate.says}; with that, {left:.1g} is left"
            return replace(finding, cause=candidate.cause, says=says, tried=tuple(tried))
        calls = [f"{side} {acts(call)}{place(call)}"
                 for side, call in (("Keras", at.keras), ("PyTorch", at.torch)) if call is not None]  # fmt: skip
        return replace(finding, tried=tuple(dict.fromkeys(tried)), says=", ".join(calls))

    def _many(self, at: At) -> bool:
        """Whether enough numbers are compared that one of many candidates does not come near them by chance."""
        if at.anchor is not None or at.output is None:
            return True
        numbers = self.replay.output_numbers()[at.output : at.output + 1]
        return all(self.replay.mine.values[number].size >= FEW for number in numbers)

    def _everywhere(self, candidate: Candidate) -> Iterator[list[Edit]]:
        """A change of one call made wherever its line runs, as in a loop; then in all calls that are written so."""
        events = self.replay.theirs.events
        if candidate.arrays:
            return
        lines: list[Edit] = []
        alike: list[Edit] = []
        for edit in candidate.edits:
            if edit["do"] not in ("arguments", "exchange", "code", "skip", "scale") or edit["event"] >= len(events):
                return
            own = events[edit["event"]]
            free = edit["do"] in ("exchange", "skip") or "expressions" in edit  # of what stands in the call
            same = [e for e in events if own.where and (e.where, e.call) == (own.where, own.call)]
            same = same if free else [e for e in same if e.text == own.text]
            lines += [{**edit, "event": event.index} for event in same]
            if "expressions" in edit and not own.leaf:
                same = [e for e in events if (e.call, e.text, e.leaf) == (own.call, own.text, "")]
                alike += [{**edit, "event": event.index} for event in same]
        if len(lines) > len(candidate.edits):
            yield lines
        if len(alike) > max(len(lines), len(candidate.edits)):
            yield alike

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

    def _with_pad(self, anchor: Anchor) -> Event:
        """Keras's call with what a call right before it pads counted as its own padding."""
        mine, keras = self.replay.mine, anchor.keras
        event = mine.producers.get(keras.inputs[0]) if keras.inputs else None
        if event is None or event.settings.get("name") != "pad" or "pads" not in keras.settings:
            return keras
        before, after = mine.values[event.inputs[0]], mine.values[event.outputs[0]]
        start = _start(after, before)
        if start is None:
            return keras
        pads = [
            [own[0] + start[axis], own[1] + after.shape[axis] - before.shape[axis] - start[axis]]
            for axis, own in enumerate(keras.settings["pads"], start=1)
        ]
        return replace(keras, settings={**keras.settings, "pads": pads})

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


def _arrays(keras: Subject, events: Sequence[Event]) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of Keras's recurrent layers, by their paths."""
    paths = {event.leaf for event in events if event.family in ("lstm", "gru") and event.leaf}
    arrays = keras.dump() if paths else {}
    return {
        path: {name.removeprefix(f"{path}."): value for name, value in arrays.items() if name.startswith(f"{path}.")}
        for path in paths
    }


def _weights(torch: Subject, unlike: tuple[Sequence[Event], Sequence[Event]]) -> dict[str, np.ndarray]:
    """PyTorch's weights in the calls that part, where Keras's calls take arrays that are no weights."""
    calls = [event for event in unlike[1] if event.family in ("dense", "conv") or event.constants]
    paths = [f"{path}." for event in calls for path in (event.leaf, event.path) if path]
    if not paths or not any(event.constants for event in unlike[0]):
        return {}
    return {n: array for n, array in torch.dump().items() if n.startswith(tuple(paths)) and array.ndim > 1}


def _start(padded: np.ndarray, value: np.ndarray) -> tuple[int, ...] | None:
    """Where a value begins in a padded one, along each axis."""
    spare = [one - other for one, other in zip(padded.shape, value.shape, strict=True)]
    if min(spare) < 0 or math.prod(each + 1 for each in spare) > MOST_STARTS:
        return None
    for start in itertools.product(*(range(each + 1) for each in spare)):
        inner = tuple(slice(one, one + length) for one, length in zip(start, value.shape, strict=True))
        if np.array_equal(padded[inner], value):
            return start
    return None


def _all(candidate: Candidate, edits: list[Edit]) -> InTorch | None:
    """What a candidate has to write in PyTorch, for every run of the line."""
    return InTorch(candidate.torch.text, edits) if candidate.torch is not None else None


def _calls(finding: Finding) -> tuple[str, str]:
    """The two calls that differ, without the layer before which they are: several may follow."""
    return finding.keras.split(" before ")[0], finding.torch.split(" before ")[0]
