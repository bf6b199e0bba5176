"""Convolution, pooling, and the order in which maps become vectors: Keras's side."""

import keras
from keras import layers, ops

from keras_impl.backend import value_and_gradients
from keras_impl.differences import with_weights


def same_padding_stride(x, kernel):
    return ops.conv(x, kernel, strides=2, padding="same")


def same_padding_stride_equal(x, kernel):
    padded = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return ops.conv(padded, kernel, strides=2, padding="valid")


def conv_transpose_same(x, kernel):
    return ops.conv_transpose(x, kernel, strides=2, padding="same")


def conv_transpose_same_equal(x, kernel):
    full = ops.conv_transpose(x, kernel, strides=2, padding="valid", output_padding=1)
    return full[:, 1:-1, 1:-1, :]


def average_pool_padding(x):
    return layers.AveragePooling2D(3, strides=1, padding="same")(x)


def average_pool_padding_equal(x):
    padded = layers.ZeroPadding2D(1)(x)
    return layers.AveragePooling2D(3, strides=1)(padded)


def max_pool_same(x):
    return layers.MaxPooling2D(3, strides=2, padding="same")(x)


def max_pool_same_equal(x):
    padded = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=float("-inf"))
    return layers.MaxPooling2D(3, strides=2)(padded)


def max_pool3d_ties(x):
    return _gradient(layers.MaxPooling3D(2), x)


def max_pool3d_ties_equal(x):
    def pool(volume):
        frames = layers.MaxPooling2D(2)(ops.reshape(volume, (2, 2, 2, 1)))
        return layers.MaxPooling1D(2)(ops.reshape(frames, (1, 2, 1)))

    return _gradient(pool, x)


def _gradient(function, x):
    """Of the sum of what the function gives, by each of its inputs, in one row."""
    variable = keras.Variable(x)
    _, (gradient,) = value_and_gradients(lambda: ops.sum(function(variable.value)), [variable])
    return ops.reshape(gradient, (-1,))


def flatten_order(x):
    return layers.Flatten()(x)


def flatten_order_equal(x):
    return layers.Flatten()(layers.Permute((3, 1, 2))(x))


def patch_order(x):
    return ops.image.extract_patches(x, size=2)


def patch_order_equal(x):
    patches = ops.reshape(ops.image.extract_patches(x, size=2), (len(x), 4, 4, 4, 3))  # (B, H/2, W/2, 2 * 2, C)
    return ops.reshape(ops.swapaxes(patches, 3, 4), (len(x), 4, 4, 12))


def dense_kernel_layout(x, square):
    return with_weights(layers.Dense(4, use_bias=False), x, square)(x)


def dense_kernel_layout_equal(x, square):
    return with_weights(layers.Dense(4, use_bias=False), x, ops.transpose(square))(x)
