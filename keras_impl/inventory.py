"""Every array of a user's Keras model: the layers that own them, by attribute path.

Unlike keras_impl/describe.py, which follows the rules of our own twins, this finds what any model may hold: subclasses
of stock layers, cells, EinsumDense, models that call `super().__init__(inputs, outputs)`, and arrays of layers that
users write.
"""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from keras_impl import describe
from twin.bridge import Leaf

# Stock layers whose arrays belong together; any other layer's arrays stand for themselves.
WHOLE = (
    "Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose",
    "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D",
    "BatchNormalization", "LayerNormalization", "GroupNormalization",
    "RMSNormalization", "Embedding", "LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell",
    "MultiHeadAttention", "Bidirectional",
)  # fmt: skip


def leaves(model: Any) -> Iterator[tuple[Leaf, dict[str, Any]]]:
    """The layers that own arrays, each once, with their variables; a bare array is a leaf of kind Parameter."""
    yield from _leaves(model, "", set())


def every_layer(layer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every layer below this one, by attribute path; what is inside a stock layer is its own business."""
    yield from _every_layer(layer, path, set())


def kind_of(layer: Any) -> str:
    """The stock layer that a layer is or derives from; its own class name where there is none."""
    for base in type(layer).__mro__:
        if base.__name__ in WHOLE and base.__module__.startswith("keras."):
            if base.__name__ == "Bidirectional":
                return f"Bidirectional({type(layer.forward_layer).__name__})"
            return base.__name__
    return type(layer).__name__


def _every_layer(layer: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    for name, child in children(layer):
        if id(child) in seen:
            continue
        seen.add(id(child))
        below = f"{path}.{name}" if path else name
        yield below, child
        if not _whole(child):
            yield from _every_layer(child, below, seen)


def _leaves(layer: Any, path: str, seen: set[int]) -> Iterator[tuple[Leaf, dict[str, Any]]]:
    if _whole(layer):
        own = {}
        for variable in layer.weights:
            if "seed_generator" not in variable.path and id(variable) not in seen:
                seen.add(id(variable))
                own[describe._own_name(layer, variable)] = variable
        if own:
            yield _leaf(path, kind_of(layer), own, _options(layer)), own
        return
    direct = {**vars(layer), **getattr(layer, "_parameters", {})}
    named = {id(value): name for name, value in direct.items() if isinstance(value, keras.Variable)}
    for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
        name = named.get(id(variable), variable.name).lstrip("_")
        state = "seed" in name and not keras.backend.is_float_dtype(variable.dtype)  # of what draws random numbers
        if id(variable) in seen or state or _counts(layer, name):
            continue
        seen.add(id(variable))
        below = f"{path}.{name}" if path else name
        yield _leaf(below, "Parameter", {"": variable}, {"of": kind_of(layer)}), {"": variable}
    for name, child in children(layer):
        if id(child) not in seen:
            seen.add(id(child))
            yield from _leaves(child, f"{path}.{name}" if path else name, seen)


def children(layer: Any) -> list[tuple[str, Any]]:
    """The layers that a layer holds: by attribute, in a functional or sequential model by name."""
    if isinstance(layer, describe.FUNCTIONAL | keras.Sequential):
        found = [(child.name, child) for child in layer.layers]
        functional = type(layer) in (describe.FUNCTIONAL, keras.Sequential)
    else:
        found = [pair for pair in describe._children(layer, named=True) if isinstance(pair[1], keras.Layer)]
        functional = False
    if not functional:  # lists of lists, dictionaries, private attributes: Keras tracks them all
        known = {id(child) for _, child in found}
        found += [(child.name, child) for child in getattr(layer, "_layers", []) if id(child) not in known]
    return [(name, child) for name, child in found if child is not layer]


def _whole(layer: Any) -> bool:
    kind = kind_of(layer)
    if kind.startswith("Bidirectional"):
        return kind in ("Bidirectional(LSTM)", "Bidirectional(GRU)", "Bidirectional(SimpleRNN)")
    return kind in WHOLE


def _counts(layer: Any, name: str) -> bool:
    """Whether a variable only counts what a layer has seen."""
    return isinstance(layer, layers.Normalization) and name == "count"


def _options(layer: Any) -> dict[str, Any]:
    """Constructor arguments that tell how the arrays are laid out, and how many values a lookup may ask for."""
    inner = layer.forward_layer if isinstance(layer, layers.Bidirectional) else layer
    named = ("groups", "reset_after", "equation", "mask_zero", "depth_multiplier")
    return {name: getattr(inner, name) for name in named if hasattr(inner, name)}


def _leaf(path: str, kind: str, named: dict[str, Any], options: dict[str, Any]) -> Leaf:
    shapes = {name: tuple(variable.shape) for name, variable in named.items()}
    return Leaf(path, kind, shapes, tuple(name for name, v in named.items() if v.trainable), options)
