"""A worker whose exporter has one fault: the environment's variable EXPORT_FAULT names it."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from compare.export import formats
from compare.worker.exporting import Exporting
from compare.worker.serve import serve

FAULT = os.environ["EXPORT_FAULT"]


class FaultyExporting(Exporting):
    def write_export(self, format, file, inputs, rows):
        import torch

        model = self.context.run.model
        if FAULT == "hang":
            time.sleep(600)
        if FAULT == "kill":
            os._exit(3)
        whole = self.context.run
        if FAULT == "half":
            self.context.run = replace(whole, model=model.half().float())
        elif FAULT == "layout":
            self.context.run = replace(whole, model=Changed(model, lambda x: x.movedim(-1, 1)))
        elif FAULT == "activation":
            self.context.run = replace(whole, model=Changed(model, after=torch.tanh))
        elif FAULT == "batch":
            rows = rows or 1
        elif FAULT == "other":
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter)
        answer = super().write_export(format, file, inputs, rows)
        if FAULT == "damaged":
            Path(file).write_bytes(Path(file).read_bytes()[:1000])
        return answer


def Changed(model, before=lambda x: x, after=lambda x: x):
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
    assert formats
    serve(sys.argv[1], FaultyExporting)
