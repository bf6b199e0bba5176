"""IDX, the format of MNIST and of what is shaped like it: sizes first, then one byte a pixel or label."""

import math
import struct
from pathlib import Path

import numpy as np

from twin import untrusted
from twin.data import Arrays, Dataset
from twin.data.published import Source, resized, subset
from twin.errors import TwinError

UNSIGNED_BYTES = 0x08


def read(path: Path) -> np.ndarray:
    """The array of bytes in a file, plain or gzipped.

    The first four bytes are 0, 0, the type of the values and the number of axes; then the axes' sizes, big-endian.

    Raises:
        TwinError: when the file is no such file, or has more or fewer values than it says.
    """
    try:
        content = untrusted.gunzipped(path)
    except (OSError, ValueError) as error:
        raise TwinError(f"{path}: cannot be read: {error}; get the file again") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTES or not content[3]:
        raise TwinError(f"{path}: begins with {content[:4].hex(' ')}; an IDX file of bytes begins with 00 00 08 0n")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise TwinError(f"{path}: ends within its header, after {len(content)} of {start} bytes; get the file again")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise TwinError(f"{path}: has {len(content) - start} values, but says {shape}; get the file again")
    if not math.prod(shape):
        raise TwinError(f"{path}: says {shape}, which holds nothing; get the file again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def load(
    source: Source, what: str, train_count: int | None, test_count: int | None, size: int, seed: int, download: bool
) -> Dataset:
    """Pictures `x` (N, size, size, 1) and labels `y` (N,) from four files: pictures and labels to train, and to test.

    Raises:
        TwinError: when the files are not there, are damaged, or do not belong together.
    """
    paths, words = source.locate(download)
    train, test = _part(paths[0], paths[1]), _part(paths[2], paths[3])
    train, test = subset(train, train_count, seed, "train"), subset(test, test_count, seed, "test")
    for part in (train, test):
        part["x"] = resized(part["x"], size)
    return Dataset(f"{words}: {what}, {len(train['y'])} to train and {len(test['y'])} to test", train, test)


def _part(pictures_path: Path, labels_path: Path) -> Arrays:
    pictures, labels = read(pictures_path), read(labels_path)
    if pictures.ndim != 3 or labels.ndim != 1:
        raise TwinError(
            f"{pictures_path}, {labels_path}: have {pictures.ndim} and {labels.ndim} axes; expected pictures of 3 "
            "axes and labels of 1"
        )
    if len(pictures) != len(labels):
        raise TwinError(f"{pictures_path}: has {len(pictures)} pictures, but {labels_path} has {len(labels)} labels")
    if labels.max() > 9:
        row = int(np.argmax(labels > 9))
        raise TwinError(f"{labels_path}: label {row} is {labels[row]}; expected 0 to 9")
    return {"x": pictures[..., None], "y": labels.astype(np.int32)}
