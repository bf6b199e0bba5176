"""Causes among the calls without weights between two layers: first the particular ones, then the general."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.verify.causes.candidate import Candidate, InKeras, InTorch, multiple
from compare.verify.causes.words import argument as argument_of
from compare.verify.causes.words import changed, in_keras, in_torch, kind_of, place, written
from twin.differences import ROWS
from twin.trace import Edit, Event


@dataclass(frozen=True)
class Replacement:
    """A PyTorch call made to give another value.

    Args:
        event: the call.
        value: in PyTorch's layout.
        instead: whether the call is the counterpart of Keras's, and not one before it.
    """

    event: Event
    value: np.ndarray
    instead: bool

    def edits(self) -> tuple[list[Edit], dict[str, np.ndarray]]:
        """What carries it out."""
        return [{"event": self.event.index, "do": "output"}], {f"{self.event.index}/output/0": self.value}


@dataclass(frozen=True)
class Situation:
    """What lies between two pairs of layers where both sides part.

    Args:
        keras: the first call of Keras's whose result PyTorch has nowhere; None where there is none.
        torch: the first of PyTorch's whose result Keras has nowhere.
        source: what enters PyTorch's call.
        layer: the next layer's call in PyTorch; None before the output.
        follows: whether Keras makes PyTorch's call too, but after the next layer.
        replacements: PyTorch's calls that could be made to give the result of Keras's.
        end: PyTorch's call made to give what enters Keras's next layer.
        arranged: PyTorch's last call that only rearranges values.
        picks: whether PyTorch's call picks from a sequence of which Keras passes on the last step.
        rearranged: the shape in which Keras's call takes a value that PyTorch has in no such arrangement.
        entering: what enters the next layer, Keras's value and PyTorch's.
    """

    keras: Event | None
    torch: Event | None
    source: np.ndarray | None
    layer: Event | None
    follows: bool
    replacements: Sequence[Replacement]
    end: Replacement | None
    arranged: Event | None
    picks: bool
    rearranged: tuple[int, ...] | None
    entering: tuple[np.ndarray | None, np.ndarray | None] = (None, None)


def of_calls(at: Situation) -> list[Candidate]:
    """Every candidate, in the order in which they are tried."""
    return [candidate for family in FAMILIES for candidate in family(at)]


def _rearranged(at: Situation) -> Iterator[Candidate]:
    if at.rearranged is not None and at.keras is not None and at.end is not None:
        says = f"Keras computes {written(at.keras)} on the arrangement {at.rearranged}, which PyTorch has nowhere"
        yield Candidate("arrangement_order", says, *at.end.edits())


def _of_one_kind(at: Situation) -> Iterator[Candidate]:
    """Two calls of one kind: their settings, then one in place of the other, before anything is called missing."""
    if at.keras is None or at.torch is None or at.keras.family != at.torch.family:
        return
    yield from SETTINGS.get(at.keras.family, _nothing)(at, at.keras, at.torch)
    if at.keras.family != "op":
        yield from _instead(at)


def _without(at: Situation) -> Iterator[Candidate]:
    """PyTorch's call left out."""
    torch = at.torch
    if torch is None:
        return
    skip: list[Edit] = [{"event": torch.index, "do": "skip"}]
    cause, says = f"extra_{_kind(torch)}", f"PyTorch has {written(torch)}{place(torch)}, which Keras has not"
    fix = InTorch(f"take {written(torch)}{place(torch)} out", skip)
    keras = None
    if at.entering[0] is not None and at.entering[1] is not None:
        keras = InKeras([in_keras(torch)], [at.entering[0]], at.entering[1], f"add {in_keras(torch)}")
    if at.follows and at.layer is not None:
        cause, says = "order", f"PyTorch applies {written(torch)} before {at.layer.leaf}, Keras after it"
        moved = InTorch.of([changed("torch", torch)], at.layer, [torch], behind=True)
        fix = InTorch(f"move {written(torch)} behind {at.layer.leaf}", moved.edits)
        keras = None
    if torch.family == "dropout":
        cause, says = "dropout_mode", f"PyTorch drops values here in a mode in which Keras does not{place(torch)}"
        fix, keras = InTorch("torch.nn.functional.dropout(x, p, training=self.training)", skip), None
    yield Candidate(cause, says, skip, torch=fix, keras=keras)


def _missing(at: Situation) -> Iterator[Candidate]:
    """Keras's call added to PyTorch's pass."""
    for each in at.replacements if at.keras is not None else ():
        if not each.instead and at.keras is not None:
            says = f"Keras has {written(at.keras)}{place(at.keras)}, which PyTorch has not"
            fix = InTorch.of([in_torch(at.keras)], each.event, behind=True)
            fix = InTorch(f"add {in_torch(at.keras)}", fix.edits)
            keras = InKeras(["x"], (), at.entering[1], f"take {written(at.keras)} out")
            yield Candidate(f"missing_{_kind(at.keras)}", says, *each.edits(), fix, keras)


