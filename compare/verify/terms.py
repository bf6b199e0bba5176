"""Two losses as sums of terms: the term that one side has alone, or with another factor, or computes otherwise.

Both losses are followed call by call on several draws of the outputs. From the loss backwards, every call that is
linear in the outputs (sums, means, factors, signs, selections) passes on how much each of its values counts in the
loss; what is reached so is a term, and `share` is what it adds to the loss. How far both losses are apart over all
draws is then compared with the shares of each side's terms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from compare.verify.subject import Subject
from compare.verify.sums import Sum, Term, near
from twin.trace import Event

DRAWS = 5  # of the outputs; two unknown factors leave three equations
LARGEST = 5_000_000  # values in one pass; a larger one takes too long
CLOSE = 3e-5  # of the largest share: what float32 leaves of a sum of terms


@dataclass(frozen=True)
class Explanation:
    """How two losses differ.

    Args:
        cause: its name.
        says: in words.
        sure: whether figures over all draws leave nothing else; else calls were found that part.
    """

    cause: str
    says: str
    sure: bool = True


def explain(
    keras: Subject,
    torch: Subject,
    outputs: tuple[np.ndarray, np.ndarray],
    target: np.ndarray,
    files: tuple[str, str],
    second: bool = False,
) -> Explanation | None:
    """Why two losses differ, as models of outputs and targets; None where no term shows it.

    Args:
        keras, torch: the losses as models.
        outputs: of each side, classes last.
        target: of both.
        files: of each side's loss.
        second: whether PyTorch's model has classes in its second axis.
    """
    sides = []
    for subject, own, file in zip((keras, torch), outputs, files, strict=True):
        draws = [[each, target] for each in _draws(own)]
        if subject is torch and (second or subject.trace(draws[0]).stopped):
            draws = [classes_second(draw) for draw in draws]
        first = subject.trace(draws[0])
        if sum(value.size for value in first.values.values()) > LARGEST:
            return None
        traces = [first, *(subject.trace(draw) for draw in draws[1:])]
        if any(trace.stopped for trace in traces):
            return None
        try:
            sides.append(Sum(traces, file))
        except (KeyError, StopIteration, ValueError, IndexError):  # another number of calls for other values
            return None
    return _of_terms(*sides)


def classes_second(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Arrays (B, ..., C) as (B, C, ...); those without an axis between stay, and those of fewer axes than the most."""
    rank = max((each.ndim for each in inputs), default=0)
    return [np.moveaxis(each, -1, 1) if each.ndim == rank > 2 else each for each in inputs]


def _draws(outputs: np.ndarray) -> list[np.ndarray]:
    """Outputs as they are, and others near them: of each sign, and as probabilities where they are some."""
    rng = np.random.default_rng(1)
    found = [outputs]
    for _ in range(DRAWS - 1):
        if outputs.min(initial=1.0) >= 0 and outputs.max(initial=0.0) <= 1:
            other = outputs ** rng.uniform(0.5, 2.0, outputs.shape)
            rows = outputs.sum(-1, keepdims=True)  # 1 up to what a sum in float32 leaves, where they are probabilities
            other = (
                other / other.sum(-1, keepdims=True)
                if outputs.shape[-1] > 1 and np.allclose(rows, 1, atol=1e-3)
                else other
            )
        else:
            other = outputs + 0.3 * max(float(outputs.std()), 1e-3) * rng.standard_normal(outputs.shape)
        found.append(other.astype(outputs.dtype))
    return found


def _of_terms(keras: Sum, torch: Sum) -> Explanation | None:
    apart = torch.total - keras.total
    shares = [np.array([term.share for term in side.terms]).reshape(-1, DRAWS) for side in (keras, torch)]
    if not np.isfinite(apart).all() or not all(np.isfinite(each).all() for each in shares):
        return None
    largest = max(float(np.abs(each).max(initial=0.0)) for each in (*shares, keras.total, torch.total))
    close = CLOSE * largest

    def zero(value: np.ndarray) -> bool:
        return bool(np.abs(value).max() <= close)

    if zero(apart):
        return _stopped(keras, torch)
    return (
        _alone(keras, torch, apart, zero)
        or _scaled(keras, torch, apart, zero)
        or _alone_and_scaled(keras, torch, apart, zero)
        or _unlike(keras, torch, apart, zero)
    )


