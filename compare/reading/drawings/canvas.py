"""What the drawings have in common: a figure in pixels, tables of numbers as grids, boxes, and lines between places."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

# Matplotlib's own annotations refuse arrays and dictionaries of options that it takes.
Axes: TypeAlias = Any

WIDTH = 480  # pixels of a figure: a phone shows it at three quarters of that
DOTS = 100  # to the inch, so that a font of 11.5 points is 16 pixels high
MARGIN = 8  # pixels above and below
SETTINGS: Any = {
    "font.size": 11.5,
    "axes.titlesize": 11.5,
    "axes.titlepad": 5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "mathtext.fontset": "dejavusans",
}
# Tol, bright, without those that are too light on white.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#4477aa", "#cc5a11", "#228833", "#aa3377", "#8a8a8a"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#222222")
LIGHT = {BLUE: "#cfdfee", ORANGE: "#fbd9c0", GREEN: "#cce8d2", PURPLE: "#eed0e0", GREY: "#e6e6e6"}


def panels(height: int, layout: Sequence[Sequence[str]], **options: Any) -> tuple[Any, dict[str, Any]]:
    """A figure of that many pixels, with named panels as `Figure.subplot_mosaic` lays them out."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH / DOTS, height / DOTS), dpi=DOTS, layout="constrained")
    return figure, figure.subplot_mosaic([list(row) for row in layout], **options)


def image(figure: Any, colours: int = 64) -> "Image":
    """The figure in pixels, without white rows above and below; few colours make its file small."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    inked = np.flatnonzero((pixels < 255).any((1, 2)))
    whole = Image.fromarray(pixels[max(inked[0] - MARGIN, 0) : inked[-1] + MARGIN].copy())
    return whole.quantize(colours, dither=Image.Dither.NONE).convert("RGB")


def said(value: Any) -> str:
    """A number, or an array of one, in few signs."""
    return f"{np.asarray(value).item():.3g}".replace("-", "\N{MINUS SIGN}")


def grid(
    axes: Axes, values: np.ndarray, title: str = "", fills: Any = None, bounds: tuple[float, float] | None = None
) -> None:
    """A table of numbers, (rows, columns), a cell each.

    Args:
        axes: where it is drawn.
        values: the numbers; what is not finite gets a cell without one.
        title: above it.
        fills: a colour for each cell, as (rows, columns) of strings; white by default.
        bounds: the least and the greatest value, to fill cells from white to blue.
    """
    rows, columns = values.shape
    for row in range(rows):
        for column in range(columns):
            fill = fills[row][column] if fills is not None else "white"
            value = float(values[row, column])
            if bounds and not np.isfinite(value):
                fill = LIGHT[GREY]
            elif bounds:
                share = (value - bounds[0]) / max(bounds[1] - bounds[0], 1e-12)
                fill = tuple(1 + min(max(share, 0), 1) * (end - 1) for end in (0.4, 0.62, 0.83))
            square(axes, column, row, fill)
            if np.isfinite(value):
                axes.text(column + 0.5, row + 0.5, said(value), ha="center", va="center")
    bare(axes, columns, rows, title)


def square(axes: Axes, x: float, y: float, fill: Any, size: float = 1.0, edge: str = "#555555") -> None:
    """A cell with its upper left corner at x, y."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), size, size, facecolor=fill, edgecolor=edge, linewidth=0.8))


def outline(axes: Axes, box: Iterable[float], colour: str, **options: Any) -> None:
    """A box by its corners x1, y1, x2, y2."""
    from matplotlib.patches import Rectangle

    left, top, right, bottom = map(float, box)
    style: dict[str, Any] = {"fill": False, "edgecolor": colour, "linewidth": 2} | options
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, **style))


def place(axes: Axes, size: float, title: str = "") -> None:
    """Axes in a frame for boxes in a square of that size, y downwards."""
    axes.set(xlim=(0, size), ylim=(size, 0), aspect="equal", xticks=(), yticks=(), title=title)
    axes.spines[:].set(visible=True, color=GREY)


def bare(axes: Axes, columns: float, rows: float, title: str = "", margin: float = 0.06) -> None:
    """Axes of so many cells with the first at the top, and without marks."""
    axes.set_xlim(-margin, columns + margin)
    axes.set_ylim(rows + margin, -margin)
    axes.set_aspect("equal")
    axes.set_title(title)
    axes.axis("off")


def sign(axes: Axes, text: str) -> None:
    """An operation between two tables."""
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=16, transform=axes.transAxes)
    axes.axis("off")


def picture(axes: Axes, values: np.ndarray, title: str = "", **options: Any) -> None:
    """A picture (H, W) or (H, W, 3), from 0 to 1 unless said otherwise."""
    axes.imshow(values, **{"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"} | options)
    axes.set_title(title)
    axes.axis("off")
