"""Image folders: a folder a class, its pictures within, as they are collected by hand.

    pictures/cat/tom.png   pictures/cat/felix.jpg   pictures/dog/rex.png

Classes and files are in alphabetical order, so that a class has the same number everywhere. Pictures are 8-bit, all
grey or all in colour: what is anything else is refused by name, before a training begins.
"""

import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin.data import Dataset, split
from twin.errors import TwinError

KINDS = (".png", ".jpg", ".jpeg", ".bmp")
MODES = {"L": "grey", "RGB": "colour"}


@dataclass(frozen=True)
class Folder:
    """The pictures of a folder that were found to be readable, and the classes that they are in.

    Args:
        files: of all classes, in the order of classes, and then of names.
        labels: (N,) of each file, an index into `classes`.
        classes: names of the folders within.
    """

    files: list[Path]
    labels: np.ndarray
    classes: list[str]


def load(root: str, size: int, test_share: float = 0.2, seed: int = 0) -> Dataset:
    """Pictures as `x` (N, size, size, C) and labels `y` (N,).

    Args:
        root: the folder whose folders are the classes.
        size: height and width that each picture is resized to.
        test_share: how much of the pictures is for testing.
        seed: of the division into train and test part.
    """
    folder = scan(Path(root))
    x = np.stack([read(path, size) for path in folder.files]).astype(np.float32) / 255
    train, test = split({"x": x, "y": folder.labels}, test_share, seed)
    provenance = f"real, copied by the user to {root}: {len(x)} pictures in {len(folder.classes)} classes"
    return Dataset(provenance, train, test)


def scan(root: Path) -> Folder:
    """The pictures of a folder, once each of them was found to be of the same kind as the first.

    Raises:
        TwinError: for no folder, no pictures, fewer than two classes; a broken picture, or one of another kind.
    """
    if not root.is_dir():
        raise TwinError(f"{root}: no such folder; expected one with a folder for each class")
    classes = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        found = f"one folder, {classes[0]}" if classes else "no folders"
        raise TwinError(f"{root}: has {found}; expected at least two, one for each class")
    pictures = {name: sorted(p for p in (root / name).iterdir() if p.suffix.lower() in KINDS) for name in classes}
    for name in classes:
        if not pictures[name]:
            raise TwinError(f"{root / name}: has no pictures; expected files that end in {', '.join(KINDS)}")
    files = [path for name in classes for path in pictures[name]]
    first = _mode(files[0])
    for path in files[1:]:
        if (mode := _mode(path)) != first:
            raise TwinError(f"{path}: is {MODES[mode]}, but {files[0]} is {MODES[first]}; expected all the same")
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(pictures[name]) for name in classes])
    return Folder(files, labels, classes)


def read(path: Path, size: int | None = None) -> np.ndarray:
    """A picture's bytes (H, W, C), C being 1 or 3; resized to `size` squared if that is given.

    Raises:
        TwinError: when it is broken, or neither 8-bit grey nor 8-bit colour.
    """
    from PIL import Image

    _mode(path)
    try:
        with Image.open(path) as picture:
            sides = picture.size if size is None else (size, size)
            pixels = np.asarray(picture.resize(sides, Image.Resampling.BILINEAR))
    except Exception as error:
        raise _broken(path, error) from error
    return pixels.reshape(*pixels.shape[:2], -1)


def write(root: Path, pictures: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Bytes (N, H, W) as grey PNG files in a folder per class; all of them, or no folder at all.

    Raises:
        TwinError: when the folder exists already.
    """
    from PIL import Image

    if root.exists():
        raise TwinError(f"{root}: exists already; choose another folder")
    unfinished = root.with_name(f".{root.name}.unfinished")
    try:
        for name in classes:
            (unfinished / name).mkdir(parents=True)
        for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            Image.fromarray(picture).save(unfinished / classes[label] / f"{number:05}.png")
        unfinished.rename(root)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _mode(path: Path) -> str:
    """L or RGB, by the file's header, its checksums verified where it has some."""
    from PIL import Image

    if not path.is_file():  # opening a named pipe waits for ever
        raise TwinError(f"{path}: is no file; expected a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # more than 89 million pixels
            with Image.open(path) as picture:
                mode = picture.mode
                picture.verify()
    except Exception as error:  # damaged on purpose, pictures raise a dozen kinds
        raise _broken(path, error) from error
    if mode not in MODES:
        kind = "has 16 or more bits a pixel" if mode.startswith(("I", "F")) else "is neither grey nor colour"
        raise TwinError(f"{path}: {kind} (mode {mode}); expected 8-bit grey (L) or colour (RGB)")
    return mode


def _broken(path: Path, error: Exception) -> TwinError:
    return TwinError(f"{path}: cannot be read as a picture ({' '.join(str(error).split())}); replace or remove it")
