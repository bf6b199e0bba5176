"""The one client of a worker: requests in arrays and plain values, answers in arrays and the dataclasses of answers.py.

Arrays travel as files of the worker's own folder, which goes with it. An answer that is none, and arrays that are
missing, damaged or of another shape than they must have, are a crash of that worker (`WorkerFailed`), never an
exception of whoever asked.
"""

# Long: every request to a worker is made here, and nowhere else.

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from compare.engines import answers
from compare.engines.answers import Epoch, Hello
from compare.engines.engine import Engine
from compare.engines.process import Worker, WorkerFailed
from twin import arrays
from twin.bridge import Arrays, Leaf
from twin.errors import TwinError

T = TypeVar("T")
Named = Mapping[str, np.ndarray]


class Session:
    """Requests to one worker.

    Args:
        worker: freshly started.
        timeout: seconds without an answer until the worker is killed.
    """

    def __init__(self, worker: Worker, timeout: float):
        self.worker, self.timeout = worker, timeout
        self.hello = Hello({}, "")
        self.model: BuiltTwin | None = None  # built last: the worker holds one at a time
        self.replaced: tuple[str, str, Sequence[str] | None] | None = None  # by a learner's file: twin, text and units

    @property
    def engine(self) -> Engine:
        return self.worker.engine

    @property
    def closed(self) -> bool:
        """Whether the worker can be asked no longer."""
        return self.worker.closed

    def close(self) -> None:
        """End the worker; no thread may be asking it."""
        self.worker.close()

    def greet(self, device: str) -> None:
        """Choose the device, and learn what is installed.

        Raises:
            WorkerFailed: when there is no such device, or the worker does not come up; it is ended.
        """
        try:
            self.hello = self.ask(Hello, "hello", device=device)
        except WorkerFailed as failure:
            self.close()
            if failure.status == "failed":  # a framework that cannot be imported differs from nothing
                raise WorkerFailed("crashed", failure.reason, place=failure.place) from failure
            raise

    def build(
        self, twin: str, arguments: Mapping[str, Any], dtype: str = "float32", seed: int = 0, layout: str = ""
    ) -> "BuiltTwin":
        """Make a fresh model, in the place of the last one.

        Args:
            twin: its name.
            arguments: of the constructor.
            dtype: 'float32' or 'float64'.
            seed: of the initial weights.
            layout: of native PyTorch's memory, to draw rounding noise; see torch_impl/matched.py.
        """
        fields: dict[str, Any] = {
            "arguments": dict(arguments),
            "dtype": dtype,
            "seed": seed,
            "layout": layout,
        }
        self.model = BuiltTwin(self, self.ask(answers.Built, "build", twin=twin, **fields).leaves)
        return self.model

    def make_batches(self, twin: str, size: str, rng: np.random.Generator) -> Arrays:
        """The ladder's batches, as `twin.batches.make_batches` draws them with that generator."""
        state = dict(rng.bit_generator.state)
        drawn, found = self.ask_for_both(answers.Drawn, "make_batches", twin=twin, size=size, generator=state)
        try:
            rng.bit_generator.state = drawn.generator
        except (KeyError, TypeError, ValueError) as error:
            raise self.worker.malformed(f"a generator's state that is none: {error!r}") from error
        return found

    def exercise_inputs(self, twin: str) -> Arrays:
        """An exercise's inputs."""
        return self.ask_for_arrays("exercise_inputs", twin=twin)

    def exercise(self, twin: str, inputs: Named, dtype: str = "float32") -> Arrays:
        """An exercise's named outputs."""
        return self.ask_for_arrays("exercise", {"inputs": inputs}, twin=twin, dtype=dtype)

    def probe(self, topic: str, function: str, inputs: Named) -> np.ndarray:
        """What a function of the catalogue of differences returns."""
        found = self.ask_for_arrays("probe", {"inputs": inputs}, topic=topic, function=function)
        return self.checked(found, {"y": None})["y"]

    def replace_module(
        self, twin: str, text: str, units: Sequence[str] | None, owned: Sequence[str], seconds: float
    ) -> None:
        """Let a learner's file, or some of its methods in the twin's own, be the twin from here on; "" ends that.

        Args:
            twin: its name.
            text: the file.
            units: which methods; None for the whole file.
            owned: attributes that hold weights.
            seconds: after which the learner's code is interrupted.
        """
        fields: dict[str, Any] = {"units": None if units is None else list(units), "owned": list(owned)}
        self.replaced = None
        self.ask(answers.Nothing, "replace_module", twin=twin, text=text, seconds=seconds, **fields)
        self.replaced = twin, text, units

    def ran(self) -> frozenset[str]:
        """Which methods of the file that replaces the twin's were called."""
        return frozenset(self.ask(answers.Ran, "ran").ran)

    def default_of(self, twin: str, callee: str, keyword: str) -> str:
        """The value that a framework's function takes for a keyword that is left out; "" where it does not say."""
        return self.ask(answers.Default, "default_of", twin=twin, callee=callee, keyword=keyword).default

    def ask(
        self,
        kind: type[T],
        op: str,
        given: Mapping[str, Named] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        **fields: Any,
    ) -> T:
        """Send a request: `given` are its arrays, by the name of the field that they are; return what is answered.

        Raises:
            WorkerFailed: when there is no answer.
        """
        paths = {name: self._write(name, named) for name, named in (given or {}).items()}
        return self.worker.ask(kind, op, self.timeout, on_epoch, **fields, **paths)

    def ask_for_both(
        self, kind: type[T], op: str, given: Mapping[str, Named] | None = None, **fields: Any
    ) -> tuple[T, Arrays]:
        """Send a request whose answer is both a dataclass and arrays.

        Raises:
            WorkerFailed: when there is no answer, or no arrays.
        """
        out = self._path("out")
        out.unlink(missing_ok=True)
        answer = self.ask(kind, op, given, out=str(out), **fields)
        try:
            return answer, arrays.read(out)
        except TwinError as error:
            raise self.worker.malformed(str(error)) from error

    def ask_for_arrays(self, op: str, given: Mapping[str, Named] | None = None, **fields: Any) -> Arrays:
        """Send a request that is answered by arrays alone."""
        return self.ask_for_both(answers.Nothing, op, given, **fields)[1]

    def checked(self, found: Arrays, shapes: Mapping[str, tuple[int, ...] | None], complete: bool = True) -> Arrays:
        """The arrays, when they are those that they must be.

        Args:
            found: by name.
            shapes: name -> what it must have; None for any.
            complete: whether all of them must be there.

        Raises:
            WorkerFailed: when they are not.
        """
        missing, extra = sorted(shapes.keys() - found.keys()), sorted(found.keys() - shapes.keys())
        if (missing and complete) or extra:
            what = f"no array {missing[0]}" if missing and complete else f"an array {extra[0]} that nothing has"
            raise self.worker.malformed(what)
        for name, array in found.items():
            wanted = shapes[name]
            if array.dtype.kind not in "fiubc":
                raise self.worker.malformed(f"{name} is an array of {array.dtype}")
            if wanted is not None and array.shape != wanted:
                raise self.worker.malformed(f"{name} has shape {array.shape}; expected {wanted}")
        return found

    def _write(self, name: str, named: Named) -> str:
        path = self._path(name)
        if not self.closed:  # else its folder is gone, and the request says so
            try:
                arrays.write(path, named)
            except TwinError as error:
                raise WorkerFailed("crashed", str(error), alive=True) from error
        return str(path)

    def _path(self, name: str) -> Path:
        if not self.closed:
            with contextlib.suppress(OSError):  # somebody may have cleaned up among the temporary files
                self.worker.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.worker.folder / f"arrays-{name}"


