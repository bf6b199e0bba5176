"""ExecuTorch (`.pte`), run by the runtime that phones and boards have."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compare.export.model import Model

TITLE = "ExecuTorch"
SUFFIX = ".pte"
RUNTIME = {"executorch": "executorch"}


def needs(engine: str) -> Mapping[str, str] | str:
    if engine == "torch":
        return {"executorch": "executorch"}
    return "ExecuTorch lowers programs of native PyTorch" if engine != "keras-torch" else "Keras has no exporter to it"


def write(model: Model, file: Path) -> None:
    from executorch.exir import to_edge

    if model.rows is None:
        raise ValueError("ExecuTorch plans its memory ahead, for a batch whose largest size is known")
    file.write_bytes(to_edge(model.program()).to_executorch().buffer)


def load(file: Path, twin: str):
    import torch
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(file).load_method("forward")

    def run(given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [tensor.numpy() for tensor in method.execute([torch.from_numpy(a.copy()) for a in given.values()])]

    return run
