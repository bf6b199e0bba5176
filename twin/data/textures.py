"""Textures and views: grey patches of eight pictures that scikit-image ships; the label is the picture."""

import numpy as np

from twin.data import Arrays, Dataset

PICTURES = ("brick", "grass", "gravel", "camera", "coins", "page", "moon", "text")


def load(size: int = 24, count: int = 300, test_count: int = 50, seed: int = 0) -> Dataset:
    """Patches `x` (N, size, size, 1) in [0, 1] and `y` (N,), an index into PICTURES.

    Args:
        size: height and width of a patch.
        count: train patches of each picture, from its left half.
        test_count: test patches of each picture, from its right half.
        seed: of the places.
    """
    from skimage import data

    random = np.random.default_rng(seed)
    pictures = [getattr(data, name)() for name in PICTURES]

    def part(halves: list[np.ndarray], count: int) -> Arrays:
        patches = [_patch(half, size, random) for half in halves for _ in range(count)]
        labels = np.repeat(np.arange(len(halves), dtype=np.int32), count)
        return {"x": (np.stack(patches)[..., None] / 255).astype(np.float32), "y": labels}

    middles = [picture.shape[1] // 2 for picture in pictures]
    train = part([picture[:, :middle] for picture, middle in zip(pictures, middles, strict=True)], count)
    test = part([picture[:, middle:] for picture, middle in zip(pictures, middles, strict=True)], test_count)
    return Dataset(f"real, shipped in scikit-image: patches (seed {seed}) of {', '.join(PICTURES)}", train, test)


def _patch(picture: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    top, left = (random.integers(side - size + 1) for side in picture.shape)
    return picture[top : top + size, left : left + size]
