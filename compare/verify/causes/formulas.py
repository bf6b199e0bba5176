"""What both sides compute between two pairs of layers as two formulas, and where one formula parts from the other."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from compare.verify.causes.candidate import Candidate
from compare.verify.causes.graph import LARGEST, MOST, kind
from compare.verify.causes.graphs import Change, Graphs
from compare.verify.causes.operands import arranged, turned, weighted
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import place
from twin.trace import Edit, Event

ONE = 1.1  # cost of one step
SURE = 2.6  # cost up to which a difference is one, and not two formulas that have nothing in common
CUTS = 10  # values of PyTorch's that are tried as Keras's
CLOSE = 0.5  # correlation of two values that may be each other's


def of_formulas(at: Situation, most: float, without: Collection[str] = ()) -> Iterator[Candidate]:
    """The steps from one formula to the other, carried out with Keras's values where they are.

    Args:
        at: where both part.
        most: the cost up to which the steps are told.
        without: kinds of steps that are not told.
    """
    if not all(at.unlike) or not all(at.ends) or max(map(len, at.unlike)) > MOST:
        return
    both = Graphs(at)
    cost, steps = both.way(at.ends[0][0], at.ends[1][0])
    if not steps or cost > most or (most <= SURE and not _plain(steps)):
        return
    if any(step.kind in without for step in steps):
        return
    cause, says = _told(both, steps)
    edits: list[Edit] = []
    arrays: dict[str, np.ndarray] = {}
    for step in (each for each in steps if each.top):
        value = both.as_torch(step.keras, step.torch)
        if value is None:
            return
        if step.consumer is None:
            producer = both.torch.makers.get(step.torch)
            if producer is None or producer.outputs[0] != step.torch:
                return
            edits.append({"event": producer.index, "do": "output"})
            arrays[f"{producer.index}/output/0"] = value
        else:
            edits.append({"event": step.consumer[0].index, "do": "input"})
            arrays[f"{step.consumer[0].index}/input/{step.consumer[1]}"] = value
    yield Candidate(cause, says, edits, arrays)


def of_cuts(at: Situation) -> Iterator[Candidate]:
    """The earliest value of PyTorch's that makes all agree if it is Keras's: both formulas up to there."""
    if not all(at.unlike):
        return
    both = Graphs(at)
    left = CUTS
    for theirs in at.unlike[1][: 3 * CUTS]:
        native = at.values[1].get(theirs.outputs[0]) if len(theirs.outputs) == 1 else None
        if native is None or native.dtype.kind != "f" or native.size < 8 or native.size > LARGEST or left < 1:
            continue
        found = []
        for mine in at.unlike[0][: 3 * CUTS]:
            value = at.values[0].get(mine.outputs[0])
            if value is None or value.size != native.size or value.dtype.kind != "f" or both.silent(0, mine):
                continue
            turned = both.as_torch(mine.outputs[0], theirs.outputs[0])
            if turned is not None and (close := _correlation(turned, native)) > CLOSE:
                found.append((close, mine, turned))
        if not found or both.silent(1, theirs):
            continue
        left -= 1
        _, mine, turned = max(found, key=lambda each: each[0])
        _, steps = both.way(mine.outputs[0], theirs.outputs[0])
        if steps:
            cause, says = _told(both, steps)
            pairs = _in_each_run(both, mine, theirs) or [(mine, theirs)]
            edits: list[Edit] = [{"event": each.index, "do": "output"} for _, each in pairs]
            made = [(each.index, both.as_torch(own.outputs[0], each.outputs[0])) for own, each in pairs]
            arrays = {f"{index}/output/0": value for index, value in made if value is not None}
            if len(arrays) == len(pairs):
                yield Candidate(cause, says, edits, arrays)


def _in_each_run(both: Graphs, mine: Event, theirs: Event) -> list[tuple[Event, Event]]:
    """Two calls in all runs of their lines, as in a loop; nothing where both do not run as often."""
    runs = [
        [e for e in events if (e.where, kind(e), len(e.inputs)) == (own.where, kind(own), len(own.inputs))]
        for events, own in zip(both.at.unlike, (mine, theirs), strict=True)
    ]
    return list(zip(*runs, strict=True)) if len(runs[0]) == len(runs[1]) > 1 else []


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """How alike two arrays of one shape are, 1 for one that is the other times a number and plus one."""
    a, b = (each.astype(np.float64).ravel() - each.mean() for each in (one, other))
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return abs(float(a @ b)) / norms if norms > 0 and np.isfinite(norms) else 0.0


def of_one_step(at: Situation) -> Iterator[Candidate]:
    """One step from what Keras computes to what PyTorch computes."""
    yield from of_formulas(at, SURE)


def of_other_steps(at: Situation) -> Iterator[Candidate]:
    """As `of_one_step`, but for calls too many and missing, which are tried as code before."""
    yield from of_formulas(at, SURE, ("missing", "extra", "arguments"))


def of_loops(at: Situation) -> Iterator[Candidate]:
    """What both compute in each run of a line, where a loop makes more calls than two formulas can be made of."""
    if max(map(len, at.unlike)) > MOST:
        yield from of_cuts(at)


def of_long_formulas(at: Situation) -> Iterator[Candidate]:
    """What both compute as a whole; where a call takes another value than Keras's, that comes first."""
    for each in of_formulas(at, 9.0):
        words = "; ".join(part for part in (at.miswired_in_words, each.says) if part)
        yield replace(each, cause=at.miswired or each.cause, says=words)


