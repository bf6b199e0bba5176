"""Which published architectures ship in which library: read from the libraries' own files, of which none is imported.

A library's files lie where it is installed, or in a wheel. What is counted is what its own registry would list: the
functions that it registers, or the presets that it names, and the files of weights that it offers for each.
"""

import ast
import datetime
import importlib.metadata
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twin.catalogue import TWINS
from twin.errors import TwinError
from twin.table import table

Sources = Mapping[str, str]  # path within the library -> text


@dataclass(frozen=True)
class Library:
    """A library that ships architectures.

    Args:
        name: as its users say it.
        distribution: as pip calls it.
        side: 'keras' or 'torch', of what its models are.
        files: a pattern of the paths that are read.
        count: variant -> how many files of weights the library offers for it.
    """

    name: str
    distribution: str
    side: str
    files: str
    count: Callable[[Sources], dict[str, int]]


@dataclass(frozen=True)
class Shipped:
    """What a library ships.

    Args:
        library: which.
        version: of it.
        variants: name -> files of weights.
    """

    library: Library
    version: str
    variants: Mapping[str, int]

    def of(self, pattern: str) -> tuple[int, int]:
        """How many variants the pattern finds, and how many files of weights they have."""
        found = [weights for name, weights in self.variants.items() if re.search(pattern, name.lower())]
        return len(found), sum(found)


@dataclass(frozen=True)
class Architecture:
    """A published architecture: its name, the twins that are it, and how libraries spell it."""

    name: str
    twins: tuple[str, ...]
    pattern: str


# Those of the course first, in its order; then those that the slides name and the course has no twin of.
ARCHITECTURES = (
    Architecture("LeNet", ("lenet",), r"^lenet"),
    Architecture("VGG", ("vgg", "vgg16"), r"^vgg"),
    Architecture("Inception, GoogLeNet", ("inception", "googlenet"), r"^(inception|googlenet)(?!.*resnet)"),
    Architecture("ResNet", ("resnet", "resnet50"), r"^resnet"),
    Architecture("SE-ResNet", ("squeeze_excite",), r"^(se|legacy_se)_?resnet"),
    Architecture("MobileNet", ("mbconv",), r"^(mobilenet|tf_mobilenet)"),
    Architecture("EfficientNet", ("efficientnet_b0",), r"^(tf_)?efficientnet"),
    Architecture("ViT", ("vit",), r"^(flexi)?vit"),
    Architecture("U-Net", ("unet",), r"^unet"),
    Architecture("Transformer for text (BERT, GPT, T5)", ("transformer",), r"^(bert|gpt|t5|bart|roberta)"),
    Architecture("Video transformer", ("video_vit",), r"^(vivit|videomae|timesformer|swin3d|mvit)"),
    Architecture("Faster and Mask R-CNN", ("faster_rcnn", "mask_rcnn"), r"(faster|mask|keypoint)_?rcnn"),
    Architecture("SSD, RetinaNet", ("ssd",), r"^(ssd|retinanet|ssdlite)"),
    Architecture("YOLO", ("yolo_v1", "tiny_yolo_v3", "yolo_v3"), r"^yolo"),
    Architecture("DETR", (), r"detr(_|$)"),
    Architecture("FCN, DeepLab", ("fcn",), r"^(fcn|deeplab|lraspp)"),
    Architecture("ConvNeXt", (), r"^convnext"),
    Architecture("Swin", (), r"^swin(?!3d)"),
    Architecture("Diffusion, text to picture", (), r"^(stable_diffusion|flux|unet_2d|sd3)"),
    Architecture("Large language models (Llama, Gemma, Qwen, Mistral)", (), r"^(llama|gemma|qwen|mistral|mixtral)"),
)


def _definitions(sources: Sources) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    for path, text in sources.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield path, node


def _is_decorated(node: ast.FunctionDef | ast.ClassDef, name: str) -> bool:
    return any(ast.unparse(each).split("(")[0].split(".")[-1] == name for each in node.decorator_list)


def _keras_applications(sources: Sources) -> dict[str, int]:
    exported = [
        n for _, n in _definitions(sources) if isinstance(n, ast.FunctionDef) and _is_decorated(n, "keras_export")
    ]
    return {node.name: int("imagenet" in ast.unparse(node.args)) for node in exported if node.name[0].isupper()}


def _keras_hub(sources: Sources) -> dict[str, int]:
    """Every preset is a variant with its weights."""
    found: dict[str, int] = {}
    for text in sources.values():
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                found |= {str(key.value): 1 for key in node.value.keys if isinstance(key, ast.Constant)}
    return found


def _transformers(sources: Sources) -> dict[str, int]:
    """A folder is a variant: the classes of it are heads. The weights are on a server, and no file counts them."""
    return {path.split("/")[2]: 0 for path in sources}


def _timm(sources: Sources) -> dict[str, int]:
    names = [node.name for _, node in _definitions(sources) if _is_decorated(node, "register_model")]
    tags = re.findall(r"['\"]([a-z0-9_]+)\.[a-z0-9_]+['\"]\s*:", "\n".join(sources.values()))
    return {name: tags.count(name) for name in names}


