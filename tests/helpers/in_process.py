"""A worker that is no process: its operations run in the test's own, where PyTorch is imported once."""

import json
import shutil
import tempfile
import warnings
from pathlib import Path

from compare.engines.answers import parse
from compare.engines.process import WorkerFailed
from compare.worker.context import Context
from compare.worker.serve import GROUPS, operation


def in_process(*first):
    """What stands in the place of `Worker`; `first` are groups of operations that go before the worker's own."""

    class InProcess:
        def __init__(self, engine, device="cpu", threads=1):
            self.engine, self.closed = engine, False
            self.folder = Path(tempfile.mkdtemp(prefix="twin-test-"))
            context = Context(engine.name, lambda message: None)
            self.groups = [group(context) for group in (*first, *GROUPS)]

        def ask(self, kind, op, timeout, on_epoch=None, **fields):
            try:
                with warnings.catch_warnings(action="ignore"):  # the exporters', which pytest would raise
                    result = operation(self.groups, op)(**fields)
            except WorkerFailed:  # planted: the process would have ended
                self.close()
                raise
            except Exception as error:
                raise WorkerFailed("failed", f"{type(error).__name__}: {error}"[:300], alive=True) from error
            return parse(json.dumps({"ok": True, "result": result}).encode(), kind).result

        def malformed(self, what):
            return WorkerFailed("crashed", what)

        def kill(self):
            pass

        def close(self):
            self.closed = True
            shutil.rmtree(self.folder, ignore_errors=True)

    return InProcess
