"""`twin verify`: pairs with one defect each, equal pairs, the user's own files, and what can be wrong with them."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.verify import run as examination
from compare.verify import text as terminal
from tests.helpers import aside
from tests.helpers.command import TWIN
from twin.errors import TwinError

ROOT = Path(__file__).parents[2]

KERAS = """
import keras
from keras import layers


def make(width=4):
    return keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(width, 3, padding="same", activation="relu", name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Flatten(),
        layers.Dense(5, name="head"),
    ])


def deeper():
    parts = [layers.Conv2D(4, 3), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)]
    return keras.Sequential([keras.Input((8, 8, 3)), *parts])


def named():  # inputs that are a dictionary, as fit passes them
    user, item = keras.Input((4,), name="user"), keras.Input((3,), name="item")
    joined = layers.Concatenate()([layers.Dense(6, name="of_user")(user), layers.Dense(6, name="of_item")(item)])
    return keras.Model({"user": user, "item": item}, layers.Dense(2, name="head")(joined))


def branching():
    class Branching(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(5)

        def call(self, x):
            return self.head(x) if x[0, 0] > 0 else -self.head(x)

    return Branching()


def joined():
    a, b = keras.Input((12,)), keras.Input((5,), dtype="int32")
    shared = layers.Dense(8, activation="relu", name="shared")
    inside = keras.Input((8,))
    inner = keras.Model(inside, layers.Dense(6, activation="tanh", name="inside")(inside), name="inner")
    words = layers.Bidirectional(layers.LSTM(6), name="words")(layers.Embedding(9, 12, name="embedding")(b))
    both = layers.Concatenate()([inner(shared(a)), inner(shared(words))])
    heads = {name: layers.Dense(units, name=name)(both) for name, units in (("score", 1), ("kind", 3))}
    return keras.Model([a, b], heads)


def straight():
    return keras.Sequential([keras.Input((8,)), layers.Dense(5)])


def probabilities(y, outputs):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=False)(y, keras.ops.softmax(outputs))


summed = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
decaying = lambda: keras.optimizers.Adam(1e-2, weight_decay=0.1, epsilon=1e-8)


def two_heads():
    x = keras.Input((8,))
    return keras.Model(x, {"score": layers.Dense(1, name="score")(x), "kind": layers.Dense(3, name="kind")(x)})


def masked():
    ids = keras.Input((5,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True, name="embedding")(ids)
    return keras.Model(ids, layers.Dense(3, name="head")(layers.LSTM(6, return_sequences=True, name="rnn")(x)))


def of_sentences():  # the mean of each sentence's words, without padding
    ids = keras.Input((3, 6), dtype="int32")
    words = layers.Embedding(9, 4, name="embedding")(ids)
    kept = keras.ops.expand_dims(keras.ops.cast(keras.ops.not_equal(ids, 0), "float32"), -1)
    return keras.Model(ids, layers.Dense(2, name="head")(keras.ops.sum(words * kept, 2) / keras.ops.sum(kept, 2)))


class Gained(layers.Layer):  # weight normalization by hand: a gain for each filter, and a direction
    def build(self, shape):
        self.v = self.add_weight(shape=(3, shape[-1], 6), initializer="he_normal", name="v")
        self.g = self.add_weight(shape=(6,), initializer="ones", name="g")
        self.bias = self.add_weight(shape=(6,), initializer="zeros", name="bias")

    def call(self, x):
        kernel = self.v * self.g / keras.ops.norm(keras.ops.reshape(self.v, (-1, 6)), axis=0)
        x = keras.ops.pad(x, [[0, 0], [2, 0], [0, 0]])
        return keras.ops.relu(keras.ops.conv(x, kernel) + self.bias)


def gained():
    return keras.Sequential([keras.Input((9, 6)), *(Gained() for _ in range(4)), layers.Conv1D(2, 1, name="head")])


def shifted():
    class Shift(layers.Layer):
        def build(self, shape):
            self.b = self.add_weight(shape=(), initializer="ones", name="b")

        def call(self, x):
            return x + self.b

    return keras.Sequential([keras.Input((8,)), layers.Dense(5, name="head"), Shift(name="shift")])


def penalized():
    return keras.Sequential([keras.Input((8,)), layers.Dense(5, kernel_regularizer=keras.regularizers.L2(0.1))])


def drawn(kernel="glorot_uniform", bias="zeros"):
    dense = layers.Dense(40, kernel_initializer=kernel, bias_initializer=bias, name="head")
    return keras.Sequential([keras.Input((30,)), dense])


def maps():
    return keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(6, 1, name="head")])


