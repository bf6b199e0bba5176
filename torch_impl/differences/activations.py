"""Activations: PyTorch's side."""

from torch import nn
from torch.nn import functional as F


def gelu_approximate(x):
    return F.gelu(x)


def gelu_approximate_equal(x):
    return F.gelu(x, approximate="tanh")


def leaky_relu_slope(x):
    return nn.LeakyReLU()(x)


def leaky_relu_slope_equal(x):
    return nn.LeakyReLU(negative_slope=0.3)(x)


def leaky_relu_op_slope(x):
    return F.leaky_relu(x)


def leaky_relu_op_slope_equal(x):
    return F.leaky_relu(x, negative_slope=0.2)


def softmax_axis(x):
    return nn.Softmax()(x)


def softmax_axis_equal(x):
    return nn.Softmax(dim=-1)(x)


def prelu_initial(x):
    return nn.PReLU()(x)


def prelu_initial_equal(x):
    return nn.PReLU(init=0.0)(x)


def prelu_shared(x):
    return nn.PReLU().weight.numel()


def gelu_float64(x):
    return F.gelu(x.double())


def leaky_relu_float64(x):
    return F.leaky_relu(x.double(), negative_slope=0.1)
