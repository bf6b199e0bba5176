"""Causes of a difference whose place no trace shows: every change of PyTorch's calls that makes the outputs agree."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from compare.verify.causes.arguments import of_arguments
from compare.verify.causes.attention import of_attention
from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.sequences import other_functions
from compare.verify.causes.words import place, written
from compare.verify.subject import Subject
from compare.verify.verdict import LIMIT, Finding, Remedy
from compare.verify.whole import distance, pair_outputs
from twin.bridge import Arrays
from twin.trace import Edit, Event, Trace

SECONDS = 8.0
FUNCTIONS = ("relu", "tanh", "sigmoid", "silu", "gelu")


def search(
    torch: Subject, inputs: Sequence[np.ndarray], training: bool, trace: Trace, wanted: Arrays,
    finding: Finding,
) -> Finding | None:  # fmt: skip
    """The finding with the first cause found, and the call as its place where it has none; None where there is none.

    Args:
        torch: the PyTorch model.
        inputs: in its layout.
        training: the mode.
        trace: its pass.
        wanted: Keras's outputs.
        finding: what is known so far.
    """
    started = time.monotonic()
    for event, candidate, edits in _candidates(trace):
        if time.monotonic() - started > SECONDS:
            return None
        again = torch.trace(inputs, training, edits=edits, arrays={})
        if again.stopped:
            continue
        got = {name: again.values[number] for name, number in again.outputs.items()}
        pairs = pair_outputs(wanted, got)
        after = max((distance(one, other) for one, other in pairs), default=float("inf"))
        if after <= LIMIT:
            fix = {"torch": Remedy(candidate.torch.text, after)} if candidate.torch is not None else {}
            place = event.label if finding.torch == "the output" else finding.torch
            return replace(
                finding, torch=place, cause=candidate.cause, after=after, says=candidate.says, fix=fix, samples={}
            )
    return None


def _candidates(trace: Trace) -> Iterator[tuple[Event, Candidate, list[Edit]]]:
    """Each line's changes, made in all of its runs: first of its arguments, then other functions, more and fewer."""
    lines: dict[tuple[str, str, str], list[Event]] = {}
    calls: dict[tuple[str, str], list[Event]] = {}
    for event in trace.events:
        if event.family not in ("conv", "dense", "embedding", "batch_norm"):
            lines.setdefault((event.where or str(event.index), event.call, event.text), []).append(event)
            calls.setdefault((event.where or str(event.index), event.call), []).append(event)
    several = [events for events in calls.values() if len({event.text for event in events}) > 1]
    for ways in (_arguments, _functions, _more_and_fewer):
        for events in (*lines.values(), *several):
            for candidate in ways(events[0], trace):
                if all(edit["event"] == events[0].index for edit in candidate.edits) and not candidate.arrays:
                    edits = [{**edit, "event": event.index} for event in events for edit in candidate.edits]
                    yield events[0], candidate, edits


def _arguments(event: Event, trace: Trace) -> Iterator[Candidate]:
    source = trace.values.get(event.inputs[0]) if event.inputs else None
    yield from of_arguments(event, source.ndim if source is not None else 0)
    yield from of_attention([event], source.shape[1:] if source is not None else (), keras=False)


def _functions(event: Event, trace: Trace) -> Iterator[Candidate]:
    yield from other_functions([event])


def _more_and_fewer(event: Event, trace: Trace) -> Iterator[Candidate]:
    """The call left out, if it has one input; and a function behind it."""
    if event.family == "shape" or len(event.inputs) != 1:
        return
    says = f"PyTorch has {written(event)}{place(event)}, which Keras has not"
    skip: list[Edit] = [{"event": event.index, "do": "skip"}]
    kind = "activation" if event.family == "activation" else event.name
    yield Candidate(f"extra_{kind}", says, skip, torch=InTorch(f"take {written(event)} out", skip))
    for name in FUNCTIONS if event.family != "activation" else ():
        fix = InTorch.of([f"torch.nn.functional.{name}(x)"], event, behind=True)
        says = f"Keras computes {name} of what {written(event)}{place(event)} gives, PyTorch does not"
        yield Candidate("missing_activation", says, fix.edits, torch=fix)
