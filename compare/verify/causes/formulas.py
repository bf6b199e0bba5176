"""What both sides compute between two pairs of layers as two formulas, and where one formula parts from the other."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from compare.verify.causes.candidate import Candidate
from compare.verify.causes.graph import LARGEST, MASKED, MOST, kind
from compare.verify.causes.graphs import Change, Graphs
from compare.verify.causes.operands import arranged, other_kernel, relation, turned, weighted
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import does, place
from twin.trace import Edit, Event

ONE = 1.1  # cost of one step
SURE = 2.6  # cost up to which a difference is one, and not two formulas that have nothing in common
CUTS = 10  # values of PyTorch's that are tried as Keras's
CLOSE = 0.5  # correlation of two values that may be each other's
ALIKE = 0.25  # the same where calls of one kind give them


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
    cause, says = told(both, steps)
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
            alike = both.keras.kind(mine) == both.torch.kind(theirs)
            if turned is not None and (close := _correlation(turned, native)) > (ALIKE if alike else CLOSE):
                found.append((close, mine, turned))
        if not found or both.silent(1, theirs):
            continue
        left -= 1
        _, mine, turned = max(found, key=lambda each: each[0])
        _, steps = both.way(mine.outputs[0], theirs.outputs[0])
        if steps:
            cause, says = told(both, steps)
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


def as_formulas(at: Situation, known: bool) -> tuple[str, str]:
    """The cause and both formulas in words where they part; "" where they are too long to tell, or tell nothing more.

    Args:
        at: where both part.
        known: whether a cause was found, beside which only one step says more.
    """
    if not all(at.unlike) or not all(at.ends) or max(map(len, at.unlike)) > MOST:
        return "", ""
    both = Graphs(at)
    steps = both.way(at.ends[0][0], at.ends[1][0])[1]
    if known and (not _plain(steps) or any(step.kind in ("arguments", "whole") for step in steps)):
        return "", ""
    return told(both, steps) if steps else ("", "")


def _plain(steps: Sequence[Change]) -> bool:
    """Whether each step is the only one where it is, or the same call is made at another place.

    What stands behind a step proves it by running; of two steps one behind the other only the later is proved so.
    """
    kinds = [[kind(each) for step in steps if step.kind == word for each in step.events if each is not None]
             for word in ("missing", "extra")]  # fmt: skip
    return all(step.top for step in steps) or (len(steps) == 2 and kinds[0] == kinds[1] != [])


def told(both: Graphs, steps: Sequence[Change]) -> tuple[str, str]:
    """The cause and what is said of the steps from Keras's formula to PyTorch's."""
    first = steps[0]
    cause, what = _of_several(both, steps) or _of_operands(both, first) or _of_step(both, first)
    sums = weighted(both, first.keras, first.torch) if len(steps) == 1 or first.kind == "whole" else None
    if sums is not None:
        cause, what = sums
    lines = []
    for step in [each for each in steps if each.top][:2]:
        at = step.events[1] or (step.consumer[0] if step.consumer is not None else None)
        native = both.torch.written(step.torch)
        where = place(at) if at is not None and not native.endswith(place(at)) else ""
        lines.append(f"Keras computes {both.keras.written(step.keras)}, PyTorch {native}{where}")
        lines += [words] if (words := relation(both, step.keras, step.torch)) else []
    return cause, ": ".join(part for part in (what, "; ".join(dict.fromkeys(lines))) if part)


def _of_step(both: Graphs, step: Change) -> tuple[str, str]:
    """The cause and the words of one step by itself."""
    one, other = (
        side.kind(event) if event is not None else "value"
        for side, event in zip((both.keras, both.torch), step.events, strict=True)
    )
    negative = ", so that it has the opposite sign" if other == "subtract" else ""
    return {
        "missing": (f"missing_{one}", f"Keras {does(one)} here, PyTorch does not"),
        "extra": (f"extra_{other}", f"PyTorch {does(other)} here, Keras does not"),
        "other": (f"{other}_for_{one}", f"PyTorch {does(other)} where Keras {does(one)}"),
        "order": ("operand_order", f"the operands of PyTorch's {other} are exchanged" + negative),
        "arguments": (f"{one}_arguments", f"{one} has other arguments in PyTorch"),
        "operand": ("input_wiring", "PyTorch takes another value here"),
        "whole": (f"{other}_for_{one}", "")
        if "value" not in (one, other)
        else ("input_wiring", "PyTorch takes another value here"),
    }[step.kind]


def _of_several(both: Graphs, steps: Sequence[Change]) -> tuple[str, str] | None:
    """The cause and the words of calls of which some are missing and some too many, or of two values exchanged."""
    missing = [step.events[0] for step in steps if step.kind == "missing" and step.events[0] is not None]
    extra = [step.events[1] for step in steps if step.kind == "extra" and step.events[1] is not None]
    names = [both.keras.kind(event) for event in missing], [both.torch.kind(event) for event in extra]
    moved = set(names[0]) & set(names[1])
    if moved:
        return "order", f"{' and '.join(sorted(moved))} stands at another place in PyTorch"
    for word, side, events in (("missing", both.keras, missing), ("extra", both.torch, extra)):
        masks = [event for event in events if side.masks(event)]
        if masks and steps[0].kind == word:
            owner = "PyTorch has no mask here, and Keras has" if word == "missing" else "Keras has no mask here"
            return (
                f"{word}_attention_mask",
                f"{owner}: {side.kind(masks[0])} with values of {MASKED:g} or less{place(masks[0])}",
            )
    others = [step for step in steps if step.kind == "other"]
    plain = [both.keras.number(e) for e in missing] + [both.torch.number(e) for e in extra]
    if len(others) == 1 and plain and all(number is not None for number in plain):
        return _of_step(both, others[0])
    if missing and extra and steps[0].kind in ("missing", "extra"):
        own, native = ("_".join(dict.fromkeys(each[:2])) for each in names)
        done = [" and ".join(map(does, dict.fromkeys(each[:2]))) for each in names]
        return f"{native}_for_{own}", f"PyTorch {done[1]} where Keras {done[0]}"
    if steps[0].kind in ("missing", "extra"):
        kinds = names[0] if steps[0].kind == "missing" else names[1]
        words = _of_step(both, steps[0])[1]
        return f"{steps[0].kind}_" + "_".join(dict.fromkeys(kinds[:3])), words
    if len(steps) == 2 and all(step.kind == "operand" for step in steps):
        one, other = steps
        if both.equal(one.keras, other.torch) and both.equal(other.keras, one.torch):
            return "operand_order", "PyTorch takes two values for each other"
    return None


def _of_operands(both: Graphs, step: Change) -> tuple[str, str] | None:
    """The cause and the words of two calls of one kind that take or are given something else."""
    mine, theirs = step.events
    if step.kind != "arguments" or mine is None or theirs is None:
        return None
    name = both.torch.kind(theirs)
    if arranged(both, mine, theirs):
        ways = f"{both.torch.arrangement(theirs)} in PyTorch, {both.keras.arrangement(mine)} in Keras"
        return "arrangement_order", f"what enters PyTorch's {name} is arranged in another way ({ways})"
    if words := other_kernel(both, mine, theirs):
        return "kernel_transposed", words
    axes = turned(both, mine, theirs)
    if axes:
        words = f"what enters PyTorch's {name} is Keras's with the axes {axes[0]} and {axes[1]} exchanged"
        return "transposed_input", words
    if both.keras.number(mine) is not None:
        return f"{both.keras.kind(mine)}_constant", f"PyTorch's {both.keras.kind(mine)} has another number"
    return None
