"""A learner's file in the place of a twin's own, inside a worker.

The twin's module is looked up by its name, so another module under that name is all it takes. While it is there
nothing that it does may take the worker with it: an endless loop is interrupted in the line where it turns, and
what reads from the keyboard finds nothing to read.
"""

import contextlib
import io
import signal
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compare.port import skeleton

FILE = "<the learner's file>"


class Overtime(BaseException):
    """The learner's code had no end in time; no `except Exception` may swallow it."""


class StandIn:
    """Takes a module's place under its name.

    Args:
        own: the twin's own module.
        text: the learner's file.
        units: which of its methods; None for the whole file.
        owned: attributes that hold weights.
        patience: seconds until it is interrupted.
    """

    def __init__(self, own: Any, text: str, units: list[str] | None, owned: list[str], patience: float):
        self.own, self.patience = own, patience
        self.ran: set[str] = set()
        self.tree = skeleton.put_together(Path(own.__file__).read_text(), text, units, owned)

    def enter(self) -> None:
        """Run the file as the twin's module."""
        sys.stdin = io.StringIO()  # requests come through another handle, and stay out of reach of `input`
        module = types.ModuleType(self.own.__name__)
        module.__dict__.update({"__file__": self.own.__file__, skeleton.RAN: self.ran})
        sys.modules[self.own.__name__] = module
        exec(compile(self.tree, FILE, "exec"), module.__dict__)

    def leave(self) -> None:
        """Let the twin's own module be found again."""
        sys.modules[self.own.__name__] = self.own

    @contextlib.contextmanager
    def in_time(self) -> Iterator[None]:
        """Interrupt what takes longer than the patience, again and again until it stops."""

        def stop(*_: Any) -> None:
            raise Overtime(f"no end after {self.patience:g} s")

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, self.patience, 1.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def place_of(error: BaseException) -> dict[str, Any]:
    """Where in the learner's code an error arose: the method, the line, the layer, and the error's words."""
    place: dict[str, Any] = {}
    owner, path = None, ""  # of the layer whose call is under way
    trace = error.__traceback__
    while trace is not None:
        code, me = trace.tb_frame.f_code, trace.tb_frame.f_locals.get("self")
        if code.co_filename == FILE and trace.tb_lineno < skeleton.OWN_LINES:
            place = {"unit": code.co_qualname.split(".<locals>")[0], "line": trace.tb_lineno}
        if owner is None and code.co_filename == FILE:
            owner = me
        elif owner is not None and (name := _attribute(owner, me)):
            owner, path = me, f"{path}.{name}".lstrip(".")
        trace = trace.tb_next
    text = " ".join(str(error).split())[:300]
    told = {"error": f"{type(error).__name__}: {text}", "overtime": isinstance(error, Overtime)}
    return {**place, **told, "layer": path}


def _attribute(owner: Any, layer: Any) -> str:
    """The attribute of a model or layer that holds another, as `dense1` or `blocks.0`; "" where none does."""
    held = {**getattr(owner, "__dict__", {}), **getattr(owner, "_modules", {})}  # PyTorch keeps modules there
    for name, value in held.items():
        if value is layer and not name.startswith("_"):
            return name
        many = list(value) if isinstance(value, list | tuple) or type(value).__name__ == "ModuleList" else []
        for number, each in enumerate(many):
            if each is layer:
                return f"{name}.{number}"
    return ""
