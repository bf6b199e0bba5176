"""What must not outlive this process: its workers, and the folder with their files.

A shell waits at the end of a pipe. However this process ends, the kernel closes the pipe, and the shell ends the
workers' process groups and removes the folder. Linux's PR_SET_PDEATHSIG would not do: the signal comes when the thread
that started a worker ends, it reaches nothing that the worker started, and files stay.
"""

import atexit
import contextlib
import subprocess
import tempfile
import threading
from pathlib import Path

# Files named after the leaders of process groups say which are to be ended (dash's `kill` knows no `--`). The folder
# gets another name first: a worker that starts this very moment has its file there before, or finds no folder and ends
# (`twin.endings`).
SCRIPT = """
trap '' HUP INT QUIT TERM
while read -r _; do :; done
mv "$0"/groups "$0"/ended
for leader in "$0"/ended/*; do kill -KILL "-${leader##*/}"; done
rm -rf "$0"
"""


class Guard:
    """A folder for the files of this process's workers, and the shell that ends and removes what is left of them."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="twin-"))
        try:
            self.groups = self.home / "groups"
            self.groups.mkdir()
            self.shell = subprocess.Popen(
                ["sh", "-c", SCRIPT, self.home],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            with contextlib.suppress(OSError):
                self.groups.rmdir()  # shutil.rmtree would need a file handle, of which there may be none
            self.home.rmdir()
            raise

    def end(self) -> None:
        """End and remove everything."""
        assert self.shell.stdin is not None
        self.shell.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.shell.wait(timeout=10)


_LOCK = threading.Lock()
_guard: Guard | None = None


def folder() -> Path:
    """A new folder for the files of a worker; it goes when this process ends, if not before.

    Raises:
        OSError: when it cannot be made.
    """
    return Path(tempfile.mkdtemp(prefix="worker-", dir=_of_this_process().home))


def groups() -> Path:
    """Where a process writes itself down that must end with this one."""
    return _of_this_process().groups


def watch(leader: int) -> None:
    """Let a process group end with this process."""
    with contextlib.suppress(OSError):  # a disk that is full; the worker still ends when its pipe closes
        (_of_this_process().groups / str(leader)).touch()


def forget(leader: int) -> None:
    """A process group has ended."""
    with contextlib.suppress(OSError):
        (_of_this_process().groups / str(leader)).unlink()


def end() -> None:
    """End every worker of this process, and remove their files."""
    global _guard
    guard, _guard = _guard, None
    if guard is not None:
        guard.end()


def _of_this_process() -> Guard:
    global _guard
    with _LOCK:
        if _guard is None:
            _guard = Guard()
        return _guard


atexit.register(end)
