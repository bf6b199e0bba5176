"""One file on trial: the ladder, then a short training, then the methods that nothing has called."""

import ast
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from compare.check.climb import climb, diverged_late
from compare.check.ladder import Rung
from compare.engines.answers import Trained
from compare.engines.process import WorkerFailed
from compare.engines.session import Session
from compare.port import skeleton
from compare.port.phrases import first_wrong_layer, in_words
from compare.port.workers import ENGINE, OWN, REFERENCE, File, Workers
from compare.record.measurement import CheckMeasurement
from twin.batches import BATCH
from twin.bridge import Arrays, Leaf
from twin.numeric import distance
from twin.paths import source

ROUNDING = 5e-7  # relative L2: what float32 in the middle of a float64 model looks like
LEARNED = 1e-4  # relative difference of the losses of two short trainings from the same seed
CALLED = 1e-5  # relative L2 between what a method and the twin's own return in float32


@dataclass(frozen=True)
class Outcome:
    """What became of one file on the ladder.

    Args:
        message: one line; "" where every rung holds.
        rung: the one that broke; 'error' where the code stopped.
        unit: the learner's method in which the code stopped, where that is known.
        fatal: whether it had no end, or took the worker with it.
        ran: the methods that were called.
        figures: every distance measured, by rung and name.
    """

    message: str = ""
    rung: str = ""
    unit: str = ""
    fatal: bool = False
    ran: frozenset[str] = frozenset()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.rung


