"""Reductions, shapes, dtypes and precision: Keras's side."""

import keras
from keras import ops

from keras_impl.backend import BACKEND, value_and_gradients


def std_ddof(x):
    return ops.std(x)


def median_even(x):
    return ops.median(x)


def split_meaning(x):
    return ops.sum(ops.split(x, 2)[0])


def split_meaning_equal(x):
    return ops.sum(ops.split(x, list(range(2, len(x), 2)))[0])


def repeat_meaning(x):
    return ops.repeat(x, 2)


def repeat_meaning_equal(x):
    return ops.tile(x, 2)


def one_hot_out_of_range(labels):
    try:
        return ops.one_hot(labels, 3)
    except Exception:
        return ops.full((len(labels), 3), -1.0)


def integer_sum(x):
    return ops.cast(ops.sum(x), "float32")


def integer_sum_equal(x):
    return ops.sum(ops.cast(x, "float32"))


def float64_downcast(x):
    squares = ops.square(ops.cast(x, "float64"))
    return ops.maximum(squares, ops.zeros_like(squares))


def tf32_policy():
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return float(tf.config.experimental.tensor_float_32_execution_enabled())
    if BACKEND == "jax":
        import jax

        with jax.default_matmul_precision(None):  # the harness asks for more than JAX's default
            return float(jax.config.jax_default_matmul_precision is None)
    import torch

    return float(torch.backends.cuda.matmul.allow_tf32)


def meshgrid_indexing(x):
    return ops.meshgrid(x, x)[0]


def meshgrid_indexing_equal(x):
    return ops.meshgrid(x, x, indexing="ij")[0]


def max_ties(x):
    variable = keras.Variable(x)
    _, (gradient,) = value_and_gradients(lambda: ops.sum(ops.max(variable.value, axis=-1)), [variable])
    return gradient


def top_k_ties(scores):
    _, places = ops.top_k(scores, 12)
    return ops.cast(ops.all(places[1:] > places[:-1]), "float32")
