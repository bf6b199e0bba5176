"""The worker process of one engine: reads requests from stdin, one JSON object a line, and answers likewise.

A request names an operation, which is a method of one of the groups, and its fields are the method's arguments.
Arrays travel as safetensors files whose paths are in the messages. Whatever a framework prints goes to
stderr; only answers reach stdout.
"""

import contextlib
import json
import os
import traceback
from collections.abc import Sequence
from typing import Any

from compare.worker import stand_in
from compare.worker.batches import Batches
from compare.worker.context import Context
from compare.worker.exporting import Exporting
from compare.worker.foreign import Foreign
from compare.worker.framework import Framework
from compare.worker.learner import Learner
from compare.worker.model import Model
from compare.worker.timing import Timing
from compare.worker.training import Training
from twin.endings import register
from twin.errors import TwinError, shortage

EXHAUSTED = ("RESOURCE_EXHAUSTED", "ResourceExhausted")  # what JAX and TensorFlow say
GROUPS: tuple[type, ...] = (Framework, Batches, Model, Training, Timing, Learner, Foreign, Exporting)


def operation(groups: Sequence[Any], op: str) -> Any:
    """The method that answers a request, of the first of the groups that has it.

    Raises:
        LookupError: when none has.
    """
    for group in groups:
        if hasattr(group, op):
            return getattr(group, op)
    raise LookupError(f"a worker has no operation {op!r}")


def serve(engine: str, *first: type) -> None:
    """Answer requests until stdin ends; `first` are groups whose operations go before the worker's own."""
    register()
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)  # what a user's code asks of whoever types is answered with the end of a file
    os.dup2(2, 1)  # what anything prints goes to stderr, so that stdout stays a protocol

    def send(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")

    own = os.getpid()
    context = Context(engine, send)
    groups = [group(context) for group in (*first, *GROUPS)]
    if hasattr(os, "register_at_fork"):  # a method that forks in each of 20 steps would start a million processes
        os.register_at_fork(after_in_child=lambda: os._exit(0) if context.stand else None)
    for line in requests:
        request = json.loads(line)
        op = request.pop("op")
        try:
            try:
                with context.stand.in_time() if context.stand else contextlib.nullcontext():
                    result = operation(groups, op)(**request)
            finally:
                if os.getpid() != own:  # a model has forked: its child answers nobody
                    os._exit(0)
            send({"ok": True, "result": result})
        except BaseException as error:
            if not isinstance(error, Exception) and not context.stand:  # a learner's sys.exit() ends no worker
                raise
            traceback.print_exc()
            answer: dict[str, Any] = {"ok": False, "status": _status(error), "reason": _one_line(error)}
            if context.stand:
                answer["partial"] = stand_in.place_of(error)
            send(answer)


def _status(error: BaseException) -> str:
    """The measurement's status that an exception stands for."""
    text = f"{type(error).__name__}: {error}"
    if type(error).__name__ == "OutOfMemoryError" or any(word in text for word in EXHAUSTED):
        return "oom_device" if "cuda" in text.lower() or "gpu" in text.lower() else "oom_host"
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return "oom_host"
    return "crashed" if shortage(error) else "failed"  # a full disk is no difference


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, TwinError) else f"{type(error).__name__}: {text[:300]}"