def as_formulas(at: Situation, known: bool) -> str:
    """Both formulas in words where they part; "" where they are too long to tell, or tell nothing more.

    Args:
        at: where both part.
        known: whether a cause was found, beside which only one step says more.
    """
    if not all(at.unlike) or not all(at.ends) or max(map(len, at.unlike)) > MOST:
        return ""
    both = Graphs(at)
    steps = both.way(at.ends[0][0], at.ends[1][0])[1]
    if known and (not _plain(steps) or any(step.kind in ("arguments", "whole") for step in steps)):
        return ""
    return _told(both, steps)[1] if steps else ""


def _plain(steps: Sequence[Change]) -> bool:
    """Whether each step is the only one where it is, or the same call is made at another place.

    What stands behind a step proves it by running; of two steps one behind the other only the later is proved so.
    """
    kinds = [[kind(each) for step in steps if step.kind == word for each in step.events if each is not None]
             for word in ("missing", "extra")]  # fmt: skip
    return all(step.top for step in steps) or (len(steps) == 2 and kinds[0] == kinds[1] != [])


def _told(both: Graphs, steps: Sequence[Change]) -> tuple[str, str]:
    """The cause and what is said of the steps from Keras's formula to PyTorch's."""
    missing = [step.events[0] for step in steps if step.kind == "missing" and step.events[0] is not None]
    extra = [step.events[1] for step in steps if step.kind == "extra" and step.events[1] is not None]
    first = steps[0]
    mine, theirs = first.events
    what = {
        "missing": f"PyTorch has no {kind(mine)} here" if mine else "",
        "extra": f"PyTorch has one more {kind(theirs)} here" if theirs else "",
        "other": f"PyTorch computes {kind(theirs)} in place of {kind(mine)}" if mine and theirs else "",
        "order": f"the operands of PyTorch's {kind(theirs)} are exchanged" if theirs else "",
        "arguments": f"{kind(mine)} has other arguments in PyTorch" if mine else "",
        "operand": "PyTorch takes another value here",
        "whole": "",
    }[first.kind]
    cause = {
        "missing": "missing_" + "_".join(dict.fromkeys(kind(event) for event in missing[:3])),
        "extra": "extra_" + "_".join(dict.fromkeys(kind(event) for event in extra[:3])),
        "other": f"{kind(theirs)}_for_{kind(mine)}" if mine and theirs else "",
        "order": "operand_order",
        "arguments": f"{kind(mine)}_arguments" if mine else "",
        "operand": "input_wiring",
        "whole": f"{kind(theirs) if theirs else 'value'}_for_{kind(mine) if mine else 'value'}",
    }[first.kind]
    if first.kind == "arguments" and mine is not None and theirs is not None and arranged(both, mine, theirs):
        cause, what = "arrangement_order", f"what enters PyTorch's {kind(theirs)} is arranged in another way"
        what += f" ({both.torch.arrangement(theirs)} in PyTorch, {both.keras.arrangement(mine)} in Keras)"
    elif first.kind == "arguments" and mine is not None and theirs is not None and (axes := turned(both, mine, theirs)):
        cause = "transposed_input"
        what = f"what enters PyTorch's {kind(theirs)} is Keras's with the axes {axes[0]} and {axes[1]} exchanged"
    elif first.kind == "arguments" and mine is not None and both.keras.number(mine) is not None:
        cause, what = f"{kind(mine)}_constant", f"PyTorch's {kind(mine)} has another number"
    moved = {kind(event) for event in missing} & {kind(event) for event in extra}
    if moved:
        cause = "order"
        what = f"{' and '.join(sorted(moved))} stands at another place in PyTorch"
    elif missing and extra and first.kind in ("missing", "extra"):
        names = [["_".join(dict.fromkeys(kind(event) for event in events[:2]))] for events in (extra, missing)]
        cause = f"{names[0][0]}_for_{names[1][0]}"
        what = f"PyTorch computes {names[0][0]} in place of {names[1][0]}"
    operands = [step for step in steps if step.kind == "operand"]
    if len(operands) == 2 and len(operands) == len(steps):
        one, other = operands
        if both.equal(one.keras, other.torch) and both.equal(other.keras, one.torch):
            cause, what = "operand_order", "PyTorch takes two values for each other"
    sums = weighted(both, first.keras, first.torch) if len(steps) == 1 or first.kind == "whole" else None
    if sums is not None:
        cause, what = sums
    told = []
    for step in [each for each in steps if each.top][:2]:
        at = step.events[1] or (step.consumer[0] if step.consumer is not None else None)
        native = both.torch.written(step.torch)
        where = place(at) if at is not None and not native.endswith(place(at)) else ""
        told.append(f"Keras computes {both.keras.written(step.keras)}, PyTorch {native}{where}")
    return cause, ": ".join(part for part in (what, "; ".join(dict.fromkeys(told))) if part)
