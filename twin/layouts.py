"""How public implementations name and store the weights of some twins: keras.applications and torchvision.

A layout pairs the paths of our layers with theirs and knows where their arrays differ from ours; between Keras and
PyTorch it is the bridge that carries. Only what computes the same belongs here. keras.applications' ResNet50 strides
where the paper does, which is our `resnet`; torchvision's resnet50 strides in the 3x3 convolutions, which is ours of
that name; their arrays have the same shapes, and with the other's weights either would run and be wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from twin.bridge import Arrays

Arguments = Mapping[str, Any]
Paths = dict[str, str]

BLOCKS = (1, 2, 2, 3, 3, 4, 1)  # of EfficientNet-B0, per stage
CONVS = (2, 2, 3, 3, 3)  # of VGG16, per block
PROJECTIONS = ("query", "key", "value")  # in the order in which PyTorch stacks them


@dataclass(frozen=True)
class Layout:
    """A public implementation's names for a twin's weights.

    Args:
        name: 'applications' for keras.applications, 'torchvision'.
        side: whose array names and axis order it has.
        model: what the implementation calls the network.
        paths: a size's constructor arguments -> our layers' paths and theirs.
        biases: whether their convolutions have biases, which the BatchNorm after them makes superfluous.
        epsilon: of BatchNorm, theirs and ours, where they are not the same.
        pointwise: ends of our paths of dense layers that they write as 1x1 convolutions.
        stacked: whether their attention has its projections in one array.
        renamed: parts of names in old files -> what they are called today.
        ignored: beginnings of their names that we have no use for.
        note: what a user should know.
    """

    name: Literal["applications", "torchvision"]
    side: Literal["keras", "torch"]
    model: str
    paths: Callable[[Arguments], Paths]
    biases: bool = False
    epsilon: tuple[float, float] | None = None
    pointwise: tuple[str, ...] = ()
    stacked: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    note: str = ""

    def to_twin(self, arrays: Mapping[str, np.ndarray], arguments: Arguments) -> Arrays:
        """Their arrays under our names on the same side; a name that is not theirs stays as it is."""
        paths = {public: path for path, public in self.paths(arguments).items()}
        used = {self._today(name): array for name, array in arrays.items() if not name.startswith(self.ignored)}
        out = _renamed(_unstacked(used) if self.stacked else used, paths)
        for name, array in list(out.items()):
            path, _, suffix = name.rpartition(".")
            if path.endswith(self.pointwise) and array.ndim == 4:
                out[name] = array[0, 0] if self.side == "keras" else array[:, :, 0, 0]
            if self.biases and suffix == "bias" and (mean := f"{path.replace('conv', 'bn')}.moving_mean") in out:
                out[mean] = out[mean] - out.pop(name)
        if self.epsilon:
            public, ours = self.epsilon
            _rescale(out, public, ours)
        return out

    def from_twin(self, arrays: Mapping[str, np.ndarray], arguments: Arguments) -> Arrays:
        """Our arrays under their names; the biases that we do not have are zero."""
        out = dict(arrays)
        if self.epsilon:
            public, ours = self.epsilon
            _rescale(out, ours, public)
        for name, array in list(out.items()):
            path, _, suffix = name.rpartition(".")
            if path.endswith(self.pointwise) and array.ndim == 2:
                out[name] = array[None, None] if self.side == "keras" else array[:, :, None, None]
            if self.biases and suffix == "moving_mean":
                out[f"{path.replace('bn', 'conv')}.bias"] = np.zeros_like(array)
        out = _renamed(out, self.paths(arguments))
        return _stacked(out) if self.stacked else out

    def _today(self, name: str) -> str:
        for old, new in self.renamed.items():
            name = name.replace(old, new)
        return name


def _vgg16_of_applications(arguments: Arguments) -> Paths:
    convs = {
        f"blocks.{block}.convs.{conv}": f"block{block + 1}_conv{conv + 1}"
        for block, number in enumerate(CONVS)
        for conv in range(number)
    }
    return convs | {"dense1": "fc1", "dense2": "fc2", "dense3": "predictions"}


def _vgg16_of_torchvision(arguments: Arguments) -> Paths:
    paths, place = {}, 0
    for block, number in enumerate(CONVS):
        for conv in range(number):
            paths[f"blocks.{block}.convs.{conv}"] = f"features.{place}"
            place += 2  # a ReLU stands between
        place += 1  # and a pooling after each block
    return paths | {"dense1": "classifier.0", "dense2": "classifier.3", "dense3": "classifier.6"}


def _resnet_of_applications(arguments: Arguments) -> Paths:
    paths = {"conv1": "conv1_conv", "bn1": "conv1_bn", "dense": "predictions"}
    for ours, stage, block in _blocks(arguments["stages"]):
        theirs = f"conv{stage + 2}_block{block + 1}"
        for layer in (1, 2, 3):
            paths |= {f"{ours}.conv{layer}": f"{theirs}_{layer}_conv", f"{ours}.bn{layer}": f"{theirs}_{layer}_bn"}
        if block == 0:
            paths |= {f"{ours}.shortcut_conv": f"{theirs}_0_conv", f"{ours}.shortcut_bn": f"{theirs}_0_bn"}
    return paths


def _resnet_of_torchvision(arguments: Arguments) -> Paths:
    paths = {"conv1": "conv1", "bn1": "bn1", "dense": "fc"}
    for ours, stage, block in _blocks(arguments["stages"]):
        theirs = f"layer{stage + 1}.{block}"
        for layer in (1, 2, 3):
            paths |= {f"{ours}.conv{layer}": f"{theirs}.conv{layer}", f"{ours}.bn{layer}": f"{theirs}.bn{layer}"}
        if block == 0:
            paths |= {
                f"{ours}.shortcut_conv": f"{theirs}.downsample.0",
                f"{ours}.shortcut_bn": f"{theirs}.downsample.1",
            }
    return paths


def _efficientnet_of_applications(arguments: Arguments) -> Paths:
    paths = {
        "stem_conv": "stem_conv",
        "stem_bn": "stem_bn",
        "top_conv": "top_conv",
        "top_bn": "top_bn",
        "dense": "predictions",
    }
    layers = {
        "depthwise_conv": "dwconv",
        "depthwise_bn": "bn",
        "se.dense1": "se_reduce",
        "se.dense2": "se_expand",
        "project_conv": "project_conv",
        "project_bn": "project_bn",
    }
    expansion = {"expand_conv": "expand_conv", "expand_bn": "expand_bn"}
    for ours, stage, block in _blocks(_efficientnet_stages(arguments)):
        theirs = f"block{stage + 1}{chr(ord('a') + block)}"
        for layer, name in (layers if stage == 0 else expansion | layers).items():  # the first stage does not expand
            paths[f"{ours}.{layer}"] = f"{theirs}_{name}"
    return paths


def _efficientnet_of_torchvision(arguments: Arguments) -> Paths:
    stages = _efficientnet_stages(arguments)
    last = f"features.{len(stages) + 1}"
    paths = {"stem_conv": "features.0.0", "stem_bn": "features.0.1", "top_conv": f"{last}.0", "top_bn": f"{last}.1"}
    for ours, stage, block in _blocks(stages):
        theirs, first = f"features.{stage + 1}.{block}.block", 0
        if stage > 0:  # the first stage does not expand
            paths |= {f"{ours}.expand_conv": f"{theirs}.0.0", f"{ours}.expand_bn": f"{theirs}.0.1"}
            first = 1
        paths |= {
            f"{ours}.depthwise_conv": f"{theirs}.{first}.0",
            f"{ours}.depthwise_bn": f"{theirs}.{first}.1",
            f"{ours}.se.dense1": f"{theirs}.{first + 1}.fc1",
            f"{ours}.se.dense2": f"{theirs}.{first + 1}.fc2",
            f"{ours}.project_conv": f"{theirs}.{first + 2}.0",
            f"{ours}.project_bn": f"{theirs}.{first + 2}.1",
        }
    return paths | {"dense": "classifier.1"}


def _vit_of_torchvision(arguments: Arguments) -> Paths:
    paths = {"patch_embedding": "conv_proj", "cls_token": "class_token", "pos_embedding": "encoder.pos_embedding"}
    for block in range(arguments["depth"]):
        ours, theirs = f"blocks.{block}", f"encoder.layers.encoder_layer_{block}"
        paths |= {f"{ours}.norm1": f"{theirs}.ln_1", f"{ours}.norm2": f"{theirs}.ln_2"}
        paths |= {f"{ours}.attention.{part}": f"{theirs}.self_attention.{part}" for part in PROJECTIONS}
        paths |= {f"{ours}.attention.projection": f"{theirs}.self_attention.out_proj"}
        paths |= {f"{ours}.dense1": f"{theirs}.mlp.0", f"{ours}.dense2": f"{theirs}.mlp.3"}
    return paths | {"norm": "encoder.ln", "head": "heads.head"}


LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "vgg16": (
        Layout("applications", "keras", "VGG16", _vgg16_of_applications),
        Layout("torchvision", "torch", "vgg16", _vgg16_of_torchvision),
    ),
    "resnet": (
        Layout(
            "applications", "keras", "ResNet50", _resnet_of_applications, biases=True, epsilon=(1.001e-5, 1e-5),
            note="the biases of keras.applications' convolutions are part of BatchNorm's mean in the twin",
        ),
    ),
    "resnet50": (Layout("torchvision", "torch", "resnet50", _resnet_of_torchvision),),
    "efficientnet_b0": (
        Layout(
            "applications", "keras", "EfficientNetB0", _efficientnet_of_applications,
            pointwise=("se.dense1", "se.dense2"), ignored=("normalization",),
            note="keras.applications normalizes the pictures within the network; the twin takes them normalized",
        ),
        Layout(
            "torchvision", "torch", "efficientnet_b0", _efficientnet_of_torchvision, epsilon=(1e-5, 1e-3),
            pointwise=("se.dense1", "se.dense2"),
            note="torchvision pads evenly at stride 2 and the twin as TensorFlow does: the weights are the same, "
            "the answers of torchvision's own network differ slightly",
        ),
    ),
    "vit": (
        Layout(
            "torchvision", "torch", "vit_b_16", _vit_of_torchvision, stacked=True,
            renamed={".mlp.linear_1.": ".mlp.0.", ".mlp.linear_2.": ".mlp.3."},
        ),
    ),
}  # fmt: skip


def _blocks(counts: tuple[int, ...]) -> Iterator[tuple[str, int, int]]:
    """Our path of every block, its stage, and its place there."""
    places = [(stage, block) for stage, number in enumerate(counts) for block in range(number)]
    for number, (stage, block) in enumerate(places):
        yield f"blocks.{number}", stage, block


def _efficientnet_stages(arguments: Arguments) -> tuple[int, ...]:
    return tuple(int(np.ceil(arguments["depth_mult"] * number)) for number in BLOCKS)


def _renamed(arrays: Mapping[str, np.ndarray], paths: Mapping[str, str]) -> Arrays:
    """With the path in each name replaced; a bare parameter's name is its path."""
    out = {}
    for name, array in arrays.items():
        path, dot, suffix = name.rpartition(".")
        out[paths[name] if name in paths else f"{paths.get(path, path)}{dot}{suffix}"] = array
    return out