STOPPING = ("stop_gradient", "detach", "detach_")


def _stopped(keras: Sum, torch: Sum) -> Explanation | None:
    """Equal values with unequal gradients, where one side stops one."""
    told = []
    for word, side in (("Keras", keras), ("PyTorch", torch)):
        calls = [event for event in side.first.events if str(event.settings.get("name", "")) in STOPPING]
        lines = dict.fromkeys(side.quoted(event) for event in calls if set(event.inputs) & side.depends)
        told.append(f"{word} stops the gradient {'in ' + ', '.join(lines) if lines else 'nowhere'}")
    if all(each.endswith("nowhere") for each in told):
        return None
    return Explanation("stop_gradient", f"Both losses have the same values and other gradients: {', '.join(told)}")


def _deepest(side: Sum, share: np.ndarray, zero: Callable[[np.ndarray], bool]) -> Term | None:
    """The term farthest back that has this share; the terms go from the loss backwards."""
    found = [term for term in side.terms if term.event.outputs[0] != side.loss and zero(term.share - share)]
    return found[-1] if found else None


def _alone(keras: Sum, torch: Sum, apart: np.ndarray, zero: Callable[[np.ndarray], bool]) -> Explanation | None:
    """A term that only one side has."""
    whole = {"keras": keras.total, "torch": torch.total}
    term = None if zero(apart + whole["keras"]) else _deepest(keras, -apart, zero)
    if term is not None and not _has(torch, term.share, zero):
        value = f"it adds {term.share[0]:.6g} to Keras's loss"
        says = (
            f"PyTorch's loss lacks one term of Keras's, {keras.quoted(term.event)}: {value}{_twice(torch, 'PyTorch')}"
        )
        return Explanation("missing_term", says)
    term = None if zero(apart - whole["torch"]) else _deepest(torch, apart, zero)
    if term is not None and not _has(keras, term.share, zero):
        value = f"it adds {term.share[0]:.6g} to PyTorch's loss"
        says = f"PyTorch's loss has one term more than Keras's, {torch.quoted(term.event)}: {value}"
        return Explanation("extra_term", says + _twice(keras, "Keras"))
    return None


def _twice(side: Sum, word: str) -> str:
    """Two lines of a side that compute the same of the same values: one of them was meant to take others."""
    seen: dict[tuple[object, ...], Event] = {}
    for event in side.first.events:
        values = [side.first.values[number] for number in event.outputs if number in side.first.values]
        if event.family == "shape" or not set(event.inputs) & side.depends or not values:
            continue
        key = (event.call, event.inputs, event.text, *(value.tobytes() for value in values))
        other = seen.setdefault(key, event)
        if other.where != event.where:
            lines = f"{side.quoted(other)} and {side.quoted(event)}"
            return f". {word} computes the same twice, of the same values, in {lines}"
    return ""


def _has(side: Sum, share: np.ndarray, zero: Callable[[np.ndarray], bool]) -> bool:
    return any(zero(term.share - share) for term in side.terms)


def _scaled(keras: Sum, torch: Sum, apart: np.ndarray, zero: Callable[[np.ndarray], bool]) -> Explanation | None:
    """A term that both sides have, by another factor."""
    for mine in reversed(keras.terms):
        share = mine.share
        if zero(share) or _has(torch, share, zero):
            continue
        factor = float(apart @ share / (share @ share)) + 1
        if not zero((factor - 1) * share - apart):
            continue
        theirs = _deepest(torch, factor * share, zero)
        if theirs is None:
            continue
        lines = f"Keras's {keras.quoted(mine.event)} and PyTorch's {torch.quoted(theirs.event)}"
        counted = _count(factor, [*mine.values, *theirs.values])
        if zero(share - keras.total):  # the whole loss: its terms say no more
            return (
                Explanation("reduction", f"PyTorch's loss is {factor:.6g} times Keras's{counted}") if counted else None
            )
        if abs(factor + 1) < 1e-3:
            return Explanation("term_sign", f"One term has opposite signs: {lines}")
        says = f"One term counts {factor:.6g} times as much in PyTorch's loss as in Keras's: {lines}"
        return Explanation("term_factor", says + counted)
    return None


