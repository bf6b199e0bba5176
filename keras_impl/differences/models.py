"""Models and their training: Keras's side."""

import keras
import numpy as np
from keras import layers, ops


def layer_list():
    model = WithList()
    model(keras.Input((4,)))
    return model.count_params()


class WithList(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [layers.Dense(4), layers.Dense(4)]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def reserved_name():
    names = ("layers", "metrics", "dtype", "input", "output", "weights", "path", "losses", "variables")
    return sum(_is_refused(name) for name in names)


def reserved_name_equal():
    names = ("blocks", "scores", "kind", "x", "y", "kernels", "where", "penalties", "arrays")
    return sum(_is_refused(name) for name in names)


def _is_refused(name):
    try:
        setattr(keras.Model(), name, [])
    except AttributeError:
        return 1
    return 0


def call_without_training(x):
    return _dropout_is_on(Deaf(), x)


def call_without_training_equal(x):
    return _dropout_is_on(Listening(), x)


class Deaf(keras.Model):
    def __init__(self):
        super().__init__()
        self.dropout = layers.Dropout(0.5)

    def call(self, x):
        return self.dropout(x)


class Listening(Deaf):
    def call(self, x, training=False):
        return self.dropout(x, training=training)


def _dropout_is_on(model, x):
    """Whether a training step's loss changes from step to step while the weights do not."""
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mean_squared_error")
    losses = {float(model.train_on_batch(x, ops.zeros_like(x))) for _ in range(3)}
    return float(len(losses) > 1)


def default_batch_size(x):
    return _steps_of_an_epoch(x)


def default_batch_size_equal(x):
    return _steps_of_an_epoch(x, batch_size=1)


def _steps_of_an_epoch(x, **settings):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    return model.fit(x, x, verbose=0, **settings).params["steps"]


def shuffle_default(x):
    return _keeps_order(x)


def shuffle_default_equal(x):
    return _keeps_order(x, shuffle=False)


def _keeps_order(x, **settings):
    """Whether `fit` goes through the rows in their order, told by the loss of each."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mean_absolute_error")
    means = []  # of the loss until that batch
    tell = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: means.append(float(logs["loss"])))
    model.fit(x, x, batch_size=1, verbose=0, callbacks=[tell], **settings)
    losses = np.diff(np.arange(len(means) + 1) * np.array([0.0, *means]))
    return float(np.allclose(losses, np.ravel(ops.convert_to_numpy(x)), atol=1e-3))


def jit_compile_auto():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    return float(model.jit_compile)


def jit_compile_auto_equal():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mean_squared_error", jit_compile=False)
    return float(model.jit_compile)
