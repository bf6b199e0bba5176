"""An exported program of torch.export (`.pt2`), run by PyTorch without the model's code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from compare.export.model import Model

TITLE = "torch.export"
SUFFIX = ".pt2"
RUNTIME = {"torch": "torch"}


def needs(engine: str) -> Mapping[str, str] | str:
    if engine in ("torch", "keras-torch"):
        return {"torch": "torch"}
    return "torch.export captures what PyTorch computes, and this engine computes with another framework"


def write(model: Model, file: Path) -> None:
    import torch

    if model.side == "torch":
        torch.export.save(model.program(), file)
        return
    shapes = {}
    if model.rows is None:
        batch = torch.export.Dim("batch")
        several = {name: {0: batch} for name in model.inputs}
        shapes = {"dynamic_shapes": {0: batch} if len(several) == 1 else [(several,)]}
    signature = model.input_signature()
    model.module.export(str(file), format="torch", verbose=False, input_signature=signature, **shapes)


def load(file: Path, twin: str):
    import torch

    program = torch.export.load(file)
    return runner(program.module(), program.call_spec.in_spec)


def runner(module: Any, in_spec: Any):
    """The function that calls a captured or compiled module, whose arguments in_spec describes."""
    import torch

    by_name = in_spec.child(1)

    def run(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | list[np.ndarray]:
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in given.items()}
        with torch.no_grad():
            if by_name.num_children:
                outputs = module(**tensors)
            elif len(tensors) > 1:
                outputs = module(tensors)  # Keras's call takes a dictionary
            else:
                outputs = module(*tensors.values())
        if isinstance(outputs, dict):
            return {name: tensor.numpy() for name, tensor in outputs.items()}
        return [outputs.numpy()]

    return run


def stored(file: Path) -> list[np.ndarray]:
    import torch

    program = torch.export.load(file)
    tensors = [*program.state_dict.values(), *program.constants.values()]
    return [tensor.detach().numpy() for tensor in tensors if getattr(tensor, "dtype", None) == torch.float32]
