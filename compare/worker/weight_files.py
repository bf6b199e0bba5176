"""Files of weights as a worker reads and writes them: a twin's own, keras.applications', PyTorch state dicts."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from compare.worker import user_code
from compare.worker.unpacked import refuse_larger
from twin import arrays as named
from twin.bridge import Arrays, check_names
from twin.errors import TwinError
from twin.layouts import LAYOUTS


def read(train: Any, run: Any, arguments: Mapping[str, Any], file: str) -> Arrays:
    """What a file holds, under the names of the model that it belongs to.

    Args:
        train: keras_impl.train for .weights.h5, .h5 and .keras; torch_impl.train for .pt and .pth.
        run: the built twin; its weights may be overwritten.
        arguments: that it was built with.
        file: to read.

    Raises:
        TwinError: when it is damaged, of another model, or wants to run code.
    """
    refuse_larger(file, train.dump_weights(run))
    if file.endswith((".pt", ".pth")):
        return user_code.state_dict(file)
    model = applications(run.twin.name, arguments) if _is_functional(file) else run.model
    try:
        model.load_weights(file)
    except Exception as error:
        raise TwinError(f"{file}: {' '.join(str(error).split())[:300]}") from error
    return train.dump_weights(run) if model is run.model else _named(model)


def write(train: Any, run: Any, arguments: Mapping[str, Any], file: str, layout: str, arrays: Arrays) -> None:
    """Write arrays under the names of a layout to a file of that layout.

    Raises:
        TwinError: when keras.applications has no model of this size.
    """
    if file.endswith((".pt", ".pth")):
        import torch

        counts = {
            name.replace("running_var", "num_batches_tracked"): torch.tensor(0)  # a state dict has them, Keras does not
            for name in arrays
            if name.endswith("running_var")
        }
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()} | counts, file)
        return
    model = run.model
    if layout == "twin":
        train.load_weights(run, arrays)
    else:
        model = applications(run.twin.name, arguments)
        _assign(model, arrays)
    model.save_weights(file)


def save(subject: Any, file: str) -> None:
    """Write the weights of a user's own model: to .weights.h5 Keras's, to .safetensors or .pt PyTorch's."""
    if file.endswith(".weights.h5"):
        subject.model.save_weights(file)
    elif file.endswith(".safetensors"):
        named.write(file, subject.dump())
    else:
        import torch

        torch.save(subject.model.state_dict(), file)


def answer_of_applications(twin: str, arguments: Mapping[str, Any], file: str, x: np.ndarray) -> Arrays:
    """What keras.applications' own model says of pictures (B, H, W, C) with the weights of a file.

    EfficientNet normalizes pictures within the network; ours are taken as normalized and enter after that.
    """
    import keras

    model = applications(twin, arguments)
    model.load_weights(file)
    names = [layer.name for layer in model.layers]
    if "stem_conv_pad" in names:
        model = keras.Model(model.get_layer("stem_conv_pad").input, model.output)
    return {"y": keras.ops.convert_to_numpy(model(x, training=False))}


def applications(twin: str, arguments: Mapping[str, Any]) -> Any:
    """keras.applications' model of a twin, for as many classes and pictures of the same shape.

    Raises:
        TwinError: when it has none.
    """
    import keras

    names = [layout.model for layout in LAYOUTS.get(twin, ()) if layout.name == "applications"]
    if not names:
        raise TwinError(
            f"the file is of a functional model, and keras.applications has none that computes what {twin} does"
        )
    shape, classes = tuple(arguments["image_shape"]), arguments["num_classes"]
    make = getattr(keras.applications, names[0])
    try:
        return make(weights=None, input_shape=shape, classes=classes, classifier_activation=None)
    except ValueError as error:
        raise TwinError(f"keras.applications.{names[0]} for pictures {shape}: {error}") from error


def _is_functional(file: str) -> bool:
    """Whether a Keras file holds a functional model's layers, as keras.applications' do, and not attributes."""
    import h5py

    try:
        source: Any = file
        if file.endswith(".keras"):
            with zipfile.ZipFile(file) as archive:
                source = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(source, "r") as group:
            return set(group) <= {"layers", "vars"} or "layer_names" in group.attrs  # since Keras 3, and before
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise TwinError(f"{file}: {error}; expected weights that Keras saved") from error


def _named(model: Any) -> Arrays:
    import keras

    return {name: keras.ops.convert_to_numpy(variable.value) for name, variable in _variables(model).items()}


def _assign(model: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a functional model its weights; what normalizes pictures stays as it is."""
    variables = {name: v for name, v in _variables(model).items() if not name.startswith("normalization")}
    wanted = {name: tuple(variable.shape) for name, variable in variables.items()}
    check_names({name: a.shape for name, a in arrays.items()}, wanted, "the twin", f"keras.applications' {model.name}")
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _variables(model: Any) -> dict[str, Any]:
    return {f"{layer.name}.{variable.name}": variable for layer in model.layers for variable in layer.weights}
