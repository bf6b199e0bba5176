"""Reductions, shapes, dtypes and precision: Keras's side."""

from keras import ops

from keras_impl.backend import BACKEND


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
