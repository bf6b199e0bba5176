"""What is timed of a PyTorch twin: a training step, inference, the loop that a user writes, memory.

keras_impl/timing.py has the same functions in the same order. Steps and inference work on tensors that are on the
device already; each comes as a call that repeats it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from torch_impl import train
from torch_impl.train import Run, to_tensors

Call = Callable[[], Any]
STILL = 1e-6  # of the learning rate


def prepare(run: Run) -> None:
    """Give the run its stock optimizers, at a rate at which nothing moves.

    Thousands of steps on one batch would drive its loss to zero, and numbers next to zero cost time that no
    training costs. A step takes as long at any rate.
    """
    spec = replace(run.twin.optimizer, learning_rate=STILL * run.twin.optimizer.learning_rate)
    run.twin = replace(run.twin, optimizer=spec)
    train.prepare(run, 1_000_000)


def training_step(run: Run, batch: dict[str, np.ndarray]) -> Call:
    """The step of the training loop, without the loop around it."""
    tensors = to_tensors(run, batch)
    return lambda: train.take(run, tensors)


def inference(run: Run, batch: dict[str, np.ndarray]) -> Call:
    """The model on a batch in inference mode, without the loop around it."""
    inputs = to_tensors(run, run.twin.inputs_of(batch))
    call = partial(run.model, **inputs) if len(inputs) > 1 else partial(run.model, *inputs.values())

    def infer() -> Any:
        with torch.inference_mode():
            return call()

    return infer


def ready(run: Run, training: bool) -> None:
    """Put the model into the mode of what is timed next."""
    run.model.train(training)


def user_loop(run: Run, data: dict[str, np.ndarray], epochs: int, mark: Callable[[], None]) -> None:
    """Train for so many epochs as a user does, and call `mark` after each: a loop over a DataLoader."""
    run.model.train()
    if hasattr(run.module, "PHASES"):
        orders = [np.random.default_rng(epoch).permutation(len(next(iter(data.values())))) for epoch in range(epochs)]
        train.fit(run, data, orders, lambda epoch, losses: mark())
        return
    tensors = to_tensors(run, data)
    loader = DataLoader(TensorDataset(*tensors.values()), batch_size=run.twin.batch_size, shuffle=True)
    for _ in range(epochs):
        total: Any = 0.0
        for rows in loader:
            batch = dict(zip(tensors, rows, strict=True))
            total += train.take(run, batch)["loss"] * len(rows[0])
        float(total)
        mark()


def wait_for(result: Any) -> None:
    """Return when the device has computed what a call returned."""
    train.synchronize()


def device_memory() -> int | None:
    """The most bytes that the device has held; None on a CPU, whose memory the process has."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
