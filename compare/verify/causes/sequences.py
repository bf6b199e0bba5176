"""Several calls at once: a stretch that only one side has, the calls that only one side makes, two in another order."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate, InTorch, neutral
from compare.verify.causes.situation import Situation
from compare.verify.causes.values import named, recognized
from compare.verify.causes.words import TWO, argument, changed, in_torch, place, written
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event

Values = Mapping[int, np.ndarray]
NUMBERS = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide}
TRIED = 12  # places at which one call is tried
PAIRS = 4  # calls of either side that are tried in each other's place


def of_stretches(at: Situation) -> Iterator[Candidate]:
    """Several calls in a row that one side makes and the other does not, such as a norm by hand or a soft cap."""
    yield from _missing(at)
    yield from _extra(at)


def of_kinds(at: Situation) -> Iterator[Candidate]:
    """Calls of kinds that only one side makes, tried at every place where both part; then other orders."""
    keras, torch = ([event for event in events if not neutral(event)] for events in at.unlike)
    counts = [Counter(event.name for event in events) for events in (keras, torch)]
    missing = [event for event in keras if counts[0][event.name] > counts[1][event.name]]
    extra = [event for event in torch if counts[1][event.name] > counts[0][event.name]]
    yield from _replaced(missing[:PAIRS], extra[:PAIRS])
    if not extra:
        yield from _inserted(missing[:PAIRS], torch[:TRIED])
    if not missing:
        yield from _removed(extra[:PAIRS])
    yield from _orders(torch[:TRIED])
    yield from _distributed(at)
    yield from _operations(torch[:TRIED])
    yield from other_functions(torch[:TRIED])


def _missing(at: Situation) -> Iterator[Candidate]:
    """Keras makes of a value that PyTorch has another one, and PyTorch goes on with the value as it is."""
    mine, theirs = at.values
    if not at.unlike[0]:
        return
    entering = at.entering
    for number in _entering(at.unlike[0], mine):
        if not at.unlike[1] and entering[0] is not None and entering[1] is not None:
            far, order = alignment.distance(mine[number], entering[1])
            if far <= LIMIT and entering[0].size == entering[1].size:
                cause, says = _told(at.unlike[0], mine[number], entering[0], "Keras", "PyTorch")
                yield Candidate(cause, says, measured=far)
        for other in _entering(at.unlike[1], theirs):
            far, order = alignment.distance(mine[number], theirs[other])
            if far > LIMIT or order is None:
                continue
            for steps, value in _made(at.unlike[0], number, mine, order, theirs[other].shape):
                cause, says = _told(steps, mine[number], mine[steps[-1].outputs[0]], "Keras", "PyTorch")
                yield from _given(cause, says, at.unlike[1], other, value)


def _made(
    events: Sequence[Event], number: int, values: Values, order: Sequence[int], shape: Sequence[int]
) -> Iterator[tuple[list[Event], np.ndarray]]:
    """The values that calls make of one, in PyTorch's layout, with the calls."""
    reached, steps = {number}, []
    for event in events[: TRIED + 1]:
        if not reached & set(event.inputs):
            continue
        reached |= set(event.outputs)
        steps.append(event)
        value = values.get(event.outputs[0])
        if value is not None and value.ndim == len(order) and value.dtype.kind == "f":
            turned = np.ascontiguousarray(value.transpose(np.argsort(order)))
            if [side for side in turned.shape if side != 1] == [side for side in shape if side != 1]:
                yield list(steps), turned.reshape(shape)


def _given(cause: str, says: str, events: Sequence[Event], number: int, value: np.ndarray) -> Iterator[Candidate]:
    """A value in place of another, in all of PyTorch's calls that take it: in fewer it stands for what they do."""
    takers = [event for event in events if number in event.inputs]
    edits: list[Edit] = [{"event": event.index, "do": "input"} for event in takers]
    arrays = {f"{e.index}/input/{slot}": value for e in takers for slot, n in enumerate(e.inputs) if n == number}
    yield Candidate(cause, says, edits, arrays)


