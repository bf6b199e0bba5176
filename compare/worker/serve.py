"""The worker process of one engine: reads requests from stdin, one JSON object a line, and answers likewise.

Arrays travel as safetensors files whose paths are in the messages. Whatever a framework prints goes to
stderr; only answers reach stdout.
"""

import contextlib
import dataclasses
import importlib
import inspect
import json
import math
import os
import resource
import sys
import time
from typing import Any

import numpy as np

from twin import arrays, catalogue, data, metrics, seam
from twin.errors import TwinError
from twin.spec import Layout, Optimizer, torch_shape


class Stopped(Exception):
    """The training cannot go on."""


class Reached(Exception):
    """The training has reached its target."""


class Worker:
    """Holds the engine's current run; each public method is an operation of the protocol."""

    def __init__(self, engine: str, send: Any):
        self.engine, self.send = engine, send
        name, _, self.mode = engine.partition(":")
        self.side = "torch" if name == "torch" else "keras"
        self.train: seam.Train[Any] = self._module("train")
        self.run: Any = None
        self.subject: seam.Subject | None = None
        self.watch: Any = None
        self.stand: Any = None
        self.device = "cpu"

    def _module(self, name: str) -> Any:
        """A module of this side of the seam (twin.seam)."""
        return importlib.import_module(f"{self.side}_impl.{name}")

    def hello(self, device: str) -> dict[str, Any]:
        """Choose the device; say what is installed."""
        versions = {"python": sys.version.split()[0], "numpy": np.__version__}
        for package in ("keras", "tensorflow", "jax", "torch"):
            if package in sys.modules:
                versions[package] = sys.modules[package].__version__
        self.device = device
        return {"versions": versions, "device": self.train.describe_device(device)}

    def build(self, twin: str, arguments: dict[str, Any], dtype: str, seed: int, layout: str = "") -> dict[str, Any]:
        """Make a fresh model; describe its leaves."""
        self.run = None  # two models of a published size at a time would be one too many
        self.run = self.train.build(catalogue.find(twin), _tuples(arguments), dtype, seed, self.device, self.mode)
        if self.side == "torch":
            self._module("matched").layout(self.run.model, layout)
        return {"leaves": [vars(leaf) for leaf in self.train.describe(self.run)]}

    def replace_module(
        self, twin: str, text: str, units: list[str] | None, owned: list[str], seconds: float
    ) -> dict[str, Any]:
        """Let a learner's file, or some methods of it in the twin's own, be the twin from here on; "" ends that."""
        from compare.worker import stand_in

        self.run = None
        if self.stand:
            self.stand.leave()
            self.stand = None
        own = self.train.load_module(catalogue.find(twin))
        if text:
            self.stand = stand_in.StandIn(own, text, units, owned, seconds)
            with self.stand.in_time():
                self.stand.enter()
        return {}

    def ran(self) -> dict[str, Any]:
        """Which methods of the file that stands in were called."""
        return {"ran": sorted(self.stand.ran)}

    def call_method(self, method: str, given: str, out: str) -> dict[str, Any]:
        """What a method of the built model returns for some arrays, in their order."""
        values = arrays.read(given)  # of the shapes that the method's docstring names, which are the side's own
        plain = dataclasses.replace(self.run.twin, outputs={})
        found = getattr(self.run.model, method)(*(self.train.to_tensor(values[n]) for n in sorted(values, key=int)))
        arrays.write(out, self.train.to_arrays(plain, found))
        return {}

    def default_of(self, twin: str, callee: str, keyword: str) -> dict[str, Any]:
        """The value that a framework's function takes for a keyword that is left out; "" where it does not say."""
        found: Any = self.train.load_module(catalogue.find(twin))
        try:
            for name in callee.split("."):
                found = getattr(found, name)
            return {"default": repr(inspect.signature(found).parameters[keyword].default)}
        except (AttributeError, KeyError, TypeError, ValueError):
            return {"default": ""}

    def load(self, file: str) -> dict[str, Any]:
        """Set every weight."""
        self.train.load_weights(self.run, arrays.read(file))
        return {}

    def dump(self, out: str) -> dict[str, Any]:
        """Write every weight."""
        arrays.write(out, self.train.dump_weights(self.run))
        return {}

    def forward(self, batch: str, training: bool, out: str) -> dict[str, Any]:
        """The model's outputs."""
        arrays.write(out, self.train.forward(self.run, arrays.read(batch), training))
        return {}

    def activations(self, batch: str, training: bool, out: str) -> dict[str, Any]:
        """What enters and leaves each layer, in the order of execution."""
        order, values = self.train.activations(self.run, arrays.read(batch), training)
        arrays.write(out, values)
        return {"order": order}

    def layers(self, batch: str) -> dict[str, Any]:
        """The outputs' shapes, and every layer in the order of execution: path, type, parameters, shapes in and out."""
        given = arrays.read(batch)
        order, values = self.train.activations(self.run, given)
        describe: seam.Describe = self._module("describe")
        sizes = describe.sizes(self.run.model)
        twin, native = self.run.twin, self.side == "torch"  # arrays come laid out as the data is

        def shape(array: np.ndarray, layout: Layout) -> list[int]:
            return list(torch_shape(array.shape, layout) if native else array.shape)

        ran = [
            [path, *(shape(a, twin.inner_layout(a.ndim)) for a in (values[f"{path}/in"], values[f"{path}/out"]))]
            for path in order
        ]
        outputs = {n: shape(a, twin.output_layout(n)) for n, a in self.train.forward(self.run, given).items()}
        return {"sizes": sizes, "ran": ran, "outputs": outputs}

    def gradients(self, batch: str, out: str) -> dict[str, Any]:
        """Losses, and every parameter's gradient."""
        losses, gradients = self.train.loss_and_gradients(self.run, arrays.read(batch))
        arrays.write(out, gradients)
        return {"losses": losses}

    def steps(
        self,
        batches: str,
        count: int,
        snapshots: list[int],
        matched: dict[str, Any],
        redundant: list[str],
        out: str,
    ) -> dict[str, Any]:
        """Take `count` matched steps; keep the weights (and Adam's moments) after some of them."""
        if self.side == "torch":
            for variables in self.run.variables.values():
                self._module("matched").freeze(variables, redundant)
        self.train.prepare(self.run, count, Optimizer(**matched))
        everything = arrays.read(batches)
        curve: list[dict[str, float]] = []
        kept: dict[str, np.ndarray] = {}
        for number in range(1, count + 1):
            prefix = f"{number}/"
            batch = {n.removeprefix(prefix): a for n, a in everything.items() if n.startswith(prefix)}
            curve.append(self.train.step(self.run, batch))
            if number in snapshots:
                kept |= {f"{number}/weights/{n}": a for n, a in self.train.dump_weights(self.run).items()}
            if number == snapshots[0]:
                kept |= {f"{number}/moments/{n}": a for n, a in self.train.dump_moments(self.run).items()}
        arrays.write(out, kept)
        return {"curve": curve}

    def exercise(self, twin: str, inputs: str, dtype: str, out: str) -> dict[str, Any]:
        """An exercise's named outputs."""
        arrays.write(out, self.train.exercise(catalogue.find(twin), arrays.read(inputs), dtype))
        return {}

    def warm_up(self, batch: str, data: str, quantities: list[str]) -> dict[str, Any]:
        """Get the built run ready to be timed: its first steps, and warm in what is to be timed of it."""
        from compare.worker.stopwatch import Stopwatch

        timing: seam.Timing[Any] = self._module("timing")
        self.watch = Stopwatch(self.train, timing, self.run, arrays.read(batch), arrays.read(data))
        first, second = self.watch.first_steps()
        warm = {q: self.watch.warm_up(q) for q in self.watch.quantities() if q in quantities}
        return {
            "first_step": first,
            "second_step": second,
            "unsteady": [quantity for quantity, (_, steady) in warm.items() if not steady],
            "repetitions": {quantity: count for quantity, (count, _) in warm.items()},
        }

    def timed_loop(self, quantity: str, count: int) -> dict[str, Any]:
        """Seconds of one of `count` repetitions."""
        return {"seconds": self.watch.timed_loop(quantity, count)}

    def peak_memory(self) -> dict[str, Any]:
        """The most memory that was in use: the device's, on a CPU the process's."""
        timing: seam.Timing[Any] = self._module("timing")
        on_device = timing.device_memory()
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
        return {"peak_memory_mib": round((resident if on_device is None else on_device) / 2**20, 1)}

    def probe(self, topic: str, function: str, inputs: str, out: str) -> dict[str, Any]:
        """What a function of the catalogue of differences returns."""
        arrays.write(out, {"y": self._module("differences").probe(topic, function, arrays.read(inputs))})
        return {}

    def open(self, model: str, kwargs: dict[str, Any], inputs: str) -> dict[str, Any]:
        """Build a user's own model to examine it."""
        from compare.worker import user_code

        given = user_code.listed(arrays.read(inputs))
        tracing: seam.Tracing = self._module("tracing")
        self.subject = tracing.Subject(user_code.model(self.side, model, kwargs), given)
        return {"leaves": [vars(leaf) for leaf in self.subject.leaves()]}

    def read_weights(self, file: str) -> dict[str, Any]:
        """Set the opened model's weights from a file."""
        from compare.worker import user_code

        user_code.load_weights(self.side, self.subject, file)
        return {}

    def read_file(self, arguments: dict[str, Any], file: str, out: str) -> dict[str, Any]:
        """The arrays of a file of weights that fits the built twin, or its public implementation."""
        from compare.worker import weight_files

        arrays.write(out, weight_files.read(self.train, self.run, arguments, file))
        return {}

    def write_file(self, arguments: dict[str, Any], file: str, layout: str, given: str) -> dict[str, Any]:
        """Write arrays to a file of the built twin, or of its public implementation."""
        from compare.worker import weight_files

        weight_files.write(self.train, self.run, arguments, file, layout, arrays.read(given))
        return {}

    def answer_of_applications(self, arguments: dict[str, Any], file: str, batch: str, out: str) -> dict[str, Any]:
        """What keras.applications' own model says of a batch with the weights of a file."""
        from compare.worker import weight_files

        (pictures,) = self.run.twin.inputs_of(arrays.read(batch)).values()
        arrays.write(out, weight_files.answer_of_applications(self.run.twin.name, arguments, file, pictures))
        return {}

    def save_weights(self, file: str) -> dict[str, Any]:
        """Write the opened model's weights."""
        from compare.worker import weight_files

        weight_files.save(self.subject, file)
        return {}

    def examine(self, method: str, fields: dict[str, Any], out: str = "", **files: str) -> dict[str, Any]:
        """One method of the opened model's Subject; its arrays come and go in files."""
        from compare.worker import user_code

        given: dict[str, Any] = {name: arrays.read(file) for name, file in files.items()}
        if "inputs" in given:
            given["inputs"] = user_code.listed(given["inputs"])
        found = getattr(self.subject, method)(**fields, **given)
        if method == "load":
            return {}
        if isinstance(found, list) or method == "regularizers":
            return {"found": found}
        packed, values = found.pack() if method == "trace" else ({}, found)
        arrays.write(out, values)
        return packed

    def multiply_adds(self, image_shape: list[int]) -> dict[str, Any]:
        """What one picture of that shape costs the model; native PyTorch only."""
        counting = importlib.import_module("torch_impl.counting")
        (name,) = self.run.twin.inputs
        return {"multiply_adds": counting.multiply_adds(self.run, {name: np.zeros((1, *image_shape), np.float32)})}

    def loss(
        self, reference: str, given: str, transform: str, out: str, changes: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """A user's own loss, or a stock one, on given outputs."""
        from compare.worker import user_code

        criteria: seam.Criteria = self._module("criteria")
        values = arrays.read(given)
        found = user_code.find(reference) if ":" in reference else reference
        more = [changes] if changes else []
        value, gradient, text = criteria.loss(found, values["outputs"], values["target"], transform, *more)
        arrays.write(out, {"gradient": gradient})
        return {"value": value, "text": text}

    def updates(self, reference: str, given: str, changes: dict[str, Any], out: str) -> dict[str, Any]:
        """A user's own optimizer, or a stock one, on given gradients."""
        from compare.worker import user_code

        criteria: seam.Criteria = self._module("criteria")
        values = arrays.read(given)
        found = user_code.find(reference) if ":" in reference else reference
        weights = [values[f"weights/{place}"] for place in range(sum(name.startswith("weights/") for name in values))]
        steps = values["gradients/0"].shape[0] if weights else 0
        gradients = [[values[f"gradients/{place}"][step] for place in range(len(weights))] for step in range(steps)]
        told, after = criteria.updates(found, weights, gradients, changes)
        arrays.write(out, {str(place): array for place, array in enumerate(after)})
        return told

    def fit(
        self,
        epochs: int,
        data_name: str,
        data_options: dict[str, Any],
        show: bool = False,
        until_target: bool = False,
    ) -> dict[str, Any]:
        """Train with the stock optimizer, on batches in an order that the seed fixes; measure what was learned.

        With `show`, also pictures of what was learned. With `until_target`, no longer than it takes to reach the
        metric's goal, as seen after each quarter of the epochs; a twin that trains in phases of its own goes on to
        its end, because its metric says nothing before the last phase.
        """
        twin, rng = self.run.twin, np.random.default_rng(self.run.seed)
        dataset = data.load(data_name, data_options)
        rows = len(next(iter(dataset.train.values())))
        orders = [rng.permutation(rows) for _ in range(epochs)]
        losses: dict[str, list[float]] = {}
        marks: list[float] = []
        outputs: dict[str, np.ndarray] = {}
        in_phases = hasattr(self.run.module, "fit")
        looks = {-(-epochs * part // 4) for part in (1, 2, 3)} if until_target and not in_phases else set()

        def predict(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            outputs.update(self.train.predict(self.run, given))
            return outputs

        def learned() -> float:
            return getattr(metrics, twin.metric.name)(predict, dataset.test)

        def report(epoch: int, values: dict[str, float]) -> None:
            marks.append(time.perf_counter())
            for name, value in values.items():
                losses.setdefault(name, []).append(value)
                if not math.isfinite(value):
                    raise Stopped(f"{name} became {value} in epoch {epoch + 1} of {epochs}; try a lower learning rate")
            self.send({"event": "epoch", "epoch": epoch + 1, "epochs": epochs, "losses": values})
            if epoch + 1 in looks and twin.metric.reached(learned()):
                raise Reached

        self.train.prepare(self.run, steps=epochs * math.ceil(rows / twin.batch_size))
        found: dict[str, Any] = {"losses": losses, "provenance": dataset.provenance, "rows": rows}
        start = time.perf_counter()
        try:
            self.train.fit(self.run, dataset.train, orders, report)
            self.train.synchronize()
        except Reached:
            pass
        except Stopped as stop:
            found["stopped"] = str(stop)
        found["seconds"] = time.perf_counter() - start
        found["epoch_seconds"] = np.diff([start, *marks]).tolist()
        if "stopped" not in found:
            found["value"] = learned()
            if show:
                from compare.record import pictures as shown

                spelled = getattr(data.module(twin.data), "spelled", str)
                found["shown"] = shown.of_predictions(twin, dataset.test, outputs, spelled)
                arguments, inputs = twin.small.arguments, twin.inputs_of(dataset.test)
                if found["shown"] and "heads" in arguments and list(twin.inputs.values()) in (["images"], ["clips"]):
                    seen = {name: array[: shown.ROWS] for name, array in inputs.items()}
                    _, values = self.train.activations(self.run, seen)
                    shape = next(iter(seen.values())).shape[1:]
                    if weights := shown.attention(values, arguments["heads"], shape, arguments.get("tubelet_size")):
                        found["shown"]["pictures"].append(weights)
        return found


def _tuples(arguments: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples, and models expect them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}


def _status(error: BaseException) -> str:
    """The cell status that an exception stands for."""
    text = f"{type(error).__name__}: {error}"
    if type(error).__name__ == "OutOfMemoryError" or "RESOURCE_EXHAUSTED" in text:
        return "oom_device" if "cuda" in text.lower() or "gpu" in text.lower() else "oom_host"
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return "oom_host"
    return "failed"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, TwinError) else f"{type(error).__name__}: {text[:300]}"


def serve(engine: str, kind: type[Worker] = Worker) -> None:
    """Answer requests until stdin ends; `kind` is the worker to answer with."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what anything prints goes to stderr, so that stdout stays a protocol

    def send(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")

    worker: Worker | None = None
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        try:
            worker = worker or kind(engine, send)
            with worker.stand.in_time() if worker.stand else contextlib.nullcontext():
                result = getattr(worker, op)(**request)
            send({"ok": True, "result": result})
        except BaseException as error:
            import traceback

            learners = worker is not None and worker.stand is not None
            if not isinstance(error, Exception) and not learners:  # a learner's sys.exit() ends no worker
                raise
            traceback.print_exc()
            answer: dict[str, Any] = {"ok": False, "status": _status(error), "reason": _one_line(error)}
            if learners:
                from compare.worker import stand_in

                answer["partial"] = stand_in.place_of(error)
            send(answer)