def overlap(y, outputs):  # of each class, over all places of all pictures
    chance = keras.ops.sigmoid(outputs)
    return 1 - keras.ops.mean(keras.ops.sum(chance * y, (0, 1, 2)) / (1 + keras.ops.sum(chance + y, (0, 1, 2))))


squares = keras.losses.MeanSquaredError()
words = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
schedules = keras.optimizers.schedules


def sparing():
    optimizer = keras.optimizers.AdamW(1e-2, weight_decay=0.1, epsilon=1e-8)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta"])
    return optimizer


def stepwise():
    return keras.optimizers.SGD(schedules.PiecewiseConstantDecay([20], [0.1, 0.01]))


def cosine():
    return keras.optimizers.SGD(schedules.CosineDecay(0.1, 30))


def clipping():
    return keras.optimizers.SGD(0.1, clipvalue=0.01)


def plain():
    return keras.optimizers.SGD(0.1)
nothing = 3
"""
TORCH = """
import torch
from torch import nn


class Named(nn.Module):
    def __init__(self, frozen=False):
        super().__init__()
        self.of_user, self.of_item, self.head = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(12, 2)
        self.of_item.weight.requires_grad_(not frozen)

    def forward(self, user, item):
        return self.head(torch.cat([self.of_user(user), self.of_item(item)], dim=1))


class Net(nn.Module):
    def __init__(self, width=4, eps=1e-3):
        super().__init__()
        print("a model that talks")
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width, eps=eps, momentum=0.01)
        self.head = nn.Linear(64 * width, 5)

    def forward(self, x):
        x = self.norm(torch.relu(self.conv(x)))
        return self.head(torch.flatten(x, 1))


class Joined(nn.Module):
    def __init__(self, slope=0.0, swapped=False):
        super().__init__()
        self.embedding, self.words = nn.Embedding(9, 12), nn.LSTM(12, 6, batch_first=True, bidirectional=True)
        self.shared, self.inner = nn.Linear(12, 8), nn.Sequential(nn.Linear(8, 6))
        self.score, self.kind = nn.Linear(12, 1), nn.Linear(12, 3)
        self.slope, self.swapped = slope, swapped

    def forward(self, a, b):
        _, (last, _) = self.words(self.embedding(b))
        parts = [self.branch(torch.cat([last[0], last[1]], -1)), self.branch(a)]
        both = torch.cat(parts if self.swapped else parts[::-1], 1)
        return {"kind": self.kind(both), "score": self.score(both)}

    def branch(self, x):
        return torch.tanh(self.inner(nn.functional.leaky_relu(self.shared(x), self.slope)))


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(x) if x[0, 0] > 0 else -self.head(x)


class Straight(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, 5))


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 5)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.head(x) + self.calls


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(x) - 1


def slow(parameters):
    return torch.optim.SGD(parameters, 1e-4)


def decaying(parameters):
    return torch.optim.Adam(parameters, 1e-2, weight_decay=0.1)


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.b = nn.Linear(8, 5), nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.head(x) + self.b


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.score, self.kind = nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        return {"kind": self.kind(x), "score": self.score(x)}


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.rnn, self.head = nn.Embedding(9, 4), nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, ids):
        lengths = (ids != 0).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths, True, enforce_sorted=False)
        steps, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], True, total_length=ids.shape[1])
        inside = (torch.arange(ids.shape[1]) < lengths[:, None]).unsqueeze(-1)
        last = steps[torch.arange(len(ids)), lengths - 1].unsqueeze(1)  # as Keras goes on with the last output
        return self.head(torch.where(inside, steps, last))


