"""A worker of PyTorch whose exporter or runtime has one fault, which the mode of its engine names: `torch:half`.

A model that cannot have the fault, as one without activations cannot lose one, is refused as by an exporter.
"""

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from compare.export.faults import LIMIT, far
from compare.worker.exporting import Exporting
from compare.worker.serve import serve
from twin import arrays

ACTIVATIONS = ("relu", "tanh", "sigmoid", "leaky_relu", "gelu", "silu")


class FaultyExporting(Exporting):
    runs = 0

    def write_export(self, format, file, inputs, rows):
        whole, fault = self.context.run, self.context.mode
        try:
            rows = self.plant(fault, rows)
            answer = super().write_export(format, file, inputs, rows)
        finally:
            self.context.run = whole
        if fault == "damaged":
            Path(file).write_bytes(Path(file).read_bytes()[:1000])
        return answer

    def plant(self, fault, rows):
        """Change what will be exported; return the rows that the file is to take.

        Raises:
            ValueError: when the model cannot have that fault.
        """
        import torch

        whole = self.context.run
        model = whole.model
        if fault == "hang":
            time.sleep(600)
        elif fault == "kill":
            os._exit(3)
        elif fault == "batch":
            return rows or 1
        elif fault == "layout":
            needs(shows_pictures(whole.twin), "pictures")
            model = changed(model, before=lambda x: x.transpose(-1, -2))
        elif fault == "reversed":
            needs(shows_pictures(whole.twin) and rows_of(whole).shape[1] > 1, "pictures of several channels")
            model = changed(model, before=lambda x: x.flip(1))
        elif fault == "activation":
            model = changed(model, after=torch.tanh)
        elif fault.startswith("lost"):
            needs(len(whole.twin.inputs) == 1, "one input")
            model = without_activation(model, int(fault.removeprefix("lost"))).eval()
            model(rows_of(whole))  # in training, it would change the statistics of the worker's own model
            needs(model.count > model.place, f"{model.place + 1} activations")
        elif fault == "training":
            model = in_training(copied(whole))
            kinds = [type(module).__name__ for module in model.modules()]
            needs(any("BatchNorm" in kind for kind in kinds) and "Dropout" not in kinds, "BatchNorm, and no dropout")
            with torch.no_grad():  # a copy of its own: a pass in training changes the statistics
                both = [each(rows_of(whole)) for each in (in_training(copied(whole)), whole.model.eval())]
            leaves = zip(*map(torch.utils._pytree.tree_leaves, both), strict=True)
            needs(not all(torch.allclose(*pair) for pair in leaves), "outputs that depend on the mode")
        elif fault in ("half", "bfloat", "weight", "other"):
            model = copied(whole)
            parameters = [p for p in model.parameters() if p.ndim > 1]
            if fault == "weight":
                with torch.no_grad():
                    parameters[len(parameters) // 2].view(-1)[:3] += 0.5
            elif fault == "other":
                for parameter in parameters:
                    torch.nn.init.normal_(parameter)
            else:
                model = (model.half() if fault == "half" else model.bfloat16()).float()
        elif fault == "twin":
            # Takes the same batches, and is what a classifier of pictures or of rows may be.
            model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(7)).eval()
            given = rows_of(whole)
            needs(given.is_floating_point() and len(whole.twin.inputs) == 1, "one input of numbers")
            model(given)
        if model is not whole.model:
            before, after = (outputs_of(replace(whole, model=each)) for each in (whole.model, model))
            needs(before.keys() != after.keys() or far(after, before) > LIMIT, "outputs that depend on it")
        self.context.run = replace(whole, model=model)
        return rows

    def run_export(self, inputs, out):
        answer = super().run_export(inputs, out)
        self.runs += 1
        wrong = {"runtime": 1.01, "restless": 1 + 0.01 * self.runs}.get(self.context.mode)
        if wrong:
            arrays.write(out, {name: array * array.dtype.type(wrong) for name, array in arrays.read(out).items()})
        return answer


def needs(has, what):
    if not has:
        raise ValueError(f"the model has not: {what}")


def shows_pictures(twin):
    return [*twin.inputs.values()] in (["images"], ["clips"])


def batch_of(run):
    """The inputs of a batch of a built twin."""
    import numpy as np

    from twin.batches import make_batches, of_step

    batches = make_batches(run.twin, run.twin.ladder_arguments("small"), "small", np.random.default_rng(0))
    return run.twin.inputs_of(of_step(batches))


def rows_of(run):
    """Two rows of the only input of a built twin."""
    from torch_impl import train

    return next(iter(train.to_tensors(run, batch_of(run)).values()))[:2]


def outputs_of(run):
    """What a model returns for a batch, as numbers; of another model whatever it is called."""
    from torch_impl import train

    return train.forward(run, batch_of(run))


def copied(run):
    """The model again: the worker's own stays as it is."""
    from torch_impl import train

    model = train.build(run.twin, run.arguments).model
    model.load_state_dict(run.model.state_dict())
    return model


def in_training(model):
    """The model, which stays in the training mode when it is exported."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model.train()

        def train(self, mode=True):
            return self

        def forward(self, x):
            return self.model(x)

    return Whole()


def changed(model, before=lambda x: x, after=lambda x: x):
    """The model with something before and behind it."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return after(self.model(before(x)))

    return Whole()


def without_activation(model, place):
    """The model, whose activation at that place, from 0, returns what it takes."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model, self.place, self.count, self.inside = model, place, 0, False

        def forward(self, x):
            self.count = 0

            def lost(function):
                def activation(x, *args, **kwargs):
                    if self.inside:  # functional.relu calls torch.relu
                        return function(x, *args, **kwargs)
                    self.count += 1
                    if self.count == place + 1:
                        return x
                    self.inside = True
                    try:
                        return function(x, *args, **kwargs)
                    finally:
                        self.inside = False

                return activation

            with ExitStack() as stack:
                for module in (torch, torch.nn.functional):
                    for name in ACTIVATIONS:
                        if hasattr(module, name):
                            stack.enter_context(patch.object(module, name, lost(getattr(module, name))))
                return self.model(x)

    return Whole()


if __name__ == "__main__":
    serve(sys.argv[1], FaultyExporting)
