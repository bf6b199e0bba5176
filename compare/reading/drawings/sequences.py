"""Chapter 5: who looks at whom."""

from typing import TYPE_CHECKING

import numpy as np

from compare.reading.drawings import Run
from compare.reading.drawings.canvas import grid, image, panels, picture
from twin.bridge import Arrays

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = tuple[str, "Image"]


def attention(run: Run, given: Arrays) -> Picture:
    """The weights of one head without and with masks, and the waves that say where a token stands."""
    found = run(given)
    tokens, shorter = given["tokens"].shape[1], int(given["lengths"].argmin())
    figure, axes = panels(400, ["abc", "ppp"], height_ratios=[5, 4])
    for place, name in zip("abc", ("plain", "causal", "padded"), strict=True):
        weights = found[f"{name}_weights"][shorter][:, :tokens]  # of the first head
        percent = np.where(weights > 0, 100 * weights, np.nan).round()
        grid(axes[place], percent, f"{name}_weights", bounds=(0, 100))
    picture(axes["p"], found["picture_positions"], "positions", aspect="auto")
    return (
        "How one head shares its attention, in percent, a row for each of six tokens: among all, among those up to it, "
        "among those that are no padding. Below, the waves that are added to tokens, a row for each place.",
        image(figure),
    )
