"""What turns one layer's arrays into the other's: axes, gates or statistics exchanged, a bias too many."""

import itertools

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import multiple
from compare.verify.causes.rearranged import of_order
from twin.bridge import Arrays


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
    tried: list[str] = []
    for cause, says, changed in _options(given, wanted, unflattened, kind):
        after = max(alignment.relative(changed[name], wanted[name]) for name in wanted)
        if after <= 1e-6:
            return cause, says, after, tuple(dict.fromkeys(tried))
        tried.append(cause)
    ratio = {n: multiple(given[n], wanted[n]) for n in wanted if alignment.relative(given[n], wanted[n]) > 1e-6}
    if ratio and all(value is not None for value in ratio.values()):
        first = next(iter(ratio.values()))
        assert first is not None
        return "scale", f"Keras's values are {first:.6g} times PyTorch's", 0.0, tuple(dict.fromkeys(tried))
    return None, "", None, tuple(dict.fromkeys([*tried, "scale"]))


def _options(given: Arrays, wanted: Arrays, unflattened: Arrays, kind: str) -> list[tuple[str, str, Arrays]]:
    """Each cause with its words, and PyTorch's arrays without it."""
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
        letters = {"LSTM": "ifgo", "GRU": "rzn"}[kind]
        keras = {"LSTM": "i, f, c, o", "GRU": "z, r, h"}[kind]
        for order in itertools.permutations(range(gates)):
            if order != tuple(range(gates)):
                moved = {n: np.concatenate([np.split(a, gates)[i] for i in order]) for n, a in given.items()}
                here = ", ".join(letters[order.index(place)] for place in range(gates))
                says = (
                    f"the gates of PyTorch's weights stand in the order {here}; its {kind} takes {', '.join(letters)}, "
                    f"Keras's {keras}"
                )
                options.append((f"{kind.lower()}_gate_order", says, moved))
    names = set(given)
    for pair_, cause, says in (
        (("weight", "bias"), "swapped_scale_and_shift", "gamma and beta are exchanged"),
        (("running_mean", "running_var"), "swapped_statistics", "mean and variance are exchanged"),
    ):
        if set(pair_) <= names and given[pair_[0]].shape == given[pair_[1]].shape:
            options.append((cause, says, given | {pair_[0]: given[pair_[1]], pair_[1]: given[pair_[0]]}))
    if kind in ("LSTM", "GRU", "RNN"):
        options += _of_recurrent(given, wanted, kind)
    zeros = [n for n, a in given.items() if "bias" in n and not a.any() and wanted.get(n, a).any()]
    if zeros:
        options.append(
            ("missing_bias", "PyTorch's bias is zero: it was not carried over", given | {n: wanted[n] for n in zeros})
        )
    if (
        {"running_mean", "running_var"} <= names
        and not given["running_mean"].any()
        and (given["running_var"] == 1).all()
    ):
        fresh = "PyTorch's running mean is 0 and its variance 1, as in a new layer: they were not carried over"
        kept = {name: wanted[name] for name in ("running_mean", "running_var")}
        options.append(("missing_statistics", fresh, given | kept))
    return [*options, *of_order(given, wanted)]


def _of_recurrent(given: Arrays, wanted: Arrays, kind: str) -> list[tuple[str, str, Arrays]]:
    """What is otherwise in a recurrent layer's biases, or between its directions."""
    options: list[tuple[str, str, Arrays]] = []
    biases = [name for name in wanted if name.startswith("bias")]
    if kind == "LSTM" and biases:
        halved = "both of PyTorch's biases hold Keras's one, and the two are added: one of them must be zero"
        options.append(("lstm_two_biases", halved, given | {name: given[name] / 2 for name in biases}))
        ones = {name: np.zeros_like(given[name]) for name in biases}
        for each in ones.values():
            each[len(each) // 4 : len(each) // 2] = 1
        for sign, says in ((1, "lacks the one that Keras adds"), (-1, "has one more than Keras's")):
            says = f"the bias of the forget gate {says} (unit_forget_bias)"
            moved = {name: given[name] + sign * ones[name] for name in biases}
            options.append(("lstm_forget_bias", says, given | moved))
    for name in biases:
        other = name.replace("_ih_", "_hh_")
        if other == name or other not in wanted or given[other].any():
            continue
        if alignment.relative(given[name], wanted[name] + wanted[other]) <= 1e-6:
            says = "the recurrent bias was added to the input's, and reset gates act on the recurrent one alone"
            options.append(("gru_bias", says, given | {name: wanted[name], other: wanted[other]}))
    if any(name.endswith("_reverse") for name in wanted):
        turned = {n: n.removesuffix("_reverse") if n.endswith("_reverse") else f"{n}_reverse" for n in given}
        if set(turned.values()) == set(given):
            says = "the weights of the forward direction are in the backward one, and the reverse"
            options.append(("directions", says, {name: given[turned[name]] for name in given}))
    return options
