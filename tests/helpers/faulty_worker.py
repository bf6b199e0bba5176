"""A worker that goes wrong on one twin, in the way that TWIN_FAULT says."""

import os
import resource
import signal
import sys
import tempfile
import time

import numpy as np

from compare.engines.engine import CACHES
from compare.worker.framework import Framework
from compare.worker.serve import serve

BROKEN = "autograd_product"


def out_of_memory():
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
    np.ones((2**20, 2**20))


def half_a_line():
    os.write(ANSWERS, b'{"ok": tr')
    os._exit(0)


def nonsense():
    os.write(ANSWERS, b"not json\n")
    time.sleep(60)


FAULTS = {
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": lambda: time.sleep(600),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "memory": out_of_memory,
    "half-a-line": half_a_line,
    "nonsense": nonsense,
    "exit": lambda: os._exit(7),
    "exception": lambda: {}["no such key"],
}


class FaultyFramework(Framework):
    def exercise(self, twin, **rest):
        if twin == BROKEN:
            FAULTS[os.environ["TWIN_FAULT"]]()
        return super().exercise(twin, **rest)

    def surroundings(self):
        return {"temporary": tempfile.gettempdir(), "caches": [name for name in CACHES if name in os.environ]}


if __name__ == "__main__":
    ANSWERS = os.dup(1)
    serve(sys.argv[1], FaultyFramework)
