"""One call with another choice of those it offers, numbers in each other's place, a reduction that is left out."""

import pytest

from compare.verify.causes.choices import CAUSES, of_choices
from tests.helpers.bodies import OWN, pair_examiner
from twin.trace import Event

KERAS = (
    OWN
    + """

def sampled():
    def body(x, first, head):
        x = first(x)
        picture, at = ops.reshape(x[:, :48], (-1, 4, 4, 3)), ops.tanh(x[:, 48:])
        at = ops.clip((at + 1) / 2 * 3, 0, 3)
        left = ops.clip(ops.floor(at), 0, 2)
        share, places = at - left, ops.arange(4, dtype="float32")
        near = [ops.cast(places == left[:, n:n + 1], "float32") for n in (0, 1)]
        far = [ops.cast(places == left[:, n:n + 1] + 1, "float32") for n in (0, 1)]
        both = [near[n] * (1 - share[:, n:n + 1]) + far[n] * share[:, n:n + 1] for n in (0, 1)]
        return head(ops.sum(picture * both[1][:, :, None, None] * both[0][:, None, :, None], (1, 2)))

    return model((6,), [layers.Dense(50), layers.Dense(3)], body)


def phased():
    def body(x, first, head):
        x = first(x)
        for _ in range(3):
            x = ops.tanh(ops.mod(2 * x - 0.3, 1.5)) - 0.4
        return head(x)

    return model((6,), [layers.Dense(8), layers.Dense(3)], body)


def balanced():
    def body(x, first, head):
        x = first(x)
        chosen = ops.cast(x > 0.1, "float32")
        weights = ops.where(chosen > 0, 0.25, 0.75)
        return head(ops.mean(weights * ops.square(ops.sin(x)), 1))

    return model((5, 6), [layers.Dense(8), layers.Dense(3)], body)


def crossed():
    def body(x, first, head):
        x = first(x)
        low, high, part = x[:, :4], x[:, 4:8], ops.sigmoid(x[:, 8:])
        return head(ops.exp(-low) * part + ops.cos(high) * (1 - part))

    return model((6,), [layers.Dense(12), layers.Dense(3)], body)


def weighed():
    def body(x, first, head):
        x = first(x)
        low, high, part = x[:, :4], x[:, 4:8], ops.sigmoid(x[:, 8:])
        return head(ops.exp(-low) * part + ops.cos(high) * (1 - part))

    return model((6,), [layers.Dense(12), layers.Dense(3)], body)


def read_out():
    def body(x, first, head):
        x = first(x)
        scores = ops.matmul(ops.sigmoid(x), ops.transpose(ops.tanh(x), (0, 2, 1)))
        out = [ops.sum(scores[:, t, : t + 1, None] * x[:, : t + 1] ** 2, 1) for t in range(5)]
        return head(ops.stack(out, 1))

    return model((5, 4), [layers.Dense(6), layers.Dense(3)], body)


def aligned():
    def body(x, first, head):
        x = first(x)
        scores = ops.matmul(x, ops.transpose(ops.tanh(x), (0, 2, 1)))
        here = ops.matmul(ops.softmax(scores, -1), x)
        there = ops.matmul(ops.transpose(ops.softmax(scores, 1), (0, 2, 1)), x * x)
        return head(ops.concatenate([here, there], -1))

    return model((5, 4), [layers.Dense(6), layers.Dense(3)], body)


def joint():
    def body(x, first, head):
        x = first(x)
        return head(ops.exp(-ops.sum((x - 0.3) ** 2, -1, keepdims=True)) * x)

    return model((5,), [layers.Dense(6), layers.Dense(3)], body)


def windowed():
    def body(x, first, head):
        x = first(x)
        window = ops.tile(ops.eye(6)[None] / 3, (3, 1, 1))
        mean = ops.conv(x, window, padding="valid")
        return head(ops.mean(ops.conv(x * x, window, padding="valid") - mean * mean, 1))

    return model((9, 4), [layers.Dense(6), layers.Dense(3)], body)


def averaged():
    def body(x, first, head):
        x = first(x)
        kept = ops.cast(x[..., :1] > 0, "float32")
        return head(ops.sum(x * kept, 1) / ops.maximum(ops.sum(kept, 1), 1.0))

    return model((7, 5), [layers.Dense(6), layers.Dense(3)], body)


def by_heads():
    def body(x, first, head):
        x = ops.reshape(first(x), (-1, 5, 2, 3, 4))
        query, key, value = x[:, :, :, 0], x[:, :, :, 1], x[:, :, :, 2]
        scores = ops.softmax(ops.einsum("bthd,bshd->bhts", query, key) / 2, -1)
        return head(ops.reshape(ops.einsum("bhts,bshd->bthd", scores, value), (-1, 5, 8)))

    return model((5, 4), [layers.Dense(24), layers.Dense(3)], body)


def two_parts():
    def body(x, one, other, head):
        return head(ops.tanh(one(x)) * ops.sigmoid(other(x)) + x)

    return model((6,), [layers.Dense(6), layers.Dense(6), layers.Dense(3)], body)
"""
)
TORCH = """

def sampled(align=True):
    def body(x, first, head):
        x = first(x)
        picture, at = x[:, :48].view(-1, 4, 4, 3).permute(0, 3, 1, 2), x[:, 48:].tanh()[:, None, None]
        return head(F.grid_sample(picture, at, padding_mode="border", align_corners=align)[:, :, 0, 0])

    return Own([nn.Linear(6, 50), nn.Linear(3, 3)], body)


def phased(sign="remainder"):
    def body(x, first, head):
        x = first(x)
        for _ in range(3):
            x = getattr(torch, sign)(2 * x - 0.3, 1.5).tanh() - 0.4
        return head(x)

    return Own([nn.Linear(6, 8), nn.Linear(8, 3)], body)


def balanced(alpha=0.25):
    def body(x, first, head):
        x = first(x)
        chosen = (x > 0.1).float()
        return head(((alpha * chosen + (1 - alpha) * (1 - chosen)) * x.sin() ** 2).mean(1))

    return Own([nn.Linear(6, 8), nn.Linear(8, 3)], body)


def crossed(turned=False):
    def body(x, first, head):
        low, high, part = first(x).split(4, -1)
        part = part.sigmoid()
        one, other = (1 - part, part) if turned else (part, 1 - part)
        return head(torch.exp(-low) * one + torch.cos(high) * other)

    return Own([nn.Linear(6, 12), nn.Linear(4, 3)], body)


def weighed(turned=False):
    def body(x, first, head):
        low, high, part = (3 * first(x)).split(4, -1)
        share = (part / 3).sigmoid()
        one, other = (1 - share, share) if turned else (share, 1 - share)
        return head(torch.exp(-low / 3) * one + torch.cos(high / 3) * other)

    return Own([nn.Linear(6, 12), nn.Linear(4, 3)], body)


def read_out(diagonal=0):
    def body(x, first, head):
        x = first(x)
        return head((x.sigmoid() @ x.tanh().mT).tril(diagonal) @ x**2)

    return Own([nn.Linear(4, 6), nn.Linear(6, 3)], body)


def averaged(all=False):
    def body(x, first, head):
        x = first(x)
        kept = (x[..., :1] > 0).float()
        return head((x * kept).mean(1) if all else (x * kept).sum(1) / kept.sum(1).clamp(min=1))

    return Own([nn.Linear(5, 6), nn.Linear(6, 3)], body)


def by_heads(first_roles=False):
    def body(x, first, head):
        x = first(x)
        if first_roles:
            q, k, v = (part.view(-1, 5, 2, 4).transpose(1, 2) for part in x.chunk(3, -1))
        else:
            q, k, v = x.view(-1, 5, 2, 3, 4).permute(3, 0, 2, 1, 4)
        return head((((q @ k.mT) / 2).softmax(-1) @ v).transpose(1, 2).reshape(-1, 5, 8))

    return Own([nn.Linear(4, 24), nn.Linear(8, 3)], body)


def two_parts(twice=False):
    def body(x, one, other, head):
        return head(one(x).tanh() * (one if twice else other)(x).sigmoid() + x)

    return Own([nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)], body)
"""
SHAPES = {"sampled": (6,), "phased": (6,), "balanced": (5, 6), "crossed": (6,), "read_out": (5, 4),
          "averaged": (7, 5), "by_heads": (5, 4), "two_parts": (6,)}  # fmt: skip
