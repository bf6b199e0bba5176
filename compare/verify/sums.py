"""A loss as the sum of its terms, followed back from its value through every call that is linear in the outputs."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compare.verify.quotes import line_at
from twin.trace import Event, Trace

SUMS = ("sum", "mean", "nansum", "nanmean")
AFFINE = (
    "add",
    "subtract",
    "rsub",
    "multiply",
    "divide",
    "true_divide",
    "negative",
    "__rsub__",
    "sub_",
    "add_",
    "mul_",
    "div_",
)
CHOOSING = (
    "getitem", "where", "masked_fill", "take", "take_along_axis", "gather", "index_select", "concatenate", "stack",
    "cat", "slice", "diagonal", "diag", "masked_select", "cast", "stop_gradient", "detach", "sort", "split", "repeat",
    "expand_dims", "broadcast_to", "roll", "flip", "top_k", "topk", "narrow", "select", "copy", "convert_to_tensor",
    "hstack", "vstack", "trace", "unfold", "tile",
)  # fmt: skip
Values = list[np.ndarray]  # of one call, over the draws


@dataclass(frozen=True)
class Term:
    """A value that counts in a loss by a factor for each of its elements.

    Args:
        event: the call that computes it.
        values: over the draws.
        weights: how much each element counts.
        leaf: whether nothing linear leads further back.
    """

    event: Event
    values: Values
    weights: Values
    leaf: bool

    @property
    def share(self) -> np.ndarray:
        """What it adds to the loss, over the draws."""
        return np.array([float((w * v).sum()) for w, v in zip(self.weights, self.values, strict=True)])


class Sum:
    """A loss as the sum of its terms.

    Args:
        traces: its passes, one for each draw.
        file: where its code is, to quote lines.
    """

    def __init__(self, traces: Sequence[Trace], file: str):
        self.traces, self.file = traces, file
        self.first = traces[0]
        self.loss = next(iter(self.first.outputs.values()))
        self.depends = _depending(self.first)
        self.terms = list(self._terms())

    @property
    def total(self) -> np.ndarray:
        """The loss, over the draws."""
        return np.array([float(np.mean(value)) for value in self.of(self.loss)])

    def of(self, number: int) -> Values:
        """A value over the draws."""
        return [trace.values[number].astype(np.float64) for trace in self.traces]

    def quoted(self, event: Event) -> str:
        """Where a call is, with its line of code."""
        line = line_at(self.file, event.where)
        return f"`{line}` ({event.where})" if line else event.where or str(event.call)

    def _terms(self) -> Iterator[Term]:
        counts: dict[int, Values] = {self.loss: [np.full_like(v, 1 / v.size) for v in self.of(self.loss)]}
        for event in reversed(self.first.events):
            for number in event.outputs:
                if number not in counts:
                    continue
                passed = self._passed(event, number, counts[number]) if number in self.depends else None
                for source, weights in (passed or {}).items():
                    _add(counts, source, weights)
                yield Term(event, self.of(number), counts[number], passed is None)

    def _passed(self, event: Event, number: int, weights: Values) -> dict[int, Values] | None:
        """How much the values that enter a call count; None where the call is not linear."""
        name = event.name.lower()
        out, given = self.of(number), [self.of(each) for each in event.inputs]
        if any(v.dtype.kind not in "fiub" for values in given for v in values):
            return None
        if name in SUMS and len(given) == 1:
            return _one(event, [_summed(a, v, w) for a, v, w in zip(given[0], out, weights, strict=True)])
        if name in AFFINE:
            return self._affine(event, given, out, weights)
        if event.family == "shape" or name in CHOOSING or "cast" in name:
            rest = name in ("where", "masked_fill")
            chosen = [
                _chosen([values[draw] for values in given], out[draw], weights[draw], rest)
                for draw in range(len(self.traces))
            ]
            if any(each is None for each in chosen):
                return None
            found: dict[int, Values] = {}
            for place, source in enumerate(event.inputs):
                _add(found, source, [each[place] for each in chosen if each is not None])
            return found
        return None

    def _affine(self, event: Event, given: list[Values], out: Values, weights: Values) -> dict[int, Values] | None:
        flowing = [place for place, number in enumerate(event.inputs) if number in self.depends]
        if len(given) == 2 and len(flowing) == 2:
            for signs in ((1, 1), (1, -1), (-1, 1)):
                if all(near(signs[0] * a + signs[1] * b, v) for a, b, v in zip(*given, out, strict=True)):
                    found: dict[int, Values] = {}
                    for sign, source, values in zip(signs, event.inputs, given, strict=True):
                        parts = [_unbroadcast(sign * w, a.shape) for w, a in zip(weights, values, strict=True)]
                        _add(found, source, parts)
                    return found
            return None
        if len(flowing) != 1:
            return None
        entering = given[flowing[0]]
        try:
            pairs = [np.broadcast_arrays(a, v) for a, v in zip(entering, out, strict=True)]
            moved = pairs[1][0] - pairs[0][0]
            with np.errstate(all="ignore"):
                factor = np.where(moved != 0, (out[1] - out[0]) / moved, 0.0)
            for a, v in pairs[2:]:
                if not near(factor * (a - pairs[0][0]), v - pairs[0][1], 1e-3):
                    return None
        except ValueError:  # shapes that depend on the values
            return None
        # A difference of two float32 values far from zero leaves three digits of a factor that is a plain sign.
        exact = [f for f in (1.0, -1.0) if np.allclose(factor[moved != 0], f, rtol=1e-3)]
        factor = np.full_like(factor, exact[0]) if exact else factor
        parts = [_unbroadcast(factor * w, a.shape) for w, a in zip(weights, entering, strict=True)]
        return {event.inputs[flowing[0]]: parts}


def _add(counts: dict[int, Values], source: int, weights: Values) -> None:
    """Let a value count by these weights too, beside those that it has from other calls."""
    mine = counts.get(source)
    counts[source] = weights if mine is None else [a + b for a, b in zip(mine, weights, strict=True)]


def _one(event: Event, weights: Sequence[np.ndarray | None]) -> dict[int, Values] | None:
    known = [each for each in weights if each is not None]
    return {event.inputs[0]: known} if len(known) == len(weights) else None


def near(one: np.ndarray, other: np.ndarray, limit: float = 1e-5) -> bool:
    if one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max(initial=0.0) <= limit * max(np.abs(other).max(initial=0.0), 1e-30))


def _unbroadcast(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of a value that was repeated along axes, added up."""
    weights = weights.sum(axis=tuple(range(weights.ndim - len(shape))))
    axes = tuple(axis for axis, (own, length) in enumerate(zip(weights.shape, shape, strict=True)) if own != length)
    return np.asarray(weights.sum(axis=axes, keepdims=True)).reshape(shape)


