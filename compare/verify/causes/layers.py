"""Causes within a layer that has weights, from equal inputs: settings that are not the same."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate, multiple
from compare.verify.causes.words import place, short, sizes, tuples, written
from twin.bridge import Leaf
from twin.trace import Edit, Event


def of_layer(
    keras: Event,
    torch: Event,
    leaves: tuple[Leaf, Leaf],
    wanted: np.ndarray,
    got: np.ndarray | None,
    pad: Event | None = None,
) -> list[Candidate]:
    """Causes within a layer that has weights, from equal inputs.

    Args:
        keras: Keras's call.
        torch: PyTorch's.
        leaves: both layers.
        wanted: Keras's output.
        got: PyTorch's output from the same input.
        pad: PyTorch's call that pads right before the layer, if there is one.
    """
    mine, theirs = keras.settings, torch.settings
    names = f"keras.layers.{leaves[0].kind}", f"torch.nn.{leaves[1].kind}"

    def one(cause: str, words: tuple[str, Any, str, Any], edits: Sequence[Edit]) -> Candidate:
        keras_word, keras_value, torch_word, torch_value = words
        says = f"PyTorch has {torch_word}={short(torch_value)}, Keras {keras_word}={short(keras_value)}"
        arguments, before = sizes(leaves[1]), "..., " if leaves[0].kind.startswith("Conv") else ""
        fix = {
            "torch": f"{names[1]}({arguments}{torch_word}={short(keras_value)})",
            "keras": f"{names[0]}({before}{keras_word}={short(torch_value)})",
        }
        return Candidate(cause, says, fix, edits)

    at = torch.index
    found: list[Candidate] = []
    if keras.family == torch.family == "batch_norm":
        if not math.isclose(mine["epsilon"], theirs["epsilon"], rel_tol=1e-3):
            edit = {"event": at, "do": "arguments", "arguments": {"eps": mine["epsilon"]}}
            found.append(one("batchnorm_epsilon", ("epsilon", mine["epsilon"], "eps", theirs["epsilon"]), [edit]))
        if mine["training"] != theirs["training"]:
            mode = {True: "the batch's statistics", False: "the running statistics"}
            says = f"Keras normalizes with {mode[mine['training']]}, PyTorch with {mode[theirs['training']]}"
            fix = {
                "torch": "call .train() or .eval() so that the layer is in Keras's mode (a frozen layer needs .eval())",
                "keras": "hand `training` on to the layer in `call`, or set its `trainable`",
            }
            edit = {"event": at, "do": "arguments", "arguments": {"training": mine["training"]}}
            found.append(Candidate("batchnorm_mode", says, fix, [edit]))
    if keras.family == torch.family and keras.family in ("layer_norm", "group_norm", "rms_norm"):
        name = keras.family.replace("_", "")
        if not math.isclose(mine["epsilon"], theirs["epsilon"], rel_tol=1e-3):
            edit = {"event": at, "do": "arguments", "arguments": {"eps": mine["epsilon"]}}
            found.append(one(f"{name}_epsilon", ("epsilon", mine["epsilon"], "eps", theirs["epsilon"]), [edit]))
        if mine.get("groups") != theirs.get("groups"):
            edit = {"event": at, "do": "arguments", "arguments": {"num_groups": mine["groups"]}}
            found.append(one("groupnorm_groups", ("groups", mine["groups"], "num_groups", theirs["groups"]), [edit]))
    if keras.family == torch.family == "conv":
        found += _of_convolution(mine, theirs, at, one, pad)
    if keras.family == torch.family == "conv_transpose" and mine["crop"] != theirs["crop"]:
        zeros = {"padding": [0] * len(mine["crop"]), "output_padding": [0] * len(mine["crop"])}
        edits = [
            {"event": at, "do": "arguments", "arguments": zeros},
            {"event": at, "do": "crop", "crop": mine["crop"]},
        ]
        own, other = tuples(mine["crop"]), tuples(theirs["crop"])
        says = f"Keras cuts {own} off the full result, PyTorch {other} (before and after)"
        fix = {
            "torch": f"{names[1]}(..., padding=0, output_padding=0), then cut {own} off its rows and columns",
            "keras": f"{names[0]}(..., padding='valid'), then cut {other} off",
        }
        found.append(Candidate("conv_transpose_same", says, fix, edits))
    if keras.family == torch.family and keras.family in ("lstm", "gru", "rnn"):
        if not theirs["batch_first"]:
            says = "PyTorch takes the first axis for time (batch_first=False), Keras the second"
            fix = {"torch": f"{names[1]}(..., batch_first=True)", "keras": "transpose the input"}
            edits = [{"event": at, "do": "arguments", "arguments": {"batch_first": True}}]
            found.append(Candidate("batch_first", says, fix, edits))
        found += _of_recurrence(mine, theirs, torch, names)
    if keras.family == torch.family == "attention" and mine.get("heads") != theirs.get("heads"):
        edit = {"event": at, "do": "arguments", "arguments": {"num_heads": mine["heads"]}}
        found.append(one("attention_heads", ("num_heads", mine["heads"], "num_heads", theirs["heads"]), [edit]))
    return [*found, *_scaled(wanted, got, at)]


def of_state(torch: Event, states: Sequence[np.ndarray]) -> list[Candidate]:
    """Keras's initial state, which PyTorch's recurrent layer does not get, or gets in another order."""
    if not states or torch.settings.get("packed") or torch.settings.get("bidirectional"):
        return []
    names = ("h", "c")[: len(states)]
    given = ", ".join(f"{name}.unsqueeze(0)" for name in names)
    says = f"Keras starts with {len(states)} arrays of initial state ({', '.join(names)}), PyTorch with another state"
    fix = {
        "torch": f"self.rnn(x, {f'({given})' if len(names) > 1 else given}), the state of (1, B, units), h first",
        "keras": "the same initial_state as PyTorch's layer",
    }
    arrays = {f"{torch.index}/state/{place}": state[None] for place, state in enumerate(states)}
    return [Candidate("initial_state", says, fix, [{"event": torch.index, "do": "state"}], arrays)]


def _of_convolution(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], at: int, one: Any, pad: Event | None
) -> list[Candidate]:
    """Padding, stride, dilation, each by itself and then together."""
    found = []
    edits: list[Edit] = []
    if mine["pads"] != theirs["pads"]:
        dims = len(mine["pads"])
        order = [side for axis in reversed(mine["pads"]) for side in axis]
        pads = [
            {"event": at, "do": "arguments", "arguments": {"padding": [0] * dims}},
            {"event": at, "do": "pad", "pad": order},
        ]
        if pad is not None:
            pads.append({"event": pad.index, "do": "skip"})
        uneven = any(before != after for before, after in mine["pads"])
        cause = "same_padding_stride" if uneven and max(mine["strides"]) > 1 else "padding"
        base = one(cause, ("pads", mine["pads"], "pads", theirs["pads"]), pads)
        dims_word = f"torch.nn.functional.pad(x, {tuple(order)}) before a convolution with padding=0"
        fix = {
            "torch": dims_word,
            "keras": f"keras.layers.ZeroPadding{dims}D({tuples(theirs['pads'])}) before padding='valid'",
        }
        words = "before and after each axis"
        before = f" after {written(pad)}{place(pad)}" if pad is not None else ""
        says = f"Keras pads {tuples(mine['pads'])}, PyTorch {tuples(theirs['pads'])}{before} ({words})"
        found.append(Candidate(base.cause, says, fix, pads))
        edits += pads
    for word, keras_word, torch_word in (("strides", "strides", "stride"), ("dilation", "dilation_rate", "dilation")):
        if mine[word] != theirs[word]:
            edit = {"event": at, "do": "arguments", "arguments": {torch_word: mine[word]}}
            values = keras_word, tuple(mine[word]), torch_word, tuple(theirs[word])
            found.append(one("stride" if word == "strides" else word, values, [edit]))
            edits = [edit, *edits]
    if len(found) > 1:
        says = "; ".join(candidate.says for candidate in found)
        fix = {side: " and ".join(candidate.fix[side] for candidate in found) for side in ("torch", "keras")}
        found.append(Candidate(found[-1].cause, says, fix, edits))
    return found


def _of_recurrence(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], torch: Event, names: tuple[str, str]
) -> list[Candidate]:
    found = []
    if mine["reverse"]:
        says = "Keras goes through the sequence backwards (go_backwards=True), PyTorch forwards"
        fix = {"torch": "flip the input along the time axis first", "keras": "go_backwards=False"}
        axis = 1 if "batch_first=True" in torch.text else 0
        found.append(Candidate("direction", says, fix, [{"event": torch.index, "do": "reverse", "axis": axis}]))
    if mine["bidirectional"] != theirs["bidirectional"]:
        says = "only one of the two goes in both directions"
        found.append(
            Candidate("direction", says, {"torch": "bidirectional=True", "keras": "keras.layers.Bidirectional"})
        )
    usual = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    for word, value in usual.items():
        if word in mine and mine[word] != theirs.get(word, value):
            says = f"Keras has {word}={mine[word]!r}; {names[1]} has {theirs.get(word, value)!r}"
            fix = {"torch": f"no argument of {names[1]} does this; write the cell out", "keras": f"{word}={value!r}"}
            found.append(Candidate("recurrent_activation", says, fix))
    return found


def _scaled(wanted: np.ndarray, got: np.ndarray | None, at: int) -> list[Candidate]:
    if got is None or got.size != wanted.size:
        return []
    _far, order = alignment.distance(wanted, got)
    if order is None:
        return []
    factor = multiple(np.squeeze(got).transpose(order) if got.ndim != wanted.ndim else got.transpose(order), wanted)
    if factor is None:
        return []
    says = f"Keras's output is {factor:.6g} times PyTorch's"
    fix = {"torch": f"multiply by {factor:.6g}", "keras": f"multiply by {1 / factor:.6g}"}
    return [Candidate("scale", says, fix, [{"event": at, "do": "scale", "by": factor}])]
