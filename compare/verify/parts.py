"""A layer's arrays in one form for both frameworks, so that arrays can be paired where layers cannot.

One PyTorch module may be several Keras layers and the reverse: `nn.LSTM(num_layers=2)` is two LSTM layers,
MultiHeadAttention is four projections. So each layer is cut into parts: a projection, a convolution, one direction of
one recurrent layer, a norm, a table. A part's arrays have roles and one layout:

| kind | roles |
|---|---|
| dense | kernel (in, out), bias (out,); a convolution of size 1 is one too |
| conv, conv_transpose | kernel (k..., in, out) or (k..., out, in), bias |
| lstm, rnn | kernel (in, gates), recurrent (units, gates), bias (gates,) |
| gru | the same with recurrent_bias, gates in the order z, r, h |
| norm | scale, shift, mean, variance |
| table | table (rows, width) |
| array | array, as it is |
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compare.verify.views import View
from twin.bridge import Leaf


@dataclass(frozen=True)
class Part:
    """Arrays that belong together, in the common form.

    Args:
        leaf: the layer that owns them.
        path: the layer's path, with what part of it this is.
        kind: in the words of the table above.
        views: role -> where the array lies.
        trainable: whether an optimizer changes any of them.
    """

    leaf: Leaf
    path: str
    kind: str
    views: Mapping[str, View]
    trainable: bool = True

    @property
    def holder(self) -> str:
        """The path of the layer that has it, whether it is an array by itself or that layer's."""
        return self.path.rpartition(".")[0] if self.kind == "array" else self.path

    @property
    def signature(self) -> tuple[object, ...]:
        """Kind and shapes: parts with one signature may be each other's partner."""
        return (self.kind, *sorted((role, view.own_shape) for role, view in self.views.items()))

    @property
    def main(self) -> str:
        """The role that a part cannot be without."""
        for role in ("kernel", "table", "array", "scale", "shift", "mean", "bias"):
            if role in self.views:
                return role
        return next(iter(self.views))


def of_keras(leaf: Leaf) -> list[Part]:
    """The parts of a Keras layer, and each array that a subclass of a stock layer has beside those."""
    parts = _of_keras(leaf)
    return [*parts, *_beside(leaf, parts)]


def of_torch(leaf: Leaf) -> list[Part]:
    """The parts of a PyTorch module, and each array that a subclass of a stock module has beside those."""
    parts = _of_torch(leaf)
    return [*parts, *_beside(leaf, parts)]


def _beside(leaf: Leaf, parts: Sequence[Part]) -> list[Part]:
    """Arrays that no part has: the gain of a convolution with standardized weights, the state of a spectral norm."""
    seen = {name for part in parts for view in part.views.values() for name in (view.name, view.plus)}
    names = [name for name in leaf.shapes if leaf.full(name) not in seen]
    return [_part(leaf, "", "array", {"array": _plain(leaf, name)}, name) for name in names]


def _of_keras(leaf: Leaf) -> list[Part]:
    kind, shapes = leaf.kind, leaf.shapes
    if kind == "Dense" or kind == "EinsumDense":
        return [_part(leaf, "", "dense", _keras_dense(leaf, "kernel", "bias"))]
    if kind.startswith(("Conv", "DepthwiseConv")):
        return [_keras_conv(leaf)]
    if kind.startswith("SeparableConv"):
        return _keras_separable(leaf)
    if kind in ("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization"):
        roles = {"gamma": "scale", "scale": "scale", "beta": "shift", "moving_mean": "mean"}
        roles["moving_variance"] = "variance"
        return [_part(leaf, "", "norm", {roles[name]: _keras_norm(leaf, name) for name in shapes if name in roles})]
    if kind == "Embedding":
        return [_part(leaf, "", "table", {"table": _plain(leaf, "embeddings")})]
    if kind.startswith("Bidirectional"):
        return [_keras_recurrent(leaf, f"{way}.") for way in ("forward", "backward")]
    if kind.removesuffix("Cell") in ("LSTM", "GRU", "SimpleRNN"):
        return [_keras_recurrent(leaf, "")]
    if _hand_written_dense(leaf):
        return [_part(leaf, "", "dense", _hand_written_dense(leaf))]
    if kind == "MultiHeadAttention":
        names = ("query", "key", "value", "attention_output")
        return [_keras_projection(leaf, name) for name in names if f"{name}.kernel" in shapes]
    return [_part(leaf, "", "array", {"array": _plain(leaf, name)}, name) for name in shapes]


