"""What two calls of one kind take that makes them differ: another arrangement, other axes, other numbers of a sum."""

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import multiple
from compare.verify.causes.graph import LARGEST, Side
from compare.verify.causes.graphs import Graphs
from compare.verify.causes.values import recognized
from compare.verify.verdict import LIMIT
from twin.trace import Event

SIDES = ("Keras", "PyTorch")
SIGNED = {"one_minus": "1 - ", "one_plus": "1 + ", "negative": "-"}  # functions that are written before a value


def weighted(both: Graphs, one: int, other: int) -> tuple[str, str] | None:
    """The cause and the words of two sums over an axis of one value with other numbers, as of a grey image."""
    goal = both.keras.values.get(one)
    turned = both.as_torch(one, other)
    if goal is None or turned is None or goal.dtype.kind != "f":
        return None
    native = both.torch.values[other]
    for number in {n: None for event in both.at.unlike[1] for n in event.inputs if n not in both.torch.makers}:
        source = both.torch.values.get(number)
        if source is None or source.dtype.kind != "f":
            continue
        for axis in range(1, source.ndim):
            count = source.shape[axis]
            if not 1 < count < 9 or source.size != native.size * count or native.size < 4 * count:
                continue
            rows = np.moveaxis(source, axis, -1).reshape(-1, count).astype(np.float64)
            goals = [each.astype(np.float64).ravel() for each in (turned, native)]
            found = [np.linalg.lstsq(rows, each, rcond=None)[0] for each in goals]
            apart = [alignment.relative(rows @ w, each) for w, each in zip(found, goals, strict=True)]
            # What least squares leaves of float32: factors nearer than 1e-5 are the same, or none.
            if max(apart) > LIMIT or np.allclose(found[0], found[1], atol=1e-5):
                continue
            places = [np.flatnonzero(abs(each) > 1e-5) for each in found]
            if all(len(each) == 1 for each in places):
                told = [f"place {each[0]}" for each in places]
                return "selected_places", f"Keras takes {told[0]} of axis {axis}, PyTorch {told[1]}"
            told = [", ".join(f"{weight:.4g}" for weight in each) for each in found]
            return "sum_constants", f"Keras weighs axis {axis} by {told[0]}, PyTorch by {told[1]}"
    return None


def arranged(both: Graphs, mine: Event, theirs: Event) -> bool:
    """Whether two calls take the same values, but in other arrangements, as after a reshape."""
    given = [number for number in theirs.inputs if number in both.torch.values]
    for one in mine.inputs:
        behind = both.keras.behind(one)
        partner = next((n for n in given if both.equal(behind, both.torch.behind(n))), None)
        if partner is not None and not both.equal(one, partner):
            return True
    return False


def turned(both: Graphs, mine: Event, theirs: Event) -> tuple[int, int] | None:
    """The two axes that are exchanged between what enters two calls of one value, where all axes are as long."""
    for one, other in zip(mine.inputs, theirs.inputs, strict=False):
        a, b = both.keras.values.get(one), both.torch.values.get(other)
        if a is None or b is None or a.shape != b.shape or not both.equal(one, other):
            continue
        order = alignment.distance(a, b)[1]
        moved = [axis for axis, place in enumerate(order or ()) if axis != place]
        if len(moved) == 2 and alignment.relative(a, b) > LIMIT:
            return moved[0], moved[1]
    return None


def other_kernel(both: Graphs, mine: Event, theirs: Event) -> str:
    """In words, which axes of a generated kernel are exchanged between two convolutions; "" where none are."""
    keras, torch = _kernel(both.keras, mine), _kernel(both.torch, theirs)
    if keras is None or torch is None or "conv" not in both.torch.kind(theirs) or not 2 < keras.ndim == torch.ndim:
        return ""
    right = (keras.ndim - 1, keras.ndim - 2, *range(keras.ndim - 2))  # (..., in, out) to (out, in, ...)
    order = alignment.distance(keras, torch)[1]
    if order is None or alignment.relative(torch.transpose(order), keras) > LIMIT:
        return ""
    taken = tuple(int(each) for each in np.argsort(order))
    if taken == right or alignment.relative(keras.transpose(right), torch) <= LIMIT:
        return ""
    return f"PyTorch's kernel is Keras's with the axes in the order {taken}, where (out, in, ...) is {right}"


def _kernel(side: Side, event: Event) -> np.ndarray | None:
    """What a convolution takes beside its picture: a value, or what is made of weights alone."""
    if len(event.inputs) > 1:
        return side.values.get(event.inputs[1])
    return next((each for each in side.constants.get(event.index, ()) if each.ndim > 2), None)


def relation(both: Graphs, one: int, other: int) -> str:
    """What Keras's value is of PyTorch's, in words, where it is a plain function of it; "" where it is none."""
    value, native = both.as_torch(one, other), both.torch.values.get(other)
    if value is None or native is None or value.dtype.kind != "f" or native.dtype.kind != "f" or value.size < 4:
        return ""
    if not (np.isfinite(value).all() and np.isfinite(native).all()) or value.size > LARGEST:
        return ""
    factor = multiple(native, value)
    if factor is not None:
        return f"Keras's value is {factor:.5g} times PyTorch's" if abs(factor - 1) > 1e-5 else ""
    shift = float(np.mean(value.astype(np.float64) - native))
    if alignment.relative(native + shift, value) <= LIMIT:
        return f"Keras's value is PyTorch's {shift:+.5g}"
    for (side, origin), (source, made) in zip((SIDES, SIDES[::-1]), ((native, value), (value, native)), strict=True):
        if name := recognized(source, made):
            return f"{side}'s value is {SIGNED.get(name, f'the {name} of ')}{origin}'s"
    return ""
