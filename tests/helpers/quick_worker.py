"""A worker that has no framework and takes no time: it answers the bench with the times that it is told."""

import os
import sys

import numpy as np

from compare.worker.serve import serve
from twin import arrays

QUANTITIES = {"step": 1e-3, "loop": 1.2e-3, "batch_inference": 3e-4, "latency": 1e-4}


class Quick:
    """Takes `TWIN_SLOWER` times as long as the reference where its mode is 'slow', and gives up in a 'dying' one."""

    def __init__(self, context):
        self.mode = context.mode
        self.rng = np.random.default_rng()

    def hello(self, device):
        return {"versions": {"quick": "1"}, "device": device}

    def build(self, **fields):
        return {"leaves": []}

    def dump(self, out):
        arrays.write(out, {})
        return {}

    def load(self, file):
        return {}

    def warm_up(self, batch, data, quantities):
        assert arrays.read(batch)["x"].shape[0] == arrays.read(batch)["y"].shape[0]
        return {
            "first_step": 2.0,
            "second_step": 1.0,
            "unsteady": ["loop"] if self.mode == "restless" else [],
            "repetitions": dict.fromkeys(quantities, 100),
        }

    def timed_loop(self, quantity, count):
        if self.mode == "dying":
            os._exit(7)
        factor = float(os.environ.get("TWIN_SLOWER", "1.1")) if self.mode == "slow" else 1.0
        return {"seconds": factor * QUANTITIES[quantity] * float(np.exp(0.01 * self.rng.standard_normal()))}

    def peak_memory(self):
        return {"peak_memory_mib": 100.0}


if __name__ == "__main__":
    serve(sys.argv[1], Quick)