def _of_torch(leaf: Leaf) -> list[Part]:
    kind, shapes = leaf.kind, leaf.shapes
    if kind == "Linear" and "weight" in shapes:
        return [_part(leaf, "", "dense", _torch_dense(leaf, "weight", "bias"))]
    if kind.startswith("Conv") and len(shapes.get("weight", ())) > 2:
        return [_torch_conv(leaf)]
    if "Norm" in kind and kind.removesuffix("1d").removesuffix("2d").removesuffix("3d").endswith("Norm"):
        roles = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "variance"}
        views = {roles[name]: _torch_norm(leaf, name) for name in shapes if name in roles}
        return [_part(leaf, "", "norm", views)] if views else []
    if kind in ("Embedding", "EmbeddingBag") and "weight" in shapes:
        return [_part(leaf, "", "table", {"table": _plain(leaf, "weight")})]
    if kind in ("LSTM", "GRU", "RNN"):
        return _torch_recurrent(leaf)
    if kind in ("LSTMCell", "GRUCell", "RNNCell"):
        return [_torch_cell(leaf, "", "")]
    if kind == "MultiheadAttention":
        return _torch_attention(leaf)
    if _hand_written_dense(leaf):
        return [_part(leaf, "", "dense", _hand_written_dense(leaf))]
    return [_part(leaf, "", "array", {"array": _plain(leaf, name)}, name) for name in shapes]


def _hand_written_dense(leaf: Leaf) -> dict[str, View]:
    """The arrays of a layer that a user writes: a matrix, and a vector as long as only one of its axes."""
    shapes = sorted(leaf.shapes.items(), key=lambda item: len(item[1]))
    if [len(shape) for _, shape in shapes] != [1, 2]:
        return {}
    (bias, (length,)), (kernel, (rows, columns)) = shapes
    if rows == columns or length not in (rows, columns):
        return {}
    view = _plain(leaf, kernel) if length == columns else _transposed(leaf, kernel)
    return {"kernel": view, "bias": _plain(leaf, bias)}


def _part(leaf: Leaf, suffix: str, kind: str, views: Mapping[str, View], name: str = "") -> Part:
    path = ".".join(part for part in (leaf.path, suffix or name) if part)
    short = {leaf.full(each): each for each in leaf.shapes}
    trainable = any(short[view.name] in leaf.trainable for view in views.values())
    return Part(leaf, path, kind, views, trainable)


def _plain(leaf: Leaf, name: str) -> View:
    return View(leaf.full(name), tuple(leaf.shapes[name]))


def _bias(leaf: Leaf, name: str) -> dict[str, View]:
    if name not in leaf.shapes:
        return {}
    return {"bias": View(leaf.full(name), (math.prod(leaf.shapes[name]),))}


def _keras_dense(leaf: Leaf, kernel: str, bias: str) -> dict[str, View]:
    if kernel not in leaf.shapes:
        return _bias(leaf, bias)
    shape = tuple(leaf.shapes[kernel])
    contracted = 1
    if leaf.kind == "EinsumDense" and leaf.options.get("equation"):
        given, out = leaf.options["equation"].replace("...", "").split("->")
        letters = given.split(",")[1]
        inner = [letter not in out for letter in letters]
        contracted = sum(inner)
        if not all(inner[:contracted]):  # the kernel has its outputs first
            order = (*(i for i, each in enumerate(inner) if each), *(i for i, each in enumerate(inner) if not each))
            turned = tuple(shape[i] for i in order)
            flat = (math.prod(turned[:contracted]), math.prod(turned[contracted:]))
            return {"kernel": View(leaf.full(kernel), flat, order=order, turned=turned)} | _bias(leaf, bias)
    flat = (math.prod(shape[:contracted]), math.prod(shape[contracted:]))
    return {"kernel": View(leaf.full(kernel), flat)} | _bias(leaf, bias)


