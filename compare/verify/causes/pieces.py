"""Pieces of one value: both sides cut it, and take other places of it."""

from collections.abc import Iterator

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import argument, name_of, place, written
from compare.verify.verdict import LIMIT
from twin.trace import Edit, Event

CUTS = {"getitem", "split", "chunk", "unbind", "select", "index_select", "narrow", "take", "slice"}
LARGEST = 1_000_000  # numbers of a value that is looked through


def of_pieces(at: Situation) -> Iterator[Candidate]:
    """PyTorch's pieces of a value made Keras's, in the order in which both cut it."""
    mine, theirs = at.values
    for source in {event.inputs[0]: None for event in at.unlike[1] if _cuts(event)}:
        pieces = [
            (e, slot) for e in at.unlike[1] if _cuts(e) and e.inputs[0] == source for slot in range(len(e.outputs))
        ]
        for other in {event.inputs[0]: None for event in at.unlike[0] if event.inputs}:
            if source not in theirs or other not in mine or mine[other].size > LARGEST:
                continue
            far, order = alignment.distance(mine[other], theirs[source])
            if far > LIMIT or order is None or len(order) != mine[other].ndim:
                continue
            cut = [
                n
                for e in at.unlike[0]
                if e.inputs[:1] == (other,) and (e.family == "shape" or _cuts(e))
                for n in e.outputs
            ]
            cut = [number for number in cut if number in mine and mine[number].ndim == len(order)]
            values = [np.ascontiguousarray(mine[number].transpose(np.argsort(order))) for number in cut]
            shapes = [theirs[event.outputs[slot]].shape for event, slot in pieces]
            if len(values) < len(pieces) or any(v.shape != s for v, s in zip(values, shapes, strict=False)):
                continue
            edits: list[Edit] = [{"event": event.index, "do": "output"} for event, slot in pieces if slot == 0]
            arrays = {f"{e.index}/output/{slot}": v for (e, slot), v in zip(pieces, values, strict=False)}
            told = [_places(theirs[source], each) for each in (values[0], theirs[pieces[0][0].outputs[pieces[0][1]]])]
            says = f"Keras takes other places of a value than PyTorch's {written(pieces[0][0])}{place(pieces[0][0])}"
            if told[0] and told[1]:
                says += f": {told[0]} against {told[1]}"
            yield Candidate("selected_places", says, edits, arrays)


def of_end_piece(at: Situation) -> Iterator[Candidate]:
    """Another place of a value that both have, cut out right before the next layer: PyTorch's piece Keras has too."""
    end = at.end
    if end is None or not _cuts(end.event) or not all(at.ends):
        return
    mine, theirs = at.values
    cut = next((event for event in at.unlike[0] if at.ends[0][0] in event.outputs and _cuts(event)), None)
    source = end.event.inputs[0]
    if cut is None or cut.inputs[0] not in mine or source not in theirs:
        return
    if alignment.distance(mine[cut.inputs[0]], theirs[source])[0] > LIMIT:
        return
    native = theirs[end.event.outputs[0]]
    told = [_picked(theirs[source], each) for each in (end.value, native)]
    says = f"Keras takes another place of a value than PyTorch's {written(end.event)}{place(end.event)}"
    if all(told):
        says += f": {told[0]} against {told[1]}"
    yield Candidate("selected_places", says, *end.edits())


def _picked(source: np.ndarray, piece: np.ndarray) -> str:
    """The place along an axis at which a piece was taken out, in words."""
    for axis in range(1, source.ndim):
        for index in range(source.shape[axis]):
            part = source.take(index, axis)
            if part.size == piece.size and alignment.relative(part.reshape(piece.shape), piece) <= LIMIT:
                return f"{index} of axis {axis}"
    return _places(source, piece) if source.ndim == piece.ndim else ""


def _cuts(event: Event) -> bool:
    return bool(event.inputs) and event.settings.get("name", name_of(event)) in CUTS


def _places(source: np.ndarray, piece: np.ndarray) -> str:
    """Which places of a value a piece has, in words; nothing where it is cut along several axes."""
    axes = [axis for axis in range(1, piece.ndim) if source.shape[axis] != piece.shape[axis]]
    if len(axes) != 1 or source.shape[: axes[0]] != piece.shape[: axes[0]]:
        return ""
    one, other = (np.moveaxis(each, axes[0], 0).reshape(each.shape[axes[0]], -1) for each in (source, piece))
    if len(one) * other.size > 10 * LARGEST:
        return ""
    where = np.abs(other[:, None] - one[None]).max(-1).argmin(1)
    return f"{', '.join(str(each) for each in where[:4])} of axis {axes[0]}"


def bidirectional_last(at: Situation) -> Iterator[Candidate]:
    """The last step of a bidirectional layer, where Keras takes what each direction has once it has read everything."""
    torch = at.torch
    if torch is None or torch.settings.get("name") != "getitem" or not torch.inputs:
        return
    source = next((event for event in at.before if torch.inputs[0] in event.outputs), None)
    if source is None or not source.settings.get("bidirectional") or at.source is None or at.source.ndim != 3:
        return
    width = at.source.shape[-1] // 2
    line = f"torch.cat((x[:, -1, :{width}], x[:, 0, {width}:]), -1)"
    says = f"{written(torch)}{place(torch)} takes the last step, where the backward direction has read one step only"
    fix = InTorch.of([line], torch)
    yield Candidate("bidirectional_last", says, fix.edits, torch=fix)


def halves(at: Situation) -> Iterator[Candidate]:
    """A gated linear unit whose other half is the gate."""
    if at.torch is not None and at.torch.settings.get("name") == "glu":
        dim = argument(at.torch.text, "dim") or "-1"
        line = f"torch.nn.functional.glu(torch.cat(x.chunk(2, {dim})[::-1], {dim}), {dim})"
        says = f"PyTorch's {written(at.torch)}{place(at.torch)} takes the second half for the gate, Keras the first"
        fix = InTorch.of([line], at.torch)
        yield Candidate("glu_gate_order", says, fix.edits, torch=fix)