def _alone_and_scaled(
    keras: Sum, torch: Sum, apart: np.ndarray, zero: Callable[[np.ndarray], bool]
) -> Explanation | None:
    """A term that one side has alone where both have another by its own factor, as in a mean of two terms."""
    for word, other, side, opposite, sign in (
        ("PyTorch", "Keras", keras, torch, -1.0), ("Keras", "PyTorch", torch, keras, 1.0)
    ):  # fmt: skip
        alone = [t for t in side.terms if not zero(t.share) and not _has(opposite, t.share, zero) and t.event.inputs]
        shared = [t for t in opposite.terms if not zero(t.share)]
        for one, both in ((one, both) for one in reversed(alone) for both in reversed(shared)):
            left = apart - sign * one.share
            if zero(one.share - one.share @ both.share / (both.share @ both.share) * both.share):
                continue
            factor = float(left @ both.share / (both.share @ both.share))
            if abs(factor - (1 if sign < 0 else -1)) < 1e-6:
                continue
            partner = _deepest(side, (1 - factor if sign < 0 else 1 + factor) * both.share, zero)
            counts = 1 / (1 - factor) if sign < 0 else 1 / (1 + factor)
            plain = 0.05 < counts < 20 and abs(counts - 1) > 1e-3
            if plain and zero(left - factor * both.share) and partner is not None and partner is not one:
                cause = "missing_term" if word == "PyTorch" else "extra_term"
                says = f"{word}'s loss lacks one term of {other}'s, {side.quoted(one.event)}; the other term, "
                says += f"{opposite.quoted(both.event)}, counts {counts:.4g} times as much in {word}'s"
                says += _twice(opposite, word)
                return Explanation(cause, says)
    return None


def _count(factor: float, values: Sequence[np.ndarray]) -> str:
    """What a factor counts, where it is a number of values."""
    # The factor is fitted to losses in float32; 1e-4 of it still tells counts up to some thousands apart.
    sizes = {length for array in values for length in (*array.shape, array.size) if length > 2}
    for length in sorted(sizes):
        if np.isclose(factor, 1 / length, rtol=1e-4):
            return f"; 1 / {length}: PyTorch averages over {length} values that Keras adds up"
        if np.isclose(factor, length, rtol=1e-4):
            return f"; {length}: PyTorch adds up {length} values that Keras averages"
    return ""


def _unlike(keras: Sum, torch: Sum, apart: np.ndarray, zero: Callable[[np.ndarray], bool]) -> Explanation | None:
    """A term that both sides have where all others agree, and that each computes otherwise."""
    pairs = [
        (mine, theirs)
        for mine in reversed(keras.terms)
        for theirs in reversed(torch.terms)
        if zero(theirs.share - mine.share - apart)
    ]
    if not pairs:
        return None
    mine, theirs = pairs[0]
    lines = f"Keras's {keras.quoted(mine.event)} and PyTorch's {torch.quoted(theirs.event)}"
    other = _reduced(mine, theirs)
    if other:
        return Explanation("term_reduction", f"{other}: {lines}")
    parted = _parting(keras, torch, mine, theirs)
    if zero(mine.share - keras.total) and zero(theirs.share - torch.total):
        return parted  # the loss has one term: that says nothing
    if parted is not None:
        return Explanation(parted.cause, f"{parted.says}; the term in which they differ: {lines}", sure=False)
    return Explanation("term", f"All other terms agree; this one each side computes otherwise: {lines}")


