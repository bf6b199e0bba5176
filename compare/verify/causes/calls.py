"""Causes among the calls without weights between two layers: first the particular ones, then the general."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.arguments import in_place, of_arguments, of_axes, of_results, of_settings
from compare.verify.causes.attention import factors, of_attention
from compare.verify.causes.candidate import Candidate, InTorch, multiple
from compare.verify.causes.constants import of_constants, of_made_weights, of_normed_weights, of_weights
from compare.verify.causes.divisors import of_divisors
from compare.verify.causes.ends import of_ends
from compare.verify.causes.entering import of_indices, of_parts
from compare.verify.causes.exchanges import of_exchanged_numbers, of_exchanged_values
from compare.verify.causes.formulas import (
    ONE,
    of_cuts,
    of_formulas,
    of_long_formulas,
    of_loops,
    of_one_step,
    of_other_steps,
)  # fmt: skip
from compare.verify.causes.masked import of_masked_weights
from compare.verify.causes.numbers import of_numbers
from compare.verify.causes.one_call import instead, kind_in_words, missing, other_in_words, without
from compare.verify.causes.pieces import bidirectional_last, halves, of_end_piece, of_pieces
from compare.verify.causes.recurrences import of_recurrence
from compare.verify.causes.reductions import of_missing_reductions
from compare.verify.causes.related import of_functions_of_constants, of_related_values
from compare.verify.causes.reshapes import of_reshapes, of_reshapes_and_back, reshaped_in_words
from compare.verify.causes.rotation import of_rotation, turned
from compare.verify.causes.selections import of_selections
from compare.verify.causes.sequences import of_kinds, of_stretches
from compare.verify.causes.settings import SETTINGS, nothing
from compare.verify.causes.situation import Situation
from compare.verify.causes.splits import split_orders
from compare.verify.causes.totals import of_totals
from compare.verify.causes.values import of_functions, of_values, recognized
from compare.verify.causes.words import acts, changed, in_torch, kind_of, name_of, place, written
from compare.verify.causes.words import argument as argument_of
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event


def of_calls(at: Situation, wired: Sequence[Candidate]) -> list[Candidate]:
    """Every candidate, in the order in which they are tried.

    Args:
        at: where both part.
        wired: causes in what takes which value.
    """
    first, last = ([c for family in families for c in _tried(family, at)] for families in (PARTICULAR, GENERAL))
    return [*first, *wired, *last]


def _tried(family: Callable[[Situation], Iterator[Candidate]], at: Situation) -> Iterator[Candidate]:
    """A family's candidates, up to the first value that it cannot handle: the difference stands without them."""
    try:
        yield from family(at)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return


def _rearranged(at: Situation) -> Iterator[Candidate]:
    """Another arrangement, where it is not one call that is missing or too many: each side arranges in its own way."""
    if at.rearranged is not None:
        yield from of_formulas(at, ONE, ("operand", "arguments", "order", "other", "whole"))
    if at.rearranged is not None and at.keras is not None and at.end is not None:
        says = f"Keras computes {written(at.keras)} on the arrangement {at.rearranged}, which PyTorch has nowhere"
        says = reshaped_in_words(at) or ": ".join(part for part in (says, split_orders(at)) if part)
        yield Candidate("arrangement_order", says, *at.end.edits())


def _of_one_kind(at: Situation) -> Iterator[Candidate]:
    """Two calls of one kind: their settings, then one in place of the other, before anything is called missing."""
    if at.keras is None or at.torch is None or at.keras.family != at.torch.family:
        return
    if at.keras.family != "op":
        yield from SETTINGS.get(at.keras.family, nothing)(at, at.keras, at.torch)
        for event in at.unlike[0] if at.keras.family in ("lstm", "gru", "rnn") else ():  # PyTorch's may be several
            if event.family == at.keras.family and event is not at.keras:
                yield from SETTINGS[event.family](at, event, at.torch)
        yield from (replace(each, edits=each.torch.edits, arrays={}) for each in instead(at) if each.torch)


