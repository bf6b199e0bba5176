"""Faces and what is none: the 200 real grey pictures that scikit-image ships, of Labeled Faces in the Wild."""

import numpy as np

from twin.data import Dataset, split
from twin.errors import TwinError


def load(size: int = 24, train_count: int = 40, seed: int = 0) -> Dataset:
    """Pictures `x` (N, size, size, 1) in [0, 1] and `y` (N,): 1 for a face, 0 for anything else.

    Args:
        size: height and width that are cut from the 25 by 25 pixels.
        train_count: how many of the 200 are for training; few, as for somebody who has to label them.
        seed: of the division into train and test part.
    """
    from skimage.data import lfw_subset

    if not 1 <= size <= 25:
        raise TwinError(f"size must be from 1 to 25, because the pictures are 25x25; received {size}")
    if not 1 <= train_count <= 199:
        raise TwinError(f"train_count must be from 1 to 199, of 200 pictures; received {train_count}")
    x = lfw_subset()[:, :size, :size, None].astype(np.float32)
    y = np.repeat(np.array([1, 0], np.int32), 100)  # the faces come first
    train, test = split({"x": x, "y": y}, test_share=1 - train_count / 200, seed=seed)
    provenance = "real, shipped in scikit-image: 100 faces of Labeled Faces in the Wild and 100 other windows, 25x25"
    return Dataset(provenance, train, test)
