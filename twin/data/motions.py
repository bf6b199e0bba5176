"""Motions of a smart watch: BasicMotions, six channels at 10 Hz, four activities (files/README.md)."""

from pathlib import Path

import numpy as np

from twin.data import Arrays, Dataset, shipped
from twin.errors import TwinError

ACTIVITIES = ("standing", "running", "walking", "badminton")
FILE = shipped.FOLDER / "basic_motions.npz"
SHA256 = "484389c331e0fb860d15610b91e20c736b5a73da8ee736f4be52a884132fcab2"


def load(window: int = 100, stride: int = 100, normalise: bool = True) -> Dataset:
    """Windows `x` (N, window, 6) of the series and their activities `y` (N,), an index into ACTIVITIES.

    The parts are those of the archive, 40 series each; a window lies within one series, so none holds steps of
    both parts. The archive does not name its students: the same ones may be in both parts.

    Args:
        window: steps of a window, at most the 100 of a series.
        stride: steps from one window to the next; less than `window` makes them overlap.
        normalise: subtract each channel's mean and divide by its standard deviation, both of the train part.
    """
    if not 1 <= window <= 100 or stride < 1:
        raise TwinError(f"window must be 1 to 100 and stride at least 1; received window={window}, stride={stride}")
    series = read()
    if normalise:
        mean, deviation = series["train_x"].mean((0, 1)), series["train_x"].std((0, 1))
        series |= {name: (series[name] - mean) / deviation for name in ("train_x", "test_x")}
    train, test = (_windows(series[f"{part}_x"], series[f"{part}_y"], window, stride) for part in ("train", "test"))
    provenance = "real, shipped in twin-suite from aeon 1.6.0: BasicMotions (UEA archive), 80 series of a smart watch"
    return Dataset(provenance, train, test)


def read(file: Path = FILE) -> Arrays:
    """The arrays of the shipped file, as they are."""
    return shipped.read(file, SHA256)


def _windows(x: np.ndarray, y: np.ndarray, window: int, stride: int) -> Arrays:
    starts = range(0, x.shape[1] - window + 1, stride)
    cut = np.stack([x[:, start : start + window] for start in starts], axis=1)  # (series, windows, window, 6)
    return {"x": cut.reshape(-1, window, x.shape[-1]), "y": np.repeat(y, len(starts))}