WRONG = {
    "sampled": ("align_corners", {"align": False}),
    "phased": ("remainder_sign", {"sign": "fmod"}),
    "balanced": ("exchanged_numbers", {"alpha": 0.75}),
    "crossed": ("operand_order", {"turned": True}),
    "read_out": ("mask_diagonal", {"diagonal": -1}),
    "aligned": ("softmax_axis", {"dim": 2}),
    "weighed": ("exchanged_values", {"turned": True}),
    "joint": ("missing_sum", {"total": False}),
    "windowed": ("conv_padding", {"padding": 1}),
    "averaged": ("mean_count", {"all": True}),
    "by_heads": ("split_order", {"first_roles": True}),
    "two_parts": ("layer_not_called", {"twice": True}),
}


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    with pair_examiner(tmp_path_factory.mktemp("choices"), KERAS, TORCH, SHAPES) as examine:
        yield examine


@pytest.mark.framework
@pytest.mark.parametrize("name", SHAPES)
def test_a_right_pair_agrees_and_a_wrong_one_has_its_cause(verify, name):
    assert verify(name).verdict == "agree"
    cause, options = WRONG[name]
    found = verify(name, torch_kwargs=options)
    assert (found.verdict, found.findings[0].cause) == ("differ", cause)


@pytest.mark.framework
@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("averaged", {"all": True}, "PyTorch by 7, the number of all values,"),
        ("by_heads", {"first_roles": True}, "Keras takes the channels 0-3, 12-15 (k.py:"),
        ("by_heads", {"first_roles": True}, "PyTorch 0-7 (t.py:"),
        ("two_parts", {"twice": True}, "times, where Keras calls"),
    ],
)
def test_the_words_say_what_each_side_counts_takes_or_calls(verify, name, options, told):
    assert told in verify(name, torch_kwargs=options).findings[0].says


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("sort(dim=1, descending=True)", ["descending=False"]),
        ("topk(k=3, dim=1)", ["largest=True", "largest=False"]),
        ("fmod()", ["torch.remainder", "torch.fmod(other, input)"]),
        ("floor()", ["torch.ceil", "torch.round", "torch.trunc"]),
        ("relu()", []),
    ],
)
def test_a_call_has_every_choice_but_its_own(text, codes):
    name = text.partition("(")[0]
    event = Event(0, "op", {"name": name}, f"torch.{name}", "", "", "", (0,), (1,), text)
    found = list(of_choices(event))
    assert [each.torch.text.partition(" in ")[0] for each in found if each.torch] == codes
    assert {each.cause for each in found} <= CAUSES
