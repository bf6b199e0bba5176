"""Causes that two values show by themselves: what turns PyTorch's value into Keras's."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy.special import erf

from compare.verify import axes
from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.words import place, written
from compare.verify.verdict import LIMIT
from twin.trace import Event

Function = Callable[[Any], Any]


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * x))


def _softplus(x: Any) -> Any:
    return np.logaddexp(0, x)


FUNCTIONS: Mapping[str, Function] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "leaky_relu_0.01": lambda x: np.where(x > 0, x, 0.01 * x),
    "leaky_relu_0.1": lambda x: np.where(x > 0, x, 0.1 * x),
    "leaky_relu_0.2": lambda x: np.where(x > 0, x, 0.2 * x),
    "leaky_relu_0.3": lambda x: np.where(x > 0, x, 0.3 * x),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "square": np.square,
    "abs": np.abs,
    "negative": np.negative,
    "one_minus": lambda x: 1 - x,
    "one_plus": lambda x: 1 + x,
}
ALIKE = {  # two functions that are one by name, and the row of the catalogue or the cause
    frozenset(("gelu", "gelu_tanh")): "gelu_approximate",
    frozenset(("hardsigmoid", "hard_sigmoid_2")): "hard_sigmoid_slope",
}


def named(function: str) -> str:
    """A function of the table as a cause names it."""
    return "leaky_relu_slope" if function.startswith("leaky_relu") else function


def recognized(source: np.ndarray, value: np.ndarray) -> str | None:
    """The function of the table that makes a value of its source; softmax along an axis is one too."""
    if source.shape != value.shape or source.dtype.kind != "f" or value.dtype.kind != "f" or source.size < 2:
        return None
    with np.errstate(all="ignore"):
        x = source.astype(np.float64)
        for name, function in FUNCTIONS.items():
            if axes.relative(function(x), value) <= LIMIT:
                return name
        for axis in range(1, source.ndim):
            shifted = np.exp(x - x.max(axis, keepdims=True))
            if axes.relative(shifted / shifted.sum(axis, keepdims=True), value) <= LIMIT:
                return f"softmax along axis {axis}"
    return None


def of_functions(keras: str, torch: str, event: Event, value: np.ndarray) -> Candidate:
    """Two functions of one source, either or both written by hand.

    Args:
        keras, torch: what each side computes, by `recognized`.
        event: PyTorch's call that gives it.
        value: Keras's, in PyTorch's layout.
    """
    cause = ALIKE.get(frozenset((keras, torch)), "wrong_activation")
    if keras.startswith("softmax") and torch.startswith("softmax"):
        cause = "softmax_axis"
    if keras.startswith("leaky") and torch.startswith("leaky"):
        cause = "leaky_relu_slope"
    says = f"Keras computes {keras} here, PyTorch {torch}{place(event)}"
    edits = [{"event": event.index, "do": "output"}]
    return Candidate(cause, says, edits, {f"{event.index}/output/0": value})


def of_values(
    wanted: np.ndarray, got: np.ndarray, event: Event, others: Mapping[int, tuple[np.ndarray, str]]
) -> Iterator[Candidate]:
    """What turns PyTorch's value into Keras's.

    Args:
        wanted: Keras's, in PyTorch's layout.
        got: PyTorch's.
        event: the call that gives it.
        others: PyTorch's other values with what gives them.
    """
    if wanted.shape != got.shape or wanted.dtype.kind != "f" or got.dtype.kind != "f" or wanted.size < 2:
        return
    if not np.isfinite(got).all() or not np.isfinite(wanted).all():
        return
    yield from _functions(wanted, got, event)
    yield from _moved(wanted, got, event)
    yield from _affine(wanted, got, event)
    yield from _added(wanted, got, event, others)
    yield from _elsewhere(wanted, got, event)


def _behind(cause: str, says: str, line: str, event: Event) -> Candidate:
    fix = InTorch.of([line], event, behind=True)
    return Candidate(cause, says, fix.edits, torch=fix)


LINES = {
    "gelu_tanh": "torch.nn.functional.gelu(x, approximate='tanh')", "one_minus": "1 - x", "one_plus": "1 + x",
    "negative": "-x", "hard_sigmoid_2": "torch.clamp(0.2 * x + 0.5, 0, 1)",
}  # fmt: skip


def _line(name: str) -> str:
    if name in LINES:
        return LINES[name]
    if name.startswith("leaky_relu_"):
        return f"torch.nn.functional.leaky_relu(x, {name.removeprefix('leaky_relu_')})"
    plain = ("exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "abs", "sigmoid", "tanh")
    return f"torch.{name}(x)" if name in plain else f"torch.nn.functional.{name}(x)"


def _functions(wanted: np.ndarray, got: np.ndarray, event: Event) -> Iterator[Candidate]:
    missing = recognized(got, wanted)
    if missing and missing.startswith("softmax"):
        axis = missing.rsplit(" ", 1)[-1]
        yield _behind("missing_softmax", f"Keras computes {missing} of it", f"torch.softmax(x, {axis})", event)
    elif missing:
        says = f"Keras computes {missing} of what {written(event)}{place(event)} gives, PyTorch does not"
        yield _behind(f"missing_{named(missing)}", says, _line(missing), event)
    extra = recognized(wanted, got)
    if extra:
        says = f"PyTorch computes {extra} here{place(event)}, Keras does not"
        yield Candidate(f"extra_{named(extra)}", says)


def _moved(wanted: np.ndarray, got: np.ndarray, event: Event) -> Iterator[Candidate]:
    """Turned round or shifted along an axis."""
    for axis in range(1, got.ndim):
        if got.shape[axis] < 2:
            continue
        if axes.relative(np.flip(got, axis), wanted) <= LIMIT:
            says = f"Keras has the values of axis {axis} in the opposite order"
            yield _behind("reversed_axis", says, f"torch.flip(x, ({axis},))", event)
        for shift in (1, -1, 2, -2):
            kept = slice(shift, None) if shift > 0 else slice(None, shift)
            inner = tuple(kept if each == axis else slice(None) for each in range(got.ndim))
            rolled = np.roll(got, shift, axis)[inner]
            far = axes.relative(rolled, wanted[inner])
            if got.shape[axis] > 2 * abs(shift) and far <= LIMIT:
                way = "on" if shift > 0 else "back"
                says = f"Keras's values along axis {axis} are PyTorch's, {abs(shift)} places {way}"
                yield Candidate("shifted_position", says, measured=far)


def _affine(wanted: np.ndarray, got: np.ndarray, event: Event) -> Iterator[Candidate]:
    """a * x + b with one a and one b for all, or for each place along one axis: constants that differ."""
    one, other = got.astype(np.float64), wanted.astype(np.float64)
    for axis in (None, *range(1, got.ndim)):
        over = tuple(each for each in range(got.ndim) if each != axis)
        count = got.size if axis is None else got.size // got.shape[axis]
        if count < 4 or (axis is not None and got.shape[axis] > 64):
            continue
        centre, goal = one.mean(over, keepdims=True), other.mean(over, keepdims=True)
        spread = ((one - centre) ** 2).sum(over, keepdims=True)
        if not (spread > 0).all():
            continue
        factor = ((one - centre) * (other - goal)).sum(over, keepdims=True) / spread
        shift = goal - factor * centre
        if axes.relative(factor * one + shift, wanted) > LIMIT or np.abs(factor).min() < 1e-6:
            continue
        told = [np.array2string(np.atleast_1d(np.squeeze(each))[:4], precision=5) for each in (factor, shift)]
        small = np.abs(shift).max() <= 1e-5 * max(np.abs(goal).max(), 1e-30)
        plain = np.abs(factor - 1).max() <= 1e-5
        cause = "shift" if plain else "scale" if small else "normalization_constants"
        where = "" if axis is None else f" for each place along axis {axis}"
        says = f"Keras's values are {told[0]} * x + {told[1]} of PyTorch's x{where}: constants differ"
        yield Candidate(cause, says, measured=axes.relative(factor * one + shift, wanted))
        return


def _added(
    wanted: np.ndarray, got: np.ndarray, event: Event, others: Mapping[int, tuple[np.ndarray, str]]
) -> Iterator[Candidate]:
    """A term that only one side adds, or multiplies with."""
    left = wanted.astype(np.float64) - got
    if np.linalg.norm(left) < 1e-3 * np.linalg.norm(wanted):
        return
    for value, giver in others.values():
        if value.shape != got.shape or value.dtype.kind != "f":
            continue
        if axes.relative(value, left) <= 10 * LIMIT:
            yield Candidate("missing_residual", f"Keras adds what {giver} gives, PyTorch does not")
        if axes.relative(-value, left) <= 10 * LIMIT:
            yield Candidate("extra_residual", f"PyTorch adds what {giver} gives, Keras does not")
        if (far := axes.relative(got * value, wanted)) <= LIMIT:
            says = f"Keras multiplies by what {giver} gives, PyTorch does not"
            yield Candidate("missing_multiply", says, measured=far)
        if (far := axes.relative(wanted * value, got)) <= LIMIT:
            says = f"PyTorch multiplies by what {giver} gives, Keras does not"
            yield Candidate("extra_multiply", says, measured=far)


def _elsewhere(wanted: np.ndarray, got: np.ndarray, event: Event) -> Iterator[Candidate]:
    """Values that are equal but at some places: those that one side masks, or those at the border."""
    unlike = np.abs(wanted - got) > 1e-4 * np.abs(wanted).max()
    zeros = (wanted == 0) | (got == 0)
    if (wanted == 0).any() and (got == 0).any() and (zeros | ~unlike).all():
        yield Candidate("mask", f"Both sides set values to zero, but not the same ones{place(event)}")
    if not 0 < unlike.mean() < 0.75:
        return
    for one, cause, side, other in (
        (wanted, "missing_mask", "Keras", "PyTorch"),
        (got, "extra_mask", "PyTorch", "Keras"),
    ):
        if (one[unlike] == 0).all():
            yield Candidate(cause, f"{side} sets values to zero that {other} keeps{place(event)}")
    low = np.minimum(wanted, got)[unlike]
    if np.abs(low).max(initial=0) > 1e4:
        yield Candidate("attention_mask", f"One side masks other places than the other{place(event)}")
    for axis in range(1, got.ndim):
        size = got.shape[axis]
        over = tuple(each for each in range(got.ndim) if each != axis)
        where = np.flatnonzero(unlike.any(over))
        edge = max(1, size // 4)
        if size >= 4 and len(where) and all(each < edge or each >= size - edge for each in where):
            says = f"Both differ only at the border of axis {axis} (places {', '.join(map(str, where[:4]))} of {size})"
            yield Candidate("padding_values", says)
            return
