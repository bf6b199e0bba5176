"""Rows that a model cannot take are refused by both sides in the same line, in training and in use."""

import re

import numpy as np
import pytest

from keras_impl import train as keras_train
from torch_impl import train as torch_train
from twin import data
from twin.catalogue import find
from twin.errors import TwinError

SIDES = (keras_train, torch_train)
ROWS = 4


def replaced(name, place, value):
    """A batch with another value at a place of one of its arrays."""

    def change(batch):
        batch[name][place] = value

    return change


def longer(name, count):
    """A batch whose rows of one array, the third above all, are longer by so many steps."""

    def change(batch):
        more = np.ones_like(batch[name], shape=(ROWS, count, *batch[name].shape[2:]))
        more[:2] = 0
        batch[name] = np.concatenate([batch[name], more], axis=1)

    return change


def cut(name, sides):
    """A batch with smaller pictures."""

    def change(batch):
        batch[name] = batch[name][(slice(None), *map(slice, sides))]

    return change


def filled(name, row, values):
    """A batch with other targets, and room for them."""

    def change(batch):
        wider = np.zeros((ROWS, max(len(values), batch[name].shape[1])), batch[name].dtype)
        wider[:, : batch[name].shape[1]] = batch[name]
        wider[row] = 0
        wider[row, : len(values)] = values
        batch[name] = wider

    return change


IN_USE = [
    ("transformer", replaced("source", (2, 0), 68), "source, row 2 has token 68 at place 0; tokens are from 0 to 67"),
    ("transformer", replaced("target", (1, 3), -1), "target, row 1 has token -1 at place 3; tokens are from 0 to 67"),
    ("transformer", replaced("source", 3, 0), "source, row 3 is nothing but padding; leave it out"),
    ("transformer", longer("source", 1), "source, row 2 has 8 tokens; the model was built for 7: cut the rows there"),
    ("transformer", longer("target", 2), "target, row 2 has 11 tokens; the model was built for 9: cut the rows there"),
    ("image_caption", replaced("tokens", (1, 2), 21), "tokens, row 1 has token 21 at place 2; tokens are from 0 to 20"),
    ("image_caption", replaced("tokens", 0, 0), "tokens, row 0 is nothing but padding; leave it out"),
    ("image_caption", cut("image", (16, 24)), "image has rows of shape (16, 24, 1); the model was built for"),
    ("crnn", cut("x", (32, 60)), "x has rows of shape (32, 60, 1); the model was built for image_shape=(32, 64, 1)"),
    ("lip_reading", cut("x", (20,)), "x has rows of shape (20, 16, 24, 1); the model was built for clip_shape=(24, 16"),
    ("conv3d", cut("x", (8, 18, 18)), "x has rows of shape (8, 18, 18, 1); the model was built for clip_shape=(8, 20,"),
    ("video_vit", cut("x", (6,)), "x has rows of shape (6, 20, 20, 1); the model was built for clip_shape=(8, 20, 20,"),
    ("gru", longer("x", 2), "x has rows of shape (31, 12); the model was built for window_shape=(29, 12)"),
]
IN_TRAINING = [
    ("transformer", replaced("y", (2, 1), 99), "y, row 2 has token 99 at place 1; tokens are from 0 to 67"),
    ("image_caption", replaced("y", 1, 0), "y, row 1 is nothing but padding; leave it out"),
    ("crnn", replaced("y", (0, 1), 11), "y, row 0 has token 11 at place 1; tokens are from 0 to 10"),
    ("crnn", replaced("y", 3, 0), "y, row 3 is nothing but padding; leave it out"),
    (
        "crnn",
        filled("y", 2, [5] * 9),
        "y, row 2 has 9 labels, 8 of them like the one before, which takes CTC 17 steps; there are 15",
    ),
    (
        "lip_reading",
        filled("y", 1, [*range(1, 26)]),
        "y, row 1 has 25 labels, 0 of them like the one before, which takes CTC 25 steps; there are 24",
    ),
]


@pytest.fixture(scope="module")
def started():
    """Both sides' runs of a twin, made when it is first asked for."""
    runs = {}

    def of(name):
        if name not in runs:
            runs[name] = [side.build(find(name), dict(find(name).small.arguments)) for side in SIDES]
            for side, run in zip(SIDES, runs[name], strict=True):
                side.prepare(run, steps=1)
        return zip(SIDES, runs[name], strict=True)

    return of


def refused(call, name, change, says):
    """The line with which a call refuses the twin's own first rows once they are changed."""
    part = data.load(find(name).data, find(name).data_options).test
    batch = {key: array[:ROWS].copy() for key, array in part.items()}
    change(batch)
    with pytest.raises(TwinError, match="^" + re.escape(f"{name}: {says}")) as error:
        call(batch)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.framework
@pytest.mark.parametrize(("name", "change", "says"), IN_USE, ids=[f"{name}-{says[:40]}" for name, _, says in IN_USE])
def test_inputs_are_refused_alike_in_training_and_in_use(started, name, change, says):
    texts = set()
    for side, run in started(name):
        texts.add(refused(lambda batch, side=side, run=run: side.predict(run, batch), name, change, says))
        fit = lambda batch, side=side, run=run: side.fit(run, batch, [np.arange(ROWS)], lambda *_: None)
        texts.add(refused(fit, name, change, says))
    assert len(texts) == 1


@pytest.mark.framework
@pytest.mark.parametrize(
    ("name", "change", "says"), IN_TRAINING, ids=[f"{name}-{says[:40]}" for name, _, says in IN_TRAINING]
)
def test_targets_are_refused_alike(started, name, change, says):
    texts = set()
    for side, run in started(name):
        fit = lambda batch, side=side, run=run: side.fit(run, batch, [np.arange(ROWS)], lambda *_: None)
        texts.add(refused(fit, name, change, says))
    assert len(texts) == 1
