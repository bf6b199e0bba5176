"""Models that do what a model should not do, or take and return what few models do: an answer or one line."""

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.verify import run as examination
from twin.errors import TwinError

pytestmark = pytest.mark.framework

KERAS = """
import os
import sys

import keras
from keras import layers, ops


class Own(keras.Model):
    def __init__(self, returns):
        super().__init__()
        self.head = layers.Dense(3, name="head")
        self.returns = returns

    def call(self, x):
        return self.returns(self.head(ops.cast(x, "float32")))


def plain():
    return Own(lambda y: y)


def nested():
    return Own(lambda y: {"a": [y, (2 * y, {"b": 3 * y})], "c": y + 1})


def with_none():
    return Own(lambda y: (y, None))


def with_text():
    return Own(lambda y: {"scores": y, "name": "text"})


def only_text():
    return Own(lambda y: "text")


def printing():
    def told(y):
        print("a line\\n" * 100)
        print("another", file=sys.stderr)
        return y

    return Own(told)


class Bare(keras.Model):
    def call(self, x):
        return ops.tanh(x)


def bare():
    return Bare()
"""

TORCH = """
import os
import signal
import sys
import time

import torch
from torch import nn


class Own(nn.Module):
    def __init__(self, returns=lambda y: y):
        super().__init__()
        self.head = nn.LazyLinear(3)
        self.returns = returns

    def forward(self, x):
        return self.returns(self.head(x.float()))


def plain():
    return Own()


def nested():
    return Own(lambda y: {"a": [y, (2 * y, {"b": 3 * y})], "c": y + 1})


def with_none():
    return Own(lambda y: (y, None))


def with_text():
    return Own(lambda y: {"scores": y, "name": "text"})


def only_text():
    return Own(lambda y: "text")


def complex_output():
    return Own(lambda y: torch.complex(y, y))


def printing():
    def told(y):
        print("a line\\n" * 100)
        os.write(1, b"bytes that are no answer\\n")
        return y

    return Own(told)


class Bare(nn.Module):
    def forward(self, x):
        return torch.tanh(x)


class Wrong(nn.Module):
    def forward(self, x):
        return torch.sigmoid(x)


def doing(what):
    def act(y):
        what()
        return y

    return Own(act)


class Recursing(Own):
    def forward(self, x):
        return self.forward(x)


def recursing():
    return Recursing()


def exiting():
    return doing(lambda: sys.exit(3))


def ending():
    return doing(lambda: os._exit(0))


def killed():
    return doing(lambda: os.kill(os.getpid(), signal.SIGKILL))


def large():
    return doing(lambda: torch.empty(2**60))


def never():
    return doing(lambda: time.sleep(3600))


def forking():
    def fork():
        if os.fork() == 0:
            os._exit(0)

    return doing(fork)


def forking_on():
    return doing(os.fork)  # the child goes on as if it were the worker
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    (folder / "k.py").write_text(KERAS)
    (folder / "t.py").write_text(TORCH)
    return folder


@pytest.fixture(scope="module")
def workers():
    """Two workers, and new ones for those that a model ended."""
    pool = Pool(Settings(timeout=60.0))
    names = {"keras": "keras-torch", "torch": "torch"}
    running = {side: pool.start(ENGINES[name], "cpu") for side, name in names.items()}

    def sessions():
        for side, session in running.items():
            try:
                session.greet("cpu")
            except Exception:
                running[side] = pool.start(ENGINES[names[side]], "cpu")
        return running["keras"], running["torch"]

    yield sessions
    pool.close()


@pytest.fixture
def verify(files, workers):
    def examine(keras="plain", torch="plain", shape=(8,), **options):
        options = {"shapes": [shape], **options}
        request = examination.Request(f"{files}/k.py:{keras}", f"{files}/t.py:{torch}", **options)
        return examination.examine(request, *workers(), lambda word: None).verdict

    return examine


@pytest.mark.parametrize("name", ["nested", "with_none", "with_text", "printing"])
def test_outputs_that_are_nested_or_no_tensors_and_what_is_printed_do_not_matter(verify, name):
    assert verify(name, name) == "agree"


@pytest.mark.parametrize(
    ("shape", "count"), [((), 1), ((1,), 1), ((2, 3), 2), ((2, 2, 3), 3), ((2, 2, 2, 3), 4), ((2, 2, 2, 2, 2, 3), 6)]
)
def test_inputs_of_any_number_of_axes(verify, shape, count):
    assert verify("bare", "Bare", shape) == "agree"
    assert verify("bare", "Wrong", shape) == "differ"


def test_models_without_weights_are_compared(verify):
    assert verify("bare", "Bare") == "agree"
    assert verify("bare", "Wrong") == "differ"


@pytest.mark.long
@pytest.mark.parametrize("engine", ["keras-jax", "keras-tensorflow"])
def test_models_without_weights_are_compared_on_every_backend(engine, files):
    for torch, verdict in (("Bare", "agree"), ("Wrong", "differ")):
        request = examination.Request(f"{files}/k.py:bare", f"{files}/t.py:{torch}", shapes=[(8,)])
        settings = Settings(timeout=120.0)
        found = examination.verify(request, ENGINES[engine], ENGINES["torch"], settings, lambda word: None)
        assert found.verdict == verdict


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "float16", "float64"])
def test_data_of_other_types(verify, tmp_path, dtype):
    np.savez(tmp_path / "x.npz", x=(np.random.default_rng(0).random((4, 8)) * 3).astype(dtype))
    assert verify(shapes=[], data=tmp_path / "x.npz") == "agree"


BROKEN = {
    "recursing": "RecursionError",
    "exiting": "exit",
    "ending": "ended",
    "killed": "SIGKILL",
    "large": "memory|alloc|storage",
    "only_text": "no tensor|returns",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_model_that_breaks_is_one_line(verify, name):
    with pytest.raises(TwinError, match=BROKEN[name]) as error:
        verify("only_text" if name == "only_text" else "plain", name)
    assert "\n" not in str(error.value)
    assert verify() == "agree"  # and the next pair is not concerned


def test_a_child_process_of_a_model_does_not_answer_for_it(verify):
    assert verify(torch="forking") == "agree"


def _answer(verify, **names):
    """The verdict, or the one line in place of it."""
    try:
        return verify(**names)
    except TwinError as error:
        return str(error)


def test_complex_outputs_are_one_line_or_a_difference(verify):
    answer = _answer(verify, torch="complex_output")
    assert answer == "differ" or "complex" in answer
    assert "\n" not in answer


def test_complex_data_is_one_line(verify, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.ones((4, 8), np.complex64))
    with pytest.raises(TwinError, match="complex") as error:
        verify(shapes=[], data=tmp_path / "x.npz")
    assert "\n" not in str(error.value)


@pytest.mark.long
@pytest.mark.parametrize("name", ["never", "forking_on"])
def test_a_model_that_never_returns_or_doubles_itself_is_one_line(verify, name):
    answer = _answer(verify, torch=name)
    assert answer in ("agree", "differ") or "PyTorch model" in answer
    assert "\n" not in answer
    assert verify() == "agree"
