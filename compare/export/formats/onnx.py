"""ONNX, run by ONNX Runtime."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compare.export.model import Model, ordered

TITLE = "ONNX"
SUFFIX = ".onnx"
RUNTIME = {"onnxruntime": "onnxruntime"}
WRITERS = {
    "torch": {"onnx": "onnx", "onnxscript": "onnxscript"},
    "keras-torch": {"onnx": "onnx", "onnxscript": "onnxscript"},
    "keras-tensorflow": {"onnx": "onnx", "tf2onnx": "tf2onnx"},
    "keras-jax": {"onnx": "onnx", "jax2onnx": "jax2onnx"},
}


def needs(engine: str) -> Mapping[str, str] | str:
    return WRITERS[engine]


def write(model: Model, file: Path) -> None:
    if model.side == "keras":
        model.module.export(str(file), format="onnx", verbose=False, input_signature=model.input_signature())
        return
    import torch

    # Captured first: of a model that fixes its batch, torch.onnx.export would write a file for the example's, silently.
    program = torch.onnx.export(model.program(), input_names=list(model.inputs), dynamo=True, verbose=False)
    assert program is not None
    program.save(str(file))


def load(file: Path, twin: str):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    outputs = [each.name for each in session.get_outputs()]

    def run(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(outputs, session.run(outputs, ordered(given, names)), strict=True))

    return run


def stored(file: Path) -> list[np.ndarray]:
    import onnx

    graph = onnx.load(file).graph
    constants = [a.t for node in graph.node if node.op_type == "Constant" for a in node.attribute if a.name == "value"]
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in (*graph.initializer, *constants)]
    return [array for array in arrays if array.dtype == np.float32]


def elsewhere(file: Path):
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(str(file))

    def run(given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [np.asarray(array) for array in session.run(None, ordered(given, list(session.input_names)))]

    return run
