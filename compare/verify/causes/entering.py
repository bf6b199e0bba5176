"""What enters a layer by itself: indices that begin elsewhere, and a value of which one side takes a part."""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import name_of, place, written
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event


def of_indices(at: Situation) -> Iterator[Candidate]:
    """Whole numbers, such as positions and rows of a table, that one law makes of the other side's."""
    yield from _of_tables(at)
    yield from _of_gathered(at)
    if at.end is None or at.entering[1] is None:
        return
    wanted, native, event = at.end.value, at.entering[1], at.end.event
    if wanted.shape != native.shape or wanted.dtype.kind not in "iu" or native.dtype.kind not in "iu":
        return
    found = _law(wanted.astype(np.int64), native.astype(np.int64))
    if found is not None:
        says = f"{found[1]}: what enters {at.layer.leaf if at.layer else 'the output'} ({written(event)}{place(event)})"
        yield Candidate(found[0], says, *at.end.edits())


def _of_tables(at: Situation) -> Iterator[Candidate]:
    """The same for two tables that are looked up between layers, as at positions that no input says."""
    keras, torch = ([event for event in events if event.family == "embedding"][:4] for events in at.unlike)
    for mine, theirs in product(keras, torch):
        wanted, native = _indices(at, 0, mine), _indices(at, 1, theirs)
        rows, own = at.values[0].get(mine.outputs[0]), at.values[1].get(theirs.outputs[0])
        if wanted is None or native is None or rows is None or own is None or wanted.shape != native.shape:
            continue
        found = _law(wanted, native)
        rows = rows[:1] if rows.size > own.size else rows  # each of the batch has the same
        if found is not None and rows.size == own.size:
            edits: list[Edit] = [{"event": theirs.index, "do": "output"}]
            arrays = {f"{theirs.index}/output/0": rows.reshape(own.shape)}
            yield Candidate(found[0], f"{found[1]}: {written(theirs)}{place(theirs)}", edits, arrays)


MIRRORED = {
    "with the last two axes exchanged: relative positions with the opposite sign, j - i for i - j": "transpose(-1, -2)",
    "from the other end of the last axis": "flip(-1)",
}
GATHERING = {"gather": "index", "take_along_dim": "indices"}


def _of_gathered(at: Situation) -> Iterator[Candidate]:
    """Indices along an axis that are in each row of a square of positions, in another direction."""
    for event in at.unlike[1]:
        word = GATHERING.get(name_of(event))
        for told, code in MIRRORED.items() if word else ():
            fix = InTorch.otherwise(event, {str(word): f"{word}.{code}"})
            says = f"Keras takes what PyTorch's indices are {told}: {written(event)}{place(event)}"
            yield Candidate("index_direction", says, fix.edits, torch=fix)


def _indices(at: Situation, side: int, event: Event) -> np.ndarray | None:
    """The rows of a table that a call takes, once where each of a batch has the same."""
    given = [at.values[side].get(number) for number in event.inputs]
    given += [each.array for each in at.constants[side] if each.event is event]
    found = next((each for each in given if each is not None and each.dtype.kind in "iu" and each.size > 1), None)
    if found is None:
        return None
    same = found.ndim > 1 and (found == found[:1]).all()
    return (found[:1] if same else np.atleast_2d(found)).astype(np.int64)


def _law(keras: np.ndarray, torch: np.ndarray) -> tuple[str, str] | None:
    """The cause, and in words what Keras's indices are of PyTorch's; None where no law is known."""
    apart, unlike = keras - torch, keras != torch
    steps = np.unique(apart[unlike])
    if len(steps) == 1:
        where = "" if unlike.all() else f", at {int(unlike.sum())} of {unlike.size} places"
        if unlike.all() or unlike.sum() > 1:
            return "index_offset", f"Keras's indices are PyTorch's {int(steps[0]):+d}{where}"
    if len(np.unique(keras + torch)) == 1:
        return (
            "index_direction",
            f"Keras's indices are {int(keras.flat[0] + torch.flat[0])} less PyTorch's: they run back",
        )
    for axis in range(1, keras.ndim):
        if np.array_equal(np.flip(keras, axis), torch):
            return "index_direction", f"Keras's indices along axis {axis} are PyTorch's from the other end"
        for shift in (1, -1):
            if keras.shape[axis] > 3 and np.array_equal(np.roll(torch, shift, axis), keras):
                return "index_offset", f"Keras's indices along axis {axis} are PyTorch's {abs(shift)} place on or back"
    for limit, cut in ((torch.max(), np.minimum), (torch.min(), np.maximum)):
        if np.array_equal(cut(keras, limit), torch):
            return "index_limit", f"PyTorch's indices are Keras's cut at {int(limit)}"
    for limit, cut in ((keras.max(), np.minimum), (keras.min(), np.maximum)):
        if np.array_equal(cut(torch, limit), keras):
            return "index_limit", f"Keras's indices are PyTorch's cut at {int(limit)}"
    return None


def of_parts(at: Situation) -> Iterator[Candidate]:
    """A layer to which one side gives a value as a whole, and the other a part of it, as before a token joins.

    Nothing can be put in the place of a value of another size, so the values themselves are the proof.
    """
    keras, torch = at.entering
    if at.layer is None or keras is None or torch is None or keras.size == torch.size or keras.ndim != torch.ndim:
        return
    for order in _orders(keras.ndim):
        part = _part(keras, torch.transpose(order))
        if part is not None:
            axis, lengths, where = part
            whole = "Keras" if lengths[0] > lengths[1] else "PyTorch"
            kind = "norm" if at.layer.family.endswith("norm") else "layer"
            says = f"Keras gives {at.layer.leaf} {lengths[0]} places of axis {axis}, PyTorch {lengths[1]}, the {where} "
            says += f"of them: what {whole} joins before {at.layer.leaf}, the other side joins behind it or leaves out"
            yield Candidate(f"{kind}_before_join", f"{says}{_place_of_join(at)}")
            return


def _orders(rank: int) -> Iterator[tuple[int, ...]]:
    """Orders of axes with the batch in front."""
    yield from ((0, *each) for each in permutations(range(1, rank))) if 1 < rank < 6 else ()


def _part(one: np.ndarray, other: np.ndarray) -> tuple[int, tuple[int, int], str] | None:
    """The axis along which one array is a part of the other, both lengths, and which end the part is."""
    unlike = [axis for axis in range(one.ndim) if one.shape[axis] != other.shape[axis]]
    if len(unlike) != 1 or unlike[0] == 0:
        return None
    axis = unlike[0]
    small, large = sorted((one, other), key=lambda each: each.shape[axis])
    length, full = small.shape[axis], large.shape[axis]
    for where, first in (("first", 0), ("last", full - length)):
        if alignment.relative(large.take(range(first, first + length), axis), small) <= LIMIT:
            return axis, (one.shape[axis], other.shape[axis]), where
    return None


def _place_of_join(at: Situation) -> str:
    joins: list[Event] = [
        e for events in at.unlike for e in events if e.settings.get("name") in ("concatenate", "stack")
    ]
    return place(joins[0]) if joins else ""
