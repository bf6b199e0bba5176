"""Strings of real digits on one line of a picture, as in reading house numbers or receipts, without their places.

The digits of the train part and of the test part are different pictures, split as in twin.data.digits.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import zoom

from twin import rows
from twin.data import Arrays, Dataset, digits
from twin.errors import TwinError
from twin.shapes import text_line_steps

LONGEST = 5  # digits of a string
SHARES = {"width": (1.7, 2.2), "height": (2.0, 3.0)}  # pixels that one of the digit's own 8x8 becomes


def load(height: int = 32, width: int = 64, train_count: int = 2000, test_count: int = 400, seed: int = 0) -> Dataset:
    """Pictures `x` (N, height, width, 1) in [0, 1] of three to five digits, and the strings `y` (N, 5).

    A string has 1 to 10 for the digits 0 to 9, and 0 behind its end: 0 is also CTC's blank. Neighbours touch and
    overlap by up to two pixels.

    Args:
        height: of a picture, at least 24.
        width: of a picture, at least 64.
        train_count: number of train pictures.
        test_count: number of test pictures.
        seed: of everything random.
    """
    if height < 24 or width < 64:
        raise TwinError(f"height must be at least 24 and width at least 64; received {height=}, {width=}")
    clean, rng = digits.load(), np.random.default_rng(seed)
    train, test = (
        _strings(part["x"][..., 0], part["y"], height, width, count, rng)
        for part, count in ((clean.train, train_count), (clean.test, test_count))
    )
    what = "three to five digits on a line"
    return Dataset(f"made here (seed {seed}) from real digits shipped in scikit-learn: {what}", train, test)


def spelled(labels: Sequence[int]) -> str:
    """A row of `y`, or of a model's answer, as the digits that it stands for."""
    return "".join(str(label - 1) for label in labels if label > 0)


def _strings(
    images: np.ndarray, labels: np.ndarray, height: int, width: int, count: int, rng: np.random.Generator
) -> Arrays:
    x, y = np.zeros((count, height, width)), np.zeros((count, LONGEST), np.int32)
    for picture, string in zip(x, y, strict=True):
        chosen = rng.integers(len(images), size=rng.integers(3, LONGEST + 1))
        inks = [_ink(images[index], rng) for index in chosen]
        overlaps = rng.integers(0, 3, size=len(inks))  # of each with the next
        while (taken := sum(ink.shape[1] for ink in inks) - sum(overlaps[: len(inks) - 1])) > width:
            inks.pop()  # three always fit
        string[: len(inks)] = labels[chosen[: len(inks)]] + 1
        left = rng.integers(0, width - taken + 1)
        for ink, overlap in zip(inks, overlaps, strict=False):
            top = rng.integers(0, height - ink.shape[0] + 1)
            place = picture[top : top + ink.shape[0], left : left + ink.shape[1]]
            np.maximum(place, ink, out=place)
            left += ink.shape[1] - overlap
    grain = 0.1 * rng.standard_normal(x.shape)
    rows.check_ctc(y, text_line_steps((height, width, 1)))
    return {"x": np.clip(x + grain, 0, 1).astype(np.float32)[..., None], "y": y}


def _ink(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The columns of a digit that have ink, stretched."""
    columns = np.flatnonzero(image.max(0) > 0.25)
    ink = image[:, columns[0] : columns[-1] + 1]
    times = rng.uniform(*SHARES["height"]), rng.uniform(*SHARES["width"])
    return zoom(ink, times, order=1, grid_mode=True, mode="nearest")
