"""In which order each side splits channels into pixels, or puts pixels together as channels."""

from collections.abc import Iterator, Mapping

import numpy as np

from compare.verify import axes as alignment
from compare.verify.causes.situation import Situation
from compare.verify.verdict import LIMIT

NAMES = {1: ("places",), 2: ("rows", "columns"), 3: ("depth", "rows", "columns")}
MOST = 4096  # channels


def split_orders(at: Situation) -> str:
    """Both sides' orders in words, where both split one value's channels, and each in another order; else ""."""
    taken = at.keras.inputs[0] if at.keras is not None and at.keras.inputs else -1
    for number, order, down in _split(at.values[0], taken):
        source = at.values[0][number]
        for native in (n for n, value in at.values[1].items() if value.size == source.size):
            if alignment.distance(source, at.values[1][native])[0] > LIMIT:
                continue
            for other, told, same in _splits_of(at.values[1], native):
                if same == down and told != order and other not in (native, number):
                    verb = "splits the channels into" if down else "puts together as channels"
                    return f"Keras {verb} ({order}), PyTorch ({told}), the first of which counts most"
    return ""


def _split(values: Mapping[int, np.ndarray], result: int) -> Iterator[tuple[int, str, bool]]:
    """The values of which one is made by a split of channels, the nearest first, with its order and direction."""
    made = values.get(result)
    for number in sorted((n for n in values if n < result), reverse=True) if made is not None else ():
        value = values[number]
        if made is None or value.size != made.size or value.ndim != made.ndim or value.shape == made.shape:
            continue
        for down, pair in ((True, (value, made)), (False, (made, value))):
            if order := _order(*pair):
                yield number, order, down


def _splits_of(values: Mapping[int, np.ndarray], source: int) -> Iterator[tuple[int, str, bool]]:
    """The values that are a split of one's channels, which stand second or last."""
    value = values[source]
    for number, made in values.items():
        if number <= source or made.size != value.size or made.ndim != value.ndim or value.shape == made.shape:
            continue
        for one, other in ((value, made), (np.moveaxis(value, 1, -1), np.moveaxis(made, 1, -1))):
            for down, pair in ((True, (one, other)), (False, (other, one))):
                if order := _order(*pair):
                    yield number, order, down


def _order(source: np.ndarray, made: np.ndarray) -> str:
    """The axes into which the channels of a value (B, ..., C) are split, the slowest first; "" where they are not."""
    rank = source.ndim - 2
    if rank not in NAMES or source.dtype.kind != "f" or not 1 < source.shape[-1] <= MOST:
        return ""
    if source.shape[0] != made.shape[0] or any(
        b % a for a, b in zip(source.shape[1:-1], made.shape[1:-1], strict=True)
    ):
        return ""
    times = [b // a for a, b in zip(source.shape[1:-1], made.shape[1:-1], strict=True)]
    if np.prod(times) * made.shape[-1] != source.shape[-1] or np.prod(times) < 2:
        return ""
    row = source[0][(0,) * rank].astype(np.float64)
    block = made[0][tuple(slice(each) for each in times)].astype(np.float64)
    places = np.abs(block[..., None] - row).argmin(-1)
    if len(np.unique(places)) != places.size or alignment.relative(row[places], block) > LIMIT:
        return ""
    steps = [int(np.take(places, 1, axis).flat[0]) if side > 1 else 0 for axis, side in enumerate(places.shape)]
    grid = np.indices(places.shape)
    if (places != sum(step * axis for step, axis in zip(steps, grid, strict=True))).any():
        return ""
    named = zip(steps, (*NAMES[rank], "channels"), strict=True)
    return ", ".join(name for step, name in sorted(named, key=lambda each: -each[0]) if step)