@dataclass(frozen=True)
class Gradients:
    """The loss of every phase, and every parameter's gradient."""

    losses: dict[str, float]
    arrays: Arrays


@dataclass(frozen=True)
class Steps:
    """Training steps: the losses of each, and as `STEP/weights/NAME` and `STEP/moments/NAME` what was kept."""

    curve: list[dict[str, float]]
    arrays: Arrays


@dataclass(frozen=True)
class Activations:
    """What enters and leaves each layer, as `PATH/in` and `PATH/out`; the paths in the order of execution."""

    order: list[str]
    arrays: Arrays


@dataclass(frozen=True)
class BuiltTwin:
    """A twin's model in a worker, until the worker builds the next one.

    Args:
        session: with the worker.
        leaves: the layers that own weights.
    """

    session: Session
    leaves: list[Leaf]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight's shape, by its full name."""
        return {leaf.full(name): shape for leaf in self.leaves for name, shape in leaf.shapes.items()}

    def load(self, weights: Named) -> None:
        """Set every weight."""
        self._own().ask(answers.Nothing, "load", {"file": weights})

    def dump(self) -> Arrays:
        """Every weight."""
        session = self._own()
        return session.checked(session.ask_for_arrays("dump"), self.shapes)

    def forward(self, batch: Named, training: bool = False) -> Arrays:
        """The model's outputs, by name."""
        return self._own().ask_for_arrays("forward", {"batch": batch}, training=training)

    def activations(self, batch: Named, training: bool = False) -> Activations:
        """What enters and leaves each layer."""
        session = self._own()
        order, found = session.ask_for_both(answers.Order, "activations", {"batch": batch}, training=training)
        ends: dict[str, None] = {f"{path}/{end}": None for path in order.order for end in ("in", "out")}
        return Activations(order.order, session.checked(found, ends))

    def keep_activations(self, batch: Named, training: bool, file: Path) -> list[str]:
        """Write what enters and leaves each layer to a file, and say the paths in the order of execution."""
        fields: dict[str, Any] = {"training": training, "out": str(file)}
        return self._own().ask(answers.Order, "activations", {"batch": batch}, **fields).order

    def forward_without(self, batch: Named, place: int) -> tuple[list[str], Arrays]:
        """Every activation of a pass, as 'tanh at conv1', and the outputs without the one at that place, from 0."""
        given = {"batch": batch}
        answer, found = self._own().ask_for_both(answers.Activations, "forward_without", given, place=place)
        return answer.activations, found

    def layers(self, batch: Named) -> answers.LayerShapes:
        """Every layer's type, parameters and shapes."""
        return self._own().ask(answers.LayerShapes, "layers", {"batch": batch})

    def calls(self, batch: Named) -> answers.Calls:
        """Every call of a forward pass."""
        return self._own().ask(answers.Calls, "calls", {"batch": batch})

    def gradients(self, batch: Named) -> Gradients:
        """Losses, and the gradient of every parameter that a phase trains."""
        session = self._own()
        answer, found = session.ask_for_both(answers.PhaseLosses, "gradients", {"batch": batch})
        return Gradients(answer.losses, session.checked(found, self.shapes, complete=False))

    def steps(
        self,
        batches: Named,
        count: int,
        snapshots: Sequence[int],
        matched: Mapping[str, Any],
        redundant: Sequence[str],
    ) -> Steps:
        """Take matched training steps.

        Args:
            batches: arrays as `STEP/NAME`, steps counted from one.
            count: of the steps.
            snapshots: steps after which the weights are kept; after the first of them Adam's moments too.
            matched: fields of the optimizer.
            redundant: PyTorch's arrays that stay as they are, because Keras has none like them.
        """
        session = self._own()
        fields: dict[str, Any] = {"snapshots": list(snapshots), "matched": dict(matched), "redundant": list(redundant)}
        answer, found = session.ask_for_both(answers.Curve, "steps", {"batches": batches}, count=count, **fields)
        if len(answer.curve) != count:
            raise session.worker.malformed(f"the losses of {len(answer.curve)} steps; expected {count}")
        session.checked(
            {name: array for name, array in found.items() if "/moments/" not in name},
            {f"{step}/weights/{name}": shape for step in snapshots for name, shape in self.shapes.items()},
        )
        moments = {
            f"{snapshots[0]}/moments/{which}/{name}": shape
            for which in ("first", "second")
            for name, shape in self.shapes.items()
        }
        session.checked({n: a for n, a in found.items() if "/moments/" in n}, moments, complete=False)
        return Steps(answer.curve, found)

    def fit(
        self,
        epochs: int,
        data_name: str,
        data_options: Mapping[str, Any],
        show: bool = False,
        until_target: bool = False,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> answers.Trained:
        """Train with the stock optimizer, and measure what was learned.

        Args:
            epochs: how many.
            data_name, data_options: a module of `twin.data`, and the options of its `load`.
            show: whether to make pictures of what was learned.
            until_target: whether to stop once the metric's target is reached.
            on_epoch: called after each.

        Raises:
            WorkerFailed: when the session's timeout passes without the end of an epoch.
        """
        fields: dict[str, Any] = {
            "data_name": data_name,
            "data_options": dict(data_options),
            "show": show,
            "until_target": until_target,
        }
        return self._own().ask(answers.Trained, "fit", on_epoch=on_epoch, epochs=epochs, **fields)

    def warm_up(self, batch: Named, data: Named, quantities: Sequence[str]) -> answers.Warm:
        """Take the first steps, and repeat each of the quantities that this twin has until its time is steady.

        Args:
            batch: one training batch with the random numbers that it draws.
            data: the rows that the user's loop trains on.
            quantities: to be timed.
        """
        session, given = self._own(), {"batch": batch, "data": data}
        warm = session.ask(answers.Warm, "warm_up", given, quantities=list(quantities))
        if unknown := warm.repetitions.keys() - set(quantities):
            raise session.worker.malformed(f"repetitions of {sorted(unknown)[0]}")
        return warm

    def timed_loop(self, quantity: str, count: int) -> float:
        """Seconds of one of `count` repetitions."""
        return self._own().ask(answers.Seconds, "timed_loop", quantity=quantity, count=count).seconds

    def peak_memory(self) -> float:
        """The most memory that was in use, in MiB."""
        return self._own().ask(answers.PeakMemory, "peak_memory").peak_memory_mib

    def multiply_adds(self, image_shape: Sequence[int]) -> int:
        """What one picture of that shape costs; native PyTorch only."""
        return self._own().ask(answers.MultiplyAdds, "multiply_adds", image_shape=list(image_shape)).multiply_adds

    def latency(self, batch: Named) -> float:
        """Seconds of the model for a batch, in inference."""
        return self._own().ask(answers.Seconds, "latency", {"batch": batch}).seconds

    def write_export(self, format: str, file: Path, inputs: Named, rows: int | None) -> answers.Wrote:
        """Write the model to a file of another format.

        Args:
            format: a module of compare/export/formats.
            file: or folder, to write.
            inputs: a batch in the model's own layout.
            rows: of every batch that the file shall take; None for any.
        """
        fields: dict[str, Any] = {"format": format, "file": str(file.resolve()), "rows": rows}
        return self._own().ask(answers.Wrote, "write_export", {"inputs": inputs}, **fields)

    def call_method(self, method: str, given: Sequence[np.ndarray]) -> Arrays:
        """What a method of the model returns for some arrays."""
        numbered = {str(place): array for place, array in enumerate(given)}
        return self._own().ask_for_arrays("call_method", {"given": numbered}, method=method)

    def read_file(self, arguments: Mapping[str, Any], file: Path) -> Arrays:
        """The arrays of a file of weights that fits this twin or its public implementation."""
        return self._own().ask_for_arrays("read_file", arguments=dict(arguments), file=str(file.resolve()))

    def write_file(self, arguments: Mapping[str, Any], file: Path, layout: str, weights: Named) -> None:
        """Write arrays to a file of weights of this twin, or of its public implementation."""
        fields: dict[str, Any] = {"arguments": dict(arguments), "file": str(file.resolve()), "layout": layout}
        self._own().ask(answers.Nothing, "write_file", {"given": weights}, **fields)

    def answer_of_applications(self, arguments: Mapping[str, Any], file: Path, batch: Named) -> Arrays:
        """What keras.applications' own model says of a batch with the weights of a file."""
        fields: dict[str, Any] = {"arguments": dict(arguments), "file": str(file.resolve())}
        return self._own().ask_for_arrays("answer_of_applications", {"batch": batch}, **fields)

    def _own(self) -> Session:
        assert self.session.model is self, "the worker has built another model since"
        return self.session
