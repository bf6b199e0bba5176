"""What a check, a bench, a training and an export find: the one declaration of a record's results.

schema.py derives from these dataclasses what a record's file must hold, so a new field is declared here and nowhere
else. Times are seconds. A `Number` that is not finite is null in the file, and NaN in Python.
"""

import math
import statistics
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

RungName = Literal["structure", "weights", "forward", "gradients", "optimizer", "trajectory"]
Quantity = Literal["step", "loop", "batch_inference", "latency"]
SpeedVerdict = Literal["faster", "slower", "equal", "inconclusive", "unstable", "none", "reference"]
RUNGS: tuple[RungName, ...] = get_args(RungName)  # of the ladder, in its order
# What the bench times in loops, in words.
QUANTITY_NAMES: dict[Quantity, str] = {
    "step": "training step",
    "loop": "training loop",
    "batch_inference": "batch inference",
    "latency": "one-row inference",
}
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)


# What was measured lies in a range; what a file says beyond it, nobody measured, and no arithmetic need survive it.
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Ratio = Annotated[float, Field(ge=0, le=1e15)]
Count = Annotated[int, Field(ge=0, le=2**53)]
MOST = 1e100  # of a loss that says anything, and of an axis that can be drawn


def _number(value: Any) -> Any:
    """NaN for null, and for what is beyond all that is computed with."""
    beyond = isinstance(value, float) and abs(value) > MOST
    return math.nan if value is None or beyond else value


Number = Annotated[float, BeforeValidator(_number)]


def _not_negative(value: float) -> float:
    if value < 0:
        raise ValueError("a distance that is not negative")
    return value


Distance = Annotated[Number, AfterValidator(_not_negative)]


@dataclass
class TensorError:
    """How far one tensor is from the float64 reference.

    Args:
        name: of the tensor, under PyTorch's names.
        rel_l2: relative L2 distance.
        noise_ratio: the error in units of native float32's rounding error; None where the engine computes in float64.
        limit, noise_limit: how large either may be.
    """

    name: str
    rel_l2: Distance
    limit: Distance
    noise_ratio: Distance | None = None
    noise_limit: float | None = None


@dataclass
class WorstError(TensorError):
    """The error of a rung that uses most of what it is allowed.

    Args:
        max_abs: the largest absolute difference of an element.
        index: of that element.
    """

    max_abs: Distance | None = None
    index: list[int] = field(default_factory=list)


@dataclass
class RungResult:
    """What became of one rung of the ladder.

    Args:
        rung: its name.
        status: whether both sides agree on it.
        worst: the error that uses most of what it is allowed; None where none is measured.
        message: one line for a person.
        measured: how many tensors were compared.
        tensors: those that use most of what they are allowed, in the order of the model.
    """

    rung: RungName
    status: Literal["ok", "failed"]
    worst: WorstError | None = None
    message: str = ""
    measured: Count = 0
    tensors: list[TensorError] = field(default_factory=list)


@dataclass
class CheckResult:
    """How far up the ladder an engine came.

    Args:
        rungs: in order, up to the first that failed.
        repeated_with_seed: of the repetition that agreed, where the first run disagreed only after its first step.
    """

    rungs: list[RungResult] = field(default_factory=list)
    repeated_with_seed: int | None = None

    @property
    def worst(self) -> dict[str, WorstError]:
        """The worst error of each rung, where one was measured."""
        return {rung.rung: rung.worst for rung in self.rungs if rung.worst}

    @property
    def noise_ratio(self) -> float | None:
        """The largest error in units of native float32's rounding error."""
        return max((far.noise_ratio for far in self.worst.values() if far.noise_ratio is not None), default=None)


@dataclass
class GpuState:
    """The GPU when a process run began."""

    clock_mhz: float
    celsius: float
    watts: float


@dataclass
class ProcessRun:
    """What one fresh process measured.

    Args:
        times: by quantity, seconds of one repetition in each timed loop.
        import_seconds: from the start of the process until its framework answers.
        first_step, second_step: seconds of the first training steps, in which compilers compile.
        peak_memory_mib: the most memory that was in use: the device's, on a CPU the process's.
        unsteady: quantities whose time still changed when the warm-up ended.
        repetitions: by quantity, in a timed loop.
        gpu: None on a CPU.
    """

    times: dict[Quantity, list[Seconds]] = field(default_factory=dict)
    import_seconds: Seconds | None = None
    first_step: Seconds | None = None
    second_step: Seconds | None = None
    peak_memory_mib: Ratio | None = None
    unsteady: list[Quantity] = field(default_factory=list)
    repetitions: dict[Quantity, Count] = field(default_factory=dict)
    gpu: GpuState | None = None


@dataclass
class SpeedRatio:
    """How many times as long an engine takes as the reference, and what that is worth.

    Args:
        estimate: above 1 is slower.
        low, high: the 95% interval; None for one process run, which has none.
        process_runs: behind the estimate.
        noise_band: how far from 1 the same code may seem to be, from the A/A runs; None for one process run.
        verdict: 'none' for too few process runs.
    """

    estimate: Ratio
    low: Ratio | None
    high: Ratio | None
    process_runs: Count
    noise_band: Ratio | None
    verdict: SpeedVerdict


