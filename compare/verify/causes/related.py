"""A plain function of a value that one side leaves out, wherever it is: a square, 1 - x, a factor."""

from collections.abc import Iterator

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate, InTorch, multiple
from compare.verify.causes.graphs import Graphs
from compare.verify.causes.situation import Situation
from compare.verify.causes.values import FUNCTIONS, line_of
from compare.verify.causes.words import place, written
from compare.verify.verdict import LIMIT
from twin.trace import Edit

CALLS = 24  # of each side
CONSTANTS = 8
LARGEST = 100_000  # numbers of a value
WORDS = {
    "one_minus": "1 - {}", "negative": "-{}", "square": "the square of {}", "sqrt": "the square root of {}",
    "abs": "the absolute value of {}", "reciprocal": "1 / {}", "exp": "the exponential of {}",
    "log": "the logarithm of {}",
}  # fmt: skip  # functions that are tried in every call


def of_related_values(at: Situation) -> Iterator[Candidate]:
    """What turns a value of PyTorch's into one that Keras has, in whichever of the calls that part, in all its runs."""
    if not all(at.unlike):
        return
    both = Graphs(at)
    for theirs in [event for event in at.unlike[1][:CALLS] if event.family != "shape" and len(event.outputs) == 1]:
        native = at.values[1].get(theirs.outputs[0])
        if native is None or native.dtype.kind != "f" or not 4 <= native.size <= LARGEST or not np.ptp(native):
            continue
        for mine in at.unlike[0][:CALLS]:
            value = at.values[0].get(mine.outputs[0])
            if value is None or value.dtype.kind != "f" or value.size != native.size or mine.family == "shape":
                continue
            if "Bidirectional" in mine.call:
                continue  # how it merges its directions is a setting
            turned = both.as_torch(mine.outputs[0], theirs.outputs[0])
            if turned is None:
                continue
            for cause, line, words in _relations(native, turned):
                name = f"{written(theirs)}{place(theirs)}"
                says = f"Keras's value{place(mine)} is {words.format(f'what {name} gives')} in PyTorch"
                fix = InTorch.of([line], theirs, behind=True)
                yield Candidate(cause, says, fix.edits, torch=InTorch(f"{line}, where x is {name}", fix.edits))


def of_functions_of_constants(at: Situation) -> Iterator[Candidate]:
    """A plain function of a constant that PyTorch takes as it is: a variance for its root."""
    for constant in at.constants[1][:CONSTANTS]:
        event, array = constant.event, constant.array
        if array.dtype.kind != "f" or not 2 <= array.size <= LARGEST:
            continue
        for name, words in WORDS.items():
            with np.errstate(all="ignore"):
                value = FUNCTIONS[name](array.astype(np.float64)).astype(array.dtype)
            if np.isfinite(value).all() and not np.array_equal(value, array):
                says = f"With {words.format(f'the constant in {written(event)}')}{place(event)} both agree"
                edits: list[Edit] = [{"event": event.index, "do": constant.slot.split("/")[0]}]
                yield Candidate(f"missing_{name}", says, edits, {f"{event.index}/{constant.slot}": value})


def _relations(native: np.ndarray, value: np.ndarray) -> Iterator[tuple[str, str, str]]:
    """The cause, the code and the words of each plain function that makes a value of another."""
    factor = multiple(native, value)
    if factor is not None and abs(factor - 1) > 1e-5 and abs(factor + 1) > 1e-5:
        yield "scale", f"x * {factor:.6g}", f"{factor:.6g} times {{}}"
    with np.errstate(all="ignore"):
        x = native.astype(np.float64)
        for name, words in WORDS.items():
            if alignment.relative(FUNCTIONS[name](x), value) <= LIMIT < alignment.relative(x, value):
                yield f"missing_{name}", line_of(name), words
