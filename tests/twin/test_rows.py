"""Rows that a model was not built for are refused in one line, with the row and the limit, before a framework runs."""

import re

import numpy as np
import pytest

from twin import rows
from twin.catalogue import find
from twin.errors import TwinError

TRANSFORMER = {
    "source": np.array([[3, 1, 20, 0, 0, 0, 0], [4, 15, 7, 0, 0, 0, 0]]),
    "target": np.array([[66, 37, 0, 0, 0, 0, 0, 0, 0], [66, 35, 0, 0, 0, 0, 0, 0, 0]]),
}


def changed(name, place, token):
    """The transformer's inputs with another token at (row, place)."""
    array = TRANSFORMER[name].copy()
    array[place] = token
    return {**TRANSFORMER, name: array}


def longer(name, tokens):
    return {**TRANSFORMER, name: np.concatenate([TRANSFORMER[name], tokens], axis=1)}


WRONG = [
    (changed("source", (1, 2), 68), "transformer: source, row 1 has token 68 at place 2; tokens are from 0 to 67"),
    (changed("target", (0, 1), -1), "transformer: target, row 0 has token -1 at place 1; tokens are from 0 to 67"),
    (changed("source", 1, 0), "transformer: source, row 1 is nothing but padding; leave it out"),
    (longer("source", [[0, 0], [0, 5]]), "transformer: source, row 1 has 9 tokens; the model was built for 7"),
    (longer("target", [[0], [0]]), "transformer: target, row 0 has 10 places; the model was built for 9"),
    ({**TRANSFORMER, "source": TRANSFORMER["source"][0]}, "transformer: source must be rows of tokens (N, T)"),
    ({name: array[:0] for name, array in TRANSFORMER.items()}, "transformer: source, target have no rows"),
]


@pytest.mark.parametrize(("inputs", "says"), WRONG, ids=[says[:60] for _, says in WRONG])
def test_tokens_that_a_model_does_not_know_are_one_line(inputs, says):
    with pytest.raises(TwinError, match="^" + re.escape(says)) as error:
        rows.check_inputs(find("transformer"), find("transformer").small.arguments, inputs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        (
            "crnn",
            (2, 32, 60, 1),
            "crnn: x has rows of shape (32, 60, 1); the model was built for image_shape=(32, 64, 1)",
        ),
        ("conv3d", (2, 16, 20, 20, 1), "conv3d: x has rows of shape (16, 20, 20, 1)"),
        ("gru", (2, 30, 12), "gru: x has rows of shape (30, 12); the model was built for window_shape=(29, 12)"),
    ],
)
def test_pictures_clips_and_windows_of_another_size_are_one_line(name, shape, says):
    with pytest.raises(TwinError, match="^" + re.escape(says)) as error:
        rows.check_inputs(find(name), find(name).small.arguments, {"x": np.zeros(shape, np.float32)})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "steps", "says"),
    [
        (
            [[1, 2, 0], [1, 1, 2]],
            3,
            "y, row 1 has 3 labels, 1 of them like the one before, which takes CTC 4 steps; there are 3",
        ),
        ([[1, 2, 3]], 2, "y, row 0 has 3 labels, 0 of them like the one before, which takes CTC 3 steps; there are 2"),
        ([[1, 0], [0, 0]], 9, "y, row 1 has no label; leave it out"),
    ],
)
def test_strings_that_no_path_reads_as_are_one_line(labels, steps, says):
    with pytest.raises(TwinError, match="^" + re.escape(says)):
        rows.check_ctc(np.array(labels), steps)
    rows.check_ctc(np.array(labels)[:1], steps + 1)
