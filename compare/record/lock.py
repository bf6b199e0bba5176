"""One process writes a record at a time: a lock file beside it names the process, and the kernel holds the lock."""

import contextlib
import errno
import glob
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from twin.errors import TwinError
from twin.files import part_name

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def writing(path: Path, option: str) -> Iterator[Path | None]:
    """Hold the lock of a record; the lock file is yielded, where there is one.

    A lock whose process was killed holds nobody up: the kernel has let go of it.

    Args:
        path: the record.
        option: what the user gave it with.

    Raises:
        TwinError: when another process writes it.
    """
    if fcntl is None:
        yield None
        return
    path = Path(os.path.realpath(path))
    file = path.with_name(f".{path.name}.lock")
    handle = _take(file, path, option)
    if handle is not None:
        _remove_parts(path, file)
    try:
        yield file if handle is not None else None
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):
                file.unlink()
            os.close(handle)


def _remove_parts(path: Path, lock: Path) -> None:
    """Remove what a process left that was killed while it wrote the record (`write_text`)."""
    for part in path.parent.glob(f"{glob.escape(part_name(path.name))}*"):
        if part != lock:
            with contextlib.suppress(OSError):
                part.unlink()


def _take(file: Path, path: Path, option: str) -> int | None:
    """The locked file; None where the folder or the file system has no locks, and writing will say what is wrong."""
    while True:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            if error.errno == errno.ELOOP:  # what it leads to would be written over
                raise TwinError(f"{option} {path}: its lock {file} is a symbolic link; remove that") from error
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:  # else the process that held it has just removed it
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, 0)
                    os.write(handle, f"process {os.getpid()} on {platform.node()}\n".encode())
                return handle
        except BlockingIOError:
            who = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise TwinError(f"{option} {path}: {who} still writes it; wait until that ends, or end it") from None
        except OSError:
            os.close(handle)
            return None
        os.close(handle)