def _instead(at: Situation) -> Iterator[Candidate]:
    """Keras's call in place of PyTorch's."""
    keras, torch = at.keras, at.torch
    if keras is None or torch is None:
        return
    same_name = keras.settings.get("name") == torch.settings.get("name")
    says = f"Keras computes {written(keras)}, PyTorch {written(torch)}{place(torch)}"
    fix, other = InTorch.of([in_torch(keras)], torch), InKeras([in_keras(torch)])
    cause = _other(keras, torch)
    if keras.family == torch.family:
        cause = {"activation": "wrong_activation", "pool": "pooling", "resize": "resize"}.get(keras.family, cause)
        if same_name and keras.family == "op":
            cause = CATALOGUED.get(str(keras.settings["name"]), "arguments")
        if same_name and keras.settings.get("name") == "concatenate":
            cause, says = "operand_order", f"The parts of {written(torch)}{place(torch)} stand in another order"
            fix = InTorch.of([f"torch.cat((y, x), {written(torch).removeprefix('cat(').removesuffix(')')})"], torch)
            other = InKeras(["keras.ops.concatenate((y, x), axis=-1)"])
    for each in at.replacements:
        if each.instead:
            yield Candidate(cause, says, *each.edits(), fix, other)


def _of_two_kinds(at: Situation) -> Iterator[Candidate]:
    if at.keras is not None and at.torch is not None and not (at.keras.family == at.torch.family != "op"):
        yield from _instead(at)


def _halves(at: Situation) -> Iterator[Candidate]:
    """A gated linear unit whose other half is the gate."""
    if at.torch is not None and at.torch.settings.get("name") == "glu":
        dim = argument_of(at.torch.text, "dim") or "-1"
        line = f"torch.nn.functional.glu(torch.cat(x.chunk(2, {dim})[::-1], {dim}), {dim})"
        says = f"PyTorch's {written(at.torch)}{place(at.torch)} takes the second half for the gate, Keras the first"
        fix = InTorch.of([line], at.torch)
        yield Candidate("glu_gate_order", says, fix.edits, torch=fix)


def _multiple(at: Situation) -> Iterator[Candidate]:
    """What enters the next layer is a multiple of what enters Keras's."""
    if at.end is None or at.entering[1] is None:
        return
    factor = multiple(at.entering[1], at.end.value)
    if factor is None or abs(factor - 1) < 1e-6:
        return
    says = f"What enters Keras's next layer is {factor:.6g} times what enters PyTorch's"
    whole = max(factor, 1 / factor)
    summed = 1 < whole < 1e4 and abs(whole - round(whole)) < 1e-4 * whole
    ends = {kind_of(event) for event in (at.keras, at.torch) if event is not None}
    cause = "reduction_mean_sum" if summed and ends & REDUCTIONS else "scale"
    if at.keras is not None and "Bidirectional" in at.keras.call:
        cause = "bidirectional_merge"
    fix = InTorch.of([f"x * {factor:.6g}"], at.end.event, behind=True)
    yield Candidate(cause, says, fix.edits, torch=fix)


def _end(at: Situation) -> Iterator[Candidate]:
    """What enters the next layer made to be what enters Keras's: the place is right, and nothing more is known."""
    if at.end is None:
        return
    torch, keras = at.torch, at.keras
    if torch is not None and at.picks and keras is None:
        says = f"Keras passes on the last step of the sequence, PyTorch takes {written(torch)}{place(torch)}"
        yield Candidate("sequence_step", says, *at.end.edits(), InTorch.of(["x[:, -1]"], torch))
    elif torch is not None and keras is None:
        says = f"{written(torch)}{place(torch)} gives another value than what enters Keras's next layer"
        yield Candidate("other_operation", says, *at.end.edits())
    elif torch is not None and keras is not None:
        says = f"Keras computes {written(keras)}{place(keras)}, PyTorch {written(torch)}{place(torch)}"
        yield Candidate(_other(keras, torch), says, *at.end.edits())
    elif keras is None and at.arranged is not None:
        says = f"{written(at.arranged)}{place(at.arranged)} leaves the values in another order than Keras's reshape"
        yield Candidate("arrangement_order", says, *at.end.edits())


def _kind(event: Event) -> str:
    """What a call does, for a cause's name: a product with a number is a scale."""
    return "scale" if kind_of(event) in ("multiply", "divide") and len(event.inputs) == 1 else kind_of(event)


def _other(keras: Event, torch: Event) -> str:
    """The name of a cause of which only the place is known: what one side has as a layer, the other by hand."""
    if "Bidirectional" in keras.call:
        return "bidirectional_merge"
    names = kind_of(keras), kind_of(torch)
    if names[0] != names[1] and set(names) <= REDUCTIONS:
        return f"{names[1]}_for_{names[0]}"
    if names[0] == "conv":
        return "other_conv"
    families = [event.family for event in (keras, torch) if event.family not in ("op", "shape")]
    return f"other_{families[0]}" if families else "other_operation"