def _of_crops(at: Situation) -> Iterator[Candidate]:
    """Keras's Cropping layer against a slice of PyTorch's of the same size."""
    keras, torch = at.keras, at.torch
    if keras is None or torch is None or "ropping" not in keras.call or torch.settings.get("name") != "getitem":
        return
    for each in at.replacements:
        if each.event.outputs[0] in torch.inputs and each.value.shape == at.values[1][torch.outputs[0]].shape:
            says = f"Keras cuts {written(keras)}, PyTorch another part of the same size: {written(torch)}{place(torch)}"
            arrays = {f"{torch.index}/output/0": each.value}
            yield Candidate("crop_position", says, [{"event": torch.index, "do": "output"}], arrays)


def _of_one_operation(at: Situation) -> Iterator[Candidate]:
    """One operation with other arguments, where the catalogue and other axes explain nothing."""
    if at.keras is not None and at.torch is not None and at.keras.family == at.torch.family == "op":
        yield from SETTINGS["op"](at, at.keras, at.torch)


def _turned(at: Situation) -> Iterator[Candidate]:
    yield from at.turned


def _in_place(at: Situation) -> Iterator[Candidate]:
    yield from in_place(at.before)


def _of_arguments(at: Situation) -> Iterator[Candidate]:
    """PyTorch's call made another; then those that take what it gives."""
    for event in at.unlike[1][:3]:
        yield from of_arguments(event, _rank(at, event))
    once = {(event.where, event.call, event.text): event for event in reversed(at.unlike[1][3:])}  # of a loop's lines
    lines = sorted(once.values(), key=lambda event: event.index)[:LINES]
    for event in lines:
        yield from of_settings(event)
    for event in [each for each in lines if name_of(each) in REDUCTIONS][:6]:
        yield from of_axes(event, _rank(at, event))
    for event in at.before[-8:]:
        if len(event.outputs) > 1 and event not in at.unlike[1][:3]:
            yield from of_results(event)
    # What enters the first call may be a value that Keras has too, and uses elsewhere: the other softmax of two.
    for event in _makers(at):
        yield from of_axes(event, _rank(at, event))


def _rank(at: Situation, event: Event) -> int:
    """The number of axes of a PyTorch call's first input, where that is known."""
    source = at.values[1].get(event.inputs[0]) if event.inputs else None
    return source.ndim if source is not None else 0


def _makers(at: Situation) -> list[Event]:
    """What gives the values that enter PyTorch's first call, behind calls that only arrange them."""
    makers = {number: event for event in at.before for number in event.outputs}
    found = []
    for number in at.unlike[1][0].inputs if at.unlike[1] else ():
        event = makers.get(number)
        while event is not None and event.family == "shape" and event.inputs:
            event = makers.get(event.inputs[0])
        if event is not None and event.family != "shape":
            found.append(event)
    return found


def _of_attention(at: Situation) -> Iterator[Candidate]:
    keras = any(event.family == "attention" or "Attention" in event.call for event in at.unlike[0])
    yield from of_attention(at.unlike[1], at.lengths(), keras)


def _of_rotation(at: Situation) -> Iterator[Candidate]:
    yield from of_rotation(*(turned(events, values) for events, values in zip(at.unlike, at.values, strict=True)))


def _of_recurrences(at: Situation) -> Iterator[Candidate]:
    """Keras's recurrent layers that PyTorch's side writes by hand."""
    made = [(event, at.values[1][n]) for event in at.unlike[1] for n in event.outputs if n in at.values[1]]
    for event in at.unlike[0]:
        if event.leaf in at.arrays and event.inputs:
            yield from of_recurrence(event, at.values[0][event.inputs[0]], at.arrays[event.leaf], made)


def _of_constants(at: Situation) -> Iterator[Candidate]:
    """Calls that make a constant of weights or of others, made another; then other constants."""
    makers = {number: event for event in at.unlike[1] for number in event.outputs}
    todo = [constant.event.inputs[int(constant.slot[6:])] for constant in at.constants[1] if "input" in constant.slot]
    for number in todo:
        event = makers.get(number)
        source = at.values[1].get(event.inputs[0]) if event is not None and event.inputs else None
        if event is not None and source is not None and len(todo) < 9:
            yield from of_arguments(event, source.ndim)
            todo += [each for each in event.inputs if each not in todo]
    yield from of_made_weights(*at.constants, at.weights)
    yield from of_normed_weights(*at.constants, at.weights)
    yield from of_masked_weights(*at.constants)
    yield from of_constants(*at.constants)
    yield from of_weights(*at.constants, at.weights)


