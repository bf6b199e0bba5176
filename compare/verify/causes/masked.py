"""Weights that a mask of zeros multiplies before they are used, and the masks of both sides."""

from collections.abc import Iterator, Sequence

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.candidate import Candidate
from compare.verify.causes.constants import Constant, arranged
from compare.verify.causes.words import place, written
from compare.verify.verdict import LIMIT
from twin.trace import Edit


def of_masked_weights(keras: Sequence[Constant], torch: Sequence[Constant]) -> Iterator[Candidate]:
    """The same weight on both sides of which other values are zero; all such weights at once.

    Args:
        keras, torch: what goes into the calls that part and is made of no input.
    """
    edits: list[Edit] = []
    arrays: dict[str, np.ndarray] = {}
    told: list[str] = []
    for theirs in torch:
        fitting = (each for mine in keras for each in arranged(mine.array, theirs.array))
        value = next((each for each in fitting if _masked(each, theirs.array)), None)
        if value is not None:
            edits.append({"event": theirs.event.index, "do": theirs.slot.split("/")[0]})
            arrays[f"{theirs.event.index}/{theirs.slot}"] = value
            told.append(f"{_told(value, theirs.array)}: {written(theirs.event)}{place(theirs.event)}")
    if told:
        more = f"; and {len(told) - 1} more" if len(told) > 1 else ""
        yield Candidate("weight_mask", f"A weight is masked otherwise: {told[0]}{more}", edits, arrays)


def _masked(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are one weight with other values set to zero."""
    if one.shape != other.shape or one.dtype.kind != "f" or other.dtype.kind != "f" or one.ndim < 2:
        return False
    kept = (one != 0) & (other != 0)
    if 2 * kept.sum() < min((one != 0).sum(), (other != 0).sum()) or len(np.unique(other[kept])) < 3:
        return False  # of a mask by itself all values are one
    return bool(((one == 0) != (other == 0)).any()) and alignment.relative(other[kept], one[kept]) <= LIMIT


def _told(keras: np.ndarray, torch: np.ndarray) -> str:
    """Which values only one side sets to zero."""
    more = {"PyTorch": (keras == 0) & (torch != 0), "Keras": (torch == 0) & (keras != 0)}
    words = []
    for side, other in (("PyTorch", "Keras"), ("Keras", "PyTorch")):
        where = np.argwhere(more[side])
        if len(where):
            first = ", ".join(map(str, where[0]))
            words.append(
                f"{side} keeps {len(where)} of {keras.size} values that {other} sets to zero, first at ({first})"
            )
    wider = [side for side, where in more.items() if where.any()]
    why = f", as if {wider[0]} compared with >= what the other side compares with >" if len(wider) == 1 else ""
    return "; ".join(words) + why
