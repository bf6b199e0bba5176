"""Schedules: Keras's side. The learning rates of some steps."""

import keras
import numpy as np
from keras.optimizers import SGD, schedules


def schedule_step():
    schedule = schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    return [float(schedule(step)) for step in range(6)]  # two epochs of three steps


def schedule_step_equal():
    schedule = schedules.ExponentialDecay(0.1, decay_steps=3, decay_rate=0.5, staircase=True)
    return [float(schedule(step)) for step in range(6)]


def step_decay():
    schedule = schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5)
    return [float(schedule(step)) for step in range(6)]


def step_decay_equal():
    schedule = schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5, staircase=True)
    return [float(schedule(step)) for step in range(6)]


def piecewise_boundary():
    schedule = schedules.PiecewiseConstantDecay([2], [0.1, 0.01])
    return [float(schedule(step)) for step in range(6)]


def piecewise_boundary_equal():
    schedule = schedules.PiecewiseConstantDecay([2 - 1], [0.1, 0.01])
    return [float(schedule(step)) for step in range(6)]


def cosine_after_end(steps):
    schedule = schedules.CosineDecay(0.1, decay_steps=4)
    return [float(schedule(step)) for step in range(len(steps))]


def plateau_patience(losses):
    return _rates_on(losses, keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=2))


def plateau_patience_equal(losses):
    return _rates_on(losses, keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=2 + 1))


def plateau_threshold(losses):
    return _rates_on(losses, keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1))


def plateau_threshold_equal(losses):
    return _rates_on(losses, keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=1e-4 * 100))


def _rates_on(losses, callback):
    """The rate after each epoch with such a loss."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=SGD(0.1), loss="mean_squared_error")
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"loss": float(loss)})
        rates.append(float(model.optimizer.learning_rate))
    return np.array(rates)
