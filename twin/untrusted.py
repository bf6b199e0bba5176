"""Files that anybody may have written: read within limits, and whatever is wrong with them in one line."""

import ast
import errno
import gzip
import io
import json
import math
import os
import re
import select
import stat
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from twin.errors import TwinError, shortage

if TYPE_CHECKING:  # it takes a tenth of a second, and every command reads what is here
    import numpy as np

MOST = 256 * 2**20  # bytes of a text; a record of every twin, engine and seed has a few MiB
MOST_CODE = 4 * 2**20  # bytes of a Python file
DEEPEST = 150  # levels of its tree; the twins' own files have up to 24
MOST_UNPACKED = 512 * 2**20  # bytes of a gzipped file; CIFAR-10 has 184 million
MOST_ARRAYS = 4 * 2**30  # bytes of the arrays of one file, unpacked
# C0 without tab and line feed, DEL, C1, and what turns the direction of text: on a terminal, they are commands.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ESCAPED = re.compile(r"\\u(?:00[0189]|007[fF]|20[26]|[dD][89a-fA-F])|\\[bfr]")  # where JSON may have one
REPLACEMENT = "\ufffd"
PIPE_SECONDS = 30.0


class NoJson(ValueError):
    """A text is no JSON of ours; the message says why, in one line."""


def text(path: Path, expected: str) -> str:
    """A file's text, without the byte-order mark that some editors write.

    Args:
        path: of any kind of file.
        expected: what the message says was expected.

    Raises:
        TwinError: when it cannot be read, is too large, or is no UTF-8.
    """
    try:
        content = _start_of(path, MOST + 1)
        if len(content) > MOST:
            raise TwinError(f"cannot read {path}: it is larger than {MOST >> 20} MiB; expected {expected}")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # a ValueError for a path with a null character too
        why = "it is no text in UTF-8" if isinstance(error, UnicodeError) else _why(error)
        raise TwinError(f"cannot read {path}: {why}; expected {expected}") from error


def python(path: Path) -> tuple[str, ast.Module]:
    """A Python file's text and tree; the text is decoded as its byte-order mark or its first lines declare.

    Raises:
        TwinError: when it cannot be read, is too large, is nested too deep, or where its syntax ends.
    """
    try:
        content = _start_of(path, MOST_CODE + 1)
        if len(content) > MOST_CODE:
            raise ValueError(f"it is larger than {MOST_CODE >> 20} MiB")
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        text = io.IncrementalNewlineDecoder(None, True).decode(content.decode(encoding))
        with warnings.catch_warnings(action="ignore"):  # of an escape that is none, which is not ours to judge
            tree = ast.parse(text, str(path))
        if _depth(tree) > DEEPEST:
            raise RecursionError
    except SyntaxError as error:
        place = f"{path}:{error.lineno or 1}"
        raise TwinError(f"{place}: {error.msg}; Python cannot read the file from there on") from error
    except (RecursionError, MemoryError):
        raise TwinError(f"cannot read {path}: it is nested too deep; write it in several statements") from None
    except (OSError, ValueError, LookupError) as error:
        raise TwinError(f"cannot read {path}: {_why(error)}; expected Python code in UTF-8") from error
    return text, tree


def _start_of(path: Path, most: int) -> bytes:
    """The first bytes of any kind of file; a pipe that nobody writes to is not waited for without end.

    Raises:
        OSError: when it cannot be read, or nothing comes.
    """
    opener = lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
    with open(path, "rb", opener=opener) as file:
        is_pipe = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
        if is_pipe and not select.select([file], [], [], PIPE_SECONDS)[0]:
            raise OSError(errno.ETIMEDOUT, f"nobody has written to this pipe within {PIPE_SECONDS:g} s")
        os.set_blocking(file.fileno(), True)
        return file.read(most)


