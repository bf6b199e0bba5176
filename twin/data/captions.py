"""Scenes with one real digit, and a sentence that says which one, how big, how bright and where.

The digits of the train part and of the test part are different pictures, split as in twin.data.digits. There are 100
sentences: five digits, two sizes, two tones and five places.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import zoom

from twin.data import Arrays, Dataset, digits
from twin.errors import TwinError

PAD, BEGIN, END = 0, 1, 2
DIGITS = ("zero", "one", "two", "three", "four")
SIZES = {"small": 8, "big": 12}  # pixels of a digit's side
TONES = {"dark": 0.05, "bright": 0.95}
PLACES = {  # share of the room that is left above and to the left of the digit
    "at the top left": (0, 0),
    "at the top right": (0, 1),
    "at the bottom left": (1, 0),
    "at the bottom right": (1, 1),
    "in the centre": (0.5, 0.5),
}
WORDS = ("<pad>", "<begin>", "<end>", "a", *SIZES, *TONES, *DIGITS, *dict.fromkeys(" ".join(PLACES).split()))
LENGTH = 9  # of the longest sentence, with its end
SIDE = 24


def load(train_count: int = 4000, test_count: int = 400, seed: int = 0) -> Dataset:
    """Scenes `image` (N, 24, 24, 1) in [0, 1], the words before each word as `tokens` (N, 9), and the words `y` (N, 9).

    `tokens` begin with BEGIN, `y` ends with END, and behind its end each is PAD.

    Args:
        train_count: number of train scenes.
        test_count: number of test scenes.
        seed: of everything random.
    """
    real = digits.load()
    random = np.random.default_rng(seed)
    train, test = (
        _scenes(part["x"][..., 0], part["y"], count, random)
        for part, count in ((real.train, train_count), (real.test, test_count))
    )
    return Dataset(f"made here (seed {seed}) from {real.provenance}: a digit a scene, with its sentence", train, test)


def encoded(sentences: Sequence[str], length: int = LENGTH) -> np.ndarray:
    """Sentences as (N, length) places in WORDS, each with END behind it, and then PAD.

    Raises:
        TwinError: when a word is not in WORDS, or a sentence is too long; the line names the row.
    """
    out = np.full((len(sentences), length), PAD, np.int32)
    for row, sentence in enumerate(sentences):
        words = sentence.split()
        if unknown := [word for word in words if word not in WORDS[END + 1 :]]:
            raise TwinError(f"row {row}: unknown word {unknown[0]!r}; the words are {', '.join(WORDS[END + 1 :])}")
        if len(words) >= length:
            raise TwinError(f"row {row}: {len(words)} words; at most {length - 1} fit, one place is for the end")
        out[row, : len(words) + 1] = [*map(WORDS.index, words), END]
    return out


def spelled(tokens: Sequence[int]) -> str:
    """The sentence that places in WORDS stand for, up to its end."""
    words = [int(token) for token in tokens]
    return " ".join(WORDS[word] for word in words[: words.index(END) if END in words else None])


def _scenes(images: np.ndarray, labels: np.ndarray, count: int, random: np.random.Generator) -> Arrays:
    scenes, sentences = [], []
    for _ in range(count):
        digit = random.integers(len(DIGITS))
        size, tone, place = (list(each)[random.integers(len(each))] for each in (SIZES, TONES, PLACES))
        image = images[random.choice(np.flatnonzero(labels == digit))]
        side = SIZES[size]
        ink = zoom(image, side / 8, order=1, grid_mode=True, mode="nearest")
        shift = random.integers(-2, 3, size=2)
        row, column = (np.array(PLACES[place]) * (SIDE - side) + shift).round().astype(int).clip(0, SIDE - side)
        scene = zoom(random.uniform(0.35, 0.65, (6, 6)), 4, order=1, grid_mode=True, mode="nearest")
        under = scene[row : row + side, column : column + side]
        under += ink * (TONES[tone] - under)
        scenes.append(np.clip(scene + 0.03 * random.standard_normal(scene.shape), 0, 1))
        sentences.append(f"a {size} {tone} {DIGITS[digit]} {place}")
    y = encoded(sentences)
    begin = np.full((count, 1), BEGIN, np.int32)
    before = np.where(y[:, :-1] == END, PAD, y[:, :-1])
    return {
        "image": np.stack(scenes).astype(np.float32)[..., None],
        "tokens": np.concatenate([begin, before], axis=1),
        "y": y,
    }
