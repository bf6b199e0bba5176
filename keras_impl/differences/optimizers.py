"""Optimizers: Keras's side. Weights take steps along given gradients, one row of `gradients` a step."""

import keras
from keras import layers, ops, optimizers, regularizers

from keras_impl.backend import value_and_gradients


def _steps(optimizer, w, gradients):
    variable = keras.Variable(w)
    for gradient in gradients:
        optimizer.apply([gradient], [variable])
    return variable.value


def adam_epsilon(w, gradients):
    return _steps(optimizers.Adam(), w, gradients)


def adam_epsilon_equal(w, gradients):
    return _steps(optimizers.Adam(epsilon=1e-8 * (1 - 0.999) ** 0.5), w, gradients)


def adam_epsilon_hat(w, gradients):
    return _steps(optimizers.Adam(0.001, epsilon=1e-7), w, gradients)


def adam_weight_decay(w, gradients):
    return _steps(optimizers.Adam(0.01, weight_decay=0.1), w, gradients)


def adamw_decay_default(w, gradients):
    return _steps(optimizers.AdamW(0.1), w, gradients)


def adamw_decay_default_equal(w, gradients):
    return _steps(optimizers.AdamW(0.1, weight_decay=0.01), w, gradients)


def adam_float64(w, gradients):
    variable = keras.Variable(w, dtype="float64")
    optimizer = optimizers.Adam(0.001)
    for gradient in gradients:
        optimizer.apply([ops.cast(gradient, "float64")], [variable])
    return variable.value


def sgd_learning_rate(w, gradients):
    return _steps(optimizers.SGD(), w, gradients)


def sgd_learning_rate_equal(w, gradients):
    return _steps(optimizers.SGD(0.001), w, gradients)


def sgd_momentum_rate(w, gradients):
    variable = keras.Variable(w)
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    for rate, gradient in zip((0.1, 0.1, 0.01), gradients, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([gradient], [variable])
    return variable.value


def sgd_weight_decay(w, gradients):
    return _steps(optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1), w, gradients)


def sgd_weight_decay_equal(w, gradients):
    variable = keras.Variable(w)
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    for gradient in gradients:
        optimizer.apply([gradient + 0.1 * variable.value], [variable])
    return variable.value


def l2_regularizer(square):
    return _decayed(square, regularizers.L2(0.1))


def l2_regularizer_equal(square):
    return _decayed(square, regularizers.L2(0.1 / 2))


def _decayed(square, regularizer):
    """A kernel after one step in which only the penalty has a gradient."""
    layer = layers.Dense(4, use_bias=False, kernel_regularizer=regularizer)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(optimizer=optimizers.SGD(0.1), loss="mean_squared_error")
    layer.kernel.assign(square)
    model.train_on_batch(ops.zeros((1, 4)), ops.zeros((1, 4)))
    return layer.kernel.value


def rmsprop_epsilon(w, gradients):
    return _steps(optimizers.RMSprop(0.001, rho=0.9, epsilon=1e-7), w, gradients)


def rmsprop_defaults(w, gradients):
    return _steps(optimizers.RMSprop(), w, gradients)


def rmsprop_defaults_equal(w, gradients):
    return _steps(optimizers.RMSprop(0.01, rho=0.99), w, gradients)


def adagrad_accumulator(w, gradients):
    return _steps(optimizers.Adagrad(0.01), w, gradients)


def adagrad_accumulator_equal(w, gradients):
    return _steps(optimizers.Adagrad(0.01, initial_accumulator_value=0.0), w, gradients)


def adadelta_defaults(w, gradients):
    return _steps(optimizers.Adadelta(), w, gradients)


def adadelta_defaults_equal(w, gradients):
    return _steps(optimizers.Adadelta(1.0, rho=0.9, epsilon=1e-6), w, gradients)


def nadam_momentum_decay(w, gradients):
    return _steps(optimizers.Nadam(0.001), w, gradients)


def adam_embedding(table, tokens):
    layer = layers.Embedding(*table.shape, weights=[table])
    layer.build()
    return _vectors_step(layer.embeddings, lambda: layer(tokens))


def adam_embedding_equal(table, tokens):
    variable = keras.Variable(table)
    return _vectors_step(variable, lambda: ops.matmul(ops.one_hot(tokens, len(table)), variable))


def _vectors_step(table, vectors):
    """The table after a step of Adam towards shorter vectors."""
    _, gradients = value_and_gradients(lambda: ops.sum(vectors() ** 2), [table])
    optimizers.Adam(0.1).apply(gradients, [table])
    return table.value


def clipnorm(gradients):
    first, second = keras.Variable(0.0), keras.Variable(0.0)
    optimizers.SGD(1.0, clipnorm=1.0).apply([gradients[0], gradients[1]], [first, second])
    return ops.stack([first.value, second.value])


def clipnorm_equal(gradients):
    first, second = keras.Variable(0.0), keras.Variable(0.0)
    optimizers.SGD(1.0, global_clipnorm=1.0).apply([gradients[0], gradients[1]], [first, second])
    return ops.stack([first.value, second.value])


def gradient_accumulation(w, gradients):
    return _steps(optimizers.SGD(0.1, gradient_accumulation_steps=2), w, gradients)


def gradient_accumulation_equal(w, gradients):
    return _steps(optimizers.SGD(0.1, gradient_accumulation_steps=2), w, 2 * gradients)


def weight_average(w, gradients):
    variable = keras.Variable(w)
    optimizer = optimizers.SGD(0.1, use_ema=True)
    for gradient in gradients:
        optimizer.apply([gradient], [variable])
    optimizer.finalize_variable_values([variable])
    return variable.value