def _summed(given: np.ndarray, out: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Weights of what a sum or a mean takes, over whatever axes."""
    for count in range(given.ndim + 1):
        for axes in itertools.combinations(range(given.ndim), count):
            total = given.sum(axis=axes, keepdims=True)
            if total.size != out.size:
                continue
            for function, factor in ((total, 1.0), (total / max(given.size // total.size, 1), total.size / given.size)):
                if near(function.reshape(out.shape), out):
                    return np.broadcast_to(weights.reshape(total.shape) * factor, given.shape)
    return None


def _chosen(given: Sequence[np.ndarray], out: np.ndarray, weights: np.ndarray, rest: bool) -> Values | None:
    """Weights of values that a call only takes over, found by their value; `rest` may come from elsewhere."""
    flat = np.concatenate([array.ravel() for array in given])
    if not flat.size:
        return None
    order = np.argsort(flat, kind="stable")
    place = np.minimum(np.searchsorted(flat[order], out.ravel()), flat.size - 1)
    same = flat[order][place] == out.ravel()
    if not same.all() and not rest:
        return None
    found = np.zeros(flat.size)
    np.add.at(found, order[place[same]], weights.ravel()[same])
    parts = np.split(found, np.cumsum([array.size for array in given])[:-1])
    return [part.reshape(array.shape) for part, array in zip(parts, given, strict=True)]


def _depending(trace: Trace) -> set[int]:
    """Numbers of the values that are made of the model's outputs, which are the first input."""
    found = {0}
    for event in trace.events:
        if found & set(event.inputs):
            found |= set(event.outputs)
    return found
