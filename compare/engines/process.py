"""The parent's end of a worker process: ask, wait until a deadline, and survive whatever happens."""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from compare.engines import guard
from compare.engines.answers import Epoch, Malformed, Place, Refusal, parse
from compare.engines.engine import Engine
from compare.record.measurement import Status
from twin.bridge import BridgeError
from twin.endings import GROUPS
from twin.errors import TwinError

T = TypeVar("T")
COUNTERS = Path("/proc/vmstat")  # of Linux; has those of every control group too
LONGEST_LINE = 256 * 2**20  # bytes; a worker that writes no end of line must not fill the memory


class WorkerFailed(Exception):
    """A request got no result.

    Args:
        status: a measurement's status: 'failed', 'timeout', 'crashed', 'oom_host', 'oom_device' or 'unsupported'.
        reason: one line.
        alive: whether the worker can still be asked.
        place: where code that a user wrote stopped.
    """

    def __init__(self, status: Status, reason: str, alive: bool = False, place: Place | None = None):
        super().__init__(reason)
        self.status, self.reason, self.alive, self.place = status, reason, alive, place or Place()


@contextlib.contextmanager
def one_measurement() -> Iterator[None]:
    """Let an exception that nobody expected cost the measurement that it arose in, and no other.

    Raises:
        WorkerFailed: in the place of any other exception, with where it arose.
        TwinError: as it is: a user's mistake is the whole run's.
    """
    try:
        yield
    except WorkerFailed:
        raise
    except Exception as error:
        if isinstance(error, TwinError) and not isinstance(error, BridgeError):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        words = " ".join(str(error).split())[:300]
        reason = f"{type(error).__name__}: {words} ({Path(last.filename).name}:{last.lineno})"
        raise WorkerFailed("crashed", reason, alive=True) from error


class Worker:
    """One process that serves one engine, spoken to in JSON lines over pipes.

    The process leads a group of its own: `kill` ends it with all that it started, and a Ctrl-C in the
    terminal reaches only the parent, which decides. Its temporary files are in a folder of its own, which goes with it:
    frameworks leave theirs behind when they are killed, and PyTorch's compiler would find its earlier work there.
    """

    def __init__(self, engine: Engine, device: str = "cpu", threads: int = 1):
        """Start it.

        Raises:
            WorkerFailed: when it cannot be started: no disk, no handles, no memory, no such program.
        """
        self.engine = engine
        self.oom_kills = _oom_kills()
        self.buffer = b""
        self.closed = False
        try:
            self.folder = guard.folder()
            self.log = self.folder / "log"
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    engine.command(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=engine.environment(device, threads) | {"TMPDIR": str(self.folder), GROUPS: str(guard.groups())},
                    start_new_session=True,
                )
        except OSError as error:
            raise WorkerFailed("crashed", f"{engine.name} cannot be started: {error.strerror or error}") from error
        guard.watch(self.process.pid)
        os.set_blocking(self.process.stdin.fileno(), False)  # type: ignore[union-attr]

    def ask(
        self,
        kind: type[T],
        op: str,
        timeout: float,
        on_epoch: Callable[[Epoch], None] | None = None,
        **fields: Any,
    ) -> T:
        """Send one request and wait for its result.

        Args:
            kind: of the result: a dataclass of answers.py.
            op: the worker's operation.
            timeout: seconds without an answer, or a further epoch, until the worker is killed.
            on_epoch: called with each epoch that the worker reports on the way.
            fields: the operation's arguments, in JSON's types.

        Raises:
            WorkerFailed: when there is no result.
        """
        deadline, waited_for, last = time.monotonic() + timeout, "no answer", 0
        self._send(json.dumps({"op": op, **fields}).encode() + b"\n", deadline, f"no answer within {timeout:g} s")
        while True:
            line = self._line(deadline, f"{waited_for} within {timeout:g} s")
            try:
                answer = parse(line, kind)
            except Malformed as error:
                raise self.malformed(f"{line[:80]!r}: {error}") from None
            if isinstance(answer, Epoch):
                if last < answer.epoch <= answer.epochs:  # a worker that repeats an epoch gets no more time
                    deadline, last = time.monotonic() + timeout, answer.epoch
                    waited_for = f"nothing after epoch {last} of {answer.epochs}"
                if on_epoch:
                    on_epoch(answer)
            elif isinstance(answer, Refusal):
                raise WorkerFailed(answer.status, answer.reason, True, answer.partial)
            else:
                return answer.result

    def malformed(self, what: str) -> WorkerFailed:
        """End a worker that has written what is no answer; the failure to raise."""
        self.close()
        return WorkerFailed("crashed", f"the worker wrote what is no answer: {what}")

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
        guard.forget(self.process.pid)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # what was still to be written has no reader
                pipe.close()  # type: ignore[union-attr]
        shutil.rmtree(self.folder, ignore_errors=True)

    def _send(self, request: bytes, deadline: float, too_late: str) -> None:
        """Write a request; one that is larger than a pipe holds waits for a worker that reads."""
        if self.closed:
            raise self._ended()
        left = memoryview(request)
        while left:
            self._wait(self.process.stdin, selectors.EVENT_WRITE, deadline, too_late)
            try:
                left = left[os.write(self.process.stdin.fileno(), left) :]  # type: ignore[union-attr]
            except BlockingIOError:
                pass
            except OSError:
                raise self._ended() from None

    def _wait(self, pipe: Any, event: int, deadline: float, too_late: str) -> None:
        """Until a pipe is ready; `too_late` is why the request fails if the deadline passes."""
        left = deadline - time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            if left > 0 and selector.select(left):
                return
        self.close()
        raise WorkerFailed("timeout", too_late)

    def _line(self, deadline: float, too_late: str) -> bytes:
        """The next line that the worker writes; `too_late` is why it failed if the deadline passes."""
        while b"\n" not in self.buffer:
            self._wait(self.process.stdout, selectors.EVENT_READ, deadline, too_late)
            read = os.read(self.process.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
            if not read:
                raise self._ended()
            self.buffer += read
            if len(self.buffer) > LONGEST_LINE:
                raise self.malformed(f"more than {LONGEST_LINE >> 20} MiB without the end of a line")
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
            return WorkerFailed("crashed", f"the worker was ended by {_signal_name(-code)}{half}{last}")
        return WorkerFailed("crashed", f"the worker ended with exit code {code}{half}{last}")

    def _last_words(self) -> str:
        """The last line that the worker wrote to its log, for a message."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f": {lines[-1][:200]}" if lines else ""


def _signal_name(number: int) -> str:
    """SIGSEGV, for example; real-time signals have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _oom_kills() -> int:
    """How often the kernel has killed a process for want of memory: of a control group's, or of the machine's."""
    try:
        events = COUNTERS.read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in events.splitlines() if line.startswith("oom_kill "))
