"""Speech of nine men: JapaneseVowels, twelve cepstrum coefficients of two vowels, step by step (files/README.md)."""

from pathlib import Path

import numpy as np

from twin.data import Arrays, Dataset, shipped

FILE = shipped.FOLDER / "japanese_vowels.npz"
SHA256 = "afa500e428a4fec5de71f88e06dbb932c81d8cfc0ed88f3b4e458284322ed645"
STEPS, CHANNELS = 29, 12  # of the longest utterance; coefficients of a step


def load(normalise: bool = True) -> Dataset:
    """Utterances `x` (N, 29, 12) and who speaks `y` (N,), from 0 to 8.

    An utterance has 7 to 29 steps. Shorter ones have zeros in front, so that a recurrent network's last step is
    speech and nobody needs a mask. The parts are those of the archive: 270 and 370 utterances of the same nine men.

    Args:
        normalise: subtract each coefficient's mean and divide by its standard deviation, both over the steps of the
            train part; the zeros in front are then the mean.
    """
    arrays = read()
    steps = arrays["train_x"]
    mean, deviation = (steps.mean(0), steps.std(0)) if normalise else (np.float32(0), np.float32(1))
    train, test = (
        {
            "x": _padded((arrays[f"{part}_x"] - mean) / deviation, arrays[f"{part}_lengths"]),
            "y": arrays[f"{part}_y"],
        }
        for part in ("train", "test")
    )
    provenance = "real, shipped in twin-suite from aeon 1.6.0: JapaneseVowels (UCI archive), 640 utterances of 9 men"
    return Dataset(provenance, train, test)


def read(file: Path = FILE) -> Arrays:
    """The arrays of the shipped file, as they are: all steps of a part one after the other, and the lengths."""
    return shipped.read(file, SHA256)


def _padded(steps: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """All steps (sum of lengths, 12) as utterances (N, 29, 12), zeros in front."""
    x = np.zeros((len(lengths), STEPS, CHANNELS), np.float32)
    x[np.arange(STEPS) >= STEPS - lengths[:, None]] = steps
    return x
