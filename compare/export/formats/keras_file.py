"""Keras's own `.keras`, loaded by Keras on the same backend, which needs the model's code."""

import importlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from compare.export.model import Model
from twin.catalogue import find
from twin.paths import module_of

TITLE = ".keras"
SUFFIX = ".keras"
RUNTIME = {"keras": "keras"}


def needs(engine: str) -> Mapping[str, str] | str:
    return "only Keras writes .keras" if engine == "torch" else {"keras": "keras"}


def write(model: Model, file: Path) -> None:
    model.module.save(file)


def load(file: Path, twin: str):
    import keras

    importlib.import_module(module_of("keras", find(twin)))  # registers the class
    return runner(keras.saving.load_model(file))


def runner(model: Any):
    """The function that calls a Keras model in inference."""
    import keras

    def run(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | list[np.ndarray]:
        outputs = model(dict(given) if len(given) > 1 else next(iter(given.values())), training=False)
        if isinstance(outputs, dict):
            return {name: keras.ops.convert_to_numpy(tensor) for name, tensor in outputs.items()}
        return [keras.ops.convert_to_numpy(outputs)]

    return run


def stored(file: Path) -> list[np.ndarray]:
    import h5py

    arrays: list[np.ndarray] = []
    with zipfile.ZipFile(file) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        weights.visititems(lambda name, each: arrays.append(each[()]) if isinstance(each, h5py.Dataset) else None)
    return [array for array in arrays if array.dtype == np.float32]
