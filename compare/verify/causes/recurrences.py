"""A recurrent layer that one side writes by hand: which change of Keras's equations gives PyTorch's values.

Hochreiter and Schmidhuber 1997 for the LSTM, Cho et al. 2014 for the GRU, whose equations both write otherwise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate
from compare.verify.causes.words import place, written
from compare.verify.verdict import LIMIT
from twin.trace import Event

Function = Callable[[np.ndarray], np.ndarray]
States = tuple[np.ndarray, np.ndarray]
FUNCTIONS: Mapping[str, Function] = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 * (1 + np.tanh(0.5 * x)),
    "relu": lambda x: np.maximum(x, 0),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "linear": lambda x: x,
}
LARGEST = 20_000_000  # multiplications of one run, of which there are about fifty
GATES = {"lstm": ("input", "forget", "candidate", "output"), "gru": ("update", "reset", "candidate")}


@dataclass(frozen=True)
class Equations:
    """How one step is computed.

    Args:
        kind: `lstm` or `gru`.
        gates: the place of each gate among the blocks of the weights.
        gate, inner, outer: functions of the gates, of the candidate, and of the LSTM's cell as it leaves.
        reset_after: whether a GRU's reset gate acts after the recurrent product.
        turned: whether a GRU's update gate lets the new state through instead of the old.
        unlike: what is left out or done otherwise, by name.
    """

    kind: str
    gates: tuple[int, ...]
    gate: str = "sigmoid"
    inner: str = "tanh"
    outer: str = "tanh"
    reset_after: bool = True
    turned: bool = False
    unlike: frozenset[str] = field(default_factory=frozenset)


def of_recurrence(
    event: Event, x: np.ndarray, arrays: Mapping[str, np.ndarray], values: Sequence[tuple[Event, np.ndarray]]
) -> Iterator[Candidate]:
    """Changes of Keras's equations that give a value of PyTorch's.

    Args:
        event: Keras's recurrent layer, of one direction.
        x: what enters it, (batch, steps, features).
        arrays: its kernel, recurrent_kernel and bias.
        values: PyTorch's calls that part, with what they give.
    """
    own = _own(event)
    if own is None or x.ndim != 3 or not {"kernel", "recurrent_kernel"} <= set(arrays):
        return
    units = arrays["recurrent_kernel"].shape[0]
    if x.shape[0] * x.shape[1] * arrays["recurrent_kernel"].size > LARGEST:
        return
    fitting = [
        (call, value) for call, value in values if value.size in (len(x) * units, x.shape[0] * x.shape[1] * units)
    ]
    for cause, says, equations in _changes(own):
        steps, cells = _run(equations, x.astype(np.float64), arrays)
        if "cells" in equations.unlike:
            steps = cells
        options = [steps, steps[:, -1], steps[:, 0], steps[:, ::-1]]
        for call, value in fitting[::-1]:
            far = min((alignment.distance(each, value)[0] for each in options if each.size == value.size), default=1.0)
            if far <= LIMIT:
                says = f"PyTorch's recurrence by hand {says}{place(call)}: {written(event)}"
                yield Candidate(cause, says, measured=far)
                return


def _own(event: Event) -> Equations | None:
    """Keras's equations, where they are known here."""
    settings = event.settings
    if event.family not in GATES or settings.get("bidirectional") or settings.get("activation") not in FUNCTIONS:
        return None
    if settings.get("recurrent_activation") not in FUNCTIONS:
        return None
    inner, count = settings["activation"], len(GATES[event.family])
    gate, after = settings["recurrent_activation"], bool(settings.get("reset_after", True))
    return Equations(event.family, tuple(range(count)), gate, inner, inner, after)


