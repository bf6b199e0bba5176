"""What turns one layer's arrays into the other's: each fault of a converted file has its cause, and a chance none."""

import numpy as np
import pytest

from compare.verify.causes.weights import of_weights

RNG = np.random.default_rng(0)


def drawn(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def dense(out=12, inside=6):
    return {"weight": drawn(out, inside), "bias": drawn(out)}


def recurrent(gates, ways=("",), two_biases=True):
    kept = {}
    for way in ways:
        kept |= {f"weight_ih_l0{way}": drawn(gates * 4, 3), f"weight_hh_l0{way}": drawn(gates * 4, 4)}
        kept |= {f"bias_ih_l0{way}": drawn(gates * 4)}
        if two_biases:
            kept |= {f"bias_hh_l0{way}": drawn(gates * 4)}
    return kept


def taken(arrays, order, axis=0):
    return {name: array.take(order, axis) if array.ndim > axis else array for name, array in arrays.items()}


def fresh(arrays):
    return arrays | {"running_mean": np.zeros(5, np.float32), "running_var": np.ones(5, np.float32)}


def exchanged(arrays):
    pairs = {name: f"{name}_reverse" for name in arrays if not name.endswith("_reverse")}
    return {**{one: arrays[other] for one, other in pairs.items()}, **{b: arrays[a] for a, b in pairs.items()}}


def folded(arrays):
    whole = arrays["bias_ih_l0"] + arrays["bias_hh_l0"]
    return arrays | {"bias_ih_l0": whole, "bias_hh_l0": np.zeros_like(whole)}


NORM = {"weight": drawn(5), "bias": drawn(5), "running_mean": drawn(5), "running_var": drawn(5) ** 2}
LSTM, GRU = recurrent(4, ("", "_reverse"), two_biases=False), recurrent(3)
TABLE = {"weight": drawn(9, 4)}
FUSED, ROWS = dense(), np.arange(12)
CASES = {
    "new statistics": (NORM, fresh(NORM), "BatchNorm2d", "missing_statistics"),
    "query and key exchanged": (FUSED, taken(FUSED, ROWS.reshape(3, 4)[[1, 0, 2]].ravel()), "Linear", "part_order"),
    "heads before parts": (FUSED, taken(FUSED, ROWS.reshape(3, 4).T.ravel()), "Linear", "arrangement_order"),
    "columns of another flatten": (dense(4, 12), None, "Linear", "flatten_order"),
    "rows shifted round": (TABLE, taken(TABLE, np.roll(np.arange(9), 1)), "Embedding", "rows_shifted"),
    "rows shifted, one lost": (TABLE, {"weight": np.r_[TABLE["weight"][1:], drawn(1, 4)]}, "Embedding", "rows_shifted"),
    "rows in no known order": (TABLE, taken(TABLE, [3, 0, 8, 1, 2, 7, 4, 6, 5]), "Embedding", "permuted"),
    "directions exchanged": (LSTM, exchanged(LSTM), "LSTM", "directions"),
    "both biases copied, in both directions": (
        LSTM,
        {name: 2 * array if "bias" in name else array for name, array in LSTM.items()},
        "LSTM",
        "lstm_two_biases",
    ),
    "recurrent bias folded into the input's": (GRU, folded(GRU), "GRU", "gru_bias"),
    "other weights altogether": (FUSED, dense(), "Linear", None),
    "other rows of which one is the same": (TABLE, {"weight": np.r_[TABLE["weight"][:1], drawn(8, 4)]}, "", None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_of_converted_weights_has_its_cause(case):
    wanted, given, kind, cause = CASES[case]
    if given is None:
        given = wanted | {"weight": wanted["weight"].reshape(4, 3, 4).swapaxes(1, 2).reshape(4, 12)}
    found, says, after, _ = of_weights(given, wanted, {}, kind)
    assert found == cause
    assert (after == 0) == bool(says) == (cause is not None)
