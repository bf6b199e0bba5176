"""Chapter 1: shapes that fit, gradients as slopes, a training by its losses."""

from typing import TYPE_CHECKING

import numpy as np

from compare.reading.drawings import Run
from compare.reading.drawings.canvas import BLUE, GREY, LIGHT, ORANGE, Axes, grid, image, panels, said, sign
from twin.bridge import Arrays

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = tuple[str, "Image"]


def tensors(run: Run, given: Arrays) -> Picture:
    """A row added to a matrix, and a column times a row: what is read again is grey."""
    found, vector = run(given), given["vector"]
    widths = [3, 0.5, 3, 0.5, 3]
    figure, axes = panels(330, ["a+b=c", "A*B_C"], width_ratios=widths, height_ratios=[2, 3])
    matrix, again = given["matrix"], np.tile(vector, (2, 1))
    grid(axes["a"], matrix, "(2, 3)")
    grid(axes["b"], again, "(3,)", [["white"] * 3, [LIGHT[GREY]] * 3])
    grid(axes["c"], found["row_added_framework"], "(2, 3)", [[LIGHT[BLUE]] * 3] * 2)
    column, row = np.tile(vector[:, None], 3), np.tile(vector, (3, 1))
    grid(axes["A"], column, "(3, 1)", [["white", *[LIGHT[GREY]] * 2]] * 3)
    grid(axes["B"], row, "(1, 3)", [["white"] * 3, *[[LIGHT[GREY]] * 3] * 2])
    grid(axes["C"], found["outer_framework"], "(3, 3)", [[LIGHT[BLUE]] * 3] * 3)
    for name, text in {"+": "+", "=": "=", "*": "\N{MULTIPLICATION SIGN}", "_": "="}.items():
        sign(axes[name], text)
    return (
        "Broadcasting: a row is added to each row of a matrix (above), and a column times a row gives all products "
        "(below). What stands in grey cells is in no memory: the framework reads the white cells again.",
        image(figure),
    )


def autograd_product(run: Run, given: Arrays) -> Picture:
    """The gradients by x, y and z, of the product above and of the sum below."""
    found = run(given)
    figure, axes = panels(370, ["abc", "def"])
    for row, (graph, formula) in zip(("abc", "def"), (("product", "xyz"), ("total", "xy + z")), strict=True):
        for place, name in zip(row, "xyz", strict=True):
            values = found[f"{graph}_{name}_automatic"]
            fills = [[LIGHT[BLUE if value > 0 else ORANGE] for value in line] for line in values]
            # One decimal, so that four numbers stand in a row.
            grid(axes[place], values.round(1), rf"$\partial(\sum\,{formula})\,/\,\partial {name}$", fills)
    return (
        "The gradients that the framework finds, orange below zero. In a product (above), each factor gets the product "
        "of the others; what is added (below, on the right) gets 1.",
        image(figure),
    )


def autograd_polynomial(run: Run, given: Arrays) -> Picture:
    """Q along a and along b, with lines of the slopes that the gradients say."""
    found = run(given)
    figure, axes = panels(300, ["ab"], sharey=True)
    steps = np.linspace(0, 1, 81, dtype=np.float32)
    for pair, colour in enumerate((BLUE, ORANGE)):
        point = {name: given[name][pair] for name in "ab"}
        for name, length in (("a", 4.0), ("b", 9.0)):
            along = {each: np.full_like(steps, point[each]) for each in "ab"} | {name: steps * length}
            axes[name].plot(along[name], run(along)["q"], color=colour)
            near = np.array([-1, 1]) * length / 6
            slope = found[f"{name}_automatic"][pair]
            axes[name].plot(point[name] + near, found["q"][pair] + slope * near, "--", color="#222222")
            axes[name].plot(point[name], found["q"][pair], "o", color=colour)
            axes[name].set_xlabel(f"${name}$")
            below = point[name] + length / 30, found["q"][pair] - 8
            axes[name].text(*below, said(slope), color=colour, va="top")
    axes["a"].set_ylabel("$Q = 3a^3 - b^2$")
    return (
        "Q along a (left) and along b (right), through two points. The dashed lines have the slopes that the framework "
        "gives as gradients.",
        image(figure),
    )


def backprop_by_hand(run: Run, given: Arrays) -> Picture:
    """The network by its weights, and by the gradients of its loss."""
    found = run(given)
    figure, axes = panels(310, ["ab"])
    network(axes["a"], (given["w1"], given["w2"]), "$W_1,\\ W_2$")
    gradients = (found["w1_automatic"], found["w2_automatic"])
    network(axes["b"], gradients, r"$\partial L\,/\,\partial W_1,\ \partial L\,/\,\partial W_2$")
    figure.supxlabel(f"$L$ = {said(found['loss'])} $\\rightarrow$ {said(found['loss_after_step'])}", fontsize=11.5)
    return (
        "The weights of the two layers (left) and the gradients of the loss by them (right): thicker where larger, "
        "blue above zero and orange below. Under them, the loss before and after one step against the gradients.",
        image(figure),
    )


def network(axes: Axes, weights: tuple[np.ndarray, np.ndarray], title: str) -> None:
    """Units as circles, (in, out) numbers as lines between them, as thick as they are large."""
    places = [[(layer * 2.0, unit - (count - 1) / 2) for unit in range(count)] for layer, count in enumerate((3, 4, 2))]
    for layer, numbers in enumerate(weights):
        thickest = float(np.abs(numbers).max())
        for start, row in zip(places[layer], numbers, strict=True):
            for end, number in zip(places[layer + 1], row, strict=True):
                style = {"color": BLUE if number > 0 else ORANGE, "linewidth": 6 * abs(float(number)) / thickest}
                axes.plot(*zip(start, end, strict=True), solid_capstyle="butt", zorder=1, **style)
    for units in places:
        axes.scatter(*zip(*units, strict=True), s=220, color="white", edgecolor="#222222", zorder=2)
    axes.set_title(title)
    axes.axis("off")


def train_loop(run: Run, given: Arrays) -> Picture:
    """Losses by step, those that `fit` reports, and the rate."""
    found = run(given)
    figure, axes = panels(340, ["l", "r"], sharex=True, height_ratios=[3, 1])
    losses, fitted = found["losses"], found["fit_losses"]
    ends = np.arange(1, len(fitted) + 1) * (len(losses) // len(fitted))
    axes["l"].plot(np.arange(1, len(losses) + 1), losses, color=BLUE, label="losses")
    axes["l"].plot(ends, fitted, "o", color=ORANGE, label="fit_losses")
    axes["l"].set_ylim(0)
    axes["l"].legend()
    axes["r"].step(np.arange(1, len(losses) + 1), found["rates"], color=BLUE, where="mid")
    axes["r"].set_ylim(0, 0.6)
    axes["r"].set_ylabel("rates")
    return (
        "The loss of each batch in the loop that is written out, and the mean loss of each epoch in a bare loop, which "
        "Keras's `fit` finds too (above). The learning rate of each step, halved after an epoch (below).",
        image(figure),
    )


def model_styles(run: Run, given: Arrays) -> Picture:
    """What the same weights give in each style."""
    found = run(given)
    figure, axes = panels(330, ["abcd"])
    for place, (style, outputs) in zip("abcd", found.items(), strict=True):
        bounds = float(min(each.min() for each in found.values())), float(max(each.max() for each in found.values()))
        grid(axes[place], outputs.round(2), style, bounds=bounds)
    return (
        "What one network gives for five rows, written in four styles with the same weights: the same two numbers "
        "for each row.",
        image(figure),
    )
