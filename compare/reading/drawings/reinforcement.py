"""Chapter 11: what places are worth, and where to go from them."""

from typing import TYPE_CHECKING

import numpy as np

from compare.reading.drawings import Run
from compare.reading.drawings.canvas import BLUE, LIGHT, ORANGE, grid, image, panels
from twin.bridge import Arrays
from twin.data.frozen_lake import MAP, MOVES

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = tuple[str, "Image"]


def q_learning(run: Run, given: Arrays) -> Picture:
    """The lake with the best entry of each place and its move: learned from random steps, and from playing."""
    found = run(given)
    figure, axes = panels(280, ["ab"])
    kinds = "".join(MAP)
    for place, name in zip("ab", ("learned", "played"), strict=True):
        table = found[name]
        worth = np.where(given["is_end"] > 0, np.nan, table.max(-1)).reshape(4, 4).round(2)
        fills = np.array([{"H": "#555555", "G": LIGHT[ORANGE]}.get(kind, "white") for kind in kinds]).reshape(4, 4)
        grid(axes[place], worth, name, fills)
        for text in axes[place].texts:
            text.set(va="top", fontsize=9)
        for state in np.flatnonzero(given["is_end"] == 0):
            down, along = MOVES[int(table[state].argmax())]
            row, column = divmod(int(state), 4)
            start = column + 0.5 - along * 0.2, row + 0.32 - down * 0.2
            style = {"width": 0.04, "length_includes_head": True, "color": BLUE}
            axes[place].arrow(*start, 0.4 * along, 0.4 * down, head_width=0.22, head_length=0.2, **style)
    return (
        "The frozen lake with its holes (dark) and its goal (orange): the best move from each place and what it is "
        "worth, learned from random steps (left) and by an agent that plays by its own table (right).",
        image(figure),
    )
