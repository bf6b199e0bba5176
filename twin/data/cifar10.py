"""CIFAR-10: 60,000 colour pictures of 32x32 pixels in ten classes (Krizhevsky, 2009), from the binary version.

The version for Python is a pickle, which can run anything when it is opened; the binary one is only bytes: of each
picture its label, and then all of its red, all of its green and all of its blue.
"""

import io
import tarfile
from pathlib import Path

import numpy as np

from twin import untrusted
from twin.data import Arrays, Dataset
from twin.data.published import Source, resized, subset
from twin.errors import TwinError

CLASSES = ("aeroplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry")
ROW = 1 + 3 * 32 * 32
TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = ("test_batch.bin",)
SOURCE = Source(
    "cifar10",
    "https://www.cs.toronto.edu/~kriz/",
    {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
)


def load(
    train_count: int | None = None,
    test_count: int | None = None,
    size: int = 32,
    seed: int = 0,
    download: bool = False,
) -> Dataset:
    """Pictures as `x` (N, size, size, 3) and labels `y` (N,), an index into CLASSES.

    Args:
        train_count: so many of the 50,000, chosen by the seed; None for all.
        test_count: the same of the 10,000.
        size: height and width, by bilinear interpolation.
        seed: of the choice.
        download: whether to get the file if it is not here.
    """
    (path,), words = SOURCE.locate(download)
    files = _unpacked(path)
    train, test = (_rows(path, files, names) for names in (TRAIN, TEST))
    train, test = subset(train, train_count, seed, "train"), subset(test, test_count, seed, "test")
    for part in (train, test):
        part["x"] = resized(part["x"], size)
    what = f"pictures of CIFAR-10, {len(train['y'])} to train and {len(test['y'])} to test"
    return Dataset(f"{words}: {what}", train, test)


def _unpacked(path: Path) -> dict[str, bytes]:
    """The files of the archive by their own names, read in memory: nothing is written anywhere."""
    try:
        with tarfile.open(fileobj=io.BytesIO(untrusted.gunzipped(path)), mode="r:") as archive:
            members = [member for member in archive if member.isfile() and member.name.endswith(".bin")]
            return {Path(member.name).name: archive.extractfile(member).read() for member in members}  # type: ignore
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise TwinError(f"{path}: cannot be read: {error}; get the file again") from error


def _rows(path: Path, files: dict[str, bytes], names: tuple[str, ...]) -> Arrays:
    for name in names:
        if name not in files:
            raise TwinError(f"{path}: has no {name}; expected the archive cifar-10-binary.tar.gz")
        if not files[name] or len(files[name]) % ROW:
            raise TwinError(f"{path}: {name} has {len(files[name])} bytes; expected a multiple of {ROW}")
    rows = np.frombuffer(b"".join(files[name] for name in names), np.uint8).reshape(-1, ROW)
    labels, pixels = rows[:, 0], rows[:, 1:]
    if labels.max() > 9:
        row = int(np.argmax(labels > 9))
        raise TwinError(f"{path}: picture {row} of {', '.join(names)} has label {labels[row]}; expected 0 to 9")
    return {"x": pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), "y": labels.astype(np.int32)}
