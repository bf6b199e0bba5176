"""What a call reads beyond the ends of an axis: zeros, the other end, the last value again, or a mirror's picture."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.situation import Situation
from compare.verify.causes.words import argument, changed, name_of, place, written
from twin.trace import Edit, Event

FILLED = {
    "replicate": "the first and the last value again",
    "circular": "the values of the other end",
    "reflect": "the values as in a mirror",
}
COPIED = 1e-6  # of a value's largest: how far a copy of it may be off


def of_ends(at: Situation) -> Iterator[Candidate]:
    """PyTorch's calls that go beyond the ends of an axis, made to find something else there."""
    yield from _rolls(at)
    for event in at.unlike[1]:
        if event.family == "pool":
            yield from _pools(event)
    yield from _transforms(at)


def _numbers(text: str | None) -> list[int]:
    """Numbers of an argument as it is written; none where it is no plain number or tuple."""
    plain = text if text is not None and re.fullmatch(r"[-\d(), \[\]]+", text) else ""
    return [int(each) for each in re.findall(r"-?\d+", plain)]


def _rolls(at: Situation) -> Iterator[Candidate]:
    """Zeros shifted in for what a roll brings from the other end, and the other way round; all such calls at once."""
    fixes = []
    for event in at.unlike[1]:
        source = at.values[1].get(event.inputs[0]) if event.inputs else None
        shifts, dims = (_numbers(argument(event.text, word)) for word in ("shifts", "dims"))
        if name_of(event) == "roll" and source is not None and len(shifts) == len(dims) > 0:
            fixes.append((event, _shifted(source.ndim, dict(zip(dims, shifts, strict=True)))))
    yield from _at_once(fixes, "PyTorch rolls around the ends", "Keras shifts in zeros, so that nothing comes around")
    fixes = []
    for event in at.unlike[1]:
        pads = _numbers(argument(event.text, "pad"))
        pairs = [pads[first : first + 2] for first in range(0, len(pads) - 1, 2)]
        if name_of(event) == "pad" and any(map(any, pairs)) and all(sum(pair) == 0 for pair in pairs):
            moved = {-1 - axis: pair[0] for axis, pair in enumerate(pairs) if any(pair)}
            fixes.append((event, f"torch.roll(x, {tuple(moved.values())}, {tuple(moved)})"))
    yield from _at_once(fixes, "PyTorch shifts in zeros", "Keras rolls around the ends")
    yield from _rolled_in_keras(at)


def _shifted(rank: int, shifts: dict[int, int]) -> str:
    """A shift with zeros as code: what is padded at one end is cut off at the other."""
    places = {axis % rank: by for axis, by in shifts.items()}
    moved = [places.get(axis, 0) for axis in reversed(range(min(places), rank))]
    pads = [side for by in moved for side in (by, -by)]
    return f"torch.nn.functional.pad(x, {tuple(pads)})"


def _at_once(fixes: Sequence[tuple[Event, str]], says: str, other: str) -> Iterator[Candidate]:
    """All calls of a kind with other ends, and each by itself."""
    for chosen in (fixes, *([each] for each in fixes if len(fixes) > 1)):
        edits = [edit for event, line in chosen for edit in InTorch.of([line], event).edits]
        calls = " and ".join(f"{written(event)}{place(event)}" for event, _ in chosen[:3])
        fix = InTorch(", and ".join(dict.fromkeys(f"{line} for {written(event)}" for event, line in chosen)), edits)
        if chosen:
            yield Candidate("wrapped_ends", f"{says}: {calls}; {other}", edits, torch=fix)


def _rolled_in_keras(at: Situation) -> Iterator[Candidate]:
    """A roll of Keras's, and a value of PyTorch's that is the same but for zeros where values come around."""
    for mine in (event for event in at.unlike[0] if event.settings.get("name") == "roll"):
        value = at.values[0].get(mine.outputs[0])
        for theirs in at.unlike[1] if value is not None and value.any() else ():
            native = at.values[1].get(theirs.outputs[0])
            if native is None or value is None or native.shape != value.shape or native.dtype.kind != "f":
                continue
            unlike = np.abs(native - value) > COPIED * np.abs(value).max()
            if 0 < unlike.mean() <= 0.5 and not native[unlike].any():
                says = f"Keras rolls around the ends: {written(mine)}{place(mine)}; PyTorch shifts in zeros"
                edits: list[Edit] = [{"event": theirs.index, "do": "output"}]
                arrays = {f"{theirs.index}/output/0": value}
                yield Candidate("wrapped_ends", f"{says}: {written(theirs)}{place(theirs)}", edits, arrays)


def _pools(event: Event) -> Iterator[Candidate]:
    """A pooling that pads with zeros, of a value that is continued otherwise beyond its ends."""
    pads = event.settings.get("pads") or ()
    order = [side for axis in reversed(pads) for side in axis]
    line = changed("torch", event, padding=0)
    for mode, words in FILLED.items() if any(order) and line else ():
        fix = InTorch.of([f"torch.nn.functional.pad(x, {tuple(order)}, mode={mode!r})", line], event)
        says = f"Beyond the ends PyTorch's {written(event)}{place(event)} averages zeros in; Keras has {words} there"
        yield Candidate("padding_mode", says, fix.edits, torch=fix)


def _transforms(at: Situation) -> Iterator[Candidate]:
    """A convolution as a product of Fourier transforms, with zeros behind the values: else the end wraps around."""
    there = [event for event in (*at.before, *at.unlike[1]) if name_of(event) in ("fft", "rfft")]
    there = list({event.index: event for event in there if event.inputs or event.constants}.values())
    for back in (event for event in at.unlike[1] if name_of(event) in ("ifft", "irfft")):
        value = at.values[1].get(back.outputs[0])
        axis = int(argument(back.text, "dim") or -1)
        if value is None or not there or not -value.ndim <= axis < value.ndim:
            continue
        length = value.shape[axis]
        edits: list[Edit] = [
            {"event": event.index, "do": "arguments", "expressions": {"n": str(2 * length)}} for event in there
        ]
        line = f"{back.call}(x, n={2 * length}, dim={axis}).narrow({axis}, 0, {length})"
        edits += InTorch.of([line], back).edits
        says = f"PyTorch convolves by Fourier transforms of {length} values, {written(back)}{place(back)}, so that the "
        says += f"end wraps around onto the start (circular); Keras's sum does not: with n={2 * length}, zero-padded "
        says += "to twice the length and cut to the first half, both agree"
        told = f"n={2 * length} in {', '.join(dict.fromkeys(map(name_of, there)))} and {name_of(back)}, then "
        yield Candidate("circular_convolution", says, edits, torch=InTorch(f"{told}[..., :{length}]", edits))
