"""Two calls of one kind with other settings."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from compare.verify.causes.candidate import Candidate, InKeras, InTorch
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import changed, in_keras, in_torch, place, written
from twin.trace import Edit, Event


def unlike_arguments(name: str, torch: Event) -> str:
    """The cause of two calls of one name: of two operands, one that is no value of the pass is a constant."""
    constant = name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "matmul")
    return f"{name}_constant" if constant and len(torch.inputs) < 2 else f"{name}_arguments"


def nothing(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
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
    uneven = any(before != after for before, after in mine["pads"])
    paddings = {"max": "max_pool_same" if uneven else "pooling_padding", "mean": "average_pool_padding"}
    cause = paddings[mine["kind"]] if same else "pooling_window"
    yield from _padded_before(at, keras, torch)
    says = f"Keras pools with {written(keras)}, PyTorch with {written(torch)}"
    yield Candidate(cause, says, fix.edits, torch=fix, keras=other)


def _padded_before(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
    """Zeros around what Keras pools, where PyTorch's max pool pads with minus infinity."""
    pad = next(
        (e for e in at.unlike[0] if e.settings.get("name") == "pad" and e.inputs and e.outputs[0] in keras.inputs), None
    )
    if pad is None or keras.settings["kind"] != "max":
        return
    before, after = (at.values[0][number].shape for number in (pad.inputs[0], pad.outputs[0]))
    spare = [one - other for one, other in zip(after, before, strict=True) if one != other]
    for start in (sum(spare[:1]) // 2, 0):
        order = [side for each in reversed(spare) for side in (start, each - start)]
        lines = [f"torch.nn.functional.pad(x, {tuple(order)})", in_torch(keras)]
        says = f"Keras pads with zeros before it pools ({written(pad)}), PyTorch's {written(torch)} with minus infinity"
        fix = InTorch.of(lines, torch)
        yield Candidate("pooling_padding", f"{says}{place(torch)}", fix.edits, torch=fix)


def _operation(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
    """One function with another number in it, such as a clip's limits."""
    if keras.settings.get("name") == torch.settings.get("name") and keras.settings.get("name") != "concatenate":
        says = f"Keras computes {written(keras)}, PyTorch {written(torch)}{place(torch)}"
        fix = InTorch.of([in_torch(keras)], torch)
        cause = unlike_arguments(str(keras.settings["name"]), torch)
        yield Candidate(cause, says, fix.edits, torch=fix, keras=InKeras([in_keras(torch)]))


def _recurrent(at: Situation, keras: Event, torch: Event) -> Iterator[Candidate]:
    """What one of Keras's layers does that none of several within PyTorch's one layer can."""
    if keras.settings.get("reset_after") is False:
        says = "With reset_after=False the reset gate acts before the recurrent product, which torch.nn.GRU cannot do"
        yield Candidate("gru_reset_after", says)
    if keras.settings.get("activation", "tanh") != torch.settings.get("activation", "tanh"):
        says = f"Keras has activation={keras.settings['activation']!r}, PyTorch's layer 'tanh'"
        yield Candidate("recurrent_activation", says)
    if keras.settings.get("recurrent_activation", "sigmoid") != "sigmoid":
        says = f"Keras has recurrent_activation={keras.settings['recurrent_activation']!r}, PyTorch's layer 'sigmoid'"
        yield Candidate("recurrent_activation", says)


SETTINGS: dict[str, Callable[[Situation, Event, Event], Iterator[Candidate]]] = {
    "activation": _activation, "pool": _pooling, "resize": _resize, "op": _operation,
    "lstm": _recurrent, "gru": _recurrent, "rnn": _recurrent,
}  # fmt: skip
