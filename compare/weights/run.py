"""`twin weights`: weights from one framework's file to the other's, and the proof that both files' models agree."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from compare.engines.engine import FRAMEWORKS, Engine
from compare.engines.opened import save_weights
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from compare.engines.session import BuiltTwin, Session
from compare.verify import run as examination
from compare.verify.examination import Verdict
from twin import arrays
from twin.batches import make_batches
from twin.bridge import Arrays, Bridge, check_names
from twin.catalogue import find
from twin.errors import TwinError, unknown
from twin.files import refuse_input
from twin.layouts import LAYOUTS, Layout
from twin.limits import LIMITS
from twin.numeric import distance
from twin.spec import Twin

READABLE = (".weights.h5", ".h5", ".keras", ".safetensors", ".pt", ".pth")
WRITABLE = (".weights.h5", ".safetensors", ".pt", ".pth")
_PUBLIC = {"applications": "keras.applications'", "torchvision": "torchvision's"}


@dataclass(frozen=True)
class Crossing:
    """A conversion that was checked.

    Args:
        source: the file that was read.
        target: the file that was written.
        kinds: what each of them holds, in words.
        distance: the greatest relative L2 distance between the outputs of the two files' models.
        limit: the largest allowed.
        notes: what a user should know.
    """

    source: Path
    target: Path
    kinds: tuple[str, str]
    distance: float
    limit: float
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        return self.distance <= self.limit  # false for NaN

    def to_json(self) -> dict[str, Any]:
        """As `twin weights --json` gives it."""
        files = [{"file": str(f), "kind": k} for f, k in zip((self.source, self.target), self.kinds, strict=True)]
        far = self.distance if math.isfinite(self.distance) else None
        return {
            "schema": 1,
            "verdict": "agree" if self.agrees else "differ",
            "from": files[0],
            "to": files[1],
            "distance": far,
            "limit": self.limit,
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """For a terminal."""
        fate = "they agree" if self.agrees else f"they differ, and {self.target} was not written"
        return "\n".join(
            [
                f"from {self.source}: {self.kinds[0]}",
                f"to   {self.target}: {self.kinds[1]}",
                f"outputs of both: relative distance {self.distance:.1e} (limit {self.limit:.0e}); {fate}",
                *(f"note: {note}" for note in self.notes),
            ]
        )


def check_paths(source: Path, target: Path, force: bool) -> None:
    """See that a conversion can begin.

    Raises:
        TwinError: when the source is missing, an ending is unknown, or the target is there already.
    """
    if not source.is_file():
        raise TwinError(f"--from {source}: no such file")
    for option, path, endings in (("--from", source, READABLE), ("--to", target, WRITABLE)):
        if not path.name.endswith(endings):
            raise TwinError(f"{option} {path}: expected a file that ends in {', '.join(endings)}")
    if not target.parent.is_dir():
        raise TwinError(f"--to {target}: no folder {target.parent}")
    refuse_input(target, "--to", [source])
    if target.exists() and not force:
        raise TwinError(f"--to {target}: is there already; give --force to write over it")


def of_twin(
    twin: Twin,
    size: str,
    source: Path,
    target: Path,
    layout: str,
    engines: Sequence[Engine],
    settings: Settings,
) -> Crossing:
    """Carry a twin's weights from a file to another.

    Args:
        twin: whose.
        size: 'small' or 'paper'.
        source: what to read; its kind is told by its ending and by its names.
        target: what to write.
        layout: of the target: 'twin', 'applications' or 'torchvision'.
        engines: Keras's and PyTorch's.
        settings: threads and timeout.

    Raises:
        TwinError: when there is no such size or layout, or the names in the file do not fit.
    """
    _plan(twin, size, layout, target)  # a mistake is told before anything starts
    with _sessions(engines, settings) as sessions:
        return convert(twin, size, source, target, layout, sessions)


def convert(
    twin: Twin,
    size: str,
    source: Path,
    target: Path,
    layout: str,
    sessions: Mapping[str, Session],
    arguments: Mapping[str, Any] | None = None,
) -> Crossing:
    """The same in workers that are there already.

    Args:
        sessions: by side.
        arguments: constructor arguments that replace some of the size's.
    """
    given, wanted = _plan(twin, size, layout, target)
    with _one_line(), _replacing(target) as part:
        converter = _Converter(twin, {**given, **(arguments or {})}, sessions)
        read = converter.read(source)
        converter.write(part, wanted, converter.carried(read, _side(target)))
        written = converter.read(part)
        batches = make_batches(twin, converter.arguments, size, np.random.default_rng(0))
        batch = {name: batches[f"1/{name}"] for name in twin.inputs}
        outputs, again = converter.answer(read, batch), converter.answer(written, batch)
        far = max(distance(name, again[name], array, math.inf).rel_l2 for name, array in outputs.items())
        layouts = [each.layout for each in (read, written) if each.layout]
        notes = [each.note for each in layouts if each.note]
        if any(each.name == "torchvision" for each in layouts):
            notes.append("torchvision's names were checked with the PyTorch twin; torchvision itself was not run")
        crossing = Crossing(source, target, (read.kind, written.kind), far, _limit(twin), tuple(dict.fromkeys(notes)))
        if not crossing.agrees:
            part.unlink()
    return crossing


def of_pair(
    request: examination.Request, source: Path, target: Path, engines: Sequence[Engine], settings: Settings
) -> Crossing | Verdict:
    """Carry the weights of a user's own model to its counterpart in the other framework.

    Args:
        request: the pair, as `twin verify` takes it.
        source: a file of either side's weights.
        target: the other side's.
        engines: Keras's and PyTorch's.
        settings: threads and timeout.

    Returns:
        The crossing; or the verdict, when the models themselves differ and nothing was written.

    Raises:
        TwinError: as `twin verify` does.
    """
    with _sessions(engines, settings) as sessions:
        return convert_pair(request, source, target, sessions)


def convert_pair(
    request: examination.Request, source: Path, target: Path, sessions: Mapping[str, Session]
) -> Crossing | Verdict:
    """The same in workers that are there already."""
    side = _side(target)
    other = "torch" if side == "keras" else "keras"

    def verify(*files: Path) -> Verdict:
        asked = replace(request, weights=[str(file) for file in files], training=False)
        return examination.examine(asked, sessions["keras"], sessions["torch"], lambda word: None)

    with _one_line(), _replacing(target) as part:
        verdict = verify(source)
        if verdict.verdict != "agree":
            return verdict
        save_weights(sessions[side], part)
        verdict = verify(source, part)
        if verdict.verdict != "agree":
            part.unlink()
            return verdict
    kinds = (
        f"{FRAMEWORKS[other]} weights of {getattr(request, other)}",
        f"{FRAMEWORKS[side]} weights of {getattr(request, side)}",
    )
    return Crossing(source, target, kinds, verdict.rungs["forward"], LIMITS["forward"])


@dataclass(frozen=True)
class _Read:
    """A file's weights under the twin's names on its side."""

    file: Path
    side: str
    layout: Layout | None  # None for the twin's own
    weights: Arrays

    @property
    def kind(self) -> str:
        what = f"{_PUBLIC[self.layout.name]} {self.layout.model}" if self.layout else "the twin"
        return f"{FRAMEWORKS[self.side]} weights of {what}"


@dataclass
class _Converter:
    """A twin built in both frameworks, and the files of its weights."""

    twin: Twin
    arguments: Mapping[str, Any]
    sessions: Mapping[str, Session]
    models: dict[str, BuiltTwin] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for side, session in self.sessions.items():
            self.models[side] = session.build(self.twin.name, self.arguments)
        keras, torch = self.models["keras"].leaves, self.models["torch"].leaves
        self.bridge = Bridge(keras, torch, self.twin.flatten, self.twin.unflatten)

    def read(self, file: Path) -> _Read:
        """A file's weights; whose they are is told by the ending and, where that leaves several, by the names."""
        sides = ["torch", "keras"]
        if file.suffix == ".safetensors":
            given = arrays.read(file)
        else:
            sides = ["torch" if file.suffix in (".pt", ".pth") else "keras"]
            given = self.models[sides[0]].read_file(self.arguments, file)
        given = {name: array for name, array in given.items() if not name.endswith("num_batches_tracked")}
        options = [_Read(file, side, None, given) for side in sides] + [
            _Read(file, layout.side, layout, layout.to_twin(given, self.arguments))
            for layout in LAYOUTS.get(self.twin.name, ())
            if layout.side in sides
        ]
        best = max(options, key=lambda each: len(each.weights.keys() & self.models[each.side].shapes.keys()))
        shapes = {name: array.shape for name, array in best.weights.items()}
        wanted = self.models[best.side].shapes
        if shapes.keys() != wanted.keys() and (owner := _owner(given)):
            raise TwinError(f"{file}: the names are those of {owner}")
        check_names(shapes, wanted, str(file), f"{self.twin.name} ({FRAMEWORKS[best.side]})")
        return best

    def carried(self, read: _Read, side: str) -> Arrays:
        """Weights under the names of a side."""
        if read.side == side:
            return read.weights
        return self.bridge.to_torch(read.weights) if side == "torch" else self.bridge.to_keras(read.weights)

    def write(self, file: Path, layout: Layout | None, weights: Arrays) -> None:
        """Weights of the side that the file's ending names."""
        named = layout.from_twin(weights, self.arguments) if layout else weights
        if file.suffix == ".safetensors":
            arrays.write(file, named)
            return
        self.models[_side(file)].write_file(self.arguments, file, layout.name if layout else "twin", named)

    def answer(self, read: _Read, inputs: Arrays) -> Arrays:
        """What a file's own model says of a batch; torchvision's is played by the PyTorch twin."""
        if read.layout and read.layout.name == "applications":
            return self.models["keras"].answer_of_applications(self.arguments, read.file, inputs)
        model = self.models[read.side]
        model.load(read.weights)
        return model.forward(inputs)


