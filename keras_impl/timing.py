"""What is timed of a Keras twin: a training step, inference, the loop that a user writes, memory.

torch_impl/timing.py has the same functions in the same order. Steps and inference work on tensors that are on the
device already; each comes as a call that repeats it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_impl import backend, train
from keras_impl.train import Run, to_tensors

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
    """The step that `fit` takes with each batch, without the loop around it."""
    tensors = to_tensors(run, batch)
    if run.compiled:
        return lambda: train.take(run, tensors)
    return backend.stock_step(run.model, (run.twin.packed_inputs(tensors), run.twin.targets_of(tensors)))


def inference(run: Run, batch: dict[str, np.ndarray]) -> Call:
    """What `predict` does with each batch, without the loop around it."""
    if run.compiled:
        run.compiled.flush()
    run.model.predict_on_batch(run.twin.packed_inputs(batch))
    return backend.stock_predict(run.model, (run.twin.packed_inputs(to_tensors(run, batch)),))


def ready(run: Run, training: bool) -> None:
    """Put the model into the mode of what is timed next: Keras's calls carry theirs with them."""


def user_loop(run: Run, data: dict[str, np.ndarray], epochs: int, mark: Callable[[], None]) -> None:
    """Train for so many epochs as a user does, and call `mark` after each: `fit` on the arrays."""
    if run.compiled:
        orders = [np.random.default_rng(epoch).permutation(len(next(iter(data.values())))) for epoch in range(epochs)]
        train.fit(run, data, orders, lambda epoch, losses: mark())
        return
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mark())
    x, y, size = run.twin.packed_inputs(data), run.twin.targets_of(data), run.twin.batch_size
    run.model.fit(x, y, batch_size=size, epochs=epochs, verbose=0, callbacks=[clock])


def wait_for(result: Any) -> None:
    """Return when the device has computed what a call returned."""
    backend.wait_for(result)


def device_memory() -> int | None:
    """The most bytes that the device has held; None on a CPU, whose memory the process has."""
    return backend.device_memory()
