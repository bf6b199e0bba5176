"""Chapter 4: pictures changed in many ways, rates over time, batches, and how large first weights are."""

from typing import TYPE_CHECKING

import numpy as np

from compare.reading.drawings import Run
from compare.reading.drawings.canvas import BLUE, COLOURS, GREEN, GREY, ORANGE, image, panels, picture
from twin.bridge import Arrays

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = tuple[str, "Image"]

WAYS = (
    "flipped",
    "shifted",
    "rotated",
    "sheared",
    "zoomed",
    "cropped",
    "resized_crop",
    "blurred",
    "grey",
    "jitter_as_in_keras",
    "jitter_as_in_torchvision",
)
LAYERS, CHANNELS = 10, 16  # of those that the initializers begin
SHOWN = 16  # digits of a batch


def augmentation(run: Run, given: Arrays) -> Picture:
    """One picture, and what each transformation makes of it."""
    found = run(given)
    figure, axes = panels(540, ["abc", "def", "ghi", "jkl"])
    picture(axes["a"], given["pictures"][0], "pictures")
    for place, way in zip("bcdefghijkl", WAYS, strict=True):
        shown = found[way][0]
        picture(axes[place], shown[..., 0] if shown.shape[-1] == 1 else shown, way)
    for panel in axes.values():
        panel.title.set_fontsize(9)
    return "A picture, and what eleven transformations make of it by the numbers that were drawn.", image(figure, 256)


def schedules(run: Run, given: Arrays) -> Picture:
    """The rate at each step, by schedules that count steps, and by the same that count epochs."""
    found = run(given)
    figure, axes = panels(400, ["s", "e"], sharex=True)
    for place, unit in (("s", "step"), ("e", "epoch")):
        names = [name for name in found if name.endswith(f"_per_{unit}")]
        for name, colour in zip(names, COLOURS, strict=True):
            steps = np.arange(len(found[name]))
            axes[place].step(steps, found[name], where="post", color=colour, label=name.removesuffix(f"_per_{unit}"))
        axes[place].set_ylabel(f"per {unit}")
        axes[place].set_ylim(0)
    axes["s"].legend(ncols=1, fontsize=10, labelspacing=0.2)
    return (
        "The learning rate over 48 steps by five schedules that count each step, as Keras does (above), and that "
        "count each epoch of four steps, as is usual in PyTorch (below).",
        image(figure),
    )


def custom_dataset(run: Run, given: Arrays) -> Picture:
    """The first pictures of two epochs with their labels, and the sizes of the batches."""
    found = run(given)
    rows = ["".join(chr(ord("A") + column + 8 * row) for column in range(8)) for row in range(4)]
    figure, axes = panels(390, [*rows, "s" * 8], height_ratios=[1, 1, 1, 1, 1.3])
    for epoch in (0, 1):
        for number in range(SHOWN):
            panel = axes[chr(ord("A") + SHOWN * epoch + number)]
            digit = found[f"folder_{epoch}"][number].reshape(8, 8)
            picture(panel, digit, str(found[f"folder_labels_{epoch}"][number]))
            panel.title.set(fontsize=10, color=ORANGE if epoch else BLUE)
    sizes = found["sizes"]
    axes["s"].bar(np.arange(1, len(sizes) + 1), sizes, color=[BLUE] * (len(sizes) - 1) + [GREY])
    axes["s"].set_xticks(np.arange(1, len(sizes) + 1))
    axes["s"].set_yticks((0, int(sizes[-1]), int(sizes[0])))
    return (
        "The first pictures that reach a model from a folder, with their labels, in one epoch (blue) and in the next "
        "(orange), in another order. Below, the sizes of the batches: the last is smaller, and can be dropped.",
        image(figure),
    )


def initializers(run: Run, given: Arrays) -> Picture:
    """Histograms of first weights, and how large signals are after each of ten layers that begin with them."""
    found = run(given)
    figure, axes = panels(420, ["abc", "lll"], height_ratios=[2, 3])
    names = {"he_normal": BLUE, "keras_default": ORANGE, "torch_default": GREEN}
    for place, (name, colour) in zip("abc", names.items(), strict=True):
        axes[place].hist(found[name].ravel(), bins=np.linspace(-0.4, 0.4, 41), color=colour)
        axes[place].set(title=name, yticks=(), xlim=(-0.4, 0.4), xticks=(-0.3, 0, 0.3))
    random, shape = np.random.default_rng(0), (9 * CHANNELS, CHANNELS)
    start = random.standard_normal((8, 8, 8, CHANNELS), np.float32)
    signals, sizes = dict.fromkeys(names, start), {name: [1.0] for name in names}
    for _ in range(LAYERS):
        draws = {"normal": random.standard_normal(shape, np.float32), "uniform": random.random(shape, np.float32)}
        weights = run(draws)
        for name in names:
            signals[name] = np.maximum(_patches(signals[name]) @ weights[name], 0)
            sizes[name].append(float(np.sqrt((signals[name] ** 2).mean())))
    for name, colour in names.items():
        axes["l"].semilogy(sizes[name], "o-", color=colour)
    axes["l"].set_ylabel("RMS")
    return (
        "The weights of a 3x3 kernel by three initializers, two of them what a layer has when nothing is said (above). "
        "How large signals are after each of ten such convolutions with ReLU, in the same colours (below).",
        image(figure),
    )


def _patches(x: np.ndarray) -> np.ndarray:
    """(B, H, W, C) to the 3x3 neighbourhood of each place, (B, H, W, 9 C), the edges joined."""
    places = [(down, along) for down in (-1, 0, 1) for along in (-1, 0, 1)]
    return np.concatenate([np.roll(x, place, axis=(1, 2)) for place in places], axis=-1)
