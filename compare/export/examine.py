"""A file in its runtime beside the model that it came from: how far its outputs are, and what is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compare.engines.engine import base_of
from compare.engines.exported import ExportedFile
from compare.engines.process import WorkerFailed
from compare.engines.session import BuiltTwin, Session
from compare.export import faults
from compare.record.measurement import ExportMeasurement
from compare.record.results import ExportError, ExportResult
from twin.batches import BATCH
from twin.bridge import Arrays
from twin.native import from_native
from twin.spec import Twin

ROWS = (1, BATCH)
WORDS = 300  # of a tool's reason


@dataclass
class Source:
    """A model in its engine's worker, which every file is compared with.

    Args:
        session: with the worker.
        twin: which.
        built: the model, with the reference's weights.
        weights: under its own names.
        inputs: rows -> a batch, in the model's own layout.
        wanted: rows -> its outputs, in the layout of the data.
        exact: rows -> those of native PyTorch in float64.
        latency: seconds of one row.
    """

    session: Session
    twin: Twin
    built: BuiltTwin
    weights: Arrays
    inputs: dict[int, Arrays]
    batches: dict[int, Arrays]
    wanted: dict[int, Arrays]
    exact: dict[int, Arrays]
    latency: float

    @property
    def side(self) -> str:
        return self.session.engine.side

    @property
    def order(self) -> list[str]:
        """The outputs as its exporters flatten a dictionary: PyTorch as it was filled, TensorFlow and JAX by name."""
        declared = list(self.twin.outputs)
        return declared if base_of(self.session.engine.name) in ("torch", "keras-torch") else sorted(declared)

    def with_weights_of(self, kind: str, rows: int) -> Arrays:
        """The outputs for the batch of so many rows, with weights rounded to float16 or bfloat16."""
        self.built.load({name: rounded(array, kind) for name, array in self.weights.items()})
        try:
            return self.built.forward(self.batches[rows])
        finally:
            self.built.load(self.weights)


def swapped(batch: Arrays) -> Arrays:
    """A batch whose pictures, (..., H, W, C), have height and width exchanged."""
    return {name: np.swapaxes(a, -2, -3) if a.ndim >= 4 else a for name, a in batch.items()}


def rounded(array: np.ndarray, kind: str) -> np.ndarray:
    """A float32 array through float16 or bfloat16 and back."""
    if kind == "float16":
        return array.astype(np.float16).astype(np.float32)
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).reshape(array.shape)


@dataclass(frozen=True)
class Evidence:
    """What else can be learned of an open file; a tool that is not installed for it costs the evidence only."""

    format: str
    file: Path
    opened: ExportedFile

    def stored(self) -> list[np.ndarray]:
        """The arrays in it."""
        try:
            return list(self.opened.stored(self.format, self.file).values())
        except WorkerFailed as failure:
            if not failure.alive:
                raise
            return []

    def elsewhere(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """What another implementation of the format gives."""
        return self.opened.run_elsewhere(self.format, self.file, inputs)


def open_file(measurement: ExportMeasurement, opened: ExportedFile, file: Path, result: ExportResult) -> None:
    """Have the runtime load a file; one that it cannot load leaves its fault in the result.

    Raises:
        WorkerFailed: when the runtime crashes or hangs.
    """
    try:
        answer = opened.open(measurement.format, file, measurement.twin)
    except WorkerFailed as failure:
        if not failure.alive:
            raise
        result.fault = f"damaged: the runtime cannot load what the exporter wrote: {failure.reason[:WORDS]}"
        return
    result.load_seconds, result.tools = answer.seconds, result.tools | answer.tools


def run_file(source: Source, opened: ExportedFile, rows: int, result: ExportResult, evidence: Evidence) -> None:
    """An open file on one batch; one that is wrong leaves its fault in the result.

    Raises:
        WorkerFailed: when the runtime crashes or hangs.
    """
    inputs, wanted = source.inputs[rows], source.wanted[rows]

    def run(given: Mapping[str, np.ndarray]) -> Arrays:
        return from_native(source.twin, source.side, faults.named(opened.run(given), wanted, source.order))

    try:
        got = run(inputs)
    except WorkerFailed as failure:
        if not failure.alive:
            raise
        result.fault = faults.of_refusal(run, inputs, wanted, str(failure)[:WORDS], max(ROWS))
        return
    except ValueError as other:  # it was run, and returns more or fewer outputs than the model
        result.fault = str(other)
        return
    distance = faults.far(got, wanted)
    error = ExportError(rows, distance, faults.far(got, source.exact[rows]), faults.LIMIT)
    result.errors.append(error)
    if not distance <= faults.LIMIT:
        rounding: dict[str, Any] = {
            kind: lambda kind=kind: source.with_weights_of(kind, rows) for kind in ("float16", "bfloat16")
        }
        further = (
            lambda: faults.of_swapped(got, lambda: source.built.forward(swapped(source.batches[rows]))),
            lambda: faults.of_training(got, lambda: source.built.forward(source.batches[rows], training=True)),
            lambda: faults.of_activations(got, lambda p: source.built.forward_without(source.batches[rows], p)),
            lambda: faults.of_weights(evidence.stored(), source.weights, distance),
        )

        def elsewhere(given: Mapping[str, np.ndarray]) -> Arrays:
            outputs = faults.named(evidence.elsewhere(given), wanted, source.order)
            return from_native(source.twin, source.side, outputs)

        result.fault = faults.of_runtime(run, inputs, got, wanted, elsewhere) or faults.of_outputs(
            run, inputs, got, wanted, rounding, further
        )
    elif rows == 1:
        result.latency_seconds = opened.latency(inputs)
