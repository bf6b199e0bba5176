"""What depends on Keras's backend: a file for each, with the same functions in the same order.

`Backend` says what each of them does. Nothing else of `keras_impl` asks which backend runs, but for the catalogues of
words and of differences, which show it.
"""

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import keras
import numpy as np

Batch = Any  # tensors, or a dictionary or tuple of them


class CompiledStep(Protocol):
    """A training step as its backend compiles it, called with a batch."""

    def __call__(self, batch: Batch) -> Any:
        """What the step returns, as tensors of the backend."""

    def reading(self, function: Callable[[Batch], Any]) -> Callable[[Batch], Any]:
        """`function`, compiled likewise: it reads the variables as the last step left them, and assigns none."""

    def flush(self) -> None:
        """Bring the Keras variables up to date with the steps that were taken."""


class Backend(Protocol):
    """The functions of each backend's file."""

    def value_and_gradients(
        self, function: Callable[[], Any], variables: Sequence[Any], others: Sequence[Any] = ()
    ) -> tuple[Any, Sequence[Any]]:
        """The loss `function()` (twin.losses), and its gradient by each of the Keras `variables`.

        `others` are the variables that it reads or assigns besides (running statistics), which JAX has to be told.
        """

    @property
    def Compiled(self) -> Callable[[Callable[[Batch], Any], Sequence[Any], str], CompiledStep]:
        """`Compiled(step, variables, mode)` is `step(batch)` compiled.

        `variables` are all that the step reads or assigns; `mode` is '', 'compile' (PyTorch) or 'eager' (TensorFlow).
        """

    def once(self, function: Callable[[Batch], Any], variables: Sequence[Any], batch: Batch) -> Any:
        """`function(batch)` for a single call, which may assign the variables.

        On JAX it is one program: op by op XLA would compile hundreds of small ones, each with a megabyte of its own.
        """

    def forget(self) -> None:
        """Let go of what was compiled for earlier models."""

    def seed(self, seed: int) -> None:
        """Seed what the backend draws from without a SeedGenerator: dropout on PyTorch, the order of rows in `fit`."""

    def drawing(self) -> AbstractContextManager[Any]:
        """A block in which initial weights are drawn, and an optimizer's variables are made."""

    def batches(self, pairs: Any, orders: Sequence[np.ndarray], batch_size: int) -> tuple[Any, int | None]:
        """What `fit` takes, and its number of steps an epoch, where it must be told.

        It gives the rows of `pairs` (inputs and targets) in a given order for each epoch, so that both frameworks see
        the same batches.
        """

    def stock_step(self, model: Any, data: Batch) -> Callable[[], Any]:
        """What `fit` does with each batch, always with the tensors `data`: a call that returns the logs."""

    def stock_predict(self, model: Any, data: Batch) -> Callable[[], Any]:
        """What `predict` does with each batch, always with the tensors `data`: a call that returns the outputs."""

    def device_name(self) -> str | None:
        """The name of the GPU that the backend computes on; None where it sees none."""

    def synchronize(self) -> None:
        """Wait until the device is idle."""

    def wait_for(self, result: Any) -> None:
        """Return when the device has computed these tensors."""

    def device_memory(self) -> int | None:
        """The most bytes that the device has held; None on a CPU."""


BACKEND = keras.backend.backend()
chosen = cast(Backend, importlib.import_module(f"keras_impl.backend.{BACKEND}"))

value_and_gradients = chosen.value_and_gradients
Compiled = chosen.Compiled
once = chosen.once
forget = chosen.forget
seed = chosen.seed
drawing = chosen.drawing
batches = chosen.batches
stock_step = chosen.stock_step
stock_predict = chosen.stock_predict
device_name = chosen.device_name
synchronize = chosen.synchronize
wait_for = chosen.wait_for
device_memory = chosen.device_memory