@dataclass
class Trials:
    """Files of one twin and side, each tried against the twin's own.

    Args:
        workers: the engines.
        leaves: the layers with weights of the twin's own model.
    """

    workers: Workers
    leaves: list[Leaf]
    control: dict[str, bool] = field(default_factory=dict)  # dtype -> whether the twin's own file agrees throughout
    trained: Trained | None = None  # the twin's own short training
    slow: bool = False  # whether that takes too long to ask it of a learner's file

    def __post_init__(self) -> None:
        self.twin, self.side = self.workers.twin, self.workers.side
        self.own = skeleton.units(ast.parse(source(self.side, self.twin)))

    def outcome(self, text: str, units: Sequence[str] | None) -> Outcome:
        """Take the learner's file, or the twin's own with those methods of it, up the ladder.

        Native PyTorch climbs in float64, where rounding hides nothing; only where that shows no more than float32 in
        the learner's code does float32 decide.
        """
        file = File(text, units)
        first = self._tried(file, "float64" if self.side == "torch" else "float32")
        if self.side == "keras" or first.ok or first.fatal:
            return first
        far = max(first.figures.values(), default=0.0)
        kinds = any(word in first.message.lower() for word in ("dtype", "float", "double"))
        if (first.rung == "error" and kinds) or (
            first.rung in ("forward", "gradients", "optimizer") and far < ROUNDING
        ):
            again = self._tried(file, "float32")
            return again if again.ok else first
        return first

    def _tried(self, file: File, dtype: str) -> Outcome:
        """The outcome in one dtype, whatever the learner's code does."""
        try:
            self.workers.reference(dtype)
            self.workers.place(file)
            return self._on_the_ladder(file, dtype)
        except WorkerFailed as failure:
            return self._stopped(failure)
        except KeyError as error:  # the ladder's arithmetic takes for granted that a model's arrays have its names
            return Outcome(f"{error.args[0]} is missing from what the code gives", "shape", ran=self._ran(file))
        except ValueError as error:
            return Outcome(str(error).replace("the reference", "expected"), "shape", ran=self._ran(file))

    def _on_the_ladder(self, file: File, dtype: str) -> Outcome:
        if self.twin.kind == "model":
            model = self.workers.built(self.workers.learners(file))
            if complaint := first_wrong_layer(model.leaves, self.leaves, self.side):
                return Outcome(complaint, "structure", ran=self._ran(file))
        rungs = self._rungs(self.workers.learners(file), dtype)
        ran = self._ran(file)
        outcome = Outcome(ran=ran, figures={f"{r.rung}/{d.name}": float(d.rel_l2) for r in rungs for d in r.distances})
        failed = next((rung for rung in rungs if rung.status == "failed"), None)
        if failed and not (diverged_late(rungs) and not self._agrees_throughout(dtype)):
            return replace(outcome, message=in_words(failed, self.twin), rung=failed.rung)
        return self._off_the_ladder(file, outcome)

    def _off_the_ladder(self, file: File, outcome: Outcome) -> Outcome:
        """A short training where the file has its own, then what nothing has called."""
        if "fit" in self.own and self.twin.kind == "model":
            unlike = self._fit(file)
            outcome = replace(outcome, ran=outcome.ran | self._ran(file))
            if unlike:
                return replace(outcome, message=unlike, rung="training")
        for name in set(file.units or []) - outcome.ran:
            complaint = self._call(name, file)
            if complaint is not None:
                outcome = replace(outcome, ran=outcome.ran | {name})
            if complaint:
                return replace(outcome, message=complaint, rung="call")
        return outcome

    def _stopped(self, failure: WorkerFailed) -> Outcome:
        """The learner's code did not come to its end."""
        place = failure.place
        if not failure.alive:
            return Outcome(f"{failure.reason}; the process had to be ended", "error", place.unit, fatal=True)
        line = f"line {place.line}: " if place.line else ""
        if place.overtime:
            message = f"{line}no end after {self.workers.timeout:g} s; an endless loop?"
            return Outcome(message, "error", place.unit, fatal=True)
        layer = f"in {place.layer}: " if place.layer else ""
        return Outcome(f"{line}{layer}{place.error or failure.reason}", "error", place.unit)

    def _rungs(self, session: Session, dtype: str) -> list[Rung]:
        measurement = CheckMeasurement(self.twin.name, ENGINE[self.side], "cpu", dtype, 0, "small")
        return climb(session, self.twin, measurement, self.workers.reference(dtype))

    def _agrees_throughout(self, dtype: str) -> bool:
        """Whether the twin's own file agrees over all steps, where a learner's diverges late."""
        if dtype not in self.control:
            session = self.workers.place(OWN)
            self.control[dtype] = all(rung.status == "ok" for rung in self._rungs(session, dtype))
        return self.control[dtype]

    def _ran(self, file: File) -> frozenset[str]:
        return self.workers.learners(file).ran() if file.text else frozenset()

    def _fit(self, file: File) -> str:
        """A short training by the file's own `fit`, beside the twin's own from the same seed."""
        if self.trained is None:
            start = time.monotonic()
            self.trained = self._train(self.workers.place(OWN, REFERENCE))
            self.slow = time.monotonic() - start > self.workers.timeout / 2
        if self.slow:
            return ""
        found, wanted = self._train(self.workers.learners(file)), self.trained
        for name, own_losses in wanted.losses.items():
            losses = found.losses.get(name, [])
            for epoch, value in enumerate(own_losses):
                if epoch >= len(losses) or abs(losses[epoch] - value) > LEARNED * abs(value):
                    told = f"{losses[epoch]:.6g}" if epoch < len(losses) else "never reported"
                    return (
                        f"the ladder agrees, a short training does not: {name} of epoch {epoch + 1} is {told}, "
                        f"the twin's own {value:.6g} from the same seed"
                    )
        if found.value is None or wanted.value is None:
            return found.stopped or ""
        if abs(found.value - wanted.value) > LEARNED * abs(wanted.value):
            told = f"{found.value:.6g}, the twin's own {wanted.value:.6g}"
            return f"a short training has the twin's losses, but ends with other weights: its measure is {told}"
        return ""

    def _train(self, session: Session) -> Trained:
        """A sixth of the twin's epochs."""
        model = session.build(self.twin.name, self.twin.small.arguments)
        return model.fit(max(1, self.twin.epochs // 6), self.twin.data, self.twin.data_options)

    def _call(self, name: str, file: File) -> str | None:
        """A method that nothing else calls, beside the twin's own, on numbers of the shapes that its docstring names.

        None where the docstring does not say them.
        """
        owner, _, method = name.rpartition(".")
        shapes = skeleton.shapes_in(self.own[name], self.twin.small.arguments, BATCH)
        if owner != self.twin.model or not shapes:
            return None
        rng = np.random.default_rng(0)
        given = [rng.random(shape, dtype=np.float32) for shape in shapes]

        def returned(session: Session) -> Arrays:
            return self.workers.built(session).call_method(method, given)

        wanted = returned(self.workers.place(OWN))
        found = returned(self.workers.learners(file))
        for key, array in wanted.items():
            got = found.get(key)
            if got is None or got.shape != array.shape:
                return f"it returns shape {None if got is None else got.shape}; expected {array.shape}"
            far = distance(key, got, array, ROUNDING)
            if far.rel_l2 > CALLED:
                return f"what it returns differs (relative L2 {far.rel_l2:.1e})"
        return ""
