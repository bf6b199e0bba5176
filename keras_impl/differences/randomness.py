"""Random layers and generators: Keras's side."""

import keras
import numpy as np
from keras import layers, ops


def dropout_default_mode(x):
    return _share_of_zeros(layers.Dropout(0.5)(x))


def dropout_default_mode_equal(x):
    return _share_of_zeros(layers.Dropout(0.5)(x, training=True))


def _share_of_zeros(x):
    return ops.mean(ops.cast(x == 0, "float32"))


def spatial_dropout(x):
    dropped = layers.SpatialDropout1D(0.5)(x, training=True) == 0  # (B, T, C)
    return ops.mean(ops.cast(ops.all(dropped, axis=1), "float32"))  # channels that are gone at every step


def seed_argument():
    first = keras.random.normal((1000,), seed=0)
    second = keras.random.normal((1000,), seed=0)
    return ops.cast(ops.all(first == second), "float32")


def seed_argument_equal():
    generator = keras.random.SeedGenerator(0)
    first = keras.random.normal((1000,), seed=generator)
    second = keras.random.normal((1000,), seed=generator)
    return ops.cast(ops.all(first == second), "float32")


def seed_scope():
    keras.utils.set_random_seed(0)
    first = np.random.rand()
    keras.utils.set_random_seed(0)
    return float(first == np.random.rand())


def categorical_input(p):
    drawn = keras.random.categorical(p[None], 100000, seed=0)
    return ops.mean(ops.one_hot(drawn[0], 3), axis=0)


def categorical_input_equal(p):
    drawn = keras.random.categorical(ops.log(p)[None], 100000, seed=0)
    return ops.mean(ops.one_hot(drawn[0], 3), axis=0)


def multinomial_replacement(p):
    return ops.max(keras.random.categorical(ops.log(p)[None], 3, seed=0))
