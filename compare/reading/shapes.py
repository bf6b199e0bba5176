"""Shapes, parameters and data flow of every twin, measured on the built models and kept in shapes.json and flows.json.

A page or a terminal that shows a twin's code cannot wait for a framework. So what the models say is written down once,
with a digest of the code it was measured on: `twin show NAME --measure` writes it anew.
"""

import ast
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.engines.engine import ENGINES, Engine
from compare.reading import dataflow, dataflow_places
from compare.reading.aligned import SIDES
from compare.reading.dataflow import Box
from twin.errors import TwinError
from twin.files import write_text
from twin.paths import ROOT, path_of
from twin.spec import Twin

FILE, FLOWS = (Path(__file__).parent / name for name in ("shapes.json", "flows.json"))
BORROWED = re.compile(r"^from ((?:keras|torch)_impl\.(?:models|exercises)\.[\w.]+) import", re.MULTILINE)
Shape = tuple[int | str, ...]  # the batch as "B"


@dataclass(frozen=True)
class Layer:
    """A layer of a built model, as it ran.

    Args:
        path: of attributes from the model, such as 'blocks.0.conv1'.
        type: its class.
        parameters: trained or frozen ones, those of layers within included.
        input, output: shapes, in the framework's own order of axes; empty where the model's own call does not use it.
        owner: class of the layer or model that has it as an attribute.
    """

    path: str
    type: str
    parameters: int
    input: Shape
    output: Shape
    owner: str

    @property
    def attribute(self) -> str:
        """The owner's attribute: the last part of the path that is no index."""
        return next(part for part in reversed(self.path.split(".")) if not part.isdigit())


@dataclass(frozen=True)
class Measured:
    """One side of a twin: its layers in the order of execution, its results' shapes, and the model's parameters."""

    layers: tuple[Layer, ...]
    outputs: Mapping[str, Shape]
    parameters: int

    def of(self, owner: str, attribute: str) -> list[Layer]:
        """The layers that a line `self.ATTRIBUTE = ...` in the class `owner` makes, in the order of execution."""
        made = [layer for layer in self.layers if (layer.owner, layer.attribute) == (owner, attribute)]
        return [a for a in made if not any(a.path.startswith(f"{b.path}.") for b in made)]

    def leaves(self) -> list[Layer]:
        """The layers that ran and hold no others."""
        return [a for a in self.layers if a.output and not any(b.path.startswith(f"{a.path}.") for b in self.layers)]


def of(twin: Twin) -> dict[str, Measured] | None:
    """What was measured of a twin, by side; None where its code has changed since, or it is new."""
    found = _kept(FILE).get(twin.name)
    if not found or found["digest"] != digest(twin):
        return None
    return {side: _from_json(found[side]) for side in SIDES}


def boxes(twin: Twin) -> list[Box]:
    """The data flow of a model as it was measured, with places; empty where it was not, or the code has changed."""
    found = _kept(FLOWS).get(twin.name)
    return dataflow.read(found["boxes"]) if found and found["digest"] == digest(twin) else []


def training_rows(twin: Twin) -> int | None:
    """How many rows a model was trained on when it was measured; None where it was not, or is an exercise."""
    return _kept(FILE).get(twin.name, {}).get("rows")


def digest(twin: Twin) -> str:
    """A digest of what the shapes depend on: both files without comments, what they borrow, and the size."""
    code = [_code(ROOT / path_of(side, twin)) for side in SIDES]
    return hashlib.sha256(repr((code, dict(twin.small.arguments))).encode()).hexdigest()[:16]


def measure(twins: Iterable[Twin], timeout: float = 300) -> None:
    """Build the twins in worker processes, and write down their shapes.

    Raises:
        TwinError: when no engine of either side is installed, or one fails.
    """
    from compare.engines.pool import Pool, Settings
    from compare.engines.process import WorkerFailed

    twins = list(twins)
    found: dict[str, dict[str, Any]] = {twin.name: {"digest": digest(twin)} | _rows(twin) for twin in twins}
    flows: dict[str, dict[str, Any]] = {}
    pool = Pool(Settings(timeout=timeout))
    try:
        for side in SIDES:
            engine = _engine(side)
            session = pool.start(engine, "cpu")
            for twin in twins:
                found[twin.name][side] = _measured(session, twin)
                if side == "torch" and twin.kind == "model":
                    flows[twin.name] = {"digest": digest(twin), "boxes": _flow(session, twin)}
            session.close()
    except WorkerFailed as error:
        raise TwinError(f"{engine.name} cannot measure {twin.name}: {error}") from error
    finally:
        pool.close()
    for file, measured in ((FILE, found), (FLOWS, flows)):
        lines = [
            f"{json.dumps(name)}: {json.dumps(kept)}" for name, kept in sorted({**_kept(file), **measured}.items())
        ]
        write_text(file, "{\n" + ",\n".join(lines) + "\n}\n", "a copy of the project that you can write")
    _kept.cache_clear()


