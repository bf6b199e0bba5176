"""Inside a worker: one run, timed in loops that are long enough for the clock and drained at their end."""

import math
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from twin.bridge import Arrays
from twin.seam import R, Timing, Train

TIMED_LOOP = 0.1  # seconds that a timed loop takes at least
WARM_LOOP = 0.02
WINDOW = 20  # loops of the half-sample test
SLOW_WINDOW = 8  # of calls that are as long as a timed loop: a step of a second need not be taken a hundred times
WINDOWS = 5  # after which a run that still changes has no steady state


class Stopwatch:
    """Times a built run, quantity by quantity.

    Args:
        train, timing: the modules of the run's side.
        run: freshly built, with its weights loaded.
        batch: one training batch with the random numbers that it draws.
        data: the rows that the loop trains on.
    """

    def __init__(self, train: Train[R], timing: Timing[R], run: R, batch: Arrays, data: Arrays):
        self.train, self.timing, self.run = train, timing, run
        self.batch, self.data = batch, data
        self.calls: dict[str, Any] = {}
        timing.prepare(run)

    def quantities(self) -> list[str]:
        """What can be timed of this run."""
        return ["step", "batch_inference", "latency", *([] if hasattr(self.run.module, "fit") else ["loop"])]

    def first_steps(self) -> tuple[float, float]:
        """Seconds of the first step, in which compilers compile, and of the second."""
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            self.train.step(self.run, self.batch)
            seconds.append(time.perf_counter() - start)
        return seconds[0], seconds[1]

    def warm_up(self, quantity: str) -> tuple[int, bool]:
        """Repeat until the time of a loop no longer changes.

        Returns:
            How often to repeat in a timed loop, and whether a steady state was reached.
        """
        if quantity == "loop":
            each = self.timed_loop(quantity, 1) * self._loop_steps()
            return max(1, math.ceil(TIMED_LOOP / each)), True
        if quantity == "step":
            self.calls[quantity] = self.timing.training_step(self.run, self.batch)
        else:
            inputs = self.run.twin.inputs_of(self.batch)
            if quantity == "latency":
                inputs = {name: array[:1] for name, array in inputs.items()}
            self.calls[quantity] = self.timing.inference(self.run, inputs)
        self.timed_loop(quantity, 1)
        each = self.timed_loop(quantity, 1)
        count = max(1, math.ceil(WARM_LOOP / each))
        window = WINDOW if each < TIMED_LOOP else SLOW_WINDOW
        for _ in range(WINDOWS):
            seconds = [self.timed_loop(quantity, count) for _ in range(window)]
            if steady := is_steady(seconds):
                break
        return max(1, math.ceil(TIMED_LOOP / min(seconds))), steady

    def timed_loop(self, quantity: str, count: int) -> float:
        """Seconds of one of `count` repetitions: of a step, a batch, or (in the loop) a step of so many epochs."""
        if quantity == "loop":
            marks: list[float] = []
            self.timing.user_loop(self.run, self.data, count + 1, lambda: marks.append(time.perf_counter()))
            return (marks[-1] - marks[0]) / (count * self._loop_steps())  # the first epoch also starts the loop
        self.timing.ready(self.run, training=quantity == "step")
        call = self.calls[quantity]
        start = time.perf_counter()
        for _ in range(count):
            result = call()
        self.timing.wait_for(result)
        return (time.perf_counter() - start) / count

    def _loop_steps(self) -> int:
        return math.ceil(len(next(iter(self.data.values()))) / self.run.twin.batch_size)


def is_steady(seconds: Sequence[float]) -> bool:
    """Whether times no longer fall: the half-sample test of pyperf's calibration of warm-ups.

    The first value is no outlier above the rest; the first half's mean is at most 10% above the second's; and the
    quartiles of both halves are within 10% of each other (pyperf takes 5%, on machines that do nothing else).
    """
    half = len(seconds) // 2
    first, second = seconds[:half], seconds[half:]
    low, high = np.quantile(seconds[1:], [0.25, 0.75])
    if seconds[0] > high + 1.5 * (high - low) and seconds[0] > 1.1 * high:
        return False
    if statistics.fmean(first) > 1.1 * statistics.fmean(second):
        return False
    quartiles = np.quantile(first, [0.25, 0.75]) / np.quantile(second, [0.25, 0.75])
    return bool(np.all(np.abs(quartiles - 1) <= 0.1))
