"""Scenes of one to four real digits on a textured ground, with an exact box and mask for each: for detectors.

The digits of the train part and of the test part are different pictures, split as in twin.data.digits. Digits do not
overlap, their boxes may. A box is the smallest that holds its mask, as twin.data.scenes defines it.
"""

import numpy as np

from twin.boxes import check, padded
from twin.data import Arrays, Dataset, digits
from twin.data.scenes import finish, ground, paint, pick, place
from twin.errors import TwinError

SIDES = (12, 24)  # pixels of a digit's picture, its margins with it


def load(
    size: int = 48,
    most: int = 4,
    only: tuple[int, ...] = tuple(range(10)),
    masks: bool = False,
    train_count: int = 2000,
    test_count: int = 200,
    seed: int = 0,
) -> Dataset:
    """Scenes `x` (N, size, size, 1) in [0, 1], their objects' `boxes` (N, most, 4) and `classes` (N, most).

    Boxes are left, top, right, bottom as shares of the canvas, classes indices into `only`; both are filled up with -1.

    Args:
        size: height and width of the canvas, a multiple of 4 and at least 32.
        most: objects of a scene, at most.
        only: the digits that occur.
        masks: whether there are also `masks` (N, size, size, most), 1 where the object's ink is.
        train_count: number of train scenes.
        test_count: number of test scenes.
        seed: of everything random.
    """
    if size % 4 or size < 32:
        raise TwinError(f"size must be a multiple of 4 and at least 32; received {size}")
    if most < 1:
        raise TwinError(f"most must be at least 1, the objects of a scene; received {most}")
    clean, random = digits.load(), np.random.default_rng(seed)
    train, test = (
        _scenes(part["x"][..., 0], part["y"], only, size, most, masks, count, random)
        for part, count in ((clean.train, train_count), (clean.test, test_count))
    )
    what = f"one to {most} digits a scene, with their boxes" + (" and masks" if masks else "")
    return Dataset(f"made here (seed {seed}) from real digits shipped in scikit-learn: {what}", train, test)


def _scenes(
    images: np.ndarray,
    labels: np.ndarray,
    only: tuple[int, ...],
    size: int,
    most: int,
    masked: bool,
    count: int,
    random: np.random.Generator,
) -> Arrays:
    scenes, boxes, classes = [], [], []
    masks = np.zeros((count, size, size, most), np.uint8)
    for row in range(count):
        scene = ground(size, random)
        places: list[tuple[int, ...]] = []
        kinds: list[int] = []
        wanted = random.integers(1, most + 1)
        for index in random.integers(len(only), size=3 * wanted):
            if len(kinds) == wanted:
                break
            ink, mask = place(pick(images, labels, only[index], random), size, random, SIDES)
            if masks[row][mask].any():  # no room there
                continue
            scene = paint(scene, ink, random)
            masks[row, ..., len(kinds)] = mask
            across, down = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
            places.append((across[0], down[0], across[-1] + 1, down[-1] + 1))
            kinds.append(int(index))
        scenes.append(scene)
        boxes.append(np.array(places) / size)
        classes.append(np.array(kinds))
    out = {"x": finish(scenes, random), **padded(boxes, classes, most, len(only))}
    if masked:
        check(out["boxes"], out["classes"], len(only), masks)
        out["masks"] = masks
    return out
