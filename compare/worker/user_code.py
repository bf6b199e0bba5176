"""Models of the user's own: found by `file.py:callable` or `package.module:callable`, and their weights read."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from compare.worker.unpacked import refuse_larger
from twin import arrays
from twin.bridge import check_names
from twin.errors import TwinError, unknown

LOW = ("float16", "bfloat16", "float8", "float4")


def find(reference: str) -> Any:
    """What a reference names.

    Args:
        reference: 'path/to/file.py:name' or 'package.module:name'.

    Raises:
        TwinError: when there is no such file, module or name, or the code does not import; with file and line.
    """
    place, colon, name = reference.rpartition(":")
    if not colon or not place or not name:
        raise TwinError(f"{reference!r} names no model; expected file.py:callable or package.module:callable")
    module = _import(place)
    if not hasattr(module, name):
        own = [
            each
            for each, value in vars(module).items()
            if not each.startswith("_") and not isinstance(value, ModuleType)
        ]
        raise unknown(f"name in {place}:", name, own)
    return getattr(module, name)


def model(side: str, reference: str, kwargs: Mapping[str, Any]) -> Any:
    """The model that a reference's class or function makes.

    Args:
        side: 'keras' or 'torch'.
        reference: what to call, or a model itself.
        kwargs: the arguments.

    Raises:
        TwinError: when it cannot be called so, or returns no model.
    """
    if side == "keras":
        import keras

        kind: Any = keras.Model
        name = "keras.Model"
    else:
        import torch

        kind, name = torch.nn.Module, "torch.nn.Module"
    found = find(reference)
    if not isinstance(found, kind):
        if not callable(found):
            raise TwinError(
                f"{reference} is a {type(found).__name__}; expected a function or class that returns a {name}"
            )
        try:
            found = found(**kwargs)
        except Exception as error:
            raise TwinError(f"{reference}({_written(kwargs)}) fails: {_told(error, reference)}") from error
    if not isinstance(found, kind):
        raise TwinError(f"{reference} returned a {type(found).__name__}; expected a {name}")
    if low := sorted({kind for kind in _kinds(side, found) if kind.startswith(LOW)}):
        raise TwinError(
            f"{reference} is a model in {' and '.join(low)}, whose rounding hides what a comparison looks for; "
            f"make it in float32: {'with dtype=float32 as its policy' if side == 'keras' else 'model.float()'}"
        )
    return found


def _kinds(side: str, model: Any) -> Iterator[str]:
    """What a model's weights are stored and its layers computed in; a quantized layer's own name for it, too."""
    if side == "keras":
        for layer in model._flatten_layers():
            policy = layer.dtype_policy
            yield from (policy.compute_dtype or "", policy.variable_dtype or "", policy.quantization_mode or "")
    else:
        yield from (
            str(tensor.dtype).removeprefix("torch.")
            for tensor in model.state_dict(keep_vars=True).values()
            if hasattr(tensor, "dtype")
        )


def load_weights(side: str, subject: Any, file: str) -> None:
    """Read weights into an opened model; nothing is ever unpickled.

    Args:
        side: 'keras' or 'torch'.
        subject: the opened model.
        file: `.keras` or `.weights.h5` for Keras, `.pt` or `.pth` with a state dict for PyTorch, `.safetensors` for
            both.

    Raises:
        TwinError: when the file is missing, of another model, or wants to run code.
    """
    if not Path(file).is_file():
        raise TwinError(f"--weights {file}: no such file")
    refuse_larger(file, subject.dump(), "--weights ")
    if file.endswith(".safetensors"):
        found = arrays.read(file)
    elif side == "keras":
        try:
            subject.model.load_weights(file)
        except Exception as error:
            raise TwinError(f"--weights {file}: {' '.join(str(error).split())[:300]}") from error
        return
    else:
        found = state_dict(file, "--weights ")
    own = {name: array.shape for name, array in subject.dump().items()}
    found = {name: array for name, array in found.items() if not name.endswith("num_batches_tracked")}
    check_names({name: array.shape for name, array in found.items()}, own, file, "the model")
    subject.load(found)


def state_dict(file: str, option: str = "") -> dict[str, np.ndarray]:
    """The arrays of a PyTorch state dict, by name.

    Args:
        file: .pt or .pth.
        option: what an error message begins with.

    Raises:
        TwinError: when it holds anything but tensors.
    """
    import torch

    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise TwinError(
            f"{option}{file}: not a plain state dict, and nothing else is unpickled, because a pickle can run code; "
            "write it with torch.save(model.state_dict(), FILE)"
        ) from error
    for name in ("state_dict", "model_state_dict", "model", "net", "weights"):  # as checkpoints are written
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not all(torch.is_tensor(value) for value in found.values()):
        raise TwinError(
            f"{option}{file}: expected a state dict of tensors; write it with torch.save(model.state_dict(), FILE)"
        )
    wrapped = bool(found) and all(str(name).startswith("module.") for name in found)  # by DataParallel
    prefix = "module." if wrapped else ""
    try:
        return {str(name).removeprefix(prefix): _values(tensor) for name, tensor in found.items()}
    except (RuntimeError, TypeError) as error:
        kinds = ", ".join(sorted({f"{each.dtype}, {each.layout}, on {each.device}" for each in found.values()}))
        raise TwinError(
            f"{option}{file}: tensors of {kinds} cannot be read as arrays; save plain tensors of torch.float32"
        ) from error


def _values(tensor: Any) -> np.ndarray:
    """A tensor's values; those of bfloat16 as float32, which holds each of them.

    Raises:
        TypeError: for a type that NumPy has not, such as float8.
        RuntimeError: for a tensor without plain values: quantized, sparse, or on the meta device.
    """
    import torch

    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()


def listed(named: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Inputs in order, from arrays named by their place."""
    return [named[name] for name in sorted(named, key=int)]


def _import(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            _find_last(Path.cwd())
            return importlib.import_module(place)
        path = Path(place)
        if not path.is_file():
            raise TwinError(f"no file {place}; expected file.py:callable")
        _find_last(path.parent.resolve())
        name = f"verified_{path.stem}"  # a file keras.py is no framework
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module
    except TwinError:
        raise
    except ModuleNotFoundError as error:
        if error.name and place.split(".")[0] == error.name:
            raise TwinError(f"no module {place!r}; expected file.py:callable or package.module:callable") from error
        raise TwinError(f"{place} does not import: {_told(error, place)}") from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise TwinError(f"{place} does not import: {_told(error, place)}") from error


def _find_last(folder: Path) -> None:
    """Let modules of the user's folder be found, but none in the place of Python's or a framework's own."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _told(error: BaseException, reference: str) -> str:
    """The error with the last line of the user's own code that it passed through."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if isinstance(error, SyntaxError):
        return f"{text} at {error.filename}:{error.lineno}"
    own = Path(reference.rpartition(":")[0] or reference).name
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == own]
    return f"{text} at {frames[-1].filename}:{frames[-1].lineno}" if frames else text


def _written(kwargs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in kwargs.items())
