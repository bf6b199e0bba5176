"""The parent's end of a worker process: ask, wait until a deadline, and survive whatever happens."""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compare.engines.engine import Engine

Event = Callable[[dict[str, Any]], None]


class WorkerFailed(Exception):
    """A request got no result.

    Args:
        status: a cell status: 'failed', 'timeout', 'crashed', 'oom_host', 'oom_device' or 'unsupported'.
        reason: one line.
        alive: whether the worker can still be asked.
        partial: what the worker had found until then.
    """

    def __init__(self, status: str, reason: str, alive: bool = False, partial: dict[str, Any] | None = None):
        super().__init__(reason)
        self.status, self.reason, self.alive, self.partial = status, reason, alive, partial or {}


class Worker:
    """One process that serves one engine, spoken to in JSON lines over pipes.

    The process leads a group of its own: `kill` ends it with all that it started, and a Ctrl-C in the
    terminal reaches only the parent, which decides. Its temporary files are in a folder of its own, which goes with it:
    frameworks leave theirs behind when they are killed, and PyTorch's compiler would find its earlier work there.
    """

    def __init__(self, engine: Engine, device: str = "cpu", threads: int = 1):
        self.engine = engine
        self.folder = Path(tempfile.mkdtemp(prefix="twin-"))
        self.log = self.folder / "log"
        self.oom_kills = _oom_kills()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                engine.command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=engine.environment(device, threads) | {"TMPDIR": str(self.folder)},
                start_new_session=True,
            )
        self.selector = selectors.DefaultSelector()
        assert self.process.stdout is not None
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.buffer = b""
        self.hello: dict[str, Any] = {}
        self.closed = False

    def ask(self, op: str, timeout: float, on_event: Event | None = None, **fields: Any) -> dict[str, Any]:
        """Send one request and wait for its result.

        Args:
            op: the worker's operation.
            timeout: seconds until the worker is killed.
            on_event: called with progress that the worker reports on the way.
            fields: the operation's arguments, in JSON's types.

        Raises:
            WorkerFailed: when there is no result.
        """
        deadline = time.monotonic() + timeout
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps({"op": op, **fields}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise self._ended() from None
        while True:
            line = self._line(deadline, timeout)
            try:
                answer = json.loads(line)
            except ValueError:
                self.close()
                raise WorkerFailed("crashed", f"the worker wrote what is no answer: {line[:80]!r}") from None
            if "event" in answer:
                if on_event:
                    on_event(answer)
            elif answer["ok"]:
                return answer["result"]
            else:
                raise WorkerFailed(answer["status"], answer["reason"], True, answer.get("partial"))

    def kill(self) -> None:
        """End the worker and everything that it started; whoever waits for its answer learns that it ended.

        Safe from any thread: nothing is closed under the feet of one that reads.
        """
        if not self.closed:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """End the worker and let go of its pipes and its files; no thread may be asking it."""
        self.kill()
        if self.closed:
            return
        self.closed = True
        self.selector.close()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # what was still to be written has no reader
                pipe.close()  # type: ignore[union-attr]
        shutil.rmtree(self.folder, ignore_errors=True)

    def _line(self, deadline: float, timeout: float) -> bytes:
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not self.selector.select(left):
                self.close()
                raise WorkerFailed("timeout", f"no answer within {timeout:g} s")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
            if not chunk:
                raise self._ended()
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def _ended(self) -> WorkerFailed:
        """Why the process is gone."""
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        half = " in the middle of a line" if self.buffer else ""
        last = self._last_words()
        killed_for_memory = code == -signal.SIGKILL and _oom_kills() > self.oom_kills
        self.close()
        if killed_for_memory:
            return WorkerFailed("oom_host", "the system killed the worker for want of memory")
        if code is not None and code < 0:
            return WorkerFailed("crashed", f"the worker was ended by {signal.Signals(-code).name}{half}{last}")
        return WorkerFailed("crashed", f"the worker ended with exit code {code}{half}{last}")

    def _last_words(self) -> str:
        """The last line that the worker wrote to its log, for a message."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f": {lines[-1][:200]}" if lines else ""


def _oom_kills() -> int:
    """How often the kernel has killed a process of this control group for want of memory."""
    try:
        events = Path("/sys/fs/cgroup/memory.events").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in events.splitlines() if line.startswith("oom_kill "))
