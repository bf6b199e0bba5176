"""TensorFlow's SavedModel, run by TensorFlow."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compare.export.model import Model, ordered

TITLE = "SavedModel"
SUFFIX = ""
RUNTIME = {"tensorflow": "tensorflow"}


def needs(engine: str) -> Mapping[str, str] | str:
    if engine == "torch":
        return "PyTorch has no exporter to SavedModel; TensorFlow reads none of PyTorch's files"
    return {"tensorflow": "tensorflow"}


def write(model: Model, file: Path) -> None:
    model.module.export(str(file), format="tf_saved_model", verbose=False, input_signature=model.input_signature())


def load(file: Path, twin: str):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(file))
    serve = loaded.signatures["serving_default"]
    names = list(serve.structured_input_signature[1])

    def run(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert loaded is not None  # held: its variables end with it
        tensors = {name: tf.constant(array) for name, array in ordered(given, names).items()}
        return {name: tensor.numpy() for name, tensor in serve(**tensors).items()}

    return run


def stored(file: Path) -> list[np.ndarray]:
    import tensorflow as tf

    weights = tf.train.load_checkpoint(str(file / "variables" / "variables"))
    names = [name for name, kind in weights.get_variable_to_dtype_map().items() if kind == tf.float32]
    return [np.asarray(weights.get_tensor(name)) for name in names]
