"""Why two layers or calls differ: the candidates that are tried, one by one, until one makes both agree.

A candidate changes PyTorch's call to what Keras does (twin.trace's edits), so that the trial is a measurement. Causes
that `twin differences` lists have its names.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compare.verify import axes as alignment
from twin.bridge import Arrays, Leaf
from twin.trace import Edit, Event

NEUTRAL = {"shape"}


@dataclass(frozen=True)
class Candidate:
    """A possible cause.

    Args:
        cause: its name.
        says: in words, with both sides' values.
        fix: what to write instead, for either side.
        edits: what makes PyTorch do as Keras does; none where that cannot be tried.
        arrays: values that the edits need.
    """

    cause: str
    says: str
    fix: Mapping[str, str]
    edits: Sequence[Edit] = ()
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def neutral(event: Event) -> bool:
    """Whether a call leaves every value as it is, or only frames them with zeros for the next call."""
    if event.family == "dropout":
        return not event.settings["active"]
    return event.family == "shape" or event.settings.get("name") == "pad"


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
        says = f"PyTorch has {torch_word}={_short(torch_value)}, Keras {keras_word}={_short(keras_value)}"
        sizes, before = _sizes(leaves[1]), "..., " if leaves[0].kind.startswith("Conv") else ""
        fix = {
            "torch": f"{names[1]}({sizes}{torch_word}={_short(keras_value)})",
            "keras": f"{names[0]}({before}{keras_word}={_short(torch_value)})",
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
        own, other = _tuples(mine["crop"]), _tuples(theirs["crop"])
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


def of_calls(at: Situation) -> list[Candidate]:
    """Causes among the calls without weights between two layers: first the particular ones, then the general."""
    keras, torch = at.keras, at.torch
    found: list[Candidate] = []
    instead: list[Candidate] = []
    if at.rearranged is not None and keras is not None and at.end is not None:
        says = f"Keras computes {_written(keras)} on the arrangement {at.rearranged}, which PyTorch has nowhere"
        fix = {
            "torch": f"reshape and transpose to {at.rearranged} first",
            "keras": "split and transpose as PyTorch does",
        }
        found.append(Candidate("arrangement", says, fix, *at.end.edits()))
    if keras is not None and torch is not None:
        found += _of_pair(keras, torch, at.source)
        says = f"Keras computes {_written(keras)}, PyTorch {_written(torch)}{_at(torch)}"
        fix = {"torch": f"write {_in_torch(keras)}", "keras": f"write {_in_keras(torch)}"}
        cause = "other_operation"
        if keras.family == torch.family:
            cause = {"activation": "wrong_activation", "pool": "pooling", "resize": "resize"}.get(keras.family, cause)
            if keras.settings.get("name") == torch.settings.get("name"):
                cause = "arguments" if keras.family == "op" else cause
            if keras.settings.get("name") == torch.settings.get("name") == "concatenate":
                cause, says = "operand_order", f"the parts of {_written(torch)}{_at(torch)} stand in another order"
                fix = {"torch": "torch.cat with its parts in Keras's order", "keras": "Concatenate in PyTorch's order"}
        instead = [Candidate(cause, says, fix, *each.edits()) for each in at.replacements if each.instead]
        if keras.family == torch.family and keras.family != "op":
            found += instead  # two of a kind: one in place of the other, before anything is called missing
    if torch is not None:
        cause, says = f"extra_{_kind(torch)}", f"PyTorch has {_written(torch)}{_at(torch)}, which Keras has not"
        fix = {"torch": f"take {_written(torch)} out", "keras": f"add {_in_keras(torch)}"}
        if at.follows and at.layer is not None:
            cause, says = "order", f"PyTorch applies {_written(torch)} before {at.layer.leaf}, Keras after it"
            fix = {
                "torch": f"move {_written(torch)} behind {at.layer.leaf}",
                "keras": f"move it before {at.layer.leaf}",
            }
        if torch.family == "dropout":
            cause, says = "dropout_mode", f"PyTorch drops values here in a mode in which Keras does not{_at(torch)}"
            fix = {"torch": "torch.nn.functional.dropout(x, p, training=self.training)", "keras": "add a Dropout layer"}
        found.append(Candidate(cause, says, fix, [{"event": torch.index, "do": "skip"}]))
    if keras is not None:
        for each in at.replacements:
            if not each.instead:
                says = f"Keras has {_written(keras)}{_at(keras)}, which PyTorch has not"
                fix = {"torch": f"add {_in_torch(keras)}", "keras": f"take {_written(keras)} out"}
                found.append(Candidate(f"missing_{_kind(keras)}", says, fix, *each.edits()))
    if keras is not None and torch is not None and (keras.family != torch.family or keras.family == "op"):
        found += instead
    if torch is not None and keras is None and at.end is not None:
        says = f"{_written(torch)}{_at(torch)} gives another value than what enters Keras's next layer"
        cause = "sequence_step" if at.picks else "other_operation"
        if at.picks:
            says = f"Keras passes on the last step of the sequence, PyTorch takes {_written(torch)}{_at(torch)}"
        fix = {"torch": "x[:, -1]" if at.picks else "see above", "keras": "return_sequences=True, and pick the same"}
        found.append(Candidate(cause, says, fix, *at.end.edits()))
    if torch is None and keras is None and at.end is not None and at.arranged is not None:
        says = f"{_written(at.arranged)}{_at(at.arranged)} leaves the values in another order than Keras's reshape does"
        fix = {"torch": "transpose before the reshape, as Keras does", "keras": "the same, backwards"}
        found.append(Candidate("arrangement", says, fix, *at.end.edits()))
    return found


def of_weights(
    given: Arrays, wanted: Arrays, unflattened: Arrays, kind: str
) -> tuple[str | None, str, float | None, tuple[str, ...]]:
    """What turns one layer's weights into the other's: cause, words, distance after, and what was tried.

    Args:
        given: PyTorch's own arrays.
        wanted: Keras's, as the bridge carries them over.
        unflattened: Keras's without regard to the order of a flatten, where there is one.
        kind: PyTorch's layer type.
    """
    tried = []

    def settle(cause: str, says: str, changed: Arrays) -> tuple[str, str, float] | None:
        after = max(alignment.relative(changed[name], wanted[name]) for name in wanted)
        if after <= 1e-6:
            return cause, says, after
        tried.append(cause)
        return None

    options: list[tuple[str, str, Arrays]] = []
    if unflattened:
        back = {n: (wanted[n] if alignment.relative(a, unflattened[n]) <= 1e-6 else a) for n, a in given.items()}
        says = "the weights stand in Keras's order, H, W, C, and PyTorch flattens C, H, W: permute the columns"
        options.append(("flatten_order", says, back))
    matrices = [n for n, a in given.items() if a.ndim >= 2 and a.shape[0] == a.shape[1]]
    if matrices:
        swapped = {n: a.swapaxes(0, 1) if n in matrices else a for n, a in given.items()}
        options.append(
            ("transposed_kernel", "Keras's kernel is (in, out), PyTorch's weight (out, in): transpose it", swapped)
        )
    square = [n for n, a in given.items() if a.ndim == 4 and a.shape[2] == a.shape[3]]
    if square:
        turned = {n: a.swapaxes(2, 3) if n in square else a for n, a in given.items()}
        options.append(("transposed_kernel", "height and width of the kernel are exchanged", turned))
        both = {n: a[:, :, ::-1, ::-1] if n in square else a for n, a in given.items()}
        options.append(("flipped_kernel", "the kernel is turned round: neither framework does that", both))
    gates = {"LSTM": 4, "GRU": 3}.get(kind)
    if gates:
        words = {
            "LSTM": "i, f, c, o in Keras and i, f, g, o in PyTorch",
            "GRU": "z, r, h in Keras and r, z, n in PyTorch",
        }
        for order in itertools.permutations(range(gates)):
            if order != tuple(range(gates)):
                moved = {n: np.concatenate([np.split(a, gates)[i] for i in order]) for n, a in given.items()}
                options.append(
                    (f"{kind.lower()}_gate_order", f"the gates stand in another order: {words[kind]}", moved)
                )
    names = set(given)
    for pair_, cause, says in (
        (("weight", "bias"), "swapped_scale_and_shift", "gamma and beta are exchanged"),
        (("running_mean", "running_var"), "swapped_statistics", "mean and variance are exchanged"),
    ):
        if set(pair_) <= names and given[pair_[0]].shape == given[pair_[1]].shape:
            options.append((cause, says, given | {pair_[0]: given[pair_[1]], pair_[1]: given[pair_[0]]}))
    zeros = [n for n, a in given.items() if "bias" in n and not a.any() and wanted.get(n, a).any()]
    if zeros:
        options.append(
            ("missing_bias", "PyTorch's bias is zero: it was not carried over", given | {n: wanted[n] for n in zeros})
        )
    for cause, says, changed in options:
        done = settle(cause, says, changed)
        if done:
            return (*done, tuple(dict.fromkeys(tried)))
    ratio = {n: _factor(given[n], wanted[n]) for n in wanted if alignment.relative(given[n], wanted[n]) > 1e-6}
    if ratio and all(value is not None for value in ratio.values()):
        first = next(iter(ratio.values()))
        assert first is not None
        return "scale", f"Keras's values are {first:.6g} times PyTorch's", 0.0, tuple(dict.fromkeys(tried))
    return None, "", None, tuple(dict.fromkeys([*tried, "scale"]))


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
            "keras": f"keras.layers.ZeroPadding{dims}D({_tuples(theirs['pads'])}) before padding='valid'",
        }
        words = "before and after each axis"
        before = f" after {_written(pad)}{_at(pad)}" if pad is not None else ""
        says = f"Keras pads {_tuples(mine['pads'])}, PyTorch {_tuples(theirs['pads'])}{before} ({words})"
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


def _of_pair(keras: Event, torch: Event, source: np.ndarray | None) -> list[Candidate]:
    """Two calls of one kind with different settings."""
    mine, theirs = keras.settings, torch.settings
    at = torch.index
    found: list[Candidate] = []
    if keras.family == torch.family == "activation" and mine["name"] == theirs["name"]:
        words = {
            "approximate": ("gelu_approximate", "approximate"),
            "slope": ("leaky_relu_slope", "negative_slope"),
            "alpha": ("elu_alpha", "alpha"),
            "axis": ("softmax_axis", "dim"),
        }
        for word, (cause, argument) in words.items():
            if word in mine and mine[word] != theirs.get(word):
                value = ("tanh" if mine[word] else "none") if word == "approximate" else mine[word]
                rank = source.ndim if source is not None else 2
                own = "negative_slope" if word == "slope" else word
                options = [value]
                if word == "axis":  # channels are last in Keras and second in PyTorch
                    options = [value % rank, 1, rank - 1, rank - 2]
                for option in dict.fromkeys(options):
                    edit = {"event": at, "do": "arguments", "arguments": {argument: option}}
                    had = ("tanh" if theirs[word] else "none") if word == "approximate" else theirs[word]
                    says = f"PyTorch has {argument}={had!r}, Keras {own}={mine[word]!r}"
                    fix = {
                        "torch": f"torch.nn.functional.{theirs['name']}(x, {argument}={option!r})",
                        "keras": f"keras.ops.{mine['name']}(x, {own}={theirs[word]!r})",
                    }
                    found.append(Candidate(cause, says, fix, [edit]))
    if keras.family == torch.family == "pool":
        found += _of_pooling(keras, torch)
    if keras.family == torch.family == "resize":
        modes = {"bilinear": "bilinear", "nearest": "nearest", "bicubic": "bicubic"}
        if mine["mode"] == theirs["mode"] and theirs["align_corners"]:
            edit = {"event": at, "do": "arguments", "arguments": {"align_corners": False}}
            fix = {"torch": "align_corners=False", "keras": "nothing in Keras aligns corners"}
            says = "PyTorch aligns corners, Keras takes half-pixel centres"
            found.append(Candidate("bilinear_resize", says, fix, [edit]))
        elif mine["mode"] in modes and mine["mode"] != theirs["mode"]:
            arguments = {"mode": modes[mine["mode"]]} | ({} if mine["mode"] == "nearest" else {"align_corners": False})
            fix = {"torch": f"mode={mine['mode']!r}", "keras": f"interpolation={theirs['mode']!r}"}
            says = f"PyTorch interpolates {theirs['mode']!r}, Keras {mine['mode']!r}"
            found.append(
                Candidate("resize_mode", says, fix, [{"event": at, "do": "arguments", "arguments": arguments}])
            )
    return found


def _of_pooling(keras: Event, torch: Event) -> list[Candidate]:
    mine, theirs = keras.settings, torch.settings
    at, dims = torch.index, len(mine["window"])
    order = [side for axis in reversed(mine["pads"]) for side in axis]
    arguments = {"kernel_size": mine["window"], "stride": mine["strides"], "padding": [0] * dims, "ceil_mode": False}
    even = all(before == after for before, after in mine["pads"])
    padding = [] if not any(order) else [{"event": at, "do": "pad", "pad": order, "value": float("-inf")}]
    words = _written(keras), _written(torch)
    fix = {"torch": _in_torch(keras), "keras": _in_keras(torch)}
    found = []
    if mine["kind"] != theirs["kind"]:
        names = {"max": f"max_pool{dims}d", "mean": f"avg_pool{dims}d"}
        given = dict(arguments.items()) | ({"padding": [p[0] for p in mine["pads"]]} if even else {})
        if mine["kind"] == "mean":
            given["count_include_pad"] = False
        edit = {"event": at, "do": "function", "name": names[mine["kind"]], "arguments": given}
        found.append(
            Candidate("pooling_kind", f"Keras pools by {mine['kind']}, PyTorch by {theirs['kind']}", fix, [edit])
        )
        return found
    if mine["kind"] == "mean" and theirs.get("counts_pads") and mine["pads"] == theirs["pads"] and any(order):
        edit = {"event": at, "do": "arguments", "arguments": {"count_include_pad": False}}
        says = "Keras leaves the padding out of the mean, PyTorch counts it"
        how = {
            "torch": "count_include_pad=False",
            "keras": "nothing in Keras counts it; pad with zeros before padding='valid'",
        }
        found.append(Candidate("average_pool_padding", says, how, [edit]))
    if mine["kind"] == "max":
        changed = [{"event": at, "do": "arguments", "arguments": arguments}, *padding]
        cause = "pooling_window"
        if mine["window"] == theirs["window"] and mine["strides"] == theirs["strides"]:
            cause = "pooling_padding"
        found.append(Candidate(cause, f"Keras pools with {words[0]}, PyTorch with {words[1]}", fix, changed))
    elif even:
        given = arguments | {"padding": [p[0] for p in mine["pads"]], "count_include_pad": False}
        cause = (
            "pooling_window"
            if mine["window"] != theirs["window"] or mine["strides"] != theirs["strides"]
            else "average_pool_padding"
        )
        says = f"Keras pools with {words[0]}, PyTorch with {words[1]}"
        found.append(Candidate(cause, says, fix, [{"event": at, "do": "arguments", "arguments": given}]))
    return found


def _scaled(wanted: np.ndarray, got: np.ndarray | None, at: int) -> list[Candidate]:
    if got is None or got.size != wanted.size:
        return []
    _far, order = alignment.distance(wanted, got)
    if order is None:
        return []
    factor = _factor(np.squeeze(got).transpose(order) if got.ndim != wanted.ndim else got.transpose(order), wanted)
    if factor is None:
        return []
    says = f"Keras's output is {factor:.6g} times PyTorch's"
    fix = {"torch": f"multiply by {factor:.6g}", "keras": f"multiply by {1 / factor:.6g}"}
    return [Candidate("scale", says, fix, [{"event": at, "do": "scale", "by": factor}])]


def _factor(got: np.ndarray, wanted: np.ndarray) -> float | None:
    """c with wanted = c * got, if there is one."""
    if got.shape != wanted.shape:
        return None
    own = float(np.vdot(got.astype(np.float64), got))
    factor = float(np.vdot(got.astype(np.float64), wanted)) / own if own > 0 else 0.0
    return factor if factor and alignment.relative(got * factor, wanted) <= 1e-5 else None


def _kind(event: Event) -> str:
    return event.family if event.family != "op" else str(event.settings["name"])


def _written(event: Event) -> str:
    if event.text:
        return event.text
    return str(event.settings.get("name", event.call))


def _at(event: Event) -> str:
    return f" ({event.where})" if event.where else ""


def _in_torch(event: Event) -> str:
    """Keras's call as one writes it in PyTorch."""
    settings = event.settings
    name = str(settings.get("name", ""))
    if event.family == "activation":
        options = {
            "gelu": lambda: f", approximate={'tanh' if settings.get('approximate') else 'none'!r}",
            "leaky_relu": lambda: f", {settings.get('slope')}",
            "elu": lambda: f", alpha={settings.get('alpha')}",
            "softmax": lambda: f", dim={settings.get('axis')}",
            "log_softmax": lambda: f", dim={settings.get('axis')}",
        }
        return f"torch.nn.functional.{name}(x{options.get(name, lambda: '')()})"
    if event.family == "pool":
        kind = "max" if settings["kind"] == "max" else "avg"
        window, strides = tuple(settings["window"]), tuple(settings["strides"])
        return f"torch.nn.functional.{kind}_pool{len(window)}d(x, {window}, {strides})"
    if event.family == "dropout":
        return f"torch.nn.Dropout({settings['rate']:g})"
    if event.family == "resize":
        return f"torch.nn.functional.interpolate(x, mode={settings['mode']!r})"
    return {"add": "x + y", "multiply": "x * y", "subtract": "x - y", "concatenate": "torch.cat"}.get(
        name, f"torch.{name}"
    )


