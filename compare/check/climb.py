"""One engine's way up the ladder, rung by rung; the arithmetic of each rung is in ladder.py."""

import numpy as np

from compare.check import ladder, reference
from compare.check.ladder import Rung
from compare.check.reference import Reference
from compare.engines.session import BuiltTwin, Session
from compare.record.measurement import CheckMeasurement
from twin import arrays
from twin.crossing import Crossing
from twin.errors import TwinError
from twin.spec import Twin


def diverged_late(rungs: list[Rung]) -> bool:
    """Whether the only thing that failed are the steps after the first."""
    failed = [rung for rung in rungs if rung.status == "failed"]
    return bool(failed) and (failed[0].rung == "trajectory" or (failed[0].rung == "optimizer" and failed[0].late))


@np.errstate(all="ignore")  # what is not finite fails a rung, and needs no warning beside it
def climb(session: Session, twin: Twin, measurement: CheckMeasurement, ref: Reference) -> list[Rung]:
    """Take one engine up the ladder, rung by rung, until one breaks.

    Args:
        session: with the engine's worker.
        twin: what to check.
        measurement: its dtype, seed and size.
        ref: what to compare with.

    Raises:
        WorkerFailed: when the engine gives no answer.
    """
    limits = ladder.Limits(measurement.dtype == "float64", twin.tolerances)
    if twin.kind == "exercise":
        return [ladder.forward(session.exercise(twin.name, ref.batch, measurement.dtype), ref, limits)]
    size = twin.size(measurement.size)
    assert size is not None
    model = session.build(twin.name, twin.ladder_arguments(measurement.size), measurement.dtype, measurement.seed)
    try:
        cross = Crossing(session.engine.side, model.leaves, ref.leaves, twin)
    except TwinError as error:
        return [ladder.broken("structure", str(error))]
    rungs = [ladder.structure(cross.trainable, size.parameters)]

    model.load(cross.out(ref.weights))
    wanted = {name: array.astype(measurement.dtype) for name, array in ref.weights.items()}
    rungs.append(ladder.weights(cross.back(model.dump()), wanted))
    if any(rung.status == "failed" for rung in rungs):
        return _until_broken(rungs)

    rungs.append(ladder.forward(reference.in_both_modes(model, ref.batch), ref, limits))
    if rungs[-1].status == "failed":
        return [*rungs[:-1], _with_first_difference(rungs[-1], model, ref, limits, twin)]
    if "gradients" not in ref.values:
        return rungs

    found = model.gradients(ref.batch)
    rungs.append(ladder.gradients(found.losses, cross.back(found.arrays), ref, limits))
    if rungs[-1].status == "failed":
        return rungs

    matched = reference.matched_optimizer(twin)
    steps = model.steps(ref.batches, reference.STEPS, reference.SNAPSHOTS, matched, sorted(ref.redundant))
    parts = reference.by_part(steps.arrays, ref.redundant)
    crossed = {
        what: cross.moments_back(part) if what == "moments" else cross.back(part) for what, part in parts.items()
    }
    rungs.append(ladder.optimizer(crossed, ref, limits))
    rungs.append(ladder.trajectory(steps.curve, ref, limits))
    return _until_broken(rungs)


def _with_first_difference(rung: Rung, model: BuiltTwin, ref: Reference, limits: ladder.Limits, twin: Twin) -> Rung:
    """A failed forward rung, its message led by the first layer that differs, where the reference knows its layers."""
    training = rung.worst is not None and rung.worst.name.endswith("(training)")
    if ref.folder is None:  # at the published size, where all layers' values are gigabytes
        return rung
    try:
        wanted = arrays.read(ref.folder / ("training" if training else "inference"))
    except TwinError:  # somebody has removed it; the rung has failed all the same
        return rung
    found = model.activations(ref.batch, training)
    return ladder.with_first_difference(rung, ref.order, found.arrays, wanted, limits, twin.flatten)


def _until_broken(rungs: list[Rung]) -> list[Rung]:
    """The rungs up to the first that failed."""
    for number, rung in enumerate(rungs, start=1):
        if rung.status == "failed":
            return rungs[:number]
    return rungs
