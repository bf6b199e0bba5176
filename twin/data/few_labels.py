"""Handwritten digits of which only a few have labels, for learning that begins without them."""

import numpy as np

from twin.data import Dataset, digits


def load(per_class: int = 5, seed: int = 0) -> Dataset:
    """Flat digits `x` (10 * per_class, 64) and labels `y`, equally many of each class; the test part is the digits'.

    The other training pictures, whose labels nobody gives away, are `digits.load(flat=True).train["x"]`.

    Args:
        per_class: labelled pictures of each digit.
        seed: of their choice.
    """
    everything = digits.load(flat=True)
    rng = np.random.default_rng(seed)
    labels = everything.train["y"]
    chosen = np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:per_class] for label in range(10)])
    provenance = f"{everything.provenance}; {per_class} labelled ones of each class chosen here (seed {seed})"
    return Dataset(provenance, {name: array[chosen] for name, array in everything.train.items()}, everything.test)
