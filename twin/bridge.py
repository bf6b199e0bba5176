"""The weight bridge: a model's arrays from Keras names and layouts to PyTorch's, and back.

Each side describes its model as a list of leaves: the layers that own arrays, each with its attribute
path (`blocks.0.conv1`), its class name, and its arrays under the framework's own names. Leaves are paired
by path; what happens inside a pair is the business of one rule per layer type. No name is ever guessed from
a substring: a leaf without a partner, or a pair without a rule, is an error that lists what is left.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin.errors import TwinError

Arrays = dict[str, np.ndarray]
Convert = Callable[[Arrays, "Leaf"], Arrays]


@dataclass(frozen=True)
class Leaf:
    """A layer that owns arrays.

    Args:
        path: attribute path from the model, dots between; "" for the model itself.
        kind: the layer's class name in its framework; "Parameter" for a bare array, whose own name is "".
        shapes: the framework's own array names -> shape.
        trainable: the names that an optimizer updates.
        options: constructor arguments that the rule needs (heads, groups, reset_after, ...).
    """

    path: str
    kind: str
    shapes: Mapping[str, tuple[int, ...]]
    trainable: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def full(self, name: str) -> str:
        """The array's name in the whole model."""
        return ".".join(part for part in (self.path, name) if part)

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> "Leaf":
        shapes = {name: tuple(shape) for name, shape in fields["shapes"].items()}
        return Leaf(fields["path"], fields["kind"], shapes, tuple(fields["trainable"]), fields["options"])


class BridgeError(TwinError):
    """The two models' weights do not correspond."""


# One rule per pair of layer types. `to_torch` and `to_keras` take arrays under one side's own names, with
# the Keras leaf, and return them under the other's. Each pair is an exact inverse: only moves, no
# arithmetic, except that an LSTM's two PyTorch biases add up to Keras's one.


@dataclass(frozen=True)
class Rule:
    to_torch: Convert
    to_keras: Convert
    redundant: tuple[str, ...] = ()  # torch arrays with no partner in Keras; zero after `to_torch`


def _renamed(names: Mapping[str, str]) -> Rule:
    """Same arrays, other names (Keras -> torch)."""
    back = {torch: keras for keras, torch in names.items()}
    return Rule(
        lambda arrays, leaf: {names[name]: array for name, array in arrays.items()},
        lambda arrays, leaf: {back[name]: array for name, array in arrays.items() if name in back},
    )


def _kernel(forward: Sequence[int]) -> Rule:
    """A kernel whose axes move, and a bias that does not."""
    backward = tuple(np.argsort(forward))

    def to_torch(arrays: Arrays, leaf: Leaf) -> Arrays:
        out = {"weight": arrays["kernel"].transpose(forward)}
        return out | ({"bias": arrays["bias"]} if "bias" in arrays else {})

    def to_keras(arrays: Arrays, leaf: Leaf) -> Arrays:
        out = {"kernel": arrays["weight"].transpose(backward)}
        return out | ({"bias": arrays["bias"]} if "bias" in arrays else {})

    return Rule(to_torch, to_keras)


def _depthwise(dimensions: int) -> Rule:
    """Keras (k..., channels, multiplier) <-> torch (channels * multiplier, 1, k...)."""
    kernel_axes = tuple(range(dimensions))

    def to_torch(arrays: Arrays, leaf: Leaf) -> Arrays:
        kernel = arrays["kernel"].transpose((dimensions, dimensions + 1, *kernel_axes))
        out = {"weight": kernel.reshape(-1, 1, *kernel.shape[2:])}
        return out | ({"bias": arrays["bias"]} if "bias" in arrays else {})

    def to_keras(arrays: Arrays, leaf: Leaf) -> Arrays:
        shape = leaf.shapes["kernel"]
        weight = arrays["weight"].reshape(shape[-2], shape[-1], *shape[:-2])
        out = {"kernel": weight.transpose((*(axis + 2 for axis in kernel_axes), 0, 1))}
        return out | ({"bias": arrays["bias"]} if "bias" in arrays else {})

    return Rule(to_torch, to_keras)


