"""A worker of PyTorch whose exporter or runtime has one fault, which the mode of its engine names: `torch:half`."""

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from compare.worker.exporting import Exporting
from compare.worker.serve import serve
from twin import arrays, catalogue

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
        """Change what will be exported; return the rows that the file is to take."""
        import torch

        from torch_impl import train

        whole = self.context.run
        model = whole.model
        if fault == "hang":
            time.sleep(600)
        elif fault == "kill":
            os._exit(3)
        elif fault == "batch":
            return rows or 1
        elif fault == "layout":
            model = changed(model, before=lambda x: x.transpose(-1, -2))
        elif fault == "activation":
            model = changed(model, after=torch.tanh)
        elif fault.startswith("lost"):
            model = without_activation(model, int(fault.removeprefix("lost")))
        elif fault in ("half", "bfloat", "weight", "other"):
            model = train.build(whole.twin, whole.arguments).model  # the worker's own stays as it is
            model.load_state_dict(whole.model.state_dict())
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
            twin = whole.twin
            given = next(iter(train.to_tensors(whole, catalogue_batch(twin)).values()))
            model(given)
        self.context.run = replace(whole, model=model)
        return rows

    def run_export(self, inputs, out):
        answer = super().run_export(inputs, out)
        self.runs += 1
        wrong = {"runtime": 1.01, "restless": 1 + 0.01 * self.runs}.get(self.context.mode)
        if wrong:
            arrays.write(out, {name: array * array.dtype.type(wrong) for name, array in arrays.read(out).items()})
        return answer


def catalogue_batch(twin):
    """Two rows of a twin's inputs."""
    import numpy as np

    from twin.batches import make_batches

    arguments = twin.ladder_arguments("small")
    batches = make_batches(catalogue.find(twin.name), arguments, "small", np.random.default_rng(0))
    return {name.removeprefix("1/"): array[:2] for name, array in batches.items() if name.startswith("1/")}


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
            self.model = model

        def forward(self, x):
            count = [-1]

            def lost(function):
                def activation(x, *args, **kwargs):
                    count[0] += 1
                    return x if count[0] == place else function(x, *args, **kwargs)

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
