"""A record for the site to show."""

import os
from dataclasses import replace

from compare.record.machine import Machine
from compare.record.measurement import BenchMeasurement, CheckMeasurement, TrainMeasurement
from compare.record.record import SCHEMA, Record
from compare.record.results import BenchResult, CheckResult, ProcessRun, RungResult, SpeedRatio, TrainResult, WorstError


def record(path, value=0.97, seconds=0):
    """A record of LeNet on two engines, with values that a reader would recognise."""
    of = ("cpu", "float32", 0, "small", "ok")
    checked = CheckResult([RungResult("forward", "ok", WorstError("y", 3.21e-7, 1e-5, 1.1))])
    learned = TrainResult(
        "accuracy", value, 0.95, 0.1, 1.0, {"loss": [2.0, 0.5, 0.1]}, provenance="real, <made> for this test"
    )
    runs = [ProcessRun({"step": [1.34e-3]}) for _ in range(12)]
    timed = BenchResult(True, process_runs=runs, ratios={"step": SpeedRatio(1.34, 1.2, 1.5, 12, 0.05, "slower")})
    differs = CheckResult([replace(checked.rungs[0], status="failed")])
    failed = CheckMeasurement("lenet", "torch", *of, reason="forward: conv1 differs", result=differs)
    failed.status = "failed"
    measurements = [
        CheckMeasurement("lenet", "keras-jax", *of, result=checked),
        TrainMeasurement("lenet", "keras-jax", *of, result=learned),
        BenchMeasurement("lenet", "keras-jax", *of, result=timed),
        failed,
    ]
    path.write_text(Record(SCHEMA, "compare", None, Machine(), {}, {}, {}, "0", measurements).to_text())
    os.utime(path, (seconds, seconds))
    return path
