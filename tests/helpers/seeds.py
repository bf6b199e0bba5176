"""Cells of `twin train` over seeds, made up, and what the arithmetic makes of them."""

import numpy as np

from compare.record.measurement import TrainMeasurement
from compare.record.results import TrainResult
from compare.report.learned import comparisons
from twin.catalogue import find


def trained(twin, engine, values, **changes):
    """Cells of `twin train` with those values, seed by seed."""
    metric = find(twin).metric
    of_metric = {"metric": metric.name, "target": metric.target, "chance": metric.chance, "margin": metric.margin}
    fields = {**of_metric, "seconds": 1.0, "loss": {}, **changes}
    return [
        TrainMeasurement(
            twin, engine, "cpu", "float32", seed, "small", "ok", result=TrainResult(**{**fields, "value": float(value)})
        )
        for seed, value in enumerate(values)
    ]


def compared(ours, theirs, twin="lenet", engine="keras-jax"):
    """The comparison of such values of one engine against native PyTorch's."""
    (found,) = comparisons([*trained(twin, engine, ours), *trained(twin, "torch", theirs)])
    return found


def around(mean, deviation, count, seed=0):
    """That many numbers whose mean and standard deviation are exactly these."""
    x = np.random.default_rng(seed).normal(size=count)
    return (mean + deviation * (x - x.mean()) / x.std(ddof=1)).tolist()
