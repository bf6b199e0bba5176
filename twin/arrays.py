"""Named arrays in safetensors files: read and written without running anybody's code."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from twin.errors import TwinError


def write(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays; the file appears whole or not at all.

    Raises:
        TwinError: when the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, part)
        part.replace(path)
    except (SafetensorError, OSError) as error:
        raise TwinError(f"cannot write {path}: {error}; choose a folder that can be written") from error


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Read named arrays.

    Raises:
        TwinError: when the file is missing, damaged or of another format.
    """
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise TwinError(f"no file {path}; expected named arrays in safetensors format") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise TwinError(f"cannot read {path}: {error}; expected an undamaged safetensors file") from error
