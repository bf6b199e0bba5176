"""Data sets that others publish: where their files may lie, how to get them, and which part of them to take.

Nothing is downloaded unless a call says `download=True`, and then with pooch, which checks the SHA-256 and keeps the
file. Otherwise the files come from a system package or from the folder that TWIN_DATA names.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin.data import Arrays
from twin.errors import TwinError

VARIABLE = "TWIN_DATA"


@dataclass(frozen=True)
class Source:
    """The files of a data set.

    Args:
        name: of its folder in TWIN_DATA, and in the cache of downloads.
        url: what a file's name is appended to.
        files: name -> SHA-256 of the file as it is published.
        package: a system package that installs the files, or "".
        installed: the folder where it puts them.
    """

    name: str
    url: str
    files: Mapping[str, str]
    package: str = ""
    installed: str = ""

    def locate(self, download: bool) -> tuple[list[Path], str]:
        """The files in the order of `files`, and how they came here, as a provenance begins.

        Raises:
            TwinError: when they are nowhere, or cannot be downloaded.
        """
        places = [(Path(self.installed), f"real, shipped in the package {self.package}")] if self.package else []
        if VARIABLE in os.environ:
            folder = Path(os.environ[VARIABLE]) / self.name
            places.append((folder, f"real, copied by the user to {folder}"))
        for folder, words in places:
            found = [_first_of(folder / name, folder / name.removesuffix(".gz")) for name in self.files]
            if all(found):
                return [path for path in found if path], words
        if download:
            return self._download(), f"real, downloaded from {self.url}"
        package = f"install the package {self.package}, or " if self.package else ""
        raise TwinError(
            f"{self.name}: no files found; {package}put {', '.join(self.files)} into a folder {self.name} and set "
            f"{VARIABLE} to the folder above it, or load with download=True"
        )

    def _download(self) -> list[Path]:
        try:
            import pooch
        except ImportError:
            raise TwinError("a download needs pooch; pip install pooch") from None
        folder = pooch.os_cache("twin-suite") / self.name
        try:
            return [
                Path(pooch.retrieve(self.url + name, known_hash=f"sha256:{sha256}", fname=name, path=folder))
                for name, sha256 in self.files.items()
            ]
        except (OSError, ValueError) as error:  # no connection; another SHA-256 than expected
            raise TwinError(f"{self.name}: cannot download from {self.url}: {' '.join(str(error).split())}") from error


def subset(arrays: Arrays, count: int | None, seed: int, part: str) -> Arrays:
    """So many rows, chosen by the seed; all of them, in their own order, for None.

    Raises:
        TwinError: when there are fewer.
    """
    rows = len(next(iter(arrays.values())))
    if count is None:
        return arrays
    if not 1 <= count <= rows:
        raise TwinError(f"{part}_count must be from 1 to {rows}, the number of rows; received {count}")
    chosen = np.random.default_rng(seed).permutation(rows)[:count]
    return {name: array[chosen] for name, array in arrays.items()}


def resized(pictures: np.ndarray, size: int) -> np.ndarray:
    """Bytes (N, H, W, C) as float32 in [0, 1], brought to (N, size, size, C) by bilinear interpolation."""
    from scipy.ndimage import zoom

    pictures = (pictures / np.float32(255)).astype(np.float32)
    if size < 1:
        raise TwinError(f"size must be at least 1; received {size}")
    if pictures.shape[1:3] == (size, size):
        return pictures
    factors = (1, size / pictures.shape[1], size / pictures.shape[2], 1)
    return np.clip(zoom(pictures, factors, order=1, grid_mode=True, mode="nearest"), 0, 1)


def _first_of(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