class Drawn(nn.Module):
    def __init__(self, how="xavier_uniform_", gain=1.0):
        super().__init__()
        self.head = nn.Linear(30, 40)
        if how != "own":
            getattr(nn.init, how)(self.head.weight, gain)
            nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(x)


def absolute(outputs, target):
    return (outputs - target).abs().mean()


def ignoring(outputs, target):
    return nn.functional.cross_entropy(outputs.flatten(0, 1), target.flatten(), ignore_index=0)


def counting(outputs, target):
    return nn.functional.cross_entropy(outputs.flatten(0, 1), target.flatten())


def weighted(outputs, target, weight):
    return (nn.functional.cross_entropy(outputs, target, reduction="none") * weight).mean()


def unweighted(outputs, target):
    return nn.functional.cross_entropy(outputs, target)


def grouped(model):
    named = list(model.named_parameters())
    groups = [
        {"params": [p for name, p in named if not name.endswith("bias")], "weight_decay": 0.1},
        {"params": [p for name, p in named if name.endswith("bias")], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=1e-2)


def at_once(parameters):
    return torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.1)


def milestones(parameters, late=21):
    optimizer = torch.optim.SGD(parameters, 0.1)
    return optimizer, torch.optim.lr_scheduler.MultiStepLR(optimizer, [late])


def early(parameters):
    return milestones(parameters, 20)


def annealed(parameters):
    optimizer = torch.optim.SGD(parameters, 0.1)
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)


def warmed(parameters):
    optimizer = torch.optim.SGD(parameters, 0.1)
    return optimizer, torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.5, total_iters=400)


def steady(parameters):
    return torch.optim.SGD(parameters, 0.1)


class OfSentences(nn.Module):
    padded = True

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, ids):
        words, kept = self.embedding(ids), (ids != 0).unsqueeze(-1).float()
        means = (words * kept).sum(2) / kept.sum(2) if self.padded else words.mean(2)
        return self.head(means)


class OfAllWords(OfSentences):
    padded = False


class Gained(nn.Module):
    def __init__(self, norm=nn.utils.parametrizations.weight_norm):
        super().__init__()
        self.net = nn.Sequential(*(norm(nn.Conv1d(6, 6, 3, padding=2)) for _ in range(4)))
        self.head = nn.Conv1d(6, 2, 1)

    def forward(self, x):
        for each in self.net:
            x = each(x)[:, :, :-2].relu()
        return self.head(x)


def gained_before():
    return Gained(nn.utils.weight_norm)


class Maps(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(2, 6, 1)

    def forward(self, x):
        return self.head(x)


def overlap(outputs, target, over=(0, 2, 3)):
    chance = outputs.sigmoid()
    return 1 - ((chance * target).sum(over) / (1 + (chance + target).sum(over))).mean()


def overlap_of_rows(outputs, target):
    return overlap(outputs, target, (2, 3))


def of_probabilities(outputs, target):
    return nn.functional.nll_loss(outputs, target)


def broken():
    return 1 / 0


def text():
    return "no model"
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "mine.py").write_text(KERAS)
    (folder / "theirs.py").write_text(TORCH)
    (folder / "wrong.py").write_text("def make(:\n    pass\n")
    return folder


def run(folder, *arguments, keras="mine.py:make", torch_="theirs.py:Net", shape=("--input", "8,8,3")):
    """The command line in a process of its own."""
    command = [*TWIN, "verify", keras, torch_, *shape, "--engine", "torch", *arguments]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env, timeout=300)


@pytest.fixture(scope="module")
def sessions():
    """One worker per side for all the pairs of this file."""
    pool = Pool(Settings())
    yield [pool.start(ENGINES[name], "cpu") for name in ("keras-torch", "torch")]
    pool.close()


@pytest.fixture
def verify(files, sessions):
    """Examine a pair of `files` in the running workers."""

    def examine(keras="mine.py:make", torch_="theirs.py:Net", shape=(8, 8, 3), **options):
        options = {"shapes": [shape], **options}
        request = examination.Request(f"{files}/{keras}", f"{files}/{torch_}", **options)
        return examination.examine(request, *sessions, lambda word: None)

    return examine


