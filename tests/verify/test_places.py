"""What stands at another place: indices that begin elsewhere, windows, rolls, kernels made by a layer, norms."""

import numpy as np
import pytest

from compare.verify.causes.entering import _law, _part
from tests.helpers.bodies import OWN, pair_examiner

KERAS = (
    OWN
    + """

def positions():
    parts = [layers.Embedding(20, 8), layers.Embedding(12, 8), layers.Dense(3)]
    return model((6,), parts, lambda x, ids, places, head: head(ids(x) + places(0 * x + ops.arange(6) + 2)), "int32")


def windows():
    def body(x, first, head):
        x = first(x)
        padded = ops.pad(x, ((0, 0), (2, 2), (0, 0)))
        weights = ops.softmax(ops.stack([ops.sum(padded[:, n : n + 8] * x, -1) for n in range(5)], -1), -1)
        return head(sum(weights[..., n : n + 1] * padded[:, n : n + 8] for n in range(5)))

    return model((8, 4), [layers.Dense(6), layers.Dense(3)], body)


def rolled():
    def body(x, first, head):
        x = first(x)
        y = ops.reshape(ops.roll(x, -1, 1), (-1, 4, 6))
        y = ops.matmul(ops.softmax(ops.matmul(y, ops.transpose(y, (0, 2, 1)))), y)
        return head(x + ops.roll(ops.reshape(y, (-1, 8, 6)), 1, 1))

    return model((8, 4), [layers.Dense(6), layers.Dense(3)], body)


def generated():
    def body(x, first, kernel, head):
        x = first(x)
        made = ops.reshape(kernel(ops.ones((1, 2))), (3, 3, 4, 4))
        return head(ops.mean(ops.conv(x, made, padding="same"), (1, 2)))

    return model((6, 6, 2), [layers.Conv2D(4, 1), layers.Dense(144), layers.Dense(3)], body)


def joined():
    def body(x, token, norm, head):
        return head(ops.mean(ops.tanh(norm(ops.concatenate([token(x[:, :1]), x], 1))), 1))

    return model((5, 8), [layers.Dense(8), layers.LayerNormalization(epsilon=1e-5), layers.Dense(3)], body)
"""
)
TORCH = """

def positions(start=2):
    parts = [nn.Embedding(20, 8), nn.Embedding(12, 8), nn.Linear(8, 3)]
    return Own(parts, lambda x, ids, places, head: head(ids(x) + places(torch.arange(6) + start)))


def windows(pads=(2, 2)):
    def body(x, first, head):
        x = first(x)
        near = F.pad(x, (0, 0, *pads)).unfold(1, 5, 1)
        weights = (near * x[..., None]).sum(2).softmax(-1)
        return head((weights[:, :, None] * near).sum(-1))

    return Own([nn.Linear(4, 6), nn.Linear(6, 3)], body)


def rolled(back=1):
    def body(x, first, head):
        x = first(x)
        y = x.roll(-1, 1).reshape(-1, 4, 6)
        y = (y @ y.transpose(1, 2)).softmax(-1) @ y
        return head(x + y.reshape(-1, 8, 6).roll(back, 1))

    return Own([nn.Linear(4, 6), nn.Linear(6, 3)], body)


def generated(order=(3, 2, 0, 1)):
    def body(x, first, kernel, head):
        made = kernel(torch.ones(1, 2)).view(3, 3, 4, 4).permute(order)
        return head(F.conv2d(first(x), made, padding=1).mean((2, 3)))

    return Own([nn.Conv2d(2, 4, 1), nn.Linear(2, 144), nn.Linear(4, 3)], body)


def joined(before=True):
    def body(x, token, norm, head):
        token = token(x[:, :1])
        x = norm(torch.cat([token, x], 1)) if before else torch.cat([token, norm(x)], 1)
        return head(x.tanh().mean(1))

    return Own([nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3)], body)
"""
SHAPES = {"positions": (6,), "windows": (8, 4), "rolled": (8, 4), "generated": (6, 6, 2), "joined": (5, 8)}
WRONG = {
    "positions": ("index_offset", {"start": 1}),
    "windows": ("padding", {"pads": [4, 0]}),
    "rolled": ("roll_direction", {"back": -1}),
    "generated": ("kernel_transposed", {"order": [2, 3, 0, 1]}),
    "joined": ("norm_before_join", {"before": False}),
}


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    with pair_examiner(tmp_path_factory.mktemp("places"), KERAS, TORCH, SHAPES, ["positions"]) as examine:
        yield examine


@pytest.mark.framework
@pytest.mark.parametrize("name", SHAPES)
def test_a_right_pair_agrees_and_a_wrong_one_has_its_cause(verify, name):
    assert verify(name).verdict == "agree"
    cause, options = WRONG[name]
    found = verify(name, torch_kwargs=options)
    assert (found.verdict, found.findings[0].cause) == ("differ", cause)


PLACES = np.arange(6) + np.zeros((4, 1), int)


@pytest.mark.parametrize(
    ("torch", "cause", "words"),
    [
        (PLACES - 1, "index_offset", "+1"),
        (np.where(PLACES == 0, 0, PLACES - 1), "index_offset", "+1, at 20 of 24 places"),
        (5 - PLACES, "index_direction", "5 less PyTorch's"),
        (np.minimum(PLACES, 3), "index_limit", "PyTorch's indices are Keras's cut at 3"),
        (np.maximum(PLACES, 2), "index_limit", "cut at 2"),
        (np.roll(PLACES, 1, 1), "index_offset", "1 place"),
    ],
)
def test_indices_by_one_law(torch, cause, words):
    found = _law(PLACES, torch)
    assert found is not None
    assert found[0] == cause
    assert words in found[1]


def test_indices_without_a_law_have_none():
    assert _law(PLACES, np.array([[3, 1, 4, 1, 5, 9]] * 4)) is None


def test_a_part_is_found_at_either_end():
    whole = np.random.default_rng(0).standard_normal((2, 7, 3))
    assert _part(whole, whole[:, 1:]) == (1, (7, 6), "last")
    assert _part(whole[:, :5], whole) == (1, (5, 7), "first")
    assert _part(whole, whole[:, 1:4]) is None
