"""A Keras model as the bridge sees it: its layers by attribute path, and the weights that each owns."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from twin.bridge import RULES, Leaf

FUNCTIONAL = type(keras.Model(x := keras.Input((1,)), -x))
LEAVES = {keras_kind for keras_kind, _ in RULES}


def leaves(layer: Any, path: str, named: bool = False) -> Iterator[tuple[Leaf, dict[str, Any]]]:
    """Walk the attributes of a layer; yield those that own weights, with their variables.

    Args:
        layer: a layer or model.
        path: its attribute path; "" for the model itself.
        named: call the layers of a sequential model by their names, not by their places.
    """
    kind = _kind(layer)
    if kind in LEAVES:
        own = {_own_name(layer, variable): variable for variable in layer.weights}
        own = {name: variable for name, variable in own.items() if "seed_generator" not in name}
        if own:
            yield _leaf(path, kind, own, _options(layer)), own
        return
    for name, value in _children(layer, named):
        below = f"{path}.{name}" if path else name
        if isinstance(value, keras.Variable):
            yield _leaf(below, "Parameter", {"": value}, {}), {"": value}
        else:
            yield from leaves(value, below, named)


def every_layer(layer: Any, path: str, named: bool = False) -> Iterator[tuple[str, Any]]:
    """Every layer below this one, by attribute path; what is inside a leaf is its own business."""
    for name, child in _children(layer, named):
        if isinstance(child, keras.Layer):
            below = f"{path}.{name}" if path else name
            yield below, child
            if _kind(child) not in LEAVES:
                yield from every_layer(child, below, named)


def sizes(model: Any) -> dict[str, tuple[str, int]]:
    """Every layer's type and the number of its parameters, by attribute path; running statistics are none."""
    return {path: (type(layer).__name__, _count(layer)) for path, layer in [("", model), *every_layer(model, "")]}


def record(layer: Any, path: str, order: list[str], values: dict[str, np.ndarray]) -> None:
    """Make the layer write down its first call."""
    call = layer.call

    def recording(*inputs: Any, **named: Any) -> Any:
        x, out = next(iter((*inputs, *named.values())), None), call(*inputs, **named)
        if path not in order and ops.is_tensor(x) and ops.is_tensor(out):
            order.append(path)
            values[f"{path}/in"], values[f"{path}/out"] = ops.convert_to_numpy(x), ops.convert_to_numpy(out)
        return out

    object.__setattr__(layer, "call", recording)  # past Keras's tracking of attributes


def _children(layer: Any, named: bool) -> Iterator[tuple[str, Any]]:
    """Attributes that are layers or variables, lists of layers unrolled by index."""
    if isinstance(layer, keras.Sequential):
        yield from ((child.name if named else str(index), child) for index, child in enumerate(layer.layers))
        return
    if type(layer) is FUNCTIONAL:  # its layers are no attributes
        yield from ((child.name, child) for child in layer.layers)
        return
    # On the torch backend a Keras layer is a torch module too, which keeps its children in `_modules`.
    attributes = {**vars(layer), **getattr(layer, "_modules", {})}
    for name, value in attributes.items():
        if name.startswith("_"):
            continue
        if isinstance(value, keras.Layer | keras.Variable):
            yield name, value
        elif isinstance(value, list | tuple):
            yield from ((f"{name}.{i}", child) for i, child in enumerate(value) if isinstance(child, keras.Layer))


def _count(layer: Any) -> int:
    own = (v for v in layer.weights if not v.name.startswith("moving_") and "seed_generator" not in v.path)
    return sum(int(np.prod(v.shape)) for v in own)


def _kind(layer: Any) -> str:
    if isinstance(layer, layers.Bidirectional):
        return f"Bidirectional({type(layer.forward_layer).__name__})"
    return type(layer).__name__


def _own_name(layer: Any, variable: Any) -> str:
    """The variable's name within its layer, without the names of cells and of Bidirectional's copies."""
    parts = variable.path.removeprefix(f"{layer.path}/").split("/")
    if isinstance(layer, layers.Bidirectional):
        parts[0] = parts[0].split("_")[0]
    return ".".join(part for part in parts if not part.endswith("_cell"))


def _options(layer: Any) -> dict[str, Any]:
    """Constructor arguments that the bridge's rules ask for."""
    inner = layer.forward_layer if isinstance(layer, layers.Bidirectional) else layer
    return {name: getattr(inner, name) for name in ("groups", "reset_after") if hasattr(inner, name)}


def _leaf(path: str, kind: str, named: dict[str, Any], options: dict[str, Any]) -> Leaf:
    shapes = {name: tuple(variable.shape) for name, variable in named.items()}
    return Leaf(path, kind, shapes, tuple(name for name, v in named.items() if v.trainable), options)