def _extra(at: Situation) -> Iterator[Candidate]:
    """PyTorch makes of a value another one of its shape, and Keras goes on with the value as it is."""
    theirs = at.values[1]
    made = [number for event in at.unlike[1][:TRIED] for number in event.outputs if number in theirs]
    left = 2 * TRIED
    for number in (*_entering(at.unlike[1], theirs), *made):
        reached = {number}
        for event in at.unlike[1][:TRIED]:
            if not reached & set(event.inputs) or number in event.outputs:
                continue
            reached |= set(event.outputs)
            value = theirs.get(event.outputs[0])
            if value is None or value.shape != theirs[number].shape or left < 1:
                continue
            if len(reached) < 3 and not neutral(event):  # of one call others speak
                continue
            left -= 1
            steps = [each for each in at.unlike[1] if each.index <= event.index and reached & set(each.outputs)]
            cause, says = _told(steps, theirs[number], value, "PyTorch", "Keras")
            edits: list[Edit] = [{"event": event.index, "do": "output"}]
            yield Candidate(cause, says, edits, {f"{event.index}/output/0": theirs[number]})


def _told(events: Sequence[Event], source: np.ndarray, value: np.ndarray, side: str, other: str) -> tuple[str, str]:
    """The cause and the words of calls that only one side makes."""
    calls = [event for event in events if not neutral(event)] or list(events)
    kind = "missing" if side == "Keras" else "extra"
    shown = " and ".join(written(event) for event in calls[:6]) + (" and more" if len(calls) > 6 else "")
    name = recognized(source, value)
    which = named(name) if name else "_".join(dict.fromkeys(event.name for event in calls[:3]))
    means = f", which is {name}" if name else ""
    return f"{kind}_{which}", f"{side} computes {shown}{place(calls[0])}{means}; {other} does not"


def _entering(events: Sequence[Event], values: Values) -> list[int]:
    """Numbers of the values that enter some calls and are not made by them."""
    made = {number for event in events for number in event.outputs}
    found = [number for event in events for number in event.inputs if number not in made and number in values]
    return [number for number in dict.fromkeys(found) if values[number].dtype.kind == "f" and values[number].size > 1]


def _replaced(missing: Sequence[Event], extra: Sequence[Event]) -> Iterator[Candidate]:
    """A call of Keras's in place of one of PyTorch's with as many inputs."""
    for mine in missing:
        for theirs in extra:
            if len(mine.inputs) != len(theirs.inputs) or not mine.inputs:
                continue
            fix = InTorch.of([in_torch(mine)], theirs)
            both = mine.family == theirs.family == "activation"
            cause = "wrong_activation" if both else f"{theirs.name}_for_{mine.name}"
            says = f"Keras computes {written(mine)}{place(mine)}, PyTorch {written(theirs)}{place(theirs)}"
            yield Candidate(cause, says, fix.edits, torch=fix)


def _inserted(missing: Sequence[Event], torch: Sequence[Event]) -> Iterator[Candidate]:
    """A call of Keras's behind one of PyTorch's."""
    for mine in missing:
        for theirs in torch if len(mine.inputs) == 1 else ():
            fix = InTorch.of([in_torch(mine)], theirs, behind=True)
            fix = InTorch(f"{in_torch(mine)} of what {written(theirs)} gives", fix.edits)
            says = f"Keras has {written(mine)}{place(mine)}, which PyTorch has not behind {written(theirs)}"
            yield Candidate(f"missing_{mine.name}", f"{says}{place(theirs)}", fix.edits, torch=fix)


def _removed(extra: Sequence[Event]) -> Iterator[Candidate]:
    for theirs in extra:
        skip: list[Edit] = [{"event": theirs.index, "do": "skip"}]
        says = f"PyTorch has {written(theirs)}{place(theirs)}, which Keras has not"
        yield Candidate(f"extra_{theirs.name}", says, skip, torch=InTorch(f"take {written(theirs)} out", skip))


def _orders(torch: Sequence[Event]) -> Iterator[Candidate]:
    """A function of one value before or after another, or of a sum and of what is summed."""
    makers = {number: event for event in torch for number in event.outputs}
    for later in torch:
        before = [makers[number] for number in later.inputs if number in makers]
        alone = [event for event in before if len(event.inputs) == 1 and changed("torch", event)]
        line = changed("torch", later)
        for event in alone if len(later.inputs) == 1 and line else ():
            says = (
                f"PyTorch computes {written(event)} and then {written(later)}{place(later)}, Keras the other way round"
            )
            edits = [*InTorch.of([line], event).edits, *InTorch.of([changed("torch", event)], later).edits]
            yield Candidate("order", says, edits, torch=InTorch("exchange the two calls", edits))
        for group in [alone, *([each] for each in alone if len(alone) > 1)] if len(later.inputs) == 2 and alone else ():
            if len({event.text for event in group}) == 1:
                says = f"Keras computes {written(group[0])} of what {written(later)} gives, PyTorch of what enters it"
                edits = [*InTorch.of([changed("torch", group[0])], later, group, behind=True).edits]
                fix = InTorch(f"move {written(group[0])} behind {written(later)}", edits)
                yield Candidate("order", f"{says}{place(later)}", edits, torch=fix)
        if len(later.inputs) == 1 and line and before and len(before[0].inputs) == 2:
            yield from _before_sum(before[0], later, line)


