"""A training of the built twin from beginning to end, and what it learned."""

import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compare.worker import pictures
from compare.worker.context import Context
from twin import data, metrics
from twin.batches import check_masks
from twin.data import Dataset
from twin.errors import TwinError


class Stopped(Exception):
    """The training cannot go on."""


class Diverged(Exception):
    """An output of the model is not finite."""


class Reached(Exception):
    """The training has reached its target."""


@dataclass
class Training:
    """The operation that trains the built twin."""

    context: Context

    def fit(
        self,
        epochs: int,
        data_name: str,
        data_options: dict[str, Any],
        show: bool = False,
        until_target: bool = False,
    ) -> dict[str, Any]:
        """Train with the stock optimizer, on batches in an order that the seed fixes; measure what was learned.

        With `show`, also pictures of what was learned. With `until_target`, no longer than it takes to reach the
        metric's target, as seen after each quarter of the epochs; a twin that trains in phases of its own goes on to
        its end, because its metric says nothing before the last phase.
        """
        train, run = self.context.train, self.context.run
        rng = np.random.default_rng(run.seed)
        dataset = data.load(data_name, data_options)
        check_masks(run.twin, dataset.train)
        rows = len(next(iter(dataset.train.values())))
        if not rows or not len(next(iter(dataset.test.values()))):
            raise TwinError(
                f"{data_name} has no rows in its {'test' if rows else 'train'} part; nothing can be learned"
            )
        orders = [rng.permutation(rows) for _ in range(epochs)]
        in_phases = hasattr(run.module, "fit")
        looks = {-(-epochs * part // 4) for part in (1, 2, 3)} if until_target and not in_phases else set()
        progress = Progress(self.context, dataset, epochs, looks)

        train.prepare(run, steps=epochs * math.ceil(rows / run.twin.batch_size))
        found: dict[str, Any] = {"losses": progress.losses, "provenance": dataset.provenance, "rows": rows}
        start = time.perf_counter()
        try:
            train.fit(run, dataset.train, orders, progress.report)
            train.synchronize()
        except Reached:
            pass
        except Stopped as stop:
            found["stopped"] = str(stop)
        found["seconds"] = time.perf_counter() - start
        found["epoch_seconds"] = np.diff([start, *progress.marks]).tolist()
        if "stopped" not in found:
            found["value"] = progress.learned()
            if show:
                found["shown"] = shown(self.context, dataset, progress.outputs)
        return found


@dataclass
class Progress:
    """What a training has come to, epoch by epoch.

    Args:
        context: with the twin that trains.
        dataset: whose test rows say what was learned.
        epochs: how many there are to be.
        looks: the epochs after which it ends if the metric's target is reached.
    """

    context: Context
    dataset: Dataset
    epochs: int
    looks: Collection[int]
    losses: dict[str, list[float]] = field(default_factory=dict)  # by name, one each epoch
    marks: list[float] = field(default_factory=list)  # the clock at the end of each epoch
    outputs: dict[str, np.ndarray] = field(default_factory=dict)  # on the test rows, as last measured

    def report(self, epoch: int, values: dict[str, float]) -> None:
        """Note an epoch's losses and tell the parent.

        Raises:
            Stopped: when a loss is not finite.
            Reached: when the target is reached and this is an epoch to look after.
        """
        self.marks.append(time.perf_counter())
        for name, value in values.items():
            self.losses.setdefault(name, []).append(value)
            if not math.isfinite(value):
                text = f"{name} became {value} in epoch {epoch + 1} of {self.epochs}; try a lower learning rate"
                raise Stopped(text)
        self.context.send({"event": "epoch", "epoch": epoch + 1, "epochs": self.epochs, "losses": values})
        if epoch + 1 in self.looks and self.context.run.twin.metric.reached(self.learned()):
            raise Reached

    def learned(self) -> float:
        """The twin's metric on the test rows; NaN where an output is not finite, of which argmax makes a class."""
        try:
            return getattr(metrics, self.context.run.twin.metric.name)(self._predict, self.dataset.test)
        except Diverged:
            return math.nan

    def _predict(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.outputs.update(self.context.train.predict(self.context.run, given))
        if not all(np.isfinite(array).all() for array in self.outputs.values() if array.dtype.kind == "f"):
            raise Diverged
        return self.outputs


def shown(context: Context, dataset: Dataset, outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Pictures of what was learned: predictions on test rows, where a transformer looks, what a policy does."""
    twin = context.run.twin
    if twin.metric.name == "mean_return":
        return pictures.policy(lambda states: context.train.predict(context.run, states))
    spelled = getattr(data.module(twin.data), "spelled", str)
    heads, inputs = twin.small.arguments.get("heads"), twin.inputs_of(dataset.test)
    rows = pictures.chosen(dataset.test)
    seen = {name: array[rows] for name, array in inputs.items()}
    values = context.train.activations(context.run, seen)[1] if heads else {}
    if twin.metric.name == "phone_error_rate":
        outputs = {**outputs, "attention": pictures.cross_attention(values, heads, seen["source"] != 0)}
    found = pictures.of_predictions(twin, dataset.test, outputs, spelled)
    if found and heads and list(twin.inputs.values()) in (["images"], ["clips"]):
        shape = next(iter(seen.values())).shape[1:]
        if weights := pictures.attention(values, heads, shape, twin.small.arguments.get("tubelet_size")):
            found["pictures"].append(weights)
    return found
