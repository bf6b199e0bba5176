"""One engine's way up the ladder, rung by rung; the arithmetic of each rung is in ladder.py."""

from pathlib import Path
from typing import Any

import numpy as np

from compare.check import ladder, reference
from compare.check.ladder import Rung
from compare.check.reference import Reference
from compare.engines.process import Worker
from compare.record.measurement import CheckMeasurement
from twin import arrays
from twin.bridge import Leaf
from twin.crossing import Crossing
from twin.errors import TwinError
from twin.spec import Twin


def diverged_late(rungs: list[Rung]) -> bool:
    """Whether the only thing that failed are the steps after the first."""
    failed = [rung for rung in rungs if rung.status == "failed"]
    return bool(failed) and (failed[0].rung == "trajectory" or (failed[0].rung == "optimizer" and failed[0].late))


def climb(
    worker: Worker, twin: Twin, measurement: CheckMeasurement, ref: Reference, folder: Path, timeout: float
) -> list[Rung]:
    """Take one engine up the ladder, rung by rung, until one breaks.

    Args:
        worker: the engine's.
        twin: what to check.
        measurement: its dtype, seed and size.
        ref: what to compare with.
        folder: for the arrays on their way.
        timeout: seconds per request.

    Raises:
        WorkerFailed: when the engine gives no answer.
    """
    exact = measurement.dtype == "float64"
    limits = ladder.Limits(exact, twin.tolerances)
    out = folder / "out"

    def ask(op: str, **fields: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        answer = worker.ask(op, timeout, out=str(out), **fields)
        return answer, arrays.read(out)

    if twin.kind == "exercise":
        _, outputs = ask("exercise", twin=twin.name, inputs=str(ref.batch), dtype=measurement.dtype)
        return [ladder.forward(outputs, ref, limits)]

    size = twin.size(measurement.size)
    assert size is not None
    arguments = twin.ladder_arguments(measurement.size)
    built = worker.ask(
        "build", timeout, twin=twin.name, arguments=arguments, dtype=measurement.dtype, seed=measurement.seed
    )
    leaves = [Leaf.from_json(leaf) for leaf in built["leaves"]]
    try:
        cross = Crossing(worker.engine.side, leaves, ref.leaves, twin)
    except TwinError as error:
        return [ladder.broken("structure", str(error))]
    rungs = [ladder.structure(cross.trainable, size.parameters)]

    arrays.write(folder / "weights", cross.out(ref.weights))
    worker.ask("load", timeout, file=str(folder / "weights"))
    _, dumped = ask("dump")
    rungs.append(ladder.weights(cross.back(dumped), {n: a.astype(measurement.dtype) for n, a in ref.weights.items()}))
    if any(rung.status == "failed" for rung in rungs):
        return _until_broken(rungs)

    outputs = {}
    for mode, training in (("inference", False), ("training", True)):
        _, found = ask("forward", batch=str(ref.batch), training=training)
        outputs |= {f"{name} ({mode})": array for name, array in found.items()}
    rungs.append(ladder.forward(outputs, ref, limits))
    if rungs[-1].status == "failed":
        training = rungs[-1].worst is not None and rungs[-1].worst.name.endswith("(training)")
        answer, found = ask("activations", batch=str(ref.batch), training=training)
        if wanted := ref.activations.get("training" if training else "inference"):
            rungs[-1] = ladder.with_first_difference(rungs[-1], ref.order, found, wanted, limits, twin.flatten)
        return rungs
    if "gradients" not in ref.values:
        return rungs

    answer, found = ask("gradients", batch=str(ref.batch))
    rungs.append(ladder.gradients(answer["losses"], cross.back(found), ref, limits))
    if rungs[-1].status == "failed":
        return rungs

    answer, kept = ask(
        "steps",
        batches=str(ref.batches),
        count=reference.STEPS,
        snapshots=reference.SNAPSHOTS,
        matched=reference.matched_optimizer(twin),
        redundant=sorted(ref.redundant),
    )
    parts = reference.by_part(kept, ref.redundant)
    crossed = {
        what: cross.moments_back(part) if what == "moments" else cross.back(part) for what, part in parts.items()
    }
    rungs.append(ladder.optimizer(crossed, ref, limits))
    rungs.append(ladder.trajectory(answer["curve"], ref, limits))
    return _until_broken(rungs)


def _until_broken(rungs: list[Rung]) -> list[Rung]:
    """The rungs up to the first that failed."""
    for number, rung in enumerate(rungs, start=1):
        if rung.status == "failed":
            return rungs[:number]
    return rungs
