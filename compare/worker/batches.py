"""What a twin is given, made in a worker: data takes hundreds of megabytes to make, of which a comparison keeps few."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compare.worker.context import Context
from twin import arrays, batches, catalogue


@dataclass
class Batches:
    """Operations on a twin's data.

    Args:
        context: the worker's.
        of: whose rows are kept, and the size: a reference draws up to eight times, and scenes take seconds to make.
        rows: its training rows.
    """

    context: Context
    of: tuple[str, str] = "", ""
    rows: dict[str, np.ndarray] = field(default_factory=dict)

    def make_batches(self, twin: str, size: str, generator: dict[str, Any], out: str) -> dict[str, Any]:
        """The ladder's batches, drawn by a generator in that state; the state that it is in afterwards."""
        rng, found = np.random.default_rng(), catalogue.find(twin)
        rng.bit_generator.state = generator
        if self.of != (twin, size):
            self.rows = batches.training_rows(found, size)
            self.of = twin, size
        arrays.write(out, batches.make_batches(found, found.ladder_arguments(size), size, rng, self.rows))
        return {"generator": rng.bit_generator.state}

    def exercise_inputs(self, twin: str, out: str) -> dict[str, Any]:
        """An exercise's inputs."""
        arrays.write(out, batches.exercise_inputs(catalogue.find(twin)))
        return {}
