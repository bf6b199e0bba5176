"""Chapter 7: boxes that lie on each other, and what is counted or left of them."""

from typing import TYPE_CHECKING

import numpy as np

from compare.reading.drawings import Run
from compare.reading.drawings.canvas import (
    BLUE,
    COLOURS,
    GREY,
    LIGHT,
    ORANGE,
    Axes,
    image,
    outline,
    panels,
    place,
    said,
)
from twin.bridge import Arrays

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = tuple[str, "Image"]


def box_metrics(run: Run, given: Arrays) -> Picture:
    """The boxes of three images with their overlaps, and the average precision by threshold."""
    found = run(given)
    figure, axes = panels(400, ["abc", "ppp"], height_ratios=[3, 2])
    for number, name in enumerate("abc"):
        panel = axes[name]
        for box in given["truth_boxes"][given["truth_image"] == number]:
            outline(panel, box, GREY, fill=True, facecolor=LIGHT[GREY])
        for row in np.flatnonzero(given["box_image"] == number):
            box, iou = given["boxes"][row], found["iou"][row].max()
            outline(panel, box, BLUE if iou >= 0.5 else ORANGE)
            middle = (box[0] + box[2]) / 2, box[1] + (box[3] - box[1]) * (0.7 if row % 2 else 0.3)
            panel.text(*middle, said(round(float(iou), 2)), ha="center", va="center", fontsize=10)
        place(panel, 105)
    axes["p"].plot(given["thresholds"], found["ap"].mean(-1), "o-", color=BLUE)
    mean = float(found["map"].item())
    axes["p"].axhline(mean, linestyle="--", color=GREY)
    axes["p"].text(0.955, mean + 0.03, f"mAP {said(mean)}", ha="right", va="bottom")
    axes["p"].set(ylim=(0, 1), ylabel="AP", xlabel="IoU")
    return (
        "Three images with true boxes in grey and found ones in blue, or in orange where they overlap no true box by "
        "half. The number is the overlap (IoU). Below, the average precision for each least overlap that counts.",
        image(figure),
    )


def nms(run: Run, given: Arrays) -> Picture:
    """The boxes before, and what each way leaves."""
    found = run(given)
    everything = np.arange(len(given["boxes"]))
    ways = {
        "boxes": (everything, given["scores"] / 100),
        "kept": (found["kept"], given["scores"][found["kept"]] / 100),
        "kept_by_class": (found["kept_by_class"], given["scores"][found["kept_by_class"]] / 100),
        "kept_fast": (found["kept_fast"], given["scores"][found["kept_fast"]] / 100),
        "soft_scores": (found["soft_order"], found["soft_scores"]),
    }
    figure, axes = panels(370, ["abc", "de."])
    for letter, (name, (rows, scores)) in zip("abcde", ways.items(), strict=True):
        for row, score in zip(rows, scores, strict=True):
            colour = COLOURS[int(given["classes"][row])]
            outline(axes[letter], given["boxes"][row], colour, linewidth=3.5 * float(score), alpha=0.25 + 0.75 * score)
        place(axes[letter], 64, f"{name}: {len(rows)}")
    return (
        "The boxes that a detector found, thicker where their score is higher and a colour for each class, and what "
        "is left of them: by one pass over all, class by class, by the fast way. The soft way lowers scores only.",
        image(figure),
    )


def anchors(run: Run, given: Arrays) -> Picture:
    """True boxes with the anchors that are to find them, and the shapes that k-means finds."""
    found = run(given)
    figure, axes = panels(270, ["ab"])
    for number, box in enumerate(given["boxes"]):
        for anchor in found["anchors"][found["matched"] == number]:
            outline(axes["a"], anchor, COLOURS[number], linewidth=1, linestyle="--")
        outline(axes["a"], box / 100, COLOURS[number], linewidth=3)
    place(axes["a"], 1)
    _shapes(axes["b"], given, found)
    return (
        "True boxes, and dashed in the same colours the anchors that are to find them (left). Widths and heights of "
        "boxes, with the four centres of k-means, where they start (orange) and where they end (blue).",
        image(figure),
    )


def _shapes(axes: Axes, given: Arrays, found: Arrays) -> None:
    from matplotlib.ticker import FixedLocator

    axes.scatter(*given["sizes"].T, s=14, color=GREY)
    for start, end in zip(given["start"], found["kmeans"], strict=True):
        axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "#222222", "shrinkA": 4, "shrinkB": 4})
    axes.scatter(*given["start"].T, s=45, color=ORANGE, zorder=3)
    axes.scatter(*found["kmeans"].T, s=45, color=BLUE, zorder=3)
    axes.set(xlabel="$w$", ylabel="$h$", xscale="log", yscale="log", aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set(major_locator=FixedLocator((10, 100)), major_formatter="{x:g}", minor_formatter="")
