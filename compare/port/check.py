"""What is right in a learner's file, method by method.

It is checked like any engine's model, by the ladder. Where that fails, each of its methods is put alone into the
twin's own file and climbs again: the method whose ladder breaks is the wrong one, whatever else is wrong or not yet
written.
"""

import ast
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from compare.engines.engine import FRAMEWORKS
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from compare.engines.session import Session
from compare.port import advice, skeleton
from compare.port.folder import Progress, digest, read, read_progress, save_progress
from compare.port.trial import Outcome, Trials
from compare.port.workers import GRACE, OWN, Workers
from twin.errors import AGREE, DIFFER, INCOMPLETE, TwinError
from twin.paths import source
from twin.spec import Twin

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


class Checker:
    """Checks files of one twin and side against its reference.

    Args:
        twin: what is ported.
        side: the framework that it is written in.
        timeout: seconds that one request may take.
        pool: where the workers live.
        sessions: those that there are already, by engine, and may serve several checkers; new ones are added.

    Raises:
        TwinError: when an engine is not installed, or the reference cannot be computed.
    """

    def __init__(self, twin: Twin, side: str, timeout: float, pool: Pool, sessions: dict[str, Session] | None = None):
        self.twin, self.side = twin, side
        self.own_text = source(side, twin)
        self.own = skeleton.units(ast.parse(self.own_text))
        self.workers = Workers(twin, side, timeout, pool, {} if sessions is None else sessions)
        try:
            self.workers.reference("float64" if side == "torch" else "float32")
            leaves = self.workers.built(self.workers.place(OWN)).leaves if twin.kind == "model" else []
        except WorkerFailed as failure:
            raise TwinError(f"the check cannot be run: {failure.reason}", INCOMPLETE) from failure
        self.owned = self.workers.owned = sorted({part for leaf in leaves for part in leaf.path.split(".")})
        self.trials = Trials(self.workers, leaves)

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
        """Take the learner's file, or the twin's own with those methods of it, up the ladder."""
        return self.trials.outcome(text, units)

    def _method(self, name: str, text: str, mine: Mapping[str, ast.FunctionDef], whole: Outcome | None) -> Verdict:
        """One method's verdict, by putting it alone into the twin's own file."""
        if skeleton.same_code(self.own[name], mine[name]):
            return Verdict(name, "right")
        if name.endswith(".__init__"):
            assigned = skeleton.attributes(mine[name])
            for wanted in skeleton.attributes(self.own[name]):
                if wanted in self.owned and wanted not in assigned:
                    extra = [each for each in assigned if each not in skeleton.attributes(self.own[name])]
                    near = difflib.get_close_matches(wanted, extra, n=1) or extra[:1]
                    guess = f"; it assigns self.{near[0]}, which the twin has not" if near else ""
                    return Verdict(name, "differs", f"self.{wanted}, which has weights, is never assigned{guess}")
        if whole and whole.fatal and whole.unit == name:
            return Verdict(name, "no answer", whole.message)
        found = self.outcome(text, [name])
        if not found.ok:
            state: State = "no answer" if found.fatal else "differs"
            told = (
                *self._omitted(name, mine[name]),
                *advice.notes(self.own[name], mine[name], self.side, found.message),
            )
            return Verdict(name, state, found.message, told)
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
                session = self.workers.session(self.side, self.workers.timeout + GRACE)
                default = session.default_of(self.twin.name, each.callee, each.keyword)
            except WorkerFailed:
                break
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


def check_file(twin: Twin, path: Path, side: str, timeout: float, tell: Tell) -> list[Verdict]:
    """Check a learner's file, and keep the progress beside it.

    Raises:
        TwinError: when the file cannot be read, or the check cannot be run.
    """
    text, tree = read(path, ast.parse(source(side, twin)))
    found = _all_empty(twin, side, tree)

    def work(pool: Pool) -> None:
        tell("the reference")
        found.extend(Checker(twin, side, timeout, pool).check(text, tell))

    if not found:
        pool = Pool(Settings(timeout=max(timeout, 60.0)))
        pool.run([lambda: work(pool)])
    states = {verdict.unit: str(verdict.state) for verdict in found if verdict.unit}
    if any(not verdict.unit for verdict in found):
        states["the whole"] = "differs"
    before = read_progress(path.parent)
    if before is not None and (before.twin, before.to) == (twin.name, side):  # a folder that `twin port` wrote
        checked = {name: digest(method) for name, method in skeleton.functions(tree).items() if name in states}
        save_progress(path.parent, Progress(twin.name, side, states, before.hints, checked))
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
