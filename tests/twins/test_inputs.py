"""A twin of several inputs and outputs, planted in a copy of the source, goes every way that the catalogue's own go.

Tokens and a mask of four axes are "as is"; a picture, a clip and frames stand beside them, with sides that differ, so
that no swap of axes goes unseen. The outputs are a dictionary of logits and of a cleaned picture.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from compare.engines.engine import ENGINES
from compare.record.record import read_record
from twin.errors import TwinError
from twin.paths import ROOT
from twin.spec import Twin, torch_shape

QUICK = ("torch", "keras-torch")  # the others import and compile for longer: no layout depends on the engine
DATA = '''
"""Rows of several kinds, for a test."""

import numpy as np

from twin.data import Dataset


def load(rows=160):
    """Tokens of two vocabularies, the class; a mask, a noisy picture and its clean one, a clip and frames."""
    rng = np.random.default_rng(3)
    y = rng.integers(2, size=rows).astype(np.int32)
    clean = rng.random((rows, 6, 5, 3), dtype=np.float32)
    everything = {
        "tokens": (rng.integers(5, size=(rows, 7)) + 5 * y[:, None]).astype(np.int64),
        "mask": (rng.random((rows, 2, 7, 7)) < 0.7).astype(np.float32),
        "picture": (clean + 0.1 * rng.standard_normal(clean.shape)).astype(np.float32),
        "clip": rng.standard_normal((rows, 4, 6, 5, 2)).astype(np.float32),
        "frames": rng.standard_normal((rows, 3, 5, 6, 2)).astype(np.float32),
        "y": y,
        "clean": clean,
    }
    parts = [{name: array[part] for name, array in everything.items()} for part in (slice(128), slice(128, None))]
    return Dataset("made here (seed 3), for a test", *parts)
'''
KERAS = '''
"""Several inputs at once."""

import keras
from keras import layers, ops


class Mixed(keras.Model):
    """One layer for each input; logits of their sum, and a picture."""

    def __init__(self, vocabulary, width):
        super().__init__()
        self.embedding = layers.Embedding(vocabulary, width)
        self.conv1 = layers.Conv2D(width, 3, padding="same")
        self.conv2 = layers.Conv3D(width, 2)
        self.conv3 = layers.Conv2D(width, 3)
        self.dense = layers.Dense(2)
        self.conv4 = layers.Conv2D(3, 1)
        shapes = {"mask": (2, 7, 7), "picture": (6, 5, 3), "clip": (4, 6, 5, 2), "frames": (3, 5, 6, 2)}
        inputs = {name: keras.Input(shape) for name, shape in shapes.items()}  # differs: Keras makes weights later
        self({"tokens": keras.Input((7,), dtype="int32"), **inputs})  # differs: the same

    def call(self, inputs, training=False):  # differs: Keras passes several inputs as a dictionary
        """Tokens (B, T), a mask (B, 2, T, T), pictures (B, H, W, 3), clips and frames (B, T, H, W, 2)."""
        tokens, mask, picture = inputs["tokens"], inputs["mask"], inputs["picture"]  # differs: out of the dictionary
        clip, frames = inputs["clip"], inputs["frames"]  # differs: likewise
        words = self.embedding(tokens)  # (B, T, D)
        seen = ops.mean(mask, axis=1) @ words / 7.0
        features = ops.relu(self.conv1(picture))  # (B, H, W, D)
        moving = ops.mean(ops.tanh(self.conv2(clip)), axis=(1, 2, 3))
        single = ops.reshape(frames, (-1, 5, 6, 2))
        still = ops.mean(ops.tanh(self.conv3(single)), axis=(1, 2))
        still = ops.mean(ops.reshape(still, (-1, 3, still.shape[-1])), axis=1)
        total = ops.mean(seen, axis=1) + ops.mean(features, axis=(1, 2)) + moving + still
        return {"y": self.dense(total), "clean": self.conv4(features)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):  # differs: more
        """Cross-entropy and the squared error of the picture."""
        labels = keras.losses.sparse_categorical_crossentropy(y["y"], y_pred["y"], from_logits=True)
        return ops.mean(labels) + ops.mean(keras.losses.mean_squared_error(y["clean"], y_pred["clean"]))
'''
TORCH = '''
"""Several inputs at once."""

import torch
from torch import nn
from torch.nn import functional as F


class Mixed(nn.Module):
    """One layer for each input; logits of their sum, and a picture."""

    def __init__(self, vocabulary, width):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.conv1 = nn.Conv2d(3, width, 3, padding="same")
        self.conv2 = nn.Conv3d(2, width, 2)
        self.conv3 = nn.Conv2d(2, width, 3)
        self.dense = nn.Linear(width, 2)
        self.conv4 = nn.Conv2d(width, 3, 1)

    def forward(self, tokens, mask, picture, clip, frames):  # differs: Keras passes several inputs as a dictionary
        """Tokens (B, T), a mask (B, 2, T, T), pictures (B, 3, H, W), clips (B, 2, T, H, W), frames (B, T, 2, H, W)."""
        words = self.embedding(tokens)  # (B, T, D)
        seen = torch.mean(mask, dim=1) @ words / 7.0
        features = F.relu(self.conv1(picture))  # (B, D, H, W)
        moving = torch.mean(F.tanh(self.conv2(clip)), dim=(2, 3, 4))
        single = torch.reshape(frames, (-1, 2, 5, 6))
        still = torch.mean(F.tanh(self.conv3(single)), dim=(2, 3))
        still = torch.mean(torch.reshape(still, (-1, 3, still.shape[-1])), dim=1)
        total = torch.mean(seen, dim=1) + torch.mean(features, dim=(2, 3)) + moving + still
        return {"y": self.dense(total), "clean": self.conv4(features)}

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """Cross-entropy and the squared error of the picture."""
        return F.cross_entropy(y_pred["y"], y["y"]) + F.mse_loss(y_pred["clean"], y["clean"])
'''
ENTRY = """
    Twin(
        name="mixed",
        title="Several inputs",
        kind="model",
        deck="A",
        topic="Several inputs",
        paper="None, 2000",
        model="Mixed",
        small=Size({"vocabulary": 10, "width": 8}, parameters=637),
        data="mixed",
        inputs={"tokens": "as is", "mask": "as is", "picture": "images", "clip": "clips", "frames": "frames"},
        outputs={"y": "as is", "clean": "images"},
        targets={"clean": "images"},
        loss="own",
        optimizer=Optimizer("sgd", learning_rate=0.1, momentum=0.9),
        metric=Metric("accuracy", target=0.9, chance=0.5, margin=0.1),
        epochs=12,
        batch_size=16,
    ),
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the source with the twin in it, and its shapes measured."""
    if ENGINES["keras-torch"].missing():
        pytest.skip("the twin runs on PyTorch and on Keras on PyTorch")
    tree = tmp_path_factory.mktemp("tree")
    for folder in ("twin", "keras_impl", "torch_impl", "compare", "tests/helpers"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    catalogue = tree / "twin/catalogue/sequences.py"
    text = catalogue.read_text()
    assert text.endswith("    ),\n)\n")
    catalogue.write_text(text.removesuffix(")\n") + ENTRY.lstrip("\n") + ")\n")
    (tree / "twin/data/mixed.py").write_text(DATA.lstrip())
    (tree / "keras_impl/models/sequences/mixed.py").write_text(KERAS.lstrip())
    (tree / "torch_impl/models/sequences/mixed.py").write_text(TORCH.lstrip())
    run(tree, "show", "mixed", "--measure")
    return tree


def run(tree, *arguments, code=0):
    """The command of the copy."""
    return python(tree, "tests/helpers/forking_twin.py", *arguments, code=code)


def python(tree, *arguments, code=0):
    """What Python prints where it finds nothing but the copy."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    answer = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=tree, env=env, timeout=400
    )
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer.stdout


