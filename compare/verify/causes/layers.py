"""Causes within a layer that has weights, from equal inputs: settings that are not the same."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.attention import of_attention
from compare.verify.causes.axes_of_layers import of_normalized, of_turned
from compare.verify.causes.candidate import Candidate, InKeras, InTorch, multiple
from compare.verify.causes.words import changed, place, short, tuples, written
from twin.trace import Edit, Event


@dataclass(frozen=True)
class Layer:
    """Two layers that get the same input and do not give the same.

    Args:
        keras: Keras's call.
        torch: PyTorch's.
        wanted: Keras's output.
        got: PyTorch's output from the same input.
        pad: PyTorch's call that pads right before the layer, if there is one.
        states: the arrays of initial state that Keras's layer gets.
        cut: PyTorch's call that cuts the layer's output, if there is one.
        given: what enters Keras's layer.
        own_states: the arrays of initial state that PyTorch's layer gets.
        roles: the candidate of other values for query, key and value.
    """

    keras: Event
    torch: Event
    wanted: np.ndarray
    got: np.ndarray | None
    pad: Event | None = None
    states: Sequence[np.ndarray] = ()
    cut: Event | None = None
    given: np.ndarray | None = None
    own_states: Sequence[np.ndarray] = ()
    roles: Sequence[Candidate] = ()

    def argument(self, cause: str, keras: tuple[str, Any], torch: tuple[str, Any]) -> Candidate:
        """The candidate of one argument: its name and value on either side."""
        (keras_name, keras_value), (torch_name, torch_value) = keras, torch
        says = f"PyTorch has {torch_name}={short(torch_value)}, Keras {keras_name}={short(keras_value)}"
        edits: list[Edit] = [{"event": self.torch.index, "do": "arguments", "arguments": {torch_name: keras_value}}]
        line = changed("torch", self.torch, **{torch_name: keras_value})
        fix = InTorch.of([line], self.torch)
        if not line.startswith("torch.nn.") or line.startswith("torch.nn.functional"):  # it takes arrays too
            fix = InTorch(f"{torch_name}={short(keras_value)} in {self.torch.call}", edits)
        other = InKeras([changed("keras", self.keras, **{keras_name: torch_value})])
        return Candidate(cause, says, edits, torch=fix, keras=other)


def of_layer(layer: Layer) -> list[Candidate]:
    """Causes within a layer that has weights, from equal inputs."""
    found = []
    if layer.keras.family == layer.torch.family:
        found = FAMILIES.get(layer.keras.family, lambda each: [])(layer)
    if layer.given is not None and layer.got is not None:
        found += of_normalized(layer.keras, layer.torch, layer.given, layer.wanted, layer.got)
    rank = layer.given.ndim if layer.given is not None else 0
    return [*found, *of_turned(layer.torch, rank), *_scaled(layer)]


def _batch_norm(layer: Layer) -> list[Candidate]:
    found = _norm(layer)
    mine, theirs = layer.keras.settings["training"], layer.torch.settings["training"]
    if mine != theirs:
        mode = {True: "the batch's statistics", False: "the running statistics"}
        says = f"Keras normalizes with {mode[mine]}, PyTorch with {mode[theirs]}"
        edits: list[Edit] = [{"event": layer.torch.index, "do": "arguments", "arguments": {"training": mine}}]
        text = f"call .{'train' if mine else 'eval'}() on {layer.torch.path or layer.torch.leaf} after model.train()"
        cause = "batchnorm_frozen" if theirs else "batchnorm_mode"
        found.append(Candidate(cause, says, edits, torch=InTorch(text, edits)))
    return found


def _norm(layer: Layer) -> list[Candidate]:
    found = []
    mine, theirs = layer.keras.settings, layer.torch.settings
    if not math.isclose(mine["epsilon"], theirs["epsilon"], rel_tol=1e-3):
        cause = f"{layer.keras.family.replace('_', '')}_epsilon"
        found.append(layer.argument(cause, ("epsilon", mine["epsilon"]), ("eps", theirs["epsilon"])))
    if mine.get("groups") != theirs.get("groups"):
        found.append(
            layer.argument("groupnorm_groups", ("groups", mine.get("groups")), ("num_groups", theirs.get("groups")))
        )
    return found


def _convolution(layer: Layer) -> list[Candidate]:
    """Padding, stride, dilation, each by itself and then together."""
    mine, theirs = layer.keras.settings, layer.torch.settings
    found = [_padding(layer)] if mine["pads"] != theirs["pads"] or layer.cut is not None else []
    for word, keras_word, torch_word in (("strides", "strides", "stride"), ("dilation", "dilation_rate", "dilation")):
        if mine[word] != theirs[word]:
            cause = "stride" if word == "strides" else word
            found.append(layer.argument(cause, (keras_word, tuple(mine[word])), (torch_word, tuple(theirs[word]))))
    if len(found) > 1:
        says = "; ".join(candidate.says for candidate in found)
        edits = [edit for candidate in reversed(found) for edit in candidate.edits]
        words = {"padding": 0, "stride": tuple(mine["strides"]), "dilation": tuple(mine["dilation"])}
        torch = _padded(layer, **words)
        keras = InKeras([_zero_padding(layer), changed(
            "keras", layer.keras, padding="valid", strides=tuple(theirs["strides"]),
            dilation_rate=tuple(theirs["dilation"]),
        )])  # fmt: skip
        found.append(Candidate(found[-1].cause, says, edits, torch=torch, keras=keras))
    return [*found, *_padding_modes(layer)]


def _padding_modes(layer: Layer) -> list[Candidate]:
    """What Keras pads with is no zeros."""
    order = _order(layer.keras.settings["pads"])
    found = []
    for mode in ("reflect", "replicate", "circular") if any(order) else ():
        own = "of PyTorch's layer" if layer.pad is None else f"{written(layer.pad)}{place(layer.pad)}"
        says = f"Keras pads with mode {mode!r}, the padding {own} does not"
        lines = [
            f"torch.nn.functional.pad(x, {tuple(order)}, mode={mode!r})", changed("torch", layer.torch, padding=0)
        ]  # fmt: skip
        edits: list[Edit] = [
            {"event": layer.torch.index, "do": "arguments", "arguments": {"padding": [0] * (len(order) // 2)}},
            {"event": layer.torch.index, "do": "pad", "pad": order, "mode": mode},
        ]
        without = [event for event in (layer.pad, layer.cut) if event is not None]
        skipped: list[Edit] = [{"event": event.index, "do": "skip"} for event in without]
        fix = InTorch.of(lines, layer.torch, without)
        found.append(Candidate("padding_mode", says, [*skipped, *edits], torch=fix))
    return found


def _padding(layer: Layer) -> Candidate:
    mine, theirs, pad = layer.keras.settings, layer.torch.settings, layer.pad
    at = layer.torch.index
    edits: list[Edit] = [
        {"event": at, "do": "arguments", "arguments": {"padding": [0] * len(mine["pads"])}},
        {"event": at, "do": "pad", "pad": _order(mine["pads"])},
    ]
    edits += [{"event": each.index, "do": "skip"} for each in (pad, layer.cut) if each is not None]
    uneven = any(before != after for before, after in mine["pads"])
    cause = "same_padding_stride" if uneven and max(mine["strides"]) > 1 else "padding"
    before = f" after {written(pad)}{place(pad)}" if pad is not None else ""
    if layer.cut is not None:
        before += f", of which {written(layer.cut)}{place(layer.cut)} cuts another part than Keras leaves out"
    if pad is not None and re.search("reflect|replicate|circular", pad.text):
        cause = "padding_mode"
    says = f"Keras pads {tuples(mine['pads'])}, PyTorch {tuples(theirs['pads'])}{before} (before and after each axis)"
    keras = InKeras([_zero_padding(layer), changed("keras", layer.keras, padding="valid")])
    return Candidate(cause, says, edits, torch=_padded(layer, padding=0), keras=keras)


def _padded(layer: Layer, **arguments: Any) -> InTorch:
    """PyTorch's layer with Keras's padding before it."""
    order = _order(layer.keras.settings["pads"])
    lines = [f"torch.nn.functional.pad(x, {tuple(order)})"] if any(order) else []
    if all(before == after for before, after in layer.keras.settings["pads"]):
        lines, arguments = [], arguments | {"padding": tuple(before for before, _ in layer.keras.settings["pads"])}
    lines = [*lines, changed("torch", layer.torch, **arguments)]
    return InTorch.of(lines, layer.torch, [event for event in (layer.pad, layer.cut) if event is not None])


def _zero_padding(layer: Layer) -> str:
    pads = layer.torch.settings["pads"]
    given = tuples(pads)[0] if len(pads) == 1 else tuples(pads)
    return f"keras.layers.ZeroPadding{len(pads)}D({given})"


def _order(pads: Sequence[Sequence[int]]) -> list[int]:
    """Padding in the order of torch.nn.functional.pad: the last axis first."""
    return [side for axis in reversed(pads) for side in axis]


def _conv_transpose(layer: Layer) -> list[Candidate]:
    crop, other = layer.keras.settings["crop"], layer.torch.settings["crop"]
    if crop == other:
        return []
    zeros = [0] * len(crop)
    edits: list[Edit] = [
        {"event": layer.torch.index, "do": "arguments", "arguments": {"padding": zeros, "output_padding": zeros}},
        {"event": layer.torch.index, "do": "crop", "crop": crop},
    ]
    says = f"Keras cuts {tuples(crop)} off the full result, PyTorch {tuples(other)} (before and after)"
    cut = tuple(-side for side in _order(crop))
    lines = [changed("torch", layer.torch, padding=0, output_padding=0), f"torch.nn.functional.pad(x, {cut})"]
    given = tuples(other)[0] if len(other) == 1 else tuples(other)
    keras = InKeras([changed("keras", layer.keras, padding="valid"), f"keras.layers.Cropping{len(other)}D({given})"])
    return [Candidate("conv_transpose_same", says, edits, torch=InTorch.of(lines, layer.torch), keras=keras)]


def _recurrence(layer: Layer) -> list[Candidate]:
    mine, theirs = layer.keras.settings, layer.torch.settings
    found = []
    if not theirs["batch_first"]:
        says = "PyTorch takes the first axis for time (batch_first=False), Keras the second"
        fix = InTorch.of([changed("torch", layer.torch, batch_first=True)], layer.torch)
        found.append(Candidate("rnn_batch_first", says, fix.edits, torch=fix))
    if mine["reverse"]:
        axis = 1 if theirs["batch_first"] else 0
        says = "Keras goes through the sequence backwards (go_backwards=True), PyTorch forwards"
        edits: list[Edit] = [{"event": layer.torch.index, "do": "reverse", "axis": axis}]
        fix = InTorch.of([f"torch.flip(x, ({axis},))", changed("torch", layer.torch)], layer.torch)
        keras = InKeras([changed("keras", layer.keras, go_backwards=False)])
        found.append(Candidate("direction", says, edits, torch=fix, keras=keras))
    if mine["bidirectional"] != theirs["bidirectional"]:
        found.append(Candidate("direction", "Only one of the two goes in both directions"))
    if mine.get("reset_after") is False:
        says = "With reset_after=False the reset gate acts before the recurrent product, which torch.nn.GRU cannot do"
        found.append(Candidate("gru_reset_after", says))
    usual = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    for word, value in usual.items():
        value = theirs.get(word, value)
        if word in mine and mine[word] != value:
            says = f"Keras has {word}={mine[word]!r}, PyTorch's layer {value!r}"
            keras = InKeras([changed("keras", layer.keras, **{word: value})])
            found.append(Candidate("recurrent_activation", says, keras=keras))
    return [*found, *_initial_state(layer)]


def _initial_state(layer: Layer) -> list[Candidate]:
    """Keras's initial state, which PyTorch's recurrent layer does not get, or gets in another order."""
    settings = layer.torch.settings
    if layer.own_states and not layer.states and not settings.get("packed"):
        says = f"PyTorch's {written(layer.torch)}{place(layer.torch)} starts from a state that it is given, "
        says += "Keras's layer from zeros"
        arrays = {f"{layer.torch.index}/state/{i}": np.zeros_like(each) for i, each in enumerate(layer.own_states)}
        edits: list[Edit] = [{"event": layer.torch.index, "do": "state"}]
        return [Candidate("initial_state", says, edits, arrays)]
    if not layer.states or settings.get("packed") or settings.get("bidirectional"):
        return []
    names = ("h", "c")[: len(layer.states)]
    given = ", ".join(f"{name}.unsqueeze(0)" for name in names)
    says = f"Keras starts with the initial state {', '.join(names)} that enters its layer, PyTorch with another state"
    arrays = {f"{layer.torch.index}/state/{place}": state[None] for place, state in enumerate(layer.states)}
    edits = [{"event": layer.torch.index, "do": "state"}]
    text = f"self.{layer.torch.path}(x, {f'({given})' if len(names) > 1 else given}), h being Keras's first state"
    return [Candidate("initial_state", says, edits, arrays, InTorch(text, edits, arrays))]


def _attention(layer: Layer) -> list[Candidate]:
    mine, theirs = layer.keras.settings.get("heads"), layer.torch.settings.get("heads")
    found = [*layer.roles]
    if mine is not None and theirs is not None and mine != theirs:
        found.append(layer.argument("attention_heads", ("num_heads", mine), ("num_heads", theirs)))
    if layer.torch.call.endswith("multi_head_attention_forward"):
        says = "PyTorch takes the second axis for the batch (batch_first=False), Keras the first"
        edits: list[Edit] = [{"event": layer.torch.index, "do": "batch_second"}]
        name = layer.torch.path or "the attention"
        fix = InTorch(f"batch_first=True in {name}, or in the layer around it", edits)
        found.append(Candidate("attention_batch_first", says, edits, torch=fix))
    return [*found, *of_attention([layer.torch], [], keras=True)]


def _scaled(layer: Layer) -> list[Candidate]:
    wanted, got = layer.wanted, layer.got
    if got is None or got.size != wanted.size:
        return []
    _far, order = alignment.distance(wanted, got)
    if order is None:
        return []
    factor = multiple(np.squeeze(got).transpose(order) if got.ndim != wanted.ndim else got.transpose(order), wanted)
    if factor is None:
        return []
    says = f"Keras's output is {factor:.6g} times PyTorch's"
    edits: list[Edit] = [{"event": layer.torch.index, "do": "scale", "by": factor}]
    keras = InKeras([changed("keras", layer.keras), f"x * {1 / factor:.6g}"])
    fix = InTorch.of([f"x * {factor:.6g}"], layer.torch, behind=True)
    return [Candidate("scale", says, edits, torch=fix, keras=keras)]


FAMILIES: dict[str, Callable[[Layer], list[Candidate]]] = {
    "batch_norm": _batch_norm, "layer_norm": _norm, "group_norm": _norm, "rms_norm": _norm, "conv": _convolution,
    "conv_transpose": _conv_transpose, "lstm": _recurrence, "gru": _recurrence, "rnn": _recurrence,
    "attention": _attention,
}  # fmt: skip
