"""Data as NumPy arrays, each with its provenance; a data set is a module here with a `load(**options)`.

Images are (N, H, W, C), sequences (N, T, C), in float32; the sides bring them to their native layout.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Dataset:
    """A training part and a test part, `x` and what belongs to it, and where they come from.

    Args:
        provenance: one line that every report prints: 'real, shipped in PACKAGE', 'real, downloaded from
            ...' or 'made here (seed ...)', and of what.
        train: named arrays with the same number of rows.
        test: the same, never trained on; where the data is for an exercise, its inputs, of any lengths.
    """

    provenance: str
    train: Arrays
    test: Arrays


def load(name: str, options: Mapping[str, Any] | None = None) -> Dataset:
    """The data set of that module, with its options."""
    return module(name).load(**(options or {}))


def module(name: str) -> ModuleType:
    """The data set's own module."""
    return importlib.import_module(f"twin.data.{name}")


def split(arrays: Arrays, test_share: float, seed: int) -> tuple[Arrays, Arrays]:
    """Shuffle the rows with `seed` and cut off a test part."""
    rows = len(next(iter(arrays.values())))
    order = np.random.default_rng(seed).permutation(rows)
    cut = rows - round(rows * test_share)
    return (
        {name: array[order[:cut]] for name, array in arrays.items()},
        {name: array[order[cut:]] for name, array in arrays.items()},
    )
