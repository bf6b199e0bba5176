"""PyTorch's pass again with Keras's recorded values at every pair of layers, and how far apart both then are.

So each layer is measured by itself, and a change at one call is a trial: what the pass gives with it is measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.verify import axes as alignment
from compare.verify.segments import Anchor, before_padding
from compare.verify.subject import Subject
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event, Trace

BY_ROW = {"dense", "layer_norm", "rms_norm"}
MOST_NUMBERS = 1_000_000  # of a value whose rows are put in order


@dataclass
class Replay:
    """One mode's two passes.

    Args:
        torch: the PyTorch model, to repeat its pass.
        torch_inputs: its inputs.
        training: the mode.
        mine: Keras's pass.
        theirs: PyTorch's, as far as it is known.
        anchors: pairs of calls of layers.
        dropouts: pairs of calls of dropout.
    """

    torch: Subject
    torch_inputs: Sequence[np.ndarray]
    training: bool
    mine: Trace
    theirs: Trace
    anchors: list[Anchor]
    dropouts: list[tuple[Event, Event]]

    def run(self, edits: Sequence[Edit] = (), arrays: Mapping[str, np.ndarray] | None = None) -> Trace:
        """PyTorch's pass with Keras's values, and with some edits."""
        return self.torch.trace(self.torch_inputs, self.training, **self.forced(edits, arrays))

    def unlike(self) -> int:
        """How many layers differ by themselves or get something else."""
        theirs = self.theirs
        parts = [far(anchor, theirs) for far in (self.entering, self.leaving) for anchor in self.anchors]
        return sum(far > LIMIT for far in (*parts, self.leaving_model(theirs)))

    def trial(
        self,
        anchor: Anchor | None,
        edits: Sequence[Edit],
        arrays: Mapping[str, np.ndarray],
        inside: bool,
        output: int | None = None,
    ) -> float:
        """How far apart both are with some edits: behind a layer, before it, or in the model's outputs."""
        theirs = self.run(edits, arrays)
        ends = () if anchor is None else anchor.end.outputs if inside else anchor.torch.inputs
        if theirs.stopped and (not ends or set(ends) - set(theirs.values)):  # one that stops behind it has got there
            return float("inf")
        if anchor is None:
            return self.leaving_model(theirs, output)
        return self.leaving(anchor, theirs) if inside else self.entering(anchor, theirs)

    def forced(self, extra: Sequence[Edit] = (), arrays: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
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
                out[f"{theirs.index}/output/0"] = alignment.to_torch(source, native, self.origin(theirs))
                edits.append({"event": theirs.index, "do": "output"})
        return {"edits": [*edits, *extra], "arrays": out | dict(arrays or {})}

    def _fed(self, anchor: Anchor) -> list[int]:
        """The places of a call's inputs that are fed and compared: of a recurrent layer the sequence; no mask.

        No value of an attention that Keras's layer takes as a constant, such as queries that are made of no input.
        """
        if anchor.torch.family in ("lstm", "gru", "rnn"):
            return [0]
        places = range(len(anchor.torch.inputs))
        if anchor.torch.family != "attention":
            return list(places)
        sizes = {self.mine.values[number].size for number in anchor.keras.inputs}
        natives = {place: self.theirs.values.get(anchor.torch.inputs[place]) for place in places}
        return [p for p, value in natives.items() if not _is_mask(value) and (value is None or value.size in sizes)]

    def _incoming(self, anchor: Anchor, place: int) -> np.ndarray | None:
        """Keras's value for one input of the PyTorch call, in PyTorch's layout."""
        number = anchor.torch.inputs[place]
        native = self.theirs.values.get(number)
        if native is None:
            return None
        options = [(self._forwards(anchor, n, native), abs(i - place)) for i, n in enumerate(anchor.keras.inputs)]
        options += [(v, 9) for n in anchor.keras.inputs if (v := before_padding(self.mine, n)) is not None]
        # One side may pad in the layer, the other before it: then the value has another size, and its own flows on.
        fitting = [each for each in options if each[0].size == native.size]
        if not fitting:
            padded = before_padding(self.theirs, number) is not None
            return None if padded else alignment.to_torch(options[0][0], None, anchor.torch.family)
        best = min(fitting, key=lambda each: (alignment.distance(each[0], native)[0], each[1]))
        by_rows = _rows(best[0], native, anchor.torch.family)
        if by_rows is not None:
            return by_rows
        value = alignment.to_torch(best[0], native, anchor.torch.family)
        return value if value.ndim == native.ndim else None

    def _forwards(self, anchor: Anchor, number: int, native: np.ndarray) -> np.ndarray:
        """What enters Keras's layer; of one that goes backwards the steps in its order, where PyTorch turns them."""
        value = self.mine.values[number]
        if not anchor.keras.settings.get("reverse") or anchor.torch.settings.get("reverse") or value.ndim != 3:
            return value
        return value if alignment.distance(value, native)[0] <= LIMIT else np.flip(value, 1)

    def entering(self, anchor: Anchor, theirs: Trace) -> float:
        """How far what enters the PyTorch layer is from what enters Keras's."""
        worst = 0.0
        now = theirs.events[anchor.torch.index] if anchor.torch.index < len(theirs.events) else anchor.torch
        same = (now.call, len(now.inputs)) == (anchor.torch.call, len(anchor.torch.inputs))
        inputs = now.inputs if same else anchor.torch.inputs  # a call less in place gives others
        for number in (inputs[place] for place in self._fed(anchor)):
            native = theirs.values.get(number)
            if native is None:
                continue
            natives = [native, before_padding(theirs, number)]
            options = [
                each
                for n in anchor.keras.inputs
                for each in (self._forwards(anchor, n, native), before_padding(self.mine, n))
            ]
            worst = max(
                worst,
                min(
                    _apart(option, each, anchor.torch.family)
                    for option in options
                    for each in natives
                    if option is not None and each is not None
                ),
            )
        return worst

    def leaving(self, anchor: Anchor, theirs: Trace) -> float:
        """How far the PyTorch layer's output from Keras's input is from Keras's output."""
        wanted = self.mine.values[anchor.keras.outputs[0]]
        family = anchor.torch.family
        return min((_apart(wanted, value, family) for value in self.results(anchor, theirs)), default=float("inf"))

    def leaving_model(self, theirs: Trace, only: int | None = None) -> float:
        """How far the model's outputs are from Keras's; or one of them, by its place."""
        if not theirs.outputs:
            return 0.0 if theirs.stopped else float("inf")
        pairs = list(zip(self.output_numbers(), theirs.outputs.values(), strict=False))
        pairs = pairs if only is None else pairs[only : only + 1]
        return max((alignment.distance(self.mine.values[a], theirs.values[b])[0] for a, b in pairs), default=0.0)

    def output_numbers(self) -> list[int]:
        names = self.theirs.outputs
        if set(names) == set(self.mine.outputs):
            return [self.mine.outputs[name] for name in names]
        return list(self.mine.outputs.values())

    def results(self, anchor: Anchor, theirs: Trace) -> list[np.ndarray]:
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
        by_rows = _rows(wanted, natives[0], anchor.torch.family) if natives[0] is not None else None
        if by_rows is not None:
            return {0: by_rows}
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

    def origin(self, event: Event) -> str:
        """The family of the call whose layout a value has."""
        while event.family not in alignment.CHANNELS_FIRST and event.inputs:
            producer = self.theirs.producers.get(event.inputs[0])
            if producer is None or producer.family in ("shape", "dense"):
                break
            event = producer
        return event.family


def _apart(keras: np.ndarray, torch: np.ndarray, family: str) -> float:
    """How far two values are apart; a layer of single rows may get them in another order and with other axes."""
    far = alignment.distance(keras, torch)[0]
    return far if far <= LIMIT or _rows(keras, torch, family) is None else 0.0


def _rows(keras: np.ndarray, torch: np.ndarray, family: str) -> np.ndarray | None:
    """Keras's value in the shape of PyTorch's, where each has the other's rows in another order, as patches have.

    Only of layers that treat each row by itself, and of values whose axes are not as many.
    """
    fits = keras.ndim != torch.ndim and keras.size == torch.size and keras.shape[-1] == torch.shape[-1] > 1
    if family not in BY_ROW or not fits or keras.dtype.kind != "f" or keras.size > MOST_NUMBERS:
        return None
    one, other = (each.reshape(-1, each.shape[-1]) for each in (keras, torch))
    along = np.random.default_rng(0).standard_normal(one.shape[1])
    orders = [(each @ along).argsort(kind="stable") for each in (one, other)]
    if alignment.relative(one[orders[0]], other[orders[1]]) > LIMIT:
        return None
    out = np.empty_like(other)
    out[orders[1]] = one[orders[0]]
    return out.reshape(torch.shape)


def _is_mask(value: np.ndarray | None) -> bool:
    """Whether a value only says what is left out: yes and no, or zero and a very low number."""
    if value is None or value.dtype.kind == "b":
        return value is not None
    low = value[value != 0] if value.dtype.kind == "f" else value
    return bool(value.dtype.kind == "f" and (low < -1e4).all())
