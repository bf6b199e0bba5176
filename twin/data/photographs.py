"""Small colour photographs, windows of the two that scikit-learn ships, with a random draw for each augmentation."""

import numpy as np

from twin.data import Arrays, Dataset
from twin.errors import TwinError

REDUCED = 4  # a window of so many pixels squared becomes one pixel


def load(count: int, height: int, width: int, seed: int = 0) -> Dataset:
    """`pictures` (count, height, width, 3) in [0, 1], and what an augmentation draws for each of them.

    `flip` (count, 2) is 1 for upside down and for left to right; `shift` is in pixels, down and right; `angle` in
    degrees; `shear` is the tangent; `zoom` the share of the picture that is seen, about the middle; `corner` the top
    and left of a crop of half the size; `box` the top, left, height and width of a crop of any size; `brightness`,
    `contrast` and `saturation` are factors about 1, `hue` is a share of the colour circle.

    Args:
        count: number of pictures in each part.
        height: of a picture, at most 106.
        width: of a picture, at most 160.
        seed: of everything random.
    """
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    largest = tuple(side // REDUCED for side in photographs[0].shape[:2])
    if height > largest[0] or width > largest[1]:
        raise TwinError(f"height, width must be at most {largest[0]}, {largest[1]}; received {height}, {width}")
    random = np.random.default_rng(seed)

    def part() -> Arrays:
        windows = [_window(photographs[row % len(photographs)], height, width, random) for row in range(count)]
        return {"pictures": np.stack(windows)} | _draws(count, height, width, random)

    provenance = f"real, shipped in scikit-learn: windows (seed {seed}) of the photographs china.jpg and flower.jpg"
    return Dataset(provenance, part(), part())


def _window(photograph: np.ndarray, height: int, width: int, random: np.random.Generator) -> np.ndarray:
    tall, wide = height * REDUCED, width * REDUCED
    top = random.integers(photograph.shape[0] - tall + 1)
    left = random.integers(photograph.shape[1] - wide + 1)
    window = photograph[top : top + tall, left : left + wide].reshape(height, REDUCED, width, REDUCED, 3)
    return (window.mean((1, 3)) / 255).astype(np.float32)


def _draws(count: int, height: int, width: int, random: np.random.Generator) -> Arrays:
    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return random.uniform(low, high, (count, *shape)).astype(np.float32)

    size = uniform(0.5, 1, 2) * np.array([height, width], np.float32)
    corner = uniform(0, 1, 2) * (np.array([height, width], np.float32) - size)
    return {
        "flip": random.integers(0, 2, (count, 2)).astype(np.int32),
        "shift": uniform(-8, 8, 2),
        "angle": uniform(-30, 30),
        "shear": uniform(-0.4, 0.4),
        "zoom": uniform(0.6, 1.4),
        "corner": random.integers(0, [height // 2 + 1, width // 2 + 1], (count, 2)).astype(np.int32),
        "box": np.concatenate([corner, size], axis=1),
        "brightness": uniform(0.7, 1.3),
        "contrast": uniform(0.6, 1.4),
        "saturation": uniform(0.5, 1.5),
        "hue": uniform(-0.1, 0.1),
    }
