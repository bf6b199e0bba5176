"""Named arrays in safetensors files: read and written without running anybody's code."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import load_file, save_file

from twin import untrusted
from twin.errors import TwinError

NUMPY_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
    "BOOL": "?",
}  # fmt: skip


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
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Read named arrays.

    Raises:
        TwinError: when the file is missing, damaged or of another format.
    """
    try:
        try:
            untrusted.regular(Path(path))
            return load_file(path)
        except (AttributeError, TypeError):  # of a type that NumPy has not
            return _widened(Path(path))
    except FileNotFoundError as error:
        raise TwinError(f"no file {path}; expected named arrays in safetensors format") from error
    except (SafetensorError, OSError, ValueError) as error:
        words = " ".join(str(error).split())[:200]
        raise TwinError(f"cannot read {path}: {words}; expected an undamaged safetensors file") from error


def _widened(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file some of which are bfloat16: these as float32, which holds each of their values.

    Raises:
        ValueError: for float8 and float4.
    """
    out = {}
    for name, each in deserialize(path.read_bytes()):
        kind, shape, data = each["dtype"], each["shape"], each["data"]
        if kind == "BF16":
            out[name] = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        elif kind in NUMPY_TYPES:
            out[name] = np.frombuffer(data, NUMPY_TYPES[kind]).reshape(shape)
        else:
            raise ValueError(f"{name} is of type {kind}, which is not compared; convert it to float32 first")
    return out