def _nothing(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
    return iter(())


def _activation(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
    """One activation with other settings."""
    mine, theirs = keras.settings, torch.settings
    if mine["name"] != theirs["name"]:
        return
    words = {
        "approximate": ("gelu_approximate", "approximate", "approximate"),
        "slope": ("leaky_relu_slope", "negative_slope", "negative_slope"),
        "alpha": ("elu_alpha", "alpha", "alpha"),
        "axis": ("softmax_axis", "axis", "dim"),
    }
    for word, (cause, own, argument) in words.items():
        if word not in mine or (mine[word] == theirs.get(word) and word != "axis"):
            continue
        value, had = mine[word], theirs.get(word)
        if word == "approximate":
            value, had = ("tanh" if mine[word] else "none"), ("tanh" if theirs[word] else "none")
        for option in _axes(value, had, at.source) if word == "axis" else [value]:
            says = f"PyTorch has {argument}={had!r}, Keras {own}={mine[word]!r}"
            edits: list[Edit] = [{"event": torch.index, "do": "arguments", "arguments": {argument: option}}]
            fix = InTorch.of([changed("torch", torch, **{argument: option})], torch)
            yield Candidate(cause, says, edits, torch=fix, keras=InKeras([in_keras(torch)]))


def _axes(value: int, had: int | None, source: np.ndarray | None) -> list[int]:
    """The axes that may be meant: channels are last in Keras and second in PyTorch."""
    rank = source.ndim if source is not None else 2
    options = dict.fromkeys([value % rank, 1, rank - 1, rank - 2])
    return [option for option in options if option != int(had if had is not None else -1) % rank]


def _resize(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
    mine, theirs = keras.settings, torch.settings
    arguments: dict[str, Any] = {"align_corners": False}
    cause, says = "bilinear_resize", "PyTorch aligns corners, Keras takes half-pixel centres"
    if mine["mode"] != theirs["mode"]:
        arguments = {"mode": mine["mode"], "align_corners": None if mine["mode"] == "nearest" else False}
        cause, says = "resize_mode", f"PyTorch interpolates {theirs['mode']!r}, Keras {mine['mode']!r}"
    elif not theirs["align_corners"]:
        return
    edits: list[Edit] = [{"event": torch.index, "do": "arguments", "arguments": arguments}]
    fix = InTorch.of([changed("torch", torch, **arguments)], torch)
    yield Candidate(cause, says, edits, torch=fix)


def _pooling(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
    mine, theirs = keras.settings, torch.settings
    fix, other = InTorch.of([in_torch(keras)], torch), InKeras([in_keras(torch)])
    if mine["kind"] != theirs["kind"]:
        says = f"Keras pools by {mine['kind']}, PyTorch by {theirs['kind']}"
        yield Candidate("pooling_kind", says, fix.edits, torch=fix, keras=other)
        return
    padded = any(side for axis in mine["pads"] for side in axis)
    if mine["kind"] == "mean" and theirs.get("counts_pads") and mine["pads"] == theirs["pads"] and padded:
        edits: list[Edit] = [{"event": torch.index, "do": "arguments", "arguments": {"count_include_pad": False}}]
        how = InTorch.of([changed("torch", torch, count_include_pad=False)], torch)
        says = "Keras leaves the padding out of the mean, PyTorch counts it"
        yield Candidate("average_pool_padding", says, edits, torch=how)
    same = mine["window"] == theirs["window"] and mine["strides"] == theirs["strides"]
    cause = {"max": "pooling_padding", "mean": "average_pool_padding"}[mine["kind"]] if same else "pooling_window"
    says = f"Keras pools with {written(keras)}, PyTorch with {written(torch)}"
    yield Candidate(cause, says, fix.edits, torch=fix, keras=other)


def _operation(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
    """One function with another number in it, such as a clip's limits."""
    if keras.settings.get("name") == torch.settings.get("name") and keras.settings.get("name") != "concatenate":
        says = f"Keras computes {written(keras)}, PyTorch {written(torch)}{place(torch)}"
        fix = InTorch.of([in_torch(keras)], torch)
        cause = CATALOGUED.get(str(keras.settings["name"]), "arguments")
        yield Candidate(cause, says, fix.edits, torch=fix, keras=InKeras([in_keras(torch)]))


CATALOGUED = {call: row.name for row in ROWS.values() for call in row.calls}
SETTINGS: dict[str, Callable[[Situation, Event, Event], Iterator[Candidate]]] = {
    "activation": _activation, "pool": _pooling, "resize": _resize, "op": _operation,
}  # fmt: skip
REDUCTIONS = {"mean", "sum", "max", "min", "prod", "logsumexp"}
FAMILIES = (_rearranged, _halves, _of_one_kind, _without, _missing, _multiple, _of_two_kinds, _end)