def test_equal_models_agree(verify):
    found = verify().to_json()
    assert found["verdict"] == "agree"
    assert found["pairs"] == [{"keras": n, "torch": n} for n in ("conv", "norm", "head")]
    assert set(found["rungs"]) == {"weights", "forward", "training", "statistics", "gradients"}


def test_a_difference_has_cause_evidence_and_fix(files, tmp_path):
    page = tmp_path / "page.html"
    answer = run(files, "--torch-kwargs", '{"eps": 1e-5}', "--json", "-", "--html", str(page))
    found = json.loads(answer.stdout)
    assert answer.returncode == 1
    assert (found["schema"], found["verdict"], found["rung"]) == (1, "differ", "forward")
    assert found["cause"] == "batchnorm_epsilon"
    assert found["layer"] == {"keras": "norm", "torch": "norm"}
    assert found["evidence"]["before"] > 1e-4 > 1e-6 > found["evidence"]["after"]
    assert "eps=0.001" in found["fix"]["torch"]
    assert "batchnorm_epsilon" in page.read_text()


def test_the_answer_in_words_names_layer_values_and_fix(verify):
    text = " ".join(terminal.text(verify(torch_kwargs={"eps": 1e-5})).split())
    assert "norm: first difference (forward, inference mode)" in text
    assert "PyTorch has eps=1e-05, Keras epsilon=0.001" in text
    assert "Fix in PyTorch: torch.nn.BatchNorm2d(4, momentum=0.01, eps=0.001)" in text
    assert "in Keras: keras.layers.BatchNormalization(epsilon=1e-05)" in text


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((6, 8, 8, 3)), y=rng.integers(0, 5, 6))
    return tmp_path / "data.npz"


@pytest.mark.parametrize(
    ("loss", "cause"),
    [
        (("cross_entropy",), None),
        (("mine.py:summed", "cross_entropy"), "loss_reduction"),
        (("mine.py:probabilities", "cross_entropy"), None),
        (("mine.py:probabilities", "theirs.py:of_probabilities"), "cross_entropy_logits"),
    ],
)
def test_losses_on_equal_outputs(verify, files, data, loss, cause):
    verdict = verify(data=data, loss=[f"{files}/{each}" if ":" in each else each for each in loss])
    assert verdict.verdict == ("differ" if cause else "agree")
    assert [finding.cause for finding in verdict.findings] == ([cause] if cause else [])


@pytest.mark.parametrize(
    ("optimizer", "cause"),
    [
        (("sgd",), None),
        (("sgd", "theirs.py:slow"), "learning_rate"),
        (("adam",), "adam_epsilon"),  # 1e-7 and 1e-8, at different places
        (("mine.py:decaying", "theirs.py:decaying"), "adam_weight_decay"),
    ],
)
def test_optimizers_on_equal_gradients(verify, files, optimizer, cause):
    verdict = verify(optimizer=[f"{files}/{each}" if ":" in each else each for each in optimizer])
    assert verdict.verdict == ("differ" if cause else "agree")
    assert [finding.cause for finding in verdict.findings] == ([cause] if cause else [])
    assert all(finding.rung == "optimizer" for finding in verdict.findings)


def named(files, references):
    """References into the files, those of the stock left as they are."""
    return [
        "=".join([*each.split("=")[:-1], f"{files}/{each.split('=')[-1]}"]) if ":" in each else each
        for each in references
    ]


HEADS = ("score=mine.py:squares", "score=theirs.py:absolute", "kind=mine.py:words", "kind=theirs.py:unweighted")


@pytest.mark.parametrize(
    ("loss", "places"),
    [
        (("score=mean_squared_error", "kind=cross_entropy"), []),
        (HEADS, ["loss of score"]),
        (("kind=mine.py:words", "kind=theirs.py:unweighted"), []),
    ],
)
def test_each_output_has_a_loss_of_its_own(verify, files, tmp_path, loss, places):
    rng = np.random.default_rng(0)
    arrays = {"y_score": rng.standard_normal((6, 1)), "y_kind": rng.integers(0, 3, 6)}
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((6, 8)), **arrays)
    options = {"data": tmp_path / "data.npz", "loss": named(files, loss), "shapes": []}
    verdict = verify(keras="mine.py:two_heads", torch_="theirs.py:TwoHeads", **options)
    assert [finding.keras for finding in verdict.findings] == places