@pytest.mark.framework
@pytest.mark.parametrize("names", [QUICK, pytest.param(tuple(ENGINES), marks=pytest.mark.long)], ids=["quick", "all"])
def test_every_rung_agrees(tree, names):
    engines = [name for name in names if not ENGINES[name].missing()]
    place = f"runs/{len(names)}"
    out = run(tree, "check", "mixed", *(word for name in engines for word in ("--engine", name)), "--out", place)
    assert len(re.findall(r" agrees ", out)) >= len(engines)
    (record,) = (tree / place).glob("check-*.json")
    for measurement in read_record(record).measurements:
        assert measurement.result.rungs[-1].rung == "trajectory"
        forward = next(rung for rung in measurement.result.rungs if rung.rung == "forward")
        assert {tensor.name.split(" (")[0] for tensor in forward.tensors} == {"y", "clean"}


@pytest.mark.framework
@pytest.mark.parametrize(
    "engine",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.long]) for name in ENGINES],
)
def test_it_learns_and_shows_pictures_of_each_input_that_is_one(tree, engine):
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    run(tree, "train", "mixed", "--engine", engine, "--out", f"runs/{engine}")
    (record,) = (tree / "runs" / engine).glob("*.json")
    (measurement,) = read_record(record).measurements
    assert measurement.result.value >= measurement.result.target
    captions = [picture.caption for picture in measurement.result.predictions.pictures]
    assert captions[:3] == [
        "input picture",
        "input clip, its frames from top to bottom",
        "input frames, its frames from top to bottom",
    ]


