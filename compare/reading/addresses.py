"""Where a symbol of Keras or PyTorch is explained, by a rule from its public path; and where a paper can be read.

Keras's pages are sorted by what a thing is. Its own packages say that: the public names are imported from files whose
folders are called as the pages are. They are read as text; no framework is imported, and no page is asked for.
"""

import ast
import functools
import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote_plus

KERAS, TORCH = "https://keras.io/api/", "https://docs.pytorch.org/docs/stable/"

# The folder in which Keras's source has a layer -> the pages of its kind.
LAYERS = {
    "activations": "activation_layers",
    "attention": "attention_layers",
    "convolutional": "convolution_layers",
    "core": "core_layers",
    "merging": "merging_layers",
    "normalization": "normalization_layers",
    "pooling": "pooling_layers",
    "regularization": "regularization_layers",
    "reshaping": "reshaping_layers",
    "rnn": "recurrent_layers",
}
# What the folder does not say.
LAYER_PAGES = {
    "Layer": "layers/base_layer/",
    "Normalization": "layers/preprocessing_layers/numerical/normalization/",
    "SpectralNormalization": "layers/preprocessing_layers/numerical/spectral_normalization/",
}
# The file in which Keras's source has an operation -> its page, on which each has an anchor.
OPERATIONS = {name: f"ops/{name}/" for name in ("core", "image", "linalg", "nn", "numpy")} | {"math": "ops/core/"}
FOURIER = ("fft", "fft2", "ifft2", "rfft", "irfft", "stft", "istft")
# Modules of which all names stand on few pages.
PAGES = {
    "keras.Input": "layers/core_layers/input/",
    "keras.Model": "models/model/",
    "keras.Sequential": "models/sequential/",
    "keras.callbacks.": "callbacks/{snake}/",
    "keras.config.": "utils/config_utils/",
    "keras.initializers.": "layers/initializers/",
    "keras.metrics.Mean": "metrics/metrics_wrappers/",
    "keras.optimizers.schedules.": "optimizers/learning_rate_schedules/{snake}/",
    "keras.optimizers.": "optimizers/{lower}/",
    "keras.random.SeedGenerator": "random/seed_generator/",
    "keras.random.": "random/random_ops/",
    "keras.utils.PyDataset": "utils/python_utils/",
}
REGRESSION = re.compile(r"mean|cosine|huber|log_?cosh|tversky|dice", re.IGNORECASE)
CONVOLUTION = re.compile(r"^(Separable|Depthwise)?Conv(\d)D")
# PyTorch's modules that are described on one page; all others have a page for each name.
ON_ONE_PAGE = {"torch.nn.init.": "nn.init.html", "torch.utils.data.": "data.html", "torch.special.": "special.html"}
# Names whose page is called as the module that defines them.
DEFINED_AS = {
    "torch.inference_mode": "torch.autograd.grad_mode.inference_mode",
    "torch.nn.Buffer": "torch.nn.parameter.Buffer",
    "torch.nn.Parameter": "torch.nn.parameter.Parameter",
}
TYPES = ("bool", "int", "uint", "float", "bfloat", "complex")  # of numbers, which stand on a page of their own

# A paper's title as the catalogue cites it -> its number on arXiv. Older ones, and journals, are searched for.
ARXIV = {
    "A guide to convolution arithmetic": "1603.07285",
    "Attention is all you need": "1706.03762",
    "An image is worth 16x16 words": "2010.11929",
    "An end-to-end trainable neural network": "1507.05717",
    "Deep residual learning": "1512.03385",
    "DeepPose": "1312.4659",
    "Delving deep into rectifiers": "1502.01852",
    "EfficientNet": "1905.11946",
    "Faster R-CNN": "1506.01497",
    "Fully convolutional networks": "1411.4038",
    "Generative adversarial nets": "1406.2661",
    "Going deeper with convolutions": "1409.4842",
    "How transferable are features": "1411.1792",
    "Learning deconvolution network": "1505.04366",
    "Learning phrase representations": "1406.1078",
    "Learning spatiotemporal features": "1412.0767",
    "LipNet": "1611.01599",
    "Mask R-CNN": "1703.06870",
    "Microsoft COCO": "1405.0312",
    "MobileNetV2": "1801.04381",
    "MnasNet": "1807.11626",
    "OverFeat": "1312.6229",
    "PointNet": "1612.00593",
    "PyTorch: an imperative style": "1912.01703",
    "Relational inductive biases": "1806.01261",
    "RhythmNet": "1910.11515",
    "Rich feature hierarchies": "1311.2524",
    "SegNet": "1511.00561",
    "Semi-supervised classification with graph": "1609.02907",
    "SGDR": "1608.03983",
    "Show and tell": "1411.4555",
    "Soft-NMS": "1704.04503",
    "Speech recognition with deep recurrent": "1303.5778",
    "Squeeze-and-excitation": "1709.01507",
    "SSD": "1512.02325",
    "U-Net": "1505.04597",
    "Unsupervised representation learning": "1511.06434",
    "Very deep convolutional networks": "1409.1556",
    "Visualizing and understanding": "1311.2901",
    "ViViT": "2103.15691",
    "YOLO9000": "1612.08242",
    "YOLOv3": "1804.02767",
    "You only look once": "1506.02640",
}