def _keras_projection(leaf: Leaf, name: str) -> Part:
    shape = leaf.shapes[f"{name}.kernel"]
    inner = len(shape) - 1 if name == "attention_output" else 1
    flat = (math.prod(shape[:inner]), math.prod(shape[inner:]))
    views = {"kernel": View(leaf.full(f"{name}.kernel"), flat)} | _bias(leaf, f"{name}.bias")
    return _part(leaf, name, "dense", views)


def _keras_conv(leaf: Leaf) -> Part:
    shape = tuple(leaf.shapes["kernel"])
    if leaf.kind.endswith("Transpose"):
        return _part(leaf, "", "conv_transpose", {"kernel": _plain(leaf, "kernel")} | _bias(leaf, "bias"))
    if leaf.kind.startswith("Depthwise"):
        shape = (*shape[:-2], 1, shape[-2] * shape[-1])
    elif set(shape[:-2]) == {1} and leaf.options.get("groups", 1) == 1:
        return _part(leaf, "", "dense", {"kernel": View(leaf.full("kernel"), shape[-2:])} | _bias(leaf, "bias"))
    return _part(leaf, "", "conv", {"kernel": View(leaf.full("kernel"), shape)} | _bias(leaf, "bias"))


def _keras_separable(leaf: Leaf) -> list[Part]:
    deep, wide = (tuple(leaf.shapes[f"{name}_kernel"]) for name in ("depthwise", "pointwise"))
    each = View(leaf.full("depthwise_kernel"), (*deep[:-2], 1, deep[-2] * deep[-1]))
    every = View(leaf.full("pointwise_kernel"), wide[-2:])
    return [
        _part(leaf, "depthwise_kernel", "conv", {"kernel": each}),
        _part(leaf, "pointwise_kernel", "dense", {"kernel": every} | _bias(leaf, "bias")),
    ]


def _keras_recurrent(leaf: Leaf, prefix: str) -> Part:
    kind = {"LSTM": "lstm", "GRU": "gru"}.get(
        leaf.kind.removeprefix("Bidirectional(").removesuffix(")").removesuffix("Cell"), "rnn"
    )
    views = {
        "kernel": _plain(leaf, f"{prefix}kernel"),
        "recurrent": _plain(leaf, f"{prefix}recurrent_kernel"),
    }
    bias = f"{prefix}bias"
    if bias in leaf.shapes:
        shape = tuple(leaf.shapes[bias])
        if kind == "gru" and len(shape) == 2:
            views["bias"] = View(leaf.full(bias), shape[1:], rows=(0, 1))
            views["recurrent_bias"] = View(leaf.full(bias), shape[1:], rows=(1, 2))
        else:
            views["bias"] = View(leaf.full(bias), (math.prod(shape),))
    return _part(leaf, prefix.rstrip("."), kind, views)


def _transposed(leaf: Leaf, name: str, rows: tuple[int, int] | None = None, **more: object) -> View:
    """A matrix (out, in) as (in, out)."""
    out, inner = leaf.shapes[name]
    out = out if rows is None else rows[1] - rows[0]
    return View(leaf.full(name), (inner, out), rows=rows, order=(1, 0), turned=(inner, out), **more)  # type: ignore[arg-type]


def _torch_dense(leaf: Leaf, weight: str, bias: str) -> dict[str, View]:
    return {"kernel": _transposed(leaf, weight)} | _bias(leaf, bias)


