"""Arrays that are neither weights nor made of the inputs, and differ: tables of positions, masks, frequencies."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate, multiple
from compare.verify.causes.tables import of_tables
from compare.verify.causes.values import named, recognized
from compare.verify.causes.words import place as place_of
from compare.verify.causes.words import written
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event, Trace

TRIED = 12
LARGEST = 10_000_000  # differences of pairs that are looked at


class Constant(NamedTuple):
    """A constant that goes into a call.

    Args:
        event: the call.
        slot: `constant/PLACE` or `input/PLACE`, as the edits of a trace name it.
        array: its values.
    """

    event: Event
    slot: str
    array: np.ndarray


def constants(trace: Trace, events: Sequence[Event], inputs: int) -> list[Constant]:
    """The constants that go into some calls.

    Args:
        trace: the pass.
        events: calls of it.
        inputs: the number of the model's inputs.
    """
    found = []
    moving: dict[int, bool] = {}

    def made_of_inputs(number: int) -> bool:
        if number not in moving:
            event = trace.producers.get(number)
            moving[number] = number < inputs if event is None else any(map(made_of_inputs, event.inputs))
        return moving[number]

    for event in trace.events:  # in order, so that no chain is followed deep
        for number in event.outputs:
            made_of_inputs(number)
    for event in events:
        for place, number in enumerate(event.constants):
            if number in trace.constants:
                found.append(Constant(event, f"constant/{place}", trace.constants[number]))
        for place, number in enumerate(event.inputs):
            if number in trace.values and not made_of_inputs(number) and any(map(made_of_inputs, event.outputs)):
                found.append(Constant(event, f"input/{place}", trace.values[number]))
    return found


def of_constants(keras: Sequence[Constant], torch: Sequence[Constant]) -> Iterator[Candidate]:
    """PyTorch's constants replaced by Keras's, one by one and all together."""
    found: list[tuple[float, Candidate]] = []
    for theirs in torch:
        for mine in keras:
            for value in arranged(_as_taken(mine, theirs), theirs.array):
                edits: list[Edit] = [{"event": theirs.event.index, "do": theirs.slot.split("/")[0]}]
                arrays = {f"{theirs.event.index}/{theirs.slot}": value}
                cause, says = _told(value, theirs.array)
                says = f"{says} ({written(theirs.event)}{place_of(theirs.event)})"
                far = alignment.relative(_bounded(theirs.array), _bounded(value))
                found.append((far, Candidate(cause, says, edits, arrays)))
    yield from (each for _, each in found[:TRIED])
    yield from _together(found)


def _as_taken(mine: Constant, theirs: Constant) -> np.ndarray:
    """Keras's constant as PyTorch's call takes it: what one side adds the other may subtract, or divide by."""
    names = [str(each.event.settings.get("name")) for each in (mine, theirs)]
    if set(names) == {"add", "subtract"} and mine.array.dtype.kind == "f":
        return -mine.array
    if set(names) == {"multiply", "divide"} and mine.array.dtype.kind == "f" and mine.array.all():
        return np.asarray(1 / mine.array, mine.array.dtype)
    return mine.array


def _together(found: Sequence[tuple[float, Candidate]]) -> Iterator[Candidate]:
    """All of PyTorch's constants replaced at once: each by Keras's nearest, or by that in its place."""
    slots: dict[str, list[tuple[float, Candidate]]] = {}
    for far, each in found:
        slots.setdefault(next(iter(each.arrays)), []).append((far, each))
    nearest = [min(options, key=lambda option: option[0])[1] for options in slots.values()]
    in_order, before = [], Counter[int]()  # in the order of those of one size
    for options in slots.values():
        size = next(iter(options[0][1].arrays.values())).size
        in_order.append(options[min(before[size], len(options) - 1)][1])
        before[size] += 1
    for chosen in (nearest, in_order) if len(slots) > 1 else ():
        edits = [edit for each in chosen for edit in each.edits]
        arrays = {name: value for each in chosen for name, value in each.arrays.items()}
        yield Candidate(chosen[0].cause, f"{chosen[0].says}, and {len(chosen) - 1} more", edits, arrays)


def of_weights(
    keras: Sequence[Constant], torch: Sequence[Constant], arrays: Mapping[str, np.ndarray]
) -> Iterator[Candidate]:
    """What Keras makes of a weight before it is used, where PyTorch uses the weight as it is.

    Args:
        keras, torch: the constants that go into the calls: what is made of weights alone is one.
        arrays: PyTorch's weights in the calls that part, by name.
    """
    made = {constant.array.size for constant in torch}  # PyTorch does not take these weights as they are
    left = {name: weight for name, weight in arrays.items() if weight.size not in made}
    for constant, (name, weight) in itertools.product(keras, left.items()):
        for value in arranged(constant.array, weight) if weight.dtype.kind == "f" and weight.size > 3 else ():
            if value.shape != weight.shape:
                continue
            kept = value != 0
            if kept.any() and not kept.all() and weight[~kept].any():
                far = alignment.relative(weight[kept], value[kept])
                if far <= LIMIT:
                    says = (
                        f"Keras masks the weight: {int((~kept).sum())} of {kept.size} values are zero there; PyTorch "
                    )
                    yield Candidate("missing_weight_mask", f"{says}uses all of {name}", measured=far)
            factor = multiple(weight, value)
            if factor is not None:
                says = f"Keras multiplies the weight by {factor:.6g} before it is used, PyTorch does not: {name}"
                yield Candidate("weight_scale", says, measured=alignment.relative(weight * factor, value))
            function = recognized(weight, value, 0)
            if function is not None:
                says = f"Keras computes {function} of the weight before it is used, PyTorch takes {name} as it is"
                yield Candidate(f"missing_{named(function)}", says, measured=LIMIT)


def of_made_weights(
    keras: Sequence[Constant], torch: Sequence[Constant], arrays: Mapping[str, np.ndarray]
) -> Iterator[Candidate]:
    """Functions of a weight that both sides compute before they use it, along other axes or another function."""
    for mine, theirs, (name, weight) in itertools.product(keras, torch, arrays.items()):
        other = recognized(weight, theirs.array, 0) if weight.shape == theirs.array.shape else None
        for value in arranged(mine.array, theirs.array) if other else ():
            one = recognized(weight, value, 0)
            if one is None or other is None or one == other:
                continue
            cause = f"{named(one)}_axis" if named(one) == named(other) else "weight_function"
            says = f"Keras computes {one} of {name}, PyTorch {other} ({written(theirs.event)}{place_of(theirs.event)})"
            edits: list[Edit] = [{"event": theirs.event.index, "do": theirs.slot.split("/")[0]}]
            yield Candidate(cause, says, edits, {f"{theirs.event.index}/{theirs.slot}": value})


def of_normed_weights(
    keras: Sequence[Constant], torch: Sequence[Constant], arrays: Mapping[str, np.ndarray]
) -> Iterator[Candidate]:
    """A weight that both sides multiply by a number made of it, such as one over its norm, and another number each."""
    for mine, theirs, (name, weight) in itertools.product(keras, torch, arrays.items()):
        factor = multiple(weight, theirs.array)
        for value in arranged(mine.array, theirs.array) if factor is not None else ():
            own = multiple(weight, value)
            if own is None or factor is None:
                continue
            told = [_of_weight(weight, each) for each in (own, factor)]
            says = f"Keras takes {name} {told[0]}, PyTorch {told[1]} ({written(theirs.event)}{place_of(theirs.event)})"
            edits: list[Edit] = [{"event": theirs.event.index, "do": theirs.slot.split("/")[0]}]
            cause = "weight_norm" if any("its" in each for each in told) else "weight_scale"
            yield Candidate(cause, says, edits, {f"{theirs.event.index}/{theirs.slot}": value})


def _of_weight(weight: np.ndarray, factor: float) -> str:
    """What a weight is multiplied by or divided by, by name where it is made of the weight."""
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    norms = {
        "its spectral norm (the largest singular value)": np.linalg.norm(rows, 2) if rows.size < LARGEST else 0.0,
        "its Frobenius norm": np.linalg.norm(rows),
        "the sum of its absolute values": np.abs(rows).sum(),
        "its largest absolute value": np.abs(rows).max(),
        "its standard deviation": rows.std(),
        "the root of the number of inputs": math.sqrt(rows.shape[1]),
        "the root of the number of outputs": math.sqrt(len(rows)),
    }
    # Power iteration stops before the last digits; all of these are further apart.
    found = next((word for word, norm in norms.items() if norm and math.isclose(factor * norm, 1, rel_tol=1e-3)), "")
    if found:
        return f"divided by {found}"
    return "as it is" if math.isclose(factor, 1, rel_tol=1e-6) else f"times {factor:.5g}"


def arranged(keras: np.ndarray, torch: np.ndarray) -> list[np.ndarray]:
    """Keras's constant in the shapes of PyTorch's, where that is not the same."""
    along = [[axis for axis, side in enumerate(each.shape) if side > 1] for each in (keras, torch)]
    if keras.size != torch.size and keras.ndim == torch.ndim and along[0] != along[1] and keras.dtype.kind == "f":
        return [np.ascontiguousarray(keras)]  # it spreads along other axes
    if 1 < keras.size < torch.size and keras.shape == torch.shape[-keras.ndim :]:  # one row, which PyTorch repeats
        rows = torch.reshape(-1, *keras.shape)
        keras = np.broadcast_to(keras, torch.shape) if np.array_equal(rows, rows[:1].repeat(len(rows), 0)) else keras
    if keras.size != torch.size or keras.size < 2 or (keras.dtype.kind == "b") != (torch.dtype.kind == "b"):
        return []
    mine, theirs = np.squeeze(keras), np.squeeze(torch)
    if mine.ndim != theirs.ndim:
        options = [keras.reshape(torch.shape)]
    else:
        turned = itertools.permutations(range(mine.ndim)) if 0 < mine.ndim < 6 else ()
        orders = [order for order in turned if tuple(mine.shape[axis] for axis in order) == theirs.shape]
        options = [mine.transpose(order).reshape(torch.shape) for order in orders[:6]]
    options = [np.ascontiguousarray(option).astype(torch.dtype) for option in options]
    if torch.dtype.kind == "b":  # one may say what is kept, and the other what is left out
        return [each for option in options for each in (option, ~option) if not _same(each, torch)]
    if any(_same(option, torch) for option in options[:1]):
        return []
    return [option for option in options if not _same(option, torch)]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return alignment.relative(_bounded(one), _bounded(other)) <= LIMIT


def _bounded(array: np.ndarray) -> np.ndarray:
    """What masks with minus infinity is what masks with a very low number."""
    return np.clip(array.astype(np.float64), -1e4, 1e4)


def _told(keras: np.ndarray, torch: np.ndarray) -> tuple[str, str]:
    """The cause and the words of two constants, of one shape or spread along other axes."""
    if keras.ndim == torch.ndim:  # one side may hold as often as the batch is long what the other spreads
        keras, torch = _once(keras, torch), _once(torch, keras)
    if keras.shape != torch.shape:
        return "constant_axis", f"Keras's constant has the shape {keras.shape}, PyTorch's {torch.shape}"
    one, other = _bounded(keras), _bounded(torch)
    levels = np.unique(np.concatenate([one.ravel(), other.ravel()]))
    unlike = np.abs(one - other) > 1e-6 * np.abs(one).max()
    for axis in range(one.ndim - 1):
        if one.shape[axis] == one.shape[-1] > 1 and _same(one.swapaxes(axis, -1), other):
            says = f"PyTorch's constant is Keras's with the axes {axis} and {one.ndim - 1} exchanged"
            return "constant_transposed", says
    if len(levels) == 2 or ((one == 0) | (other == 0))[unlike].all():
        return "constant_mask", f"Keras and PyTorch mask other places: {_places(unlike)}"
    for axis in range(one.ndim):
        if one.shape[axis] > 1 and _same(np.flip(one, axis), other):
            return "constant_order", f"PyTorch's constant has the values of axis {axis} in the opposite order"
    if alignment.relative(np.sort(one, axis=None), np.sort(other, axis=None)) <= LIMIT:
        order = order_along(one, other)
        told = ""
        if order:
            told = f" along axis {order[0]}: {order[1]}"
        return "constant_order", f"PyTorch's constant has the values of Keras's in another order{told}"
    table = of_tables(one, other)
    if table is not None:
        return table
    factor = multiple(other, one)
    if factor is not None:
        counts = {one.size // max(side, 1) for side in (*one.shape, 1)}
        for count in (each for each in counts if each > 1):
            if any(math.isclose(abs(factor) ** power, count / (count - 1), rel_tol=1e-5) for power in (2, -2, 1, -1)):
                says = f"One side divides a variance by {count}, the other by {count - 1}"
                return "std_ddof", f"{says}: Keras's constant is {factor:.6g} times PyTorch's"
        return "constant_scale", f"Keras's constant is {factor:.6g} times PyTorch's"
    if one.dtype.kind == "f" and one.ndim:
        relation = recognized(other, one)
        if relation:
            return "constant_values", f"Keras's constant is {relation} of PyTorch's"
    mine, theirs = _waves(one), _waves(other)
    if mine is not None and theirs is not None and mine != theirs:
        cause = "position_order" if mine.frequencies == theirs.frequencies else "position_frequencies"
        words = [f"{each.layout}, from the angle {each.start} on, with the frequencies {each.frequencies}"
                 for each in (mine, theirs)]  # fmt: skip
        return cause, f"A table of sines and cosines differs: Keras has {words[0]}; PyTorch {words[1]}"
    line = _line(other, one)
    if line is not None:
        return "constant_range", f"Keras's constant is {line[0]:.5g} * x + {line[1]:.5g} of PyTorch's x"
    first = [np.array2string(each[unlike][:4], precision=5) for each in (one, other)]
    start = tuple(int(each[0]) for each in np.nonzero(unlike))
    return "constant_values", f"A constant differs, first at {start}: Keras has {first[0]} there, PyTorch {first[1]}"


def _once(array: np.ndarray, other: np.ndarray) -> np.ndarray:
    """An array without the copies along axes that another has only once."""
    for axis, (side, wanted) in enumerate(zip(array.shape, other.shape, strict=True)):
        first = array.take([0], axis)
        if wanted == 1 < side and np.array_equal(array, np.broadcast_to(first, array.shape)):
            array = first
    return array


class _Waves(NamedTuple):
    """A table of sines and cosines of positions, row by row."""

    layout: str
    start: str
    frequencies: str


def _waves(array: np.ndarray) -> _Waves | None:
    """What a table of sines and cosines is made of; None where it is no such table."""
    table = np.squeeze(array)
    if table.ndim != 2 or len(table) < 2 or table.shape[1] < 2 or table.shape[1] % 2:
        return None
    half = table.shape[1] // 2
    layouts = {"in two halves": (table[:, :half], table[:, half:]), "in turn": (table[:, ::2], table[:, 1::2])}
    for layout, (one, other) in layouts.items():
        if not np.allclose(one**2 + other**2, 1, atol=1e-4):  # sines of large angles, rounded to float32 before
            continue
        sines_first = np.abs(one[0]).sum() <= np.abs(other[0]).sum()
        sine, cosine = (one, other) if sines_first else (other, one)
        angles = np.arctan2(sine, cosine)
        steps = (angles[1] - angles[0]) % (2 * np.pi)
        words = f"{'sines' if sines_first else 'cosines'} first, {layout}"
        return _Waves(words, f"{angles[0][0]:.3g}", ", ".join(f"{each:.4g}" for each in steps[:4]))
    return None


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """a and b with y = a * x + b, if there are any."""
    if x.size < 4 or np.ptp(x) == 0:
        return None
    a, b = np.polyfit(x.ravel(), y.ravel(), 1)
    return (float(a), float(b)) if alignment.relative(a * x + b, y) <= 1e-5 else None


def _places(unlike: np.ndarray) -> str:
    """Where two masks differ, in words."""
    if unlike.all():
        return "one is the other inverted"
    square = np.squeeze(unlike)
    if square.ndim >= 2 and square.shape[-1] == square.shape[-2]:
        square = square.reshape(-1, *square.shape[-2:])
        for diagonal in range(-2, 3):
            wanted = np.eye(square.shape[-1], k=diagonal, dtype=bool)
            if (square == wanted).all():
                name = "the diagonal" if diagonal == 0 else f"the diagonal {diagonal} beside the main one (off by one)"
                return f"only {name} differs, which one of the two leaves out"
    return f"{int(unlike.sum())} of {unlike.size} differ"


def order_along(keras: np.ndarray, torch: np.ndarray) -> tuple[int, str] | None:
    """The axis along which the places are exchanged, and in words where Keras's first ones are that are elsewhere."""
    for axis in range(keras.ndim):
        if keras.shape[axis] * keras.size > LARGEST:
            continue
        one, other = (np.moveaxis(each, axis, 0).reshape(each.shape[axis], -1) for each in (keras, torch))
        apart = np.abs(one[:, None] - other[None]).max(-1)
        where = apart.argmin(1)
        if len(one) > 1 and apart.min(1).max() <= 1e-5 * max(np.abs(one).max(), 1e-30) and len(set(where)) == len(one):
            first = int(np.argmax(where != np.arange(len(where))))
            told = ", ".join(map(str, where[first : first + 4]))
            return axis, f"Keras's places from {first} on are PyTorch's {told}"
    return None
