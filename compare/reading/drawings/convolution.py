"""Chapter 2: kernels that slide, and what they leave of a picture."""

from typing import TYPE_CHECKING

import numpy as np

from compare.reading.drawings import Run
from compare.reading.drawings.canvas import (
    BLUE,
    GREEN,
    GREY,
    LIGHT,
    ORANGE,
    PURPLE,
    Axes,
    bare,
    grid,
    image,
    outline,
    panels,
    picture,
    sign,
    square,
)
from twin.bridge import Arrays

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = tuple[str, "Image"]

# Of a signal of 9 places: what stands above, and the result that is drawn.
STEPS = {
    "valid": "conv1d_stride1_dilation1_valid_zeros",
    "same": "conv1d_stride1_dilation1_same_zeros",
    "stride 2, same": "conv1d_stride2_dilation1_same_zeros",
    "stride 2, padding 1": "conv1d_stride2_dilation1_1_zeros",
    "dilation 2, valid": "conv1d_stride1_dilation2_valid_zeros",
    "transposed, stride 2": "transpose1d_stride2_same_extra0",
}


def conv2d_by_hand(run: Run, given: Arrays) -> Picture:
    """The first place of the kernel, and three maps."""
    found = run(given)
    figure, axes = panels(390, ["a*b=c", "ddd.e"], width_ratios=[5, 0.5, 3, 0.5, 3], height_ratios=[5, 5])
    image_, kernel = given["image"], given["kernel"]
    under = np.full((5, 5), "#ffffff", object)
    under[:3, :3] = LIGHT[ORANGE]
    grid(axes["a"], image_, fills=under)
    grid(axes["b"], kernel, fills=[[LIGHT[ORANGE]] * 3] * 3)
    first = np.full((3, 3), LIGHT[BLUE], object)
    first[0, 0] = LIGHT[ORANGE]
    grid(axes["c"], found["valid_framework"], '"valid"', first)
    grid(axes["d"], found["same_framework"], '"same"', [[LIGHT[BLUE]] * 5] * 5)
    grid(axes["e"], found["stride_2_framework"], "stride 2", [[LIGHT[BLUE]] * 2] * 2)
    sign(axes["*"], "$*$")
    sign(axes["="], "=")
    return (
        "A picture, a kernel and their map: the orange cells lie on top of each other, are multiplied, and add up to "
        "the orange number. Below, the map with a frame of zeros around the picture, and the one of every other place.",
        image(figure),
    )


def conv_shapes(run: Run, given: Arrays) -> Picture:
    """From which places of a signal each output comes, as one place at a time is changed."""
    length = given["signal"].shape[1]
    signals = np.zeros((1 + length, *given["signal"].shape[1:]), np.float32)
    signals[np.arange(1, 1 + length), np.arange(length)] = 1  # the first row stays empty
    found = run(given | {"signal": signals})
    figure, axes = panels(390, ["ab", "cd", "ef"])
    for place, (title, case) in zip("abcdef", STEPS.items(), strict=True):
        reached = np.abs(found[case][1:] - found[case][0]).max(-1) > 0  # (places, outputs)
        _connected(axes[place], reached, title)
    return (
        "Which of nine places of a signal (above) reach each output (below), for six layers with a kernel of three. "
        "The lines were found by changing one place at a time.",
        image(figure),
    )


def _connected(axes: Axes, reached: np.ndarray, title: str) -> None:
    """(inputs, outputs): a row of cells for each, and a line for each pair that is true."""
    inputs, outputs = reached.shape
    widest = max(inputs, outputs)
    tops, bottoms = ((widest - count) / 2 + np.arange(count) for count in (inputs, outputs))
    for place in tops:
        square(axes, place + 0.1, 0, LIGHT[GREY], 0.8)
    for number, place in enumerate(bottoms):
        colour = BLUE if number % 2 else ORANGE
        square(axes, place + 0.1, 3, LIGHT[colour], 0.8)
        for source in tops[reached[:, number]]:
            axes.plot((source + 0.5, place + 0.5), (0.85, 3), color=colour, linewidth=1)
    bare(axes, widest, 3.9, f"{title}: {inputs} $\\rightarrow$ {outputs}")