def _in_keras(event: Event) -> str:
    """PyTorch's call as one writes it in Keras."""
    settings = event.settings
    name = str(settings.get("name", ""))
    if event.family == "activation":
        options = {
            "gelu": lambda: f", approximate={bool(settings.get('approximate'))}",
            "leaky_relu": lambda: f", negative_slope={settings.get('slope')}",
            "elu": lambda: f", alpha={settings.get('alpha')}",
            "softmax": lambda: f", axis={settings.get('axis')}",
        }
        return f"keras.ops.{name}(x{options.get(name, lambda: '')()})"
    if event.family == "pool":
        kind = "MaxPooling" if settings["kind"] == "max" else "AveragePooling"
        window, strides = tuple(settings["window"]), tuple(settings["strides"])
        return f"keras.layers.{kind}{len(window)}D({window}, strides={strides})"
    if event.family == "dropout":
        return f"keras.layers.Dropout({settings['rate']:g})"
    if event.family == "resize":
        return f"interpolation={settings['mode']!r}"
    return f"keras.ops.{name}" if name else event.call


def _sizes(leaf: Leaf) -> str:
    """The first arguments of a PyTorch layer's constructor, as far as its weights tell them."""
    if leaf.kind.startswith("BatchNorm") and "weight" in leaf.shapes:
        return f"{leaf.shapes['weight'][0]}, "
    if leaf.kind == "LayerNorm" and "weight" in leaf.shapes:
        shape = leaf.shapes["weight"]
        return f"{shape[0] if len(shape) == 1 else tuple(shape)}, "
    return "..., "


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _tuples(pads: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(axis) for axis in pads)