def _torch_conv(leaf: Leaf) -> Part:
    shape = tuple(leaf.shapes["weight"])
    rank = len(shape)
    order = (*range(2, rank), 1, 0)
    turned = tuple(shape[axis] for axis in order)
    if leaf.kind.startswith("ConvTranspose"):
        view = View(leaf.full("weight"), turned, order=order, turned=turned)
        return _part(leaf, "", "conv_transpose", {"kernel": view} | _bias(leaf, "bias"))
    if set(shape[2:]) == {1} and leaf.options.get("groups", 1) == 1:
        view = View(leaf.full("weight"), turned[-2:], order=order, turned=turned)
        return _part(leaf, "", "dense", {"kernel": view} | _bias(leaf, "bias"))
    view = View(leaf.full("weight"), turned, order=order, turned=turned)
    return _part(leaf, "", "conv", {"kernel": view} | _bias(leaf, "bias"))


def _keras_norm(leaf: Leaf, name: str) -> View:
    return View(leaf.full(name), _without_places(tuple(leaf.shapes[name])))


def _torch_norm(leaf: Leaf, name: str) -> View:
    shape = tuple(leaf.shapes[name])
    if len(shape) < 3:
        return View(leaf.full(name), shape)
    order = (*range(1, len(shape)), 0)  # LayerNorm([C, H, W]) has its channels first
    turned = tuple(shape[axis] for axis in order)
    return View(leaf.full(name), _without_places(turned), order=order, turned=turned)


def _without_places(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A norm's shape with its channels last: over a single place it is that of the channels alone."""
    return shape[-1:] if len(shape) > 2 and set(shape[:-1]) == {1} else shape


def _torch_cell(leaf: Leaf, ending: str, suffix: str) -> Part:
    kind = {"LSTM": "lstm", "GRU": "gru"}.get(leaf.kind.removesuffix("Cell"), "rnn")
    gates = (1, 0, 2) if kind == "gru" else ()  # PyTorch has r, z, n where Keras has z, r, h
    views = {
        "kernel": _transposed(leaf, f"weight_ih{ending}", gates=gates),
        "recurrent": _transposed(leaf, f"weight_hh{ending}", gates=gates),
    }
    if f"bias_ih{ending}" in leaf.shapes:
        names = f"bias_ih{ending}", f"bias_hh{ending}"
        shape = tuple(leaf.shapes[names[0]])
        plus = "" if kind == "gru" else leaf.full(names[1])
        views["bias"] = View(leaf.full(names[0]), shape, gates=gates, plus=plus)
        if kind == "gru":
            views["recurrent_bias"] = View(leaf.full(names[1]), shape, gates=gates)
    return _part(leaf, suffix, kind, views)


def _torch_recurrent(leaf: Leaf) -> list[Part]:
    endings = [name.removeprefix("weight_ih") for name in leaf.shapes if name.startswith("weight_ih")]
    return [_torch_cell(leaf, ending, ending.strip("_") if len(endings) > 1 else "") for ending in endings]


def _torch_attention(leaf: Leaf) -> list[Part]:
    found = []
    names = ("query", "key", "value")
    if "in_proj_weight" in leaf.shapes:
        width = leaf.shapes["in_proj_weight"][0] // 3
        for place, name in enumerate(names):
            rows = (place * width, (place + 1) * width)
            views = {"kernel": _transposed(leaf, "in_proj_weight", rows)}
            if "in_proj_bias" in leaf.shapes:
                views["bias"] = View(leaf.full("in_proj_bias"), (width,), rows=rows)
            found.append(_part(leaf, name, "dense", views))
    else:
        for place, name in enumerate(names):
            views = {"kernel": _transposed(leaf, f"{name[0]}_proj_weight")}
            if "in_proj_bias" in leaf.shapes:
                width = leaf.shapes["in_proj_bias"][0] // 3
                views["bias"] = View(leaf.full("in_proj_bias"), (width,), rows=(place * width, (place + 1) * width))
            found.append(_part(leaf, name, "dense", views))
    if "out_proj.weight" in leaf.shapes:
        views = _torch_dense(leaf, "out_proj.weight", "out_proj.bias")
        found.append(_part(leaf, "attention_output", "dense", views))
    return found
