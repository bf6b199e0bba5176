"""A drawn mouth that says digits: a puppet whose lips, teeth and tongue follow the phones of each word.

No clip of a speaking face may be shipped, so the mouth is drawn. The ten words' phones are those of the CMU Pronouncing
Dictionary; each has a shape of the mouth (a viseme), and the mouth moves from one to the next. Who speaks (size, place,
brightness) and how fast is random.
"""

from collections.abc import Sequence

import numpy as np

from twin import rows
from twin.data import Arrays, Dataset
from twin.errors import TwinError

WORDS = {
    "zero": "Z IH R OW",
    "one": "W AH N",
    "two": "T UW",
    "three": "TH R IY",
    "four": "F AO R",
    "five": "F AY V",
    "six": "S IH K S",
    "seven": "S EH V AH N",
    "eight": "EY T",
    "nine": "N AY N",
}
# Width, opening, rounding, teeth and tongue, each from 0 to 1; AY and EY begin open and end narrow.
VISEMES = {
    "rest": (0.5, 0.0, 0.1, 0.0, 0.0),
    "Z": (0.7, 0.15, 0.0, 1.0, 0.0),
    "S": (0.75, 0.12, 0.0, 1.0, 0.0),
    "T": (0.6, 0.25, 0.0, 0.7, 0.6),
    "N": (0.55, 0.3, 0.0, 0.4, 0.9),
    "TH": (0.6, 0.3, 0.0, 0.9, 1.0),
    "K": (0.55, 0.4, 0.0, 0.2, 0.2),
    "R": (0.45, 0.3, 0.6, 0.3, 0.1),
    "W": (0.3, 0.15, 1.0, 0.0, 0.0),
    "F": (0.55, 0.08, 0.0, 0.9, 0.0),
    "V": (0.55, 0.1, 0.1, 0.8, 0.0),
    "IH": (0.7, 0.35, 0.0, 0.6, 0.3),
    "IY": (0.95, 0.25, 0.0, 0.9, 0.2),
    "EH": (0.75, 0.5, 0.0, 0.5, 0.3),
    "AH": (0.55, 0.6, 0.1, 0.2, 0.3),
    "AO": (0.45, 0.75, 0.6, 0.0, 0.2),
    "OW": (0.35, 0.5, 0.9, 0.0, 0.1),
    "UW": (0.3, 0.25, 1.0, 0.0, 0.0),
    "AY": (0.7, 0.9, 0.0, 0.2, 0.3),
    "EY": (0.8, 0.45, 0.0, 0.5, 0.3),
}
GLIDES = {"AY": "IY", "EY": "IY", "OW": "UW"}  # what a diphthong ends with
LETTERS, SPACE = 26, 27  # a is 1
LONGEST = len("three three")


def load(
    frames: int = 24, height: int = 16, width: int = 24, train_count: int = 1600, test_count: int = 300, seed: int = 0
) -> Dataset:
    """Clips `x` (N, frames, height, width, 1) in [0, 1] of one or two digits' words, and the letters `y` (N, 11).

    Letters are 1 to 26, a space is 27, and zeros, which are CTC's blank too, stand behind the end.

    Args:
        frames: of a clip, at least 24.
        height: of a frame, at least 12.
        width: of a frame, at least 16.
        train_count: number of train clips.
        test_count: number of test clips.
        seed: of everything random.
    """
    if frames < 24 or height < 12 or width < 16:
        raise TwinError(f"frames, height and width must be at least 24, 12, 16; received {(frames, height, width)}")
    rng = np.random.default_rng(seed)
    train, test = (_clips(frames, height, width, count, rng) for count in (train_count, test_count))
    return Dataset(f"made here (seed {seed}): a drawn mouth that says digits, after CMUdict's phones", train, test)


def spelled(letters: Sequence[int]) -> str:
    """A row of `y`, or of a model's answer, as words."""
    return "".join(" " if letter == SPACE else chr(ord("a") + letter - 1) for letter in letters if letter > 0)


def _clips(frames: int, height: int, width: int, count: int, rng: np.random.Generator) -> Arrays:
    x, y = np.zeros((count, frames, height, width), np.float32), np.zeros((count, LONGEST), np.int32)
    names = list(WORDS)
    for clip, row in zip(x, y, strict=True):
        words = [names[index] for index in rng.integers(len(names), size=rng.integers(1, 3))]
        text = " ".join(words)
        row[: len(text)] = [SPACE if letter == " " else ord(letter) - ord("a") + 1 for letter in text]
        clip[:] = _drawn(_movement(words, frames, rng), height, width, rng)
    grain = 0.03 * rng.standard_normal(x.shape)
    rows.check_ctc(y, frames)
    return {"x": np.clip(x + grain, 0, 1).astype(np.float32)[..., None], "y": y}


def _movement(words: list[str], frames: int, rng: np.random.Generator) -> np.ndarray:
    """The mouth's five measures in each frame, (frames, 5): straight ways between visemes, at a random tempo."""
    phones = ["rest"]
    for word in words:
        for phone in WORDS[word].split():
            phones += [phone, *([GLIDES[phone]] if phone in GLIDES else [])]
        phones.append("rest")
    lengths = rng.uniform(0.7, 1.3, len(phones) - 1)
    start, stop = rng.uniform(0, 2), frames - 1 - rng.uniform(0, 2)
    if len(words) == 1:  # as fast as two, or slower
        stop = start + rng.uniform(0.5, 0.9) * (stop - start)
    times = start + (stop - start) * np.concatenate([[0], np.cumsum(lengths) / lengths.sum()])
    shapes = np.array([VISEMES[phone] for phone in phones])
    return np.stack([np.interp(np.arange(frames), times, measure) for measure in shapes.T], axis=1)


def _drawn(movement: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """The measures (frames, 5) as pictures (frames, height, width)."""
    wide, opening, rounding, teeth, tongue = movement.T[:, :, None, None]
    skin, lip = rng.uniform(0.55, 0.75), rng.uniform(0.3, 0.45)
    size = rng.uniform(0.85, 1.1)
    down, across = np.mgrid[:height, :width].astype(np.float64)
    v = (down - height / 2 + 0.5 - rng.uniform(-1, 1)) / (height / 2) / size
    u = (across - width / 2 + 0.5 - rng.uniform(-1, 1)) / (width / 2) / size
    half = 0.35 + 0.5 * wide * (1 - 0.4 * rounding)  # of the outer edge's width
    gap = 0.03 + 0.55 * opening
    outer = (u / half) ** 2 + (v / (gap + 0.25)) ** 2
    inner = (u / (0.85 * half)) ** 2 + (v / gap) ** 2
    mouth = np.full(outer.shape, 0.05)
    mouth = np.where(v < -0.1 * gap, np.maximum(mouth, 0.95 * teeth), mouth)
    mouth = np.where(v > 0.25 * gap, np.maximum(mouth, 0.5 * tongue), mouth)
    lips = lip + (skin - lip) * _step(outer)
    return mouth + (lips - mouth) * _step(inner)


def _step(ellipse: np.ndarray) -> np.ndarray:
    """0 inside and 1 outside, with a soft edge."""
    return 1 / (1 + np.exp(-12 * (ellipse - 1)))
