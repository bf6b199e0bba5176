"""What is right in a learner's file, method by method.

It is checked like any engine's model, by the ladder. Where that fails, each of its methods is put alone into the
twin's own file and climbs again: the method whose ladder breaks is the wrong one, whatever else is wrong or not yet
written.
"""

import ast
import difflib
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from compare.check import reference
from compare.check.climb import climb, diverged_late
from compare.check.ladder import Rung
from compare.check.reference import Arrays, Reference
from compare.engines.engine import ENGINES, FRAMEWORKS
from compare.engines.pool import Pool, Settings
from compare.engines.process import Worker, WorkerFailed
from compare.port import skeleton
from compare.port.folder import Progress, read, read_progress, save_progress
from compare.record.measurement import CheckMeasurement
from twin import arrays
from twin.bridge import Leaf
from twin.errors import AGREE, DIFFER, INCOMPLETE, TwinError
from twin.numeric import distance
from twin.paths import source
from twin.spec import Twin

ENGINE = {"keras": "keras-torch", "torch": "torch"}  # the reference needs PyTorch, so Keras can run on it too
NATIVE_TWINS = {"float32": 3, "float64": 1}  # how far rounding drives them apart decides less here than in a report
ROUNDING = 5e-7  # relative L2: what float32 in the middle of a float64 model looks like
LEARNED = 1e-4  # relative difference of the losses of two short trainings from the same seed
CALLED = 1e-5  # relative L2 between what a method and the twin's own return in float32
REFERENCE = 900.0  # seconds for a request of the reference, which is not the learner's doing
GRACE = 20.0  # seconds for a worker to interrupt itself before it is killed
State = Literal["right", "differs", "no answer", "empty", "not run"]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Verdict:
    """What is known of one method.

    Args:
        unit: its name, such as `LeNet.call`; "" for the file as a whole.
        state: 'right', 'differs', 'no answer' (it had no end, or took the process with it), 'empty' (still to be
            written) or 'not run' (nothing that the check does calls it).
        message: one line, for a learner.
        notes: further lines.
    """

    unit: str
    state: State
    message: str = ""
    notes: tuple[str, ...] = ()


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