def short(shape: Iterable[int | str]) -> str:
    """A shape as people write it: (B, 28, 28, 6)."""
    return f"({', '.join(map(str, shape))})"


@functools.cache
def _kept(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text()) if file.exists() else {}


@functools.cache
def _code(path: Path) -> str:
    """A file without its comments, and the twins' files that it borrows from."""
    text = path.read_text()
    borrowed = [_code(ROOT / (name.replace(".", "/") + ".py")) for name in BORROWED.findall(text)]
    return "\n".join([ast.unparse(ast.parse(text)), *borrowed])


def _engine(side: str) -> Engine:
    """The first engine of a side that is installed; any of them has the same layers."""
    installed = [engine for engine in ENGINES.values() if engine.side == side and not engine.missing()]
    if not installed:
        raise TwinError(f"no engine of {side} is installed; try: pip install 'twin-suite[all]'")
    return installed[-1]


def _measured(session: Any, twin: Twin) -> dict[str, Any]:
    """One side of a twin, as shapes.json has it."""
    from twin.batches import exercise_inputs

    if twin.kind == "exercise":
        results = session.exercise(twin.name, exercise_inputs(twin))
        return {"layers": [], "outputs": {name: list(a.shape) for name, a in results.items()}, "parameters": 0}
    arguments, batch = _first_batch(twin)
    answer = session.build(twin.name, arguments).layers(batch)
    rows = len(next(iter(batch.values())))
    sizes = answer.sizes
    ran = {path: (_batch(entering, rows), _batch(leaving, rows)) for path, entering, leaving in answer.ran}
    idle: dict[str, tuple[list[int | str], list[int | str]]] = {
        path: ([], []) for path in sizes if path and path not in ran
    }
    layers = [[path, *sizes[path], *shapes, _owner(path, sizes)] for path, shapes in {**ran, **idle}.items()]
    outputs = {name: _batch(shape, rows) for name, shape in answer.outputs.items()}
    return {"layers": layers, "outputs": outputs, "parameters": sizes[""][1]}


def _rows(twin: Twin) -> dict[str, int]:
    """How many rows a model is trained on, as shapes.json has it."""
    from twin.data import load

    if twin.kind == "exercise":
        return {}
    return {"rows": len(next(iter(load(twin.data, twin.data_options).train.values())))}


def _flow(session: Any, twin: Twin) -> list[dict[str, Any]]:
    """The data flow of the model that was built last, as shapes.json has it."""
    _, batch = _first_batch(twin)
    answer = session.model.calls(batch)
    if answer.stopped:
        raise TwinError(f"the forward pass of {twin.name} was not traced to its end: {answer.stopped}")
    rows = len(next(iter(batch.values())))
    calls = [
        dataflow.Call(
            path, own, family, name, tuple(tuple(_batch(s, rows)) for s in shapes), tuple(inputs), tuple(outputs)
        )
        for path, own, family, name, shapes, inputs, outputs in answer.calls
    ]
    given = [tuple(_batch(batch[name].shape, rows)) for name in twin.inputs]
    return dataflow.kept(dataflow_places.placed(dataflow.boxes(dataflow.channels_last(calls, given), given)))


def _first_batch(twin: Twin) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of the small size, and the ladder's first batch."""
    import numpy as np

    from twin.batches import make_batches, of_step

    arguments = twin.ladder_arguments("small")
    return arguments, of_step(make_batches(twin, arguments, "small", np.random.default_rng(0)))


def _owner(path: str, sizes: Mapping[str, Any]) -> str:
    """The class that has the layer as an attribute; a list of layers is its owner's."""
    parts = path.split(".")
    while parts:
        is_index = parts.pop().isdigit()
        above = ".".join(parts)
        if not is_index and above in sizes:
            return sizes[above][0]
    return sizes[""][0]


def _batch(shape: Iterable[int], rows: int) -> list[int | str]:
    return ["B" if axis == 0 and size == rows else size for axis, size in enumerate(shape)]


def _from_json(found: dict[str, Any]) -> Measured:
    layers: Iterator[Layer] = (
        Layer(path, kind, count, tuple(entering), tuple(leaving), owner)
        for path, kind, count, entering, leaving, owner in found["layers"]
    )
    return Measured(tuple(layers), {n: tuple(s) for n, s in found["outputs"].items()}, found["parameters"])
