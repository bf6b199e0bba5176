"""LiteRT (`.tflite`), run by the interpreter that phones have."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compare.export.model import Model, ordered

TITLE = "LiteRT"
SUFFIX = ".tflite"
RUNTIME = {"ai_edge_litert": "ai-edge-litert"}


def needs(engine: str) -> Mapping[str, str] | str:
    if engine == "keras-jax":
        return "Keras writes LiteRT on TensorFlow and PyTorch only"
    return {"tensorflow": "tensorflow"} if engine == "keras-tensorflow" else {"litert_torch": "litert-torch"}


def write(model: Model, file: Path) -> None:
    if model.side == "keras":
        if model.backend == "torch" and model.rows is None:
            raise ValueError("Keras on PyTorch writes LiteRT for a fixed batch only")  # and would take 1, silently
        model.module.export(str(file), format="litert", verbose=False, input_signature=model.input_signature())
        return
    import litert_torch

    if model.rows is None:
        raise ValueError("LiteRT's operations take no batch of any size from PyTorch")
    given, named = model.example()
    litert_torch.convert(model.module.eval(), given, sample_kwargs=named or None).export(str(file))


def load(file: Path, twin: str):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file), num_threads=int(os.environ["OMP_NUM_THREADS"]))
    (signature,) = interpreter.get_signature_list() or [""]
    runner = interpreter.get_signature_runner(signature)
    names = list(runner.get_input_details())

    def run(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(runner(**ordered(given, names)))

    return run


def stored(file: Path) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    arrays = []
    for each in interpreter.get_tensor_details():
        with contextlib.suppress(ValueError):  # it is computed, and has no value yet
            arrays.append(interpreter.get_tensor(each["index"]))
    return [array for array in arrays if array.dtype == np.float32]
