"""`python forkserver.py SOCKET MODULE...` imports modules once, and forks for each program that is asked of it.

A program begins in a process of its own, in which nothing of this project is imported yet; only the frameworks are,
which take seconds. Its parent tells the one that asked of its process number and, at its end, of its exit code. The
server ends when its stdin does.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import socket
import sys
import tempfile
import warnings
from typing import Any

HEADER = 8  # bytes that say how long the request is; the program's stdin, stdout and stderr come with them


def listen(path: str) -> dict[str, Any]:
    """Serve until stdin ends; returns only in a process that was forked, what it is to run."""
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as selector:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        selector.register(server, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            _reap(os.WNOHANG)
            if sys.stdin in ready:
                _reap(0)
                sys.exit()
            connection, _ = server.accept()
            with connection:
                if os.fork() == 0:
                    return _begin(connection)


def _reap(options: int) -> None:
    """Let the system add up the processor time of those that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _begin(connection: socket.socket) -> dict[str, Any]:
    """Fork once more for the program, and stay as its parent."""
    header, descriptors, _, _ = socket.recv_fds(connection, HEADER, 3)
    with connection.makefile("rb") as stream:
        request = json.loads(stream.read(int(header)))
    child = os.fork()
    if child:
        for descriptor in (0, 1, *descriptors):  # or a pipe would have a reader or a writer too many
            os.close(descriptor)
        with contextlib.suppress(OSError):  # whoever asked is gone
            connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os._exit(0)
    if request["session"]:
        os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    own = _path()
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = [*_path(), *(each for each in sys.path if each not in own)]
    os.chdir(request["folder"])
    connection.sendall(b"%d\n" % os.getpid())
    return request


def _path() -> list[str]:
    return [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]


def run(arguments: list[str]) -> None:
    """What Python does with these arguments; of its options only `-W ignore`."""
    tempfile.tempdir = None  # chosen anew, for this environment
    sys.modules["numpy"].random.seed()
    sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if arguments[:2] == ["-W", "ignore"]:
        sys.warnoptions.append("ignore")
        warnings.simplefilter("ignore")
        arguments = arguments[2:]
    how, *rest = arguments
    if how == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif how == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = arguments
        runpy.run_path(how, run_name="__main__")


if __name__ == "__main__":
    for each in sys.argv[2:]:
        importlib.import_module(each)
    gc.freeze()  # or a collection in a fork would copy all that it looks at
    run(listen(sys.argv[1])["arguments"])
