"""OpenVINO's intermediate representation (`.xml` and `.bin`), run on the CPU in float32."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from compare.export.formats import onnx
from compare.export.model import Model, ordered

TITLE = "OpenVINO"
SUFFIX = ".xml"
RUNTIME = {"openvino": "openvino"}


def needs(engine: str) -> Mapping[str, str] | str:
    return {"openvino": "openvino"} | (onnx.WRITERS[engine] if engine == "keras-jax" else {})


def write(model: Model, file: Path) -> None:
    if model.backend == "jax":
        # Keras's own exporter hides what JAX computes in calls of XLA, which OpenVINO does not know.
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "model.onnx"
            onnx.write(model, whole)
            save(whole, file)
        return
    if model.side == "keras":
        if model.backend == "torch" and model.rows is None:
            raise ValueError("Keras on PyTorch traces OpenVINO's file with one row, which it then keeps")
        model.module.export(str(file), format="openvino", verbose=False, input_signature=model.input_signature())
        return
    save(model.program(), file)


def save(model: Any, file: Path) -> None:
    """Convert an ONNX file or an exported program, and write it in the precision that it has."""
    import openvino

    # A save_model without this argument halves the precision of every weight.
    openvino.save_model(openvino.convert_model(model), file, compress_to_fp16=False)


def load(file: Path, twin: str):
    import openvino

    threads = int(os.environ["OMP_NUM_THREADS"])
    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}  # else bfloat16 where the CPU has it
    compiled = openvino.Core().compile_model(file, "CPU", exact)
    names = [each.get_any_name() for each in compiled.inputs]

    def run(given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        found = compiled(ordered(given, names))
        return [found[output] for output in compiled.outputs]

    return run


def stored(file: Path) -> list[np.ndarray]:
    import openvino

    constants = [node for node in openvino.Core().read_model(file).get_ops() if node.get_type_name() == "Constant"]
    return [node.data for node in constants if node.data.dtype == np.float32]
