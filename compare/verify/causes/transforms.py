"""Settings of Fourier transforms: how they are scaled, along which axes they go, through which window."""

import re
from collections.abc import Iterator

from compare.verify.causes.candidate import Candidate, InTorch
from compare.verify.causes.tables import IN_TORCH
from compare.verify.causes.words import argument, name_of, place, written
from twin.trace import Event

NORMS = ("backward", "ortho", "forward")
NAME = re.compile(r"i?[rh]?fft[2n]?")


def of_transforms(event: Event, rank: int) -> Iterator[Candidate]:
    """A transform with another `norm`, or along other axes.

    Args:
        event: PyTorch's call.
        rank: the number of axes of its first input.
    """
    if name_of(event) == "stft":
        yield from _of_windows(event)
    if not NAME.fullmatch(name_of(event)):
        return
    own = (argument(event.text, "norm") or "'backward'").strip("'\"")
    for norm in NORMS:
        if norm != own:
            fix = InTorch.otherwise(event, {"norm": repr(norm)})
            says = f"PyTorch's {written(event)}{place(event)} scales its values by norm={own!r}; norm={norm!r} agrees"
            yield Candidate("fft_norm", f"{says} (Keras has the default, 'backward')", fix.edits, torch=fix)
    if name_of(event)[-1] != "t":  # along several axes
        return
    along = int(argument(event.text, "dim") or -1) % max(rank, 1)
    for axis in range(rank):
        if axis != along:
            says = (
                f"PyTorch's {written(event)}{place(event)} goes along axis {along}, Keras's along axis {axis} of that"
            )
            # What follows may turn the axes back.
            ways = {"dim": str(axis)}, {"input": f"input.transpose({along}, {axis})"}
            for fix in (InTorch.otherwise(event, way) for way in ways):
                yield Candidate("fft_axis", says, fix.edits, torch=fix)


def _of_windows(event: Event) -> Iterator[Candidate]:
    """A short-time transform through another window, or scaled otherwise: Keras's window is one by name."""
    size = argument(event.text, "win_length") or argument(event.text, "n_fft")
    for name, code in IN_TORCH.items():
        for how in ("periodic", "symmetric") if "{1}" in code else ("",):
            fix = InTorch.otherwise(event, {"window": code.format(size, how == "periodic")})
            words = " ".join(part for part in (how, name) if part)
            says = f"The window differs: with a {words} window both agree; PyTorch's {written(event)}{place(event)}"
            yield Candidate("constant_window", f"{says} takes another one", fix.edits, torch=fix)
    for word, values in {"normalized": ("True", "False"), "pad_mode": ("'reflect'", "'constant'")}.items():
        for value in values:
            if value != argument(event.text, word):
                fix = InTorch.otherwise(event, {word: value})
                says = f"With {word}={value} in PyTorch's {written(event)}{place(event)} both agree"
                yield Candidate(f"stft_{word}", says, fix.edits, torch=fix)
