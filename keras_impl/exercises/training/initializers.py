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

import keras
import numpy as np
from keras import layers, ops

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
    weights["zeros"] = ops.zeros_like(normal)
    weights["ones"] = ops.ones_like(normal)
    weights["constant"] = 0.1 * ops.ones_like(normal)
    weights["keras_default"] = spread(uniform, math.sqrt(3 * variances["glorot"]))
    weights["torch_default"] = spread(uniform, 1 / math.sqrt(fan_in))
    return weights | {
        "fans": ops.convert_to_tensor([fan_in, fan_out], dtype="int32"),
        "explained": ops.convert_to_tensor(explained(*normal.shape), dtype="int32"),
    }


def kernel(draw):
    """(3 * 3 * C, filters) to the kernel of a 3x3 convolution, in the framework's own order of axes."""
    rows, filters = draw.shape
    return ops.reshape(draw, (3, 3, rows // 9, filters))


def fans(weights):
    """How many numbers a neuron sees, and how many neurons see a number."""
    height, width, channels, filters = weights.shape  # differs: Keras keeps filters last
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
    return math.sqrt(2) * ops.erfinv(inside * (2 * draw - 1))


def orthogonal(draw):
    """A normal draw (rows, columns), no fewer rows than columns, to columns of length 1 at right angles."""
    q, r = ops.qr(draw)
    return q * ops.sign(ops.diag(r))  # the signs of a QR are arbitrary; with these every rotation is equally likely


def explained(fan_in, fan_out):
    """Whether the framework's own initializers of a dense layer do to their own draw what is written above.

    He normal, He uniform, Glorot normal, Glorot uniform, orthogonal; the weights and the bias of an untouched layer.
    """
    shape = (fan_in, fan_out)  # differs: Keras keeps outputs last
    own = keras.initializers
    normal = keras.random.normal(shape, seed=SEED)
    cut = keras.random.truncated_normal(shape, seed=SEED) / CUT  # differs: what Keras calls normal is truncated
    uniform = keras.random.uniform(shape, seed=SEED)
    mean_fan = (fan_in + fan_out) / 2

    layer = layers.Dense(fan_out)
    layer.build((None, fan_in))  # differs: Keras creates its weights when it first sees a shape
    layer_uniform = keras.random.uniform(shape, seed=layer.kernel_initializer.seed)

    pairs = [
        (own.HeNormal(seed=SEED)(shape), scaled(cut, 2 / fan_in)),
        (own.HeUniform(seed=SEED)(shape), spread(uniform, math.sqrt(3 * 2 / fan_in))),
        (own.GlorotNormal(seed=SEED)(shape), scaled(cut, 1 / mean_fan)),
        (own.GlorotUniform(seed=SEED)(shape), spread(uniform, math.sqrt(3 / mean_fan))),
        (own.Orthogonal(seed=SEED)(shape), orthogonal(normal)),
        (layer.kernel, spread(layer_uniform, math.sqrt(3 / mean_fan))),
        (layer.bias, ops.zeros(fan_out)),
    ]
    return [np.allclose(*map(ops.convert_to_numpy, pair), rtol=0, atol=1e-5) for pair in pairs]