def _of_all_axes(at: Situation) -> Iterator[Candidate]:
    """Several reductions that go along the same axes, all made to go along others, as a mean and a variance do."""
    found: dict[str, list[Event]] = {}
    for event in at.unlike[1]:
        axes = argument_of(event.text, "dim")
        if event.inputs and axes is not None and {name_of(event), event.settings.get("name")} & REDUCING:
            found.setdefault(axes, []).append(event)
    for axes, events in found.items():
        source = at.values[1].get(events[0].inputs[0])
        rank = source.ndim if source is not None and len(events) > 1 else 0
        for option in (each for count in (1, 2, 3) for each in combinations(range(rank), count)):
            edits: list[Edit] = [
                {"event": e.index, "do": "arguments", "expressions": {"dim": repr(option)}} for e in events
            ]
            names = " and ".join(written(event) for event in events[:3])
            says = f"PyTorch's {names}{place(events[0])} go along the axes {axes}, Keras's along what is {option} there"
            yield Candidate("reduction_axis", says, edits, torch=InTorch(f"dim={option} in each", edits))


def _exchanged_functions(at: Situation) -> Iterator[Candidate]:
    """Two of PyTorch's activations in each other's place: a gate's sigmoid and the tanh beside it."""
    found = [event for event in at.unlike[1] if event.family == "activation" and changed("torch", event)][:4]
    for one, other in combinations(found, 2):
        if one.settings.get("name") != other.settings.get("name"):
            says = (
                f"PyTorch computes {written(one)}{place(one)} and {written(other)}{place(other)} in each other's place"
            )
            pairs = ((one, other), (other, one))
            edits = [edit for call, line in pairs for edit in InTorch.of([changed("torch", line)], call).edits]
            yield Candidate("wrong_activation", says, edits, torch=InTorch("exchange the two functions", edits))


def _scaled_calls(at: Situation) -> Iterator[Candidate]:
    """A factor behind one of PyTorch's first calls that part, such as the gain of a weight."""
    for event in at.unlike[1][:2]:
        for factor in factors(at.lengths())[:16] if event.family != "shape" else ():
            edits: list[Edit] = [{"event": event.index, "do": "scale", "by": factor}]
            says = f"Keras's value is {factor:.6g} times what {written(event)}{place(event)} gives"
            scores = any(later.settings.get("name") == "softmax" for later in at.unlike[1] if later.index > event.index)
            yield Candidate(
                "attention_scale" if scores else "scale",
                says,
                edits,
                torch=InTorch(f"{factor:.6g} * {written(event)}", edits),
            )


def _of_functions(at: Situation) -> Iterator[Candidate]:
    """What each side computes of one value, recognized by its numbers: either may be written by hand."""
    keras, torch = at.keras, at.torch
    if keras is None or torch is None or not keras.inputs or not torch.inputs:
        return
    told = []
    for side, events in enumerate(at.unlike):
        source = at.values[side].get(events[0].inputs[0]) if events[0].inputs else None
        names = [
            (event, recognized(source, at.values[side][event.outputs[0]])) for event in events if event.outputs
        ] if source is not None else []  # fmt: skip
        told.append([(event, name) for event, name in names if name])
    if not all(told):
        return
    (mine, one), (theirs, other) = told[0][-1], told[1][-1]
    if one == other:
        return
    value, native = at.values[0][mine.outputs[0]], at.values[1][theirs.outputs[0]]
    sources = at.values[0][keras.inputs[0]], at.values[1][torch.inputs[0]]
    far, order = alignment.distance(*sources)
    if far <= LIMIT and value.size == native.size and order is not None and len(order) == value.ndim == native.ndim:
        turned = np.ascontiguousarray(value.transpose(np.argsort(order)))
        yield of_functions(one, other, theirs, turned)


def _commuted(at: Situation) -> Iterator[Candidate]:
    """Two calls that both sides make, in another order."""
    keras, torch = at.keras, at.torch
    if keras is None or torch is None or kind_of(keras) == kind_of(torch):
        return
    later = next((e for e in at.unlike[1] if e.index > torch.index and kind_of(e) == kind_of(keras)), None)
    earlier = next((e for e in at.unlike[0] if e.index > keras.index and kind_of(e) == kind_of(torch)), None)
    if later is None or earlier is None:
        return
    says = f"Keras computes {written(keras)} before {written(earlier)}, PyTorch {written(torch)} first{place(torch)}"
    lines = [changed("torch", later) or in_torch(keras), changed("torch", torch) or in_torch(earlier)]
    yield Candidate("order", says, InTorch.of(lines, torch, [later]).edits)


