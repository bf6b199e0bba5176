"""Causes in one PyTorch call: what the catalogue of differences says to write, other axes, results exchanged."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.choices import changed, of_choices
from compare.verify.causes.transforms import of_transforms
from compare.verify.causes.words import argument, name_of, place, written
from twin.differences import ROWS
from twin.trace import Edit, Event

REDUCTIONS = {"mean", "sum", "max", "min", "prod", "logsumexp", "std", "var", "norm", "amax", "amin", "argmax"}
ALONG = {*REDUCTIONS, "softmax", "log_softmax", "concatenate", "cat", "stack", "chunk", "split", "cumsum", "cumprod",
         "flip", "roll", "normalize", "glu", "cosine_similarity", "unsqueeze", "argmin", "gather"}  # fmt: skip


def of_arguments(event: Event, rank: int) -> list[Candidate]:
    """What makes one PyTorch call another, its inputs being the same.

    Args:
        event: the call.
        rank: the number of axes of its first input.
    """
    ways = (
        of_settings(event), _of_operands(event), of_axes(event, rank), of_results(event), _of_repeats(event),
        _of_padding(event), of_transforms(event, rank),
    )  # fmt: skip
    return [candidate for way in ways for candidate in way]


def of_settings(event: Event) -> Iterator[Candidate]:
    """What one argument, or a function of the same arguments, makes of the call: few, so that many calls are tried."""
    yield from of_catalogue(event)
    yield from of_choices(event)
    yield from _of_shifts(event)
    yield from _of_weights(event)


def of_catalogue(event: Event) -> Iterator[Candidate]:
    """Every row of the catalogue that names this call: a row and its candidate are one thing."""
    name = name_of(event)
    for row in ROWS.values():
        for each in row.tries:
            if name in each.calls:
                shown = ", ".join(f"{word}={code}" for word, code in each.arguments.items())
                text = f"{shown} in {name}" if shown else f"{each.after} in place of {written(event)}"
                text += f", and then {each.after}" if shown and each.after else ""
                says = f"{row.title}: {written(event)}{place(event)}; Keras: {row.keras}"
                edits: list[Edit] = [
                    {"event": event.index, "do": "arguments", "expressions": dict(each.arguments), "after": each.after}
                ]
                yield Candidate(row.name, says, edits, torch=InTorch(text, edits))


def _of_operands(event: Event) -> Iterator[Candidate]:
    """The operands of a call exchanged."""
    if name_of(event) in ("sub", "__sub__", "div", "__truediv__", "matmul", "__matmul__", "pow"):
        edits: list[Edit] = [
            {"event": event.index, "do": "arguments", "expressions": {"input": "other", "other": "input"}}
        ]
        says = f"Keras's operands are those of {written(event)}{place(event)} in the other order"
        says += ": its value has the opposite sign" if event.name in ("subtract", "sub", "__rsub__", "rsub") else ""
        yield Candidate("operand_order", says, edits, torch=InTorch("exchange the two operands", edits))
    if name_of(event) in ("cat", "concat", "stack") and len(event.inputs) > 1:
        edits = [{"event": event.index, "do": "arguments", "expressions": {"tensors": "tensors[::-1]"}}]
        says = f"The parts of {written(event)}{place(event)} stand in the opposite order"
        yield Candidate("operand_order", says, edits, torch=InTorch("the parts in the opposite order", edits))


def of_axes(event: Event, rank: int) -> Iterator[Candidate]:
    """The same call along another axis, or other axes."""
    name = name_of(event)
    kind = str(event.settings.get("name", name))
    if not {name, kind} & ALONG:
        return
    word = "dims" if name in ("flip", "roll") else "dim"
    own = argument(event.text, word)
    options: list[object] = list(range(rank + (name in ("stack", "unsqueeze"))))
    if {name, kind} & REDUCTIONS or word == "dims":
        several = [axes for count in (2, 3) for axes in combinations(range(rank), count)]
        counted = own.count(",") + 1 if own is not None and own.strip("[]() ") else 1
        options += sorted(several, key=lambda axes: len(axes) != counted)[:16]
        if counted > 1:  # as many axes as there are come first
            options.sort(key=lambda option: not isinstance(option, tuple))
    cause = "softmax_axis" if "softmax" in name else "reduction_axis" if {name, kind} & REDUCTIONS else f"{kind}_axis"
    for option in options:
        if name == "flip" and isinstance(option, int):
            option = (option,)
        if str(option) == own:
            continue
        fix = InTorch.otherwise(event, {word: repr(option)})
        says = f"PyTorch's {written(event)}{place(event)} goes along other axes than Keras's: {word}={option} agrees"
        yield Candidate(cause, says, fix.edits, torch=fix)


def _of_repeats(event: Event) -> Iterator[Candidate]:
    """A value as a whole several times, where Keras repeats each of its pieces; and the other way round."""
    sizes = [
        int(each) for each in re.findall(r"\d+", argument(event.text, "sizes") or argument(event.text, "dims") or "")
    ]
    long = [(axis, count) for axis, count in enumerate(sizes) if count > 1]
    lines = []
    if name_of(event) in ("repeat", "tile") and len(long) == 1:
        lines = [f"x.repeat_interleave({long[0][1]}, dim={long[0][0]})"]
    count, axis = (argument(event.text, word) for word in ("repeats", "dim"))
    if name_of(event) == "repeat_interleave" and (count or "").isdigit() and axis is not None:
        lines = [f"torch.cat([x] * {count}, dim={axis})"]
    for line in lines:
        says = f"PyTorch's {written(event)}{place(event)} repeats the values in another order than Keras: {line} agrees"
        fix = InTorch.of([line], event)
        yield Candidate("repeat_order", says, fix.edits, torch=fix)


def _of_padding(event: Event) -> Iterator[Candidate]:
    """What a call pads with."""
    if name_of(event) == "pad" and argument(event.text, "mode") in (None, "'constant'"):
        says = "What a maximum finds beyond the ends"
        yield changed("padding_value", says, event, {"value": "float('-inf')"})
    for mode in ("constant", "reflect", "replicate", "circular") if name_of(event) == "pad" else ():
        if mode not in event.text:
            value = {"value": "0.0"} if mode == "constant" else {"value": "None"}
            yield changed("padding_mode", "Padding", event, {"mode": repr(mode), **value})

    sizes = [int(each) for each in re.findall(r"-?\d+", argument(event.text, "pad") or "")]
    pairs = [sizes[place_of : place_of + 2] for place_of in range(0, len(sizes) - 1, 2)]
    if name_of(event) == "pad" and any(one != other for one, other in pairs):
        exchanged = tuple(side for pair in pairs for side in reversed(pair))
        says = f"What is odd of the padding goes to the wrong side: PyTorch pads {tuple(sizes)} (left, right, top, ...)"
        yield changed("padding", f"{says}, Keras {exchanged}", event, {"pad": str(exchanged)})
    for place_of in range(0, len(sizes) - 1, 2) if name_of(event) == "pad" else ():
        total = sizes[place_of] + sizes[place_of + 1]
        for before in range(min(total, 8) + 1) if min(sizes) >= 0 else ():
            other = [*sizes[:place_of], before, total - before, *sizes[place_of + 2 :]]
            if before in (0, total, total // 2, total - total // 2) and other != sizes:
                yield changed("padding", "PyTorch pads another end", event, {"pad": str(tuple(other))})


def _of_shifts(event: Event) -> Iterator[Candidate]:
    """A roll in the other direction, or a triangle moved by one."""
    if name_of(event) == "roll":
        turned = "tuple(-each for each in shifts) if isinstance(shifts, (tuple, list)) else -shifts"
        own = argument(event.text, "shifts") or ""
        if re.fullmatch(r"[-\d(), \[\]]+", own):  # numbers as they are written
            shifts = [-int(each) for each in re.findall(r"-?\d+", own)]
            turned = str(tuple(shifts) if len(shifts) > 1 else shifts[0])
        yield changed("roll_direction", "PyTorch rolls in the other direction", event, {"shifts": turned})
    for offset in (1, -1) if name_of(event) in ("tril", "triu") else ():
        diagonal = argument(event.text, "diagonal") or "0"
        yield changed("mask_diagonal", "Another diagonal", event, {"diagonal": f"{diagonal} + {offset}"})


def _of_weights(event: Event) -> Iterator[Candidate]:
    """What weighs the positive targets taken for what weighs the values, and the other way round."""
    if name_of(event) == "binary_cross_entropy_with_logits":
        says = "weight multiplies the whole loss of a value, pos_weight only that of the positive targets"
        yield changed("pos_weight", says, event, {"pos_weight": "weight", "weight": "None"})
        yield changed("pos_weight", says, event, {"weight": "pos_weight", "pos_weight": "None"})


def of_results(event: Event) -> Iterator[Candidate]:
    """Two results of a call exchanged: the halves of a chunk, an LSTM's states."""
    for places in combinations(range(min(len(event.outputs), 6)), 2):
        edits: list[Edit] = [{"event": event.index, "do": "exchange", "places": list(places)}]
        recurrent = event.family in ("lstm", "gru", "rnn")
        cause = "recurrent_state" if recurrent else f"{event.settings.get('name', event.family)}_order"
        says = f"the results {places[0]} and {places[1]} of {written(event)}{place(event)} are taken for each other"
        yield Candidate(cause, says, edits, torch=InTorch(f"exchange the results {places[0]} and {places[1]}", edits))


def in_place(events: Sequence[Event]) -> list[Candidate]:
    """Functions that write into their input, which something else reads after them."""
    found = [event for event in events if argument(event.text, "inplace") == "True"]
    if not found:
        return []
    edits: list[Edit] = [{"event": e.index, "do": "arguments", "expressions": {"inplace": "False"}} for e in found]
    says = f"{written(found[0])}{place(found[0])} changes its input in place, and another call reads it afterwards"
    return [Candidate("inplace_activation", says, edits, torch=InTorch(f"inplace=False in {found[0].label}", edits))]
