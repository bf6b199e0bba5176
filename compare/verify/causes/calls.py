"""Causes among the calls without weights between two layers: first the particular ones, then the general."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compare.verify.causes.candidate import Candidate
from compare.verify.causes.words import in_keras, in_torch, kind_of, place, written
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
        says = f"Keras computes {written(keras)} on the arrangement {at.rearranged}, which PyTorch has nowhere"
        fix = {
            "torch": f"reshape and transpose to {at.rearranged} first",
            "keras": "split and transpose as PyTorch does",
        }
        found.append(Candidate("arrangement", says, fix, *at.end.edits()))
    if keras is not None and torch is not None:
        found += _of_pair(keras, torch, at.source)
        says = f"Keras computes {written(keras)}, PyTorch {written(torch)}{place(torch)}"
        fix = {"torch": f"write {in_torch(keras)}", "keras": f"write {in_keras(torch)}"}
        cause = "other_operation"
        if keras.family == torch.family:
            cause = {"activation": "wrong_activation", "pool": "pooling", "resize": "resize"}.get(keras.family, cause)
            if keras.settings.get("name") == torch.settings.get("name"):
                cause = "arguments" if keras.family == "op" else cause
            if keras.settings.get("name") == torch.settings.get("name") == "concatenate":
                cause, says = "operand_order", f"the parts of {written(torch)}{place(torch)} stand in another order"
                fix = {"torch": "torch.cat with its parts in Keras's order", "keras": "Concatenate in PyTorch's order"}
        instead = [Candidate(cause, says, fix, *each.edits()) for each in at.replacements if each.instead]
        if keras.family == torch.family and keras.family != "op":
            found += instead  # two of a kind: one in place of the other, before anything is called missing
    if torch is not None:
        cause, says = f"extra_{kind_of(torch)}", f"PyTorch has {written(torch)}{place(torch)}, which Keras has not"
        fix = {"torch": f"take {written(torch)} out", "keras": f"add {in_keras(torch)}"}
        if at.follows and at.layer is not None:
            cause, says = "order", f"PyTorch applies {written(torch)} before {at.layer.leaf}, Keras after it"
            fix = {
                "torch": f"move {written(torch)} behind {at.layer.leaf}",
                "keras": f"move it before {at.layer.leaf}",
            }
        if torch.family == "dropout":
            cause, says = "dropout_mode", f"PyTorch drops values here in a mode in which Keras does not{place(torch)}"
            fix = {"torch": "torch.nn.functional.dropout(x, p, training=self.training)", "keras": "add a Dropout layer"}
        found.append(Candidate(cause, says, fix, [{"event": torch.index, "do": "skip"}]))
    if keras is not None:
        for each in at.replacements:
            if not each.instead:
                says = f"Keras has {written(keras)}{place(keras)}, which PyTorch has not"
                fix = {"torch": f"add {in_torch(keras)}", "keras": f"take {written(keras)} out"}
                found.append(Candidate(f"missing_{kind_of(keras)}", says, fix, *each.edits()))
    if keras is not None and torch is not None and (keras.family != torch.family or keras.family == "op"):
        found += instead
    if torch is not None and keras is None and at.end is not None:
        says = f"{written(torch)}{place(torch)} gives another value than what enters Keras's next layer"
        cause = "sequence_step" if at.picks else "other_operation"
        if at.picks:
            says = f"Keras passes on the last step of the sequence, PyTorch takes {written(torch)}{place(torch)}"
        fix = {"torch": "x[:, -1]" if at.picks else "see above", "keras": "return_sequences=True, and pick the same"}
        found.append(Candidate(cause, says, fix, *at.end.edits()))
    if torch is not None and keras is not None and at.end is not None:
        says = f"Keras computes {written(keras)}{place(keras)}, PyTorch {written(torch)}{place(torch)}"
        fix = {"torch": f"what {written(keras)} computes", "keras": f"what {written(torch)} computes"}
        found.append(Candidate("other_operation", says, fix, *at.end.edits()))
    if torch is None and keras is None and at.end is not None and at.arranged is not None:
        says = (
            f"{written(at.arranged)}{place(at.arranged)} leaves the values in another order than Keras's reshape does"
        )
        fix = {"torch": "transpose before the reshape, as Keras does", "keras": "the same, backwards"}
        found.append(Candidate("arrangement", says, fix, *at.end.edits()))
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
            if word in mine and (mine[word] != theirs.get(word) or word == "axis"):
                value = ("tanh" if mine[word] else "none") if word == "approximate" else mine[word]
                rank = source.ndim if source is not None else 2
                own = "negative_slope" if word == "slope" else word
                options = [value]
                if word == "axis":  # channels are last in Keras and second in PyTorch
                    options = [value % rank, 1, rank - 1, rank - 2]
                own_axis = int(theirs.get("axis", -1))
                for option in dict.fromkeys(options):
                    if word == "axis" and option == own_axis % rank:
                        continue
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
    words = written(keras), written(torch)
    fix = {"torch": in_torch(keras), "keras": in_keras(torch)}
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
