"""How every file is written: whole, or not at all."""

import contextlib
import errno
import json
import math
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twin.errors import TwinError


def finite(value: Any) -> Any:
    """The same with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_text(content: Any) -> str:
    """JSON as the standard has it: a number that is not finite is null."""
    return json.dumps(finite(content), indent=1, allow_nan=False) + "\n"


def write_json(path: Path, content: Any, option: str = "--out", inputs: Iterable[Path] = ()) -> None:
    """Write JSON whole or not at all; the arguments are those of `write_text`.

    Raises:
        TwinError: when it cannot be written.
    """
    write_text(path, json_text(content), option, inputs)


def copy_file(source: Path, path: Path, option: str = "--out") -> None:
    """Copy a file of the suite's own to where the user wants it.

    Raises:
        TwinError: when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    except OSError as error:
        raise TwinError(f"cannot write {path}: {error.strerror}; choose another place with {option}") from error


def refuse_clashes(targets: Mapping[str, str | Path], inputs: Iterable[Path] = ()) -> None:
    """Refuse places that cannot all be written, before anything is measured or written.

    Args:
        targets: by option, where its text goes; '-' is stdout.
        inputs: files that the command reads, and that must stay as they are.

    Raises:
        TwinError: when two are one file, one is read by the command, or one is a folder.
    """
    seen: dict[str, str] = {}
    inputs = list(inputs)
    for option, target in targets.items():
        real = "stdout" if str(target) == "-" else os.path.realpath(target)
        if real in seen:
            whole = "stdout" if real == "stdout" else "a file"
            raise TwinError(f"{seen[real]} {target} and {option} {target}: {whole} takes one of them; choose another")
        if real != "stdout":
            refuse_input(Path(target), option, inputs)
            if os.path.isdir(real) or str(target).endswith(os.sep):
                raise TwinError(f"cannot write {target}: {os.strerror(errno.EISDIR)}; choose a file with {option}")
        if real == "stdout" or os.path.isfile(real) or not os.path.exists(real):  # a device takes them all
            seen[real] = option


def refuse_input(path: Path, option: str, inputs: Iterable[Path]) -> None:
    """Refuse to write over a file that the command reads.

    Args:
        path: what is to be written.
        option: where the user chose it.
        inputs: the files that must stay as they are.

    Raises:
        TwinError: when it is one of them, under whatever name.
    """
    for each in inputs:
        with contextlib.suppress(OSError):
            if path.samefile(each):
                raise TwinError(f"{option} {path}: this is {each}, which the command reads; choose another file")


def part_name(name: str) -> str:
    """What the name of the temporary file begins with while a file of that name is written; a file system takes up to
    255 bytes."""
    return os.fsdecode(os.fsencode(f".{name}")[:240]) + "."


def write_text(path: Path, text: str, option: str = "--out", inputs: Iterable[Path] = ()) -> None:
    """Write a file whole or not at all: a temporary one beside it, synced, then renamed.

    A symbolic link is followed, and a file that is there keeps its mode. What is no file, such as /dev/null or a named
    pipe, is written to.

    Args:
        path: its folder is made where it is missing.
        text: in UTF-8.
        option: where the user chose the path.
        inputs: files that the command reads, and that must stay as they are.

    Raises:
        TwinError: when it cannot be written.
    """
    path = Path(path)
    refuse_input(path, option, inputs)
    part = None
    try:
        mode = path.stat().st_mode if path.exists() else None
        if mode is not None and (not stat.S_ISREG(mode) or path.absolute().is_relative_to("/dev")):
            sys.stdout.flush()  # /dev/stdout comes after what was printed
            with path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)
            return
        target = Path(os.path.realpath(path))
        if target.is_symlink():  # links that lead to each other
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{part_name(target.name)}{os.getpid()}")
        with part.open("w", encoding="utf-8", errors="replace") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise TwinError(f"cannot write {path}: {error.strerror}; choose another place with {option}") from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
