"""A worker without a framework for models too: it takes `transfer_learning` for one Linear layer, in NumPy.

TWIN_PLANT puts a value where it says, such as 'engine forward nan': into what the engine 'torch:compile' computes, into
the reference's float64, or into 'both'. The places are forward, gradients, losses, steps, curve and a metric's value.
"""

import os
import sys

import numpy as np

from compare.worker.serve import serve
from tests.helpers.fake_worker import Fake
from twin import arrays

TWIN = "transfer_learning"
LEAF = {
    "path": "dense",
    "kind": "Linear",
    "shapes": {"weight": [2, 64], "bias": [2]},
    "trainable": ["weight", "bias"],
    "options": {},
}
VALUES = {"nan": np.nan, "inf": np.inf, "empty": None}


class FakeModel(Fake):
    def build(self, twin, dtype, seed, **rest):
        self.dtype = dtype
        drawn = np.random.default_rng(seed).standard_normal((2, 65)).astype(dtype)
        self.weights = {"dense.weight": drawn[:, :64], "dense.bias": drawn[:, 64]}
        side, self.place, self.value = (os.environ.get("TWIN_PLANT") or "none none nan").split()
        exact = dtype == "float64"
        if not ((exact and side in ("reference", "both")) or (self.context.mode and side in ("engine", "both"))):
            self.place = ""
        return {"leaves": [LEAF]}

    def load(self, file):
        self.weights = {name: array.astype(self.dtype) for name, array in arrays.read(file).items()}
        return {}

    def dump(self, out):
        arrays.write(out, self.weights)
        return {}

    def forward(self, batch, training, out):
        x = arrays.read(batch)["x"].astype(self.dtype)
        y = x.reshape(len(x), -1)[:, :64] @ self.weights["dense.weight"].T + self.weights["dense.bias"]
        arrays.write(out, {"y": self.planted("forward", y)})
        return {}

    def activations(self, batch, training, out):
        arrays.write(out, {})
        return {"order": []}

    def gradients(self, batch, out):
        found = {name: self.planted("gradients", array * 2) for name, array in self.weights.items()}
        arrays.write(out, found)
        return {"losses": {"loss": self.loss("losses")}}

    def steps(self, batches, count, snapshots, matched, redundant, out):
        curve, kept = [], {}
        for step in range(1, count + 1):
            self.weights = {name: array * array.dtype.type(0.99) for name, array in self.weights.items()}
            curve.append({"loss": self.loss("curve")})
            if step in snapshots:
                kept |= {f"{step}/weights/{n}": self.planted("steps", a) for n, a in self.weights.items()}
        arrays.write(out, kept)
        return {"curve": curve}

    def fit(self, epochs, **rest):
        value = float(self.planted("value", np.array([0.95]))[0]) if self.place == "value" else 0.95
        return {
            "losses": {"loss": [0.1] * epochs},
            "provenance": "none",
            "rows": 40,
            "seconds": 1.0,
            "epoch_seconds": [1.0] * epochs,
            "value": value,
        }

    def warm_up(self, batch, data, quantities):
        return {
            "first_step": 1.0,
            "second_step": 1.0,
            "unsteady": [],
            "repetitions": dict.fromkeys(quantities, 10),
        }

    def timed_loop(self, quantity, count):
        return {"seconds": 1e-3}

    def peak_memory(self):
        return {"peak_memory_mib": 100.0}

    def loss(self, place):
        return float(sum((array**2).sum() for array in self.weights.values())) if self.place != place else self.number

    @property
    def number(self):
        return float(VALUES[self.value])

    def planted(self, place, array):
        if self.place != place:
            return array
        if self.value == "empty":
            return array[:0]
        array = array.copy()
        array.flat[0] = self.number
        return array


if __name__ == "__main__":
    serve(sys.argv[1], FakeModel)
