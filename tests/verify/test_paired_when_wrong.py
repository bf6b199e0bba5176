"""A wrong port is paired as the right one is: where no pairing agrees, structure alone says whose partner each is."""

import pytest

from tests.helpers.bodies import examiner

KERAS = """
import keras
from keras import layers, ops


def attention():
    x = inputs = keras.Input((5, 16))
    for n in range(2):
        y = layers.LayerNormalization(epsilon=1e-5, name=f"norm_{n}a")(x)
        x = x + layers.MultiHeadAttention(4, 4, name=f"attention_{n}")(y, y)
        y = layers.LayerNormalization(epsilon=1e-5, name=f"norm_{n}b")(x)
        x = x + layers.Dense(16, name=f"out_{n}")(layers.Dense(24, activation="relu", name=f"in_{n}")(y))
    return keras.Model(inputs, layers.Dense(3, name="head")(ops.mean(x, 1)))


def bottleneck():
    def norm(name):
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)

    # PyTorch's gradient of a strided 1x1 convolution writes beyond its array on a CPU where channels come last, as
    # Keras has them, and are fewer than a register of the processor holds, 8 or 16: uxlfoundation/oneDNN issue 6035.
    x = inputs = keras.Input((8, 8, 16))
    for n, stride in enumerate((1, 2)):
        short = norm(f"b{n}_0_bn")(layers.Conv2D(24, 1, stride, name=f"b{n}_0_conv")(x))
        y = ops.relu(norm(f"b{n}_1_bn")(layers.Conv2D(16, 1, stride, name=f"b{n}_1_conv")(x)))
        y = ops.relu(norm(f"b{n}_2_bn")(layers.Conv2D(16, 3, padding="same", name=f"b{n}_2_conv")(y)))
        x = ops.relu(short + norm(f"b{n}_3_bn")(layers.Conv2D(24, 1, name=f"b{n}_3_conv")(y)))
        x = layers.Conv2D(16, 1, name=f"b{n}_less")(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(ops.mean(x, (1, 2))))


class Scaled(layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), name="bias")

    def call(self, x):
        return ops.matmul(x, self.kernel * 0.5) + self.bias


def faded():
    inputs = keras.Input((7,))
    x = ops.tanh(Scaled(9, name="first")(inputs))
    y = ops.tanh(Scaled(9, name="square")(x))
    y = ops.tanh(Scaled(5, name="second")(y))
    new, old = Scaled(4, name="to_new")(y), Scaled(4, name="to_old")(x)
    return keras.Model(inputs, 0.3 * new + 0.7 * old)


def gated():
    inputs = keras.Input((7,))
    experts = [layers.Dense(4, activation="tanh", name=f"expert_{n}")(inputs) for n in range(3)]
    out = []
    for task in ("first", "second"):
        gate = layers.Dense(3, activation="softmax", use_bias=False, name=f"gate_{task}")(inputs)
        mixed = sum(gate[:, n : n + 1] * expert for n, expert in enumerate(experts))
        out.append(layers.Dense(2, name=task)(mixed))
    return keras.Model(inputs, out)
"""
TORCH = """

class Block(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.proj = nn.Linear(16, 48), nn.Linear(16, 16)
        self.mlp = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 16))

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, 4, 4)).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-2, -1) * self.scale).softmax(-1)
        x = x + self.proj((scores @ v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class attention(nn.Module):
    def __init__(self, scale=0.5):
        super().__init__()
        self.blocks, self.head = nn.Sequential(Block(scale), Block(scale)), nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.blocks(x).mean(1))


class Bottleneck(nn.Module):
    def __init__(self, strides, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(16, 16, 1, strides[0]), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = nn.Conv2d(16, 16, 3, strides[1], 1), nn.BatchNorm2d(16)
        self.conv3, self.bn3 = nn.Conv2d(16, 24, 1), nn.BatchNorm2d(24)
        self.downsample = nn.Sequential(nn.Conv2d(16, 24, 1, stride), nn.BatchNorm2d(24))
        self.less = nn.Conv2d(24, 16, 1)

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return self.less(F.relu(self.bn3(self.conv3(y)) + self.downsample(x)))


class bottleneck(nn.Module):
    def __init__(self, strides=(2, 1)):
        super().__init__()
        self.layers = nn.Sequential(Bottleneck((1, 1), 1), Bottleneck(strides, 2))
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.layers(x).mean((2, 3)))


class Scaled(nn.Module):
    def __init__(self, entering, units):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(units))
        self.weight = nn.Parameter(torch.randn(units, entering))

    def forward(self, x):
        return x @ (self.weight * 0.5).T + self.bias


class faded(nn.Module):
    def __init__(self, share=0.3):
        super().__init__()
        self.first, self.square, self.second = Scaled(7, 9), Scaled(9, 9), Scaled(9, 5)
        self.rgb_old, self.rgb_new = Scaled(9, 4), Scaled(5, 4)
        self.share = share

    def forward(self, x):
        x = self.first(x).tanh()
        old = self.rgb_old(x)
        return torch.lerp(old, self.rgb_new(self.second(self.square(x).tanh()).tanh()), self.share)


class gated(nn.Module):
    def __init__(self, own=True):
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(7, 4) for _ in range(3))
        self.gates = nn.ModuleList(nn.Linear(7, 3, bias=False) for _ in range(2))
        self.heads = nn.ModuleList(nn.Linear(4, 2) for _ in range(2))
        self.own = own

    def forward(self, x):
        experts = torch.stack([expert(x).tanh() for expert in self.experts], 1)
        gates = [self.gates[n if self.own else 0](x).softmax(-1) for n in range(2)]
        return [head((gate[:, None] @ experts).squeeze(1)) for head, gate in zip(self.heads, gates)]
"""
CASES = {
    "attention": ((5, 16), {"scale": 0.25}, "attention_scale"),
    "bottleneck": ((8, 8, 16), {"strides": [1, 2]}, "stride"),
    "faded": ((7,), {"share": 0.7}, "operand_order"),
    "gated": ((7,), {"own": False}, "layer_not_called"),
}


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    with examiner(tmp_path_factory.mktemp("wrong"), KERAS, TORCH) as examine:
        yield lambda name, **options: examine(name, name, (CASES[name][0],), kinds=["float"], **options)


@pytest.mark.framework
@pytest.mark.parametrize("name", CASES)
def test_a_wrong_port_is_paired_so_that_its_cause_is_found(verify, name):
    _, options, cause = CASES[name]
    right, wrong = verify(name), verify(name, torch_kwargs=options)
    assert right.verdict == "agree"
    if name != "gated":  # of two layers of which one is never called, no structure tells whose partner it is
        assert dict(wrong.pairs) == dict(right.pairs)
    assert wrong.findings[0].cause == cause