def _torchvision(sources: Sources) -> dict[str, int]:
    weights: dict[str, int] = {}
    names = []
    for _, node in _definitions(sources):
        if isinstance(node, ast.ClassDef) and node.name.endswith("_Weights"):
            files = [n for n in node.body if isinstance(n, ast.Assign) and ast.unparse(n.value).startswith("Weights(")]
            weights[node.name.removesuffix("_Weights").lower()] = len(files)
        elif _is_decorated(node, "register_model"):
            names.append(node.name)
    return {name: weights.get(name, 0) for name in names}


LIBRARIES = (
    Library("keras.applications", "keras", "keras", r"keras/src/applications/[a-z]\w*\.py", _keras_applications),
    Library("keras_hub", "keras-hub", "keras", r"keras_hub/src/models/.*_presets\.py", _keras_hub),
    Library("transformers", "transformers", "torch", r"transformers/models/\w+/modeling_\w+\.py", _transformers),
    Library("timm", "timm", "torch", r"timm/models/[a-z]\w*\.py", _timm),
    Library("torchvision", "torchvision", "torch", r"torchvision/models/(\w+/)?[a-z]\w*\.py", _torchvision),
)


def shipped(wheels: Sequence[Path]) -> list[Shipped]:
    """What each library ships that is installed or lies in one of the wheels; a wheel goes before what is installed.

    Raises:
        TwinError: for a file that is no wheel of a library that is known here.
    """
    of_wheels = dict(map(_from_wheel, wheels))
    found = []
    for library in LIBRARIES:
        version, sources = of_wheels.get(library.distribution) or _installed(library)
        if sources:
            found.append(Shipped(library, version, library.count(sources)))
    return found


def _installed(library: Library) -> tuple[str, Sources]:
    try:
        distribution = importlib.metadata.distribution(library.distribution)
    except importlib.metadata.PackageNotFoundError:
        return "", {}
    paths = [str(file) for file in distribution.files or () if re.fullmatch(library.files, str(file))]
    texts = {path: Path(str(distribution.locate_file(path))).read_text(encoding="utf-8") for path in sorted(paths)}
    return distribution.version, texts


def _from_wheel(wheel: Path) -> tuple[str, tuple[str, Sources]]:
    name, _, rest = wheel.name.partition("-")
    library = next((each for each in LIBRARIES if each.distribution == name.replace("_", "-")), None)
    if library is None:
        known = ", ".join(each.distribution for each in LIBRARIES)
        raise TwinError(f"--wheel {wheel}: expected a wheel of {known}, as pip download --no-deps writes it")
    try:
        with zipfile.ZipFile(wheel) as archive:
            paths = sorted(path for path in archive.namelist() if re.fullmatch(library.files, path))
            return library.distribution, (rest.split("-")[0], {p: archive.read(p).decode() for p in paths})
    except (OSError, zipfile.BadZipFile) as error:
        raise TwinError(f"--wheel {wheel}: {error}; expected a wheel, as pip download --no-deps writes it") from error


def rows(libraries: Sequence[Shipped]) -> list[list[str]]:
    """A row for each architecture: its twins, and per library its variants and their files of weights."""
    out = []
    for each in ARCHITECTURES:
        assert all(twin in TWINS for twin in each.twins)
        out.append([each.name, ", ".join(each.twins), *(_cell(library, each.pattern) for library in libraries)])
    return out


def _cell(library: Shipped, pattern: str) -> str:
    variants, weights = library.of(pattern)
    if not variants:
        return "-"
    return f"{variants} / {weights}" if weights else str(variants)


def heads(libraries: Sequence[Shipped]) -> list[str]:
    """Of the columns."""
    return ["architecture", "twins", *(f"{each.library.name} {each.version}" for each in libraries)]


HOW = (
    "by `twin availability --md docs/availability.md` (`--wheel FILE` for a library that is not installed, as "
    "`pip download --no-deps` writes it). Nothing is imported and nothing is asked of a server. A cell has the "
    "variants that a library registers, and after the slash the files of weights that it offers for them; `-`: "
    "none of that name. keras_hub counts presets, each with its weights. transformers counts kinds of models; its "
    "weights are on a server, and no file of it says how many. Quantized variants are not counted apart."
)
FOLLOWS = (
    "What follows from it: new architectures come to PyTorch first, through transformers and timm. transformers 5 "
    "has no TensorFlow and no JAX models any more; a Keras user takes a port from keras_hub, or calls the PyTorch "
    "model beside Keras on its PyTorch backend. For detection, torchvision and transformers have more than Keras."
)


def markdown(libraries: Sequence[Shipped], today: datetime.date) -> str:
    """The page docs/availability.md."""
    missing = [each.name for each in LIBRARIES if each.name not in {found.library.name for found in libraries}]
    totals = [
        f"- {each.library.name} {each.version} ({'Keras' if each.library.side == 'keras' else 'PyTorch'}): "
        f"{len(each.variants):,} variants, {sum(each.variants.values()):,} files of weights"
        for each in libraries
    ]
    parts = [
        "# Which architectures ship where",
        f"Read on {today.isoformat()} from the libraries' own files, {HOW}",
        "\n".join(totals),
        *([f"Not read: {', '.join(missing)}."] if missing else []),
        table(rows(libraries), heads(libraries), style="github"),
        FOLLOWS,
    ]
    return "\n\n".join(parts) + "\n"
