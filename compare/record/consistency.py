"""What a record may not say, whoever edited it: that measurements agree of which nothing was measured."""

import math
from collections.abc import Sequence

from compare.record.measurement import (
    BenchMeasurement,
    CheckMeasurement,
    ExportMeasurement,
    Measurement,
    TrainMeasurement,
)
from compare.record.results import RUNGS, WorstError


def contradiction(measurements: Sequence[Measurement]) -> str:
    """The first thing that cannot be, in words; "" where there is none."""
    seen: dict[tuple[str, ...], Measurement] = {}
    for each in measurements:
        name = f"{each.measure} of {each.twin} on {each.engine} ({each.dtype}, seed {each.seed})"
        if each.key in seen:
            before = seen[each.key].status
            return f"{name} is in it twice" + (f", as {before} and as {each.status}" if before != each.status else "")
        seen[each.key] = each
        if each.status == "ok" and (lacks := _lacks(each)):
            return f"{name} is 'ok', but {lacks}"
        rungs = each.result.rungs if isinstance(each, CheckMeasurement) and each.result is not None else None
        if rungs is not None and (places := [RUNGS.index(rung.rung) for rung in rungs]) != sorted(set(places)):
            return f"{name} has the rungs {', '.join(rung.rung for rung in rungs)}, which is not their order"
        if each.status == "failed" and rungs is not None and all(rung.status != "failed" for rung in rungs):
            return f"{name} is 'failed', but no rung of it failed"
    return ""


def _lacks(measurement: Measurement) -> str:
    """What a measurement that is 'ok' has not."""
    match measurement:
        case CheckMeasurement(result=result):
            if result is None or not result.rungs:
                return "no rung was measured"
            if all(rung.rung != "forward" for rung in result.rungs):
                return "its outputs were not compared"
            for rung in result.rungs:
                if rung.status != "ok":
                    return f"its rung {rung.rung} failed"
                if rung.worst and not math.isfinite(rung.worst.rel_l2):
                    return f"its rung {rung.rung} has no finite error"
                if rung.worst and _exceeds(rung.worst):
                    return f"its rung {rung.rung} is beyond its limit"
        case BenchMeasurement(result=result):
            if result is None or not result.process_runs:
                return "no process run was timed"
            return "" if result.agrees else "its pair was not found to agree"
        case TrainMeasurement(result=result):
            if result is None or not math.isfinite(result.value):
                return "it has no value"
            return "it was trained on no rows" if result.rows == 0 else ""
        case ExportMeasurement(result=result):
            if result is None or not result.errors:
                return "no batch was compared"
            if not all(math.isfinite(error.from_model) for error in result.errors):
                return "it has no finite error"
            within = all(error.from_model <= error.limit for error in result.errors)
            return "" if within else "an error is beyond its limit"
    return "nothing was measured" if measurement.result is None else ""


def _exceeds(far: WorstError) -> bool:
    noise, most = far.noise_ratio, far.noise_limit
    return not far.rel_l2 <= far.limit or (noise is not None and most is not None and noise > most)
