"""What changed in speed and memory, between two records."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from compare.record.machine import Machine
from compare.record.measurement import BenchMeasurement
from compare.record.results import QUANTITIES, BenchResult, ProcessRun, Quantity
from compare.report.diff_figure import FigureChange, Group, Outcome, better_or_worse
from compare.stats import ratios

SCALAR_FACTOR = 1.2  # of what is measured once in a process run
OUTCOMES: dict[str, Outcome] = {
    "slower": "regression",
    "faster": "improvement",
    "equal": "same",
    "inconclusive": "inconclusive",
    "none": "no verdict",
    "unstable": "no verdict",
}


class Timing:
    """The benches of one key in both records.

    Args:
        group: their measurements, one of either record.
        old_machine, new_machine: of the records.
    """

    def __init__(self, group: Group, old_machine: Machine, new_machine: Machine):
        self.group = group
        self.old, self.new = group.old[0], group.new[0]
        self.before, self.after = (each.result or BenchResult() for each in (self.old, self.new))
        self.machines = _machine(self.old, old_machine), _machine(self.new, new_machine)
        self.compared = False  # whether times were
        self.outcomes: dict[str, Outcome] = {}  # by the name of a figure

    def figures(self) -> list[FigureChange]:
        """Whether it runs; on the same machine also times and memory."""
        was, now = (each.status in ("ok", "unstable", "not_run") for each in (self.old, self.new))
        outcome = better_or_worse(was, now)
        why = self.new.reason if outcome == "regression" else ""
        out = [self.group.figure("timing", self.old.status, self.new.status, outcome=outcome, why=why)]
        if self.before.process_runs and self.after.process_runs and self._comparable():
            self.compared = True
            out += [*self._times(), *self._scalars()]
        return out

    def ratios(self, timed: Sequence["Timing"]) -> list[FigureChange]:
        """The ratio to the reference in the same process runs, which a machine that slows as a whole leaves as it was.

        Args:
            timed: all benches of the two records, with their figures.
        """
        if not self.compared:
            return []
        was, reference = self.before.reference, self.after.reference
        if was != reference:
            self.group.not_compared.append(f"ratios of {self.group.twin}: the reference was {was} and is {reference}")
            return []
        key = (*self.group.key[:2], reference, *self.group.key[3:])
        native = next((each for each in timed if each.group.key == key), None)
        if native is None or native is self:
            return []
        out = []
        for quantity in QUANTITIES:
            logs = [
                _log_ratios(own, its, quantity)
                for own, its in ((self.before, native.before), (self.after, native.after))
            ]
            if all(logs):
                faster = native.outcomes.get(quantity) == "improvement"
                excused = faster and self.outcomes.get(quantity) != "regression"
                excuse = f"{reference} became faster" if excused else ""
                out.append(self._judged(quantity, f"{quantity} ratio", logs, "", excuse))
        return out

    def _comparable(self) -> bool:
        theirs, ours = self.machines
        if theirs != ours:
            differing = [
                f"{name} {_word(theirs[name])} and {_word(ours[name])}" for name in ours if theirs[name] != ours[name]
            ]
            self.group.not_compared.append(f"speed and memory, measured on two machines: {'; '.join(differing)}")
            return False
        if self.before.batch_size != self.after.batch_size:
            sizes = f"{self.before.batch_size} and {self.after.batch_size}"
            self.group.not_compared.append(f"speed of {self.group.twin}: its batch sizes are {sizes}")
            return False
        return True

    def _times(self) -> list[FigureChange]:
        out = []
        for quantity in QUANTITIES:
            times = [[run.times.get(quantity, []) for run in each.process_runs] for each in (self.before, self.after)]
            if min(min(loops, default=0.0) for side in times for loops in side) > 0:
                out.append(self._judged(quantity, quantity, [ratios.medians(each) for each in times], "s"))
        return out

    def _scalars(self) -> list[FigureChange]:
        """What is measured once in a process run."""
        out = []
        for name, of_run in (
            ("first step", lambda run: run.first_step),
            ("second step", lambda run: run.second_step),
            ("import", lambda run: run.import_seconds),
            ("memory", lambda run: run.peak_memory_mib),
        ):
            values = [[of_run(run) or 0.0 for run in each.process_runs] for each in (self.before, self.after)]
            if min(map(min, values)) > 0:
                out.append(self._scalar(name, values))
        return out

    def _judged(
        self, quantity: Quantity, name: str, logs: list[list[float]], unit: str, excuse: str = ""
    ) -> FigureChange:
        """A figure of speed, from the log values of both sides' process runs."""
        ratio = ratios.unpaired(logs[1], logs[0])
        bands = [
            each.ratios[quantity].noise_band if quantity in each.ratios else None for each in (self.before, self.after)
        ]
        known = [band for band in bands if band is not None]
        band = max(known) if len(known) == len(bands) else None  # without one, nothing can be told from noise
        steady = min(_steady(each.process_runs, quantity) for each in (self.before, self.after))
        outcome = OUTCOMES[ratios.judge(ratio, band, steady)]
        if outcome == "regression" and excuse:
            outcome = "moved"
        self.outcomes[name] = outcome
        return self.group.figure(
            name,
            *(math.exp(statistics.fmean(side)) for side in logs),
            unit=unit,
            change=ratio.estimate,
            low=ratio.low,
            high=ratio.high,
            outcome=outcome,
            why=excuse if outcome == "moved" else "",
        )

    def _scalar(self, name: str, values: list[list[float]]) -> FigureChange:
        """Moved beyond a fifth, and beyond what process runs differ by."""
        before, after = ([math.log(value) for value in side] for side in values)
        ratio = ratios.unpaired(after, before)
        told_apart = ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high
        outcome: Outcome = "same"
        if told_apart and not 1 / SCALAR_FACTOR <= ratio.estimate <= SCALAR_FACTOR:
            outcome = "moved" if name != "memory" else "regression" if ratio.estimate > 1 else "improvement"
        return self.group.figure(
            name,
            *(statistics.median(side) for side in values),
            unit="MiB" if name == "memory" else "s",
            change=ratio.estimate,
            low=ratio.low,
            high=ratio.high,
            outcome=outcome,
        )


def _log_ratios(own: BenchResult, its: BenchResult, quantity: Quantity) -> list[float]:
    """Per process run that both have timed, the median log ratio of their loops."""
    pairs = [
        (a.times[quantity], b.times[quantity])
        for a, b in zip(own.process_runs, its.process_runs, strict=False)
        if len(a.times.get(quantity, [])) == len(b.times.get(quantity, [])) > 0
        and min(*a.times[quantity], *b.times[quantity]) > 0
    ]
    return ratios.medians([a for a, _ in pairs], [b for _, b in pairs])


def _machine(measurement: BenchMeasurement, of_record: Machine) -> dict[str, Any]:
    """What speed depends on, of the machine that measured."""
    machine = measurement.node.machine if measurement.node else of_record
    gpu = machine.gpu.name if machine.gpu and measurement.device != "cpu" else None
    return {
        "processor": machine.processor,
        "cores": machine.cores,
        "memory_gib": machine.memory_gib,
        "gpu": gpu,
    }


def _steady(runs: Sequence[ProcessRun], quantity: Quantity) -> float:
    """The share of process runs that reached a steady state."""
    return sum(quantity not in run.unsteady for run in runs) / len(runs)


def _word(value: Any) -> str:
    return "unknown" if value is None else str(value)
