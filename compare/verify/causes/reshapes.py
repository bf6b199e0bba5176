"""A reshape that takes axes in another order than Keras's does: `view` alone where axes should change places first."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import place, written
from compare.verify.verdict import LIMIT
from twin.trace import Event

CALLS = 30  # of PyTorch's before the first that parts
MOST_AXES = 5
LARGEST = 200_000  # numbers of a value
RESHAPES = {"view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"}


def of_reshapes(at: Situation) -> Iterator[Candidate]:
    """A `permute` before one of PyTorch's reshapes, where Keras has just what it then gives, and not what it gives."""
    for event, order in _permuted(at):
        shape = tuple(-1 if axis == 1 else side for axis, side in enumerate(at.values[1][event.outputs[0]].shape))
        fix = InTorch.of([f"x.permute{order}.reshape{shape}"], event)
        yield Candidate("arrangement_order", _in_words(event, order), fix.edits, torch=fix)


def of_reshapes_and_back(at: Situation) -> Iterator[Candidate]:
    """The same where that alone is not all: what follows turns it back, or is one more such reshape."""
    for event, order in _permuted(at):
        yield Candidate("arrangement_order", f"{_in_words(event, order)}. More than this one call differs")


def reshaped_in_words(at: Situation) -> str:
    """The first of those reshapes in words; "" where there is none."""
    first = next(_permuted(at), None)
    return _in_words(*first) if first is not None else ""


def _permuted(at: Situation) -> Iterator[tuple[Event, tuple[int, ...]]]:
    """PyTorch's reshapes, each with the order of axes in which Keras takes them."""
    seen: set[tuple[str, str]] = set()
    for event in (*at.before[-CALLS:], *at.unlike[1]):
        if event.name not in RESHAPES or len(event.inputs) != 1 or (event.where, event.text) in seen:
            continue
        seen.add((event.where, event.text))
        given, made = at.values[1].get(event.inputs[0]), at.values[1].get(event.outputs[0])
        if given is None or made is None or made.dtype.kind != "f" or not 3 <= given.ndim <= MOST_AXES:
            continue
        if not 8 <= made.size <= LARGEST or not np.ptp(made):
            continue
        own = [value for value in at.values[0].values() if value.size == made.size and value.dtype.kind == "f"]
        own = [value for value in own if _same_numbers(value, made)]
        if not own or any(_in_order(value, made) or alignment.distance(value, made)[0] <= LIMIT for value in own):
            continue  # Keras has that too, if with channels last
        for order in list(permutations(range(given.ndim)))[1:]:
            if any(_in_order(value, given.transpose(order)) for value in own):
                yield event, order
                break


def _in_words(event: Event, order: tuple[int, ...]) -> str:
    return (
        f"PyTorch's {written(event)}{place(event)} takes the axes in the order in which they lie; Keras's value is "
        f"what permute{order} before it gives"
    )


def _same_numbers(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two values have the same numbers, in whatever order."""
    return _near(np.sort(one, axis=None), np.sort(other, axis=None))


def _in_order(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two values have the same numbers in the order in which they lie."""
    return _near(one.ravel(), other.ravel())


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.linalg.norm(one - other) <= LIMIT * np.linalg.norm(one))