@pytest.mark.framework
@pytest.mark.long
def test_a_bench_times_it(tree):
    out = run(tree, "bench", "mixed", "--engine", "torch", "--engine", "keras-torch", "--quick", "--budget", "1s")
    assert "mixed" in out


@pytest.mark.framework
@pytest.mark.parametrize("side", ["torch", "keras"])
def test_a_port_of_it_is_judged(tree, side):
    run(tree, "port", "mixed", "--to", side)
    mine = tree / f"port/mixed-{side}/mixed_{side}.py"
    text = (tree / f"{side}_impl/models/sequences/mixed.py").read_text()
    mine.write_text(text.replace("total = ", "total = 1.0 * "))  # another text, the same meaning
    out = json.loads(run(tree, "port", "mixed", f"port/mixed-{side}", "--check", "--json", "-"))
    assert {each["state"] for each in out["methods"]} == {"right"}
    mine.write_text(text.replace("+ moving + still", "+ moving - still"))
    out = json.loads(run(tree, "port", "mixed", f"port/mixed-{side}", "--check", "--json", "-", code=1))
    wrong = {each["unit"] for each in out["methods"] if each["state"] == "differs"}
    assert wrong == {f"Mixed.{'forward' if side == 'torch' else 'call'}"}


@pytest.mark.framework
def test_show_and_the_site_have_the_shapes_of_each_side(tree):
    shapes = json.loads((tree / "compare/reading/shapes.json").read_text())["mixed"]
    outputs = {side: shapes[side]["outputs"] for side in ("keras", "torch")}
    assert outputs == {
        "keras": {"clean": ["B", 6, 5, 3], "y": ["B", 2]},
        "torch": {"clean": ["B", 3, 6, 5], "y": ["B", 2]},
    }
    entering = {layer[0]: layer[3] for layer in shapes["torch"]["layers"]}
    assert entering["conv1"] == ["B", 3, 6, 5]
    assert entering["conv2"] == ["B", 2, 4, 6, 5]
    assert "self.conv2 = nn.Conv3d(2, width, 2)" in run(tree, "show", "mixed")
    site = "from compare.reading import site; from pathlib import Path; from twin.catalogue import find"
    python(tree, "-c", f"{site}; site.build(Path('site'), twins=[find('mixed')])")
    assert "Several inputs" in (tree / "site/mixed.html").read_text()


@pytest.mark.parametrize(
    ("layout", "shape", "native"),
    [
        ("as is", (8, 2, 7, 7), (8, 2, 7, 7)),
        ("images", (8, 6, 5, 3), (8, 3, 6, 5)),
        ("clips", (8, 4, 6, 5, 3), (8, 3, 4, 6, 5)),
        ("frames", (8, 4, 6, 5, 3), (8, 4, 3, 6, 5)),
    ],
)
def test_a_layout_says_where_pytorch_has_the_channels(layout, shape, native):
    assert torch_shape(shape, layout) == native


def entry(**fields):
    return Twin("some", "", "model", "", "", "", **fields)


def test_a_batch_is_inputs_by_name_targets_and_draws():
    one = entry()
    assert one.packed_inputs({"x": 1, "y": 2}) == 1
    assert one.targets_of({"x": 1, "y": 2}) == 2
    assert one.targets_of({"x": 1, "box": 2, "label": 3}) == {"box": 2, "label": 3}
    two = entry(inputs={"source": "as is", "target": "as is"})
    assert two.packed_inputs({"y": 3, "target": 2, "source": 1}) == {"source": 1, "target": 2}
    with pytest.raises(TwinError, match="some takes source, target; the batch has source, y and lacks target"):
        two.inputs_of({"source": 1, "y": 2})


@pytest.mark.framework
def test_an_array_without_the_axes_of_its_layout_is_refused():
    import numpy as np
    import torch

    from torch_impl import train

    run = train.Run(entry(inputs={"x": "images"}), None, torch.nn.Identity(), (), torch.float32)
    with pytest.raises(
        TwinError, match=re.escape("some declares x as 'images', (B, H, W, C); its data has shape (4, 64)")
    ):
        train.to_tensors(run, {"x": np.zeros((4, 64), np.float32)})


def test_whole_numbers_are_not_perturbed():
    import numpy as np

    from twin.batches import perturbed

    given = {"tokens": np.arange(6, dtype=np.int64), "mask": np.ones(6, bool), "x": np.ones(6, np.float32)}
    found = perturbed(given, np.random.default_rng(0))
    assert np.array_equal(found["tokens"], given["tokens"])
    assert found["mask"].dtype == bool
    assert (found["x"] != given["x"]).all()
