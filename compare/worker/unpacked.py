"""How large a file of weights is once it is unpacked, known before anything is: a few kilobytes may hold gigabytes."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.errors import TwinError

# A checkpoint may hold an optimizer's two moments and other names for the same arrays, in double precision.
TIMES, AND = 16, 64 * 2**20


def refuse_larger(file: str, arrays: Mapping[str, np.ndarray], option: str = "") -> None:
    """See that a file can be of a model with these arrays.

    Args:
        file: Keras's, or a PyTorch state dict; one that is neither is left to its reader.
        arrays: the model's.
        option: what an error message begins with.

    Raises:
        TwinError: when it would take more than sixteen times the room, and 64 MiB.
    """
    own = sum(array.nbytes for array in arrays.values())
    try:
        unpacked = _size(file)
    except Exception:  # whoever reads it says what is wrong
        return
    if unpacked > TIMES * own + AND:
        raise TwinError(
            f"{option}{file}: it unpacks to {unpacked:,} bytes, and the model's arrays have {own:,}; "
            "expected weights of this model"
        )


def _size(file: Any) -> int:
    """Bytes of everything in an archive, or of every data set of an HDF5 file; those of a HDF5 file in an archive too.

    What an archive says of its members is checked when it is read: zipfile reads no more than that.
    """
    if not zipfile.is_zipfile(file):
        return _size_of_sets(file)
    with zipfile.ZipFile(file) as archive:
        total = sum(member.file_size for member in archive.infolist())
        sets = [member for member in archive.infolist() if member.filename.endswith(".h5")]
        if total <= AND or all(member.compress_type == zipfile.ZIP_STORED for member in sets):
            total += sum(_size_of_sets(io.BytesIO(archive.read(member))) for member in sets)
        return total


def _size_of_sets(file: Any) -> int:
    import h5py

    sizes: list[int] = []

    def add(name: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset):
            sizes.append(int(np.prod(each.shape, dtype=object)) * each.dtype.itemsize)

    with h5py.File(file, "r") as group:
        group.visititems(add)
    return sum(sizes)
