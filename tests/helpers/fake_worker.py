"""A worker without a framework that answers exercises at once, and goes wrong as TWIN_FAULT says."""

import os
import signal
import subprocess
import sys
import time

import numpy as np

from compare.worker.serve import serve
from twin import arrays

BROKEN = "pooling"


def spin():
    """As a model that never returns, and holds what it has."""
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    while True:
        pass


def every_descriptor():
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"what a model prints\n")
        except OSError:
            continue


def children():
    if os.fork() == 0:
        spin()
    time.sleep(600)


def daemon():
    """As a model that starts a process in a session of its own."""
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    time.sleep(600)


FAULTS = {
    "daemon": daemon,
    "spin": spin,
    "hang": lambda: time.sleep(600),
    "descriptors": every_descriptor,
    "children": children,
    "fork": os.fork,
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: sys.exit(0),
    "asks": lambda: input("your name? "),
    "reads": lambda: os.read(0, 1)[0],
    "recursion": lambda: recursion(),
    "disk": lambda: arrays.write("/dev/full/x", {}),
}


def recursion():
    return recursion()


class Fake:
    def __init__(self, context):
        self.context = context

    def hello(self, device):
        return {"versions": {"fake": "1"}, "device": device}

    def exercise(self, twin, inputs, dtype, out):
        time.sleep(float(os.environ.get("TWIN_DELAY", "0")))
        if twin == BROKEN and os.environ.get("TWIN_FAULT"):
            FAULTS[os.environ["TWIN_FAULT"]]()
        arrays.write(out, {"y": np.arange(6.0, dtype=dtype)})
        return {}


if __name__ == "__main__":
    serve(sys.argv[1], Fake)