class Checker:
    """Checks files of one twin and side against its reference; a worker serves all files, and several checkers.

    Args:
        twin: what is ported.
        side: the framework that it is written in.
        timeout: seconds that one request may take.
        pool: where the workers live.
        workers: those that are up already, by engine; new ones are added.

    Raises:
        TwinError: when an engine is not installed, or the reference cannot be computed.
    """

    def __init__(self, twin: Twin, side: str, timeout: float, pool: Pool, workers: dict[str, Worker] | None = None):
        self.twin, self.side, self.timeout, self.pool = twin, side, timeout, pool
        self.own_text = source(side, twin)
        self.own = skeleton.units(ast.parse(self.own_text))
        self.folder = Path(tempfile.mkdtemp(prefix="twin-port-"))
        self.workers: dict[str, Worker] = {} if workers is None else workers
        self.references: dict[str, Reference] = {}
        self.owned: list[str] = []
        self.learned: dict[str, Any] | None = None
        self.controls: dict[str, bool] = {}
        self.placed: tuple[str, list[str] | None] = ("", None)
        try:
            self._reference("float64" if side == "torch" else "float32")
            self.leaves = self._leaves() if twin.kind == "model" else {}
        except WorkerFailed as failure:
            self.close()
            raise TwinError(f"the check cannot be run: {failure.reason}", INCOMPLETE) from failure
        except TwinError:
            self.close()
            raise
        self.owned = sorted({part for path in self.leaves for part in path.split(".")})

    def close(self) -> None:
        """Remove the files; the pool ends the workers."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def check(self, text: str, tell: Tell = lambda word: None) -> list[Verdict]:
        """Every method's verdict, in the file's order.

        Args:
            text: the learner's file, as `read` accepts it.
            tell: called with a word on what is being done.
        """
        tree = ast.parse(text)
        mine = skeleton.units(tree) | {n: f for n, f in skeleton.functions(tree).items() if n in self.own}
        empty = [name for name in self.own if skeleton.is_empty(mine[name])]
        whole = None
        if not empty:
            tell("the whole file")
            whole = self.outcome(text, None)
            if whole.ok and set(self.own) <= whole.ran:
                return [Verdict(name, "right", notes=self._unused(name, mine)) for name in self.own]
        verdicts = []
        for name in self.own:
            if name in empty:
                verdicts.append(Verdict(name, "empty", f"{name} is still to be written"))
            elif whole and whole.ok and name in whole.ran:
                verdicts.append(Verdict(name, "right", notes=self._unused(name, mine)))
            else:
                tell(name)
                verdicts.append(self._method(name, text, mine, whole))
        if whole and not whole.ok and all(verdict.state in ("right", "not run") for verdict in verdicts):
            verdicts.append(self._together(whole, tree))
        return verdicts

    def outcome(self, text: str, units: list[str] | None) -> Outcome:
        """Take the learner's file, or the twin's own with those methods of it, up the ladder.

        Native PyTorch climbs in float64, where rounding hides nothing; only where that shows no more than float32 in
        the learner's code does float32 decide.
        """
        first = self._climb(text, units, "float64" if self.side == "torch" else "float32")
        if self.side == "keras" or first.ok or first.fatal:
            return first
        far = max(first.figures.values(), default=0.0)
        kinds = any(word in first.message.lower() for word in ("dtype", "float", "double"))
        if (first.rung == "error" and kinds) or (
            first.rung in ("forward", "gradients", "optimizer") and far < ROUNDING
        ):
            again = self._climb(text, units, "float32")
            return again if again.ok else first
        return first

    def _method(self, name: str, text: str, mine: Mapping[str, ast.FunctionDef], whole: Outcome | None) -> Verdict:
        """One method's verdict, by putting it alone into the twin's own file."""
        if skeleton.same_code(self.own[name], mine[name]):
            return Verdict(name, "right")
        if name.endswith(".__init__"):
            assigned = skeleton.attributes(mine[name])
            for wanted in skeleton.attributes(self.own[name]):
                if wanted in self.owned and wanted not in assigned:
                    near = difflib.get_close_matches(wanted, assigned, n=1)
                    guess = f"; it assigns self.{near[0]}" if near else ""
                    return Verdict(name, "differs", f"self.{wanted}, which has weights, is never assigned{guess}")
        if whole and whole.fatal and whole.unit == name:
            return Verdict(name, "no answer", whole.message)
        found = self.outcome(text, [name])
        if not found.ok:
            state: State = "no answer" if found.fatal else "differs"
            return Verdict(name, state, found.message, self._omitted(name, mine[name]))
        if name not in found.ran:
            return Verdict(name, "not run", "nothing that the check does calls it; compare it with --solution")
        return Verdict(name, "right", notes=self._unused(name, mine))

    def _together(self, whole: Outcome, tree: ast.Module) -> Verdict:
        changed = skeleton.changed_constants(ast.parse(self.own_text), tree)
        if changed:
            return Verdict("", "differs", f"{', '.join(changed)}: not the twin's value. {whole.message}")
        place = f"{whole.unit}: " if whole.unit else ""
        return Verdict("", "differs", f"each method is right by itself, but not together: {place}{whole.message}")

    def _omitted(self, name: str, mine: ast.FunctionDef) -> tuple[str, ...]:
        """Which defaults the learner leaves in force where the twin spells out a value."""
        notes = []
        for each in skeleton.omissions(self.own[name], mine):
            try:
                told = self._ask("default_of", twin=self.twin.name, callee=each.callee, keyword=each.keyword)
            except WorkerFailed:
                break
            default = told["default"]
            if default and default != each.value:
                notes.append(
                    f"line {each.line}, {each.callee}: the twin spells out {each.keyword}={each.value}; "
                    f"{FRAMEWORKS[self.side]}'s default is {default}"
                )
        return tuple(notes)

    def _unused(self, name: str, mine: Mapping[str, ast.FunctionDef]) -> tuple[str, ...]:
        """A layer that is random in training is off on the ladder, so that leaving it out shows only in the code."""
        if not self.twin.ladder:
            return ()
        read = skeleton.attributes_read(self.own[name])
        used = {each for node in mine.values() for each in skeleton.attributes_read(node)}
        owner = name.rpartition(".")[0]
        constructor = mine.get(f"{owner}.__init__")
        assigned = skeleton.attributes(constructor) if constructor else []
        return tuple(
            f"self.{each} is assigned and never used; what is random in training the ladder cannot see"
            for each in read
            if each in assigned and each not in used
        )

    def _climb(self, text: str, units: list[str] | None, dtype: str) -> Outcome:
        """The ladder in one dtype, then a short training where the file has its own, then what nothing has called."""
        try:
            self._reference(dtype)
            self._place(text, units)
            if self.twin.kind == "model" and (complaint := self._structure()):
                return Outcome(complaint, "structure", ran=self._ran())
            rungs = self._rungs(dtype)
            figures = {f"{r.rung}/{d.name}": float(d.rel_l2) for r in rungs for d in r.distances}
            failed = next((rung for rung in rungs if rung.status == "failed"), None)
            ran = self._ran()
            if failed and diverged_late(rungs) and not self._control(dtype, text, units):
                failed = None  # the twin's own file parts there too
            if failed:
                return Outcome(self._in_words(failed), failed.rung, ran=ran, figures=figures)
            if "fit" in self.own and self.twin.kind == "model":
                complaint = self._fit()
                ran |= self._ran()
                if complaint:
                    return Outcome(complaint, "training", ran=ran, figures=figures)
            for name in set(units or []) - ran:
                returned = self._call(name)
                if returned is not None:
                    ran |= {name}
                if returned:
                    return Outcome(returned, "call", ran=ran, figures=figures)
            return Outcome(ran=ran, figures=figures)
        except WorkerFailed as failure:
            return self._stopped(failure)
        except KeyError as error:  # the ladder's arithmetic takes for granted that a model's arrays have its names
            return Outcome(f"{error.args[0]} is missing from what the code gives", "shape", ran=self._ran())
        except ValueError as error:
            return Outcome(str(error).replace("the reference", "expected"), "shape", ran=self._ran())

    def _stopped(self, failure: WorkerFailed) -> Outcome:
        """The learner's code did not come to its end."""
        told = failure.partial
        unit, line = told.get("unit", ""), told.get("line")
        if not failure.alive:
            self.workers.pop(ENGINE[self.side], None)
            return Outcome(f"{failure.reason}; the process had to be ended", "error", unit, fatal=True)
        if told.get("overtime"):
            place = f"line {line}: " if line else ""
            return Outcome(f"{place}no end after {self.timeout:g} s; an endless loop?", "error", unit, fatal=True)
        words = str(told.get("error", failure.reason))
        return Outcome(f"line {line}: {words}" if line else words, "error", unit)

    def _in_words(self, rung: Rung) -> str:
        """A failed rung for somebody who does not know the ladder."""
        message = rung.message.split(". Next: ")[0]
        far = rung.worst
        apart = f" (relative L2 {far.rel_l2:.1e})" if far else ""
        if self.twin.kind == "exercise":
            names = [each.name for each in rung.distances if not each.ok]
            if not names:
                return message.replace("the reference", "expected")
            return f"{len(names)} of {len(rung.distances)} outputs differ{apart}: {', '.join(names)}"
        if rung.rung == "forward" and far:
            where, _, _ = message.partition(f". {far.name}")
            return f"the output differs{apart}; {where}"
        if rung.rung == "forward":
            return message.replace("the reference", "expected")
        if rung.rung == "gradients" and far:
            what = far.name if far.name.startswith("loss") else f"the gradient of {far.name}"
            return f"the outputs agree, {what} does not{apart}"
        if rung.rung == "optimizer" and far:
            return f"outputs and gradients agree, a training step does not: {far.name}{apart}"
        if rung.rung == "trajectory" and far:
            return f"outputs, gradients and single steps agree, the loss over many steps does not: {far.name}{apart}"
        return message

    def _rungs(self, dtype: str) -> list[Rung]:
        measurement = CheckMeasurement(self.twin.name, ENGINE[self.side], "cpu", dtype, 0, "small")
        patience = self.timeout + GRACE
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            return climb(
                self._worker(self.side), self.twin, measurement, self._reference(dtype), Path(folder), patience
            )

    def _control(self, dtype: str, text: str, units: list[str] | None) -> bool:
        """Whether the twin's own file keeps together over all steps, where the learner's diverges late."""
        if dtype not in self.controls:
            self._place("", None)
            self.controls[dtype] = all(rung.status == "ok" for rung in self._rungs(dtype))
            self._place(text, units)
        return self.controls[dtype]

    def _structure(self) -> str:
        """The first layer that is missing, left over, of another kind or of another shape."""
        mine = self._leaves()
        if self.side == "keras" and not mine and self.leaves:
            return "the model has no weights yet: Keras makes them when it first sees a shape, self(keras.Input(...))"
        for path, wanted in self.leaves.items():
            if path not in mine:
                return f"{path}, a {wanted.kind} with weights, is missing"
            if mine[path].kind != wanted.kind:
                return f"{path} is a {mine[path].kind}; expected a {wanted.kind}"
            for name in dict.fromkeys([*wanted.shapes, *mine[path].shapes]):
                got, right = mine[path].shapes.get(name), wanted.shapes.get(name)
                if got != right:
                    full = wanted.full(name)
                    if got is None or right is None:
                        return f"{full} is missing" if got is None else f"{full} is left over"
                    return f"{full} has shape {got}; expected {right}"
        extra = [path for path in mine if path not in self.leaves]
        return f"{extra[0]}, a {mine[extra[0]].kind} with weights, is left over" if extra else ""

    def _leaves(self) -> dict[str, Leaf]:
        answer = self._ask(
            "build", twin=self.twin.name, arguments=self.twin.ladder_arguments("small"), dtype="float32", seed=0
        )
        return {leaf.path: leaf for leaf in map(Leaf.from_json, answer["leaves"])}

    def _fit(self) -> str:
        """A short training by the file's own `fit`, beside the twin's own from the same seed."""
        if self.learned is None:
            text, units = self.placed
            self._place("", None)
            start = time.monotonic()
            self.learned = self._train(REFERENCE)
            if time.monotonic() - start > self.timeout / 2:
                self.learned = {}
            self._place(text, units)
        if not self.learned:
            return ""
        found = self._train(self.timeout + GRACE)
        for name, wanted in self.learned["losses"].items():
            got = found["losses"].get(name, [])
            for epoch, value in enumerate(wanted):
                if epoch >= len(got) or abs(got[epoch] - value) > LEARNED * abs(value):
                    told = f"{got[epoch]:.6g}" if epoch < len(got) else "never reported"
                    return (
                        f"the ladder agrees, a short training does not: {name} of epoch {epoch + 1} is {told}, "
                        f"the twin's own {value:.6g} from the same seed"
                    )
        if abs(found["value"] - self.learned["value"]) > LEARNED * abs(self.learned["value"]):
            told = f"{found['value']:.6g}, the twin's own {self.learned['value']:.6g}"
            return f"a short training has the twin's losses, but ends with other weights: its measure is {told}"
        return ""

    def _call(self, name: str) -> str | None:
        """A method that nothing else calls, beside the twin's own, on numbers of the shapes that its docstring names.

        None where the docstring does not say them.
        """
        owner, _, method = name.rpartition(".")
        shapes = skeleton.shapes_in(self.own[name], self.twin.small.arguments, reference.BATCH)
        if owner != self.twin.model or not shapes:
            return None
        rng, given, out = np.random.default_rng(0), self.folder / "given", self.folder / "returned"
        arrays.write(given, {f"{n}": rng.random(shape, dtype=np.float32) for n, shape in enumerate(shapes)})

        def returned(text: str, units: list[str] | None) -> Arrays:
            self._place(text, units)
            self._leaves()
            self._ask("call_method", method=method, given=str(given), out=str(out))
            return arrays.read(out)

        text, units = self.placed
        wanted, found = returned("", None), returned(text, units)
        for key, array in wanted.items():
            got = found.get(key)
            if got is None or got.shape != array.shape:
                return f"it returns shape {None if got is None else got.shape}; expected {array.shape}"
            far = distance(key, got, array, ROUNDING)
            if far.rel_l2 > CALLED:
                return f"what it returns differs (relative L2 {far.rel_l2:.1e})"
        return ""

    def _train(self, patience: float) -> dict[str, Any]:
        """A sixth of the twin's epochs: its losses, and the measure at the end."""
        small, options = dict(self.twin.small.arguments), dict(self.twin.data_options)
        self._ask("build", twin=self.twin.name, arguments=small, dtype="float32", seed=0)
        epochs = max(1, self.twin.epochs // 6)
        worker = self._worker(self.side)
        return worker.ask("fit", patience, epochs=epochs, data_name=self.twin.data, data_options=options)

    def _reference(self, dtype: str) -> Reference:
        """What an engine of that dtype is compared with; rounding noise is only drawn where it plays a part."""
        if dtype not in self.references:
            self._place("", None)  # in PyTorch the same worker computes the reference
            folder = self.folder / dtype
            folder.mkdir()
            native, patience = self._worker("torch"), REFERENCE
            if self.twin.kind == "exercise":
                self.references[dtype] = reference.of_exercise(native, self.twin, folder, patience)
            else:
                self.references[dtype] = reference.of_model(
                    native,
                    self.twin,
                    "small",
                    0,
                    folder,
                    patience,
                    with_steps=True,
                    native_twins=NATIVE_TWINS[dtype],
                    with_noise=dtype == "float32",
                )
        return self.references[dtype]

    def _place(self, text: str, units: list[str] | None) -> None:
        self.placed = text, units
        owned = self.owned if text else []
        self._ask("stand_in", twin=self.twin.name, text=text, units=units, owned=owned, patience=self.timeout)

    def _ran(self) -> frozenset[str]:
        return frozenset(self._ask("ran")["ran"]) if self.placed[0] else frozenset()

    def _ask(self, op: str, **fields: Any) -> dict[str, Any]:
        return self._worker(self.side).ask(op, self.timeout + GRACE, **fields)

    def _worker(self, side: str) -> Worker:
        name = ENGINE[side]
        if name not in self.workers:
            engine = ENGINES[name]
            if missing := engine.missing():
                raise TwinError(
                    f"the check needs {' and '.join(missing)}, not importable in {engine.python}; "
                    f"try: pip install 'twin-suite[{name}]'",
                    INCOMPLETE,
                )
            self.workers[name] = self.pool.start(engine, "cpu")
        return self.workers[name]


def check_file(twin: Twin, path: Path, side: str, timeout: float, tell: Tell) -> list[Verdict]:
    """Check a learner's file, and keep the progress beside it.

    Raises:
        TwinError: when the file cannot be read, or the check cannot be run.
    """
    text, tree = read(path, ast.parse(source(side, twin)))
    found = _all_empty(twin, side, tree)

    def work(pool: Pool) -> None:
        tell("the reference")
        checker = Checker(twin, side, timeout, pool)
        try:
            found.extend(checker.check(text, tell))
        finally:
            checker.close()

    if not found:
        pool = Pool(Settings(timeout=max(timeout, 60.0)))
        pool.run([lambda: work(pool)])
    states = {verdict.unit: str(verdict.state) for verdict in found if verdict.unit}
    if any(not verdict.unit for verdict in found):
        states["the whole"] = "differs"
    before = read_progress(path.parent)
    if before is not None and (before.twin, before.to) == (twin.name, side):  # a folder that `twin port` wrote
        save_progress(path.parent, Progress(twin.name, side, states, before.hints))
    return found


def _all_empty(twin: Twin, side: str, tree: ast.Module) -> list[Verdict]:
    """The verdicts of a file in which nothing is written yet; none of another."""
    names, mine = skeleton.units(ast.parse(source(side, twin))), skeleton.functions(tree)
    if not all(skeleton.is_empty(mine[name]) for name in names):
        return []
    return [Verdict(name, "empty", f"{name} is still to be written") for name in names]


def exit_code(verdicts: list[Verdict]) -> int:
    """0 when every method is right, 1 when one differs or is still to be written, 3 when one gave no answer."""
    states = {verdict.state for verdict in verdicts}
    if states & {"differs", "empty"}:
        return DIFFER
    return INCOMPLETE if "no answer" in states else AGREE
