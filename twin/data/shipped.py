"""Arrays that ship with the suite in files/, read only where they are still what was shipped."""

import hashlib
import io
from pathlib import Path

import numpy as np

from twin.data import Arrays
from twin.errors import TwinError

FOLDER = Path(__file__).parent / "files"


def read(file: Path, sha256: str) -> Arrays:
    """The arrays of a shipped file, as they are.

    Raises:
        TwinError: the file is missing or not the one that was shipped.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise TwinError(f"cannot read {file}: {error.strerror}; reinstall twin-suite") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise TwinError(f"{file} is damaged: its SHA-256 is not that of the shipped file; reinstall twin-suite")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
