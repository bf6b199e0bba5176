"""Outputs that only one of two models returns are said: agreement is of what was compared."""

import numpy as np
import pytest

from compare.verify.whole import Whole


class Side:
    """A model that returns these arrays, whatever it is given."""

    def __init__(self, **outputs):
        self.returned = {name: np.zeros(shape, np.float32) for name, shape in outputs.items()}

    def outputs(self, inputs, training, masks=False):
        return self.returned


@pytest.mark.parametrize(
    ("keras", "torch", "says"),
    [
        ({"y": (4, 2)}, {"y": (4, 2)}, []),
        ({"a": (4, 2)}, {"b": (4, 2)}, []),
        ({"y": (4, 2)}, {"y": (4, 2), "z": (4, 3)}, ["the PyTorch model alone returns z (4, 3), "]),
        ({"y0": (4, 2), "y1": (4, 3), "y2": (4, 5)}, {"y": (4, 3)}, ["the Keras model alone returns y0 (4, 2), y2 "]),
        ({"y0": (4, 2), "y1": (4, 3)}, {"a": (4, 3), "b": (4, 6), "c": (4, 7)}, ["y0 (4, 2), which", "b (4, 6), c "]),
    ],
)
def test_an_output_of_one_model_alone_is_said(keras, torch, says):
    found = Whole(Side(**keras), Side(**torch), [], []).uncompared()
    assert len(found) == len(says)
    assert all(part in line for part, line in zip(says, found, strict=True))
    assert all(line.endswith("which was compared with nothing") for line in found)