def _recurrent(order: Sequence[int], one_bias: bool) -> Rule:
    """Gates side by side in Keras (in, gates * units), stacked in torch (gates * units, in).

    `order[i]` is the Keras gate that stands at torch's place i. With `one_bias`, Keras has one bias and
    torch two that add: the second is redundant and becomes zero.
    """
    back = tuple(np.argsort(order))

    def swap(array: np.ndarray, places: Sequence[int]) -> np.ndarray:
        gates = np.split(array, len(places), axis=0)
        return np.concatenate([gates[place] for place in places], axis=0)

    def to_torch(arrays: Arrays, leaf: Leaf) -> Arrays:
        out = {
            "weight_ih_l0": swap(arrays["kernel"].T, order),
            "weight_hh_l0": swap(arrays["recurrent_kernel"].T, order),
        }
        if "bias" in arrays:
            bias = arrays["bias"]
            both = (bias, np.zeros_like(bias)) if one_bias else (bias[0], bias[1])
            out |= {"bias_ih_l0": swap(both[0], order), "bias_hh_l0": swap(both[1], order)}
        return out

    def to_keras(arrays: Arrays, leaf: Leaf) -> Arrays:
        out = {
            "kernel": swap(arrays["weight_ih_l0"], back).T,
            "recurrent_kernel": swap(arrays["weight_hh_l0"], back).T,
        }
        if "bias_ih_l0" in arrays:
            both = swap(arrays["bias_ih_l0"], back), swap(arrays["bias_hh_l0"], back)
            out["bias"] = both[0] + both[1] if one_bias else np.stack(both)
        return out

    return Rule(to_torch, to_keras, ("bias_hh_l0",) if one_bias else ())


def _gru(arrays: Arrays, leaf: Leaf) -> None:
    if not leaf.options["reset_after"]:
        raise BridgeError(
            f"{leaf.path}: a GRU with reset_after=False has no counterpart in torch.nn.GRU; "
            "use keras.layers.GRU(..., reset_after=True)"
        )


def _guarded(rule: Rule, guard: Callable[[Arrays, Leaf], None]) -> Rule:
    """`rule`, after `guard` has had the chance to object."""

    def to_torch(arrays: Arrays, leaf: Leaf) -> Arrays:
        guard(arrays, leaf)
        return rule.to_torch(arrays, leaf)

    def to_keras(arrays: Arrays, leaf: Leaf) -> Arrays:
        guard(arrays, leaf)
        return rule.to_keras(arrays, leaf)

    return Rule(to_torch, to_keras, rule.redundant)


def _bidirectional(rule: Rule) -> Rule:
    """Keras's `forward.*` and `backward.*` against torch's suffix `_reverse`."""

    def part(arrays: Arrays, prefix: str) -> Arrays:
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    def to_torch(arrays: Arrays, leaf: Leaf) -> Arrays:
        forward = rule.to_torch(part(arrays, "forward."), leaf)
        backward = rule.to_torch(part(arrays, "backward."), leaf)
        return forward | {f"{name}_reverse": array for name, array in backward.items()}

    def to_keras(arrays: Arrays, leaf: Leaf) -> Arrays:
        reverse = {name.removesuffix("_reverse"): a for name, a in arrays.items() if name.endswith("_reverse")}
        forward = {name: array for name, array in arrays.items() if not name.endswith("_reverse")}
        return {f"forward.{name}": array for name, array in rule.to_keras(forward, leaf).items()} | {
            f"backward.{name}": array for name, array in rule.to_keras(reverse, leaf).items()
        }

    return Rule(to_torch, to_keras, (*rule.redundant, *(f"{name}_reverse" for name in rule.redundant)))


def _attention_to_torch(arrays: Arrays, leaf: Leaf) -> Arrays:
    """Keras's three projections (D, heads, D / heads) <-> torch's one stacked (3 D, D)."""
    parts = ("query", "key", "value")
    width = arrays["query.kernel"].shape[0]
    out = {
        "in_proj_weight": np.concatenate([arrays[f"{part}.kernel"].reshape(width, -1).T for part in parts]),
        "out_proj.weight": arrays["attention_output.kernel"].reshape(-1, width).T,
    }
    if "query.bias" in arrays:
        out["in_proj_bias"] = np.concatenate([arrays[f"{part}.bias"].reshape(-1) for part in parts])
        out["out_proj.bias"] = arrays["attention_output.bias"]
    return out


def _attention_to_keras(arrays: Arrays, leaf: Leaf) -> Arrays:
    parts = ("query", "key", "value")
    out = {}
    for part, weight in zip(parts, np.split(arrays["in_proj_weight"], 3), strict=True):
        out[f"{part}.kernel"] = weight.T.reshape(leaf.shapes[f"{part}.kernel"])
    out["attention_output.kernel"] = arrays["out_proj.weight"].T.reshape(leaf.shapes["attention_output.kernel"])
    if "in_proj_bias" in arrays:
        for part, bias in zip(parts, np.split(arrays["in_proj_bias"], 3), strict=True):
            out[f"{part}.bias"] = bias.reshape(leaf.shapes[f"{part}.bias"])
        out["attention_output.bias"] = arrays["out_proj.bias"]
    return out


