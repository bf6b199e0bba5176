"""Scenes composed from real digits on a textured ground, with exact boxes and masks.

The digits of the train part and of the test part are different pictures, split as in twin.data.digits. A pixel
belongs to a digit where the digit's own ink, enlarged, has at least 0.4 of full strength; boxes and masks both follow
from that.
"""

import numpy as np
from scipy.ndimage import zoom

from twin.data import Arrays, Dataset, digits
from twin.errors import TwinError

PROVENANCE = "made here (seed {seed}) from real digits shipped in scikit-learn: {what}"


def load(
    target: str,
    size: int = 32,
    train_count: int = 2000,
    test_count: int = 400,
    only: tuple[int, ...] = tuple(range(10)),
    seed: int = 0,
) -> Dataset:
    """Scenes `x` (N, size, size, 1), with what `target` asks for.

    Args:
        target: "box" puts one digit into each scene and gives its `label` (N,), an index into `only`, and its `box`
            (N, 4): left, top, right and bottom as shares of the canvas. "mask" puts one to three digits that do not
            overlap into each scene and gives `y` (N, size, size): 0 for the ground, 1 + the index into
            `only` for a digit.
        size: height and width of the canvas, a multiple of 4 and at least 20.
        train_count: number of train scenes.
        test_count: number of test scenes.
        only: the digits that occur.
        seed: of everything random.
    """
    if target not in ("box", "mask"):
        raise TwinError(f"target must be 'box' or 'mask'; received {target!r}")
    if size % 4 or size < 20:
        raise TwinError(f"size must be a multiple of 4 and at least 20; received {size}")
    clean = digits.load()
    random = np.random.default_rng(seed)
    make = _box_scenes if target == "box" else _mask_scenes
    train, test = (
        make(part["x"][..., 0], part["y"], only, size, count, random)
        for part, count in ((clean.train, train_count), (clean.test, test_count))
    )
    what = "one digit a scene, with its box" if target == "box" else "one to three digits a scene, with their mask"
    return Dataset(PROVENANCE.format(seed=seed, what=what), train, test)


def _box_scenes(
    images: np.ndarray, labels: np.ndarray, only: tuple[int, ...], size: int, count: int, random: np.random.Generator
) -> Arrays:
    scenes, chosen, boxes = [], [], []
    for _ in range(count):
        index = random.integers(len(only))
        ink, mask = place(pick(images, labels, only[index], random), size, random)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        scenes.append(paint(ground(size, random), ink, random))
        chosen.append(index)
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return {
        "x": finish(scenes, random),
        "label": np.array(chosen, np.int32),
        "box": (np.array(boxes) / size).astype(np.float32),
    }


def _mask_scenes(
    images: np.ndarray, labels: np.ndarray, only: tuple[int, ...], size: int, count: int, random: np.random.Generator
) -> Arrays:
    scenes, masks = [], []
    for _ in range(count):
        scene = ground(size, random)
        classes = np.zeros((size, size), np.int32)
        for index in random.integers(len(only), size=3):
            ink, mask = place(pick(images, labels, only[index], random), size, random)
            if not classes[mask].any():  # no room there: the scene has a digit less
                scene = paint(scene, ink, random)
                classes[mask] = index + 1
        scenes.append(scene)
        masks.append(classes)
    return {"x": finish(scenes, random), "y": np.stack(masks)}


def pick(images: np.ndarray, labels: np.ndarray, digit: int, random: np.random.Generator) -> np.ndarray:
    """One of the pictures of that digit."""
    return images[random.choice(np.flatnonzero(labels == digit))]


def place(
    image: np.ndarray, size: int, random: np.random.Generator, sides: tuple[int, int] = (12, 20)
) -> tuple[np.ndarray, np.ndarray]:
    """The digit's ink (size, size), enlarged to a side between `sides`, anywhere; and the mask of its pixels."""
    side = random.integers(sides[0], sides[1] + 1)
    row, column = random.integers(0, size - side + 1, size=2)
    ink = np.zeros((size, size))
    ink[row : row + side, column : column + side] = zoom(image, side / 8, order=1, grid_mode=True, mode="nearest")
    return ink, ink >= 0.4


def paint(scene: np.ndarray, ink: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The scene with that ink on it, in a random tone."""
    return scene + ink * (random.uniform(0.7, 1.0) - scene)


def ground(size: int, random: np.random.Generator) -> np.ndarray:
    """Soft blotches (size, size), the brightest not far from the palest digits."""
    return zoom(random.uniform(0, 0.5, (size // 4, size // 4)), 4, order=1, grid_mode=True, mode="nearest")


def finish(scenes: list[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """All scenes (N, size, size, 1) with grain over ground and digits alike."""
    grain = 0.05 * random.standard_normal((len(scenes), *scenes[0].shape))
    return np.clip(np.stack(scenes) + grain, 0, 1).astype(np.float32)[..., None]
