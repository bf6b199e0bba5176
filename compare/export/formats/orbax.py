"""An Orbax checkpoint of a Keras model on JAX: its variables, and the configuration that builds it."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path

from compare.export.formats import keras_file
from compare.export.model import Model
from twin.catalogue import find
from twin.paths import module_of

TITLE = "Orbax"
SUFFIX = ""
RUNTIME = {"orbax.checkpoint": "orbax-checkpoint"}
CONFIG, STATE = "config.json", "state"


def needs(engine: str) -> Mapping[str, str] | str:
    return dict(RUNTIME) if engine == "keras-jax" else "Orbax keeps arrays of JAX, and this engine has none"


def write(model: Model, file: Path) -> None:
    import keras
    import orbax.checkpoint

    file.mkdir()
    (file / CONFIG).write_text(json.dumps(keras.saving.serialize_keras_object(model.module)))
    state = {str(place): variable.value for place, variable in enumerate(model.module.variables)}
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(file / STATE, state)


def load(file: Path, twin: str):
    import jax
    import keras
    import orbax.checkpoint

    importlib.import_module(module_of("keras", find(twin)))  # registers the class
    model = keras.saving.deserialize_keras_object(json.loads((file / CONFIG).read_text()))
    like = {
        str(place): jax.ShapeDtypeStruct(variable.shape, variable.value.dtype)
        for place, variable in enumerate(model.variables)
    }
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        state = checkpointer.restore(file / STATE, like)
    for place, variable in enumerate(model.variables):
        variable.assign(state[str(place)])
    return keras_file.runner(model)
