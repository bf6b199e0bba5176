"""What must not outlive this process: its workers, the folder with their files, and a record's lock.

A shell waits at the end of a pipe. However this process ends, the kernel closes the pipe, and the shell ends the
workers' process groups and removes the folder and the lock. Linux's PR_SET_PDEATHSIG would not do: the signal comes
when the thread that started a worker ends, it reaches nothing that the worker started, and files stay.
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

# Files named after the leaders of process groups say which are to be ended (dash's `kill` knows no `--`). The folder
# gets another name first: a worker that starts this very moment has its file there before, or finds no folder and ends
# (`twin.endings`). What a model has started in a session of its own is known by the worker's folder in its environment,
# where the system shows that. A lock that names another process by now is that one's; beside ours may lie a record that
# was being written (`twin.files.part_name`).
SCRIPT = """
trap '' HUP INT QUIT TERM
while read -r _; do :; done
mv "$0"/groups "$0"/ended
for leader in "$0"/ended/*; do kill -KILL "-${leader##*/}"; done
for left in $(grep -lsF "${0##*/}/worker-" /proc/[0-9]*/environ); do
  left=${left#/proc/}
  kill -KILL "${left%/environ}"
done
for lock in "$0"/locks/*; do
  read -r _ owner _ < "$lock" && [ "$owner" = "$PPID" ] || continue
  file=$(readlink "$lock")
  rm -f "$file" "${file%lock}$PPID"
done
rm -rf "$0"
"""


class Guard:
    """A folder for the files of this process's workers, and the shell that ends and removes what is left of them."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="twin-"))
        try:
            self.groups = self.home / "groups"
            self._fill()
            self.shell = subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT, self.home],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            for folder in (self.groups, self.home / "locks"):
                with contextlib.suppress(OSError):
                    folder.rmdir()  # shutil.rmtree would need a file handle, of which there may be none
            self.home.rmdir()
            raise

    def restore(self) -> None:
        """Make the folder again where somebody has cleaned up among the temporary files."""
        if not self.groups.is_dir():
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fill()

    def _fill(self) -> None:
        for each in (self.groups, self.home / "locks"):
            each.mkdir(exist_ok=True)

    def end(self) -> None:
        """End and remove everything."""
        assert self.shell.stdin is not None
        self.shell.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.shell.wait(timeout=10) != 0:  # somebody has ended the shell itself
                for leader in self.groups.glob("*"):
                    with contextlib.suppress(OSError, ValueError):
                        os.killpg(int(leader.name), signal.SIGKILL)
                shutil.rmtree(self.home, ignore_errors=True)


_LOCK = threading.Lock()
_guard: Guard | None = None


def folder() -> Path:
    """A new folder for the files of a worker; it goes when this process ends, if not before.

    Raises:
        OSError: when it cannot be made.
    """
    guard = _of_this_process()
    guard.restore()
    return Path(tempfile.mkdtemp(prefix="worker-", dir=guard.home))


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


def remove(lock: Path) -> None:
    """A record's lock goes with this process; one that cannot be noted goes when the command ends as it should."""
    with contextlib.suppress(OSError):
        guard = _of_this_process()
        (guard.home / "locks" / str(len(os.listdir(guard.home / "locks")))).symlink_to(lock)


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
