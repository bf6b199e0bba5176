"""The same values in another arrangement: what PyTorch has nowhere in the order of axes in which Keras takes it."""

from collections.abc import Sequence

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate
from compare.verify.causes.constants import order_along
from compare.verify.causes.situation import Replacement
from compare.verify.replay import Replay
from compare.verify.verdict import LIMIT
from twin.trace import Event, Trace

FEW, MANY = 16, 1_000_000  # numbers of a value that is looked for in another arrangement


def rearranged(replay: Replay, event: Event | None) -> tuple[int, ...] | None:
    """The shape in which Keras's call takes a value that PyTorch has, but in no such arrangement."""
    values = list(replay.theirs.values.values())
    for number in (_whole(replay.mine, each) for each in (event.inputs if event is not None else ())):
        producer = replay.mine.producers.get(number)
        value = replay.mine.values[number]
        if producer is None or producer.family != "shape":
            continue
        if found(value, values) and (found(value, _of_rank(values, value.ndim)) or not _twisted(value, values)):
            continue
        if not producer.inputs or replay.mine.values[producer.inputs[0]].size != replay.mine.values[number].size:
            continue  # a piece is no arrangement
        source = replay.mine.values[producer.inputs[0]] if producer.inputs else None
        while producer is not None and producer.family == "shape" and producer.inputs:
            source = replay.mine.values[producer.inputs[0]]
            producer = replay.mine.producers.get(producer.inputs[0])
        if source is not None and found(source, values):
            return replay.mine.values[number].shape
    return None


def _whole(trace: Trace, number: int) -> int:
    """What a piece was cut from, such as queries, keys and values in one; the value itself where it is no piece."""
    for _ in range(2):
        producer = trace.producers.get(number)
        if producer is None or producer.family != "shape" or not producer.inputs:
            break
        if trace.values[producer.inputs[0]].size <= trace.values[number].size:
            break
        number = producer.inputs[0]
    return number


def turned(replay: Replay, number: int, end: Replacement | None) -> list[Candidate]:
    """The cause of the same values in another order."""
    native = replay.theirs.values.get(number)
    if native is None or end is None or end.value.shape != native.shape or native.dtype.kind != "f":
        return []
    mine, theirs = np.sort(end.value, axis=None), np.sort(native, axis=None)
    if alignment.relative(theirs, mine) > LIMIT or native.size < 4:
        return []
    says = f"{end.event.text or end.event.call} gives the values of Keras's arrangement in another order"
    order = order_along(end.value, native)
    if order:
        says += f": along axis {order[0]} {order[1]}"
    cause = "arrangement_order"
    if end.event.settings.get("name") in ("concatenate", "stack"):
        parts = [replay.theirs.values.get(each) for each in end.event.inputs]
        own = list(replay.mine.values.values())
        whole = all(part is not None and found(part, own) for part in parts)
        cause = "constant_order" if end.event.constants else "operand_order" if whole else cause
    return [Candidate(cause, says, *end.edits())]


def _of_rank(values: Sequence[np.ndarray], rank: int) -> list[np.ndarray]:
    return [each for each in values if each.ndim == rank]


def _twisted(value: np.ndarray, values: Sequence[np.ndarray]) -> bool:
    """Whether some values have the numbers and the lengths of one in another arrangement."""
    alike = [v for v in _of_rank(values, value.ndim) if sorted(v.shape) == sorted(value.shape) and v.dtype.kind == "f"]
    wanted = np.sort(value, axis=None)
    return any(alignment.relative(np.sort(each, axis=None), wanted) <= LIMIT for each in alike)


def found(value: np.ndarray, values: Sequence[np.ndarray], merged_too: bool = True) -> bool:
    """Whether a value is among some; what masks with -1e9 is what masks with minus infinity.

    Args:
        value: the value.
        values: those among which it may be.
        merged_too: whether it is there where only all its numbers are, in axes that are merged.
    """
    own = _bounded(value)
    alike = [_bounded(other) for other in values if other.size == value.size]
    if any(alignment.distance(own, other)[0] <= LIMIT for other in alike):
        return True
    # Heads that one side has in an axis of their own, and the other in that of the batch.
    if not merged_too or value.dtype.kind != "f" or not FEW <= value.size <= MANY:
        return False
    rank, rows = value.ndim, value.shape[:1]
    merged = [other for other in alike if other.ndim != rank and other.shape[:1] != rows and other.dtype.kind == "f"]
    total = float(np.abs(own).sum())
    merged = [other for other in merged if abs(float(np.abs(other).sum()) - total) <= 1e-4 * total]
    ranked = np.sort(own, axis=None) if merged else own
    return any(alignment.relative(np.sort(other, axis=None), ranked) <= LIMIT for other in merged)


def _bounded(value: np.ndarray) -> np.ndarray:
    return np.clip(value, -1e4, 1e4) if value.dtype.kind == "f" and np.abs(value).max(initial=0) > 1e4 else value
