"""Attention as one function or by hand: another scale of the scores, a mask that is missing, too many or turned."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from compare.verify import axes
from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.words import name_of, place, written
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event, Trace

FACTORS = 24  # scales that are tried
LOW = "float('-inf')"
UPPER = "torch.ones({0}, {1}, dtype=torch.bool).triu(1)"

# By function: what is changed in its arguments, the cause, and the words.
MASKS: Mapping[str, Sequence[tuple[str, str, Mapping[str, str]]]] = {
    "scaled_dot_product_attention": (
        ("causal_mask", "Keras's tokens attend to no later ones, PyTorch's do", {"is_causal": "True"}),
        ("causal_mask", "PyTorch's tokens attend to no later ones, Keras's do", {"is_causal": "False"}),
        ("attention_mask", "PyTorch masks scores that Keras does not", {"attn_mask": "None", "is_causal": "False"}),
        ("attention_mask_meaning", "What Keras attends to PyTorch masks", {
            "attn_mask": f"torch.zeros_like(attn_mask).masked_fill(attn_mask == 0, {LOW})"}),
    ),
    "multi_head_attention_forward": (
        ("attention_mask_meaning", "What Keras attends to PyTorch masks: True in key_padding_mask means ignore", {
            "key_padding_mask": f"torch.zeros_like(key_padding_mask).masked_fill(key_padding_mask == 0, {LOW})"}),
        ("attention_mask_meaning", "What Keras attends to PyTorch masks: True in attn_mask means ignore", {
            "attn_mask": f"torch.zeros_like(attn_mask).masked_fill(attn_mask == 0, {LOW})"}),
        ("causal_mask", "Keras's tokens attend to no later ones, PyTorch's do", {
            "attn_mask": UPPER.format("query.shape[0]", "key.shape[0]"), "is_causal": "False",
            "key_padding_mask": "key_padding_mask if key_padding_mask is None else key_padding_mask != 0"}),
        ("attention_mask", "PyTorch masks scores by attn_mask, Keras does not", {
            "attn_mask": "None", "is_causal": "False"}),
        ("attention_mask", "PyTorch masks scores by key_padding_mask, Keras does not", {"key_padding_mask": "None"}),
    ),
    "softmax": (
        ("causal_mask", "Keras's tokens attend to no later ones, PyTorch's do", {
            "input": f"input.masked_fill({UPPER.format('input.shape[-2]', 'input.shape[-1]')}, {LOW})"}),
    ),
}  # fmt: skip


def of_attention(events: Sequence[Event], lengths: Sequence[int], keras: bool) -> Iterator[Candidate]:
    """Other masks and other scales, for every call in which scores become weights.

    Args:
        events: PyTorch's calls that part.
        lengths: of axes, whose roots may be scales.
        keras: whether Keras has attention as one call there.
    """
    for event in events:
        name = name_of(event)
        if name not in MASKS:
            continue
        for cause, says, expressions in MASKS[name]:
            fix = InTorch.otherwise(event, expressions)
            yield Candidate(cause, f"{says}: {written(event)}{place(event)}", fix.edits, torch=fix)
    for event in events:
        name = name_of(event)
        argument = {"softmax": "input", "scaled_dot_product_attention": "query"}.get(name)
        if argument is None or not (keras or len(event.inputs) > 1):
            continue
        for factor in factors(lengths):
            edits: list[Edit] = [
                {"event": event.index, "do": "arguments", "expressions": {argument: f"{argument} * {factor!r}"}}
            ]
            says = f"Keras's scores are {factor:.6g} times PyTorch's: {written(event)}{place(event)}"
            yield Candidate(
                "attention_scale", says, edits, torch=InTorch(f"{argument} * {factor:.6g} in {name}", edits)
            )


def factors(lengths: Sequence[int]) -> list[float]:
    """Scales that lengths of axes suggest: their roots and their quotients' roots, the numbers themselves, and two."""
    sizes = sorted({length for length in lengths if length > 1})
    quotients = sorted({one / other for one in (1, *sizes) for other in (1, *sizes) if one != other})
    found = [2.0, 0.5, *(math.sqrt(each) for each in quotients), *(float(n) for n in sizes), *(1 / n for n in sizes)]
    return list(dict.fromkeys(float(f"{each:.12g}") for each in found))[:FACTORS]


def of_roles(keras: Event, torch: Event, mine: Trace, theirs: Trace) -> list[Candidate]:
    """Other values for query, key and value than Keras's layer takes, where both have all of them.

    Args:
        keras, torch: the two calls of attention.
        mine, theirs: both passes.
    """
    given = [number for number in keras.inputs if number in mine.values and mine.values[number].ndim == 3]
    given = [number for number in given if mine.values[number].dtype.kind == "f"]
    if torch.family != "attention" or keras.family != "attention" or len(given) < 1 or len(torch.inputs) < 3:
        return []
    asking = theirs.values.get(torch.inputs[0])
    if len(given) == 2 and asking is not None and asking.size != mine.values[given[0]].size:
        wanted = {"key": given[1], "value": given[0]}  # Keras's query is made of no input
    else:
        value = given[1] if len(given) > 1 else given[0]
        wanted = {"query": given[0], "key": given[2] if len(given) > 2 else value, "value": value}
    edits: list[Edit] = [{"event": torch.index, "do": "input"}]
    arrays: dict[str, np.ndarray] = {}
    roles: dict[tuple[str, str], list[str]] = {}  # by what each side takes for them
    natives = [theirs.values[number] for number in torch.inputs[:3] if number in theirs.values]
    both = [axes.distance(mine.values[one], other) for one in wanted.values() for other in natives]
    known = next((order for far, order in both if far <= LIMIT and order is not None and len(order) == 3), None)
    for role, number in wanted.items():
        slot = ("query", "key", "value").index(role)
        native = theirs.values.get(torch.inputs[slot])
        if native is None or native.size != mine.values[number].size:
            return []
        array = mine.values[number]
        turned = array.transpose(np.argsort(known)) if known is not None else axes.to_torch(array, native, "attention")
        arrays[f"{torch.index}/input/{slot}"] = np.ascontiguousarray(turned)
        if axes.distance(mine.values[number], native)[0] > LIMIT:
            names = _name(mine, number), _name(theirs, torch.inputs[slot])
            roles.setdefault(names, []).append(f"the {role}")
    told = [f"for {' and '.join(of)} Keras takes {names[0]}, and PyTorch {names[1]}" for names, of in roles.items()]
    says = f"In this attention (PyTorch's {torch.where or 'call'}, Keras's {keras.where or 'call'}) {'; '.join(told)}"
    return [Candidate("attention_input", says, edits, arrays)] if told else []


def _name(trace: Trace, number: int) -> str:
    maker = trace.producers.get(number)
    while maker is not None and maker.family == "shape" and maker.inputs:  # a transpose says nothing of what it is
        number = maker.inputs[0]
        maker = trace.producers.get(number)
    return f"input {number}" if maker is None else maker.label
