"""A built twin: build it, give it weights, run it forward and back, take matched steps, read and write its files."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.worker import weight_files
from compare.worker.context import Context
from twin import arrays, catalogue, seam
from twin.batches import of_step
from twin.spec import Layout, Optimizer, torch_shape


@dataclass
class Model:
    """Operations on the built twin, of which a worker holds one at a time."""

    context: Context

    def build(self, twin: str, arguments: dict[str, Any], dtype: str, seed: int, layout: str = "") -> dict[str, Any]:
        """Make a fresh model; describe its leaves."""
        context = self.context
        context.run = None  # two models of a published size at a time would be one too many
        found, arguments = catalogue.find(twin), with_tuples(arguments)
        context.run = context.train.build(found, arguments, dtype, seed, context.device, context.mode)
        if context.side == "torch":
            context.side_module("matched").layout(context.run.model, layout)
        return {"leaves": [vars(leaf) for leaf in context.train.describe(context.run)]}

    def load(self, file: str) -> dict[str, Any]:
        """Set every weight."""
        self.context.train.load_weights(self.context.run, arrays.read(file))
        return {}

    def dump(self, out: str) -> dict[str, Any]:
        """Write every weight."""
        arrays.write(out, self.context.train.dump_weights(self.context.run))
        return {}

    def forward(self, batch: str, training: bool, out: str) -> dict[str, Any]:
        """The model's outputs."""
        arrays.write(out, self.context.train.forward(self.context.run, arrays.read(batch), training))
        return {}

    def forward_without(self, batch: str, place: int, out: str) -> dict[str, Any]:
        """The model's outputs without one of its activations."""
        ablation: seam.Ablation[Any] = self.context.side_module("ablation")
        found, outputs = ablation.forward_without(self.context.run, arrays.read(batch), place)
        arrays.write(out, outputs)
        return {"activations": found}

    def call_method(self, method: str, given: str, out: str) -> dict[str, Any]:
        """What a method of the built model returns for some arrays, in their order."""
        train, run = self.context.train, self.context.run
        values = arrays.read(given)  # of the shapes that the method's docstring names, which are the side's own
        plain = replace(run.twin, outputs={})
        found = getattr(run.model, method)(*(train.to_tensor(values[n]) for n in sorted(values, key=int)))
        arrays.write(out, train.to_arrays(plain, found))
        return {}

    def activations(self, batch: str, training: bool, out: str) -> dict[str, Any]:
        """What enters and leaves each layer, in the order of execution."""
        order, values = self.context.train.activations(self.context.run, arrays.read(batch), training)
        arrays.write(out, values)
        return {"order": order}

    def layers(self, batch: str) -> dict[str, Any]:
        """The outputs' shapes, and every layer in the order of execution: path, type, parameters, shapes in and out."""
        train, run = self.context.train, self.context.run
        given = arrays.read(batch)
        order, values = train.activations(run, given)
        describe: seam.Describe = self.context.side_module("describe")
        sizes = describe.sizes(run.model)
        twin, native = run.twin, self.context.side == "torch"  # arrays come laid out as the data is

        def shape(array: np.ndarray, layout: Layout) -> list[int]:
            return list(torch_shape(array.shape, layout) if native else array.shape)

        ran = [
            [path, *(shape(a, twin.inner_layout(a.ndim)) for a in (values[f"{path}/in"], values[f"{path}/out"]))]
            for path in order
        ]
        outputs = {n: shape(a, twin.output_layout(n)) for n, a in train.forward(run, given).items()}
        return {"sizes": sizes, "ran": ran, "outputs": outputs}

    def calls(self, batch: str) -> dict[str, Any]:
        """Every call of a forward pass: the layer, what it does, the shapes of what comes out, values in and out.

        The shapes are in the framework's own order of axes.
        """
        train, run = self.context.train, self.context.run
        twin = run.twin
        given = {name: array for name, array in arrays.read(batch).items() if name in twin.inputs}
        laid_out = train.to_arrays(replace(twin, outputs={}), train.to_tensors(run, given))
        inputs = [laid_out[name] for name in twin.inputs]
        tracing: seam.Tracing = self.context.side_module("tracing")
        trace = tracing.Subject(run.model, inputs).trace(inputs)

        def shapes(outputs: tuple[int, ...]) -> list[list[int]]:
            return [list(trace.values[number].shape) if number in trace.values else [] for number in outputs]

        return {
            "calls": [
                [e.path, e.own, e.family, str(e.settings.get("name", "")), shapes(e.outputs), e.inputs, e.outputs]
                for e in trace.events
            ],
            "stopped": trace.stopped,
        }

    def gradients(self, batch: str, out: str) -> dict[str, Any]:
        """Losses, and every parameter's gradient."""
        losses, gradients = self.context.train.loss_and_gradients(self.context.run, arrays.read(batch))
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
        train, run = self.context.train, self.context.run
        if self.context.side == "torch":
            for variables in run.variables.values():
                self.context.side_module("matched").freeze(variables, redundant)
        train.prepare(run, count, Optimizer(**matched))
        everything = arrays.read(batches)
        curve: list[dict[str, float]] = []
        kept: dict[str, np.ndarray] = {}
        for number in range(1, count + 1):
            curve.append(train.step(run, of_step(everything, number)))
            if number in snapshots:
                kept |= {f"{number}/weights/{n}": a for n, a in train.dump_weights(run).items()}
            if number == snapshots[0]:
                kept |= {f"{number}/moments/{n}": a for n, a in train.dump_moments(run).items()}
        arrays.write(out, kept)
        return {"curve": curve}

    def multiply_adds(self, image_shape: list[int]) -> dict[str, Any]:
        """What one picture of that shape costs the model; native PyTorch only."""
        run, counting = self.context.run, self.context.side_module("counting")
        (name,) = run.twin.inputs
        return {"multiply_adds": counting.multiply_adds(run, {name: np.zeros((1, *image_shape), np.float32)})}

    def read_file(self, arguments: dict[str, Any], file: str, out: str) -> dict[str, Any]:
        """The arrays of a file of weights that fits the built twin, or its public implementation."""
        arrays.write(out, weight_files.read(self.context.train, self.context.run, arguments, file))
        return {}

    def write_file(self, arguments: dict[str, Any], file: str, layout: str, given: str) -> dict[str, Any]:
        """Write arrays to a file of the built twin, or of its public implementation."""
        weight_files.write(self.context.train, self.context.run, arguments, file, layout, arrays.read(given))
        return {}

    def answer_of_applications(self, arguments: dict[str, Any], file: str, batch: str, out: str) -> dict[str, Any]:
        """What keras.applications' own model says of a batch with the weights of a file."""
        (pictures,) = self.context.run.twin.inputs_of(arrays.read(batch)).values()
        arrays.write(out, weight_files.answer_of_applications(self.context.run.twin.name, arguments, file, pictures))
        return {}


def with_tuples(arguments: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples, and models expect them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
