"""COCO folders: pictures, and a JSON file with the boxes and outlines of their objects.

    coco/annotations/instances_val2017.json   coco/val2017/000000000139.jpg

Lin et al., "Microsoft COCO: common objects in context" (2014); the format is described at cocodataset.org. Many tools
write the same for pictures of one's own. Crowds (`iscrowd`) are left out, as detectors are trained without them.
"""

import math
from pathlib import Path
from typing import Any

from twin import untrusted
from twin.data import Dataset
from twin.data.annotated import Picture, dataset, inside
from twin.errors import TwinError

EXPECTED = "a JSON object with `images`, `annotations` and `categories`, as COCO's instances files have them"


def load(
    root: str,
    part: str = "val2017",
    size: int = 224,
    only: tuple[str, ...] = (),
    most: int | None = None,
    masks: bool = False,
    count: int | None = None,
    test_share: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Pictures `x` (N, size, size, 3) with `boxes` and `classes`, and `masks`, as twin.data.annotated says.

    Args:
        root: the folder that holds `annotations` and the folder of the pictures.
        part: name of the pictures' folder; its descriptions are `annotations/instances_PART.json`.
        size: height and width that each picture is resized to.
        only: names of the classes that are taken, in this order; () for all, in the order of their numbers.
        most, masks, count, test_share, seed: as twin.data.annotated.dataset has them.

    Raises:
        TwinError: for files that are missing or damaged.
    """
    folder = Path(root)
    path = folder / "annotations" / f"instances_{part}.json"
    classes, pictures = read(path, folder / part, only, masks)
    return dataset(folder, pictures, classes, size, most, masks, count, test_share, seed)


def read(path: Path, folder: Path, only: tuple[str, ...] = (), masks: bool = False) -> tuple[list[str], list[Picture]]:
    """The classes of an instances file, and its pictures in the order of their numbers.

    Args:
        path: the file.
        folder: of the pictures.
        only: names of the classes that are taken; () for all.
        masks: whether outlines are read.

    Raises:
        TwinError: one line that says which entry is wrong.
    """
    try:
        content = untrusted.json_of(untrusted.text(path, EXPECTED))
    except untrusted.NoJson as error:
        raise TwinError(f"cannot read {path}: {error}; expected {EXPECTED}") from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(name), list) for name in ("images", "annotations", "categories")
    ):
        raise TwinError(f"cannot read {path}: it lacks one of these lists; expected {EXPECTED}")
    names = {_whole(each, "id", path): _text(each, "name", path) for each in content["categories"]}
    chosen = list(only) or [names[number] for number in sorted(names)]
    if unknown := [name for name in chosen if name not in names.values()]:
        raise TwinError(f"{path}: has no class {unknown[0]!r}; it has {', '.join(sorted(names.values())) or 'none'}")
    pictures: dict[int, Picture] = {}
    for each in content["images"]:
        width, height = _whole(each, "width", path, 1), _whole(each, "height", path, 1)
        pictures[_whole(each, "id", path)] = Picture(
            inside(folder, _text(each, "file_name", path), path), width, height
        )
    for each in content["annotations"]:
        number, kind = _whole(each, "image_id", path), _whole(each, "category_id", path)
        about = f"{path}, annotation {each.get('id', '?')}"
        if number not in pictures or kind not in names:
            raise TwinError(f"{about}: its image {number} or its category {kind} is not in the file")
        if each.get("iscrowd") or names[kind] not in chosen:
            continue
        _add(pictures[number], each, chosen.index(names[kind]), about, masks)
    return chosen, [pictures[number] for number in sorted(pictures)]


def _add(picture: Picture, entry: dict[str, Any], kind: int, about: str, masks: bool) -> None:
    """Put an annotation into its picture."""
    box = entry.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
        raise TwinError(f"{about}: its bbox is {str(box)[:80]}; expected left, top, width and height")
    left, top, width, height = map(float, box)
    outline = entry.get("segmentation", [])
    if masks and not (
        isinstance(outline, list) and all(isinstance(each, list) and all(map(_is_number, each)) for each in outline)
    ):
        raise TwinError(f"{about}: its segmentation is no list of polygons; expected x and y in turn for each")
    picture.boxes.append((left, top, left + width, top + height))
    picture.classes.append(kind)
    picture.outlines.append(outline if masks else [])
    picture.about.append(about)


def _whole(entry: Any, name: str, path: Path, least: int = 0) -> int:
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**53:
        raise TwinError(f"{path}: {name} is {str(value)[:80]}; expected a whole number of at least {least}")
    return value


def _text(entry: Any, name: str, path: Path) -> str:
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, str):
        raise TwinError(f"{path}: {name} is {str(value)[:80]}; expected words")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