def _changes(own: Equations) -> Iterator[tuple[str, str, Equations]]:
    """Each change with its cause and words."""
    names = GATES[own.kind]
    if own.kind == "gru":
        turned = replace(own, turned=True)
        yield "gru_update_gate", "takes the update gate the other way round: z for 1 - z", turned
        other = replace(own, reset_after=not own.reset_after)
        says = f"applies the reset gate {'before' if own.reset_after else 'after'} the recurrent product, Keras not"
        yield "gru_reset_after", says, other
        yield "gru_update_gate", f"{says}, and takes the update gate the other way round", replace(other, turned=True)
        yield "gru_reset_gate", "leaves the reset gate out", replace(own, unlike=frozenset({"reset"}))
    for gates in permutations(own.gates):
        if gates != own.gates:
            order = ", ".join(names[gates.index(place)] for place in own.gates)
            yield f"{own.kind}_gate_order", f"takes the gates in the order {order}", replace(own, gates=gates)
    for name in FUNCTIONS:
        if name != own.gate:
            yield "recurrent_activation", f"computes {name} of the gates, Keras {own.gate}", replace(own, gate=name)
        if name != own.inner:
            says = f"computes {name} of the candidate, Keras {own.inner}"
            yield "recurrent_activation", says, replace(own, inner=name)
            both = f"computes {name} of the candidate and of the state, Keras {own.inner}"
            yield "recurrent_activation", both, replace(own, inner=name, outer=name)
        if name != own.outer and own.kind == "lstm":
            says = f"computes {name} of the cell as it leaves, Keras {own.outer}"
            yield "recurrent_activation", says, replace(own, outer=name)
    told = {
        "carry": ("recurrent_state", "does not carry the state from step to step"),
        "hidden": ("recurrent_state", "does not carry the hidden state from step to step"),
        "backwards": ("direction", "goes through the sequence in the opposite direction"),
        "bias": ("rnn_bias", "leaves the bias out"),
    }
    if own.kind == "lstm":
        told |= {
            "cell": ("recurrent_state", "does not carry the cell from step to step"),
            "cells": ("recurrent_state", "gives the cell where Keras gives the hidden state"),
            "forget": ("lstm_forget_bias", "adds 1 to the forget gate"),
            "coupled": ("lstm_forget_gate", "takes 1 - the input gate for the forget gate"),
        }
    for name, (cause, says) in told.items():
        yield cause, says, replace(own, unlike=frozenset({name}))


def _run(equations: Equations, x: np.ndarray, arrays: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The hidden states and the cells of every step."""
    kernel, recurrent = (np.asarray(arrays[name], np.float64) for name in ("kernel", "recurrent_kernel"))
    units, count = recurrent.shape[0], len(equations.gates)
    bias = np.atleast_2d(np.asarray(arrays.get("bias", np.zeros(count * units)), np.float64))
    bias = np.zeros((2, count * units)) if "bias" in equations.unlike else np.vstack([bias, np.zeros_like(bias)])[:2]
    state, cell = np.zeros((len(x), units)), np.zeros((len(x), units))
    blocks = [slice(gate * units, (gate + 1) * units) for gate in equations.gates]
    x = x[:, ::-1] if "backwards" in equations.unlike else x
    steps, cells = [], []
    with np.errstate(all="ignore"):
        for step in range(x.shape[1]):
            if "carry" in equations.unlike:
                state, cell = np.zeros_like(state), np.zeros_like(cell)
            if "hidden" in equations.unlike:
                state = np.zeros_like(state)
            given = x[:, step] @ kernel + bias[0]
            one = _lstm if equations.kind == "lstm" else _gru
            state, cell = one(equations, given, recurrent, bias[1], (state, cell), blocks)
            steps.append(state)
            cells.append(cell)
    return np.stack(steps, 1), np.stack(cells, 1)


def _lstm(
    equations: Equations,
    given: np.ndarray,
    recurrent: np.ndarray,
    _bias: np.ndarray,
    states: States,
    blocks: Sequence[slice],
) -> States:
    state, cell = states
    cell = np.zeros_like(cell) if "cell" in equations.unlike else cell
    sums = given + state @ recurrent
    i, f, g, o = (sums[:, block] for block in blocks)
    gate, inner, outer = (FUNCTIONS[name] for name in (equations.gate, equations.inner, equations.outer))
    f = f + 1 if "forget" in equations.unlike else f
    kept = 1 - gate(i) if "coupled" in equations.unlike else gate(f)
    cell = kept * cell + gate(i) * inner(g)
    return gate(o) * outer(cell), cell


def _gru(
    equations: Equations,
    given: np.ndarray,
    recurrent: np.ndarray,
    bias: np.ndarray,
    states: States,
    blocks: Sequence[slice],
) -> States:
    state, cell = states
    gate, inner = FUNCTIONS[equations.gate], FUNCTIONS[equations.inner]
    z, r = (gate(given[:, block] + state @ recurrent[:, block] + bias[block]) for block in blocks[:2])
    r = np.ones_like(r) if "reset" in equations.unlike else r
    last = blocks[2]
    if equations.reset_after:
        candidate = inner(given[:, last] + r * (state @ recurrent[:, last] + bias[last]))
    else:
        candidate = inner(given[:, last] + (r * state) @ recurrent[:, last] + bias[last])
    z = 1 - z if equations.turned else z
    return z * state + (1 - z) * candidate, cell
