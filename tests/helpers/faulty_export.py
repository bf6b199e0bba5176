"""A worker of PyTorch whose exporter has one fault, which the mode of its engine names: `torch:half`."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from compare.worker.exporting import Exporting
from compare.worker.serve import serve


class FaultyExporting(Exporting):
    def write_export(self, format, file, inputs, rows):
        import torch

        fault, model = self.context.mode, self.context.run.model
        if fault == "hang":
            time.sleep(600)
        if fault == "kill":
            os._exit(3)
        whole = self.context.run
        if fault == "half":
            self.context.run = replace(whole, model=model.half().float())
        elif fault == "layout":
            self.context.run = replace(whole, model=changed(model, lambda x: x.transpose(-1, -2)))
        elif fault == "activation":
            self.context.run = replace(whole, model=changed(model, after=torch.tanh))
        elif fault == "batch":
            rows = rows or 1
        elif fault == "other":
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter)
        answer = super().write_export(format, file, inputs, rows)
        if fault == "damaged":
            Path(file).write_bytes(Path(file).read_bytes()[:1000])
        return answer


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


if __name__ == "__main__":
    serve(sys.argv[1], FaultyExporting)