def _unstacked(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """PyTorch's `in_proj_weight` (3 D, D) and `in_proj_bias` (3 D,) as those of the three projections."""
    out: Arrays = {}
    for name, array in arrays.items():
        path, separator, suffix = name.rpartition(".in_proj_")
        if separator:
            parts = zip(PROJECTIONS, np.array_split(array, 3), strict=True)
            out |= {f"{path}.{part}.{suffix}": projection for part, projection in parts}
        else:
            out[name] = array
    return out


def _stacked(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The other way round."""
    out = dict(arrays)
    for name in arrays:
        path, separator, suffix = name.rpartition(".query.")
        if separator:
            parts = [out.pop(f"{path}.{part}.{suffix}") for part in PROJECTIONS]
            out[f"{path}.in_proj_{suffix}"] = np.concatenate(parts)
    return out


def _rescale(arrays: Arrays, before: float, after: float) -> None:
    """Give BatchNorm another epsilon: its scale makes up for it, so that it computes the same."""
    names = {"weight": "running_var", "gamma": "moving_variance"}
    for name in list(arrays):
        path, _, suffix = name.rpartition(".")
        if (variance := f"{path}.{names.get(suffix)}") in arrays:
            spread = arrays[variance].astype(np.float64)
            arrays[name] = (arrays[name] * np.sqrt((spread + after) / (spread + before))).astype(np.float32)
