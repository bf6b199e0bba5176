"""Normalization: Keras's side."""

from keras import layers, ops


def batchnorm_epsilon(x):
    return layers.BatchNormalization()(x, training=True)


def batchnorm_epsilon_equal(x):
    return layers.BatchNormalization(epsilon=1e-5)(x, training=True)


def batchnorm_momentum(x):
    norm = layers.BatchNormalization()
    norm(x, training=True)
    return norm.moving_mean


def batchnorm_momentum_equal(x):
    norm = layers.BatchNormalization(momentum=0.9)
    norm(x, training=True)
    return norm.moving_mean


def batchnorm_variance(x):
    norm = layers.BatchNormalization(momentum=0.9)
    norm(x, training=True)
    return norm.moving_variance


def batchnorm_large_mean(x):
    return layers.BatchNormalization(epsilon=1e-5)(x, training=True)


def batchnorm_large_mean_equal(x):
    centred = x - ops.mean(x, axis=(0, 1, 2), keepdims=True)
    return layers.BatchNormalization(epsilon=1e-5)(centred, training=True)


def batchnorm_frozen(x):
    norm = layers.BatchNormalization(epsilon=1e-5)
    norm.trainable = False
    return norm(x, training=True)


def batchnorm_default_mode(x):
    return layers.BatchNormalization(epsilon=1e-5)(x)


def batchnorm_default_mode_equal(x):
    return layers.BatchNormalization(epsilon=1e-5)(x, training=True)


def layernorm_epsilon(x):
    return layers.LayerNormalization()(x)


def layernorm_epsilon_equal(x):
    return layers.LayerNormalization(epsilon=1e-5)(x)


def groupnorm_epsilon(x):
    return layers.GroupNormalization(groups=2)(x)


def groupnorm_epsilon_equal(x):
    return layers.GroupNormalization(groups=2, epsilon=1e-5)(x)


def rmsnorm_epsilon(x):
    return layers.RMSNormalization()(x)


def rmsnorm_epsilon_equal(x):
    return layers.RMSNormalization(epsilon=1.1920929e-07)(x)


def normalize_epsilon(x):
    return ops.normalize(x)


def normalize_epsilon_equal(x):
    return ops.normalize(x, epsilon=1e-12)
