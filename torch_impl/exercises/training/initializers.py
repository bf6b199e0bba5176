"""Initial weights: how large the first random numbers are, so that signals neither die nor explode on their way.

A layer multiplies the variance of what enters it by fan-in times the variance of its weights. He, Zhang, Ren and
Sun, "Delving deep into rectifiers" (2015), section 2.2, keep it with 2 / fan-in, since ReLU cuts off half; LeCun,
Bottou, Orr and Müller, "Efficient backprop" (1998), section 4.6, with 1 / fan-in; Glorot and Bengio, "Understanding
the difficulty of training deep feedforward neural networks" (2010), section 4.2, think of the way back too: 2 /
(fan-in + fan-out). Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
linear neural networks" (2014), take an orthogonal matrix, which changes no length.

Each is written out as what it does to a standard draw, so that the same draw gives the same weights in both
frameworks; `explained` says that the framework's own initializer does the same to its own draw. The names agree, the
weights do not: Keras's he_normal cuts its draw off at two standard deviations and stretches the rest, PyTorch's
kaiming_normal_ does not; left alone, a Keras layer starts with Glorot's uniform weights and zero biases, a PyTorch
layer with uniform weights and biases up to 1 / sqrt(fan-in).

Slides: deck D, the He initialization of the deep network.
"""

import math

import torch
from torch import nn

CUT = 0.87962566103423978  # standard deviation of a standard normal draw without what lies beyond 2
SEED = 7


def run(normal, uniform):
    """Standard draws (3 * 3 * C, filters) to the weights of a 3x3 kernel by each initializer, in the same shape."""
    fan_in, fan_out = fans(kernel(normal))
    variances = {"he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out), "lecun": 1 / fan_in}
    weights = {}
    for name, variance in variances.items():
        weights[f"{name}_normal"] = scaled(normal, variance)
        weights[f"{name}_truncated"] = scaled(truncated(uniform) / CUT, variance)
        weights[f"{name}_uniform"] = spread(uniform, math.sqrt(3 * variance))
    weights["orthogonal"] = orthogonal(normal)
    weights["zeros"] = torch.zeros_like(normal)
    weights["ones"] = torch.ones_like(normal)
    weights["constant"] = 0.1 * torch.ones_like(normal)
    weights["keras_default"] = spread(uniform, math.sqrt(3 * variances["glorot"]))
    weights["torch_default"] = spread(uniform, 1 / math.sqrt(fan_in))
    return weights | {
        "fans": torch.tensor([fan_in, fan_out]),
        "explained": torch.tensor(explained(*normal.shape), dtype=torch.int32),
    }


def kernel(draw):
    """(3 * 3 * C, filters) to the kernel of a 3x3 convolution, in the framework's own order of axes."""
    rows, filters = draw.shape
    return torch.reshape(draw, (3, 3, rows // 9, filters)).permute(3, 2, 0, 1)


def fans(weights):
    """How many numbers a neuron sees, and how many neurons see a number."""
    filters, channels, height, width = weights.shape  # differs: torch keeps filters first
    return height * width * channels, height * width * filters


def scaled(draw, variance):
    """A draw of variance 1 to one of that variance."""
    return math.sqrt(variance) * draw


def spread(draw, limit):
    """A draw from [0, 1) to one from [-limit, limit)."""
    return limit * (2 * draw - 1)


def truncated(draw):
    """A draw from [0, 1) to a standard normal one without what lies beyond 2, by the inverse of its distribution."""
    inside = math.erf(2 / math.sqrt(2))  # the share of a normal draw that lies within 2
    return math.sqrt(2) * torch.erfinv(inside * (2 * draw - 1))


def orthogonal(draw):
    """A normal draw (rows, columns), no fewer rows than columns, to columns of length 1 at right angles."""
    q, r = torch.linalg.qr(draw)
    return q * torch.sign(torch.diag(r))  # the signs of a QR are arbitrary; with these every rotation is equally likely


def explained(fan_in, fan_out):
    """Whether the framework's own initializers of a dense layer do to their own draw what is written above.

    He normal, He uniform, Glorot normal, Glorot uniform, orthogonal; the weights and the bias of an untouched layer.
    """
    shape = (fan_out, fan_in)  # differs: torch keeps outputs first
    own = nn.init
    # differs: torch's generators move on; a fresh one begins again
    seeded = lambda: torch.Generator().manual_seed(SEED)
    normal = torch.randn(shape, generator=seeded())
    uniform = torch.rand(shape, generator=seeded())
    mean_fan = (fan_in + fan_out) / 2

    torch.manual_seed(SEED)  # differs: torch's layers draw from the global generator
    layer = nn.Linear(fan_in, fan_out)
    torch.manual_seed(SEED)  # differs: torch's layers draw from the global generator
    layer_uniform, bias_uniform = torch.rand(shape), torch.rand(fan_out)

    pairs = [
        (own.kaiming_normal_(torch.empty(shape), generator=seeded()), scaled(normal, 2 / fan_in)),
        (own.kaiming_uniform_(torch.empty(shape), generator=seeded()), spread(uniform, math.sqrt(3 * 2 / fan_in))),
        (own.xavier_normal_(torch.empty(shape), generator=seeded()), scaled(normal, 1 / mean_fan)),
        (own.xavier_uniform_(torch.empty(shape), generator=seeded()), spread(uniform, math.sqrt(3 / mean_fan))),
        (own.orthogonal_(torch.empty(shape), generator=seeded()), orthogonal(normal.T).T),
        (layer.weight, spread(layer_uniform, 1 / math.sqrt(fan_in))),
        (layer.bias, spread(bias_uniform, 1 / math.sqrt(fan_in))),
    ]
    return [torch.allclose(mine, written, rtol=0, atol=1e-5) for mine, written in pairs]