def address(name: str) -> str:
    """Where a symbol is explained; "" for what is not in the installed Keras, or has no page by the rule.

    Args:
        name: its public path, such as `keras.layers.Dense` or `torch.nn.functional.pad`.
    """
    return _keras(name) if name.startswith("keras.") else _torch(name) if name.startswith("torch.") else ""


def papers(citation: str) -> list[tuple[str, str]]:
    """The works that a citation names, each with an address: arXiv's, or that of a search for it."""
    found = []
    for work in citation.split("; "):
        number = next((number for title, number in ARXIV.items() if title.lower() in work.lower()), "")
        # Sections and figures are no part of what is searched for.
        words = re.split(r", (?:sections?|chapters?|tables?|figures?|algorithms?|Methods)\b", work)[0]
        searched = f"https://scholar.google.com/scholar?q={quote_plus(words)}"
        found.append((work, f"https://arxiv.org/abs/{number}" if number else searched))
    return found


def _keras(name: str) -> str:
    home = _home(name)
    if not home:
        return ""
    module, _, short = name.rpartition(".")
    kind = "function" if short[0].islower() or name == "keras.Input" else "class"
    folders = home.split(".")  # keras, src, layers, convolutional, conv2d
    if module == "keras.layers":
        if short in LAYER_PAGES:
            page = LAYER_PAGES[short]
        elif folders[3] == "preprocessing" and "image_preprocessing" in folders and short.startswith("Random"):
            page = f"layers/preprocessing_layers/image_augmentation/{_snake(short)}/"
        elif folders[3] in LAYERS:
            page = f"layers/{LAYERS[folders[3]]}/{_snake(short)}/"
        else:
            return ""
    elif module.startswith("keras.ops"):
        page = "ops/fft/" if short in FOURIER else OPERATIONS.get(folders[-1], "")
    elif module == "keras.losses":
        page = f"losses/{'regression' if REGRESSION.search(short) else 'probabilistic'}_losses/"
    else:
        page = next((each for start, each in PAGES.items() if name == start or name.startswith(_module(start))), "")
    page = page.format(snake=_snake(short), lower=short.lower())
    return f"{KERAS}{page}#{short.lower()}-{kind}" if page else ""


def _module(start: str) -> str:
    """What names begin with, of a row that is for a whole module; else what none begins with."""
    return start if start.endswith(".") else "\0"


def _snake(name: str) -> str:
    """'MaxPooling2D' as its page is called: max_pooling2d; a Conv is spelled out."""
    name = CONVOLUTION.sub(r"\1Convolution\2D", name)
    name = re.sub(r"(\d)D(?=[A-Z])", r"\1d_", name).replace("PReLU", "Prelu").replace("ReLU", "Relu")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("__", "_")


def _torch(name: str) -> str:
    short = name.rpartition(".")[2]
    for module, page in ON_ONE_PAGE.items():
        if name.startswith(module):
            return f"{TORCH}{page}#{name}"
    if name.count(".") == 1 and (short.startswith(TYPES) and (short == "bool" or short[-1].isdigit())):
        return f"{TORCH}tensor_attributes.html#torch.dtype"
    if name in ("torch.nn.init", "torch.inf", "torch.pi", "torch.nan"):
        return ""
    return f"{TORCH}generated/{DEFINED_AS.get(name, name)}.html"


def _home(name: str) -> str:
    """The file, as a module, that a public name of the installed Keras comes from; "" where it has no such name."""
    module, _, short = name.rpartition(".")
    return _imports(module).get(short, "")


@functools.cache
def _imports(module: str) -> dict[str, str]:
    """What a public module of the installed Keras imports: name -> the module that it comes from."""
    found = find_spec("keras")
    if not found or not found.submodule_search_locations:
        return {}
    file = Path(found.submodule_search_locations[0]).joinpath(*module.split(".")[1:]) / "__init__.py"
    if not file.exists():
        return {}
    return {
        alias.asname or alias.name: node.module or ""
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
