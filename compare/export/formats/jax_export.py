"""A serialized function of jax.export: StableHLO, run by JAX without the model's code."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compare.export.model import Model

TITLE = "jax.export"
SUFFIX = ".jax"
RUNTIME = {"jax": "jax"}


def needs(engine: str) -> Mapping[str, str] | str:
    if engine == "keras-jax":
        return {"jax": "jax"}
    return "jax.export captures what JAX computes, and this engine computes with another framework"


def write(model: Model, file: Path) -> None:
    import jax

    def call(inputs):
        given = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        return model.module(given, training=False)  # its weights become constants of the program

    batch = "b" if model.rows is None else model.rows
    scope = jax.export.SymbolicScope()
    specs = {
        name: jax.ShapeDtypeStruct(
            jax.export.symbolic_shape(", ".join(map(str, (batch, *array.shape[1:]))), scope=scope), array.dtype
        )
        for name, array in model.inputs.items()
    }
    file.write_bytes(jax.export.export(jax.jit(call))(specs).serialize())


def load(file: Path, twin: str):
    import jax

    call = jax.jit(jax.export.deserialize(bytearray(file.read_bytes())).call)

    def run(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | list[np.ndarray]:
        outputs = call(dict(given))
        if isinstance(outputs, dict):
            return {name: np.asarray(array) for name, array in outputs.items()}
        return [np.asarray(outputs)]

    return run
