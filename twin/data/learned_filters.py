"""A photograph, a digit, and the filters that a network learned from digits, to look at the one with the others.

The filters are those of `digit_cnn`, trained by its default settings and kept by

    twin train digit_cnn --engine torch --save FOLDER
    python -m twin.data.learned_filters FOLDER/digit_cnn-torch.safetensors
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twin import arrays
from twin.data import Dataset, digits

FILE = Path(__file__).parent / "files" / "digit_cnn_filters.safetensors"
KERNELS = {"kernel1": "conv1.weight", "kernel2": "conv2.weight"}
BIASES = {"bias1": "conv1.bias", "bias2": "conv2.bias"}


def load(only: Sequence[str] = ()) -> Dataset:
    """As the test part: `image` (160, 160), `digit` (28, 28), and each layer's `kernel` (9, in, out) and `bias` (out,).

    Args:
        only: the names of the arrays that are wanted; all by default.
    """
    from sklearn.datasets import load_sample_image

    kept = arrays.read(FILE)
    pagoda = load_sample_image("china.jpg")[20:340, 50:370].mean(-1) / 255
    everything = {
        "image": pagoda.reshape(160, 2, 160, 2).mean((1, 3)),
        "digit": digits.load(size=28).test["x"][0, :, :, 0],
        **{name: kept[own].transpose(2, 3, 1, 0).reshape(9, -1, len(kept[own])) for name, own in KERNELS.items()},
        **{name: kept[own] for name, own in BIASES.items()},
    }
    chosen = {name: everything[name].astype(np.float32) for name in only or everything}
    provenance = "real, shipped in scikit-learn: a photograph and handwritten digits; filters learned from the digits"
    return Dataset(provenance, {}, chosen)


def keep(trained: str | Path) -> None:
    """Keep the convolutions of a trained `digit_cnn`; the dense layers, nine tenths of it, are not looked at."""
    weights = arrays.read(trained)
    arrays.write(FILE, {own: weights[own] for own in (*KERNELS.values(), *BIASES.values())})


if __name__ == "__main__":
    keep(sys.argv[1])
