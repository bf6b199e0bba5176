"""Tables of constants, told as what they are; and settings of calls that are tried at once."""

import numpy as np
import pytest

from compare.verify.causes.arguments import of_arguments
from compare.verify.causes.tables import of_tables
from twin.trace import Event

HALF = np.arange(8)


@pytest.mark.parametrize(
    ("keras", "torch", "cause", "words"),
    [
        (HALF / 7, HALF / 8, "constant_range", "(1/8) apart"),
        (np.exp(-np.log(1e4) / 7 * HALF), np.exp(-np.log(1e4) / 8 * HALF), "constant_frequencies", "-log(10000) / 8"),
        (np.hanning(17)[:16], np.hanning(16), "constant_window", "symmetric Hann"),
    ],
)
def test_two_tables_of_one_kind_are_told_with_the_number_that_differs(keras, torch, cause, words):
    found = of_tables(keras, torch)
    assert found is not None
    assert found[0] == cause
    assert words in found[1]


def test_equal_tables_and_those_of_no_kind_are_told_otherwise():
    assert of_tables(HALF / 7, HALF / 7) is None
    assert of_tables(np.random.default_rng(0).standard_normal(8), HALF / 7) is None


@pytest.mark.parametrize(
    ("call", "text", "cause", "code"),
    [
        ("torch.nn.functional.pad", "pad(pad=[1, 0, 1, 0])", "padding", {"pad": "(0, 1, 0, 1)"}),
        ("torch.fft.irfft", "irfft(n=32, norm='ortho')", "fft_norm", {"norm": "'backward'"}),
        ("torch.functional.stft", "stft(n_fft=64)", "constant_window",
         {"window": "torch.hann_window(64, periodic=True)"}),
    ],
)  # fmt: skip
def test_other_settings_of_a_call_are_tried(call, text, cause, code):
    event = Event(0, "op", {"name": call.rsplit(".")[-1]}, call, "", "t.py:1", "", (0,), (1,), text)
    tried = [(each.cause, each.edits[0].get("expressions")) for each in of_arguments(event, 3)]
    assert (cause, code) in tried