def pooling(run: Run, given: Arrays) -> Picture:
    """A picture in windows, and what the maximum and the mean leave of them."""
    found = run(given)
    figure, axes = panels(380, ["abc", "def"], width_ratios=[5, 3, 3], height_ratios=[4, 5])
    hues = [LIGHT[colour] for colour in (BLUE, ORANGE, GREEN, PURPLE)]
    windows = np.array(hues).reshape(2, 2)
    grid(axes["a"], given["even"][0, ..., 0], fills=windows.repeat(2, 0).repeat(2, 1))
    for place, name in (("b", "max"), ("c", "average")):
        grid(axes[place], found[f"{name}_framework"][0, ..., 0], name, windows)
    under = np.full((5, 5), "#ffffff", object)
    under[:2, :2] = LIGHT[ORANGE]
    grid(axes["d"], given["odd"][0, ..., 0], fills=under)
    outline(axes["d"], (-1, -1, 2, 2), ORANGE, linestyle="--")
    bare(axes["d"], 5, 5, margin=1.1)
    corner = np.full((3, 3), "#ffffff", object)
    corner[0, 0] = LIGHT[ORANGE]
    for place, name, title in (("e", "padding_left_out", "sum / 4"), ("f", "padding_counted", "sum / 9")):
        grid(axes[place], found[f"{name}_framework"][0, ..., 0].round(2), title, corner)
    return (
        "What the maximum and the mean leave of each window of four numbers (above). Below, the dashed window reaches "
        "over the edge: its mean without the zeros outside, and with them counted.",
        image(figure),
    )


def feature_maps(run: Run, given: Arrays) -> Picture:
    """The maps of a digit and of a photograph after each layer."""
    found = run(given)
    figure, axes = panels(330, ["acdf", "bcef"])
    for places, what in (("abc", "digit"), ("def", "photograph")):
        for place, layer in zip(places, ("", "_conv1", "_pool2"), strict=True):
            picture(axes[place], found[f"picture_{what}{layer}"], layer.strip("_"))
    return (
        "A digit and a photograph, the 16 maps of each after the first convolution, and the 32 maps after the second "
        "pooling, of a network that was trained on digits.",
        image(figure),
    )


def edge_filters(run: Run, given: Arrays) -> Picture:
    """A photograph, the answers of filters made by hand, and of learned ones."""
    found = run(given)
    figure, axes = panels(375, ["abc", "def"])
    names = ("photograph", "laplace", "sobel", "canny", "harris", "learned")
    for place, name in zip("abcdef", names, strict=True):
        picture(axes[place], found[f"picture_{name}"], "" if name == "photograph" else name)
    return (
        "A photograph, its edges as three filters made by hand find them, its corners, and the answers of 16 filters "
        "that a network learned from digits.",
        image(figure),
    )


def why_deep(run: Run, given: Arrays) -> Picture:
    """How often each pixel reaches the output: one large filter beside a stack of small ones."""
    found = run(given)
    figure, axes = panels(420, ["ab", "cd"])
    for number, (row, size) in enumerate(zip(("ab", "cd"), given["large"], strict=True)):
        titles = f"{size}x{size}", ", ".join(["3x3"] * int(size // 2))
        for place, which, title in zip(row, ("large", "small"), titles, strict=True):
            paths = found[f"{which}_paths"][number]
            weights = int(found[f"{which}_parameters"][0, number])
            shown = paths[3:-3, 3:-3] / paths.max()
            picture(axes[place], shown, f"{title}: {weights}", cmap="Blues")
    return (
        "How much each pixel does to the output in the middle, dark where most: of one large filter (left), and of a "
        "stack of small ones that sees as far with fewer weights (right). The numbers are those of the weights.",
        image(figure),
    )
