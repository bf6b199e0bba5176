"""Activations: Keras's side."""

import keras
from keras import layers, ops


def gelu_approximate(x):
    return ops.gelu(x)


def gelu_approximate_equal(x):
    return ops.gelu(x, approximate=False)


def leaky_relu_slope(x):
    return layers.LeakyReLU()(x)


def leaky_relu_slope_equal(x):
    return layers.LeakyReLU(negative_slope=0.01)(x)


def leaky_relu_op_slope(x):
    return ops.leaky_relu(x)


def leaky_relu_op_slope_equal(x):
    return ops.leaky_relu(x, negative_slope=0.01)


def softmax_axis(x):
    return layers.Softmax()(x)


def softmax_axis_equal(x):
    return layers.Softmax(axis=0)(x)


def prelu_initial(x):
    return layers.PReLU()(x)


def prelu_initial_equal(x):
    return layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25))(x)


def prelu_shared(x):
    layer = layers.PReLU()
    layer.build(x.shape)
    return layer.count_params()


def prelu_shared_equal(x):
    layer = layers.PReLU(shared_axes=(1, 2, 3))
    layer.build(x.shape)
    return layer.count_params()


def gelu_float64(x):
    return ops.gelu(ops.cast(x, "float64"), approximate=False)


def gelu_float64_equal(x):
    x = ops.cast(x, "float64")
    return x * (1 + ops.erf(x / 2**0.5)) / 2


def leaky_relu_float64(x):
    return ops.leaky_relu(ops.cast(x, "float64"), negative_slope=0.1)


def leaky_relu_float64_equal(x):
    x = ops.cast(x, "float64")
    return ops.where(x > 0, x, 0.1 * x)