def _before_sum(both: Event, after: Event, line: str) -> Iterator[Candidate]:
    """A function of a sum that Keras computes of one term, or of each."""
    name = str(both.settings.get("name", ""))
    if name not in TWO:
        return
    parts = {each: line.replace("(x", f"({each}", 1) for each in "xy"}
    for options in ({"x"}, {"y"}, {"x", "y"}):
        code = TWO[name].format("torch")
        for each in options:
            code = code.replace(each, f"({each}__)", 1) if name != "maximum" else code
        for each in options:
            code = code.replace(f"({each}__)", parts[each])
        edits = [*InTorch.of([code], both).edits, {"event": after.index, "do": "skip"}]
        says = f"Keras computes {written(after)} of what enters {written(both)}, PyTorch of what it gives{place(after)}"
        yield Candidate("order", says, edits, torch=InTorch(f"move {written(after)} before {written(both)}", edits))


def _distributed(at: Situation) -> Iterator[Candidate]:
    """A sum before a product and the other way round: (a + b) * c for a + b * c."""
    values = at.values[1]
    makers = {number: event for event in at.unlike[1] for number in event.outputs}
    for later in at.unlike[1][:TRIED]:
        for place_of_first, number in enumerate(later.inputs[:2] if len(later.inputs) == 2 else ()):
            first = makers.get(number)
            if first is None or len(first.inputs) != 2 or not {first.name, later.name} <= set(NUMBERS):
                continue
            given = [values.get(each) for each in (*first.inputs, *later.inputs, *later.outputs[:1])]
            if first.name == later.name or any(each is None or each.dtype.kind != "f" for each in given):
                continue
            one, other = NUMBERS[first.name], NUMBERS[later.name]
            a, b = (values[each] for each in first.inputs)
            c = values[later.inputs[1 - place_of_first]]
            turned = (lambda x, y, f=other: f(y, x)) if place_of_first else other
            with np.errstate(all="ignore"):
                options = [one(turned(a, c), b), one(a, turned(b, c))]
            for value in options:
                if value.shape == values[later.outputs[0]].shape and np.isfinite(value).all():
                    says = f"PyTorch computes {written(first)} and then {written(later)}{place(later)} of both terms; "
                    says += f"Keras computes {later.name} of one of them, and then {first.name}"
                    edits: list[Edit] = [{"event": later.index, "do": "output"}]
                    yield Candidate("order", says, edits, {f"{later.index}/output/0": value.astype(np.float32)})


def _operations(torch: Sequence[Event]) -> Iterator[Candidate]:
    """Another operation of the same two values: a sum for a difference, a product for a quotient."""
    swaps = {"add": ("subtract",), "subtract": ("add",), "multiply": ("divide", "add"), "divide": ("multiply",)}
    for event in torch:
        for name in swaps.get(event.name, ()) if len(event.inputs) == 2 else ():
            fix = InTorch.of([TWO[name].format("torch")], event)
            says = f"PyTorch computes {written(event)}{place(event)}; with {TWO[name]} in its place both agree"
            yield Candidate(f"{event.name}_for_{name}", says, fix.edits, torch=fix)


def other_functions(torch: Sequence[Event]) -> Iterator[Candidate]:
    """Another function in place of one of PyTorch's, where Keras's call is one that nobody sees into."""
    for event in [event for event in torch if event.family == "activation"][:2]:
        dim = argument(event.text, "dim") or "-1"
        for name in ("relu", "sigmoid", "tanh", "silu", "gelu", "softplus", "softmax", "log_softmax", "logsigmoid"):
            if name != event.name:
                more = f", dim={dim}" if "softmax" in name else ""
                fix = InTorch.of([f"torch.nn.functional.{name}(x{more})"], event)
                says = f"PyTorch computes {written(event)}{place(event)}; with {name} in its place both agree"
                yield Candidate("wrong_activation", says, fix.edits, torch=fix)
