"""What the operations of a worker share: its side, its device, and what is built."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from compare.worker.stand_in import StandIn
from twin import seam


@dataclass
class Context:
    """What one worker holds from request to request.

    Args:
        engine: its name, as 'torch:compile' or 'keras-jax'.
        send: writes one message to the parent, as an epoch of a training that goes on.
    """

    engine: str
    send: Callable[[dict[str, Any]], None]
    device: str = "cpu"
    run: Any = None  # the built twin: the side's own kind of seam.Run
    stand: StandIn | None = None  # a learner's file in the place of a twin's own

    @property
    def side(self) -> str:
        """'keras' or 'torch'."""
        return "torch" if self.engine.partition(":")[0] == "torch" else "keras"

    @property
    def mode(self) -> str:
        """The engine's way to run a twin; '' for the stock one."""
        return self.engine.partition(":")[2]

    @cached_property
    def train(self) -> seam.Train[Any]:
        """The side's `train`; whoever asks first imports the framework."""
        return self.side_module("train")

    def side_module(self, name: str) -> Any:
        """A module of this side of the seam (twin.seam)."""
        return importlib.import_module(f"{self.side}_impl.{name}")
