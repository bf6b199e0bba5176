"""Lines that run several times, reshapes, functions of values and constants, and batches: each told as such."""

import pytest

from tests.helpers.bodies import OWN, pair_examiner

KERAS = (
    OWN
    + """

def crossed():
    def body(x, start, one, other, head):
        first = x = start(x)
        for layer in (one, other):
            x = first * layer(x) + x
        return head(x)

    return model((6,), [layers.Dense(6), layers.Dense(6), layers.Dense(6), layers.Dense(3)], body)


def stepped():
    def body(x, into, head):
        rows, state = into(x), 0.0
        for step in range(5):
            state = 0.6 * state + ops.tanh(rows[:, step, :4])
            gate = ops.sigmoid(rows[:, step, 4:] + 2.0 * state)
        return head(gate * state)

    return model((5, 4), [layers.Dense(8), layers.Dense(3)], body)


def placed():
    def body(x, first, head):
        x = ops.reshape(first(x), (-1, 9, 4))
        return head(ops.softmax(x, 1) * x)

    return model((3, 3, 2), [layers.Conv2D(4, 1), layers.Dense(3)], body)


def weighted():
    def body(x, first, head):
        x = first(x)
        share = ops.where(x > 0, 0.8, 0.2)
        return head(ops.sum(share * ops.square(x - 0.5), 1))

    return model((5, 4), [layers.Dense(6), layers.Dense(3)], body)


def standard():
    scale = layers.Normalization(mean=[0.1, 0.2, 0.3, 0.4, 0.5], variance=[4.0, 3.0, 2.0, 0.5, 0.25])
    return keras.Sequential([keras.Input((5,)), scale, layers.Dense(6, activation="tanh"), layers.Dense(3)])


def two_views():
    class Views(Own):
        def call(self, x, training=None):
            first, norm, head = self.parts
            both = ops.concatenate([x[:, 0], x[:, 1]], 0)
            both = head(ops.relu(norm(first(both), training=training)))
            return ops.concatenate(ops.split(both, 2), -1)

    inputs = keras.Input((2, 6))
    norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    return keras.Model(inputs, Views([layers.Dense(5), norm, layers.Dense(3)], None)(inputs))
"""
)
TORCH = """

def crossed(current=False):
    def body(x, start, one, other, head):
        first = x = start(x)
        for layer in (one, other):
            x = (x if current else first) * layer(x) + x
        return head(x)

    return Own([nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)], body)


def stepped(old=False):
    def body(x, into, head):
        rows = into(x)
        state = torch.zeros_like(rows[:, 0, :4])
        for step in range(5):
            new = 0.6 * state + rows[:, step, :4].tanh()
            gate = torch.sigmoid(rows[:, step, 4:] + 2.0 * (state if old else new))
            state = new
        return head(gate * state)

    return Own([nn.Linear(4, 8), nn.Linear(4, 3)], body)


def placed(permute=True):
    def body(x, first, head):
        x = first(x)
        x = (x.permute(0, 2, 3, 1) if permute else x).reshape(-1, 9, 4)
        return head(x.softmax(1) * x)

    return Own([nn.Conv2d(2, 4, 1), nn.Linear(4, 3)], body)


def weighted(turned=False):
    def body(x, first, head):
        x = first(x)
        share = torch.abs((0.8 if turned else 0.2) - (x > 0).float())
        return head((share * (x - 0.5) ** 2).sum(1))

    return Own([nn.Linear(4, 6), nn.Linear(6, 3)], body)


class Scale(nn.Module):
    def __init__(self, root):
        super().__init__()
        self.root = root
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]), persistent=False)
        self.register_buffer("var", torch.tensor([4.0, 3.0, 2.0, 0.5, 0.25]), persistent=False)

    def forward(self, x):
        return (x - self.mean) / (self.var.sqrt() if self.root else self.var)


def standard(root=True):
    def body(x, scale, first, head):
        return head(first(scale(x)).tanh())

    return Own([Scale(root), nn.Linear(5, 6), nn.Linear(6, 3)], body)


def two_views(apart=False):
    def body(x, first, norm, head):
        if apart:
            return torch.cat([head(norm(first(x[:, n])).relu()) for n in (0, 1)], -1)
        return torch.cat(head(norm(first(torch.cat([x[:, 0], x[:, 1]]))).relu()).chunk(2), -1)

    return Own([nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)], body)
"""
SHAPES = {
    "crossed": (6,), "stepped": (5, 4), "placed": (3, 3, 2), "weighted": (5, 4), "standard": (5,), "two_views": (2, 6)
}  # fmt: skip
WRONG = {
    "crossed": ("input_wiring", {"current": True}, "takes what is there parts.0"),
    "stepped": ("input_wiring", {"old": True}, "of the run before; with that of the same run"),
    "placed": ("arrangement_order", {"permute": False}, "what permute(0, 2, 3, 1) before it gives"),
    "weighted": ("missing_one_minus", {"turned": True}, "is 1 - what abs()"),
    "standard": ("missing_sqrt", {"root": False}, "the square root of the constant in"),
    "two_views": ("joint_batch", {"apart": True}, "rows, PyTorch parts.1 on"),
}


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    with pair_examiner(tmp_path_factory.mktemp("loops"), KERAS, TORCH, SHAPES) as examine:
        yield examine


@pytest.mark.framework
@pytest.mark.parametrize("name", SHAPES)
def test_a_right_pair_agrees_and_a_wrong_one_has_its_cause(verify, name):
    assert verify(name).verdict == "agree"
    cause, options, words = WRONG[name]
    found = verify(name, torch_kwargs=options)
    assert (found.verdict, found.findings[0].cause) == ("differ", cause)
    assert words in found.findings[0].says