def test_an_output_that_is_not_there_is_named(verify, files):
    with pytest.raises(TwinError, match="no output 'rank'; it has kind, score"):
        verify(keras="mine.py:two_heads", torch_="theirs.py:TwoHeads", shape=(8,), loss=["rank=cross_entropy"])


@pytest.mark.parametrize(("loss", "cause"), [("ignoring", None), ("counting", "ignored_labels")])
def test_masked_steps_are_left_out_of_the_loss_as_compile_does(verify, files, tmp_path, loss, cause):
    ids = np.array([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0], [1, 8, 3, 0, 0]])
    np.savez(tmp_path / "data.npz", x=ids, y=np.where(ids > 0, ids % 3, 0) * (ids > 0) + (ids == 0) * 0)
    loss = named(files, ["mine.py:words", f"theirs.py:{loss}"])
    if cause is None:  # a target of zero is a class too, so that only padding may have it
        np.savez(tmp_path / "data.npz", x=ids, y=np.where(ids > 0, 1 + ids % 2, 0))
    options = {"data": tmp_path / "data.npz", "loss": loss, "shapes": []}
    verdict = verify(keras="mine.py:masked", torch_="theirs.py:Masked", **options)
    assert [finding.cause for finding in verdict.findings] == ([cause] if cause else []), verdict.findings


@pytest.mark.parametrize(("theirs", "verdict"), [("OfSentences", "agree"), ("OfAllWords", "differ")])
def test_sentences_of_a_text_end_in_padding_too(verify, theirs, verdict):
    found = verify(keras="mine.py:of_sentences", torch_=f"theirs.py:{theirs}", shape=(3, 6), kinds=["int"])
    assert found.verdict == verdict


@pytest.mark.parametrize("theirs", ["Gained", "gained_before"])
def test_a_gain_is_no_bias_where_both_are_as_long(verify, theirs):
    assert verify(keras="mine.py:gained", torch_=f"theirs.py:{theirs}", shape=(9, 6)).verdict == "agree"


@pytest.mark.parametrize(("loss", "differs"), [("overlap", False), ("overlap_of_rows", True)])
def test_a_loss_of_maps_gets_them_as_each_side_s_model_gives_them(verify, files, tmp_path, loss, differs):
    """As many classes as rows and columns: only what a model gives says which axis is which."""
    rng = np.random.default_rng(0)
    y = rng.random((4, 6, 6, 6)) < np.linspace(0.1, 0.9, 6)
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((4, 6, 6, 2)), y=y.astype(np.float32))
    options = {"data": tmp_path / "data.npz", "loss": named(files, ["mine.py:overlap", f"theirs.py:{loss}"])}
    verdict = verify(keras="mine.py:maps", torch_="theirs.py:Maps", shapes=[], **options)
    assert [finding.rung for finding in verdict.findings] == (["loss"] if differs else []), verdict.findings


@pytest.mark.parametrize("array", [{"sample_weight": np.arange(1.0, 7.0)}, {"class_weight": np.arange(1.0, 6.0)}])
@pytest.mark.parametrize("loss", ["weighted", "unweighted"])
def test_weights_of_samples_and_classes_count(verify, files, tmp_path, loss, array):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((6, 8, 8, 3)), y=rng.integers(0, 5, 6), **array)
    if loss == "weighted" and "class_weight" in array:
        pytest.skip("a weight for each class is part of PyTorch's own loss")
    verdict = verify(data=tmp_path / "data.npz", loss=named(files, ["mine.py:words", f"theirs.py:{loss}"]), shapes=[])
    kind = f"{next(iter(array))}s"
    assert [finding.cause for finding in verdict.findings] == ([kind] if loss == "unweighted" else [])


def test_what_keras_adds_to_the_loss_is_said(verify):
    verdict = verify(keras="mine.py:penalized", torch_="theirs.py:Straight", shape=(8,), loss=["mean_squared_error"])
    assert verdict.verdict == "agree"
    assert any("L2 of dense" in note and "must add the same" in note for note in verdict.notes), verdict.notes