_BATCH_NORM = _renamed(
    {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
)
_NORM = _renamed({"gamma": "weight", "beta": "bias"})
_LSTM = _recurrent((0, 1, 2, 3), one_bias=True)  # i, f, c, o on both sides
_GRU = _guarded(_recurrent((1, 0, 2), one_bias=False), _gru)  # Keras z, r, h; torch r, z, n
_RNN = _recurrent((0,), one_bias=True)

RULES: dict[tuple[str, str], Rule] = {
    ("Dense", "Linear"): _kernel((1, 0)),
    ("Conv1D", "Conv1d"): _kernel((2, 1, 0)),
    ("Conv2D", "Conv2d"): _kernel((3, 2, 0, 1)),
    ("Conv3D", "Conv3d"): _kernel((4, 3, 0, 1, 2)),
    ("Conv1DTranspose", "ConvTranspose1d"): _kernel((2, 1, 0)),
    ("Conv2DTranspose", "ConvTranspose2d"): _kernel((3, 2, 0, 1)),
    ("Conv3DTranspose", "ConvTranspose3d"): _kernel((4, 3, 0, 1, 2)),
    ("DepthwiseConv1D", "Conv1d"): _depthwise(1),
    ("DepthwiseConv2D", "Conv2d"): _depthwise(2),
    ("BatchNormalization", "BatchNorm1d"): _BATCH_NORM,
    ("BatchNormalization", "BatchNorm2d"): _BATCH_NORM,
    ("BatchNormalization", "BatchNorm3d"): _BATCH_NORM,
    ("LayerNormalization", "LayerNorm"): _NORM,
    ("GroupNormalization", "GroupNorm"): _NORM,
    ("Embedding", "Embedding"): _renamed({"embeddings": "weight"}),
    ("LSTM", "LSTM"): _LSTM,
    ("GRU", "GRU"): _GRU,
    ("SimpleRNN", "RNN"): _RNN,
    ("Bidirectional(LSTM)", "LSTM"): _bidirectional(_LSTM),
    ("Bidirectional(GRU)", "GRU"): _bidirectional(_GRU),
    ("MultiHeadAttention", "MultiheadAttention"): Rule(_attention_to_torch, _attention_to_keras),
    ("Parameter", "Parameter"): _renamed({"": ""}),
}


class Bridge:
    """Carries arrays that are named and laid out as one model's parameters over to the other's.

    Works for anything shaped like the parameters: weights, gradients, updates, optimizer moments. Layers
    of which nothing is given are left out, so that the gradients of half a model cross too.

    Args:
        keras: the Keras model's leaves.
        torch: the PyTorch model's leaves.
        flatten: Dense path -> path of the layer whose channels were flattened into its inputs, or their number.
        unflatten: Dense path -> path of the layer that takes its reshaped outputs.

    Raises:
        BridgeError: with every name that has no partner, or every shape that does not fit.
    """

    def __init__(
        self,
        keras: Sequence[Leaf],
        torch: Sequence[Leaf],
        flatten: Mapping[str, str | int] | None = None,
        unflatten: Mapping[str, str] | None = None,
    ):
        self.keras = {leaf.path: leaf for leaf in keras}
        self.torch = {leaf.path: leaf for leaf in torch}
        self._check_pairs()
        self._check_flattened({"flatten": flatten or {}, "unflatten": unflatten or {}})
        self.rules = {path: RULES[leaf.kind, self.torch[path].kind] for path, leaf in self.keras.items()}
        self._channels_in = {
            path: of if isinstance(of, int) else _channels_out(self.keras[of]) for path, of in (flatten or {}).items()
        }
        self._channels_out = {path: _channels_in(self.keras[of]) for path, of in (unflatten or {}).items()}
        self.redundant = redundant_names(torch)
        self._check_shapes()

    def to_torch(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Keras names and layouts to PyTorch's; `redundant` arrays come out as zeros."""
        out: Arrays = {}
        for path, leaf in self.keras.items():
            if own := _own(leaf, arrays):
                new = self.rules[path].to_torch(own, leaf)
                new = self._reorder(path, new, channels_first=True)
                out |= {self.torch[path].full(name): np.ascontiguousarray(array) for name, array in new.items()}
        return out

    def to_keras(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """PyTorch names and layouts to Keras's; what a redundant array holds is added to its partner."""
        out: Arrays = {}
        for path, leaf in self.keras.items():
            if own := _own(self.torch[path], arrays):
                own = self._reorder(path, own, channels_first=False)
                new = self.rules[path].to_keras(own, leaf)
                out |= {leaf.full(name): np.ascontiguousarray(array) for name, array in new.items()}
        return out

    def trainable(self) -> int:
        """Number of trainable values; two PyTorch biases that add count once, as in Keras."""
        return sum(math.prod(leaf.shapes[name]) for leaf in self.keras.values() for name in leaf.trainable)

    def _reorder(self, path: str, arrays: Arrays, channels_first: bool) -> Arrays:
        """Flattened positions in a Linear's weight and bias: (positions, channels) <-> (channels, positions)."""
        out = dict(arrays)
        if channels := self._channels_in.get(path):
            out["weight"] = _swap(out["weight"].T, channels, channels_first).T
        if channels := self._channels_out.get(path):
            out = {name: _swap(array, channels, channels_first) for name, array in out.items()}
        return out

    def _check_pairs(self) -> None:
        """Every layer has a partner of a type that some rule knows."""
        both = [path for path in self.keras if path in self.torch]
        kinds = {path: (self.keras[path].kind, self.torch[path].kind) for path in both}
        _raise_if(
            "the models' layers do not pair up",
            {
                "only in Keras": sorted(self.keras.keys() - self.torch.keys()),
                "only in PyTorch": sorted(self.torch.keys() - self.keras.keys()),
                "no rule for": [f"{path} ({' / '.join(kind)})" for path, kind in kinds.items() if kind not in RULES],
            },
        )

    def _check_flattened(self, arguments: Mapping[str, Mapping[str, str | int]]) -> None:
        """Every layer that `flatten` or `unflatten` names exists."""
        unknown = [
            f"{other} ({argument} of {path})"
            for argument, layers in arguments.items()
            for path, other in layers.items()
            if isinstance(other, str) and other not in self.keras
        ]
        _raise_if("a flatten names layers that the Keras model does not have", {"no such layer": unknown})

    def _check_shapes(self) -> None:
        """Every array has a partner of the same shape, once carried over."""
        # A byte a value: only shapes count here, and a published size has a hundred million values.
        zeros = {leaf.full(n): np.zeros(s, bool) for leaf in self.keras.values() for n, s in leaf.shapes.items()}
        try:
            carried = {name: array.shape for name, array in self.to_torch(zeros).items()}
        except ValueError as error:
            raise BridgeError(f"the models' weights do not fit: {error}") from error
        native = {leaf.full(n): shape for leaf in self.torch.values() for n, shape in leaf.shapes.items()}
        check_names(carried, native, "Keras", "PyTorch")


def redundant_names(torch: Sequence[Leaf]) -> set[str]:
    """The arrays of a PyTorch model that have no partner in Keras: an LSTM's second bias."""
    return {
        leaf.full(name)
        for leaf in torch
        for (_, kind), rule in RULES.items()
        if kind == leaf.kind
        for name in rule.redundant
        if name in leaf.shapes
    }


def check_names(
    given: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]], source: str, target: str
) -> None:
    """Raise a BridgeError unless both have the same names with the same shapes.

    Args:
        given: name -> shape, from `source`.
        wanted: name -> shape, of `target`.
        source: what to call the one in the message.
        target: what to call the other.
    """
    shapes = [
        f"{name} {given[name]} against {wanted[name]}"
        for name in given
        if name in wanted and tuple(given[name]) != tuple(wanted[name])
    ]
    _raise_if(
        "the weights do not correspond",
        {
            f"only in {source}": sorted(given.keys() - wanted.keys()),
            f"only in {target}": sorted(wanted.keys() - given.keys()),
            "of another shape": shapes,
        },
    )


def _raise_if(what: str, problems: Mapping[str, list[str]]) -> None:
    found = [f"{problem}: {', '.join(names)}" for problem, names in problems.items() if names]
    if found:
        raise BridgeError(f"{what}; {'; '.join(found)}")


def _own(leaf: Leaf, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Those of `arrays` that belong to `leaf`, under the layer's own names."""
    return {name: np.asarray(arrays[leaf.full(name)]) for name in leaf.shapes if leaf.full(name) in arrays}


def _swap(array: np.ndarray, channels: int, channels_first: bool) -> np.ndarray:
    """Reorder the first axis from (positions, channels) to (channels, positions), or back."""
    first = (channels, -1) if not channels_first else (-1, channels)
    return array.reshape(*first, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape)


def _channels_out(leaf: Leaf) -> int:
    """The channels of a Keras layer's output."""
    if "gamma" in leaf.shapes:
        return leaf.shapes["gamma"][0]
    kernel = leaf.shapes["kernel"]
    if leaf.kind.startswith("Depthwise"):
        return kernel[-2] * kernel[-1]
    return kernel[-2] if leaf.kind.endswith("Transpose") else kernel[-1]


def _channels_in(leaf: Leaf) -> int:
    """The channels of a Keras layer's input."""
    if "gamma" in leaf.shapes:
        return leaf.shapes["gamma"][0]
    kernel = leaf.shapes["kernel"]
    return kernel[-1] if leaf.kind.endswith("Transpose") else kernel[-2] * leaf.options.get("groups", 1)