def _depth(tree: ast.AST) -> int:
    """How deep code is nested; what walks, compiles and writes it again goes as deep."""
    deep, level = 0, [tree]
    while level:
        deep, level = deep + 1, [each for node in level for each in ast.iter_child_nodes(node)]
    return deep


def gunzipped(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is gzipped: to its end, whose checksum says that it is whole.

    Raises:
        ValueError: when it is cut off, damaged, or holds more than 512 MiB.
    """
    with Path(path).open("rb") as file:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        try:
            with gzip.GzipFile(fileobj=file) if packed else file as stream:
                content = stream.read(MOST_UNPACKED + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(str(error)) from error
    if len(content) > MOST_UNPACKED:
        raise ValueError(f"it holds more than {MOST_UNPACKED >> 20} MiB")
    return content


def json_of(content: str, infinite: bool = False) -> Any:
    """The value of a JSON text; control characters in strings are replaced.

    Args:
        content: the text.
        infinite: whether numbers may be infinite, as Python writes them and the standard does not.

    Raises:
        NoJson: for other texts, numbers that no float holds, and nesting that no file of ours has.
    """

    def refuse(number: str) -> NoReturn:
        raise NoJson(f"{number[:20]} is no number that can be measured")

    def finite(number: str) -> float:
        value = float(number)
        return value if math.isfinite(value) else refuse(number)

    options: dict[str, Any] = {} if infinite else {"parse_constant": refuse, "parse_float": finite}
    try:
        value = json.loads(content, **options)
    except NoJson:
        raise
    except RecursionError:
        raise NoJson("it is nested too deep") from None
    except ValueError as error:
        words = "a number has too many digits" if "integer string" in str(error) else str(error)
        raise NoJson(words) from error
    return _printable(value) if CONTROLS.search(content) or _ESCAPED.search(content) else value


def npz(path: Path, expected: str = "a .npz file of plain arrays") -> "dict[str, np.ndarray]":
    """The named arrays of a file that `numpy.savez` wrote; their sizes are known before one is unpacked.

    Raises:
        TwinError: for anything else, for arrays of objects, and for more than 4 GiB.
    """
    import numpy as np

    try:
        regular(path)
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
            size = sum(each.file_size for each in members)
            if size > MOST_ARRAYS:
                raise ValueError(f"{size:,} bytes of arrays are more than {MOST_ARRAYS:,}")
            for member in members:
                with archive.open(member) as file:
                    _check_header(file, member)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in (each.filename.removesuffix(".npy") for each in members)}
    except Exception as error:  # zip files and arrays that are damaged on purpose raise a dozen kinds
        if isinstance(error, zipfile.BadZipFile) and _is_one_array(path):
            words = "it is one array without a name, as numpy.save writes it"
        elif isinstance(error, KeyError | RuntimeError):
            words = "it is encrypted or damaged"
        else:
            words = " ".join(_why(error).split())[:200]
        raise TwinError(f"cannot read {path}: {words}; expected {expected}") from error


def regular(path: Path) -> None:
    """See that a file is one: its end is looked for, which a device or a named pipe has not.

    Raises:
        OSError: when it is none, or not there.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")


def _check_header(file: Any, member: zipfile.ZipInfo) -> None:
    """See that an array has the size that its file has, before numpy makes room for it."""
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(f"{member.filename.removesuffix('.npy')} holds objects, which are never unpickled")
    if math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
        raise ValueError(f"{member.filename} is not as large as its shape {shape} says")


def _is_one_array(path: Path) -> bool:
    with Path(path).open("rb") as file:
        return file.read(6) == b"\x93NUMPY"


def printable(words: str) -> str:
    """A string without colours, as other tools give their messages, and whose control characters are replaced."""
    return CONTROLS.sub(REPLACEMENT, COLOURS.sub("", words))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(each) for each in value]
    if isinstance(value, dict):
        return {printable(name): _printable(each) for name, each in value.items()}
    return value


def _why(error: Exception) -> str:
    return shortage(error) or getattr(error, "strerror", None) or str(error)