@dataclass
class BenchResult:
    """How fast an engine is.

    Args:
        agrees: whether the ladder found that the pair agrees; if not, nothing is timed.
        batch_size, threads: of each process.
        reference: the engine that the times are divided by.
        compiled: whether the step runs as one compiled program.
        process_runs: what each fresh process measured.
        aa_runs: process runs of the reference's own code a second time, on the reference's measurement only.
        ratios: by quantity, time over that of the reference; on the reference's measurement its A/A runs over its own.
    """

    agrees: bool | None = None
    batch_size: Count | None = None
    reference: str = ""
    threads: Count | None = None
    compiled: bool | None = None
    process_runs: list[ProcessRun] = field(default_factory=list)
    aa_runs: list[ProcessRun] = field(default_factory=list)
    ratios: dict[Quantity, SpeedRatio] = field(default_factory=dict)

    @property
    def speed(self) -> dict[Quantity, SpeedRatio]:
        """The ratios that may be reported: none of a pair that does not agree."""
        return self.ratios if self.agrees else {}


@dataclass
class Picture:
    """A strip of pictures side by side, a PNG in base64.

    Args:
        caption: what it shows.
        of: 'data' is the same for all engines, 'model' is what the model made of it.
        png: the file's bytes in base64.
    """

    caption: str
    of: Literal["data", "model"]
    png: str


@dataclass
class Boxes:
    """Per row of the test part left, top, right and bottom, from 0 to 1."""

    true: list[list[float]]
    predicted: list[list[float]]


@dataclass
class Labels:
    """Per row of the test part its class, what its sequence reads as, or its rate in beats a minute."""

    true: list[int] | list[str]
    predicted: list[int] | list[str]


@dataclass
class Predictions:
    """What a trained model makes of a few rows of the test part.

    Args:
        rows: how many.
        pictures: of the data and of the model.
        tile: height and width in pixels of one picture of the first strip.
        labels, boxes: where the model predicts classes or places.
    """

    rows: int | None = None
    pictures: list[Picture] = field(default_factory=list)
    tile: list[int] = field(default_factory=list)
    labels: Labels | None = None
    boxes: Boxes | None = None


@dataclass
class TrainResult:
    """What a training reached.

    Args:
        metric: its name.
        value: of the metric on the test part; NaN where the training diverged.
        target: what the twin's own training must reach.
        chance: what a model without training reaches.
        margin: differences below it count as equal.
        epochs: trained.
        init: of the weights: 'shared', 'own' or 'given'.
        loss: by name, after each epoch.
        provenance: where the data came from.
        rows: trained on in an epoch.
        seconds: of the whole training.
        epoch_seconds: of each epoch.
        parameters: trainable ones.
        multiply_adds: of one picture in inference; counted by `twin line` only.
        predictions: of the first seed only.
    """

    metric: str
    value: Number
    target: float
    chance: float
    seconds: Seconds
    loss: dict[str, list[Number]]
    margin: float | None = None
    epochs: Count | None = None
    init: str = ""
    provenance: str = ""
    rows: Count | None = None
    epoch_seconds: list[Seconds] = field(default_factory=list)
    parameters: Count | None = None
    multiply_adds: Count | None = None
    predictions: Predictions | None = None

    @property
    def counted_value(self) -> float:
        """The value; chance for a training that diverged.

        A loss that became infinite or no number has taught the model nothing, which is a result. Leaving it out would
        compare only the seeds that went well.
        """
        return self.value if math.isfinite(self.value) else self.chance

    @property
    def higher_is_better(self) -> bool:
        return self.target > self.chance

    @property
    def rows_per_second(self) -> float | None:
        """In the median epoch; None where only the first was trained, in which compilers compile."""
        later = self.epoch_seconds[1:]
        return self.rows / statistics.median(later) if later and self.rows else None


@dataclass
class ExportError:
    """How far the outputs of an exported file are, over a batch of so many rows.

    Args:
        rows: of the batch.
        from_model: the largest relative L2 distance of an output from the model that was exported.
        from_reference: from native PyTorch in float64, which the model's own rounding is part of.
        limit: how large the first may be.
    """

    rows: Annotated[int, Field(ge=1)]
    from_model: Distance
    from_reference: Distance
    limit: Distance


@dataclass
class ExportResult:
    """What an exported file is worth.

    Args:
        batch: 'any' where one file takes batches of any size, 'fixed' where there is a file for each size.
        errors: over a batch of one row, and over a larger one.
        fault: what is wrong with the file, in the words of export/faults.py; "" where it agrees.
        bytes: of the file, or of the folder's files.
        export_seconds: until the exporter had written it.
        load_seconds: until the runtime, imported already, could run it.
        latency_seconds: of one row in the runtime, the median of several.
        own_latency_seconds: of one row in the framework that the model comes from.
        tools: version by package, of the exporter and the runtime.
    """

    batch: Literal["any", "fixed"]
    errors: list[ExportError] = field(default_factory=list)
    fault: str = ""
    bytes: Count | None = None
    export_seconds: Seconds | None = None
    load_seconds: Seconds | None = None
    latency_seconds: Seconds | None = None
    own_latency_seconds: Seconds | None = None
    tools: dict[str, str] = field(default_factory=dict)

    @property
    def worst(self) -> float | None:
        """The largest distance from the model."""
        return max((error.from_model for error in self.errors), default=None)