@pytest.mark.parametrize(
    ("keras", "native", "cause"),
    [
        ("sparing", "grouped", None),
        ("sparing", "at_once", "param_groups"),
        ("clipping", "steady", "clipvalue"),
        ("stepwise", "milestones", None),
        ("stepwise", "early", "piecewise_boundary"),
        ("cosine", "annealed", None),
        ("cosine", "warmed", "schedule"),
        ("plain", "steady", None),
        ("plain", "warmed", "schedule"),
    ],
)
def test_groups_clipping_and_schedules(verify, files, keras, native, cause):
    verdict = verify(training=False, optimizer=named(files, [f"mine.py:{keras}", f"theirs.py:{native}"]))
    assert [finding.cause for finding in verdict.findings] == ([cause] if cause else []), verdict.findings


@pytest.mark.parametrize(
    ("keras", "native", "says"),
    [
        ({}, {}, None),
        ({}, {"gain": 2.0}, "spread"),
        ({}, {"how": "xavier_normal_"}, "shape"),
        ({"kernel": "orthogonal"}, {"how": "orthogonal_"}, None),
        ({"kernel": "glorot_normal"}, {"how": "orthogonal_"}, "orthogonal"),
        ({}, {"how": "own"}, "spread"),
        ({"bias": "ones"}, {}, "constants differ"),
    ],
)
def test_fresh_weights_are_compared_by_distribution(verify, keras, native, says):
    found = verify(
        keras="mine.py:drawn", torch_="theirs.py:Drawn", shape=(30,), keras_kwargs=keras, torch_kwargs=native,
        initial=True,
    )  # fmt: skip
    assert (found.verdict, [f.rung for f in found.findings][:1]) == (
        ("differ", ["initial"]) if says else ("agree", [])
    ), found.findings
    assert not says or says in found.findings[0].what


@pytest.fixture(scope="module")
def weights(files):
    """Files of weights, written by either framework."""
    code = """
import torch, mine, theirs
from safetensors.torch import save_file
mine.make().save_weights("keras.weights.h5")
mine.make().save("keras.keras")
state = theirs.Net().state_dict()
state["conv.bias"] += 3
torch.save(state, "torch.pt")
save_file(state, "torch.safetensors")
"""
    aside.run("keras-torch", "-c", code, folder=files)
    return files


@pytest.mark.parametrize("name", ["keras.weights.h5", "keras.keras", "torch.pt", "torch.safetensors"])
def test_weights_come_from_a_file_of_either_side(verify, weights, name):
    assert verify(weights=[str(weights / name)]).verdict == "agree"


def test_weights_of_both_sides_stay_and_are_compared(verify, weights):
    verdict = verify(weights=[str(weights / "keras.weights.h5"), str(weights / "torch.pt")])
    assert verdict.findings[0].rung == "weights"