def _of_values(at: Situation) -> Iterator[Candidate]:
    """What turns PyTorch's value into Keras's: of the calls that part, and of what enters the next layer."""
    others = {number: (value, at.givers.get(number, "")) for number, value in at.values[1].items()}
    for each in (*(r for r in at.replacements if r.instead), *([at.end] if at.end is not None else [])):
        native = at.values[1].get(each.event.outputs[0])
        if native is not None:
            yield from of_values(each.value, native, each.event, others)


def _multiple(at: Situation) -> Iterator[Candidate]:
    """What enters the next layer is a multiple of what enters Keras's."""
    if at.end is None or at.entering[1] is None:
        return
    factor = multiple(at.entering[1], at.end.value)
    if factor is None or abs(factor - 1) < 1e-6:
        return
    says = f"What enters Keras's next layer is {factor:.6g} times what enters PyTorch's"
    whole = max(factor, 1 / factor)
    counted = [each for each in at.lengths() if each > 1 and any(abs(p / each - 1) < 1e-4 for p in (whole, whole**2))]
    cause = "reduction_mean_sum" if counted else "scale"  # as many times as an axis is long, or the root of that
    if at.keras is not None and "Bidirectional" in at.keras.call:
        cause = "bidirectional_merge"
    fix = InTorch.of([f"x * {factor:.6g}"], at.end.event, behind=True)
    yield Candidate(cause, says, fix.edits, torch=fix)


def _end(at: Situation) -> Iterator[Candidate]:
    """What enters the next layer made to be what enters Keras's: the place is right, and nothing more is known."""
    if at.end is None:
        return
    torch, keras = at.torch, at.keras
    if torch is not None and at.picks and keras is None:
        says = f"Keras passes on the last step of the sequence, PyTorch takes {written(torch)}{place(torch)}"
        yield Candidate("sequence_step", says, *at.end.edits(), InTorch.of(["x[:, -1]"], torch))
    elif torch is not None and keras is None:
        says = f"{written(torch)}{place(torch)} gives another value than what enters Keras's next layer"
        yield Candidate(f"other_{kind_in_words(torch)}", says, *at.end.edits())
    elif torch is not None and keras is not None:
        says = f"Keras {acts(keras)}{place(keras)}, PyTorch {acts(torch)}{place(torch)}"
        yield Candidate(at.miswired or other_in_words(keras, torch), says, *at.end.edits())
    elif keras is None and at.arranged is not None:
        says = f"{written(at.arranged)}{place(at.arranged)} leaves the values in another order than Keras's reshape"
        yield Candidate("arrangement_order", says, *at.end.edits())


LINES = 40  # calls behind the first that part, of which one argument each is tried
REDUCING = {"mean", "sum", "std", "var", "var_mean", "std_mean", "norm", "amax", "amin", "logsumexp"}
REDUCTIONS = {"mean", "sum", "max", "min", "prod", "logsumexp"}
# What takes which value is tried between the two.
PARTICULAR = (
    _in_place,
    of_indices,
    of_parts,
    of_reshapes,
    _rearranged,
    halves,
    bidirectional_last,
    _of_recurrences,
    _of_rotation,
    _of_one_kind,
    _of_crops,
    _of_constants,
    _of_attention,
    _exchanged_functions,
    _of_arguments,
    of_selections,
    of_ends,
    _of_all_axes,
    _of_one_operation,
    _of_functions,
    of_numbers,
    of_exchanged_numbers,
)  # before what takes which value
GENERAL = (
    _commuted,
    of_pieces,
    of_end_piece,
    of_exchanged_values,
    of_divisors,
    of_related_values,
    of_functions_of_constants,
    of_missing_reductions,
    of_totals,
    of_other_steps,
    of_loops,
    without,
    missing,
    of_one_step,
    of_stretches,
    _turned,
    of_kinds,
    _multiple,
    of_cuts,
    _scaled_calls,
    _of_values,
    of_reshapes_and_back,
    of_long_formulas,
    instead,
    _end,
)
