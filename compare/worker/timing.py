"""What is timed of a built twin, and the memory that it took."""

import resource
from dataclasses import dataclass
from typing import Any

from compare.worker.context import Context
from compare.worker.stopwatch import Stopwatch
from twin import arrays, seam


@dataclass
class Timing:
    """Operations of a bench, on the built twin."""

    context: Context
    watch: Any = None  # the Stopwatch of the twin that was warmed up last

    def warm_up(self, batch: str, data: str, quantities: list[str]) -> dict[str, Any]:
        """Get the built run ready to be timed: its first steps, and warm in what is to be timed of it."""
        timing: seam.Timing[Any] = self.context.side_module("timing")
        self.watch = Stopwatch(self.context.train, timing, self.context.run, arrays.read(batch), arrays.read(data))
        first, second = self.watch.first_steps()
        warm = {q: self.watch.warm_up(q) for q in self.watch.quantities() if q in quantities}
        return {
            "first_step": first,
            "second_step": second,
            "unsteady": [quantity for quantity, (_, steady) in warm.items() if not steady],
            "repetitions": {quantity: count for quantity, (count, _) in warm.items()},
        }

    def timed_loop(self, quantity: str, count: int) -> dict[str, Any]:
        """Seconds of one of `count` repetitions."""
        return {"seconds": self.watch.timed_loop(quantity, count)}

    def peak_memory(self) -> dict[str, Any]:
        """The most memory that was in use: the device's, on a CPU the process's."""
        timing: seam.Timing[Any] = self.context.side_module("timing")
        on_device = timing.device_memory()
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
        return {"peak_memory_mib": round((resident if on_device is None else on_device) / 2**20, 1)}