BAD = {
    "a file that does not parse": ({"keras": "wrong.py:make"}, "SyntaxError", "wrong.py:1"),
    "no such file": ({"keras": "none.py:make"}, "none.py", "file.py:callable"),
    "no such name": ({"keras": "mine.py:mak"}, "did you mean make"),
    "a callable that fails": ({"torch_": "theirs.py:broken"}, "ZeroDivisionError", "theirs.py:"),
    "a callable that returns no model": ({"torch_": "theirs.py:text"}, "returned a str", "torch.nn.Module"),
    "no callable": ({"keras": "mine.py:nothing"}, "is a int"),
    "a shape that does not fit": ({"shape": (8, 8, 4)}, "does not run on inputs (5, 4, 8, 8)", "3 channels"),
    "unknown arguments": ({"keras_kwargs": {"depth": 3}}, "depth"),
    "models of different depth": ({"keras": "mine.py:deeper"}, "do not pair up", "--map"),
    "a layer that is not there": ({"pairs": {"conv": "covn"}}, "no layer 'covn'"),
    "an own loss without targets": ({"loss": ["a.py:f", "b.py:g"]}, "which targets"),
    "no loss": ({"loss": ["hinge"]}, "expected one of cross_entropy"),
    "no weights file": ({"weights": ["none.pt"]}, "none.pt: no such file"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_clear_line(verify, what):
    options, *expected = BAD[what]
    with pytest.raises(TwinError) as error:
        verify(**options)
    assert "\n" not in str(error.value)
    for words in expected:
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("kwargs", "causes"),
    [({}, []), ({"slope": 0.1}, ["wrong_activation"]), ({"swapped": True}, ["operand_order"])],
)
def test_shared_layers_nested_models_and_several_inputs_and_outputs(verify, kwargs, causes):
    shapes = {"shapes": [(12,), (5,)], "kinds": ["float", "int"]}
    verdict = verify(keras="mine.py:joined", torch_="theirs.py:Joined", torch_kwargs=kwargs, **shapes)
    assert [finding.cause for finding in verdict.findings] == causes
    assert verdict.pairs["inner.inside"] == "inner.0"


@pytest.mark.parametrize(("kwargs", "causes"), [({}, []), ({"frozen": True}, ["trainable"])])
def test_inputs_in_a_dictionary_and_an_array_that_one_side_does_not_train(verify, kwargs, causes):
    verdict = verify(keras="mine.py:named", torch_="theirs.py:Named", torch_kwargs=kwargs, shapes=[(4,), (3,)])
    assert [finding.cause for finding in verdict.findings] == causes
    assert all("of_item" in finding.keras for finding in verdict.findings)


def test_control_flow_that_depends_on_the_data_is_said_and_the_ladder_still_runs(verify):
    verdict = verify(keras="mine.py:branching", torch_="theirs.py:Branching", shape=(8,))
    assert verdict.verdict == "agree"
    assert set(verdict.rungs) >= {"weights", "forward", "gradients"}
    assert "control flow depends on the data" in verdict.notes[0]
    assert verify(keras="mine.py:branching", torch_="theirs.py:Flat", shape=(8,)).verdict == "differ"


def test_an_array_without_axes_crosses(verify):
    assert verify(keras="mine.py:shifted", torch_="theirs.py:Shifted", shape=(8,)).verdict == "agree"


def test_a_random_model_is_called_random(verify):
    verdict = verify(keras="mine.py:straight", torch_="theirs.py:Noisy", shape=(8,))
    assert verdict.verdict == "differ"
    assert "the PyTorch model is random in inference mode" in verdict.notes[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"shape": ()}, "--input"),
        ({"shape": ("--input", "8,x")}, "expected a shape"),
        ({"keras": "mine.py"}, "file.py:callable"),
    ],
)
def test_a_wrong_command_ends_with_2_and_one_line(files, options, expected):
    answer = run(files, **options)
    assert answer.returncode == 2
    line, *others = answer.stderr.strip().splitlines()[::-1]
    assert line.startswith("twin: ")
    assert expected in line
    assert all("so far)" in each for each in others)  # progress, where the machine is slow


def test_a_pickle_that_runs_code_is_refused(verify, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"conv.weight": Harmful()}, tmp_path / "harmful.pt")
    with pytest.raises(TwinError, match="can run code"):
        verify(weights=[str(tmp_path / "harmful.pt")])
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_model_name_what_does_not_fit(verify, tmp_path):
    arrays = {"conv.weight": np.zeros((4, 3, 3, 3), np.float32), "extra": np.zeros(3, np.float32)}
    save_file(arrays, tmp_path / "w.safetensors")
    with pytest.raises(TwinError, match=r"only in .*: extra; only in the model: conv.bias"):
        verify(weights=[str(tmp_path / "w.safetensors")])


def test_the_assertion_for_other_test_suites(files):
    code = """
import numpy as np, pytest, twin, mine, theirs
x = np.random.default_rng(0).standard_normal((4, 8, 8, 3))
model, net = mine.make(), theirs.Net()
before = net.conv.weight.detach().clone()
twin.assert_twins(model, net, x)
assert (net.conv.weight == before).all()
with pytest.raises(AssertionError, match="PyTorch has eps=1e-05"):
    twin.assert_twins(model, theirs.Net(eps=1e-5), x)
assert twin.verify(model, theirs.Net(eps=1e-5), x).findings[0].cause == "batchnorm_epsilon"
"""
    aside.run("keras-torch", "-c", code, folder=files)
