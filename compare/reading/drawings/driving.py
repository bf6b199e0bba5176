"""Chapter 12: which layers mind another order of their input."""

from typing import TYPE_CHECKING

import numpy as np

from compare.reading.drawings import Run
from compare.reading.drawings.canvas import image, panels, picture
from twin.bridge import Arrays

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = tuple[str, "Image"]

LAYERS = ("fully_connected", "convolutional", "recurrent", "graph")
SHIFT = 3  # rows, as in the exercise


def inductive_biases(run: Run, given: Arrays) -> Picture:
    """What each layer makes of a signal, and how much it minds that the signal is shifted, and permuted."""
    found = run(given)
    figure, axes = panels(400, ["abcd", "efgh", "ijkl"])
    for column, layer in enumerate(LAYERS):
        output = found[f"burst_{layer}"]
        changed_alike = {"shifted": np.roll(output, SHIFT, axis=0), "permuted": output[given["order"]]}
        rows = [output] + [np.abs(found[f"burst_{layer}_{name}"] - each) for name, each in changed_alike.items()]
        for row, shown in zip(("abcd", "efgh", "ijkl"), rows, strict=True):
            picture(axes[row[column]], shown.T / output.max(), aspect="auto")
        axes["abcd"[column]].set_title(layer, fontsize=10)
    return (
        "What four layers give for the same signal of 34 rows, which lie from left to right (above). How far their "
        "output for the shifted (middle) and the permuted signal (below) is from that, changed alike: black where it "
        "is equal.",
        image(figure),
    )
