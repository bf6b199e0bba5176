"""Pictures whose objects are described in files beside them: what the readers of COCO's and VOC's folders share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from twin.boxes import check, padded
from twin.data import Arrays, Dataset, folders, split
from twin.errors import TwinError

MOST_BYTES = 8 * 2**30  # of the pictures' arrays
MOST_POINTS = 100_000  # of an object's outlines


@dataclass(frozen=True)
class Picture:
    """A picture's file and what its description says of it.

    Args:
        file: the picture.
        width, height: in pixels.
        boxes: (left, top, right, bottom) in pixels, each side from 0 on.
        classes: of each box, from 0 on.
        outlines: of each object its polygons, x and y in turn, in pixels; or none at all.
        about: what a message calls each object.
    """

    file: Path
    width: int
    height: int
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    outlines: list[list[list[float]]] = field(default_factory=list)
    about: list[str] = field(default_factory=list)


def dataset(
    root: Path,
    pictures: Sequence[Picture],
    classes: Sequence[str],
    size: int,
    most: int | None,
    masks: bool,
    count: int | None,
    test_share: float,
    seed: int,
) -> Dataset:
    """Pictures `x` (N, size, size, 3) in [0, 1] with `boxes` (N, most, 4) and `classes` (N, most), as twin.boxes has
    them; with `masks` (N, size, size, most) where they are wanted.

    Boxes and outlines are cut at the picture's sides. Objects of which less than a pixel is left are left out, and the
    provenance says how many.

    Args:
        root: the folder, for the provenance.
        pictures: what was read of it.
        classes: names.
        size: height and width that each picture is resized to.
        most: objects of a picture, at most; None for as many as there are.
        masks: whether outlines are drawn.
        count: pictures that are taken, by the seed; None for all.
        test_share: how much of them is for testing.
        seed: of the choice, and of the division into train and test part.

    Raises:
        TwinError: for no picture, one that is not as its description says, wrong objects, and too many bytes.
    """
    if size < 1 or (most is not None and most < 1) or not 0 <= test_share < 1:
        raise TwinError(
            f"expected a size and a `most` of at least 1 and a test_share from 0 to below 1; received size={size}, "
            f"most={most}, test_share={test_share}"
        )
    if not pictures:
        raise TwinError(f"{root}: has no picture with its description; expected at least one")
    if count is not None:
        if not 1 <= count <= len(pictures):
            raise TwinError(f"count must be from 1 to {len(pictures)}, the pictures of {root}; received {count}")
        pictures = [pictures[row] for row in np.random.default_rng(seed).permutation(len(pictures))[:count]]
    widest = most or max(1, *(len(picture.classes) for picture in pictures))
    wanted = len(pictures) * size * size * (3 * 4 + widest * masks)
    if wanted > MOST_BYTES:
        raise TwinError(
            f"{root}: {len(pictures)} pictures of {size}x{size} need {wanted / 2**30:.0f} GiB, more than "
            f"{MOST_BYTES >> 30}; take fewer with `count` or a smaller `size`"
        )
    kept = [_within(picture, size, masks) for picture in pictures]
    left_out = sum(len(picture.classes) for picture in pictures) - sum(len(each[1]) for each in kept)
    out: Arrays = {"x": np.zeros((len(pictures), size, size, 3), np.float32)}
    for row, picture in enumerate(pictures):
        out["x"][row] = _pixels(picture, size)
    widest = most or max(1, *(len(each[1]) for each in kept))
    out |= padded([each[0] for each in kept], [each[1] for each in kept], widest, len(classes))
    if masks:
        out["masks"] = np.zeros((len(pictures), size, size, widest), np.uint8)
        for row, (_, kinds, drawn) in enumerate(kept):
            out["masks"][row, ..., : len(kinds)] = drawn
        check(out["boxes"], out["classes"], len(classes), out["masks"])
    objects = sum(len(each[1]) for each in kept)
    small = f"; {left_out} smaller than a pixel left out" if left_out else ""
    what = f"{len(pictures)} pictures with {objects} objects of {len(classes)} classes{small}"
    train, test = split(out, test_share, seed)
    return Dataset(f"real, copied by the user to {root}: {what}", train, test)


def inside(root: Path, name: str, told: Path) -> Path:
    """The file of that name in a folder; what a description says must not lead out of it.

    Raises:
        TwinError: when it does, or there is no such file.
    """
    path = root / name
    if not name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise TwinError(f"{told}: names the picture {name!r}; expected a file within {root}")
    if not path.is_file():
        raise TwinError(f"{told}: names the picture {path}, which is not there; copy it, or remove its entry")
    return path


def _within(picture: Picture, size: int, masks: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes as shares of the sides (M, 4), classes (M,) and masks (size, size, M) of the objects that are left."""
    sides = np.array([picture.width, picture.height] * 2, float)
    boxes, classes, drawn = [], [], []
    for number, (box, kind) in enumerate(zip(picture.boxes, picture.classes, strict=True)):
        left, top, right, bottom = box
        if not np.isfinite(box).all() or left > right or top > bottom:
            raise TwinError(
                f"{picture.about[number]}: its box {box} is not finite or inverted; expected left, top, right, bottom"
            )
        cut = np.clip(box, 0, sides)
        if min(cut[2:] - cut[:2]) < 1:
            continue
        if masks:
            mask = _drawn(picture, number, size)
            if not mask.any():
                continue
            drawn.append(mask)
        boxes.append(cut / sides)
        classes.append(kind)
    stacked = np.stack(drawn, axis=-1) if drawn else np.zeros((size, size, 0), np.uint8)
    return np.reshape(boxes, (-1, 4)).astype(np.float32), np.array(classes, np.int32), stacked


def _drawn(picture: Picture, number: int, size: int) -> np.ndarray:
    """An object's mask (size, size)."""
    from pycocotools import mask as run_lengths

    scale = size / np.array([picture.width, picture.height])
    polygons = []
    for outline in picture.outlines[number]:
        points = np.asarray(outline, float)
        if points.ndim != 1 or points.size % 2 or not 6 <= points.size <= MOST_POINTS or not np.isfinite(points).all():
            raise TwinError(
                f"{picture.about[number]}: its outline has {points.size} numbers; expected x and y in turn of 3 or "
                "more points"
            )
        polygons.append((points.reshape(-1, 2) * scale).clip(0, size).ravel().tolist())
    if not polygons:
        raise TwinError(f"{picture.about[number]}: has no outline; expected polygons, or load without masks")
    return run_lengths.decode(run_lengths.merge(run_lengths.frPyObjects(polygons, size, size)))


def _pixels(picture: Picture, size: int) -> np.ndarray:
    """The picture in colours, (size, size, 3) in [0, 1]."""
    from PIL import Image

    pixels = folders.read(picture.file, size).astype(np.float32) / 255
    with Image.open(picture.file) as opened:
        if opened.size != (picture.width, picture.height):
            raise TwinError(
                f"{picture.file}: is {opened.width}x{opened.height}, but its description says "
                f"{picture.width}x{picture.height}; replace one of them"
            )
    return pixels if pixels.shape[-1] == 3 else pixels.repeat(3, axis=-1)
