"""Workers and programs of tests that begin in a process that has imported their framework already.

A framework takes 2 to 7 s of processor time to import, and the tests start hundreds of processes that need one. The
process that distributes the tests starts a server for each framework and environment (tests/helpers/forkserver.py) when
one is first asked for; all tests, and the commands that they start, ask it for a fork. Everything of this project is
imported anew there. The measurements in the background start the workers that users start, and so do the tests that
take the fixture `fresh`.
"""

import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from compare.engines import process
from tests.helpers import forkserver

ASKED = "TWIN_TEST_FORKS"  # the socket at which a server is asked for
# Side -> what its server imports; PyTorch's own optimizers and exporter import its compiler.
IMPORTED = {"torch": ("torch", "torch._dynamo"), "keras": ("keras",)}
WORKERS = ("compare.worker", "tests.helpers.planted_worker", "tests.helpers.faulty_worker")
# What of an environment says nothing to PyTorch while it is imported, or is said to it in the fork.
LATE = re.compile(
    "PYTHONPATH|TMPDIR|PWD|COLUMNS|LINES|NO_COLOR|(TWIN|PYTEST|RAY|XLA|TF|JAX)_.*|(OMP|MKL|OPENBLAS)_NUM_THREADS"
)
SERVES = ("PYTHONPATH", "OMP_NUM_THREADS")  # what a server has of its own: it does nothing in which threads help
SERVERS: dict[str, "subprocess.Popen[bytes]"] = {}  # by the path of the socket


def offer(folder: Path) -> None:
    """From now on this process starts the servers that are asked for; they end with it."""
    if sys.platform != "linux":  # elsewhere not every library lives on in a fork
        return
    path = str(folder / "forks")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    os.environ[ASKED] = path
    threading.Thread(target=_answer, args=(listening, folder), daemon=True).start()


def end() -> None:
    """End the servers, and with them the last of their forks."""
    for server in SERVERS.values():
        server.stdin.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)


def plant() -> None:
    """Let the workers that this process starts be forks."""
    names = {name: getattr(subprocess, name) for name in ("PIPE", "TimeoutExpired")}
    process.subprocess = SimpleNamespace(Popen=start, **names)  # type: ignore[assignment]


def start(
    command: Sequence[str], env: Mapping[str, str], side: str = "", **options: Any
) -> "Fork | subprocess.Popen[bytes]":
    """As `subprocess.Popen`: a fork of the server that has imported the side's framework.

    It is a fresh process where no server is offered, without a side for a command that is no worker's, and for Keras on
    other backends: a server that few tests ask costs more than it saves, and holds 800 MB on TensorFlow.
    """
    side = side or _side(command)
    if not side or ASKED not in os.environ or (side == "keras" and env.get("KERAS_BACKEND") != "torch"):
        return subprocess.Popen(command, env=env, **options)
    with _connected(os.environ[ASKED]) as asking:
        asking.sendall(json.dumps([side, {k: v for k, v in env.items() if not LATE.fullmatch(k)}]).encode() + b"\n")
        server = asking.makefile().readline().strip()
    return Fork(server, command, env, **options)


class Fork:
    """A process that a server has forked; what `Worker` uses of `subprocess.Popen`."""

    def __init__(
        self,
        server: str,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        start_new_session: bool = False,
    ):
        self.args, self.returncode, self.lock = command, None, threading.Lock()
        self.stdin = self.stdout = None
        request = {
            "arguments": command[1:],
            "environment": dict(env),
            "folder": str(cwd or Path.cwd()),
            "session": start_new_session,
        }
        with contextlib.ExitStack() as given:
            descriptors = [0, 1, 2]
            if stdin == subprocess.PIPE:
                descriptors[0], own = os.pipe()
                given.callback(os.close, descriptors[0])
                self.stdin = os.fdopen(own, "wb", buffering=0)
            if stdout == subprocess.PIPE:
                own, descriptors[1] = os.pipe()
                given.callback(os.close, descriptors[1])
                self.stdout = os.fdopen(own, "rb")
            elif stdout:
                descriptors[1] = stdout.fileno()
            if stderr:
                descriptors[2] = stderr.fileno()
            self.told = _connected(server)
            content = json.dumps(request).encode()
            socket.send_fds(self.told, [b"%*d" % (forkserver.HEADER, len(content))], descriptors)
            self.told.sendall(content)
        self.pid = self._number()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, as `subprocess.Popen.wait`."""
        with self.lock:
            if self.returncode is None:
                self.told.settimeout(timeout)
                try:
                    self.returncode = self._number()
                except TimeoutError:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
                self.told.close()
        return self.returncode

    def _number(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            line += (read := self.told.recv(1))
            if not read:
                raise OSError(f"the server of {self.args} is gone")
        return int(line)


def _side(command: Sequence[str]) -> str:
    """The side of a worker's engine, or "" for another command."""
    if command[0] != sys.executable or command[1] != "-m" or command[2] not in WORKERS:
        return ""
    return "torch" if command[3].partition(":")[0] == "torch" else "keras"


def _connected(path: str) -> socket.socket:
    out = socket.socket(socket.AF_UNIX)
    out.connect(path)
    return out


def _answer(listening: socket.socket, folder: Path) -> None:
    """Tell each that asks where its server listens, which is started for the first."""
    while True:
        connection, _ = listening.accept()
        with connection, connection.makefile("rw") as stream:
            asked = stream.readline()
            path = str(folder / hashlib.sha256(asked.encode()).hexdigest()[:12])
            if path not in SERVERS:
                SERVERS[path] = _served(path, *json.loads(asked))
            stream.write(f"{path}\n")


def _served(path: str, side: str, env: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A server that listens."""
    server = subprocess.Popen(
        [sys.executable, forkserver.__file__, path, *IMPORTED[side]],
        env=env | {name: value for name, value in os.environ.items() if name in SERVES},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with server.stdout as said:  # type: ignore[union-attr]
        while said.readline() not in (b"ready\n", b""):
            pass
    return server