def _reduced(mine: Term, theirs: Term) -> str:
    """Equal values that count by other weights."""
    one, other = mine.values[0], theirs.values[0]
    if one.size != other.size or one.size < 2:
        return ""
    orders = np.argsort(one.ravel(), kind="stable"), np.argsort(other.ravel(), kind="stable")
    if not near(one.ravel()[orders[0]], other.ravel()[orders[1]]):
        return ""
    weights = [each.weights[0].ravel()[order] for each, order in zip((mine, theirs), orders, strict=True)]
    if any(
        len(np.unique(np.round(each / np.abs(each).max(initial=1e-30), 4))) > max(8, one.size // 3) for each in weights
    ):
        return ""  # another number for each value: those are made of the targets, and the code says how
    told = [_counting(each, term) for each, term in zip(weights, (mine, theirs), strict=True)]
    return f"Both sides have the same values, and reduce them otherwise: Keras {told[0]}, PyTorch {told[1]}"


def _counting(weights: np.ndarray, term: Term) -> str:
    """How much values count, the smallest value first."""
    counted = np.abs(weights) > 1e-9 * max(float(np.abs(weights).max(initial=0.0)), 1e-30)
    number, size = int(counted.sum()), weights.size
    which = f"{number} of {size} values" if number < size else f"all {size} values"
    if 0 < number < size and counted[-number:].all():
        which = f"the {number} largest of {size} values"
    elif 0 < number < size and counted[:number].all():
        which = f"the {number} smallest of {size} values"
    kept = weights[counted]  # counts that were divided in float32: equal up to 1e-4
    if number and np.allclose(kept, kept[0], rtol=1e-4):
        one = 1 / abs(float(kept[0]))
        return f"counts {which}, each divided by {one:.6g}" if abs(one - 1) > 1e-6 else f"adds up {which}"
    own = term.weights[0]
    rows = own.reshape(len(own), -1) if own.ndim > 1 else None
    if rows is not None and all(np.allclose(row[np.abs(row) > 0], row[np.abs(row) > 0][:1]) for row in rows):
        return f"counts {which}, those of each row divided by a number of its own (a mean of the rows' means)"
    return f"counts {which} by factors from {kept.min(initial=np.inf):.4g} to {kept.max(initial=-np.inf):.4g}"


def _parting(keras: Sum, torch: Sum, mine: Term, theirs: Term) -> Explanation | None:
    """The first calls in a term whose results the other side has nowhere, though it has what enters them."""
    lonely = [_lonely(side, term, other) for side, term, other in ((keras, mine, torch), (torch, theirs, keras))]
    if not any(lonely):
        return None
    spread = _spread(torch, lonely[1]) or _spread(keras, lonely[0])
    if spread:
        return Explanation("broadcast", spread)
    told = []
    for word, side, events in (("Keras", keras, lonely[0]), ("PyTorch", torch, lonely[1])):
        if events:
            told.append(f"{word} computes {events[0].name.strip('_')} in {side.quoted(events[0])}")
    names = [events[0].name.strip("_") if events else "" for events in lonely]
    cause = f"{names[1]}_for_{names[0]}" if all(names) else f"missing_{names[0]}" if names[0] else f"extra_{names[1]}"
    if all(names) and names[0] == names[1]:
        cause = f"{names[0]}_operands"
    more = "" if all(names) else ", and the other side has that value nowhere"
    return Explanation(cause, f"From equal values {' and '.join(told)}{more}", sure=False)


def _spread(side: Sum, events: Sequence[Event]) -> str:
    """A call of one column with one row, which are spread over each other, though they have one value for each row."""
    for event in events:
        shapes = [side.first.values[number].shape for number in event.inputs]
        if (
            len(shapes) == 2
            and sorted(map(len, shapes)) == [1, 2]
            and {(*s, 1)[:2] for s in shapes} == {(len(side.first.values[0]), 1)}
        ):
            told = " and ".join(map(str, shapes))
            return f"The call in {side.quoted(event)} takes values of shapes {told} and spreads them over each other"
    return ""


def _lonely(side: Sum, term: Term, other: Sum) -> list[Event]:
    """Calls on the way back from a term whose values the other side has nowhere, though it has what enters them."""
    known = [_mark(value) for value in other.first.values.values()]

    def has(number: int) -> bool:
        return any(_alike(_mark(side.first.values[number]), mark) for mark in known)

    found: dict[int, Event] = {}
    seen: set[int] = set()
    queue = list(term.event.outputs)
    while queue:
        number = queue.pop()
        event = side.first.producers.get(number)
        if number in seen or event is None:
            continue
        seen.add(number)
        unknown = [each for each in event.inputs if not has(each)]
        queue += unknown
        if not unknown and event.family != "shape":
            found[event.index] = event
    return [found[index] for index in sorted(found)]


def _mark(value: np.ndarray) -> np.ndarray:
    """What stays of a value in whatever order and shape, up to its sign."""
    flat = np.abs(value.astype(np.float64).ravel())
    return np.array([flat.sum(), np.square(flat).sum(), abs(value.astype(np.float64).sum()), flat.max(initial=0.0)])


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() <= 1e-4 * max(np.abs(other).max(), 1e-30))
