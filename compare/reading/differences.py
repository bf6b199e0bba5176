"""`twin differences`: every row of the catalogue of differences, run on the engines that are installed.

Each engine runs its side's usual line and its `_equal` line on the row's inputs, and the usual line on the
inputs that hide the difference. What comes back is compared here; nothing is quoted from a record.
"""

import ast
import functools
import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from compare.engines.engine import ENGINES, REFERENCE, Engine
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from compare.engines.session import Session
from twin.differences import ROWS, Row, topic_of
from twin.errors import AGREE, DIFFER, INCOMPLETE, TwinError
from twin.numeric import Distance, distance
from twin.paths import ROOT

USUAL, EQUAL, HIDDEN = "usual", "equal", "hidden"  # the usual line, the equal one, the usual one on hiding inputs
Key = tuple[str, str]  # row, and one of the three above
Answer = np.ndarray | str  # what a probe returned, or why it did not


@dataclass(frozen=True)
class Gap:
    """How far Keras's answer is from PyTorch's: the largest absolute difference, and relative L2."""

    max_abs: float
    rel_l2: float


@dataclass
class Finding:
    """What a row shows with Keras on one backend.

    Args:
        backend: of Keras.
        gap: between the usual lines; None where a probe gave no answer.
        equal: side -> that side's equal line against the other side's usual line; empty where there is no gap.
        hidden: the gap on the hiding inputs; None where nothing hides it.
        trouble: why something was not measured.
    """

    backend: str
    gap: Gap | None = None
    equal: dict[str, Gap] = field(default_factory=dict)
    hidden: Gap | None = None
    trouble: str = ""

    def agrees(self, row: Row) -> bool:
        """Whether the equal lines agree, the hiding inputs hide, and a row of no difference has none."""
        ought = [*self.equal.values(), self.hidden, self.gap if row.kind == "none" else None]
        return all(gap.rel_l2 <= row.limit for gap in ought if gap)


Findings = dict[str, list[Finding]]  # row -> one per Keras backend
Versions = dict[str, str]  # package -> version


def measure(rows: Iterable[Row], engines: Iterable[Engine], settings: Settings) -> tuple[Findings, Versions]:
    """Run the rows on native PyTorch and on those Keras engines.

    Raises:
        TwinError: when native PyTorch or every Keras engine is missing: a difference takes two.
    """
    rows, engines = list(rows), list(engines)
    kerases = [engine for engine in engines if engine.side == "keras"]
    native = next((engine for engine in engines if engine.name == REFERENCE), ENGINES[REFERENCE])
    if native.missing():
        raise TwinError("differences are measured against native PyTorch; try: pip install 'twin-suite[torch]'")
    if not kerases:
        raise TwinError("differences take Keras too: name an engine such as --engine keras-jax, or install one")
    answers: dict[str, dict[Key, Answer]] = {}
    versions: Versions = {}
    lock = threading.Lock()

    def probe_all(engine: Engine) -> None:
        prober = _Prober(engine, pool)
        found = prober.run(rows)
        with lock:
            answers[engine.name] = found
            versions.update(prober.versions)

    pool = Pool(settings)
    pool.run([functools.partial(probe_all, engine) for engine in (native, *kerases)])
    findings = {
        row.name: [
            _compare(row, engine.backend, answers[engine.name], answers[native.name])
            for engine in kerases
            if row.is_about(engine.backend)
        ]
        for row in rows
    }
    return findings, versions


def exit_code(findings: Findings) -> int:
    """0 when every equal line agrees, 1 when one does not, 3 when something was not measured."""
    every = [(ROWS[name], finding) for name, found in findings.items() for finding in found]
    if any(not finding.agrees(row) for row, finding in every):
        return DIFFER
    return INCOMPLETE if not every or any(finding.trouble for _, finding in every) else AGREE


@dataclass
class _Prober:
    """One engine's answers to every probe, in one worker that is replaced when it dies."""

    engine: Engine
    pool: Pool
    session: Session | None = None
    versions: Versions = field(default_factory=dict)

    def run(self, rows: list[Row]) -> dict[Key, Answer]:
        out: dict[Key, Answer] = {}
        for row in rows:
            if self.engine.side == "keras" and not row.is_about(self.engine.backend):
                continue
            written = functions(row.name, self.engine.side)
            with self.pool.slot():
                out[row.name, USUAL] = self._ask(row, row.name, hiding=False)
                if row.hiding:
                    out[row.name, HIDDEN] = self._ask(row, row.name, hiding=True)
                if f"{row.name}_equal" in written:
                    out[row.name, EQUAL] = self._ask(row, f"{row.name}_equal", hiding=False)
        return out

    def _ask(self, row: Row, function: str, hiding: bool) -> Answer:
        try:
            if self.session is None:
                self.session = self.pool.start(self.engine, "cpu")
                self.versions = self.session.hello.versions
            return self.session.probe(topic_of(row.name), function, row.arrays(hiding))
        except WorkerFailed as failure:
            if not failure.alive:
                self.session = None
            return f"{function} on {self.engine.name}: {failure.reason}"


def _compare(row: Row, backend: str, keras: dict[Key, Answer], torch: dict[Key, Answer]) -> Finding:
    """Put the two sides' answers to one row beside each other."""
    troubles = [
        str(each) for found in (keras, torch) for (name, _), each in found.items() if name == row.name and _failed(each)
    ]

    def gap(keras_line: str, torch_line: str) -> Gap | None:
        got, wanted = keras.get((row.name, keras_line)), torch.get((row.name, torch_line))
        if not isinstance(got, np.ndarray) or not isinstance(wanted, np.ndarray):
            return None
        if got.shape != wanted.shape:
            troubles.append(
                f"shapes {got.shape} in Keras's {keras_line} line, {wanted.shape} in PyTorch's {torch_line} one"
            )
            return None
        return _gap(distance(row.name, got, wanted, row.limit))

    finding = Finding(backend, gap=gap(USUAL, USUAL), hidden=gap(HIDDEN, HIDDEN))
    if finding.gap and finding.gap.rel_l2 > row.limit:  # or there is nothing to mend on this backend
        equals = {"keras": gap(EQUAL, USUAL), "torch": gap(USUAL, EQUAL)}
        finding.equal = {side: found for side, found in equals.items() if found}
    finding.trouble = "; ".join(troubles)
    return finding


def _failed(answer: Answer) -> bool:
    return isinstance(answer, str)


def _gap(far: Distance) -> Gap:
    """A NaN against a number is no agreement, whatever a NaN compares as."""
    return Gap(*(math.inf if math.isnan(value) else value for value in (far.max_abs, far.rel_l2)))


@functools.cache
def functions(name: str, side: str) -> dict[str, str]:
    """The source text of a row's functions on one side, of the helpers of that file that they call included.

    Read from the file, not by importing it: no framework is needed to show the code.
    """
    text = (ROOT / f"{side}_impl" / "differences" / f"{topic_of(name)}.py").read_text()
    defined = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    wanted = [each for each in (name, f"{name}_equal") if each in defined]
    for each in wanted:  # grows while it is walked: a helper may call a helper
        called = {node.id for node in ast.walk(defined[each]) if isinstance(node, ast.Name)}
        wanted += [helper for helper in defined if helper in called and helper not in wanted]
    lines = text.splitlines()
    return {each: "\n".join(lines[defined[each].lineno - 1 : defined[each].end_lineno]) for each in wanted}