def _owner(given: Mapping[str, np.ndarray]) -> str:
    """Which other twin's layout all the names are of, in words; "" for none."""
    for name, layouts in LAYOUTS.items():
        for layout in layouts:
            for size in (find(name).paper_size, find(name).small):
                theirs = layout.paths(size.arguments).values() if size else ()
                if {each.rpartition(".")[0] for each in given} == set(theirs):
                    return f"{_PUBLIC[layout.name]} {layout.model}, which is the twin {name}"
    return ""


def _side(target: Path) -> str:
    """Whose names a written file has; those of .safetensors are PyTorch's, as everywhere."""
    return "keras" if target.suffix == ".h5" else "torch"


def _limit(twin: Twin) -> float:
    tolerance = twin.tolerances.get("forward")
    return tolerance.rel_l2 if tolerance and tolerance.rel_l2 else LIMITS["forward"]


def _plan(twin: Twin, size: str, layout: str, target: Path) -> tuple[Mapping[str, Any], Layout | None]:
    """The constructor arguments of a size, and the layout of that name; None for the twin's own."""
    found = twin.size(size) if twin.kind == "model" else None
    if found is None:
        raise TwinError(f"{twin.name} has no weights of size {size!r}")
    if layout == "twin":
        return found.arguments, None
    known = {each.name: each for each in LAYOUTS.get(twin.name, ())}
    if layout not in known:
        raise unknown(f"layout of {twin.name}", layout, ["twin", *known])
    chosen = known[layout]
    if chosen.side != _side(target):
        endings = ".weights.h5" if chosen.side == "keras" else ".pt, .pth or .safetensors"
        raise TwinError(f"--to {target}: the layout {layout} is {FRAMEWORKS[chosen.side]}'s; expected {endings}")
    return found.arguments, chosen


@contextmanager
def _sessions(engines: Sequence[Engine], settings: Settings) -> Iterator[dict[str, Session]]:
    """A session per side, whose workers end with the block."""
    pool = Pool(settings)

    def start(engine: Engine) -> Session:
        try:
            return pool.start(engine, settings.device)
        except WorkerFailed as failure:
            raise TwinError(f"{engine.name} does not start: {failure.reason}; see twin doctor") from failure

    try:
        with ThreadPoolExecutor(len(engines)) as threads:
            started = list(threads.map(start, engines))
        yield {session.engine.side: session for session in started}
    finally:
        pool.close()


@contextmanager
def _one_line() -> Iterator[None]:
    """A worker that fails is a line for the user."""
    try:
        yield
    except WorkerFailed as failure:
        raise TwinError(failure.reason) from failure


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A path beside the target, of the same ending, that becomes the target if it is there at the end."""
    part = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        yield part
        if part.exists():
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)
